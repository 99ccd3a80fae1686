//! Exact search: every vector is compared with the query.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::Neighbor;
use super::dot::{Kernel, LANES};
use crate::embed::l2_normalize;
use crate::error::{Error, Result};

/// Vectors per block. Blocks are never moved, so growing copies nothing; a bit per slot fits 16 words.
const BLOCK_LEN: usize = 1024;

/// A set of vectors under small numbers (slots), searched exactly. Vectors are kept scaled to length 1, so that the
/// cosine is a dot product. Slots of removed vectors are given out again.
#[derive(Clone, Debug)]
pub struct Flat {
    dim: usize,
    /// Numbers per row: `dim` rounded up to whole lanes.
    stride: usize,
    blocks: Vec<Block>,
    /// Slots given out so far, live or free.
    n_slots: u32,
    free: Vec<u32>,
    kernel: Kernel,
}

#[derive(Clone, Debug)]
struct Block {
    rows: Box<[f32]>,
    live: [u64; BLOCK_LEN / 64],
    n_live: usize,
}

impl Block {
    fn is_live(&self, row: usize) -> bool {
        self.live[row / 64] >> (row % 64) & 1 == 1
    }
}

impl Flat {
    /// An empty set of vectors of `dim` numbers.
    pub fn new(dim: usize) -> Flat {
        Flat {
            dim,
            stride: dim.next_multiple_of(LANES),
            blocks: Vec::new(),
            n_slots: 0,
            free: Vec::new(),
            kernel: Kernel::detect(),
        }
    }

    /// Numbers per vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of vectors.
    pub fn len(&self) -> usize {
        self.blocks.iter().map(|b| b.n_live).sum()
    }

    /// Whether there are no vectors.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Slots of all vectors, ascending.
    pub fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.n_slots).filter(|&slot| self.get(slot).is_some())
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        self.blocks.len() * (BLOCK_LEN * self.stride * size_of::<f32>() + size_of::<Block>())
            + self.free.capacity() * size_of::<u32>()
    }

    /// Adds a vector and returns its slot.
    ///
    /// # Errors
    /// `BadInput` if the vector has the wrong length or a number that is not finite.
    pub fn push(&mut self, v: &[f32]) -> Result<u32> {
        self.check(v)?;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = self.n_slots;
                self.n_slots =
                    slot.checked_add(1).ok_or_else(|| Error::TooLarge("the index is full".into()))?;
                slot
            }
        };
        self.write(slot, v);
        Ok(slot)
    }

    /// Replaces the vector in a slot, or puts one into a slot of the caller's choice. Slots below that were never
    /// used become free.
    ///
    /// # Errors
    /// As `push`.
    pub fn set(&mut self, slot: u32, v: &[f32]) -> Result<()> {
        self.check(v)?;
        if slot >= self.n_slots {
            self.free.extend(self.n_slots..slot);
            self.n_slots = slot.checked_add(1).ok_or_else(|| Error::TooLarge("the index is full".into()))?;
        } else if self.get(slot).is_none() {
            self.free.retain(|&free| free != slot);
        }
        self.write(slot, v);
        Ok(())
    }

    /// Removes a vector; false if there was none.
    pub fn remove(&mut self, slot: u32) -> bool {
        let (block, row) = place(slot);
        let Some(block) = self.blocks.get_mut(block).filter(|b| b.is_live(row)) else {
            return false;
        };
        block.live[row / 64] &= !(1 << (row % 64));
        block.n_live -= 1;
        self.free.push(slot);
        true
    }

    /// The vector in a slot, scaled to length 1.
    pub fn get(&self, slot: u32) -> Option<&[f32]> {
        Some(&self.row(slot)?[..self.dim])
    }

    /// The `k` vectors most similar to `q`, the most similar first, equal ones by slot. With a `filter`, only those
    /// slots are looked at (each given once, in any order; slots without a vector are skipped).
    ///
    /// # Errors
    /// `BadInput` if the query has the wrong length or a number that is not finite.
    pub fn search(&self, q: &[f32], k: usize, filter: Option<&[u32]>) -> Result<Vec<Neighbor>> {
        self.check(q)?;
        let query = self.padded(q);
        let mut best = Best::new(k.min(self.len()));
        match filter {
            None => self.scan(&query, &mut best),
            Some(slots) => {
                for &slot in slots {
                    if let Some(row) = self.row(slot) {
                        let mut out = [0.0];
                        self.kernel.dot_rows(&query, row, &mut out);
                        best.offer(slot, out[0]);
                    }
                }
            }
        }
        Ok(best.into_sorted())
    }

    fn scan(&self, query: &[f32], best: &mut Best) {
        let mut scores = [0.0; BLOCK_LEN];
        for (i, block) in self.blocks.iter().enumerate() {
            let first = i * BLOCK_LEN;
            let n_used = (self.n_slots as usize - first).min(BLOCK_LEN);
            if block.n_live == 0 {
                continue;
            }
            let scores = &mut scores[..n_used];
            self.kernel.dot_rows(query, &block.rows[..n_used * self.stride], scores);
            for (row, &score) in scores.iter().enumerate() {
                if score >= best.floor && block.is_live(row) {
                    best.offer((first + row) as u32, score);
                }
            }
        }
    }

    fn check(&self, v: &[f32]) -> Result<()> {
        check_vector(v, self.dim)
    }

    fn padded(&self, v: &[f32]) -> Vec<f32> {
        let mut row = vec![0.0; self.stride];
        row[..self.dim].copy_from_slice(v);
        l2_normalize(&mut row);
        row
    }

    fn row(&self, slot: u32) -> Option<&[f32]> {
        let (block, row) = place(slot);
        let block = self.blocks.get(block).filter(|b| b.is_live(row))?;
        Some(&block.rows[row * self.stride..(row + 1) * self.stride])
    }

    fn write(&mut self, slot: u32, v: &[f32]) {
        let (block, row) = place(slot);
        while self.blocks.len() <= block {
            self.blocks.push(Block {
                rows: vec![0.0; BLOCK_LEN * self.stride].into_boxed_slice(),
                live: [0; BLOCK_LEN / 64],
                n_live: 0,
            });
        }
        let (dim, stride) = (self.dim, self.stride);
        let block = &mut self.blocks[block];
        let out = &mut block.rows[row * stride..row * stride + dim];
        out.copy_from_slice(v);
        l2_normalize(out);
        if !block.is_live(row) {
            block.live[row / 64] |= 1 << (row % 64);
            block.n_live += 1;
        }
    }
}

