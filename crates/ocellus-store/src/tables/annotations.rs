//! Table `annotations`: what people and models have said about inputs. The labels are its index by concept.

use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;
use crate::{JsonMap, Result};

/// An annotation of an input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotation {
    /// The app.
    pub app_uid: String,
    /// Unique within the app.
    pub id: String,
    /// The input.
    pub input_id: String,
    /// Who made it.
    pub account_id: String,
    /// The model version that made it; empty for a person.
    pub model_version_id: String,
    /// The workflow version that made it; empty for a person.
    pub workflow_version_id: String,
    /// Where it stands in review.
    pub status: String,
    /// Whether it is what its maker says of the whole input.
    pub whole: bool,
    /// The task it was made in, or empty.
    pub task_id: String,
    /// The track its region belongs to, or empty.
    pub track_id: String,
    /// The number of the first frame it speaks of; 0 without frames.
    pub frame: i64,
    /// The time of that frame in milliseconds.
    pub frame_ms: i64,
    /// Regions, concepts and whatever else it holds.
    pub doc: JsonMap,
    /// The key with which it was made.
    pub key_id: String,
    /// Account and key of the last change.
    pub modified_by: String,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

/// Which annotations [`Tx::annotations_page`] returns; an empty list asks for nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnnotationQuery {
    /// Only those with these ids.
    pub ids: Vec<String>,
    /// Only those of these inputs.
    pub input_ids: Vec<String>,
    /// Only those by any of these people, model versions or workflow versions.
    pub account_ids: Vec<String>,
    /// See `account_ids`.
    pub model_version_ids: Vec<String>,
    /// See `account_ids`.
    pub workflow_version_ids: Vec<String>,
    /// Only those with one of these.
    pub statuses: Vec<String>,
    /// Only those made in this task.
    pub task_id: Option<String>,
    /// Only those of this track.
    pub track_id: Option<String>,
    /// Only those from this frame on.
    pub from_frame: Option<i64>,
    /// Only those from this time on, in milliseconds.
    pub from_ms: Option<i64>,
    /// Only those made by people.
    pub by_people: bool,
    /// By frame instead of by age.
    pub by_frame: bool,
    /// At most this many.
    pub limit: i64,
    /// Leave out this many first.
    pub offset: i64,
}

/// Who has annotated: a person, or a model or workflow version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnnotationWorker {
    /// The account, also for models that it ran.
    pub account_id: String,
    /// Empty for a person.
    pub model_version_id: String,
    /// Empty for a person.
    pub workflow_version_id: String,
}

pub(super) const COLUMNS: &str = "app_uid, id, input_id, account_id, model_version_id, workflow_version_id, status, \
                       whole, task_id, track_id, frame, frame_ms, doc, key_id, modified_by, \
                       created_at_us, modified_at_us";

pub(super) fn from_row(row: &mut Row) -> Result<Annotation, BadColumn> {
    Ok(Annotation {
        app_uid: row.text()?,
        id: row.text()?,
        input_id: row.text()?,
        account_id: row.text()?,
        model_version_id: row.text()?,
        workflow_version_id: row.text()?,
        status: row.text()?,
        whole: row.flag()?,
        task_id: row.text()?,
        track_id: row.text()?,
        frame: row.int()?,
        frame_ms: row.int()?,
        doc: row.json()?,
        key_id: row.text()?,
        modified_by: row.text()?,
        created_at_us: row.int()?,
        modified_at_us: row.int()?,
    })
}

fn to_row(annotation: &Annotation) -> Vec<Val<'_>> {
    vec![
        (&annotation.app_uid).into(),
        (&annotation.id).into(),
        (&annotation.input_id).into(),
        (&annotation.account_id).into(),
        (&annotation.model_version_id).into(),
        (&annotation.workflow_version_id).into(),
        (&annotation.status).into(),
        Val::flag(annotation.whole),
        (&annotation.task_id).into(),
        (&annotation.track_id).into(),
        annotation.frame.into(),
        annotation.frame_ms.into(),
        Val::json(&annotation.doc),
        (&annotation.key_id).into(),
        (&annotation.modified_by).into(),
        annotation.created_at_us.into(),
        annotation.modified_at_us.into(),
    ]
}

