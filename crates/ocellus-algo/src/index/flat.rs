//! Exact search.
use super::Neighbor;
use crate::error::Result;

#[derive(Clone, Debug)]
pub struct Flat {
    dim: usize,
}
impl Flat {
    pub fn new(dim: usize) -> Flat {
        Flat { dim }
    }
    pub fn dim(&self) -> usize {
        self.dim
    }
    pub fn push(&mut self, _v: &[f32]) -> Result<u32> {
        todo!()
    }
    pub fn set(&mut self, _slot: u32, _v: &[f32]) -> Result<()> {
        todo!()
    }
    pub fn remove(&mut self, _slot: u32) -> bool {
        todo!()
    }
    pub fn get(&self, _slot: u32) -> Option<&[f32]> {
        todo!()
    }
    /// Number of live vectors.
    pub fn len(&self) -> usize {
        todo!()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        std::iter::empty()
    }
    pub fn memory_bytes(&self) -> usize {
        todo!()
    }
    /// `filter`: the only slots to look at (each once, any order; unknown ones are ignored).
    pub fn search(&self, _q: &[f32], _k: usize, _filter: Option<&[u32]>) -> Result<Vec<Neighbor>> {
        todo!()
    }
}
