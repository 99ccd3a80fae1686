//! What can be asked about a trained version: the inputs it learned from, typical examples, and its bytes.

use bytes::Bytes;
use ocellus_algo::learn::Label;
use serde::Deserialize;

use super::artefact::{bytes, held_out, learned_from};
use crate::inputs::{self, Input};
use crate::models::{self, Found};
use crate::user_models::{self, UserModel, UserModelVersion};
use crate::{AppCtx, Error, JsonMap, Page, Resource, Result};

/// An input that shows well what a version tells.
#[derive(Clone, Debug)]
pub struct InputExample {
    /// The id of the concept that it shows.
    pub concept_id: String,
    /// The name of the concept.
    pub concept_name: String,
    /// The probability that the version gave to it without having seen it.
    pub probability: f32,
    /// The input.
    pub input: Input,
}

/// A model and the version that is meant: the one with this id, or the newest that is trained. `Unsupported` if none is.
pub async fn trained(
    app: &AppCtx,
    model_id: &str,
    version_id: Option<&str>,
) -> Result<(UserModel, UserModelVersion)> {
    let model = user_models::get(app, model_id).await?;
    let version = user_models::trained_version(app, &model, version_id).await?;
    let version = version.ok_or_else(|| user_models::untrained(model_id))?;
    Ok((model, version))
}

/// The inputs that a version learned from, in its order; those that are gone are left out.
pub async fn inputs_of_version(
    app: &AppCtx,
    model_id: &str,
    version_id: Option<&str>,
    page: Page,
) -> Result<Vec<Input>> {
    let page = page.check()?;
    // What the public models learned from is not here.
    if matches!(models::find(app, model_id, version_id).await?, Found::Public(_)) {
        return Ok(Vec::new());
    }
    let (_, version) = trained(app, model_id, version_id).await?;
    let all = learned_from(app.platform(), &version).await?;
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let ids: Vec<String> = all.into_iter().skip(skip).take(page.per_page as usize).collect();
    inputs::get_many(app, &ids).await
}

/// For each concept, in the version's order, the input that shows it best; none for concepts without examples.
pub async fn input_examples(
    app: &AppCtx,
    model_id: &str,
    version_id: &str,
    page: Page,
) -> Result<Vec<InputExample>> {
    let page = page.check()?;
    let all = all_examples(app, model_id, version_id).await?;
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    Ok(all.into_iter().skip(skip).take(page.per_page as usize).collect())
}

/// The input that shows a concept best. `NotFound` if there is none.
pub async fn input_example(
    app: &AppCtx,
    model_id: &str,
    version_id: &str,
    concept_id: &str,
) -> Result<InputExample> {
    let found = all_examples(app, model_id, version_id).await?;
    let missing = || Error::not_found(Resource::Other("input example", concept_id.to_owned()));
    found.into_iter().find(|example| example.concept_id == concept_id).ok_or_else(missing)
}

async fn all_examples(app: &AppCtx, model_id: &str, version_id: &str) -> Result<Vec<InputExample>> {
    let Found::Own(_, version) = models::find(app, model_id, Some(version_id)).await? else {
        return Ok(Vec::new());
    };
    let Some(scores) = held_out(app.platform(), &version).await? else { return Ok(Vec::new()) };
    let n = scores.concept_ids.len();
    let best = |place: usize| {
        let shows =
            (0..scores.input_ids.len()).filter(|row| scores.labels[row * n + place] == Label::Positive);
        let value = |row: &usize| scores.probabilities[row * n + place];
        // The first of equals, so that the answer stays the same.
        shows.fold(None, |best: Option<usize>, row| match best {
            Some(best) if value(&best) >= value(&row) => Some(best),
            Some(_) | None => Some(row),
        })
    };
    let found: Vec<(usize, usize)> = (0..n).filter_map(|place| best(place).map(|row| (place, row))).collect();
    let ids: Vec<String> = found.iter().map(|(_, row)| scores.input_ids[*row].clone()).collect();
    let mut inputs = Vec::new();
    for chunk in ids.chunks(500) {
        inputs.extend(inputs::get_many(app, chunk).await?);
    }
    let names = version.doc.trained_on.map(|on| on.concepts).unwrap_or_default();
    let example = |(place, row): (usize, usize)| {
        let input = inputs.iter().find(|input| input.id == scores.input_ids[row])?.clone();
        let concept_id = scores.concept_ids[place].clone();
        let name = names.iter().find(|concept| concept.id == concept_id).map(|concept| concept.name.clone());
        Some(InputExample {
            concept_name: name.unwrap_or_else(|| concept_id.clone()),
            concept_id,
            probability: scores.probabilities[row * n + place],
            input,
        })
    };
    Ok(found.into_iter().filter_map(example).collect())
}

/// The bytes of what a version learned, for the owner of the app alone.
pub async fn weight(
    app: &AppCtx,
    model_id: &str,
    version_id: &str,
) -> Result<(UserModel, UserModelVersion, Bytes)> {
    app.check_owner()?;
    let (model, version) = trained(app, model_id, Some(version_id)).await?;
    let name = version.doc.artefact.as_ref().ok_or_else(|| user_models::untrained(model_id))?;
    let bytes = bytes(app.platform(), name).await?;
    Ok((model, version, bytes))
}

/// Something to read about a model.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Reference {
    /// Unique within the model; empty if the owner gave none.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// The owner's own document.
    pub metadata: JsonMap,
}

/// What there is to read about a model: the list `references` in the metadata of the app's own, as far as it makes sense.
pub async fn references(app: &AppCtx, model_id: &str, page: Page) -> Result<Vec<Reference>> {
    let page = page.check()?;
    let Found::Own(model, _) = models::find(app, model_id, None).await? else { return Ok(Vec::new()) };
    let listed = model.doc.metadata.get("references").and_then(|list| list.as_array());
    let read = |one: &serde_json::Value| serde_json::from_value::<Reference>(one.clone()).ok();
    let all = listed.into_iter().flatten().filter_map(read).filter(|one| !one.url.is_empty());
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    Ok(all.skip(skip).take(page.per_page as usize).collect())
}
