//! Maps of points whose neighbourhoods are known.

use super::*;

/// `n_each` points around each of `n_clusters` corners of a simplex, spread by a fixed pattern.
fn clusters(n_clusters: usize, n_each: usize, dim: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(n_clusters * n_each * dim);
    let mut state = 1u32;
    for at in 0..n_clusters * n_each {
        for axis in 0..dim {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
            let corner = if axis == at / n_each { 10.0 } else { 0.0 };
            values.push(corner + noise);
        }
    }
    values
}

fn map(values: &[f32], dim: usize) -> Plane {
    let reduced = principal_components(values, dim, N_COMPONENTS, 0).unwrap();
    let near = nearest(&reduced, N_COMPONENTS, 90).unwrap();
    tsne(&reduced, N_COMPONENTS, &near, &MapSpec::default(), &mut |_| true).unwrap().unwrap()
}

#[test]
fn the_first_component_is_the_direction_of_largest_variance() {
    // Points on a line in space: one component holds everything, and distances along it stay.
    let values: Vec<f32> = (0..50).flat_map(|at| [3.0 * at as f32, 4.0 * at as f32, 7.0]).collect();
    let found = principal_components(&values, 3, 2, 0).unwrap();
    for at in 1..50 {
        assert!(((found[at * 2] - found[at * 2 - 2]).abs() - 5.0).abs() < 1e-3, "{at}");
        assert!(found[at * 2 + 1].abs() < 1e-3, "{at}");
    }
}

#[test]
fn components_keep_distances_when_all_are_kept() {
    let (values, dim) = (clusters(4, 20, 12), 12);
    let found = principal_components(&values, dim, dim, 3).unwrap();
    let distance = |rows: &[f32], a: usize, b: usize| -> f32 {
        let pairs = rows[a * dim..][..dim].iter().zip(&rows[b * dim..][..dim]);
        pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
    };
    for (a, b) in [(0, 1), (0, 79), (25, 60), (33, 34)] {
        // A rotation changes no distance; single precision loses about six digits of coordinates near 10.
        assert!((distance(&values, a, b) - distance(&found, a, b)).abs() < 1e-3);
    }
}

#[test]
fn neighbours_are_those_of_a_plain_comparison_of_all_pairs() {
    let (values, dim) = (clusters(3, 40, 7), 7);
    let found = nearest(&values, dim, 5).unwrap();
    for own in 0..120 {
        let mut all: Vec<(f32, u32)> = (0..120)
            .filter(|row| *row != own)
            .map(|row| {
                let pairs = values[own * dim..][..dim].iter().zip(&values[row * dim..][..dim]);
                (pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f32>(), row as u32)
            })
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        // The order of near ties may differ in the last digit; the distances may not.
        for (at, (square, _)) in all.iter().take(5).enumerate() {
            assert!((found.distances[own * 5 + at] - square.sqrt()).abs() < 2e-3, "{own} {at}");
        }
    }
}

#[test]
fn clusters_stay_together_in_the_plane() {
    let (values, dim) = (clusters(5, 60, 64), 64);
    let plane = map(&values, dim);
    let near = nearest(&plane.coordinates, 2, 5).unwrap();
    let n_same =
        (0..300).filter(|own| near.rows[own * 5..][..5].iter().all(|row| *row as usize / 60 == own / 60));
    assert_eq!(n_same.count(), 300);
    let trust = trustworthiness(&values, dim, &plane.coordinates, 5, 300).unwrap();
    assert!(trust > 0.9, "{trust}");
}

#[test]
fn a_random_map_is_not_trusted_and_the_true_one_is() {
    let values = clusters(4, 50, 2);
    assert!((trustworthiness(&values, 2, &values, 5, 200).unwrap() - 1.0).abs() < 1e-12);
    let mixed: Vec<f32> = (0..200).flat_map(|at| [(at * 73 % 200) as f32, (at * 31 % 200) as f32]).collect();
    let trust = trustworthiness(&values, 2, &mixed, 5, 200).unwrap();
    assert!((0.3..0.7).contains(&trust), "{trust}");
}

#[test]
fn few_or_equal_points_have_a_map_too() {
    for n_points in 0..6 {
        for value in [0.0, 1.5] {
            let values = vec![value; n_points * 8];
            let plane = map(&values, 8);
            assert_eq!(plane.coordinates.len(), n_points * 2);
            assert!(plane.coordinates.iter().all(|value| value.is_finite()));
        }
        let values: Vec<f32> = (0..n_points * 8).map(|at| at as f32).collect();
        assert!(map(&values, 8).coordinates.iter().all(|value| value.is_finite()), "{n_points}");
    }
    let equal_but_one: Vec<f32> = (0..40 * 8).map(|at| if at < 8 { 1.0 } else { 0.0 }).collect();
    assert!(map(&equal_but_one, 8).coordinates.iter().all(|value| value.is_finite()));
}

#[test]
fn a_map_is_stopped_when_asked_and_numbers_that_are_none_are_refused() {
    let values = clusters(2, 20, 8);
    let near = nearest(&values, 8, 10).unwrap();
    assert_eq!(tsne(&values, 8, &near, &MapSpec::default(), &mut |_| false).unwrap(), None);
    assert!(principal_components(&[1.0, f32::NAN], 2, 1, 0).is_err());
    assert!(nearest(&[1.0, 2.0, 3.0], 2, 1).is_err());
    assert!(trustworthiness(&values, 8, &values[..80], 20, 10).is_err());
}
