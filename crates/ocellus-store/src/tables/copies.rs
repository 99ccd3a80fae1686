//! Copying an app's content into another app, a portion at a time.

use crate::db::{Tx, Val};
use crate::page::id_chunks;
use crate::tables::annotation_regions::AnnotationRegion;
use crate::tables::concepts::Concept;
use crate::tables::inputs::{Input, InputQuery};
use crate::tables::labels::Label;
use crate::tables::model_blobs::ModelBlob;
use crate::tables::model_versions::ModelVersion;
use crate::tables::models::Model;
use crate::tables::vectors::Vector;
use crate::{Error, Result};

/// What a portion came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopiedInputs {
    /// The number of the last input looked at; nothing is left when there is none.
    pub last_seq: Option<i64>,
    /// The inputs copied: id and state.
    pub copied: Vec<(String, i64)>,
    /// How many were left out, because the other app has an input with the same id.
    pub n_skipped: u64,
    /// How many annotations were copied.
    pub n_annotations: u64,
}

const FRAME: &str = "input_id, model_version_id, idx, time_ms, doc";
/// An annotation but its app, and the task that it was made in, which is not copied.
const ANNOTATION: &str = "id, input_id, account_id, model_version_id, workflow_version_id, status, whole, track_id, \
                          frame, frame_ms, doc, key_id, modified_by, created_at_us, modified_at_us";
const REGION: &str = "annotation_id, region_id, input_id, outline, state";
const TRACK: &str =
    "id, input_id, concept_id, status, doc, account_id, modified_by, created_at_us, modified_at_us";
const CONCEPT_NAME: &str = "concept_id, language, name, name_key, definition, account_id, key_id, created_at_us, \
                            modified_at_us";

