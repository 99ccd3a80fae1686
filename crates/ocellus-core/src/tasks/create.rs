//! Making, reading, changing and deleting tasks.

use std::sync::Arc;

use ocellus_store as store;
use serde_json::Value;

use super::fill;
use super::{InputSource, Strategy, Task};
use crate::accounts::check_id;
use crate::inputs::create::{check_alive, labeller};
use crate::inputs::labels::Labeller;
use crate::resources::{self, Document, Listing, New, Shelf, Stored};
use crate::{AppCtx, Error, JsonMap, Page, PatchAction, Resource, Result};

/// Adds tasks and puts their inputs into the queue: the first of them at once, the rest by a job. `Conflict` if any id
/// exists; then none is written.
pub async fn create(app: &AppCtx, new: Vec<New<Task>>) -> Result<Vec<Stored<Task>>> {
    app.check_writable()?;
    if new.is_empty() || new.len() > resources::MAX_PER_CALL {
        let message = format!("must hold 1 to {} items, not {}", resources::MAX_PER_CALL, new.len());
        return Err(Error::invalid(Task::FIELD, message));
    }
    let rows = new.into_iter().map(|new| prepare(app, new)).collect::<Result<Vec<_>>>()?;
    let (by, rows) = (Arc::new(labeller(app)), Arc::new(rows));
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &by.app_uid)?;
        rows.iter().try_for_each(|row| insert(tx, &by, row))
    };
    app.platform().store().write(write).await?;
    app.platform().job_added().notify_waiters();
    resources::get_many(&Shelf::from(app), &ids).await
}

/// The row of a task to be made.
pub(crate) fn prepare(app: &AppCtx, new: New<Task>) -> Result<store::Resource> {
    let id = new.id.filter(|id| !id.is_empty()).unwrap_or_else(|| app.platform().ids().id());
    check_id("tasks.id", &id)?;
    let mut task = new.doc;
    task.filled_to = Some(0);
    task.check()?;
    let by = labeller(app);
    Ok(store::Resource {
        owner_uid: by.app_uid.clone(),
        kind: Task::KIND.to_owned(),
        parent: String::new(),
        id,
        seq: 0,
        about: task.about(),
        state: task.state(),
        doc: write_doc(&task)?,
        blob: None,
        account_id: by.account_id.clone(),
        key_id: by.key_id.clone(),
        modified_by: by.changed_by(),
        created_at_us: by.now_us,
        modified_at_us: by.now_us,
    })
}

pub(super) fn write_doc(task: &Task) -> Result<JsonMap> {
    match serde_json::to_value(task) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Error::internal(anyhow::anyhow!("a task is no JSON object"))),
        Err(error) => Err(Error::internal(error)),
    }
}

pub(super) fn read_doc(row: &store::Resource) -> Result<Task> {
    serde_json::from_value(Value::Object(row.doc.clone())).map_err(Error::internal)
}

/// Writes a task with the first of its queue.
#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is treated alike, whatever is added")]
pub(crate) fn insert(tx: &store::Tx<'_>, by: &Labeller, row: &store::Resource) -> Result<()> {
    let mut row = row.clone();
    let mut task = read_doc(&row)?;
    for (people, field) in [(&task.workers, "tasks.worker.workers"), (&task.reviewers, "tasks.review.users")]
    {
        for user_id in people {
            if tx.account(user_id)?.is_none() {
                return Err(Error::invalid(field, format!("must be users: there is no '{user_id}'")));
            }
        }
    }
    check_source(tx, by, &task)?;
    fill::step(tx, by, &row.id, &mut task)?;
    row.doc = write_doc(&task)?;
    tx.insert_resource(&row).map_err(|error| match error {
        store::Error::Conflict(_) => {
            let message = format!("task '{}' exists already", row.id);
            Error::conflict(Resource::Other(Task::NOUN, row.id.clone()), message)
        }
        error => error.into(),
    })?;
    match task.filled_to {
        Some(_) => fill::job(by, &row.id).insert(tx),
        None => Ok(()),
    }
}

