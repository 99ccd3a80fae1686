//! The points of a map as bytes: the compact form in which they are kept and sent.

use crate::{Error, Result};

/// How many neighbours of each input a map tells.
pub const N_NEIGHBORS: usize = 10;

/// The first bytes of the form: its name and version.
const MAGIC: &[u8; 8] = b"OCLMAP\x00\x01";

/// Inputs in the plane.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Points {
    /// Ids of the inputs.
    pub input_ids: Vec<String>,
    /// x and y of each input, by turns, in no unit.
    pub coordinates: Vec<f32>,
    /// How many neighbours each input has here.
    pub n_neighbors: usize,
    /// The places in `input_ids` of each input's neighbours by their vectors, nearest first.
    pub neighbors: Vec<u32>,
}

impl Points {
    /// The neighbours of the input at a place, nearest first.
    pub fn neighbors_of(&self, at: usize) -> impl Iterator<Item = &str> {
        let places = self.neighbors.iter().skip(at * self.n_neighbors).take(self.n_neighbors);
        places.filter_map(|place| self.input_ids.get(*place as usize)).map(String::as_str)
    }

    /// All numbers little-endian: 8 bytes of name and version; number of inputs n and of neighbours k as 32-bit
    /// integers; 2n 32-bit floats x, y; n k 32-bit places of neighbours; for each id its length in bytes as a 16-bit
    /// integer, and its UTF-8 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.input_ids.len() * (8 + 4 * self.n_neighbors + 34));
        out.extend_from_slice(MAGIC);
        for number in [self.input_ids.len(), self.n_neighbors] {
            out.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
        }
        self.coordinates.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        self.neighbors.iter().for_each(|place| out.extend_from_slice(&place.to_le_bytes()));
        for id in &self.input_ids {
            out.extend_from_slice(&u16::try_from(id.len()).unwrap_or(u16::MAX).to_le_bytes());
            out.extend_from_slice(id.as_bytes());
        }
        out
    }

    /// Reads what [`Self::to_bytes`] wrote; `Internal` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Reader { rest: bytes }
            .points()
            .ok_or_else(|| Error::internal(anyhow::anyhow!("the points of a map are damaged")))
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n_bytes)?;
        self.rest = rest;
        Some(taken)
    }

    fn word(&mut self) -> Option<[u8; 4]> {
        self.take(4)?.try_into().ok()
    }

    fn points(mut self) -> Option<Points> {
        if self.take(MAGIC.len())? != MAGIC {
            return None;
        }
        let n_inputs = u32::from_le_bytes(self.word()?) as usize;
        let n_neighbors = u32::from_le_bytes(self.word()?) as usize;
        let coordinates = self.take(n_inputs.checked_mul(8)?)?;
        let neighbors = self.take(n_inputs.checked_mul(n_neighbors)?.checked_mul(4)?)?;
        let mut input_ids = Vec::with_capacity(n_inputs);
        for _ in 0..n_inputs {
            let n_bytes = u16::from_le_bytes(self.take(2)?.try_into().ok()?);
            input_ids.push(String::from_utf8(self.take(n_bytes.into())?.to_vec()).ok()?);
        }
        let words = |bytes: &[u8]| bytes.as_chunks::<4>().0.to_vec();
        Some(Points {
            input_ids,
            coordinates: words(coordinates).into_iter().map(f32::from_le_bytes).collect(),
            n_neighbors,
            neighbors: words(neighbors).into_iter().map(u32::from_le_bytes).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back_from_bytes_and_damaged_ones_are_refused() {
        let points = Points {
            input_ids: vec!["a".to_owned(), "的な".to_owned(), String::new()],
            coordinates: vec![0.5, -1.0, 2.0, 3.25, 1e-9, 7.0],
            n_neighbors: 2,
            neighbors: vec![1, 2, 0, 2, 0, 1],
        };
        let bytes = points.to_bytes();
        assert_eq!(Points::from_bytes(&bytes).unwrap(), points);
        assert_eq!(points.neighbors_of(1).collect::<Vec<_>>(), ["a", ""]);
        for n_bytes in 0..bytes.len() {
            assert!(Points::from_bytes(&bytes[..n_bytes]).is_err(), "{n_bytes}");
        }
    }
}
