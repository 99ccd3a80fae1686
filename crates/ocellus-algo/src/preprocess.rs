//! From an image to the tensor a model expects, as described by data kept with the model.
//!
//! Prediction, training and tests all come through `apply`; there is no second place that scales or normalises.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::image::RgbImage;
use crate::nn::Tensor;
use crate::resize::{Region, resize};

/// How a model wants its images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Width of the model's input in pixels.
    pub width: u32,
    /// Height of the model's input in pixels.
    pub height: u32,
    /// How the image is brought to that size.
    pub resize: Resize,
    /// The resampling filter.
    pub filter: Filter,
    /// Order of the colour channels.
    pub channels: Channels,
    /// Order of the tensor's axes.
    pub layout: Layout,
    /// Subtracted per channel in the order of `channels`, on the scale 0..255.
    pub mean: [f32; 3],
    /// Divisor per channel in the order of `channels`, on the scale 0..255.
    pub std: [f32; 3],
}

/// How an image of any shape becomes one of the model's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// The whole image, its aspect ratio changed.
    Stretch,
    /// The shorter side is scaled to `resize_short` pixels, then the middle is cut out.
    CenterCrop {
        /// Length of the shorter side in pixels before cutting.
        resize_short: u32,
    },
    /// The whole image in its own aspect ratio, centred; the borders are the mean colour (0 in the tensor).
    Letterbox,
}

/// Resampling filters, all antialiased when shrinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Triangle.
    Bilinear,
    /// Catmull-Rom cubic, a = -0.5.
    Bicubic,
    /// Windowed sinc of radius 3.
    Lanczos3,
}

/// Order of the colour channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// Order of the tensor's axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `[1, 3, height, width]`.
    Nchw,
    /// `[1, height, width, 3]`.
    Nhwc,
}

/// Makes the input of a model: shape `[1, 3, H, W]` or `[1, H, W, 3]`, values `(x - mean) / std` with x in 0..255.
pub fn apply(spec: &Spec, img: &RgbImage) -> Tensor {
    let (width, height) = (spec.width as usize, spec.height as usize);
    let shape = match spec.layout {
        Layout::Nchw => vec![1, 3, height, width],
        Layout::Nhwc => vec![1, height, width, 3],
    };
    let mut data = vec![0.0; 3 * width * height];
    let placed = place(spec, img.width(), img.height());
    let scaled = resize(img, placed.region, (placed.width, placed.height), spec.filter);
    let canvas =
        Canvas { width, n_pixels: width * height, left: placed.left as usize, top: placed.top as usize };
    let tables = tables(spec);
    if !scaled.is_empty() {
        match spec.layout {
            Layout::Nchw => write_planes(&canvas, &scaled, &tables, &mut data),
            Layout::Nhwc => write_pixels(&canvas, &scaled, &tables, &mut data),
        }
    }
    Tensor { shape, data }
}

/// The place in an image of this width and height that a place on the model's canvas shows, as fractions of both. What lies
/// in the borders of the canvas is below 0 or above 1.
pub fn to_image(spec: &Spec, (width, height): (u32, u32), (x, y): (f32, f32)) -> (f32, f32) {
    let placed = place(spec, width.max(1), height.max(1));
    let along = |x: f32, first: u32, len: u32| (f64::from(x) - f64::from(first)) / f64::from(len.max(1));
    let (x, y) = (along(x, placed.left, placed.width), along(y, placed.top, placed.height));
    let (x, y) = match placed.region {
        None => (x, y),
        Some(region) => (
            (region.left + x * region.width) / f64::from(width.max(1)),
            (region.top + y * region.height) / f64::from(height.max(1)),
        ),
    };
    (x as f32, y as f32)
}

/// Which part of the source goes where on the model's canvas.
struct Placed {
    region: Option<Region>,
    width: u32,
    height: u32,
    left: u32,
    top: u32,
}

