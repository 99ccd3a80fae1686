//! Brightness of an image's pixels, ITU-R BT.601.

use crate::image::RgbImage;

/// A grey image on the scale 0..255.
pub(crate) struct Luma {
    pub width: usize,
    pub height: usize,
    /// Row by row.
    pub values: Vec<f32>,
}

impl Luma {
    pub fn of(img: &RgbImage) -> Luma {
        let values = img
            .as_raw()
            .as_chunks::<3>()
            .0
            .iter()
            .map(|&[r, g, b]| 0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b))
            .collect();
        Luma { width: img.width() as usize, height: img.height() as usize, values }
    }
}
