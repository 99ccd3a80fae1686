//! How long a training takes: guessed beforehand from the amount of data, and told from the progress while it runs.

use super::Samples;
use super::samples::{SampleSource, Which};
use super::settings::Trainer;
use super::train::{NewTraining, recipe};
use crate::user_models::{self, UserModel};
use crate::{AppCtx, Result};

/// Every training reads and writes and waits for its turn, in seconds.
const FLAT_S: f64 = 1.0;
/// A fit of a linear classifier over one fold takes about so many multiplications for each number of each row and each
/// concept.
const STEPS_PER_FIT: f64 = 60.0;
/// Multiplications in a second, such that 1,000 rows of 1,280 numbers with 10 concepts come to the 2.7 s that were measured
/// on two cores (docs/benchmarks.md, "Learning").
const PER_SECOND: f64 = 1.35e10;
/// Strengths of the regularisation that are tried, if none is given.
const N_STRENGTHS: f64 = 5.0;
/// Reading a picture and proposing boxes on it, in seconds.
const S_PER_PICTURE: f64 = 0.06;

/// How many seconds are left after `took_us`, if that can be told.
pub(super) fn left_s(percent: u32, took_us: i64) -> Option<u64> {
    if !(5..=100).contains(&percent) || took_us <= 0 {
        return None;
    }
    let left_us = took_us as f64 * f64::from(100 - percent) / f64::from(percent);
    Some((left_us / 1e6).ceil() as u64)
}

/// How long trainings would take, in seconds. `n_inputs` stands for what is there, which is counted if it is 0.
pub async fn training_times_s(
    app: &AppCtx,
    model_id: &str,
    wanted: &[NewTraining],
    n_inputs: u64,
) -> Result<Vec<u64>> {
    let model = user_models::get(app, model_id).await?;
    let mut found = Vec::with_capacity(wanted.len());
    for new in wanted {
        found.push(one(app, &model, new, n_inputs).await?);
    }
    Ok(found)
}

async fn one(app: &AppCtx, model: &UserModel, new: &NewTraining, n_inputs: u64) -> Result<u64> {
    let (recipe, _) = recipe(app, model, new).await?;
    let given = new.concepts.iter().filter(|one| one.id.is_some() || one.name.is_some()).count();
    let n_concepts = if given > 0 { given } else { recipe.concept_ids.len() };
    let n = match n_inputs {
        0 => count(app, &recipe.concept_ids, &recipe.source(), recipe.trainer).await?,
        n => n,
    };
    let n_folds = recipe.settings.whole("n_folds").unwrap_or(5) as f64;
    let dim = app.platform().catalog().embedding().dimensions.unwrap_or(1024) as f64;
    let pass = n as f64 * dim * n_concepts.max(1) as f64 / PER_SECOND;
    let seconds = match recipe.trainer {
        Trainer::Classifier => {
            let strengths =
                if recipe.settings.number("regularisation").is_some() { 1.0 } else { N_STRENGTHS };
            pass * STEPS_PER_FIT * (n_folds + 1.0) * strengths
        }
        Trainer::Neighbours => n as f64 * n as f64 * dim / PER_SECOND,
        Trainer::Embedder => n as f64 * dim * dim / PER_SECOND,
        Trainer::Clusterer => pass * 100.0 * (n as f64).sqrt().max(1.0),
        // Every picture is looked at twice, and gives some fifty boxes to learn from.
        Trainer::Detector => {
            n as f64 * 2.0 * S_PER_PICTURE + pass * 50.0 * STEPS_PER_FIT * 2.0 * (n_folds + 1.0)
        }
    };
    Ok((FLAT_S + seconds).ceil() as u64)
}

async fn count(app: &AppCtx, concept_ids: &[String], source: &SampleSource, trainer: Trainer) -> Result<u64> {
    let which = match trainer {
        Trainer::Clusterer | Trainer::Detector => Which::All,
        Trainer::Classifier | Trainer::Neighbours | Trainer::Embedder => Which::Labelled,
    };
    let n = Samples::count(app.platform(), app.uid(), concept_ids, source, which).await?;
    Ok(n as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_what_is_done() {
        for (percent, took_us, left) in [
            (0, 1_000_000, None),
            (4, 1_000_000, None),
            (50, 2_000_000, Some(2)),
            (25, 1_000_000, Some(3)),
            (100, 5_000_000, Some(0)),
            (50, 0, None),
        ] {
            assert_eq!(left_s(percent, took_us), left, "{percent} {took_us}");
        }
    }
}
