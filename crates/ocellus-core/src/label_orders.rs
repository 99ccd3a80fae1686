//! Label orders: a wish to have inputs labelled, with the task that fulfils it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::inputs::create::labeller;
use crate::resources::{self, Document, New, Shelf, Stored};
use crate::tasks::{self, Task};
use crate::{AppCtx, Result};

/// A label order as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LabelOrder {
    /// What people call it.
    pub name: String,
    /// Where it stands.
    pub status: OrderStatus,
    /// Whether the labels count as soon as they are reviewed.
    pub auto_release: bool,
    /// Whether an input may be left without labels.
    pub allow_empty: bool,
    /// When it should be done, in microseconds since the epoch.
    pub desired_at_us: Option<i64>,
    /// When it is expected to be done, in microseconds since the epoch.
    pub expected_at_us: Option<i64>,
    /// The task that fulfils it; empty for none.
    pub task_id: String,
}

/// Where a label order stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum OrderStatus {
    #[default]
    Pending,
    InProgress,
    Success,
    Cancelled,
}

impl Document for LabelOrder {
    const KIND: &'static str = "label_order";
    const NOUN: &'static str = "label order";
    const FIELD: &'static str = "label_orders";
}

/// Adds label orders, each with its task if it has one. `Conflict` if any id exists; then nothing is written.
pub async fn create(
    app: &AppCtx,
    new: Vec<(New<LabelOrder>, Option<New<Task>>)>,
) -> Result<Vec<Stored<LabelOrder>>> {
    let by = labeller(app);
    let (mut orders, mut rows) = (Vec::with_capacity(new.len()), Vec::new());
    for (mut order, task) in new {
        let id = order.id.filter(|id| !id.is_empty()).unwrap_or_else(|| app.platform().ids().id());
        if let Some(mut task) = task {
            task.doc.label_order_id.clone_from(&id);
            let row = tasks::prepare(app, task)?;
            order.doc.task_id.clone_from(&row.id);
            rows.push(row);
        }
        order.id = Some(id);
        orders.push(order);
    }
    let rows = Arc::new(rows);
    let with_tasks = move |tx: &ocellus_store::Tx<'_>, _: &str| {
        rows.iter().try_for_each(|row| tasks::insert(tx, &by, row))
    };
    let made = resources::create_if(&Shelf::from(app), orders, with_tasks).await?;
    app.platform().job_added().notify_waiters();
    Ok(made)
}

/// Deletes label orders; their tasks stay. `NotFound` if any does not exist; then none is deleted.
pub async fn delete(app: &AppCtx, ids: &[String]) -> Result<()> {
    resources::delete::<LabelOrder>(&Shelf::from(app), ids).await
}
