//! Publishing: a version that everybody may use, as long as it is made of what everybody has.

use ocellus_store as store;
use serde::{Deserialize, Serialize};

use super::change::{check_number, to_map};
use super::{FoundWorkflow, Workflow, WorkflowVersion, missing, operators, wrong_node};
use crate::bootstrap::PUBLIC_USER;
use crate::resources::{self, Document, Stored, account_uid, stored};
use crate::{AppCtx, Error, Resource, Result};

/// That a workflow is published, kept with the public account under the workflow's id.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Published {
    app_uid: String,
    workflow_id: String,
}

impl Document for Published {
    const KIND: &'static str = "published_workflow";
    const NOUN: &'static str = "published workflow";
    const FIELD: &'static str = "publications";
}

/// Lets everybody use versions of a workflow; the newest of them is the one they get. A node with a model of the app's
/// own cannot be published, and an id that is public already is taken.
pub async fn publish(app: &AppCtx, id: &str, version_ids: &[String]) -> Result<()> {
    set(app, id, version_ids, true).await
}

/// Takes versions back from everybody.
pub async fn unpublish(app: &AppCtx, id: &str, version_ids: &[String]) -> Result<()> {
    set(app, id, version_ids, false).await
}

async fn set(app: &AppCtx, id: &str, version_ids: &[String], public: bool) -> Result<()> {
    app.check_writable()?;
    app.check_owner()?;
    check_number("publications", version_ids.len())?;
    if public && super::public::built_in(app.platform(), id).is_some() {
        return Err(taken(id));
    }
    let (uid, id, version_ids) = (app.uid().to_owned(), id.to_owned(), version_ids.to_owned());
    let (by, now_us) = (app.caller().clone(), app.platform().clock().now_us());
    let write = move |tx: &mut store::Tx<'_>| {
        let workflow = resources::find::<Workflow>(tx, &uid, "", &id)?.ok_or_else(|| missing(&id))?;
        for version_id in &version_ids {
            let row = tx.resource(&uid, WorkflowVersion::KIND, &workflow.doc.uid, version_id)?;
            let mut row = row.ok_or_else(|| resources::missing::<WorkflowVersion>(version_id))?;
            let mut doc = stored::<WorkflowVersion>(row.clone())?.doc;
            if public {
                check_for_everybody(&doc)?;
            }
            doc.is_public = public;
            row.doc = to_map(&doc)?;
            (row.modified_by, row.modified_at_us) = (format!("{}/{}", by.account_id, by.key_id), now_us);
            tx.update_resource(&row)?;
        }
        withdraw(tx, &uid, &workflow)?;
        announce(tx, &uid, &workflow)
    };
    app.platform().store().write(write).await
}

fn taken(id: &str) -> Error {
    let about = Resource::Other(Workflow::NOUN, id.to_owned());
    Error::conflict(about, format!("a public workflow '{id}' exists already"))
}

fn check_for_everybody(doc: &WorkflowVersion) -> Result<()> {
    for node in &doc.nodes {
        if operators::is_operator(&node.model_type_id) {
            // Relations of synonyms are the app's.
            let of_app =
                node.model_type_id == "concept-synonym-mapper" && !node.params.contains_key("mapping");
            if of_app {
                return Err(wrong_node(&node.id, "maps by the app's relations, which others do not have"));
            }
        } else if node.model.user_id != PUBLIC_USER {
            return Err(wrong_node(&node.id, "has a model of this app, which others may not use"));
        }
    }
    Ok(())
}

