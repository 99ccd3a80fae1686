//! Versions of operators: models that need no training, only to be told their parameters.

use ocellus_store as store;

use super::{
    By, ModelDoc, UserModel, UserModelVersion, VersionDoc, VersionState, from_json, missing, to_json,
    versions, with_newest,
};
use crate::workflows::operators;
use crate::{AppCtx, Error, JsonMap, Result};

/// Adds a version to an operator, with the model's parameters changed by these; nothing for a model of another type.
/// `Invalid` for parameters that make no sense.
pub async fn tell_operator(
    app: &AppCtx,
    model_id: &str,
    params: JsonMap,
    version: VersionDoc,
) -> Result<Option<(UserModel, UserModelVersion)>> {
    if app.is_public() {
        return Ok(None);
    }
    let (by, version_id) = (By::new(app), app.platform().ids().id());
    let model_id = model_id.to_owned();
    let write = move |tx: &mut store::Tx<'_>| {
        by.check_alive(tx)?;
        let uid = &by.labeller.app_uid;
        let Some(mut row) = tx.model(uid, &model_id)? else { return Ok(None) };
        if !operators::is_operator(&row.model_type_id) {
            return Ok(None);
        }
        let mut doc: ModelDoc = from_json(row.doc.clone(), &row.id)?;
        doc.params.extend(params.clone());
        operators::read(&row.model_type_id, &doc.params)
            .map_err(|error| Error::invalid("model_versions.output_info", error.message))?;
        row.doc = to_json(&doc)?;
        (row.modified_by, row.modified_at_us) = (by.labeller.changed_by(), by.labeller.now_us);
        tx.update_model(&row)?;
        let mut made = versions::row_of(&by, &row.uid, &version_id, &version)?;
        VersionState::Trained.name().clone_into(&mut made.state);
        made.completed_at_us = Some(made.created_at_us);
        tx.insert_model_version(&made)?;
        let model = with_newest(tx, uid, vec![row], &by.place)?.into_iter().next();
        let model = model.ok_or_else(|| missing(&model_id))?;
        let version = model.newest.clone();
        Ok::<_, Error>(Some((model, version)))
    };
    app.check_writable()?;
    app.platform().store().write(write).await
}
