//! Making a model, and the checks that making and changing share.

use std::collections::HashSet;

use ocellus_store as store;

use super::{
    By, ConceptRef, MAX_CONCEPTS, ModelDoc, NewModel, UserModel, VersionState, read, taken, to_json, versions,
};
use crate::accounts::check_id;
use crate::inputs::NewLabel;
use crate::inputs::labels::{self, Labeller};
use crate::workflows::operators;
use crate::{AppCtx, Error, JsonMap, Resource, Result};

/// Where a model's concepts stand in a request.
const CONCEPTS: &str = "models.output_info.data.concepts";

/// Adds a model with an untrained version. `Conflict` if the app has one with this id.
pub async fn create(app: &AppCtx, new: NewModel) -> Result<UserModel> {
    app.check_writable()?;
    let NewModel { id, name, model_type_id, doc, concepts, version } = new;
    let ids = app.platform().ids();
    let id = if id.is_empty() { ids.id() } else { id };
    check_new_id(app, "models.id", &id)?;
    check_id("models.model_type_id", &model_type_id)?;
    let by = By::new(app);
    let row = store::Model {
        app_uid: app.uid().to_owned(),
        uid: ids.id(),
        name: if name.is_empty() { id.clone() } else { name },
        id,
        seq: 0,
        model_type_id,
        doc: JsonMap::new(),
        account_id: by.labeller.account_id.clone(),
        key_id: by.labeller.key_id.clone(),
        modified_by: by.labeller.changed_by(),
        created_at_us: by.labeller.now_us,
        modified_at_us: by.labeller.now_us,
    };
    let mut first = versions::row_of(&by, &row.uid, &ids.id(), &version)?;
    if is_ready_operator(&row.model_type_id, &doc.params)? {
        VersionState::Trained.name().clone_into(&mut first.state);
        first.completed_at_us = Some(first.created_at_us);
    }
    let concepts = check_concepts(concepts)?;
    app.platform()
        .store()
        .write(move |tx| {
            by.check_alive(tx)?;
            let mut doc = doc.clone();
            doc.concepts = concept_ids(tx, &by.labeller, &concepts)?;
            check_doc(&row.name, &doc)?;
            if tx.model(&row.app_uid, &row.id)?.is_some() {
                return Err(taken(&row.id));
            }
            let row = store::Model { doc: to_json(&doc)?, ..row.clone() };
            tx.insert_model(&row)?;
            tx.insert_model_version(&first)?;
            read(row, first.clone(), 1, &by.place)
        })
        .await
}

/// Whether a model is an operator that knows all it needs, and so can be used at once. `Invalid` for parameters that make
/// no sense; one without any may be told them later, in a version.
fn is_ready_operator(model_type_id: &str, params: &JsonMap) -> Result<bool> {
    match operators::read(model_type_id, params) {
        Ok(operator) => Ok(operator.is_some()),
        Err(_) if params.is_empty() => Ok(false),
        Err(error) => Err(Error::invalid("models.output_info", error.message)),
    }
}

/// The ids of public models mean those in every app.
pub(super) fn check_new_id(app: &AppCtx, field: &str, id: &str) -> Result<()> {
    check_id(field, id)?;
    if app.platform().catalog().find(id).is_some_and(|public| public.id == id) {
        let message = format!("model '{id}' is a public one");
        return Err(Error::conflict(Resource::Model(id.to_owned()), message));
    }
    Ok(())
}

pub(super) fn check_concepts(concepts: Vec<ConceptRef>) -> Result<Vec<NewLabel>> {
    if concepts.len() > MAX_CONCEPTS {
        return Err(Error::invalid(CONCEPTS, format!("must hold at most {MAX_CONCEPTS} items")));
    }
    let label = |given: ConceptRef| {
        let label = NewLabel { concept_id: given.id, name: given.name, value: 1.0 };
        labels::check(&label, CONCEPTS).map(|()| label)
    };
    concepts.into_iter().map(label).collect()
}

/// The ids of these concepts, each once; those that the app lacks are made.
pub(super) fn concept_ids(tx: &store::Tx<'_>, by: &Labeller, concepts: &[NewLabel]) -> Result<Vec<String>> {
    let mut seen = HashSet::new();
    let ids = labels::resolve(tx, by, concepts)?.into_iter().map(|(id, _)| id);
    Ok(ids.filter(|id| seen.insert(id.clone())).collect())
}

pub(super) fn check_doc(name: &str, doc: &ModelDoc) -> Result<()> {
    let texts =
        [("name", name, 1000), ("description", &doc.description, 100_000), ("notes", &doc.notes, 100_000)];
    for (field, text, max) in texts {
        if text.len() > max {
            return Err(Error::invalid(format!("models.{field}"), format!("must have at most {max} bytes")));
        }
    }
    if doc.concepts.len() > MAX_CONCEPTS {
        return Err(Error::invalid(CONCEPTS, format!("must hold at most {MAX_CONCEPTS} items")));
    }
    let config = &doc.output_config;
    if !(0.0..=1.0).contains(&config.min_value) {
        return Err(Error::invalid("models.output_info.output_config.min_value", "must be 0 to 1"));
    }
    if config.max_concepts > 200 {
        return Err(Error::invalid("models.output_info.output_config.max_concepts", "must be at most 200"));
    }
    if config.test_split_percent > 100 {
        return Err(Error::invalid(
            "models.output_info.output_config.test_split_percent",
            "must be at most 100",
        ));
    }
    let tags = [&doc.toolkits, &doc.use_cases, &doc.languages, &doc.check_consents];
    tags.iter().flat_map(|tags| tags.iter()).try_for_each(|tag| check_id("models.tags", tag))
}