fn place(spec: &Spec, src_width: u32, src_height: u32) -> Placed {
    let whole = Placed { region: None, width: spec.width, height: spec.height, left: 0, top: 0 };
    match spec.resize {
        Resize::Stretch => whole,
        Resize::CenterCrop { resize_short } => {
            Placed { region: Some(center_region(spec, resize_short, src_width, src_height)), ..whole }
        }
        Resize::Letterbox => {
            let scale = (f64::from(spec.width) / f64::from(src_width))
                .min(f64::from(spec.height) / f64::from(src_height));
            let side = |len: u32, max: u32| ((f64::from(len) * scale).round() as u32).clamp(1, max.max(1));
            let width = side(src_width, spec.width);
            let height = side(src_height, spec.height);
            Placed {
                region: None,
                width,
                height,
                left: (spec.width - width.min(spec.width)) / 2,
                top: (spec.height - height.min(spec.height)) / 2,
            }
        }
    }
}

/// The source region that "scale the short side, then cut the middle" would keep, so that one pass does both. The
/// long side and the offsets are rounded as torchvision's `Resize` and `CenterCrop` round them.
fn center_region(spec: &Spec, resize_short: u32, src_width: u32, src_height: u32) -> Region {
    let (w, h) = (f64::from(src_width), f64::from(src_height));
    let short = f64::from(resize_short.max(1));
    let (resized_w, resized_h) = if src_width <= src_height {
        (short, (short * h / w).floor().max(1.0))
    } else {
        ((short * w / h).floor().max(1.0), short)
    };
    let axis = |resized: f64, wanted: u32, len: f64| {
        let wanted = f64::from(wanted).min(resized);
        let first = ((resized - wanted) / 2.0).round_ties_even();
        (first * len / resized, wanted * len / resized)
    };
    let (left, width) = axis(resized_w, spec.width, w);
    let (top, height) = axis(resized_h, spec.height, h);
    Region { left, top, width, height }
}

/// Normalised value of every byte, one table per output channel, with the source channel it reads.
type Tables = [(usize, [f32; 256]); 3];

fn tables(spec: &Spec) -> Tables {
    std::array::from_fn(|channel| {
        let source = match spec.channels {
            Channels::Rgb => channel,
            Channels::Bgr => 2 - channel,
        };
        let table = std::array::from_fn(|x| (x as f32 - spec.mean[channel]) / spec.std[channel]);
        (source, table)
    })
}

struct Canvas {
    width: usize,
    n_pixels: usize,
    left: usize,
    top: usize,
}

impl Canvas {
    /// First pixel of each row of the placed image.
    fn rows<'a>(&self, scaled: &'a RgbImage) -> impl Iterator<Item = (usize, &'a [u8])> + use<'a> {
        let (width, left, top) = (self.width, self.left, self.top);
        scaled
            .chunks_exact(scaled.width() as usize * 3)
            .enumerate()
            .map(move |(y, row)| ((top + y) * width + left, row))
    }
}

fn write_planes(canvas: &Canvas, scaled: &RgbImage, tables: &Tables, data: &mut [f32]) {
    let (first, rest) = data.split_at_mut(canvas.n_pixels);
    let (second, third) = rest.split_at_mut(canvas.n_pixels);
    let [(s0, t0), (s1, t1), (s2, t2)] = tables;
    for (at, row) in canvas.rows(scaled) {
        let n = row.len() / 3;
        let planes = first[at..at + n].iter_mut().zip(&mut second[at..at + n]).zip(&mut third[at..at + n]);
        for (((a, b), c), pixel) in planes.zip(row.as_chunks::<3>().0) {
            *a = t0[usize::from(pixel[*s0])];
            *b = t1[usize::from(pixel[*s1])];
            *c = t2[usize::from(pixel[*s2])];
        }
    }
}

fn write_pixels(canvas: &Canvas, scaled: &RgbImage, tables: &Tables, data: &mut [f32]) {
    for (at, row) in canvas.rows(scaled) {
        let out = &mut data[at * 3..at * 3 + row.len()];
        for (out, pixel) in out.as_chunks_mut::<3>().0.iter_mut().zip(row.as_chunks::<3>().0) {
            for (out, (source, table)) in out.iter_mut().zip(tables) {
                *out = table[usize::from(pixel[*source])];
            }
        }
    }
}
