//! Moving pictures, looked at frame by frame through the system's ffmpeg: a child process with bounded time and memory.

mod child;
pub(crate) mod fragments;
mod frames;
#[cfg(test)]
pub(crate) mod tests;

use std::path::PathBuf;

use ocellus_algo::image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

pub(crate) use frames::Frames;

/// The most frames that are looked at in one video.
pub const MAX_FRAMES: u64 = 600;
/// The longer side of a frame as it is looked at, in pixels; larger pictures are scaled down.
pub const MAX_SIDE: u32 = 640;

/// The programs that read videos, and what they may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoConfig {
    /// The name or path of ffmpeg.
    pub ffmpeg: PathBuf,
    /// The name or path of ffprobe.
    pub ffprobe: PathBuf,
    /// How long it may take to give the next frame, in seconds.
    pub wait_s: u64,
    /// How much processor time one video may take, in seconds.
    pub cpu_s: u64,
    /// Address space, in bytes.
    pub memory_bytes: u64,
}

impl Default for VideoConfig {
    fn default() -> Self {
        Self {
            ffmpeg: PathBuf::from("ffmpeg"),
            ffprobe: PathBuf::from("ffprobe"),
            wait_s: 60,
            cpu_s: 600,
            memory_bytes: 2 << 30,
        }
    }
}

/// At which times a video is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Milliseconds between frames, 100 to 60,000.
    pub sample_ms: u32,
    /// Whether frames stand for the middle of their span rather than its start.
    pub midpoint: bool,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { sample_ms: 1000, midpoint: true }
    }
}

impl Sampling {
    /// Refuses spans that are too short or too long.
    pub fn check(self) -> Result<Self> {
        match self.sample_ms {
            100..=60_000 => Ok(self),
            _ => Err(Error::invalid("sample_ms", "must be 100 to 60000")),
        }
    }

    /// The time of the first frame, in milliseconds.
    pub(crate) fn offset_ms(self) -> u64 {
        if self.midpoint { u64::from(self.sample_ms / 2) } else { 0 }
    }
}

/// What a video's file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VideoAbout {
    /// In pixels, as it is shown.
    pub width: u32,
    /// In pixels, as it is shown.
    pub height: u32,
    /// Frames a second; 0 if unknown.
    pub fps: f32,
    /// The name of the container, such as `mov` or `matroska`.
    pub format: String,
    /// Bits a second; 0 if unknown.
    pub bit_rate: u64,
    /// Pictures in the whole video; 0 if unknown.
    pub n_frames: u64,
    /// Milliseconds; 0 if unknown.
    pub duration_ms: u64,
}

impl VideoAbout {
    /// The number of the picture that is shown at a time, as far as the rate tells.
    pub(crate) fn number_at(&self, time_ms: u64) -> u64 {
        (time_ms as f64 * f64::from(self.fps) / 1000.0) as u64
    }
}

/// One picture of a video.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Its place among the frames that are looked at, from 0.
    pub idx: u32,
    /// Milliseconds from the start.
    pub time_ms: u64,
    /// Its number among all pictures of the video, as far as its rate tells.
    pub number: u64,
    /// The picture, at most [`MAX_SIDE`] wide and high.
    pub picture: RgbImage,
}
