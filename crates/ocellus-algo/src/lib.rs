//! Image decoding, inference, image measures and vector indexes: pure functions from bytes to numbers.

pub mod color;
pub mod embed;
pub mod error;
pub mod fingerprint;
pub mod focus;
pub mod image;
pub mod index;
pub mod nn;
pub mod preprocess;

pub use error::{Error, Result};
