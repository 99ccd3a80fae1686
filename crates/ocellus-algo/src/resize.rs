//! Resampling of RGB images; the only user of the resize crate, whose generic code is slow to compile.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::image::RgbImage;
use crate::preprocess::Filter;

/// A part of an image in pixels; edges may lie between pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Region {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

/// The image, or a region of it, resampled to `(width, height)`. When shrinking, the filter is widened by the scale
/// so that every source pixel counts (as Pillow and torchvision's `antialias` do).
pub(crate) fn resize(
    img: &RgbImage,
    region: Option<Region>,
    (width, height): (u32, u32),
    filter: Filter,
) -> RgbImage {
    let mut out = RgbImage::new(width, height);
    if img.is_empty() || out.is_empty() {
        return out;
    }
    let src = ImageRef::new(img.width(), img.height(), img.as_raw(), PixelType::U8x3)
        .expect("an RgbImage holds three bytes per pixel");
    let mut dst = Image::from_slice_u8(width, height, &mut out, PixelType::U8x3)
        .expect("an RgbImage holds three bytes per pixel");
    let filter = match filter {
        Filter::Bilinear => FilterType::Bilinear,
        Filter::Bicubic => FilterType::CatmullRom,
        Filter::Lanczos3 => FilterType::Lanczos3,
    };
    let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    if let Some(region) = region {
        let r = inside(region, img);
        options = options.crop(r.left, r.top, r.width, r.height);
    }
    Resizer::new()
        .resize(&src, &mut dst, &options)
        .expect("the region was clamped to the image and both images are RGB");
    out
}

/// Rounding may put a region a hair outside the image, which the resampler refuses.
fn inside(r: Region, img: &RgbImage) -> Region {
    let (w, h) = (f64::from(img.width()), f64::from(img.height()));
    let left = r.left.clamp(0.0, w);
    let top = r.top.clamp(0.0, h);
    Region { left, top, width: r.width.clamp(0.0, w - left), height: r.height.clamp(0.0, h - top) }
}
