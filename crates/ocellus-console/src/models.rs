//! Models: what to label next.

use axum::Json;
use axum::extract::{Path, Query, State};
use http::HeaderMap;
use ocellus_core::{Error, Platform, Scope, next_to_label};
use serde::{Deserialize, Serialize};

use crate::error::Problem;
use crate::open;

pub(crate) const NEXT_TO_LABEL: &str =
    "/console/api/v1/users/{user_id}/apps/{app_id}/models/{model_id}/next-to-label";

/// How many inputs an answer has unless more or fewer are asked for.
const N_DEFAULT: usize = 20;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    n: Option<String>,
    version_id: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Answer {
    inputs: Vec<Next>,
}

#[derive(Serialize)]
struct Next {
    id: String,
    uncertainty: f32,
    concepts: Vec<Concept>,
}

#[derive(Serialize)]
struct Concept {
    id: String,
    name: String,
    probability: f32,
}

pub(crate) async fn get_next_to_label(
    State(platform): State<Platform>,
    Path([user_id, app_id, model_id]): Path<[String; 3]>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Json<Answer>, Problem> {
    let needs = [Scope::MODELS_GET, Scope::INPUTS_GET, Scope::PREDICT];
    let app = open(&platform, &headers, (&user_id, &app_id), &needs).await?;
    let n = match wanted.n.as_deref().map(str::parse) {
        None => N_DEFAULT,
        Some(Ok(n)) => n,
        Some(Err(_)) => return Err(Error::invalid("n", "must be a whole number").into()),
    };
    let found = next_to_label::list(&app, &model_id, wanted.version_id.as_deref(), n).await?;
    Ok(Json(Answer { inputs: found.into_iter().map(to_wire).collect() }))
}

fn to_wire(next: next_to_label::NextToLabel) -> Next {
    let concepts = next.concepts.into_iter().map(|scored| Concept {
        id: scored.concept_id,
        name: scored.name,
        probability: scored.probability,
    });
    Next { id: next.input_id, uncertainty: next.uncertainty, concepts: concepts.collect() }
}
