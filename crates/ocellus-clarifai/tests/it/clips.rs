//! Videos, sounds and archives for scenarios, made once per run: videos and sounds by ffmpeg.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use ocellus_core::testing::cache_dir;
use ocellus_interchange::{Sink, ZipSink};
use tempfile::TempDir;

/// The folder with `dog-then-coffee.mp4` (two seconds each), `tone.wav` (a second), `mixed.zip` (a text, a picture, a sound
/// and an entry of no known kind) and `climbing.tar` (whose entry leads outside).
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
    std::fs::write(folder.path().join("mixed.zip"), mixed_zip(&folder.path().join("tone.wav"))).unwrap();
    std::fs::write(folder.path().join("climbing.tar"), climbing_tar()).unwrap();
    folder
}

fn mixed_zip(tone: &Path) -> Vec<u8> {
    let mut zip = ZipSink::new(Cursor::new(Vec::new()));
    let picture = std::fs::read(cache_dir().join("photos/coffee.png")).unwrap();
    let sound = std::fs::read(tone).unwrap();
    for (path, content) in [
        ("notes/a.txt", &b"some words"[..]),
        ("coffee.png", &picture),
        ("tone.wav", &sound),
        ("unknown.bin", b"\0\x01"),
    ] {
        zip.put(path, &mut &*content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An archive that no honest program writes: one empty file named `../up.txt`.
fn climbing_tar() -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..9].copy_from_slice(b"../up.txt");
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(b"00000000000\0");
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    [&header[..], &[0; 1024]].concat()
}

fn run(arguments: &[&str], out: &Path) {
    let status = Command::new("ffmpeg").args(["-v", "error", "-nostdin"]).args(arguments).arg(out).status();
    assert!(status.expect("make test installs ffmpeg").success());
}