fn check_source(tx: &store::Tx<'_>, by: &Labeller, task: &Task) -> Result<()> {
    match &task.source {
        InputSource::All => Ok(()),
        InputSource::Input(id) => match tx.input(&by.app_uid, id)? {
            Some(_) => Ok(()),
            None => Err(Error::not_found(Resource::Input(id.clone()))),
        },
        InputSource::Dataset(id) => crate::datasets::find(tx, &by.app_uid, id).map(|_| ()),
        InputSource::Search(id) if task.found.is_empty() => {
            let message = format!("must be a search that finds something: '{id}' finds nothing");
            Err(Error::invalid("tasks.input_source.id", message))
        }
        InputSource::Search(_) => Ok(()),
    }
}

/// One task.
pub async fn get(app: &AppCtx, id: &str) -> Result<Stored<Task>> {
    resources::get(&Shelf::from(app), id).await
}

/// Which tasks to list. Empty lists ask for nothing.
#[derive(Clone, Debug, Default)]
pub struct TaskListing {
    /// These.
    pub ids: Vec<String>,
    /// Those that any of these labels.
    pub worker_ids: Vec<String>,
    /// Those that any of these reviews.
    pub reviewer_ids: Vec<String>,
    /// Those of any of these label orders.
    pub label_order_ids: Vec<String>,
    /// Those of label orders too.
    pub of_label_orders: bool,
    /// Those with inputs from any of these.
    pub sources: Vec<InputSource>,
}

/// A page of tasks in order of creation.
pub async fn list(app: &AppCtx, listing: TaskListing, page: Page) -> Result<Vec<Stored<Task>>> {
    let any =
        |wanted: &[String], have: &[String]| wanted.is_empty() || wanted.iter().any(|id| have.contains(id));
    let fits = move |task: &Stored<Task>| {
        let order = &task.doc.label_order_id;
        (listing.ids.is_empty() || listing.ids.contains(&task.id))
            && any(&listing.worker_ids, &task.doc.workers)
            && any(&listing.reviewer_ids, &task.doc.reviewers)
            && (listing.of_label_orders || !listing.label_order_ids.is_empty() || order.is_empty())
            && (listing.label_order_ids.is_empty() || listing.label_order_ids.contains(order))
            && (listing.sources.is_empty() || listing.sources.contains(&task.doc.source))
    };
    resources::search(&Shelf::from(app), &Listing::default(), page, fits).await
}

/// Changes tasks: each patch is the id and the fields that change. `NotFound` if any does not exist; then none is
/// changed. What has been put into the queue stays there, so the inputs and the way to share them cannot be changed, nor
/// the workers of a task whose inputs are shared out already.
pub async fn patch(
    app: &AppCtx,
    patches: Vec<(String, JsonMap)>,
    action: PatchAction,
) -> Result<Vec<Stored<Task>>> {
    let ids: Vec<String> = patches.iter().map(|(id, _)| id.clone()).collect();
    let shelf = Shelf::from(app);
    let before: Vec<Stored<Task>> = resources::get_many(&shelf, &ids).await?;
    for (id, patch) in &patches {
        let Some(task) = before.iter().find(|task| task.id == *id) else { continue };
        let fixed: &[&str] = match task.doc.strategy {
            Strategy::Dynamic => &["strategy", "source", "filled_to"],
            Strategy::Partitioned { .. } | Strategy::Full => &["strategy", "source", "filled_to", "workers"],
        };
        let now = write_doc(&task.doc)?;
        if let Some(field) =
            fixed.iter().find(|field| patch.get(**field).is_some_and(|new| now.get(**field) != Some(new)))
        {
            let message = format!("{field} of a task cannot be changed; make another task");
            return Err(Error::conflict(Resource::Other(Task::NOUN, id.clone()), message));
        }
    }
    resources::patch(&shelf, patches, action).await
}

/// Deletes tasks and their queues, not the annotations made in them. `NotFound` if any does not exist.
pub async fn delete(app: &AppCtx, ids: &[String]) -> Result<()> {
    resources::delete_with::<Task>(&Shelf::from(app), ids, |tx, uid, task| {
        tx.delete_task_assignments(uid, &task.id)?;
        Ok(())
    })
    .await
}
