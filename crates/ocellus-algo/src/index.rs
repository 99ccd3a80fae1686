//! Nearest-neighbour search by cosine similarity.
mod ann;
mod flat;
pub use ann::Ann;
pub use flat::Flat;

/// One answer of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// Slot of the vector in its `Flat`.
    pub slot: u32,
    /// Cosine similarity, -1..1.
    pub similarity: f32,
}
