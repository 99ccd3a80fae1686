//! Arithmetic on embedding vectors and class scores.

/// Scales a vector to length 1. A vector of zeros, or one that is not finite, becomes all zeros.
pub fn l2_normalize(v: &mut [f32]) {
    let norm = norm(v);
    if norm > 0.0 && norm.is_finite() {
        for x in v.iter_mut() {
            *x = (f64::from(*x) / norm) as f32;
        }
    } else {
        v.fill(0.0);
    }
}

/// Cosine of the angle between two vectors, -1..1; 0 if either is all zeros or their lengths differ.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let norms = norm(a) * norm(b);
    if a.len() != b.len() || norms == 0.0 || !norms.is_finite() {
        return 0.0;
    }
    let dot: f64 = a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
    (dot / norms).clamp(-1.0, 1.0) as f32
}

/// Probabilities in 0..1 that sum to 1, from class scores of any size.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut out: Vec<f32> = logits.iter().map(|&x| (x - max).exp()).collect();
    let sum: f32 = out.iter().sum();
    for x in &mut out {
        *x /= sum;
    }
    out
}

/// In double precision: squares of large components overflow single precision.
fn norm(v: &[f32]) -> f64 {
    v.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use std::f32::consts::FRAC_1_SQRT_2;

    use proptest::prelude::*;

    use super::*;

    fn check(actual: &[f32], expected: &[f32], tolerance: f32) {
        assert_eq!(actual.len(), expected.len());
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() <= tolerance, "{actual:?} is not {expected:?}");
        }
    }

    #[test]
    fn normalizing_keeps_the_direction_and_gives_length_one() {
        let cases: &[(&[f32], &[f32])] = &[
            (&[3.0, 4.0], &[0.6, 0.8]),
            (&[-2.0], &[-1.0]),
            (&[0.0, 0.0], &[0.0, 0.0]),
            (&[1e-30, 0.0], &[1.0, 0.0]),
            (&[1e30, 1e30], &[FRAC_1_SQRT_2, FRAC_1_SQRT_2]),
            (&[f32::NAN, 1.0], &[0.0, 0.0]),
            (&[], &[]),
        ];
        for (v, expected) in cases {
            let mut v = v.to_vec();
            l2_normalize(&mut v);
            check(&v, expected, 1e-6);
        }
    }

    #[test]
    fn the_cosine_of_known_angles_is_right() {
        let cases: &[(&[f32], &[f32], f32)] = &[
            (&[1.0, 0.0], &[0.0, 5.0], 0.0),
            (&[1.0, 1.0], &[2.0, 2.0], 1.0),
            (&[1.0, 0.0], &[-3.0, 0.0], -1.0),
            (&[1.0, 0.0], &[1.0, 1.0], FRAC_1_SQRT_2),
            (&[0.0, 0.0], &[1.0, 1.0], 0.0),
            (&[1.0], &[1.0, 1.0], 0.0),
        ];
        for (a, b, expected) in cases {
            check(&[cosine(a, b)], &[*expected], 1e-6);
        }
    }

    #[test]
    fn softmax_of_known_scores_is_right() {
        check(&softmax(&[0.0, 0.0]), &[0.5, 0.5], 1e-7);
        check(&softmax(&[0.0, 3.0f32.ln()]), &[0.25, 0.75], 1e-6);
        check(&softmax(&[1000.0, 0.0]), &[1.0, 0.0], 1e-7);
        check(&softmax(&[]), &[], 0.0);
    }

    proptest! {
        #[test]
        fn softmax_sums_to_one_and_keeps_the_order(logits in prop::collection::vec(-50f32..50.0, 1..40)) {
            let p = softmax(&logits);
            prop_assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-4);
            for i in 1..p.len() {
                prop_assert!((logits[i - 1] < logits[i]) == (p[i - 1] < p[i]) || p[i - 1] == p[i]);
            }
        }

        #[test]
        fn the_cosine_is_symmetric_and_ignores_length(
            pairs in prop::collection::vec((-10f32..10.0, -10f32..10.0), 1..20),
            scale in 0.1f32..100.0,
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let scaled: Vec<f32> = a.iter().map(|x| x * scale).collect();
            prop_assert_eq!(cosine(&a, &b), cosine(&b, &a));
            prop_assert!((cosine(&a, &b) - cosine(&scaled, &b)).abs() < 1e-4);
        }
    }
}
