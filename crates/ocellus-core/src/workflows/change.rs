//! Changing, renaming and deleting workflows and their versions.

use ocellus_store as store;
use serde_json::Value;

use super::create::{check_length, pinned};
use super::publish::{self, withdraw};
use super::{FoundWorkflow, Node, Workflow, WorkflowVersion, missing, placed, versions_of};
use crate::accounts::check_id;
use crate::resources::{self, Document, MAX_PER_CALL, New, Shelf, Stored, row_of, stored};
use crate::{AppCtx, Error, JsonMap, PatchAction, Resource, Result};

/// A change to a workflow.
#[derive(Clone, Debug, Default)]
pub struct WorkflowPatch {
    /// The workflow to change.
    pub id: String,
    /// Fields of [`Workflow`].
    pub fields: JsonMap,
    /// Nodes to add or put in the place of those with their ids, to have, or to take away; a new version has them.
    pub nodes: Option<Vec<Node>>,
    /// Fields of the new version, where there are nodes.
    pub version: JsonMap,
}

/// A change to a version: its id and fields of [`WorkflowVersion`] but the nodes.
pub type VersionPatch = (String, JsonMap);

/// A workflow as it will be, and the version that it had when it was looked at.
struct Next {
    id: String,
    fields: JsonMap,
    seen_version_id: String,
    version: Option<store::Resource>,
}

/// Changes workflows and returns them as they are then, in order. `NotFound` if any does not exist, `Conflict` if one was
/// changed meanwhile; then none is changed.
pub async fn patch(
    app: &AppCtx,
    patches: Vec<WorkflowPatch>,
    action: PatchAction,
) -> Result<Vec<FoundWorkflow>> {
    app.check_writable()?;
    check_number("workflows", patches.len())?;
    let mut next = Vec::with_capacity(patches.len());
    for patch in patches {
        next.push(prepare(app, patch, action).await?);
    }
    let (uid, now_us) = (app.uid().to_owned(), app.platform().clock().now_us());
    let by = format!("{}/{}", app.caller().account_id, app.caller().key_id);
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &uid)?;
        next.iter().map(|next| apply(tx, (&uid, &by, now_us), next, action)).collect::<Result<Vec<_>>>()
    };
    let changed = app.platform().store().write(write).await?;
    Ok(changed.into_iter().map(|(workflow, version)| placed(app, workflow, version)).collect())
}

pub(super) fn check_number(field: &str, n_items: usize) -> Result<()> {
    if n_items == 0 || n_items > MAX_PER_CALL {
        let message = format!("must hold 1 to {MAX_PER_CALL} items, not {n_items}");
        return Err(Error::invalid(field, message));
    }
    Ok(())
}

fn check_alive(tx: &store::Tx<'_>, uid: &str) -> Result<()> {
    match tx.app_by_uid(uid)? {
        Some(app) if app.deleted_at_us.is_none() => Ok(()),
        app => Err(Error::not_found(Resource::App(app.map(|app| app.id).unwrap_or_default()))),
    }
}

async fn prepare(app: &AppCtx, patch: WorkflowPatch, action: PatchAction) -> Result<Next> {
    let workflow: Stored<Workflow> = resources::get(&Shelf::from(app), &patch.id).await?;
    let shelf = versions_of(app, &workflow.doc.uid);
    let seen_version_id = workflow.doc.version_id.clone();
    let mut version = None;
    if let Some(nodes) = patch.nodes {
        let current: Stored<WorkflowVersion> = resources::get(&shelf, &seen_version_id).await?;
        let mut doc = changed(current.doc, &patch.version, action)?;
        doc.nodes = pinned(app, together(doc.nodes, nodes, action)).await?;
        doc.is_public = false;
        let id = Some(app.platform().ids().id());
        version = Some(row_of(&shelf, New { id, doc })?);
    }
    Ok(Next { id: patch.id, fields: patch.fields, seen_version_id, version })
}

/// The nodes after a patch; one is added or replaced as a whole.
fn together(mut nodes: Vec<Node>, given: Vec<Node>, action: PatchAction) -> Vec<Node> {
    match action {
        PatchAction::Overwrite => given,
        PatchAction::Remove => {
            nodes.retain(|node| given.iter().all(|gone| gone.id != node.id));
            nodes
        }
        PatchAction::Merge => {
            for node in given {
                match nodes.iter_mut().find(|known| known.id == node.id) {
                    Some(known) => *known = node,
                    None => nodes.push(node),
                }
            }
            nodes
        }
    }
}

