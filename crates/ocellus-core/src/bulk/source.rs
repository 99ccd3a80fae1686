//! What a bulk operation changes: looked up when it begins, and cut into portions.

use std::collections::BTreeSet;

use ocellus_store as store;
use sha2::{Digest, Sha256};

use super::Change;
use crate::annotations::{Annotation, Status, read_rows};
use crate::search::{self, Filter};
use crate::{AppCtx, Error, JsonMap, Resource, Result, datasets};

/// Inputs or annotations changed in one transaction.
const PORTION: usize = 200;
/// Rows read at once.
const BATCH: i64 = 1_000;
/// The most inputs that can be named.
const MAX_NAMED: usize = 100_000;

/// What a bulk operation changes.
#[derive(Clone, Debug)]
pub enum Targets {
    /// These inputs.
    Inputs(Vec<String>),
    /// The inputs that pass all of these filters.
    Search(Vec<Filter>),
    /// The inputs of a dataset.
    Dataset(String),
    /// These annotations.
    Annotations(AnnotationSource),
}

/// Which annotations. Empty lists ask for nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnnotationSource {
    /// Those of these inputs.
    pub input_ids: Vec<String>,
    /// Those by any of these people or model versions.
    pub account_ids: Vec<String>,
    /// See `account_ids`.
    pub model_version_ids: Vec<String>,
    /// Those with one of these.
    pub statuses: Vec<Status>,
    /// Those made in this task.
    pub task_id: Option<String>,
    /// Those that speak of any of these concepts.
    pub concept_ids: Vec<String>,
}

impl AnnotationSource {
    /// The part of it that the store answers.
    pub(crate) fn query(&self) -> store::AnnotationQuery {
        store::AnnotationQuery {
            input_ids: self.input_ids.clone(),
            account_ids: self.account_ids.clone(),
            model_version_ids: self.model_version_ids.clone(),
            statuses: self.statuses.iter().map(|status| status.name().to_owned()).collect(),
            task_id: self.task_id.clone(),
            ..store::AnnotationQuery::default()
        }
    }

    /// Whether an annotation speaks of the concepts.
    pub fn speaks_of(&self, annotation: &Annotation) -> bool {
        let mut said = annotation.data.concepts.iter().chain(annotation.data.said_of_parts());
        self.concept_ids.is_empty() || said.any(|said| self.concept_ids.contains(&said.concept_id))
    }
}

/// The ids of what is changed, each once.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of target")]
pub(super) async fn ids(app: &AppCtx, targets: &Targets) -> Result<Vec<String>> {
    let uid = app.uid().to_owned();
    match targets {
        Targets::Inputs(ids) => {
            if ids.is_empty() || ids.len() > MAX_NAMED {
                let message = format!("must hold 1 to {MAX_NAMED} items, not {}", ids.len());
                return Err(Error::invalid("bulk_operations.input_ids", message));
            }
            let ids: Vec<String> = ids.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
            let read = move |tx: &mut store::Tx<'_>| {
                for chunk in ids.chunks(BATCH as usize) {
                    let found: BTreeSet<String> =
                        tx.inputs_by_ids(&uid, chunk)?.into_iter().map(|row| row.id).collect();
                    if let Some(missing) = chunk.iter().find(|id| !found.contains(*id)) {
                        return Err(Error::not_found(Resource::Input(missing.clone())));
                    }
                }
                Ok(ids.clone())
            };
            app.platform().store().read(read).await
        }
        Targets::Search(filters) => search::all_ids(app, filters.clone()).await,
        Targets::Dataset(id) => {
            let id = id.clone();
            let read = move |tx: &mut store::Tx<'_>| {
                let dataset = datasets::find(tx, &uid, &id)?;
                let (mut ids, mut after_seq) = (Vec::new(), 0);
                loop {
                    let rows = tx.dataset_inputs_page(&uid, &dataset.uid, after_seq, (BATCH, 0))?;
                    let n_rows = rows.len() as i64;
                    after_seq = rows.last().map_or(after_seq, |row| row.seq);
                    ids.extend(rows.into_iter().map(|row| row.input_id));
                    if n_rows < BATCH {
                        return Ok(ids);
                    }
                }
            };
            app.platform().store().read(read).await
        }
        Targets::Annotations(source) => {
            let source = source.clone();
            let read = move |tx: &mut store::Tx<'_>| {
                let mut query = store::AnnotationQuery { limit: BATCH, ..source.query() };
                let mut ids = Vec::new();
                loop {
                    let rows = tx.annotations_page(&uid, &query)?;
                    let n_rows = rows.len() as i64;
                    let found = read_rows(tx, &uid, rows)?;
                    ids.extend(
                        found.into_iter().filter(|found| source.speaks_of(found)).map(|found| found.id),
                    );
                    query.offset += BATCH;
                    if n_rows < BATCH {
                        return Ok(ids);
                    }
                }
            };
            app.platform().store().read(read).await
        }
    }
}

/// The parts of the job, each with the ids it changes. A split is decided here, so that its percentages are exact.
pub(super) fn portions(
    job_id: &str,
    mut ids: Vec<String>,
    change: &Change,
    targets: &Targets,
    now_us: i64,
) -> Vec<store::JobPart> {
    let of_annotations = matches!(targets, Targets::Annotations(_));
    let Change::SplitIntoDatasets { splits } = change else {
        return cut(&ids, None, of_annotations, now_us);
    };
    // By chance, but the same chance each time it is asked for.
    ids.sort_by_cached_key(|id| Sha256::digest(format!("{job_id}\n{id}").as_bytes()));
    let (n_all, mut percent, mut from) = (ids.len(), 0, 0);
    let mut parts = Vec::new();
    for (dataset_id, share) in splits {
        percent += *share as usize;
        let to = n_all * percent / 100;
        parts.extend(cut(&ids[from..to], Some(dataset_id), of_annotations, now_us));
        from = to;
    }
    parts
}

fn cut(
    ids: &[String],
    dataset_id: Option<&String>,
    of_annotations: bool,
    now_us: i64,
) -> Vec<store::JobPart> {
    ids.chunks(PORTION)
        .map(|chunk| {
            let mut part = store::JobPart::new("", now_us);
            part.payload = JsonMap::from_iter([("ids".to_owned(), chunk.to_vec().into())]);
            part.payload.insert("of_annotations".to_owned(), of_annotations.into());
            if let Some(dataset_id) = dataset_id {
                part.payload.insert("dataset_id".to_owned(), dataset_id.clone().into());
            }
            part
        })
        .collect()
}
