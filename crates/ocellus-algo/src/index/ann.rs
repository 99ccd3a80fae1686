//! Approximate search.
use super::{Flat, Neighbor};
use crate::error::Result;
use std::path::Path;

pub struct Ann {
    _index: usearch::Index,
}
impl Ann {
    pub fn build(_flat: &Flat, _threads: usize) -> Result<Ann> {
        todo!()
    }
    pub fn dim(&self) -> usize {
        todo!()
    }
    pub fn len(&self) -> usize {
        todo!()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Adds or replaces.
    pub fn add(&self, _slot: u32, _v: &[f32]) -> Result<()> {
        todo!()
    }
    pub fn remove(&self, _slot: u32) -> Result<bool> {
        todo!()
    }
    pub fn search(&self, _q: &[f32], _k: usize) -> Result<Vec<Neighbor>> {
        todo!()
    }
    pub fn save(&self, _path: &Path) -> Result<()> {
        todo!()
    }
    pub fn load(_path: &Path, _dim: usize, _threads: usize) -> Result<Ann> {
        todo!()
    }
    pub fn memory_bytes(&self) -> usize {
        todo!()
    }
}
