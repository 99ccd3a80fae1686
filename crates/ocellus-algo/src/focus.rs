//! How sharp an image is.
use crate::image::RgbImage;

/// The sharpness of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Focus {
    /// 0 (blurred) ..1 (sharp).
    pub sharpness: f32,
    /// Variance of the Laplacian of the luma.
    pub laplacian_variance: f32,
}

pub fn measure(_img: &RgbImage) -> Focus {
    todo!()
}
