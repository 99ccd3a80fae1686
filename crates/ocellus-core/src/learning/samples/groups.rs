//! Which samples are (nearly) the same picture, so that they never stand on both sides of a test.

use std::collections::HashMap;

use super::Candidate;

/// Fingerprints that differ in at most so many of their 64 bits may be of the same picture.
const MAX_BITS: u32 = 4;
/// Their vectors must agree as well: plain pictures have fingerprints that say little.
const MIN_COSINE: f32 = 0.97;
/// A fingerprint is cut into one piece more than bits may differ, so that two that are alike share a piece.
const N_PIECES: u32 = MAX_BITS + 1;

/// A number for each sample; those of one picture have the same. Numbers count from 0 in the order of the samples.
pub(super) fn of(samples: &[Candidate], features: &[f32], dim: usize) -> Vec<u32> {
    let mut parents: Vec<usize> = (0..samples.len()).collect();
    let mut by_content: HashMap<&str, usize> = HashMap::new();
    let mut by_piece: HashMap<(u32, u64), Vec<usize>> = HashMap::new();
    for (i, sample) in samples.iter().enumerate() {
        if let Some(hash) = sample.picture.content_hash.as_deref().filter(|hash| !hash.is_empty()) {
            let first = *by_content.entry(hash).or_insert(i);
            join(&mut parents, first, i);
        }
        let Some(bits) = sample.picture.phash else { continue };
        for piece in pieces(bits) {
            let seen = by_piece.entry(piece).or_default();
            for &other in seen.iter() {
                let alike = samples[other].picture.phash.is_some_and(|known| (known ^ bits).count_ones() <= MAX_BITS);
                if alike && root(&mut parents, other) != root(&mut parents, i) && agree(features, dim, other, i) {
                    join(&mut parents, other, i);
                }
            }
            // Many equal fingerprints would make this slow; the first ones stand for all.
            if seen.len() < 64 {
                seen.push(i);
            }
        }
    }
    numbered(&mut parents)
}

fn pieces(bits: u64) -> impl Iterator<Item = (u32, u64)> {
    let width = 64_u32.div_ceil(N_PIECES);
    (0..N_PIECES).map(move |n| (n, (bits >> (n * width)) & ((1 << width) - 1)))
}

fn agree(features: &[f32], dim: usize, a: usize, b: usize) -> bool {
    let row = |i: usize| features.get(i * dim..(i + 1) * dim).unwrap_or_default();
    let (a, b) = (row(a), row(b));
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) >= MIN_COSINE * (dot(a, a) * dot(b, b)).sqrt()
}

fn root(parents: &mut [usize], mut i: usize) -> usize {
    while parents[i] != i {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    i
}

/// The earlier one becomes the parent.
fn join(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b)] = a.min(b);
}

fn numbered(parents: &mut [usize]) -> Vec<u32> {
    let mut numbers = HashMap::new();
    (0..parents.len())
        .map(|i| {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            *numbers.entry(root(parents, i)).or_insert(next)
        })
        .collect()
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
            sample(0xFFFF_0000_FFFF_001F, "d"),
            sample(0, "b"),
            sample(0xFFFF_0000_FFFF_0000, "e"),
        ];
        let x = [1.0, 0.0];
        let features = [x, x, x, x, x, [0.0, 1.0]].concat();
        // The fourth is alike the third, and so belongs to the first; the last has another vector.
        assert_eq!(of(&samples, &features, 2), [0, 1, 0, 0, 1, 2]);
    }
}