/// The tests of a query as SQL, their values added to `params`.
fn tests<'a>(query: &'a AnnotationQuery, params: &mut Vec<Val<'a>>) -> String {
    let mut sql = String::new();
    for (column, list) in [("id", &query.ids), ("input_id", &query.input_ids), ("status", &query.statuses)] {
        if !list.is_empty() {
            sql.push_str(&format!(" AND {}", one_of(column, list, params)));
        }
    }
    let workers = [
        ("account_id", &query.account_ids),
        ("model_version_id", &query.model_version_ids),
        ("workflow_version_id", &query.workflow_version_ids),
    ];
    let mut any = Vec::new();
    for (column, list) in workers.into_iter().filter(|(_, list)| !list.is_empty()) {
        let person = if column == "account_id" {
            " AND model_version_id = '' AND workflow_version_id = ''"
        } else {
            ""
        };
        any.push(format!("({}{person})", one_of(column, list, params)));
    }
    if !any.is_empty() {
        sql.push_str(&format!(" AND ({})", any.join(" OR ")));
    }
    for (column, value) in [("task_id", &query.task_id), ("track_id", &query.track_id)] {
        if let Some(value) = value {
            params.push(value.into());
            sql.push_str(&format!(" AND {column} = ?{}", params.len()));
        }
    }
    for (column, value) in [("frame", query.from_frame), ("frame_ms", query.from_ms)] {
        if let Some(value) = value {
            params.push(value.into());
            sql.push_str(&format!(" AND {column} >= ?{}", params.len()));
        }
    }
    if query.by_people {
        sql.push_str(" AND model_version_id = '' AND workflow_version_id = ''");
    }
    sql
}

pub(super) fn one_of<'a>(column: &str, list: &'a [String], params: &mut Vec<Val<'a>>) -> String {
    let first = params.len() + 1;
    // Padded to a power of two, so that few different statements exist.
    let n = list.len().next_power_of_two();
    params.extend((0..n).map(|i| Val::from(list[i.min(list.len() - 1)].as_str())));
    let marks = (first..first + n).map(|i| format!("?{i}")).collect::<Vec<_>>().join(",");
    format!("{column} IN ({marks})")
}

