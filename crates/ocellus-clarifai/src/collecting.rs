//! Tells collectors of predictions that were made.

use ocellus_core::collectors::{self, Asked};
use ocellus_core::models::Predictor;
use ocellus_core::predict::{PredictInput, Prediction};
use ocellus_core::workflows::findings::Findings;
use ocellus_core::{AppCtx, Result};

use crate::models::{PUBLIC_APP, PUBLIC_USER};

/// What was asked of a model, and what it said of those pictures that it could look at. A collector that cannot take
/// notice fails no prediction.
pub async fn notice(
    app: &AppCtx,
    predictor: &Predictor,
    subjects: Vec<PredictInput>,
    results: &[Result<Prediction>],
) {
    let seen = subjects.into_iter().zip(results).filter_map(|(subject, result)| {
        let found = Findings::of(result.as_ref().ok()?.clone());
        Some((subject, found))
    });
    let pictures = seen.collect();
    let (user_id, app_id) = match predictor {
        Predictor::Public(_) => (PUBLIC_USER.to_owned(), PUBLIC_APP.to_owned()),
        Predictor::Own { model, .. } => (model.user_id.clone(), model.app_id.clone()),
    };
    let (model_id, version_ids) = match predictor {
        Predictor::Public(spec) => (spec.id.clone(), spec.version_ids.clone()),
        Predictor::Own { model, version, .. } => (model.id.clone(), vec![version.id.clone()]),
    };
    let asked = Asked { model_user_id: user_id, model_app_id: app_id, model_id, version_ids, pictures };
    if let Err(error) = collectors::notice(app, asked).await {
        error.log();
    }
}