fn changed<D: Document>(doc: D, fields: &JsonMap, action: PatchAction) -> Result<D> {
    let json = serde_json::to_value(&doc).map_err(Error::internal)?;
    let Value::Object(mut json) = json else { return Ok(doc) };
    action.apply_to_fields(&mut json, fields);
    let doc: D = serde_json::from_value(Value::Object(json))
        .map_err(|error| Error::invalid(D::FIELD, format!("is no {}: {error}", D::NOUN)))?;
    doc.check()?;
    Ok(doc)
}

fn apply(
    tx: &store::Tx<'_>,
    (uid, by, now_us): (&str, &str, i64),
    next: &Next,
    action: PatchAction,
) -> Result<(Stored<Workflow>, Stored<WorkflowVersion>)> {
    let row = tx.resource(uid, Workflow::KIND, "", &next.id)?;
    let mut row = row.ok_or_else(|| missing(&next.id))?;
    let mut doc = stored::<Workflow>(row.clone())?.doc;
    if doc.version_id != next.seen_version_id {
        let about = Resource::Other(Workflow::NOUN, next.id.clone());
        return Err(Error::conflict(about, format!("workflow '{}' was changed meanwhile", next.id)));
    }
    doc = changed(doc, &next.fields, action)?;
    if let Some(version) = &next.version {
        tx.insert_resource(version)?;
        doc.version_id.clone_from(&version.id);
    }
    row.doc = to_map(&doc)?;
    (row.modified_by, row.modified_at_us) = (by.to_owned(), now_us);
    tx.update_resource(&row)?;
    let version = resources::find(tx, uid, &doc.uid, &doc.version_id)?;
    let version = version.ok_or_else(|| resources::missing::<WorkflowVersion>(&doc.version_id))?;
    Ok((stored(row)?, version))
}

pub(super) fn to_map<D: Document>(doc: &D) -> Result<JsonMap> {
    let Value::Object(map) = serde_json::to_value(doc).map_err(Error::internal)? else {
        return Err(Error::internal(anyhow::anyhow!("a {} is no JSON object", D::NOUN)));
    };
    Ok(map)
}

/// Gives workflows other ids: pairs of the old and the new one. `NotFound` if any does not exist, `Conflict` if a new id
/// is taken; then none is changed. An app's default workflow stays its default.
pub async fn rename(app: &AppCtx, ids: Vec<(String, String)>) -> Result<Vec<FoundWorkflow>> {
    app.check_writable()?;
    check_number("ids", ids.len())?;
    for (_, new_id) in &ids {
        check_id("ids.new_id", new_id)?;
        check_length("ids.new_id", new_id)?;
    }
    let (uid, now_us) = (app.uid().to_owned(), app.platform().clock().now_us());
    let by = format!("{}/{}", app.caller().account_id, app.caller().key_id);
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &uid)?;
        let mut renamed = Vec::with_capacity(ids.len());
        for (id, new_id) in &ids {
            let workflow = resources::find::<Workflow>(tx, &uid, "", id)?.ok_or_else(|| missing(id))?;
            if id != new_id && tx.resource(&uid, Workflow::KIND, "", new_id)?.is_some() {
                let about = Resource::Other(Workflow::NOUN, new_id.clone());
                return Err(Error::conflict(about, format!("workflow '{new_id}' exists already")));
            }
            withdraw(tx, &uid, &workflow)?;
            tx.rename_resource((&uid, Workflow::KIND, ""), id, new_id, (&by, now_us))?;
            follow_default(tx, &uid, id, new_id)?;
            let workflow =
                resources::find::<Workflow>(tx, &uid, "", new_id)?.ok_or_else(|| missing(new_id))?;
            publish::announce(tx, &uid, &workflow)?;
            let version = resources::find(tx, &uid, &workflow.doc.uid, &workflow.doc.version_id)?;
            renamed.push((workflow, version.ok_or_else(|| missing(new_id))?));
        }
        Ok::<_, Error>(renamed)
    };
    let renamed = app.platform().store().write(write).await?;
    Ok(renamed.into_iter().map(|(workflow, version)| placed(app, workflow, version)).collect())
}

