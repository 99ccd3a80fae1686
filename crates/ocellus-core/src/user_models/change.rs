//! Changing, renaming and deleting models.

use ocellus_store as store;

use super::create::{check_concepts, check_doc, check_new_id, concept_ids};
use super::queued::let_go_of_models;
use super::{
    By, ConceptRef, MAX_PER_CALL, ModelDoc, UserModel, from_json, missing, taken, to_json, with_newest,
};
use crate::accounts::check_id;
use crate::inputs::NewLabel;
use crate::inputs::labels;
use crate::{AppCtx, Error, JsonMap, PatchAction, Result, Scope};

/// A change to a model.
#[derive(Clone, Debug, Default)]
pub struct ModelPatch {
    /// The model to change.
    pub id: String,
    /// The name to show.
    pub name: Option<String>,
    /// Must be the model's own, if given.
    pub model_type_id: Option<String>,
    /// Fields of [`ModelDoc`] but the concepts.
    pub fields: JsonMap,
    /// The concepts to add, to take away or to have; those that the app lacks are made, except to take them away.
    pub concepts: Option<Vec<ConceptRef>>,
}

/// A list of words on a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tags {
    /// What it was made with.
    Toolkits,
    /// What it is good for.
    UseCases,
    /// The languages it understands.
    Languages,
    /// What a user must agree to.
    CheckConsents,
}

impl Tags {
    /// The field of [`ModelDoc`].
    fn field(self) -> &'static str {
        match self {
            Self::Toolkits => "toolkits",
            Self::UseCases => "use_cases",
            Self::Languages => "languages",
            Self::CheckConsents => "check_consents",
        }
    }

    fn of(self, doc: &ModelDoc) -> &[String] {
        match self {
            Self::Toolkits => &doc.toolkits,
            Self::UseCases => &doc.use_cases,
            Self::Languages => &doc.languages,
            Self::CheckConsents => &doc.check_consents,
        }
    }
}

fn check_number(field: &str, n_items: usize) -> Result<()> {
    if n_items == 0 || n_items > MAX_PER_CALL {
        let message = format!("must hold 1 to {MAX_PER_CALL} items, not {n_items}");
        return Err(Error::invalid(field, message));
    }
    Ok(())
}

/// Changes models and returns them as they are then, in order. `NotFound` if any does not exist; then none is changed.
pub async fn patch(app: &AppCtx, patches: Vec<ModelPatch>, action: PatchAction) -> Result<Vec<UserModel>> {
    app.check_writable()?;
    check_number("models", patches.len())?;
    let patches = patches.into_iter().map(|mut patch| {
        let concepts = patch.concepts.take().map(check_concepts).transpose()?;
        Ok((patch, concepts))
    });
    let (patches, by) = (patches.collect::<Result<Vec<_>>>()?, By::new(app));
    let write = move |tx: &mut store::Tx<'_>| {
        by.check_alive(tx)?;
        let mut rows = Vec::with_capacity(patches.len());
        for (patch, concepts) in &patches {
            let mut row = find(tx, &by, &patch.id)?;
            apply(tx, &by, &mut row, (patch, concepts.as_deref()), action)?;
            tx.update_model(&row)?;
            rows.push(row);
        }
        with_newest(tx, &by.labeller.app_uid, rows, &by.place)
    };
    app.platform().store().write(write).await
}

fn find(tx: &store::Tx<'_>, by: &By, id: &str) -> Result<store::Model> {
    let mut row = tx.model(&by.labeller.app_uid, id)?.ok_or_else(|| missing(id))?;
    (row.modified_by, row.modified_at_us) = (by.labeller.changed_by(), by.labeller.now_us);
    Ok(row)
}

fn apply(
    tx: &store::Tx<'_>,
    by: &By,
    row: &mut store::Model,
    (patch, concepts): (&ModelPatch, Option<&[NewLabel]>),
    action: PatchAction,
) -> Result<()> {
    if patch.model_type_id.as_ref().is_some_and(|id| *id != row.model_type_id) {
        let message = format!("is '{}' and cannot be changed", row.model_type_id);
        return Err(Error::invalid("models.model_type_id", message));
    }
    let mut fields = patch.fields.clone();
    if let Some(concepts) = concepts {
        let ids = match action {
            PatchAction::Merge | PatchAction::Overwrite => concept_ids(tx, &by.labeller, concepts)?,
            PatchAction::Remove => known_ids(tx, by, concepts)?,
        };
        fields.insert("concepts".to_owned(), ids.into());
    }
    action.set(&mut row.name, patch.name.clone());
    action.apply_to_fields(&mut row.doc, &fields);
    let doc = from_json::<ModelDoc>(row.doc.clone(), &row.id)
        .map_err(|error| Error::invalid("models", "has a field of the wrong kind").caused_by(error))?;
    check_doc(&row.name, &doc)?;
    row.doc = to_json(&doc)?;
    Ok(())
}