impl Tx<'_> {
    /// Adds an annotation; `Conflict` when the app has one with this id.
    pub fn insert_annotation(&self, annotation: &Annotation) -> Result<()> {
        self.insert("annotations", COLUMNS, to_row(annotation))?;
        self.index_annotation(annotation, true)
    }

    /// An annotation by id.
    pub fn annotation(&self, app_uid: &str, id: &str) -> Result<Option<Annotation>> {
        let sql = format!("SELECT {COLUMNS} FROM annotations WHERE app_uid = ?1 AND id = ?2");
        self.select_one("annotations", &sql, &[app_uid.into(), id.into()], from_row)
    }

    /// The annotations of these inputs, those of one input oldest first.
    pub fn annotations_of_inputs<S: AsRef<str>>(
        &self,
        app_uid: &str,
        input_ids: &[S],
    ) -> Result<Vec<Annotation>> {
        let mut annotations = Vec::new();
        for (list, vals) in id_chunks(input_ids, 2) {
            let sql = format!(
                "SELECT {COLUMNS} FROM annotations WHERE app_uid = ?1 AND input_id IN ({list}) \
                 ORDER BY input_id, created_at_us, id"
            );
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            annotations.extend(self.select("annotations", &sql, &params, from_row)?);
        }
        Ok(annotations)
    }

    /// The app's annotations that a query asks for, oldest first. At most 256 ids in a list.
    pub fn annotations_page(&self, app_uid: &str, query: &AnnotationQuery) -> Result<Vec<Annotation>> {
        let mut params: Vec<Val<'_>> = vec![app_uid.into(), query.limit.into(), query.offset.into()];
        let tests = tests(query, &mut params);
        let order = if query.by_frame { "frame, id" } else { "created_at_us, id" };
        let sql = format!(
            "SELECT {COLUMNS} FROM annotations WHERE app_uid = ?1{tests} ORDER BY {order} LIMIT ?2 OFFSET ?3"
        );
        self.select("annotations", &sql, &params, from_row)
    }

    /// Who has annotated in the app, in a fixed order.
    pub fn annotation_workers(
        &self,
        app_uid: &str,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<AnnotationWorker>> {
        let sql = "SELECT DISTINCT account_id, model_version_id, workflow_version_id FROM annotations \
                   WHERE app_uid = ?1 ORDER BY account_id, model_version_id, workflow_version_id \
                   LIMIT ?2 OFFSET ?3";
        self.select("annotations", sql, &[app_uid.into(), limit.into(), offset.into()], |row| {
            Ok(AnnotationWorker {
                account_id: row.text()?,
                model_version_id: row.text()?,
                workflow_version_id: row.text()?,
            })
        })
    }

    /// How many annotations of a task each worker has, by status.
    pub fn count_annotations_of_task(
        &self,
        app_uid: &str,
        task_id: &str,
    ) -> Result<Vec<(AnnotationWorker, String, i64)>> {
        let sql = "SELECT account_id, model_version_id, workflow_version_id, status, COUNT(*) \
                   FROM annotations WHERE app_uid = ?1 AND task_id = ?2 \
                   GROUP BY account_id, model_version_id, workflow_version_id, status \
                   ORDER BY account_id, model_version_id, workflow_version_id, status";
        self.select("annotations", sql, &[app_uid.into(), task_id.into()], |row| {
            let worker = AnnotationWorker {
                account_id: row.text()?,
                model_version_id: row.text()?,
                workflow_version_id: row.text()?,
            };
            Ok((worker, row.text()?, row.int()?))
        })
    }

    /// Writes status, document, places and who changed it; false when there is no such annotation.
    pub fn update_annotation(&self, annotation: &Annotation) -> Result<bool> {
        let sql = "UPDATE annotations SET status = ?3, doc = ?4, modified_at_us = ?5, modified_by = ?6, \
                   task_id = ?7, track_id = ?8, frame = ?9, frame_ms = ?10, whole = ?11 \
                   WHERE app_uid = ?1 AND id = ?2";
        let params = [
            (&annotation.app_uid).into(),
            (&annotation.id).into(),
            (&annotation.status).into(),
            Val::json(&annotation.doc),
            annotation.modified_at_us.into(),
            (&annotation.modified_by).into(),
            (&annotation.task_id).into(),
            (&annotation.track_id).into(),
            annotation.frame.into(),
            annotation.frame_ms.into(),
            Val::flag(annotation.whole),
        ];
        if self.exec(sql, &params)? == 0 {
            return Ok(false);
        }
        self.index_annotation(annotation, false)?;
        Ok(true)
    }

    /// Removes annotations with their labels and the vectors of the parts they mark; returns how many annotations went.
    pub fn delete_annotations<S: AsRef<str>>(&self, app_uid: &str, ids: &[S]) -> Result<u64> {
        self.delete_regions_of_annotations(app_uid, ids)?;
        let mut n_deleted = 0;
        for (list, vals) in id_chunks(ids, 2) {
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            let labels =
                format!("SELECT input_id FROM labels WHERE app_uid = ?1 AND annotation_id IN ({list})");
            let labelled = self.select("labels", &labels, &params, Row::text)?;
            self.touch_inputs(app_uid, &labelled)?;
            for table in ["labels", "annotation_concepts"] {
                let sql = format!("DELETE FROM {table} WHERE app_uid = ?1 AND annotation_id IN ({list})");
                self.exec(&sql, &params)?;
            }
            let annotations = format!("DELETE FROM annotations WHERE app_uid = ?1 AND id IN ({list})");
            n_deleted += self.exec(&annotations, &params)?;
        }
        Ok(n_deleted)
    }
}
