//! How well what was said agrees with the truth: precision, recall, F1, areas under curves and a confusion matrix, for
//! whole items or for boxes on them.
//!
//! A box is right if it overlaps a box of the truth that has the same class and is not taken yet, by at least the asked
//! for intersection over union; the surest boxes choose first. Linear in what was said but for the boxes of one item,
//! which are compared with each other.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// From this score on something counts as said to be there.
pub const SAID_FROM: f32 = 0.5;
/// The overlap from which on a box counts as found.
pub const IOU: f32 = 0.5;

/// One statement: something of a class is on an item, perhaps in a box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// The item, counted from 0.
    pub item: usize,
    /// The class, counted from 0.
    pub class: usize,
    /// How sure it is, 0 to 1; of the truth only 0 and 1 are told apart.
    pub score: f32,
    /// Top, left, bottom and right; looked at for boxes only.
    pub sides: [f32; 4],
}

/// One place of the curves: what holds if everything from this score on counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The score.
    pub threshold: f32,
    /// Share of what is said that is right.
    pub precision: f32,
    /// Share of the truth that is found.
    pub recall: f32,
    /// Share of the other items that are said to have it; 0 for boxes.
    pub false_rate: f32,
}

/// The agreement about one class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassAgreement {
    /// Items or boxes that have it in truth.
    pub n_positive: usize,
    /// Items that have it not; 0 for boxes.
    pub n_negative: usize,
    /// Said and true, from [`SAID_FROM`] on.
    pub n_right: usize,
    /// Said and not true.
    pub n_wrong: usize,
    /// Share of what is said that is right; 0 if nothing is said.
    pub precision: f32,
    /// Share of the truth that is found; 0 if there is none.
    pub recall: f32,
    /// Harmonic mean of both.
    pub f1: f32,
    /// Area under precision over recall.
    pub average_precision: f32,
    /// Probability that an item that has it is said to have it more surely than one that has not; `None` for boxes and
    /// if there are not both kinds.
    pub roc_auc: Option<f32>,
    /// By falling score.
    pub curve: Vec<Place>,
}

/// The agreement about all classes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// By class.
    pub classes: Vec<ClassAgreement>,
    /// How often what is said (first) stands for what is true (second). Each true thing is counted once at most: at its own
    /// class if that was said, else at the surest wrong one; what was missed altogether is not in it.
    pub confusion: Vec<Vec<usize>>,
    /// Mean average precision of the classes that occur, at an overlap of 0.5, and over 0.5, 0.55 … 0.95; boxes only.
    pub mean_average_precision: Option<(f32, f32)>,
}

/// Intersection over union of two boxes.
pub fn iou(a: [f32; 4], b: [f32; 4]) -> f32 {
    let area = |s: [f32; 4]| (s[2] - s[0]).max(0.0) * (s[3] - s[1]).max(0.0);
    let both = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    let all = area(a) + area(b) - both;
    if all > 0.0 { both / all } else { 0.0 }
}

/// Compares what was said of `n_items` whole items. What comes several times counts by its surest.
pub fn of_items(n_items: usize, n_classes: usize, truth: &[Claim], said: &[Claim]) -> Agreement {
    let mut is_true = vec![vec![false; n_items]; n_classes];
    truth.iter().filter(|claim| claim.score >= SAID_FROM).for_each(|c| is_true[c.class][c.item] = true);
    let mut scores = vec![vec![0.0_f32; n_items]; n_classes];
    for claim in said {
        let score = &mut scores[claim.class][claim.item];
        *score = score.max(claim.score);
    }
    let classes = is_true.iter().zip(&scores).map(|(is_true, scores)| {
        let n_positive = is_true.iter().filter(|yes| **yes).count();
        let ranked: Vec<(f32, bool)> = scores.iter().copied().zip(is_true.iter().copied()).collect();
        let claimed = ranked.iter().copied().filter(|(score, _)| *score > 0.0).collect();
        let mut class = class_of(claimed, n_positive, n_items - n_positive);
        class.average_precision = area(&class.curve);
        class.roc_auc = roc_auc(ranked);
        class
    });
    let classes = classes.collect();
    let mut confusion = vec![vec![0; n_classes]; n_classes];
    for item in 0..n_items {
        let is_said = |class: usize| scores[class][item] >= SAID_FROM;
        let wrong = (0..n_classes).filter(|class| is_said(*class) && !is_true[*class][item]);
        let surest = wrong.max_by(|a, b| scores[*a][item].total_cmp(&scores[*b][item]).then(b.cmp(a)));
        for class in (0..n_classes).filter(|class| is_true[*class][item]) {
            if let Some(instead) = if is_said(class) { Some(class) } else { surest } {
                confusion[instead][class] += 1;
            }
        }
    }
    Agreement { classes, confusion, mean_average_precision: None }
}

