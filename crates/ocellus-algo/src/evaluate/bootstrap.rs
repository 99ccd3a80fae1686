//! Intervals by the bootstrap: the numbers again and again on what might as well have been the test set.
//!
//! Whole groups are drawn, with replacement, because items of one group are not independent (Davison and Hinkley,
//! "Bootstrap methods and their application", 1997, section 3.8); the interval is that of the percentiles (Efron and
//! Tibshirani, "An introduction to the bootstrap", 1993, chapter 13). The same seed draws the same sets.

use serde::{Deserialize, Serialize};

/// A middle part of what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// 2.5 in a hundred are below.
    pub low: f64,
    /// 2.5 in a hundred are above.
    pub high: f64,
}

/// Draws test sets.
pub struct Draws {
    rows_of: Vec<Vec<u32>>,
    state: u64,
    times: Vec<f64>,
}

impl Draws {
    /// Of rows with these groups.
    pub fn new(groups: &[u32], seed: u64) -> Self {
        let mut rows_of: std::collections::BTreeMap<u32, Vec<u32>> = std::collections::BTreeMap::new();
        for (row, group) in (0..).zip(groups) {
            rows_of.entry(*group).or_default().push(row);
        }
        Self { rows_of: rows_of.into_values().collect(), state: seed, times: vec![0.0; groups.len()] }
    }

    /// How many groups there are.
    pub fn n_groups(&self) -> usize {
        self.rows_of.len()
    }

    /// How often each row is in the next set.
    pub fn next_set(&mut self) -> &[f64] {
        self.times.fill(0.0);
        for _ in 0..self.rows_of.len() {
            let drawn = ((self.random() >> 32) as usize * self.rows_of.len()) >> 32;
            self.rows_of[drawn].iter().for_each(|row| self.times[*row as usize] += 1.0);
        }
        &self.times
    }

    /// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}

/// The middle 95 in a hundred of some numbers, interpolated between them as numpy's `percentile` does; `None` of none.
pub fn interval(mut numbers: Vec<f64>) -> Option<Interval> {
    numbers.sort_by(f64::total_cmp);
    let last = numbers.len().checked_sub(1)?;
    let at = |part: f64| {
        let place = part * last as f64;
        let (below, above) = (numbers[place.floor() as usize], numbers[place.ceil() as usize]);
        below + (above - below) * place.fract()
    };
    Some(Interval { low: at(0.025), high: at(0.975) })
}
