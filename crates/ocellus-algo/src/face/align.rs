//! Turning, scaling and moving a picture so that landmarks come to lie where a network expects them.

use crate::image::RgbImage;

/// Where the five landmarks lie on a picture of 112 by 112 pixels for networks trained like ArcFace: across, down.
/// From Deng et al., "ArcFace: additive angular margin loss for deep face recognition", CVPR 2019, its published code.
pub const ARCFACE: [[f32; 2]; 5] = [
    [38.2946 / 112.0, 51.6963 / 112.0],
    [73.5318 / 112.0, 51.5014 / 112.0],
    [56.0252 / 112.0, 71.7366 / 112.0],
    [41.5493 / 112.0, 92.3655 / 112.0],
    [70.7299 / 112.0, 92.2041 / 112.0],
];

/// Where they lie on dlib's face chip with a border of a fifth: the middles of the eyes, the tip of the nose and the
/// corners of the mouth of its mean face.
pub const CHIP: [[f32; 2]; 5] = [
    [(0.225_492 + 0.2) / 1.4, (0.215_99 + 0.2) / 1.4],
    [(0.754_761 + 0.2) / 1.4, (0.215_99 + 0.2) / 1.4],
    [(0.490_127 + 0.2) / 1.4, (0.515_625 + 0.2) / 1.4],
    [(0.254_149 + 0.2) / 1.4, (0.780_233 + 0.2) / 1.4],
    [(0.726_104 + 0.2) / 1.4, (0.780_233 + 0.2) / 1.4],
];

/// A turn, a scaling and a move: across and down become `a x - b y + tx` and `b x + a y + ty`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    /// Scale times cosine.
    pub a: f64,
    /// Scale times sine.
    pub b: f64,
    /// How far across.
    pub tx: f64,
    /// How far down.
    pub ty: f64,
}

impl Similarity {
    /// The one that brings points nearest to others, by least squares; `None` if all points are in one place.
    pub fn between(from: &[[f32; 2]], to: &[[f32; 2]]) -> Option<Self> {
        let n = from.len().min(to.len()) as f64;
        let mean =
            |points: &[[f32; 2]], axis: usize| points.iter().map(|p| f64::from(p[axis])).sum::<f64>() / n;
        let (fx, fy, gx, gy) = (mean(from, 0), mean(from, 1), mean(to, 0), mean(to, 1));
        let (mut along, mut across, mut spread) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let (px, py) = (f64::from(p[0]) - fx, f64::from(p[1]) - fy);
            let (qx, qy) = (f64::from(q[0]) - gx, f64::from(q[1]) - gy);
            along += px * qx + py * qy;
            across += px * qy - py * qx;
            spread += px * px + py * py;
        }
        let (a, b) = (along / spread, across / spread);
        let found = Self { a, b, tx: gx - a * fx + b * fy, ty: gy - b * fx - a * fy };
        let usable = [found.a, found.b, found.tx, found.ty].iter().all(|x| x.is_finite());
        (usable && a.hypot(b) > 1e-9).then_some(found)
    }

    /// Where a point comes to lie.
    pub fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [self.a * x - self.b * y + self.tx, self.b * x + self.a * y + self.ty]
    }

    /// The one that undoes it.
    pub fn inverse(&self) -> Self {
        let square = self.a * self.a + self.b * self.b;
        let (a, b) = (self.a / square, -self.b / square);
        Self { a, b, tx: -(a * self.tx - b * self.ty), ty: -(b * self.tx + a * self.ty) }
    }
}

/// A square of `side` pixels in which the landmarks (fractions of the image) lie where `target` (fractions of the square)
/// says, as nearly as turning, scaling and moving can do. What lies outside the image is black. `None` if the
/// landmarks say nothing.
pub fn aligned(
    img: &RgbImage,
    landmarks: &[[f32; 2]; 5],
    target: &[[f32; 2]; 5],
    side: u32,
) -> Option<RgbImage> {
    let (width, height) = (img.width() as f32, img.height() as f32);
    let from: Vec<[f32; 2]> = landmarks.iter().map(|[x, y]| [x * width, y * height]).collect();
    let to: Vec<[f32; 2]> = target.iter().map(|[x, y]| [x * side as f32, y * side as f32]).collect();
    let back = Similarity::between(&from, &to)?.inverse();
    // Where a pixel of the square covers several of the image, their mean is taken.
    let n_inner = back.a.hypot(back.b).ceil().clamp(1.0, 16.0) as u32;
    let mut out = RgbImage::new(side, side);
    for (x, y, pixel) in out.enumerate_pixels_mut() {
        let mut sum = [0.0_f64; 3];
        for inner in 0..n_inner * n_inner {
            let part = |n: u32| (f64::from(n) + 0.5) / f64::from(n_inner) - 0.5;
            let at = [f64::from(x) + part(inner % n_inner), f64::from(y) + part(inner / n_inner)];
            add_between(img, back.apply(at), &mut sum);
        }
        let n = f64::from(n_inner * n_inner);
        pixel.0 = sum.map(|value| (value / n).round().clamp(0.0, 255.0) as u8);
    }
    Some(out)
}

/// Adds the colour at a point between four pixels, whose middles are whole numbers.
fn add_between(img: &RgbImage, [x, y]: [f64; 2], sum: &mut [f64; 3]) {
    let (left, top) = (x.floor(), y.floor());
    for (column, row) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let (px, py) = (left + column, top + row);
        let inside = px >= 0.0 && py >= 0.0 && px < f64::from(img.width()) && py < f64::from(img.height());
        if inside {
            let weight = (1.0 - (x - px).abs()) * (1.0 - (y - py).abs());
            let pixel = img.get_pixel(px as u32, py as u32).0;
            sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += weight * f64::from(value));
        }
    }
}
