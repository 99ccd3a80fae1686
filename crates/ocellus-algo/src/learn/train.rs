//! Training a classifier: folds, a method, its scores on rows that it has not seen, and the calibration of these.

use std::ops::Range;

use super::calibrate::{self, Curve};
use super::head::{Head, Scorer};
use super::neighbours::Neighbours;
use super::set::Set;
use super::{
    Choice, ClassifierSpec, Label, Labels, Method, Progress, Rows, TrainedClassifier, fold_of_groups, linear,
    means,
};
use crate::error::{Error, Result};

/// Fewer examples than this of a concept give no line to go by.
const FEW: usize = 4;
/// From so many examples on no other method is tried beside the linear one.
const ENOUGH: usize = 10;

/// Trains a classifier on rows whose labels are known, and says how it does on rows that it has not seen.
///
/// Rows of one group never straddle a fold. `background` are rows without any of the concepts; they count for less, and
/// not at all if the spec is `closed`. A concept with labels of one kind only gets the same probability everywhere, unless
/// no concept has both kinds: then rows like the examples are told from others. Fails if numbers are not finite, if there
/// is no row, or if `progress` says so.
#[expect(clippy::too_many_arguments, reason = "matrices that belong together, a spec and a callback")]
pub fn train_classifier(
    rows: Rows,
    labels: Labels,
    groups: &[u32],
    background: Rows,
    spec: &ClassifierSpec,
    progress: Progress,
) -> Result<TrainedClassifier> {
    check(rows, labels, groups, background, spec)?;
    // One concept excludes nothing.
    let spec = ClassifierSpec { exclusive: spec.exclusive && labels.n_concepts > 1, ..*spec };
    let folds = fold_of_groups(groups, labels, spec.n_folds, spec.seed);
    let set = Set::new(rows, labels, &folds, background, &spec);
    let (methods, reason) = candidates(&set, &spec);
    let mut best: Option<Tried> = None;
    let mut losses = Vec::new();
    for (idx, method) in methods.iter().enumerate() {
        let share = |part: f32| (idx as f32 + part) / methods.len() as f32;
        let tried = attempt(&set, &spec, *method, &mut |part| progress(share(part)))?;
        losses.push(format!("{} {:.3}", method.name(), tried.loss));
        if best.as_ref().is_none_or(|best| tried.loss < best.loss) {
            best = Some(tried);
        }
    }
    let Some(best) = best else { return Err(Error::BadInput("there is no method to train by".to_owned())) };
    let mut why = format!("{}: {reason}", best.method.name());
    if losses.len() > 1 {
        why += &format!("; log-loss on held-out rows: {}", losses.join(", "));
    }
    if let Some((_, of_c)) = &best.c {
        why += &format!("; {of_c}");
    }
    let choice = Choice {
        method: best.method,
        regularisation: best.c.as_ref().map(|(c, _)| *c),
        n_folds: set.folds.len(),
        why,
        concepts: set.seen.clone(),
    };
    Ok(finished(&set, best, choice, folds))
}

fn check(rows: Rows, labels: Labels, groups: &[u32], background: Rows, spec: &ClassifierSpec) -> Result<()> {
    rows.check()?;
    labels.check(rows.n())?;
    if rows.n() == 0 {
        return Err(Error::BadInput("there are no labelled rows to learn from".to_owned()));
    }
    if groups.len() != rows.n() {
        return Err(Error::BadInput(format!("{} groups do not fit {} rows", groups.len(), rows.n())));
    }
    if background.n() > 0 || !background.values.is_empty() {
        background.check()?;
        if background.dim != rows.dim {
            return Err(Error::BadInput(format!("background of {} numbers a row", background.dim)));
        }
    }
    let is_usable = spec.regularisation.is_none_or(|c| c.is_finite() && c > 0.0);
    if !is_usable || spec.n_folds < 2 || spec.max_iterations == 0 {
        return Err(Error::BadInput(
            "training needs at least 2 folds and 1 iteration, and a regularisation above 0".to_owned(),
        ));
    }
    Ok(())
}

/// Which methods to try, and why.
fn candidates(set: &Set, spec: &ClassifierSpec) -> (Vec<Method>, String) {
    let kinds =
        set.labels.chunks_exact(set.n_scores).fold(vec![[false; 2]; set.n_scores], |mut kinds, row| {
            for (kinds, label) in kinds.iter_mut().zip(row) {
                kinds[0] |= *label == Label::Negative;
                kinds[1] |= *label == Label::Positive;
            }
            kinds
        });
    if !set.exclusive && !kinds.contains(&[true, true]) {
        let why = "no concept has rows with and without it, so that rows are compared with the examples";
        return (vec![Method::NearestNeighbours], why.to_owned());
    }
    if let Some(method) = spec.method {
        return (vec![method], "it was asked for".to_owned());
    }
    let fewest = set.seen.iter().map(|seen| seen.n_positive).filter(|n| *n > 0).min().unwrap_or(0);
    let why = format!("the rarest concept has {fewest} examples");
    let methods = match fewest {
        0..FEW => vec![Method::NearestMean, Method::NearestNeighbours],
        FEW..ENOUGH => vec![Method::Linear, Method::NearestMean, Method::NearestNeighbours],
        ENOUGH.. => vec![Method::Linear],
    };
    (methods, why)
}

