//! Tests of the exact and the approximate index; the exact one is checked against plain arithmetic.

use std::f32::consts::FRAC_1_SQRT_2;
use std::thread;

use proptest::prelude::*;

use super::dot::{Kernel, LANES};
use super::*;
use crate::embed::cosine;
use crate::error::Error;

/// Reproducible numbers in -1..1.
fn random(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(2) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

fn vectors(n: usize, dim: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut next = random(seed);
    (0..n).map(|_| (0..dim).map(|_| next()).collect()).collect()
}

fn flat(vectors: &[Vec<f32>]) -> Flat {
    let mut flat = Flat::new(vectors[0].len());
    for v in vectors {
        flat.push(v).unwrap();
    }
    flat
}

fn slots(neighbors: &[Neighbor]) -> Vec<u32> {
    neighbors.iter().map(|n| n.slot).collect()
}

#[test]
fn the_nearest_of_a_few_known_vectors_come_in_order() {
    let flat = flat(&[vec![1.0, 0.0], vec![0.0, 3.0], vec![5.0, 5.0], vec![-1.0, 0.0]]);
    let found = flat.search(&[2.0, 0.0], 3, None).unwrap();
    assert_eq!(slots(&found), [0, 2, 1]);
    for (n, expected) in found.iter().zip([1.0, FRAC_1_SQRT_2, 0.0]) {
        assert!((n.similarity - expected).abs() < 1e-6);
    }
}

#[test]
fn equal_vectors_come_by_slot_and_all_of_them_fit_in_k() {
    let flat = flat(&vec![vec![1.0, 2.0, 3.0]; 7]);
    assert_eq!(slots(&flat.search(&[1.0, 2.0, 3.0], 4, None).unwrap()), [0, 1, 2, 3]);
    assert_eq!(slots(&flat.search(&[1.0, 2.0, 3.0], 4, Some(&[6, 2, 5, 0, 1])).unwrap()), [0, 1, 2, 5]);
    assert_eq!(flat.search(&[1.0, 2.0, 3.0], 100, None).unwrap().len(), 7);
    assert_eq!(flat.search(&[1.0, 2.0, 3.0], 0, None).unwrap(), []);
}

#[test]
fn slots_are_reused_and_removed_vectors_are_not_found() {
    let mut flat = flat(&vectors(3, 4, 1));
    assert!(flat.remove(1));
    assert!(!flat.remove(1) && !flat.remove(99));
    assert_eq!((flat.len(), flat.get(1)), (2, None));
    assert_eq!(slots(&flat.search(&[1.0; 4], 10, None).unwrap()).len(), 2);
    assert_eq!(flat.search(&[1.0; 4], 10, Some(&[1, 7])).unwrap(), []);
    assert_eq!(flat.push(&[0.0, 0.0, 0.0, 2.0]).unwrap(), 1);
    assert_eq!(flat.get(1).unwrap(), [0.0, 0.0, 0.0, 1.0]);
    flat.set(6, &[1.0, 0.0, 0.0, 0.0]).unwrap();
    assert_eq!(flat.slots().collect::<Vec<_>>(), [0, 1, 2, 6]);
    let mut given: Vec<u32> = (0..4).map(|_| flat.push(&[1.0; 4]).unwrap()).collect();
    given.sort_unstable();
    assert_eq!(given, [3, 4, 5, 7]);
}

#[test]
fn vectors_that_do_not_fit_are_refused() {
    let mut flat = Flat::new(3);
    for v in [vec![1.0, 2.0], vec![1.0; 4], vec![1.0, f32::NAN, 0.0], vec![f32::INFINITY, 0.0, 0.0]] {
        assert!(matches!(flat.push(&v), Err(Error::BadInput(_))));
        assert!(matches!(flat.search(&v, 1, None), Err(Error::BadInput(_))));
        let ann = Ann::new(3, 1).unwrap();
        assert!(matches!(ann.add(0, &v), Err(Error::BadInput(_))));
        assert!(matches!(ann.search(&v, 1), Err(Error::BadInput(_))));
    }
    assert!(flat.is_empty());
}

#[test]
fn a_vector_of_zeros_is_similar_to_nothing() {
    let flat = flat(&[vec![0.0, 0.0], vec![-1.0, 0.0]]);
    let found = flat.search(&[1.0, 0.0], 2, None).unwrap();
    assert_eq!((found[0].similarity, found[1].similarity), (0.0, -1.0));
}

#[test]
fn every_kernel_gives_the_same_products() {
    for dim in [LANES, 4 * LANES, 1280] {
        let rows = vectors(9, dim, 3).concat();
        let query = &vectors(1, dim, 4)[0];
        let [mut fast, mut plain] = [[0.0f32; 9]; 2];
        Kernel::detect().dot_rows(query, &rows, &mut fast);
        Kernel::Scalar.dot_rows(query, &rows, &mut plain);
        for (i, (fast, plain)) in fast.iter().zip(plain).enumerate() {
            let exact: f64 = rows[i * dim..(i + 1) * dim]
                .iter()
                .zip(query)
                .map(|(&a, &b)| f64::from(a) * f64::from(b))
                .sum();
            assert!((f64::from(*fast) - exact).abs() < 1e-4 && (f64::from(plain) - exact).abs() < 1e-4);
        }
    }
}

#[test]
fn the_approximate_index_finds_nearly_all_that_the_exact_one_finds() {
    let flat = flat(&vectors(4000, 48, 11));
    let ann = Ann::build(&flat, 2).unwrap();
    assert_eq!(ann.len(), 4000);
    let mut n_found = 0;
    for query in vectors(100, 48, 12) {
        let exact = flat.search(&query, 10, None).unwrap();
        let near = ann.search(&query, 10).unwrap();
        assert!(near.windows(2).all(|w| w[0].similarity >= w[1].similarity));
        for n in &near {
            assert!((n.similarity - cosine(&query, flat.get(n.slot).unwrap())).abs() < 1e-5);
        }
        n_found += slots(&exact).iter().filter(|slot| slots(&near).contains(slot)).count();
    }
    // Random directions without any clusters are the hardest case; 0.94 was measured.
    assert!(n_found >= 900, "recall {}", n_found as f64 / 1000.0);
}

#[test]
fn every_vector_finds_itself_also_after_many_additions_and_removals() {
    let all = vectors(3000, 24, 5);
    let ann = Ann::new(24, 2).unwrap();
    for (slot, v) in all.iter().enumerate() {
        ann.add(slot as u32, v).unwrap();
    }
    for slot in (0..3000).step_by(3) {
        assert!(ann.remove(slot).unwrap());
        assert!(!ann.remove(slot).unwrap());
    }
    for slot in (0..3000).step_by(6) {
        ann.add(slot, &all[slot as usize]).unwrap();
    }
    // Replaced by its opposite.
    let opposite: Vec<f32> = all[1].iter().map(|x| -x).collect();
    ann.add(1, &opposite).unwrap();
    assert_eq!(ann.len(), 2500);
    for (slot, v) in all.iter().enumerate() {
        let best = ann.search(v, 1).unwrap()[0];
        let is_present = (slot % 3 != 0 || slot % 6 == 0) && slot != 1;
        assert_eq!(best.slot == slot as u32 && best.similarity > 0.999, is_present, "{slot}");
    }
    assert_eq!(ann.search(&opposite, 1).unwrap()[0].slot, 1);
}

#[test]
fn more_searches_than_reserved_threads_wait_instead_of_failing() {
    let all = vectors(500, 16, 6);
    let ann = Ann::build(&flat(&all), 2).unwrap();
    thread::scope(|scope| {
        for part in all.chunks(63) {
            let ann = &ann;
            scope.spawn(move || {
                for v in part {
                    assert!(ann.search(v, 1).unwrap()[0].similarity > 0.999);
                }
            });
        }
        for (i, v) in all.iter().take(50).enumerate() {
            ann.add(10_000 + i as u32, v).unwrap();
        }
    });
    assert_eq!(ann.len(), 550);
}

#[test]
fn a_saved_index_answers_as_before_and_can_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vectors.ann");
    let all = vectors(800, 20, 7);
    let ann = Ann::build(&flat(&all), 1).unwrap();
    ann.save(&path).unwrap();
    // Saving again replaces the file.
    ann.save(&path).unwrap();
    let loaded = Ann::load(&path, 20, 3).unwrap();
    for query in &all[..50] {
        assert_eq!(loaded.search(query, 5).unwrap(), ann.search(query, 5).unwrap());
    }
    for slot in 800..2600 {
        loaded.add(slot, &all[(slot % 800) as usize]).unwrap();
    }
    assert!(loaded.remove(3).unwrap());
    assert_eq!(loaded.len(), 2599);
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["vectors.ann"]);
}

