//! Puts a task's inputs into its queue, in portions: the first when it is made, the rest by a job.

use std::collections::HashMap;

use futures_util::FutureExt;
use ocellus_store as store;

use super::create::{read_doc, write_doc};
use super::{AssignmentStatus, InputSource, Strategy, Task};
use crate::inputs::labels::Labeller;
use crate::jobs::{JobCtx, JobKind, NewJob, Outcome};
use crate::resources::Document;
use crate::{Error, JsonMap, Platform, Result};

pub(crate) const KIND: JobKind =
    JobKind { name: "fill_task", max_attempts: 8, run: |cx| run(cx).boxed(), begin: None, give_up: None };

/// Inputs put into the queue in one transaction.
const BATCH: i64 = 500;

/// The job that goes on where the making of the task left off.
pub(crate) fn job(by: &Labeller, task_id: &str) -> NewJob {
    let mut new = NewJob::new(&KIND, &by.platform.ids().id(), &by.account_id, by.now_us);
    new.job.app_uid = Some(by.app_uid.clone());
    new.job.payload = JsonMap::from_iter([("task_id".to_owned(), task_id.into())]);
    new
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let (Some(app_uid), Some(task_id)) =
        (cx.job.app_uid.clone(), cx.job.payload.get("task_id").and_then(|id| id.as_str()))
    else {
        return Ok(Outcome::nothing());
    };
    let task_id = task_id.to_owned();
    loop {
        cx.checkpoint()?;
        let by = signed(&cx.platform, &app_uid, &cx.job.account_id);
        let task_id = task_id.clone();
        let write = move |tx: &mut store::Tx<'_>| {
            let Some(mut row) = tx.resource(&by.app_uid, Task::KIND, "", &task_id)? else { return Ok(true) };
            let mut task = read_doc(&row)?;
            step(tx, &by, &task_id, &mut task)?;
            row.doc = write_doc(&task)?;
            tx.update_resource(&row)?;
            Ok::<_, Error>(task.filled_to.is_none())
        };
        if cx.platform.store().write(write).await? {
            return Ok(Outcome::nothing());
        }
    }
}

/// Who a job works for.
fn signed(platform: &Platform, app_uid: &str, account_id: &str) -> Labeller {
    Labeller {
        platform: platform.clone(),
        app_uid: app_uid.to_owned(),
        account_id: account_id.to_owned(),
        key_id: "job".to_owned(),
        language: String::new(),
        now_us: platform.clock().now_us(),
    }
}

/// Puts the next portion into the queue and notes in the task how far it went.
pub(super) fn step(tx: &store::Tx<'_>, by: &Labeller, task_id: &str, task: &mut Task) -> Result<()> {
    let Some(after_seq) = task.filled_to else { return Ok(()) };
    let (ids, next) = match &task.source {
        InputSource::Input(id) => (vec![id.clone()], None),
        InputSource::Dataset(id) => {
            let dataset = crate::datasets::find(tx, &by.app_uid, id)?;
            let rows = tx.dataset_inputs_page(&by.app_uid, &dataset.uid, after_seq, (BATCH, 0))?;
            let next = (rows.len() as i64 == BATCH).then(|| rows.last().map(|row| row.seq)).flatten();
            (rows.into_iter().map(|row| row.input_id).collect(), next)
        }
        InputSource::Search(_) => {
            // The place is one in the list of what was found.
            let from = usize::try_from(after_seq).unwrap_or(usize::MAX).min(task.found.len());
            let to = (from + BATCH as usize).min(task.found.len());
            let there = tx.inputs_by_ids(&by.app_uid, &task.found[from..to])?;
            let next = (to < task.found.len()).then_some(to as i64);
            if next.is_none() {
                task.found.clear();
            }
            (there.into_iter().map(|input| input.id).collect(), next)
        }
        InputSource::All => {
            let query = store::InputQuery {
                after_seq: Some(after_seq),
                limit: BATCH,
                ..store::InputQuery::default()
            };
            let rows = tx.inputs_page(&by.app_uid, &query)?;
            let next = (rows.len() as i64 == BATCH).then(|| rows.last().map(|row| row.seq)).flatten();
            (rows.into_iter().map(|row| row.id).collect(), next)
        }
    };
    let mut shares = Shares::new(tx, by, task_id, task)?;
    let mut rows = Vec::new();
    for input_id in ids {
        for worker_id in shares.next() {
            rows.push(store::TaskAssignment {
                app_uid: by.app_uid.clone(),
                id: by.platform.ids().id(),
                task_id: task_id.to_owned(),
                input_id: input_id.clone(),
                worker_id,
                status: AssignmentStatus::Pending.name().to_owned(),
                modified_by: by.changed_by(),
                created_at_us: by.now_us,
                modified_at_us: by.now_us,
                ..store::TaskAssignment::default()
            });
        }
    }
    tx.insert_task_assignments(&rows)?;
    task.filled_to = next;
    Ok(())
}

/// Who gets the next input.
struct Shares {
    workers: Vec<(String, f64, f64)>,
    per_input: usize,
    is_queue: bool,
}

impl Shares {
    fn new(tx: &store::Tx<'_>, by: &Labeller, task_id: &str, task: &Task) -> Result<Self> {
        let mut given: HashMap<String, f64> = HashMap::new();
        for (worker_id, _, n) in tx.count_task_assignments(&by.app_uid, task_id)? {
            *given.entry(worker_id).or_default() += n as f64;
        }
        let weight = |id: &str| match &task.strategy {
            Strategy::Partitioned { weights, .. } if !weights.is_empty() => {
                weights.get(id).copied().unwrap_or(1.0)
            }
            Strategy::Partitioned { .. } | Strategy::Full | Strategy::Dynamic => 1.0,
        };
        let worker = |id: &String| (id.clone(), weight(id), given.get(id).copied().unwrap_or(0.0));
        Ok(Self {
            workers: task.workers.iter().map(worker).collect(),
            per_input: task.workers_per_input(),
            is_queue: task.strategy == Strategy::Dynamic,
        })
    }

    /// Those who have least of their share so far, each once.
    fn next(&mut self) -> Vec<String> {
        if self.is_queue {
            return vec![String::new()];
        }
        let load = |(_, weight, given): &(String, f64, f64)| (given + 1.0) / weight;
        let mut order: Vec<usize> = (0..self.workers.len()).collect();
        order.sort_by(|a, b| load(&self.workers[*a]).total_cmp(&load(&self.workers[*b])));
        order.truncate(self.per_input);
        for idx in &order {
            self.workers[*idx].2 += 1.0;
        }
        order.into_iter().map(|idx| self.workers[idx].0.clone()).collect()
    }
}