/// The ids of those of these concepts that the app has. One that was deleted may still be meant by its id.
fn known_ids(tx: &store::Tx<'_>, by: &By, concepts: &[NewLabel]) -> Result<Vec<String>> {
    let mut ids = Vec::with_capacity(concepts.len());
    for concept in concepts {
        let known = labels::find(tx, &by.labeller, concept)?;
        ids.extend(known.or_else(|| concept.concept_id.clone()));
    }
    Ok(ids)
}

/// Changes a list of words on a model and returns it as it is then.
pub async fn patch_tags(
    app: &AppCtx,
    model_id: &str,
    tags: Tags,
    words: Vec<String>,
    action: PatchAction,
) -> Result<Vec<String>> {
    // The interface asks only for the right to look, which is no right to change.
    app.caller().check_scopes(&[Scope::MODELS_ADD])?;
    let mut fields = JsonMap::new();
    let mut seen = std::collections::HashSet::new();
    let words: Vec<String> = words.into_iter().filter(|word| seen.insert(word.clone())).collect();
    words.iter().try_for_each(|word| check_id(tags.field(), word))?;
    fields.insert(tags.field().to_owned(), words.into());
    let change = ModelPatch { id: model_id.to_owned(), fields, ..ModelPatch::default() };
    let changed = patch(app, vec![change], action).await?;
    Ok(changed.first().map(|model| tags.of(&model.doc).to_vec()).unwrap_or_default())
}

/// Gives models new ids, each pair being the old and the new one. `NotFound` if any does not exist, `Conflict` if an id
/// is taken; then none is changed.
pub async fn rename(app: &AppCtx, ids: Vec<(String, String)>) -> Result<Vec<UserModel>> {
    app.check_writable()?;
    check_number("ids", ids.len())?;
    ids.iter().try_for_each(|(_, new_id)| check_new_id(app, "ids.new_id", new_id))?;
    let by = By::new(app);
    let write = move |tx: &mut store::Tx<'_>| {
        by.check_alive(tx)?;
        let mut rows = Vec::with_capacity(ids.len());
        for (id, new_id) in &ids {
            let mut row = find(tx, &by, id)?;
            if id != new_id && tx.model(&row.app_uid, new_id)?.is_some() {
                return Err(taken(new_id));
            }
            row.id.clone_from(new_id);
            tx.update_model(&row)?;
            rows.push(row);
        }
        with_newest(tx, &by.labeller.app_uid, rows, &by.place)
    };
    app.platform().store().write(write).await
}

/// Deletes models with their versions. `NotFound` if any does not exist; then none is deleted.
pub async fn delete(app: &AppCtx, ids: &[String]) -> Result<()> {
    app.check_writable()?;
    check_number("ids", ids.len())?;
    let (by, gc_id, ids) = (By::new(app), app.platform().ids().id(), ids.to_vec());
    let write = move |tx: &mut store::Tx<'_>| {
        let uid = &by.labeller.app_uid;
        let mut uids = Vec::with_capacity(ids.len());
        for id in &ids {
            uids.push(tx.model(uid, id)?.ok_or_else(|| missing(id))?.uid);
        }
        let_go_of_models(tx, &by, &gc_id, &uids)?;
        tx.delete_models(uid, &uids)?;
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await
}

/// Deletes all models of an app with their versions; returns how many there were.
pub async fn delete_all(app: &AppCtx) -> Result<u64> {
    app.check_writable()?;
    let (by, gc_id) = (By::new(app), app.platform().ids().id());
    let write = move |tx: &mut store::Tx<'_>| {
        let uid = &by.labeller.app_uid;
        let mut n_deleted = 0_u64;
        loop {
            let rows = tx.models_page(uid, 0, 500)?;
            if rows.is_empty() {
                return Ok::<_, Error>(n_deleted);
            }
            let uids: Vec<String> = rows.into_iter().map(|row| row.uid).collect();
            let_go_of_models(tx, &by, &format!("{gc_id}-{n_deleted}"), &uids)?;
            n_deleted += tx.delete_models(uid, &uids)?;
        }
    };
    app.platform().store().write(write).await
}