#[test]
fn a_damaged_or_foreign_index_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vectors.ann");
    Ann::build(&flat(&vectors(200, 8, 8)), 1).unwrap().save(&path).unwrap();
    let good = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8], dim: usize| {
        std::fs::write(&path, bytes).unwrap();
        let Err(Error::Backend(message)) = Ann::load(&path, dim, 1) else { panic!("was loaded") };
        assert!(message.contains("vectors.ann"), "{message}");
    };
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut flipped = good.clone();
        flipped[at] ^= 0x10;
        refused(&flipped, 8);
    }
    for keep in [0, 10, good.len() / 2, good.len() - 1] {
        refused(&good[..keep], 8);
    }
    refused(&[&good[..], b"x"].concat(), 8);
    refused(&good, 9);
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Ann::load(&path, 8, 1), Err(Error::Backend(_))));
    assert!(matches!(Ann::new(8, 1).unwrap().save(&dir.path().join("no/such/dir")), Err(Error::Backend(_))));
}

#[test]
fn an_empty_index_answers_nothing() {
    let ann = Ann::new(4, 1).unwrap();
    assert_eq!((ann.search(&[1.0; 4], 3).unwrap(), ann.is_empty()), (vec![], true));
    assert_eq!(Flat::new(4).search(&[1.0; 4], 3, None).unwrap(), []);
    fn shared<T: Send + Sync>() {}
    shared::<Ann>();
    shared::<Flat>();
}