impl Tx<'_> {
    /// Copies up to `limit` inputs that were created after `after_seq`, with what models found in them and, if
    /// asked for, with what people said of them. Ids stay, and so do times; the blobs are shared.
    pub fn copy_inputs(
        &self,
        (from, to): (&str, &str),
        after_seq: i64,
        limit: i64,
        with_annotations: bool,
    ) -> Result<CopiedInputs> {
        let query = InputQuery { after_seq: Some(after_seq), limit, ..InputQuery::default() };
        let mut done = CopiedInputs::default();
        for row in self.inputs_page(from, &query)? {
            done.last_seq = Some(row.seq);
            let copy = Input { app_uid: to.to_owned(), ..row };
            match self.insert_input(&copy) {
                Ok(_) => done.copied.push((copy.id, copy.state)),
                Err(Error::Conflict(_)) => done.n_skipped += 1,
                Err(error) => return Err(error),
            }
        }
        let ids: Vec<&str> = done.copied.iter().map(|(id, _)| id.as_str()).collect();
        self.copy_predictions((from, to), &ids)?;
        self.copy_rows((from, to), "video_frames", FRAME, &ids)?;
        self.copy_vectors((from, to), &ids)?;
        if with_annotations {
            self.copy_rows((from, to), "annotation_tracks", TRACK, &ids)?;
            done.n_annotations = self.copy_rows((from, to), "annotations", ANNOTATION, &ids)?;
            for annotation in self.annotations_of_inputs(to, &ids)? {
                self.index_annotation(&annotation, true)?;
            }
            self.copy_rows((from, to), "annotation_regions", REGION, &ids)?;
            let regions = self.regions_of_inputs(to, &ids)?;
            let keys: Vec<String> = regions.iter().map(AnnotationRegion::key).collect();
            self.copy_vectors((from, to), &keys)?;
            self.copy_labels((from, to), &ids)?;
        }
        Ok(done)
    }

    fn copy_vectors<S: AsRef<str>>(&self, (from, to): (&str, &str), keys: &[S]) -> Result<()> {
        let moved = |vector: Vector| Vector { app_uid: to.to_owned(), ..vector };
        let vectors: Vec<Vector> = self.vectors_of_inputs(from, keys)?.into_iter().map(moved).collect();
        self.put_vectors(&vectors)?;
        Ok(())
    }

    fn copy_labels(&self, (from, to): (&str, &str), ids: &[&str]) -> Result<()> {
        let moved = |labels: Vec<Label>| -> Vec<Label> {
            labels.into_iter().map(|label| Label { app_uid: to.to_owned(), ..label }).collect()
        };
        // All in their order; those of whole inputs are then marked as such.
        self.put_region_labels(&moved(self.labels_of_inputs(from, ids)?))?;
        self.put_labels(&moved(self.whole_labels_of_inputs(from, ids)?))
    }

    /// Copies the rows of these inputs that the other app has not; returns how many.
    fn copy_rows(&self, (from, to): (&str, &str), table: &str, columns: &str, ids: &[&str]) -> Result<u64> {
        let mut n_copied = 0;
        for (list, vals) in id_chunks(ids, 3) {
            let sql = format!(
                "INSERT INTO {table} (app_uid, {columns}) SELECT ?2, {columns} FROM {table} \
                 WHERE app_uid = ?1 AND input_id IN ({list}) ON CONFLICT DO NOTHING"
            );
            let mut params: Vec<Val<'_>> = vec![from.into(), to.into()];
            params.extend(vals);
            n_copied += self.exec(&sql, &params)?;
        }
        Ok(n_copied)
    }

    /// Like [`Tx::copy_rows`]; a prediction holds the number of its input, which is another in the other app.
    fn copy_predictions(&self, (from, to): (&str, &str), ids: &[&str]) -> Result<()> {
        for (list, vals) in id_chunks(ids, 3) {
            let sql = format!(
                "INSERT INTO predictions (app_uid, input_id, model_version_id, concept_id, value, input_seq) \
                 SELECT ?2, p.input_id, p.model_version_id, p.concept_id, p.value, i.seq FROM predictions p \
                 JOIN inputs i ON i.app_uid = ?2 AND i.id = p.input_id \
                 WHERE p.app_uid = ?1 AND p.input_id IN ({list}) ON CONFLICT DO NOTHING"
            );
            let mut params: Vec<Val<'_>> = vec![from.into(), to.into()];
            params.extend(vals);
            self.exec(&sql, &params)?;
        }
        Ok(())
    }

    /// Copies up to `limit` models that were made after `after_seq`, with all their versions: the number of the last
    /// one looked at, how many were copied, and how many left out, because the other app has one with the same id.
    pub fn copy_models(
        &self,
        (from, to): (&str, &str),
        after_seq: i64,
        limit: i64,
    ) -> Result<(Option<i64>, u64, u64)> {
        let (mut last_seq, mut n_copied, mut n_skipped) = (None, 0, 0);
        for row in self.models_page(from, after_seq, limit)? {
            last_seq = Some(row.seq);
            let copy = Model { app_uid: to.to_owned(), ..row };
            match self.insert_model(&copy) {
                Ok(_) => n_copied += 1,
                Err(Error::Conflict(_)) => {
                    n_skipped += 1;
                    continue;
                }
                Err(error) => return Err(error),
            }
            let versions = self.model_versions_page(from, &copy.uid, i64::MAX, i64::MAX)?;
            for version in versions.into_iter().rev() {
                // The job that trains one belongs to the other app.
                let state = match version.state.as_str() {
                    "queued" | "training" => "untrained".to_owned(),
                    other => other.to_owned(),
                };
                self.insert_model_version(&ModelVersion { app_uid: to.to_owned(), state, ..version })?;
            }
            let moved = |blob: ModelBlob| ModelBlob { app_uid: to.to_owned(), ..blob };
            let blobs = self.blobs_of_models(from, &[&copy.uid])?.into_iter().map(moved);
            self.put_model_blobs(&blobs.collect::<Vec<_>>())?;
        }
        Ok((last_seq, n_copied, n_skipped))
    }

    /// Copies up to `limit` concepts after the first `offset`, with their names in other languages; returns how many
    /// were looked at and how many the other app did not have.
    pub fn copy_concepts(&self, (from, to): (&str, &str), offset: i64, limit: i64) -> Result<(i64, u64)> {
        let rows = self.concepts_page(from, limit, offset)?;
        let n_seen = rows.len() as i64;
        let mut copied = Vec::new();
        for row in rows {
            let copy = Concept { app_uid: to.to_owned(), ..row };
            if self.upsert_concept_if_missing(&copy)? {
                copied.push(copy.id);
            }
        }
        for (list, vals) in id_chunks(&copied, 3) {
            let sql = format!(
                "INSERT INTO concept_names (app_uid, {CONCEPT_NAME}) SELECT ?2, {CONCEPT_NAME} FROM concept_names \
                 WHERE app_uid = ?1 AND concept_id IN ({list}) ON CONFLICT DO NOTHING"
            );
            let mut params: Vec<Val<'_>> = vec![from.into(), to.into()];
            params.extend(vals);
            self.exec(&sql, &params)?;
        }
        Ok((n_seen, copied.len() as u64))
    }
}