fn place(slot: u32) -> (usize, usize) {
    (slot as usize / BLOCK_LEN, slot as usize % BLOCK_LEN)
}

/// Fails unless a vector has `dim` finite numbers.
pub(super) fn check_vector(v: &[f32], dim: usize) -> Result<()> {
    if v.len() != dim {
        return Err(Error::BadInput(format!(
            "the vector has {} numbers, this index holds vectors of {dim}",
            v.len()
        )));
    }
    if !v.iter().all(|x| x.is_finite()) {
        return Err(Error::BadInput("the vector holds a number that is not finite".into()));
    }
    Ok(())
}

/// The best `k` offers; the worst of them is on top of the heap.
struct Best {
    k: usize,
    /// Nothing below this can enter.
    floor: f32,
    heap: BinaryHeap<Ranked>,
}

/// Ordered so that the greatest is the worst: low similarity, then high slot.
#[derive(Clone, Copy)]
struct Ranked(Neighbor);

impl Best {
    fn new(k: usize) -> Best {
        Best { k, floor: f32::NEG_INFINITY, heap: BinaryHeap::with_capacity(k) }
    }

    fn offer(&mut self, slot: u32, similarity: f32) {
        let offer = Ranked(Neighbor { slot, similarity: similarity.clamp(-1.0, 1.0) });
        if self.heap.len() < self.k {
            self.heap.push(offer);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && offer < *worst
        {
            *worst = offer;
        }
        if self.heap.len() == self.k
            && let Some(worst) = self.heap.peek()
        {
            self.floor = worst.0.similarity;
        }
    }

    fn into_sorted(self) -> Vec<Neighbor> {
        self.heap.into_sorted_vec().into_iter().map(|r| r.0).collect()
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Ranked) -> Ordering {
        other.0.similarity.total_cmp(&self.0.similarity).then(self.0.slot.cmp(&other.0.slot))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Ranked) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Ranked) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}