fn newest_public(
    tx: &store::Tx<'_>,
    uid: &str,
    workflow: &Stored<Workflow>,
) -> Result<Option<Stored<WorkflowVersion>>> {
    let query = store::ResourceQuery {
        parent: Some(workflow.doc.uid.clone()),
        newest_first: true,
        limit: i64::MAX,
        ..store::ResourceQuery::default()
    };
    for row in tx.resources_page(uid, WorkflowVersion::KIND, &query)? {
        let version = stored::<WorkflowVersion>(row)?;
        if version.doc.is_public {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

/// Writes that a workflow is public, if a version of it is.
pub(super) fn announce(tx: &store::Tx<'_>, uid: &str, workflow: &Stored<Workflow>) -> Result<()> {
    if newest_public(tx, uid, workflow)?.is_none() {
        return Ok(());
    }
    let owner = account_uid(PUBLIC_USER);
    if let Some(row) = tx.resource(&owner, Published::KIND, "", &workflow.id)? {
        let known = stored::<Published>(row)?.doc;
        if read(tx, &known)?.is_some() {
            return Err(taken(&workflow.id));
        }
        // It stands for an app or a workflow that is gone.
        tx.delete_resources(&owner, Published::KIND, "", &[&workflow.id])?;
    }
    let doc = Published { app_uid: uid.to_owned(), workflow_id: workflow.id.clone() };
    tx.insert_resource(&store::Resource {
        owner_uid: owner,
        kind: Published::KIND.to_owned(),
        parent: String::new(),
        id: workflow.id.clone(),
        seq: 0,
        about: String::new(),
        state: 0,
        doc: to_map(&doc)?,
        blob: None,
        account_id: workflow.account_id.clone(),
        key_id: String::new(),
        modified_by: String::new(),
        created_at_us: workflow.created_at_us,
        modified_at_us: workflow.modified_at_us,
    })?;
    Ok(())
}

/// Takes back that a workflow is public, if this one is.
pub(super) fn withdraw(tx: &store::Tx<'_>, uid: &str, workflow: &Stored<Workflow>) -> Result<()> {
    let owner = account_uid(PUBLIC_USER);
    let Some(row) = tx.resource(&owner, Published::KIND, "", &workflow.id)? else { return Ok(()) };
    if stored::<Published>(row)?.doc.app_uid == uid {
        tx.delete_resources(&owner, Published::KIND, "", &[&workflow.id])?;
    }
    Ok(())
}

/// What was published, if it and its app are still there.
fn read(tx: &store::Tx<'_>, published: &Published) -> Result<Option<FoundWorkflow>> {
    let app = tx.app_by_uid(&published.app_uid)?.filter(|app| app.deleted_at_us.is_none());
    let workflow = resources::find::<Workflow>(tx, &published.app_uid, "", &published.workflow_id)?;
    let Some((app, workflow)) = app.zip(workflow) else { return Ok(None) };
    let version = newest_public(tx, &published.app_uid, &workflow)?;
    Ok(version.map(|version| FoundWorkflow { user_id: app.account_id, app_id: app.id, workflow, version }))
}

/// All that users have published, in the order in which they did.
pub(super) fn all(tx: &store::Tx<'_>) -> Result<Vec<FoundWorkflow>> {
    let query = store::ResourceQuery { limit: i64::MAX, ..store::ResourceQuery::default() };
    let mut found = Vec::new();
    for row in tx.resources_page(&account_uid(PUBLIC_USER), Published::KIND, &query)? {
        found.extend(read(tx, &stored::<Published>(row)?.doc)?);
    }
    Ok(found)
}

/// The published workflow with this id, in a version that is public or the newest such.
pub(super) fn find(tx: &store::Tx<'_>, id: &str, version_id: Option<&str>) -> Result<Option<FoundWorkflow>> {
    let Some(row) = tx.resource(&account_uid(PUBLIC_USER), Published::KIND, "", id)? else { return Ok(None) };
    let published = stored::<Published>(row)?.doc;
    let Some(found) = read(tx, &published)? else { return Ok(None) };
    let Some(wanted) = version_id.filter(|wanted| *wanted != found.version.id) else {
        return Ok(Some(found));
    };
    let version =
        resources::find::<WorkflowVersion>(tx, &published.app_uid, &found.workflow.doc.uid, wanted)?;
    let version = version.filter(|version| version.doc.is_public);
    let version = version.ok_or_else(|| resources::missing::<WorkflowVersion>(wanted))?;
    Ok(Some(FoundWorkflow { version, ..found }))
}
