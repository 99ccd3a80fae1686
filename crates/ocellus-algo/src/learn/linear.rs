//! Choosing how firmly a linear classifier is held: one path of ever looser fits for each fold, side by side.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use super::calibrate::{self, Curve};
use super::head::{Linear, Scorer};
use super::logistic::{Exactness, Logistic};
use super::set::Set;
use super::{ClassifierSpec, Progress};
use crate::error::{Error, Result};

/// Values of C to choose from, as 10 to the power of halves.
const HALF_POWERS: Range<i32> = -2..8;
/// C if there is nothing to choose by.
const DEFAULT_C: f64 = 10.0;
/// A fold whose loss rose so often in turn looks no further.
const RISES: usize = 2;
/// How exactly the paths are fitted, and the classifier itself.
const PATH_TOLERANCE: f64 = 1e-3;
const TOLERANCE: f64 = 1e-5;
/// Scores that all paths may hold together.
const MOST_SCORES: usize = 40_000_000;
/// Products of one look at the whole set, times values of C, that are affordable with five folds.
const MOST_PRODUCTS: usize = 2_500_000_000;
/// Threads more than this gain nothing with five folds.
const MOST_THREADS: usize = 5;

/// A linear classifier, what its folds say of held-out rows in the order of the set, and how C was chosen.
pub(super) struct Chosen {
    pub linear: Linear,
    pub scores: Vec<f32>,
    pub c: f64,
    pub why: String,
}

/// One fold at one C.
struct Stop {
    loss: f64,
    scores: Vec<f32>,
    at: Vec<f32>,
}

