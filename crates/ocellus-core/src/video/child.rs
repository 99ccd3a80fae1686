//! Starting ffmpeg and ffprobe: no rights but to read one file, limits on memory and time, and words for what went wrong.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::{VideoAbout, VideoConfig};
use crate::{Error, Kind, Result};

/// Where the programs are looked for; nothing else of this process's surroundings is handed to them.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/opt/local/bin";
/// The containers that may be opened: none that names other files or addresses.
const FORMATS: &str =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpegts,mpeg,mpegvideo,ogg,asf,gif,h264,hevc,ivf,mxf";
/// So much of what a program complains about is kept, in bytes.
const MAX_COMPLAINT_BYTES: usize = 4096;
/// So much is read of a description of a file, in bytes.
const MAX_ABOUT_BYTES: u64 = 1 << 20;
/// What a shell answers when there is no such program.
const NO_PROGRAM: i32 = 127;

/// The bytes as a file that goes when it is dropped.
pub(crate) async fn on_disk(bytes: Bytes) -> Result<NamedTempFile> {
    let write = move || {
        let mut file = NamedTempFile::new()?;
        file.write_all(&bytes)?;
        file.flush()?;
        Ok::<_, std::io::Error>(file)
    };
    tokio::task::spawn_blocking(write).await.map_err(Error::internal)?.map_err(Error::internal)
}

/// A program over one file, ready to be started. It dies with its handle.
pub(super) fn command(config: &VideoConfig, program: &Path, file: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    // The limits hold for the shell's whole life, which the program takes over.
    command.args([
        "-c",
        r#"ulimit -v "$1"; ulimit -t "$2"; ulimit -f 0; ulimit -c 0; shift 2; exec "$@""#,
        "sh",
    ]);
    command.arg((config.memory_bytes / 1024).to_string()).arg(config.cpu_s.to_string()).arg(program);
    command.args([
        "-hide_banner",
        "-v",
        "error",
        "-protocol_whitelist",
        "file",
        "-format_whitelist",
        FORMATS,
    ]);
    command.arg("-i").arg(file);
    command.env_clear().env("PATH", PATH).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Reads what a program complains about to its end, and keeps the start of it.
pub(super) async fn complaint(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else { return String::new() };
    let (mut kept, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(n) = from.read(&mut buffer).await {
        if n == 0 {
            break;
        }
        let room = MAX_COMPLAINT_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..n.min(room)]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The error for a program that did not end well, in words without the paths of this server.
pub(super) fn failure(
    program: &Path,
    status: std::process::ExitStatus,
    complaint: &str,
    file: &Path,
) -> Error {
    let name = program.display();
    match status.code() {
        Some(NO_PROGRAM) => Error::unsupported(format!(
            "videos need {name}, which is not installed on the server (Debian, Ubuntu: apt-get install ffmpeg; \
             Fedora: dnf install ffmpeg-free; macOS: brew install ffmpeg)"
        )),
        None => Error::too_large(format!("the video takes more time or memory than {name} is allowed")),
        Some(_) => {
            let path = file.to_string_lossy();
            let last = complaint.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            let said = last.replace(&*path, "").trim_matches([':', ' ']).to_owned();
            Error::new(Kind::Invalid, format!("the bytes are no video that can be read: {said}"))
        }
    }
}

/// What a file says of itself.
pub(super) async fn probe(config: &VideoConfig, file: &Path) -> Result<VideoAbout> {
    let mut command = command(config, &config.ffprobe, file);
    command.args(["-of", "json", "-select_streams", "v:0", "-show_format", "-show_streams"]);
    let mut child = command.spawn().map_err(Error::internal)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let read = async {
        let mut json = Vec::new();
        let stdout = async {
            match stdout {
                Some(stdout) => stdout.take(MAX_ABOUT_BYTES).read_to_end(&mut json).await.map(drop),
                None => Ok(()),
            }
        };
        let (read, complaint) = tokio::join!(stdout, complaint(stderr));
        read.map_err(Error::internal)?;
        Ok::<_, Error>((child.wait().await.map_err(Error::internal)?, complaint, json))
    };
    let (status, complaint, json) = within(config, read).await?;
    if !status.success() {
        return Err(failure(&config.ffprobe, status, &complaint, file));
    }
    let json: Value = serde_json::from_slice(&json).map_err(Error::internal)?;
    about(&json)
        .ok_or_else(|| Error::new(Kind::Invalid, "the bytes are no video: there is no picture in them"))
}

/// Waits no longer than the configuration allows for one step.
pub(super) async fn within<T>(config: &VideoConfig, step: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(Duration::from_secs(config.wait_s), step).await {
        Ok(result) => result,
        // Another attempt would take as long.
        Err(_) => {
            Err(Error::too_large(format!("the video gives no picture within {} seconds", config.wait_s)))
        }
    }
}

fn about(json: &Value) -> Option<VideoAbout> {
    let (stream, format) = (json["streams"].get(0)?, &json["format"]);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let number = |value: &Value| text(value).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let side = |name: &str| stream[name].as_u64().and_then(|n| u32::try_from(n).ok());
    let seconds = match number(&stream["duration"]) {
        0.0 => number(&format["duration"]),
        seconds => seconds,
    };
    let fps = text(&stream["avg_frame_rate"]).and_then(|rate| {
        let (frames, seconds) = rate.split_once('/')?;
        Some(frames.parse::<f32>().ok()? / seconds.parse::<f32>().ok()?)
    });
    let fps = fps.filter(|fps| fps.is_finite()).unwrap_or(0.0);
    let n_frames = match number(&stream["nb_frames"]) as u64 {
        0 => (seconds * f64::from(fps)).round() as u64,
        n => n,
    };
    let turned = stream["side_data_list"].as_array().into_iter().flatten();
    let turned = turned.filter_map(|data| data["rotation"].as_i64()).any(|degrees| degrees % 180 != 0);
    let (width, height) = (side("width")?, side("height")?);
    let (width, height) = if turned { (height, width) } else { (width, height) };
    let name = text(&format["format_name"]).unwrap_or_default();
    Some(VideoAbout {
        width,
        height,
        fps,
        format: name.split(',').next().unwrap_or_default().to_owned(),
        bit_rate: number(&format["bit_rate"]) as u64,
        n_frames,
        duration_ms: (seconds * 1000.0).round() as u64,
    })
}
