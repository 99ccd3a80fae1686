//! The frames of a video, one after the other, as ffmpeg hands them over: uncompressed pictures on a pipe.

use bytes::Bytes;
use ocellus_algo::image::RgbImage;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::task::JoinHandle;

use super::child::{command, complaint, failure, on_disk, probe, within};
use super::{Frame, MAX_FRAMES, MAX_SIDE, Sampling, VideoAbout, VideoConfig};
use crate::{Error, Kind, Result};

/// A video that is being read. ffmpeg waits for whoever asks for frames, and is killed when this is dropped.
pub(crate) struct Frames {
    config: VideoConfig,
    about: VideoAbout,
    file: NamedTempFile,
    sampling: Sampling,
    /// The time of the first frame.
    offset_ms: u64,
    child: Child,
    pictures: BufReader<ChildStdout>,
    complaint: JoinHandle<String>,
    n_frames: u32,
}

impl Frames {
    /// Starts to read a video. `TooLarge` if it has more frames than are looked at, `Unsupported` without ffmpeg.
    pub(crate) async fn open(config: &VideoConfig, bytes: Bytes, sampling: Sampling) -> Result<Self> {
        let file = on_disk(bytes).await?;
        let about = probe(config, file.path()).await?;
        let most_ms = MAX_FRAMES * u64::from(sampling.sample_ms);
        if about.duration_ms > most_ms {
            return Err(too_long(sampling));
        }
        // A video that ends before the middle of its first span is looked at where it begins.
        let short = about.duration_ms > 0 && about.duration_ms <= sampling.offset_ms();
        let sampling = Sampling { midpoint: sampling.midpoint && !short, ..sampling };
        Self::start(config, (file, about), (sampling, sampling.offset_ms()), MAX_FRAMES + 1)
    }

    /// The picture that is shown at a time. `Invalid` if the video ends before.
    pub(crate) async fn still(config: &VideoConfig, bytes: Bytes, time_ms: u64) -> Result<RgbImage> {
        let file = on_disk(bytes).await?;
        let about = probe(config, file.path()).await?;
        let late =
            || Error::invalid("frame_info.time", format!("{time_ms} ms is after the end of the video"));
        if about.duration_ms > 0 && time_ms >= about.duration_ms {
            return Err(late());
        }
        let mut frames = Self::start(config, (file, about), (Sampling::default(), time_ms), 1)?;
        frames.next().await?.map(|frame| frame.picture).ok_or_else(late)
    }

    fn start(
        config: &VideoConfig,
        (file, about): (NamedTempFile, VideoAbout),
        (sampling, offset_ms): (Sampling, u64),
        n_frames: u64,
    ) -> Result<Self> {
        let mut command = command(config, &config.ffmpeg, file.path());
        command.args(["-nostdin", "-map", "0:v:0", "-an", "-sn", "-dn", "-threads", "1", "-vf"]);
        command.arg(filter(sampling.sample_ms, offset_ms)).args(["-frames:v", &n_frames.to_string()]);
        command.args(["-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "pipe:1"]);
        let mut child = command.spawn().map_err(Error::internal)?;
        let complaint = tokio::spawn(complaint(child.stderr.take()));
        let no_pipe = || Error::internal(anyhow::anyhow!("ffmpeg has no output"));
        let pictures = BufReader::with_capacity(1 << 16, child.stdout.take().ok_or_else(no_pipe)?);
        let config = config.clone();
        Ok(Self { config, about, file, sampling, offset_ms, child, pictures, complaint, n_frames: 0 })
    }

    /// What the file says of itself.
    pub(crate) fn about(&self) -> &VideoAbout {
        &self.about
    }

    /// The next frame, or `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>> {
        let config = self.config.clone();
        loop {
            let Some(picture) = within(&config, picture(&mut self.pictures)).await? else {
                return self.end().await;
            };
            if u64::from(self.n_frames) >= MAX_FRAMES {
                return Err(too_long(self.sampling));
            }
            let idx = self.n_frames;
            let time_ms = u64::from(idx) * u64::from(self.sampling.sample_ms) + self.offset_ms;
            if idx > 0 && self.about.duration_ms > 0 && time_ms >= self.about.duration_ms {
                // The filter shows the last picture once more where the video's end falls on a time to look at.
                continue;
            }
            self.n_frames += 1;
            let number = self.about.number_at(time_ms);
            return Ok(Some(Frame { idx, time_ms, number, picture }));
        }
    }

    async fn end(&mut self) -> Result<Option<Frame>> {
        let config = self.config.clone();
        let waited = async { self.child.wait().await.map_err(Error::internal) };
        let status = within(&config, waited).await?;
        let complaint = (&mut self.complaint).await.unwrap_or_default();
        if !status.success() {
            return Err(failure(&config.ffmpeg, status, &complaint, self.file.path()));
        }
        if self.n_frames == 0 {
            return Err(Error::new(Kind::Invalid, "the bytes are no video: there is no picture in them"));
        }
        Ok(None)
    }
}

fn too_long(sampling: Sampling) -> Error {
    let text = format!("the video has more than {MAX_FRAMES} frames at one every {} ms", sampling.sample_ms);
    Error::too_large(text)
}

/// Picks, for each time to look at, the picture that is shown then; and scales it down.
fn filter(every: u32, offset: u64) -> String {
    format!(
        "setpts=PTS-STARTPTS-({offset}/1000)/TB,fps=fps=1000/{every}:round=up:start_time=0,\
         scale=w='min({MAX_SIDE},iw)':h='min({MAX_SIDE},ih)':force_original_aspect_ratio=decrease"
    )
}

/// Reads a portable pixmap: `P6`, width and height, the greatest value, and the pixels.
async fn picture(from: &mut BufReader<ChildStdout>) -> Result<Option<RgbImage>> {
    let broken = |_| Error::new(Kind::Invalid, "the video breaks off in the middle of a picture");
    let mut head = String::new();
    for _ in 0..3 {
        let n = (&mut *from).take(64).read_line(&mut head).await.map_err(broken)?;
        if n == 0 && head.is_empty() {
            return Ok(None);
        }
    }
    let words: Vec<&str> = head.split_whitespace().collect();
    let size = match words[..] {
        ["P6", width, height, "255"] => width.parse::<u32>().ok().zip(height.parse::<u32>().ok()),
        _ => None,
    };
    let size =
        size.filter(|(width, height)| (1..=MAX_SIDE).contains(width) && (1..=MAX_SIDE).contains(height));
    let (width, height) =
        size.ok_or_else(|| Error::internal(anyhow::anyhow!("ffmpeg gave no pixmap: {head:?}")))?;
    let mut pixels = vec![0; width as usize * height as usize * 3];
    from.read_exact(&mut pixels).await.map_err(broken)?;
    Ok(RgbImage::from_raw(width, height, pixels))
}
