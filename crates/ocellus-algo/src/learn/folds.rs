//! Parts of the rows for cross-validation: a group is never divided, and every part has its share of every concept.
//!
//! Greedy, as scikit-learn's `StratifiedGroupKFold`: groups by falling spread of their labels, each to the part where it
//! makes the shares most even. Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data", ECML PKDD
//! 2011. Linear in rows and concepts, times the number of parts.

use std::collections::HashMap;

use super::random::SplitMix64;
use super::{Label, Labels};

/// The fold of each row, 0 up to `n_folds` or the number of groups, whichever is smaller.
pub fn fold_of_groups(groups: &[u32], labels: Labels, n_folds: usize, seed: u64) -> Vec<u32> {
    let mut idx_of: HashMap<u32, usize> = HashMap::new();
    let group_of: Vec<usize> = groups
        .iter()
        .map(|group| {
            let next = idx_of.len();
            *idx_of.entry(*group).or_insert(next)
        })
        .collect();
    let n_groups = idx_of.len();
    let n_folds = n_folds.min(n_groups).max(1);
    let counts = counts(&group_of, n_groups, labels);
    let mut order: Vec<usize> = (0..n_groups).collect();
    SplitMix64(seed).shuffle(&mut order);
    let total = sum(&counts, labels.n_concepts * 2 + 1);
    // Groups that hold much of something rare have the fewest places where they fit, so they choose first.
    let weight = |group: usize| -> f64 {
        let shares = counts[group].iter().map(|(at, count)| count / total[*at].max(1.0));
        shares.fold(0.0, f64::max)
    };
    let weights: Vec<f64> = (0..n_groups).map(weight).collect();
    order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
    let fold_of_group = place(&order, &counts, &total, n_folds);
    group_of.iter().map(|group| fold_of_group[*group] as u32).collect()
}

/// How many rows, positives and negatives a group has: pairs of place and count.
type Counts = Vec<Vec<(usize, f64)>>;

/// Positives of concept c at 2c, negatives at 2c + 1, rows last.
fn counts(group_of: &[usize], n_groups: usize, labels: Labels) -> Counts {
    let mut sparse: Vec<HashMap<usize, f64>> = vec![HashMap::new(); n_groups];
    for (row_idx, group) in group_of.iter().enumerate() {
        let of_group = &mut sparse[*group];
        *of_group.entry(labels.n_concepts * 2).or_default() += 1.0;
        for (concept, label) in labels.row(row_idx).iter().enumerate() {
            let at = match label {
                Label::Unknown => continue,
                Label::Positive => concept * 2,
                Label::Negative => concept * 2 + 1,
            };
            *of_group.entry(at).or_default() += 1.0;
        }
    }
    let ordered = |of_group: HashMap<usize, f64>| {
        let mut pairs: Vec<(usize, f64)> = of_group.into_iter().collect();
        pairs.sort_by_key(|(at, _)| *at);
        pairs
    };
    sparse.into_iter().map(ordered).collect()
}

fn sum(counts: &Counts, len: usize) -> Vec<f64> {
    let mut total = vec![0.0; len];
    counts.iter().flatten().for_each(|(at, count)| total[*at] += count);
    total
}

fn place(order: &[usize], counts: &Counts, total: &[f64], n_folds: usize) -> Vec<usize> {
    let mut held = vec![vec![0.0; total.len()]; n_folds];
    let mut n_rows = vec![0.0; n_folds];
    let mut fold_of_group = vec![0; counts.len()];
    let rows_at = total.len() - 1;
    for group in order {
        // What is held already, weighed by how rare it is; rows break ties.
        let crowding = |fold: usize| -> f64 {
            let shares = counts[*group].iter().filter(|(at, _)| *at != rows_at);
            shares.map(|(at, count)| count * held[fold][*at] / (total[*at] * total[*at])).sum()
        };
        let cost: Vec<f64> = (0..n_folds).map(crowding).collect();
        let best = (0..n_folds)
            .min_by(|a, b| cost[*a].total_cmp(&cost[*b]).then(f64::total_cmp(&n_rows[*a], &n_rows[*b])));
        let fold = best.unwrap_or(0);
        fold_of_group[*group] = fold;
        for (at, count) in &counts[*group] {
            held[fold][*at] += count;
        }
        n_rows[fold] = held[fold][rows_at];
    }
    fold_of_group
}
