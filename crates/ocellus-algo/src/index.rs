//! Nearest-neighbour search by cosine similarity: exact, and approximate for large sets.

mod ann;
mod dot;
mod file;
mod flat;
#[cfg(test)]
mod tests;

pub use ann::Ann;
pub(crate) use dot::{Kernel, LANES};
pub use flat::Flat;

/// One answer of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// Slot of the vector in its `Flat`.
    pub slot: u32,
    /// Cosine similarity, -1..1.
    pub similarity: f32,
}
