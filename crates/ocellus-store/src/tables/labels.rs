//! Table `labels`: the concepts that people have put on inputs.

use std::collections::{BTreeSet, HashMap};

use crate::Result;
use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;

/// A concept that somebody has put on an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The app.
    pub app_uid: String,
    /// The input.
    pub input_id: String,
    /// The annotation that says so; empty for the input's own.
    pub annotation_id: String,
    /// The concept.
    pub concept_id: String,
    /// 1 says that the concept is there, 0 that it is not.
    pub value: f64,
    /// Who said so.
    pub account_id: String,
    /// When it was first said, in microseconds since 1970 UTC.
    pub created_at_us: i64,
}

const COLUMNS: &str = "app_uid, input_id, annotation_id, concept_id, value, account_id, created_at_us";

/// Values from here on say yes.
const POSITIVE_FROM: f64 = 0.5;

fn from_row(row: &mut Row) -> Result<Label, BadColumn> {
    Ok(Label {
        app_uid: row.text()?,
        input_id: row.text()?,
        annotation_id: row.text()?,
        concept_id: row.text()?,
        value: row.real()?,
        account_id: row.text()?,
        created_at_us: row.int()?,
    })
}

impl Tx<'_> {
    /// Adds labels of one app, or changes the value of those that exist; a changed one keeps its
    /// place and time.
    pub fn put_labels(&self, labels: &[Label]) -> Result<()> {
        self.put_labels_of(labels, false)
    }

    /// Like [`Tx::put_labels`] for concepts of a part of the input only, which the input does not show as
    /// its own.
    pub fn put_region_labels(&self, labels: &[Label]) -> Result<()> {
        self.put_labels_of(labels, true)
    }

    fn put_labels_of(&self, labels: &[Label], region: bool) -> Result<()> {
        let Some(app_uid) = labels.first().map(|label| label.app_uid.as_str()) else {
            return Ok(());
        };
        // The last of several equal keys wins, at the place of the first.
        let mut places = HashMap::new();
        let mut unique: Vec<&Label> = Vec::new();
        for label in labels {
            let key = (&label.input_id, &label.annotation_id, &label.concept_id);
            let place = *places.entry(key).or_insert(unique.len());
            match unique.get_mut(place) {
                Some(earlier) => *earlier = label,
                None => unique.push(label),
            }
        }
        let input_ids: BTreeSet<&str> = unique.iter().map(|label| label.input_id.as_str()).collect();
        let input_ids: Vec<&str> = input_ids.into_iter().collect();
        self.touch_inputs(app_uid, &input_ids)?;
        let seqs = self.input_seqs(app_uid, &input_ids)?;
        let first = self.take_numbers(app_uid, "labels", unique.len() as i64)?;
        let rows = unique.into_iter().zip(first..).map(|(label, seq)| {
            vec![
                app_uid.into(),
                (&label.input_id).into(),
                (&label.annotation_id).into(),
                (&label.concept_id).into(),
                label.value.into(),
                (&label.account_id).into(),
                label.created_at_us.into(),
                seq.into(),
                Val::flag(region),
                Val::flag(label.value >= POSITIVE_FROM),
                seqs.get(&label.input_id).copied().unwrap_or(0).into(),
            ]
        });
        let tail = "ON CONFLICT (app_uid, input_id, annotation_id, concept_id) \
                    DO UPDATE SET value = excluded.value, account_id = excluded.account_id, \
                    region = excluded.region, positive = excluded.positive";
        let columns = format!("{COLUMNS}, seq, region, positive, input_seq");
        self.insert_many("labels", &columns, tail, rows.collect())?;
        Ok(())
    }

    /// The labels of these inputs, those of one input in the order in which they were first put.
    pub fn labels_of_inputs<S: AsRef<str>>(&self, app_uid: &str, input_ids: &[S]) -> Result<Vec<Label>> {
        let mut labels = Vec::new();
        for (list, vals) in id_chunks(input_ids, 2) {
            let sql = format!(
                "SELECT {COLUMNS} FROM labels WHERE app_uid = ?1 AND input_id IN ({list}) \
                 ORDER BY input_id, seq"
            );
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            labels.extend(self.select("labels", &sql, &params, from_row)?);
        }
        Ok(labels)
    }

    /// Like [`Tx::labels_of_inputs`] without those of parts of the inputs.
    pub fn whole_labels_of_inputs<S: AsRef<str>>(
        &self,
        app_uid: &str,
        input_ids: &[S],
    ) -> Result<Vec<Label>> {
        let mut labels = Vec::new();
        for (list, vals) in id_chunks(input_ids, 2) {
            let sql = format!(
                "SELECT {COLUMNS} FROM labels WHERE app_uid = ?1 AND input_id IN ({list}) AND region = 0 \
                 ORDER BY input_id, seq"
            );
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            labels.extend(self.select("labels", &sql, &params, from_row)?);
        }
        Ok(labels)
    }

    /// Removes the labels of an annotation, except those with these concepts.
    pub fn delete_labels_of_annotation<S: AsRef<str>>(
        &self,
        app_uid: &str,
        annotation_id: &str,
        except: &[S],
    ) -> Result<u64> {
        let sql = "SELECT concept_id, input_id FROM labels WHERE app_uid = ?1 AND annotation_id = ?2";
        let pair = |row: &mut Row| Ok((row.text()?, row.text()?));
        let mut found = self.select("labels", sql, &[app_uid.into(), annotation_id.into()], pair)?;
        found.retain(|(id, _)| !except.iter().any(|kept| kept.as_ref() == id));
        let (gone, input_ids): (Vec<String>, Vec<String>) = found.into_iter().unzip();
        self.touch_inputs(app_uid, &input_ids)?;
        let mut n_deleted = 0;
        for (list, vals) in id_chunks(&gone, 3) {
            let sql = format!(
                "DELETE FROM labels WHERE app_uid = ?1 AND annotation_id = ?2 AND concept_id || '' IN ({list})"
            );
            let mut params = vec![app_uid.into(), annotation_id.into()];
            params.extend(vals);
            n_deleted += self.exec(&sql, &params)?;
        }
        Ok(n_deleted)
    }

    /// Removes labels from an input: those with these concepts, or all when `concept_ids` is `None`;
    /// returns how many.
    pub fn delete_labels<S: AsRef<str>>(
        &self,
        app_uid: &str,
        input_id: &str,
        concept_ids: Option<&[S]>,
    ) -> Result<u64> {
        self.touch_inputs(app_uid, &[input_id])?;
        let Some(concept_ids) = concept_ids else {
            let sql = "DELETE FROM labels WHERE app_uid = ?1 AND input_id = ?2";
            return self.exec(sql, &[app_uid.into(), input_id.into()]);
        };
        let mut n_deleted = 0;
        for (list, vals) in id_chunks(concept_ids, 3) {
            // As an expression the concept cannot lead to the index of concepts, where SQLite would look
            // through every input with this concept.
            let sql = format!(
                "DELETE FROM labels WHERE app_uid = ?1 AND input_id = ?2 AND concept_id || '' IN ({list})"
            );
            let mut params = vec![app_uid.into(), input_id.into()];
            params.extend(vals);
            n_deleted += self.exec(&sql, &params)?;
        }
        Ok(n_deleted)
    }

    /// The inputs with any of these concepts said to be there (or, with `positive` false, said not to
    /// be there), each once, by id.
    pub fn inputs_with_label<S: AsRef<str>>(
        &self,
        app_uid: &str,
        concept_ids: &[S],
        positive: bool,
    ) -> Result<Vec<String>> {
        let mut ids = BTreeSet::new();
        for (list, vals) in id_chunks(concept_ids, 3) {
            let sql = format!(
                "SELECT DISTINCT input_id FROM labels \
                 WHERE app_uid = ?1 AND concept_id IN ({list}) AND positive = ?2"
            );
            let mut params = vec![app_uid.into(), Val::flag(positive)];
            params.extend(vals);
            ids.extend(self.select("labels", &sql, &params, |row| row.text())?);
        }
        Ok(ids.into_iter().collect())
    }
}
