//! Transcoding between the vendor's JSON and protobuf bytes, driven by the descriptors.

mod params;
mod plan;
mod read;
mod scalar;
#[cfg(test)]
mod tests;
pub mod wire;
mod write;

pub use params::set;
pub use plan::Plans;
pub use read::read;
pub use write::{Form, write};

/// A request that could not be understood: where, and what was wrong there.
#[derive(Debug, PartialEq)]
pub struct Malformed {
    /// Path of the field, such as `inputs[3].data.image.base64`; empty for the whole body.
    pub field: String,
    pub reason: String,
}

impl Malformed {
    fn new(field: String, mut reason: String) -> Self {
        // A parser quotes what it found, which may be a whole image.
        if reason.len() > 300 {
            let cut = (0..=300).rev().find(|&i| reason.is_char_boundary(i)).unwrap_or(0);
            reason.truncate(cut);
            reason.push('…');
        }
        Self { field, reason }
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.field.is_empty() {
            write!(f, "the request body is not valid JSON for this call: {}", self.reason)
        } else {
            write!(f, "{}: {}", self.field, self.reason)
        }
    }
}