/// A method, what it says of rows that it has not seen, and how well.
struct Tried {
    method: Method,
    /// C and why, for a method that has one.
    c: Option<(f64, String)>,
    scorer: Scorer,
    /// Of the caller's rows in the order of the set.
    scores: Vec<f32>,
    loss: f64,
    /// For each fold, fitted on the others.
    curves_of_folds: Vec<Vec<Curve>>,
    curves: Vec<Curve>,
}

fn attempt(set: &Set, spec: &ClassifierSpec, method: Method, progress: Progress) -> Result<Tried> {
    let (scorer, scores, c) = match method {
        Method::Linear => {
            let chosen = linear::choose(set, spec, progress)?;
            (Scorer::Linear(chosen.linear), chosen.scores, Some((chosen.c, chosen.why)))
        }
        Method::NearestMean => by_folds(set, progress, |parts| Scorer::Linear(means::fit(set, &parts)))?,
        Method::NearestNeighbours => by_folds(set, progress, |parts| {
            let rows: Vec<usize> = parts.into_iter().flatten().collect();
            Scorer::Neighbours(Neighbours::of(set, &rows))
        })?,
    };
    let others = |fold: usize| -> Vec<Range<usize>> {
        let others = set.folds.iter().enumerate().filter(|(other, _)| *other != fold);
        others.map(|(_, part)| part.clone()).collect()
    };
    let curves_of_folds: Vec<Vec<Curve>> =
        (0..set.folds.len()).map(|fold| calibrate::fit(set, &scores, &others(fold))).collect();
    let curves = calibrate::fit(set, &scores, &set.folds);
    let losses = set.folds.iter().zip(&curves_of_folds).map(|(part, curves)| {
        let own = &scores[part.start * set.n_scores..part.end * set.n_scores];
        calibrate::loss(set, own, curves, part)
    });
    let (loss, weight) = losses.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    Ok(Tried { method, c, scorer, scores, loss: loss / weight.max(1e-9), curves_of_folds, curves })
}

type Fitted = (Scorer, Vec<f32>, Option<(f64, String)>);

/// A method that has nothing to choose: the classifier, and its scores of each fold by the others.
fn by_folds(set: &Set, progress: Progress, fit: impl Fn(Vec<Range<usize>>) -> Scorer) -> Result<Fitted> {
    let mut scores = Vec::with_capacity(set.order.len() * set.n_scores);
    let n_steps = set.folds.len() as f32 + 1.0;
    for (fold, part) in set.folds.iter().enumerate() {
        if !progress(fold as f32 / n_steps) {
            return Err(Error::Cancelled);
        }
        scores.extend(fit(set.without(Some(fold))).scores(set.part(part)));
    }
    Ok((fit(set.without(None)), scores, None))
}

/// Puts what was said of held-out rows into the caller's order.
fn finished(set: &Set, tried: Tried, choice: Choice, folds: Vec<u32>) -> TrainedClassifier {
    let head = Head {
        dim: set.dim,
        n_concepts: set.n_concepts,
        exclusive: set.exclusive,
        scorer: tried.scorer.unscaled(set),
        curves: tried.curves,
    };
    let n_concepts = set.n_concepts;
    let mut held_out = vec![0.0; set.order.len() * n_concepts];
    let mut held_out_raw = held_out.clone();
    let as_they_are = vec![Curve::IDENTITY; n_concepts];
    for (part, curves) in set.folds.iter().zip(&tried.curves_of_folds) {
        let scores = &tried.scores[part.start * set.n_scores..part.end * set.n_scores];
        let (calibrated, raw) = (head.calibrated(scores, curves), head.calibrated(scores, &as_they_are));
        for (at, row) in set.order[part.clone()].iter().enumerate() {
            let (from, to) = (at * n_concepts, row * n_concepts);
            held_out[to..to + n_concepts].copy_from_slice(&calibrated[from..from + n_concepts]);
            held_out_raw[to..to + n_concepts].copy_from_slice(&raw[from..from + n_concepts]);
        }
    }
    TrainedClassifier { head, choice, held_out, held_out_raw, folds }
}
