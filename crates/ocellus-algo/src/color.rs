//! Dominant colours of an image: k-means in Oklab, named after the nearest W3C colour.
use crate::image::RgbImage;

/// One dominant colour of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct DominantColor {
    /// The colour itself, `#rrggbb` in lower case.
    pub hex: String,
    /// The nearest named W3C colour, `#rrggbb` in lower case.
    pub w3c_hex: String,
    /// Name of the nearest W3C colour in the W3C's spelling, such as `DarkSlateGray`.
    pub w3c_name: String,
    /// Share of the image's area, 0..1; the shares of one image sum to 1.
    pub fraction: f32,
}

pub fn dominant(_img: &RgbImage, _max: usize) -> Vec<DominantColor> {
    todo!()
}
