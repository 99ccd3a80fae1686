//! Active learning: which unlabelled items a person should look at next.
//!
//! Items are taken one by one, each time the one with the largest product of its uncertainty and its distance to
//! whatever is labelled or was taken before: uncertainty sampling (Lewis and Gale, "A sequential algorithm for training text
//! classifiers", SIGIR 1994) weighted into the greedy k-centre cover of Sener and Savarese, "Active learning for
//! convolutional neural networks: a core-set approach", ICLR 2018. With m items of d numbers, a labelled ones and n to take it
//! takes O(m d (a + n)) steps.

use crate::error::{Error, Result};
use crate::learn::Rows;

/// How uncertain probabilities leave one about an item, 0 to 1. Where one concept at most is there, it is 1 less the
/// lead of the most probable over the next; otherwise the largest entropy of any concept, in bits. 0 without concepts.
pub fn uncertainty(probabilities: &[f32], exclusive: bool) -> f32 {
    if exclusive && probabilities.len() > 1 {
        let mut sorted = probabilities.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        return (1.0 - (sorted[0] - sorted[1])).clamp(0.0, 1.0);
    }
    probabilities.iter().map(|p| entropy(*p)).fold(0.0, f32::max)
}

fn entropy(p: f32) -> f32 {
    let part = |p: f32| if p > 0.0 && p < 1.0 { -p * p.log2() } else { 0.0 };
    part(p) + part(1.0 - p)
}

/// The places of up to `n` items in the order in which a person should look at them. `known` are items that are labelled
/// already. `BadInput` for numbers that are not finite or rows of different lengths.
pub fn next_to_label(
    items: Rows<'_>,
    uncertainties: &[f32],
    known: Rows<'_>,
    n: usize,
) -> Result<Vec<usize>> {
    if items.dim != known.dim && known.n() > 0 || items.n() != uncertainties.len() {
        return Err(Error::BadInput(
            "there must be an uncertainty for every item, in rows of one length".to_owned(),
        ));
    }
    let numbers = items.values.iter().chain(uncertainties).chain(known.values);
    if numbers.into_iter().any(|number| !number.is_finite()) {
        return Err(Error::BadInput("the items hold a number that is not finite".to_owned()));
    }
    // Everything is equally far from nothing.
    let mut nearest: Vec<f32> = (0..items.n())
        .map(|at| {
            (0..known.n()).map(|other| square(items.row(at), known.row(other))).fold(f32::MAX, f32::min)
        })
        .collect();
    let mut open: Vec<usize> = (0..items.n()).collect();
    let mut taken = Vec::with_capacity(n.min(items.n()));
    while taken.len() < n && !open.is_empty() {
        let worth = |at: usize| f64::from(uncertainties[at]) * f64::from(nearest[at]).sqrt();
        let mut best = 0;
        for (place, at) in open.iter().enumerate() {
            // Among items of equal worth, such as copies of known ones, the uncertain come first, then the earlier.
            let order = worth(*at).total_cmp(&worth(open[best]));
            let order = order.then(uncertainties[*at].total_cmp(&uncertainties[open[best]]));
            if order.is_gt() {
                best = place;
            }
        }
        let next = open.remove(best);
        for at in &open {
            nearest[*at] = nearest[*at].min(square(items.row(*at), items.row(next)));
        }
        taken.push(next);
    }
    Ok(taken)
}

fn square(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[f32]) -> Rows<'_> {
        Rows { values, dim: 1 }
    }

    #[test]
    fn the_undecided_are_uncertain() {
        for (probabilities, exclusive, expected) in [
            (&[0.5][..], false, 1.0),
            (&[0.0, 1.0], false, 0.0),
            // The entropy of 0.9 is 0.469 bits.
            (&[0.9, 0.01], false, 0.468_996),
            (&[0.6, 0.3, 0.1], true, 0.7),
            (&[1.0, 0.0], true, 0.0),
            (&[0.5], true, 1.0),
            (&[], true, 0.0),
        ] {
            let found = uncertainty(probabilities, exclusive);
            assert!((found - expected).abs() < 1e-5, "{probabilities:?} {found}");
        }
    }

    #[test]
    fn uncertain_items_far_from_all_that_is_known_come_first_and_copies_last() {
        // Known: 0. The item at 10 is as uncertain as its copy and as the one at 4.
        let found =
            next_to_label(rows(&[10.0, 10.0, 4.0, 9.0]), &[1.0, 1.0, 1.0, 0.1], rows(&[0.0]), 4).unwrap();
        assert_eq!(found, [0, 2, 3, 1]);
        let found = next_to_label(rows(&[10.0, 4.0]), &[0.1, 1.0], rows(&[0.0]), 1).unwrap();
        assert_eq!(found, [1]);
    }

    #[test]
    fn nothing_is_known_or_nothing_is_there() {
        assert_eq!(next_to_label(rows(&[1.0, 2.0]), &[0.2, 0.9], rows(&[]), 1).unwrap(), [1]);
        assert!(next_to_label(rows(&[]), &[], rows(&[1.0]), 3).unwrap().is_empty());
        assert!(next_to_label(rows(&[f32::NAN]), &[1.0], rows(&[]), 3).is_err());
        assert!(next_to_label(rows(&[1.0]), &[], rows(&[]), 3).is_err());
    }
}