/// What a search must return, by plain arithmetic.
fn expected(rows: &[(u32, Vec<f32>)], query: &[f32], k: usize) -> Vec<(u32, f32)> {
    let mut all: Vec<(u32, f32)> = rows.iter().map(|(slot, v)| (*slot, cosine(query, v))).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all.truncate(k);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn exact_search_agrees_with_plain_arithmetic(
        n in 1usize..1500, dim in 1usize..70, k in 1usize..20, seed: u64, removed in 0usize..50,
    ) {
        let all = vectors(n, dim, seed);
        let mut flat = flat(&all);
        let mut rows: Vec<(u32, Vec<f32>)> = (0..).zip(all).collect();
        for _ in 0..removed.min(n - 1) {
            let (slot, _) = rows.remove(seed as usize % rows.len());
            flat.remove(slot);
        }
        let query = &vectors(1, dim, seed ^ 77)[0];
        let found = flat.search(query, k, None).unwrap();
        let expected = expected(&rows, query, k);
        prop_assert_eq!(found.len(), expected.len());
        for (f, (_, similarity)) in found.iter().zip(&expected) {
            prop_assert!((f.similarity - similarity).abs() < 1e-5);
        }
        // Searching half of the slots gives the same as searching a set that holds only those.
        let half: Vec<u32> = rows.iter().map(|r| r.0).filter(|slot| slot % 2 == 0).collect();
        rows.retain(|r| r.0 % 2 == 0);
        let found = flat.search(query, k, Some(&half)).unwrap();
        let expected = self::expected(&rows, query, k);
        prop_assert_eq!(found.len(), expected.len());
        for (f, (_, similarity)) in found.iter().zip(&expected) {
            prop_assert!((f.similarity - similarity).abs() < 1e-5);
        }
    }
}
