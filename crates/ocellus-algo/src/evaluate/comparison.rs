//! Which of two classifiers is better, judged on the same items.
//!
//! Both are judged on the same drawn test sets, so that what makes a set hard for both cancels (the paired bootstrap; Efron
//! and Tibshirani, "An introduction to the bootstrap", 1993, chapter 16).

use serde::{Deserialize, Serialize};

use super::{Draws, Interval, Judged, Numbers, Scored, Spec, interval, n_draws};
use crate::{Error, Result};

/// How one number differs between two classifiers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Which number.
    pub name: String,
    /// Of the first.
    pub first: f64,
    /// Of the second.
    pub second: f64,
    /// The second's less the first's.
    pub difference: f64,
    /// In which middle part 95 of 100 drawn test sets have the difference.
    pub interval: Option<Interval>,
    /// The share of drawn test sets in which the second's is larger; half of those where they are equal.
    pub share_larger: f64,
}

/// Two classifiers beside each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Items on which both were judged.
    pub n_rows: usize,
    /// How many test sets were drawn.
    pub n_draws: usize,
    /// The numbers that both have.
    pub differences: Vec<Difference>,
}

/// Compares two classifiers on the same items: labels, groups and rules are the first's.
///
/// # Errors
/// `BadInput` if the lists do not fit each other.
pub fn compare(
    first: &Judged<'_>,
    second: &[f32],
    spec: &Spec,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<Comparison> {
    let second = Judged { probabilities: second, ..*first };
    first.check()?;
    second.check()?;
    let scored = [Scored::new(first), Scored::new(&second)];
    let both = |times: &dyn Fn(u32) -> f64| {
        [scored[0].numbers(first, times).named(), scored[1].numbers(&second, times).named()]
    };
    let n_draws = n_draws(first, spec);
    let mut draws = Draws::new(first.groups, spec.seed);
    let mut drawn = Vec::with_capacity(n_draws);
    for _ in 0..n_draws {
        if !keep_going() {
            return Err(Error::Cancelled);
        }
        let times = draws.next_set();
        drawn.push(both(&|row| times[row as usize]));
    }
    let whole = both(&|_| 1.0);
    let difference = |idx: usize| {
        let (first, second) = (whole[0][idx].1?, whole[1][idx].1?);
        let by_draw: Vec<f64> =
            drawn.iter().filter_map(|both| Some(both[1][idx].1? - both[0][idx].1?)).collect();
        let larger = by_draw.iter().map(|x| if *x == 0.0 { 0.5 } else { f64::from(u8::from(*x > 0.0)) });
        Some(Difference {
            name: whole[0][idx].0.to_owned(),
            first,
            second,
            difference: second - first,
            share_larger: larger.sum::<f64>() / by_draw.len().max(1) as f64,
            interval: interval(by_draw),
        })
    };
    let n_numbers = Numbers::default().named().len();
    Ok(Comparison {
        n_rows: first.n_rows(),
        n_draws,
        differences: (0..n_numbers).filter_map(difference).collect(),
    })
}
