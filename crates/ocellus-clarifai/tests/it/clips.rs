//! Videos, sounds and archives for scenarios, made once per run: videos and sounds by ffmpeg.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use ocellus_core::testing::cache_dir;
use tempfile::TempDir;

/// The folder with `dog-then-coffee.mp4` (two seconds each) and `tone.wav` (a second).
pub fn folder() -> PathBuf {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    MADE.get_or_init(make).path().to_owned()
}

fn make() -> TempDir {
    let folder = TempDir::new().unwrap();
    let photo = |name: &str| cache_dir().join("photos").join(name).display().to_string();
    let (dog, coffee) = (photo("dog.png"), photo("coffee.png"));
    let each = "scale=320:240,setsar=1";
    let filter = format!("[0]{each}[a];[1]{each}[b];[a][b]concat=n=2:v=1:a=0");
    let video = ["-loop", "1", "-t", "2", "-i", &dog, "-loop", "1", "-t", "2", "-i", &coffee];
    let made = ["-filter_complex", &filter, "-r", "10", "-frames:v", "40", "-c:v", "mpeg4", "-q:v", "2"];
    run(&[&video[..], &made[..]].concat(), &folder.path().join("dog-then-coffee.mp4"));
    run(&["-f", "lavfi", "-i", "sine=duration=1"], &folder.path().join("tone.wav"));
    folder
}

fn run(arguments: &[&str], out: &Path) {
    let status = Command::new("ffmpeg").args(["-v", "error", "-nostdin"]).args(arguments).arg(out).status();
    assert!(status.expect("make test installs ffmpeg").success());
}
