//! Groups of made-up pictures: hashes with so many bits turned, vectors turned so far.

use super::*;

/// Numbers in -1..1 that look random and are always the same.
fn numbers(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}

/// A picture of its own: a hash with half its bits set, and a vector near to no other.
fn picture(seed: u64) -> (u64, Vec<f32>) {
    let mut next = numbers(seed);
    let vector: Vec<f32> = (0..64).map(|_| next()).collect();
    let mut hash = 0_u64;
    while hash.count_ones() < 32 {
        hash |= 1 << (((next() + 1.0) * 32.0) as u32 % 64);
    }
    (hash, vector)
}

/// A version of it with some bits of the hash turned and some noise on the vector.
fn version((hash, vector): &(u64, Vec<f32>), n_bits: u32, noise: f32) -> (u64, Vec<f32>) {
    let mut next = numbers(77);
    let turned = (0..n_bits).fold(*hash, |hash, bit| hash ^ 1 << (bit * 5));
    (turned, vector.iter().map(|x| x + noise * next()).collect())
}

fn items(pictures: &[(u64, Vec<f32>)]) -> Vec<Item<'_>> {
    pictures.iter().map(|(hash, vector)| Item { hash: Some(*hash), vector, source: None }).collect()
}

#[test]
fn versions_of_a_picture_are_one_group_and_strangers_are_not() {
    let mut pictures: Vec<_> = (0..60).map(picture).collect();
    pictures.push(version(&pictures[3], 4, 0.3));
    pictures.push(version(&pictures[3], 9, 0.2));
    pictures.push(version(&pictures[7], 0, 0.0));
    let groups = of(&items(&pictures)).unwrap();
    let mut expected: Vec<u32> = (0..60).collect();
    expected.extend([3, 3, 7]);
    assert_eq!(groups, expected);
    let found = near_duplicates(&items(&pictures)).unwrap();
    assert!(found.iter().all(|pair| pair.a < pair.b && pair.probability >= LEAST_PROBABILITY));
}

#[test]
fn what_comes_from_one_source_belongs_together() {
    let pictures: Vec<_> = (0..5).map(picture).collect();
    let mut items = items(&pictures);
    (items[1].source, items[4].source, items[2].source) = (Some(9), Some(9), Some(8));
    assert_eq!(of(&items).unwrap(), [0, 1, 2, 3, 1]);
}

#[test]
fn a_set_that_is_all_alike_is_not_one_group() {
    // Within six bits and a cosine of about 0.95 of one another, like pictures of one part on a belt.
    let part = picture(1);
    let alike = |seed: u64| {
        let (mut hash, mut vector) = part.clone();
        let mut next = numbers(seed + 500);
        for _ in 0..6 {
            hash ^= 1 << (((next() + 1.0) * 32.0) as u32 % 64);
        }
        vector.iter_mut().for_each(|x| *x += 0.25 * next());
        (hash, vector)
    };
    let mut pictures: Vec<_> = (0..80).map(alike).collect();
    pictures.push(pictures[0].clone());
    let groups = of(&items(&pictures)).unwrap();
    let n_groups = groups.iter().max().unwrap() + 1;
    assert!(n_groups >= 60, "{n_groups} groups of 80");
    assert_eq!(groups[80], groups[0]);
}

#[test]
fn without_hashes_only_nearly_equal_vectors_belong_together() {
    let pictures: Vec<_> = (0..6).map(picture).collect();
    let (same, near) = (version(&pictures[0], 0, 0.01), version(&pictures[0], 0, 0.6));
    let vectors: Vec<&[f32]> = pictures.iter().chain([&same, &near]).map(|(_, vector)| &vector[..]).collect();
    // A plain picture has a hash without bits, which counts as none.
    for hash in [None, Some(0)] {
        let items: Vec<_> = vectors.iter().map(|vector| Item { hash, vector, source: None }).collect();
        assert_eq!(of(&items).unwrap(), [0, 1, 2, 3, 4, 5, 0, 6]);
    }
}

#[test]
fn many_items_are_grouped_by_their_neighbours_as_if_all_pairs_were_looked_at() {
    let mut pictures: Vec<_> = (0..300).map(picture).collect();
    pictures.extend((0..20).map(|k| version(&pictures[k * 7], 3, 0.2)).collect::<Vec<_>>());
    let items = items(&pictures);
    let set = Set::new(&items);
    assert_eq!(set.by_neighbours(set.limits()).unwrap(), set.exact(set.limits()));
}