/// An app that names the workflow as its default names it by its new id.
fn follow_default(tx: &store::Tx<'_>, uid: &str, id: &str, new_id: &str) -> Result<()> {
    let Some(mut app) = tx.app_by_uid(uid)? else { return Ok(()) };
    if app.doc.get(super::default::FIELD).and_then(Value::as_str) == Some(id) {
        app.doc.insert(super::default::FIELD.to_owned(), new_id.into());
        tx.update_app(&app)?;
    }
    Ok(())
}

/// Deletes workflows with their versions. `NotFound` if any does not exist; then none is deleted.
pub async fn delete(app: &AppCtx, ids: &[String]) -> Result<()> {
    let along = |tx: &store::Tx<'_>, owner: &str, workflow: &Stored<Workflow>| {
        withdraw(tx, owner, workflow)?;
        tx.delete_resources_within(owner, WorkflowVersion::KIND, &workflow.doc.uid)?;
        Ok(())
    };
    resources::delete_with(&Shelf::from(app), ids, along).await
}

/// Deletes all workflows of the app.
pub async fn delete_all(app: &AppCtx) -> Result<()> {
    app.check_writable()?;
    let uid = app.uid().to_owned();
    let write = move |tx: &mut store::Tx<'_>| {
        let query = store::ResourceQuery { limit: i64::MAX, ..store::ResourceQuery::default() };
        for row in tx.resources_page(&uid, Workflow::KIND, &query)? {
            let workflow = stored::<Workflow>(row)?;
            withdraw(tx, &uid, &workflow)?;
            tx.delete_resources_within(&uid, WorkflowVersion::KIND, &workflow.doc.uid)?;
        }
        tx.delete_resources_within(&uid, Workflow::KIND, "")?;
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await
}

/// Changes what is said of versions and returns them as they are then, in order.
pub async fn patch_versions(
    app: &AppCtx,
    id: &str,
    patches: Vec<VersionPatch>,
    action: PatchAction,
) -> Result<Vec<FoundWorkflow>> {
    let workflow: Stored<Workflow> = resources::get(&Shelf::from(app), id).await?;
    let shelf = versions_of(app, &workflow.doc.uid);
    let changed = resources::patch(&shelf, patches, action).await?;
    Ok(changed.into_iter().map(|version| placed(app, workflow.clone(), version)).collect())
}

/// Deletes versions of a workflow. The newest that is left is then the current one; a workflow keeps at least one.
pub async fn delete_versions(app: &AppCtx, id: &str, ids: &[String]) -> Result<()> {
    app.check_writable()?;
    check_number("workflow_version_ids", ids.len())?;
    let (uid, now_us) = (app.uid().to_owned(), app.platform().clock().now_us());
    let (id, ids) = (id.to_owned(), ids.to_owned());
    let write = move |tx: &mut store::Tx<'_>| {
        let workflow = resources::find::<Workflow>(tx, &uid, "", &id)?.ok_or_else(|| missing(&id))?;
        let parent = &workflow.doc.uid;
        for gone in &ids {
            let found = resources::find::<WorkflowVersion>(tx, &uid, parent, gone)?;
            found.ok_or_else(|| resources::missing::<WorkflowVersion>(gone))?;
        }
        withdraw(tx, &uid, &workflow)?;
        tx.delete_resources(&uid, WorkflowVersion::KIND, parent, &ids)?;
        let newest = store::ResourceQuery {
            parent: Some(parent.clone()),
            newest_first: true,
            limit: 1,
            ..store::ResourceQuery::default()
        };
        let left = tx.resources_page(&uid, WorkflowVersion::KIND, &newest)?.into_iter().next();
        let Some(left) = left else {
            let message = "must leave one: to delete them all, delete the workflow";
            return Err(Error::invalid("workflow_version_ids", message));
        };
        if ids.contains(&workflow.doc.version_id) {
            resources::rewrite::<Workflow>(tx, &uid, &id, now_us, |doc| {
                doc.version_id.clone_from(&left.id);
                Ok(())
            })?;
        }
        publish::announce(tx, &uid, &workflow)
    };
    app.platform().store().write(write).await
}
