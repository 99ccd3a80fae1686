//! Decoding.
use crate::error::Result;
pub use ::image::RgbImage;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    pub max_bytes: usize,
    pub max_pixels: u64,
    pub max_alloc_bytes: u64,
}
impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_pixels: 100_000_000,
            max_alloc_bytes: 512 << 20,
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
    Bmp,
    Tiff,
}
impl Format {
    pub fn mime(self) -> &'static str {
        todo!()
    }
    pub fn extension(self) -> &'static str {
        todo!()
    }
}
#[derive(Clone, Debug)]
pub struct Decoded {
    pub image: RgbImage,
    pub format: Format,
    pub exif: Exif,
}
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exif {
    /// As the camera wrote it, "YYYY-MM-DD HH:MM:SS" plus the UTC offset if the file has it.
    pub taken_at: Option<String>,
    pub make: Option<String>,
    pub model: Option<String>,
    pub lens: Option<String>,
    pub software: Option<String>,
    pub orientation: u16,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub altitude_m: Option<f64>,
    pub exposure_s: Option<f64>,
    pub f_number: Option<f64>,
    pub iso: Option<u32>,
    pub focal_length_mm: Option<f64>,
}
/// Fractions of the image's height and width, 0..1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CropBox {
    pub top: f32,
    pub left: f32,
    pub bottom: f32,
    pub right: f32,
}

pub fn decode(_bytes: &[u8], _limits: &DecodeLimits) -> Result<Decoded> {
    todo!()
}
pub fn probe(_bytes: &[u8]) -> Result<(Format, u32, u32)> {
    todo!()
}
pub fn crop(_img: &RgbImage, _b: CropBox) -> Result<RgbImage> {
    todo!()
}
pub fn thumbnail(_img: &RgbImage, _max_side: u32) -> RgbImage {
    todo!()
}
pub fn encode_jpeg(_img: &RgbImage, _quality: u8) -> Result<Vec<u8>> {
    todo!()
}
