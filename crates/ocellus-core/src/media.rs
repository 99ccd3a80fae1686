//! What a user hands in to be looked at: an address, bytes or text, perhaps cropped, perhaps somewhere on Earth.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Where the content comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// To be fetched.
    Url(String),
    /// As given.
    Bytes(Bytes),
    /// Plain text.
    Text(String),
}

/// What kind of content it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// A still picture.
    Image,
    /// A moving picture.
    Video,
    /// Words.
    Text,
    /// Sound.
    Audio,
}

impl MediaKind {
    /// The name used in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Text => "text",
            Self::Audio => "audio",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Image, Self::Video, Self::Text, Self::Audio].into_iter().find(|kind| kind.name() == name)
    }
}

/// A rectangle in fractions of the image's sides, 0 to 1, from the top left corner.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct CropBox {
    pub top: f32,
    pub left: f32,
    pub bottom: f32,
    pub right: f32,
}

impl CropBox {
    /// Checks that the rectangle lies inside the image and is not empty; `field` names it in the error.
    pub fn check(self, field: &str) -> Result<Self> {
        let inside =
            [self.top, self.left, self.bottom, self.right].iter().all(|side| (0.0..=1.0).contains(side));
        if !inside {
            return Err(Error::invalid(field, "must have sides within 0 to 1"));
        }
        if self.bottom <= self.top || self.right <= self.left {
            return Err(Error::invalid(
                field,
                "must have its bottom below its top and its right beyond its left",
            ));
        }
        Ok(self)
    }
}

impl From<CropBox> for ocellus_algo::image::CropBox {
    fn from(b: CropBox) -> Self {
        Self { top: b.top, left: b.left, bottom: b.bottom, right: b.right }
    }
}

/// A place on Earth in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeoPoint {
    /// East positive, -180 to 180.
    pub longitude: f64,
    /// North positive, -90 to 90.
    pub latitude: f64,
}

impl GeoPoint {
    /// Checks the ranges; `field` names the point in the error.
    pub fn check(self, field: &str) -> Result<Self> {
        if !(-180.0..=180.0).contains(&self.longitude) {
            return Err(Error::invalid(field, "must have a longitude of -180 to 180"));
        }
        if !(-90.0..=90.0).contains(&self.latitude) {
            return Err(Error::invalid(field, "must have a latitude of -90 to 90"));
        }
        Ok(self)
    }
}
