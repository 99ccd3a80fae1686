//! Image decoding, inference, image measures and vector indexes: pure functions from bytes to numbers.
//!
//! Nothing here knows of time, configuration, databases or networks. The same bytes give the same numbers. Files are
//! touched only where a path is passed in: the runtime library, a model, a saved index.

pub mod active;
pub mod agreement;
mod algorithms;
pub mod color;
pub mod detect;
pub mod embed;
pub mod error;
pub mod evaluate;
pub mod face;
pub mod fingerprint;
pub mod focus;
pub mod groups;
pub mod image;
pub mod index;
pub mod learn;
mod luma;
pub mod map;
pub mod nn;
pub mod preprocess;
mod resize;
pub mod text;

pub use algorithms::{ALGORITHMS, Algorithm, Family, Parameter};
pub use error::{Error, Result};