/// Compares boxes on items.
pub fn of_boxes(n_classes: usize, truth: &[Claim], said: &[Claim]) -> Agreement {
    let truth: Vec<Claim> = truth.iter().copied().filter(|claim| claim.score >= SAID_FROM).collect();
    let mut said = said.to_vec();
    said.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut classes: Vec<ClassAgreement> = Vec::new();
    let mut by_overlap = Vec::new();
    for step in 0..10 {
        let found = matched(&truth, &said, IOU + step as f32 * 0.05, true);
        let of_class = |class: usize| {
            let n_positive = truth.iter().filter(|claim| claim.class == class).count();
            let judged = said.iter().zip(&found).filter(|(claim, _)| claim.class == class);
            let judged = judged.map(|(claim, found)| (claim.score, found.is_some())).collect();
            let mut class = class_of(judged, n_positive, 0);
            class.average_precision = area(&enveloped(&class.curve));
            class
        };
        let all: Vec<ClassAgreement> = (0..n_classes).map(of_class).collect();
        let occurring = all.iter().filter(|class| class.n_positive > 0).map(|class| class.average_precision);
        by_overlap.push(mean(occurring));
        if step == 0 {
            classes = all;
        }
    }
    let mut confusion = vec![vec![0; n_classes]; n_classes];
    let sure: Vec<Claim> = said.into_iter().filter(|claim| claim.score >= SAID_FROM).collect();
    for (claim, found) in sure.iter().zip(matched(&truth, &sure, IOU, false)) {
        if let Some(true_one) = found {
            confusion[claim.class][truth[true_one].class] += 1;
        }
    }
    let over_range = mean(by_overlap.iter().copied());
    let mean_average_precision = Some((by_overlap.first().copied().unwrap_or(0.0), over_range));
    Agreement { classes, confusion, mean_average_precision }
}

/// For each box that is said, in order, which box of the truth it finds.
fn matched(truth: &[Claim], said: &[Claim], least: f32, same_class: bool) -> Vec<Option<usize>> {
    let mut by_item: std::collections::HashMap<usize, Vec<usize>> = std::collections::HashMap::new();
    truth.iter().enumerate().for_each(|(idx, claim)| by_item.entry(claim.item).or_default().push(idx));
    let mut taken = vec![false; truth.len()];
    let find = |claim: &Claim| {
        let near = by_item.get(&claim.item).into_iter().flatten().copied();
        let free = near.filter(|idx| !taken[*idx] && (!same_class || truth[*idx].class == claim.class));
        let overlap = free.map(|idx| (iou(truth[idx].sides, claim.sides), idx));
        // A hair below counts too: thresholds such as 0.55 are not exact.
        let fit = overlap.filter(|(overlap, _)| *overlap >= least - 1e-6);
        let best = fit.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))?.1;
        taken[best] = true;
        Some(best)
    };
    said.iter().map(find).collect()
}

/// Counts and curve from what was said, each with its score and whether it is right.
fn class_of(mut judged: Vec<(f32, bool)>, n_positive: usize, n_negative: usize) -> ClassAgreement {
    judged.sort_by(|a, b| b.0.total_cmp(&a.0));
    let share = |part: usize, of: usize| if of > 0 { part as f32 / of as f32 } else { 0.0 };
    let (mut curve, mut n_right) = (Vec::new(), 0);
    for (idx, (score, is_right)) in judged.iter().enumerate() {
        n_right += usize::from(*is_right);
        // Equal scores are one place.
        if judged.get(idx + 1).is_none_or(|next| next.0 < *score) {
            curve.push(Place {
                threshold: *score,
                precision: share(n_right, idx + 1),
                recall: share(n_right, n_positive),
                false_rate: share(idx + 1 - n_right, n_negative),
            });
        }
    }
    let sure = judged.iter().filter(|(score, _)| *score >= SAID_FROM);
    let n_said = sure.clone().count();
    let n_right = sure.filter(|(_, is_right)| *is_right).count();
    let (precision, recall) = (share(n_right, n_said), share(n_right, n_positive));
    let sum = precision + recall;
    ClassAgreement {
        n_positive,
        n_negative,
        n_right,
        n_wrong: n_said - n_right,
        precision,
        recall,
        f1: if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 },
        average_precision: 0.0,
        roc_auc: None,
        curve,
    }
}

/// The area under precision over recall, in steps.
fn area(curve: &[Place]) -> f32 {
    let mut reached = 0.0;
    let mut sum = 0.0;
    for place in curve {
        sum += (place.recall - reached) * place.precision;
        reached = place.recall;
    }
    sum
}

/// The curve with each precision raised to the best that any later place reaches.
fn enveloped(curve: &[Place]) -> Vec<Place> {
    let mut curve = curve.to_vec();
    let mut best = 0.0_f32;
    for place in curve.iter_mut().rev() {
        best = best.max(place.precision);
        place.precision = best;
    }
    curve
}

/// The share of pairs of an item that has it and one that has not in which the first is said more surely; equals count half.
fn roc_auc(mut ranked: Vec<(f32, bool)>) -> Option<f32> {
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n_positive = ranked.iter().filter(|(_, yes)| *yes).count();
    let n_negative = ranked.len() - n_positive;
    if n_positive == 0 || n_negative == 0 {
        return None;
    }
    let (mut n_below, mut sum) = (0_usize, 0.0_f64);
    for equals in ranked.chunk_by(|a, b| a.0 == b.0) {
        let n_yes = equals.iter().filter(|(_, yes)| *yes).count();
        let n_no = equals.len() - n_yes;
        sum += n_yes as f64 * (n_below as f64 + n_no as f64 / 2.0);
        n_below += n_no;
    }
    Some((sum / (n_positive as f64 * n_negative as f64)) as f32)
}

/// The mean of some numbers; 0 of none.
pub fn mean(numbers: impl Iterator<Item = f32>) -> f32 {
    let (sum, n) = numbers.fold((0.0, 0_usize), |(sum, n), x| (sum + f64::from(x), n + 1));
    if n > 0 { (sum / n as f64) as f32 } else { 0.0 }
}

/// The standard deviation of some numbers around their mean; 0 of none.
pub fn deviation(numbers: &[f32]) -> f32 {
    let middle = mean(numbers.iter().copied());
    mean(numbers.iter().map(|x| (x - middle).powi(2))).sqrt()
}