pub(super) fn choose(set: &Set, spec: &ClassifierSpec, progress: Progress) -> Result<Chosen> {
    let candidates = candidates(set, spec);
    let paths = run_paths(set, spec, &candidates, progress)?;
    let loss = |c_idx: usize| -> f64 {
        paths.iter().map(|path| path.get(c_idx).map_or(f64::INFINITY, |stop| stop.loss)).sum()
    };
    let losses: Vec<f64> = (0..candidates.len()).map(loss).collect();
    // Without two examples of anything there is nothing to choose by.
    let is_told = losses.iter().any(|loss| *loss > 0.0);
    let best = match is_told {
        true => (0..candidates.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap_or(0),
        false => candidates.iter().position(|c| *c >= DEFAULT_C).unwrap_or(0),
    };
    let c = candidates[best];
    let why = match (spec.regularisation, candidates.len()) {
        (Some(_), _) => format!("C = {c} was asked for"),
        (None, _) if !is_told => format!("C = {c} because no concept has examples in two groups"),
        (None, n) => format!("C = {c:.2} of {n} values, by cross-validation over {} folds", set.folds.len()),
    };
    let logistic = Logistic::new(set, set.without(None));
    // The mean of the folds is nearly there.
    let mut at = logistic.start();
    let warm: Vec<&Vec<f32>> = paths.iter().filter_map(|path| path.get(best)).map(|stop| &stop.at).collect();
    if set.folds.len() > 1 && warm.len() == set.folds.len() {
        for (idx, x) in at.iter_mut().enumerate() {
            *x = warm.iter().map(|one| f64::from(one[idx])).sum::<f64>() / warm.len() as f64;
        }
    }
    let exact = Exactness { max_iterations: spec.max_iterations, tolerance: TOLERANCE };
    let progress = std::cell::RefCell::new(progress);
    logistic.fit(&mut at, c, exact, || !progress.borrow_mut()(0.95))?;
    let scores = paths.into_iter().filter_map(|path| path.into_iter().nth(best)).flat_map(|stop| stop.scores);
    Ok(Chosen { linear: logistic.scorer(&at), scores: scores.collect(), c, why })
}

/// The values of C to try, rising.
fn candidates(set: &Set, spec: &ClassifierSpec) -> Vec<f64> {
    if let Some(c) = spec.regularisation {
        return vec![c];
    }
    if set.folds.len() < 2 {
        return vec![DEFAULT_C];
    }
    // Weights and held-out scores of every fold and C are kept until one is chosen.
    let of_each = set.order.len() * set.n_scores + set.folds.len() * set.n_scores * (set.dim + 1);
    let of_a_look = set.values.len().saturating_mul(set.n_scores);
    let affordable = (MOST_SCORES / of_each.max(1)).min(MOST_PRODUCTS / of_a_look.max(1));
    let affordable = affordable.clamp(3, HALF_POWERS.len());
    let step = HALF_POWERS.len().div_ceil(affordable);
    HALF_POWERS.step_by(step).map(|half| 10f64.powf(f64::from(half) / 2.0)).collect()
}

/// All folds, as many at a time as there are processors; what they find does not depend on how many.
fn run_paths(
    set: &Set,
    spec: &ClassifierSpec,
    candidates: &[f64],
    progress: Progress,
) -> Result<Vec<Vec<Stop>>> {
    let n_folds = set.folds.len();
    let n_threads =
        std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS).min(n_folds);
    let (stopped, next) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (sender, receiver) = mpsc::channel::<Told>();
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            let (sender, stopped, next) = (sender.clone(), &stopped, &next);
            scope.spawn(move || {
                loop {
                    let fold = next.fetch_add(1, Ordering::Relaxed);
                    if fold >= n_folds {
                        break;
                    }
                    let one = run_path(set, spec, candidates, fold, &|told| {
                        // Nobody listens any more once the work was stopped.
                        let _ = sender.send(told);
                        stopped.load(Ordering::Relaxed)
                    });
                    let _ = sender.send(Told::Done(fold, one));
                }
            });
        }
        drop(sender);
        let mut paths: Vec<Option<Vec<Stop>>> = (0..n_folds).map(|_| None).collect();
        let mut n_done = 0;
        let total = (n_folds * candidates.len()) as f32;
        for told in receiver {
            match told {
                Told::Step => {}
                Told::Fit => n_done += 1,
                Told::Done(fold, path) => paths[fold] = path.ok(),
            }
            if !stopped.load(Ordering::Relaxed) && !progress((0.9 * n_done as f32 / total).min(0.9)) {
                stopped.store(true, Ordering::Relaxed);
            }
        }
        if stopped.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        paths.into_iter().collect::<Option<Vec<_>>>().ok_or(Error::Cancelled)
    })
}

/// What a thread says.
enum Told {
    /// One step of the optimiser.
    Step,
    /// One C of one fold.
    Fit,
    /// A whole fold.
    Done(usize, Result<Vec<Stop>>),
}

/// Fits a fold's rows at ever greater C, each from the one before, until the held-out loss has risen often enough.
fn run_path(
    set: &Set,
    spec: &ClassifierSpec,
    candidates: &[f64],
    fold: usize,
    tell: &dyn Fn(Told) -> bool,
) -> Result<Vec<Stop>> {
    let logistic = Logistic::new(set, set.without(Some(fold)));
    let as_they_are = vec![Curve::IDENTITY; set.n_concepts];
    let held_out = &set.folds[fold];
    let exact = Exactness { max_iterations: spec.max_iterations, tolerance: PATH_TOLERANCE };
    let (mut at, mut path, mut lowest, mut n_rises) = (logistic.start(), Vec::new(), f64::INFINITY, 0);
    for c in candidates {
        logistic.fit(&mut at, *c, exact, || tell(Told::Step))?;
        let scores = Scorer::Linear(logistic.scorer(&at)).scores(set.part(held_out));
        let (loss, _) = calibrate::loss(set, &scores, &as_they_are, held_out);
        path.push(Stop { loss, scores, at: at.iter().map(|x| *x as f32).collect() });
        tell(Told::Fit);
        n_rises = if loss > lowest { n_rises + 1 } else { 0 };
        lowest = lowest.min(loss);
        if n_rises == RISES {
            break;
        }
    }
    Ok(path)
}
