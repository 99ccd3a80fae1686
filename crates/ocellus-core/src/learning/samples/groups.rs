//! Which samples are (nearly) the same picture, so that they never stand on both sides of a test.

use std::collections::HashMap;

use ocellus_algo::groups::{self, Item};

use super::Candidate;
use crate::Result;

/// A number for each sample; those of one picture have the same. Numbers count from 0 in the order of the samples. The same
/// content is the same picture; what is a version of another is told by fingerprint and vector.
pub(super) fn of(samples: &[Candidate], features: &[f32], dim: usize) -> Result<Vec<u32>> {
    let mut by_content: HashMap<&str, u64> = HashMap::new();
    let rows = features.chunks(dim.max(1)).chain(std::iter::repeat(&[][..]));
    let items: Vec<Item<'_>> = samples
        .iter()
        .zip(rows)
        .map(|(sample, vector)| {
            let n_known = by_content.len() as u64;
            let content = sample.picture.content_hash.as_deref().filter(|hash| !hash.is_empty());
            let source = content.map(|hash| *by_content.entry(hash).or_insert(n_known));
            Item { hash: sample.picture.phash, vector, source }
        })
        .collect();
    Ok(groups::of(&items)?)
}

#[cfg(test)]
mod tests {
    use super::super::Picture;
    use super::*;

    fn sample(phash: u64, content: &str) -> Candidate {
        let picture =
            Picture { phash: Some(phash), content_hash: Some(content.to_owned()), ..Picture::default() };
        Candidate { input_id: String::new(), labels: Vec::new(), picture }
    }

    #[test]
    fn copies_and_near_copies_are_one_picture_if_their_vectors_agree() {
        let samples = [
            sample(0xFFFF_0000_FFFF_0000, "a"),
            sample(0x0123_4567_89AB_CDEF, "b"),
            sample(0xFFFF_0000_FFFF_000F, "c"),
            sample(0x00FF_00FF_00FF_00FF, "d"),
            sample(0, "b"),
            sample(0xFFFF_0000_FFFF_0000, "e"),
        ];
        let axis = |k: usize| {
            let mut vector = [0.0_f32; 4];
            vector[k] = 1.0;
            vector
        };
        let features = [axis(0), axis(1), axis(0), axis(2), axis(1), axis(3)].concat();
        // The last has the fingerprint of the first and another vector.
        assert_eq!(of(&samples, &features, 4).unwrap(), [0, 1, 0, 2, 1, 3]);
    }
}
