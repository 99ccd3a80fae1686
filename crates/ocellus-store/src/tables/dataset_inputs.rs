//! Table `dataset_inputs`: which inputs are in which dataset of an app.

use std::collections::{BTreeMap, HashMap};

use crate::Result;
use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;

/// An input in a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetInput {
    /// The app.
    pub app_uid: String,
    /// The dataset's internal id.
    pub dataset_uid: String,
    /// The input.
    pub input_id: String,
    /// Its place in the order of adding, over all datasets of the app; set by the insertion.
    pub seq: i64,
    /// The id that clients use for the dataset.
    pub dataset_id: String,
    /// Who added it.
    pub account_id: String,
    /// The public id of the key with which it was added.
    pub key_id: String,
    /// When it was added, in microseconds since 1970 UTC.
    pub created_at_us: i64,
}

const COLUMNS: &str = "app_uid, dataset_uid, input_id, seq, dataset_id, account_id, key_id, created_at_us";

fn from_row(row: &mut Row) -> Result<DatasetInput, BadColumn> {
    Ok(DatasetInput {
        app_uid: row.text()?,
        dataset_uid: row.text()?,
        input_id: row.text()?,
        seq: row.int()?,
        dataset_id: row.text()?,
        account_id: row.text()?,
        key_id: row.text()?,
        created_at_us: row.int()?,
    })
}

impl Tx<'_> {
    /// Adds inputs to datasets of one app; one that is there already stays as it is. Returns how many were added.
    pub fn put_dataset_inputs(&self, rows: &[DatasetInput]) -> Result<u64> {
        let Some(app_uid) = rows.first().map(|row| row.app_uid.as_str()) else { return Ok(0) };
        let first = self.take_numbers(app_uid, "dataset_inputs", rows.len() as i64)?;
        let mut by_dataset: BTreeMap<&str, Vec<Vec<Val<'_>>>> = BTreeMap::new();
        for (row, seq) in rows.iter().zip(first..) {
            by_dataset.entry(&row.dataset_uid).or_default().push(vec![
                (&row.app_uid).into(),
                (&row.dataset_uid).into(),
                (&row.input_id).into(),
                seq.into(),
                (&row.dataset_id).into(),
                (&row.account_id).into(),
                (&row.key_id).into(),
                row.created_at_us.into(),
            ]);
        }
        let tail = "ON CONFLICT (app_uid, dataset_uid, input_id) DO NOTHING";
        let mut n_added = 0;
        for (dataset_uid, rows) in by_dataset {
            let n = self.insert_many("dataset_inputs", COLUMNS, tail, rows)?;
            self.add_to_dataset_count(app_uid, dataset_uid, n as i64);
            n_added += n;
        }
        Ok(n_added)
    }

    /// A dataset's inputs in the order of adding, after a place (0 for the start).
    pub fn dataset_inputs_page(
        &self,
        app_uid: &str,
        dataset_uid: &str,
        after_seq: i64,
        (limit, offset): (i64, i64),
    ) -> Result<Vec<DatasetInput>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM dataset_inputs WHERE app_uid = ?1 AND dataset_uid = ?2 AND seq > ?3 \
             ORDER BY seq LIMIT ?4 OFFSET ?5"
        );
        let params = [app_uid.into(), dataset_uid.into(), after_seq.into(), limit.into(), offset.into()];
        self.select("dataset_inputs", &sql, &params, from_row)
    }

    /// Those of these inputs that are in a dataset, in the order of the ids.
    pub fn dataset_inputs_by_ids<S: AsRef<str>>(
        &self,
        app_uid: &str,
        dataset_uid: &str,
        input_ids: &[S],
    ) -> Result<Vec<DatasetInput>> {
        let mut found = HashMap::new();
        for (list, vals) in id_chunks(input_ids, 3) {
            let sql = format!(
                "SELECT {COLUMNS} FROM dataset_inputs \
                 WHERE app_uid = ?1 AND dataset_uid = ?2 AND input_id IN ({list})"
            );
            let mut params = vec![app_uid.into(), dataset_uid.into()];
            params.extend(vals);
            let rows = self.select("dataset_inputs", &sql, &params, from_row)?;
            found.extend(rows.into_iter().map(|row| (row.input_id.clone(), row)));
        }
        Ok(input_ids.iter().filter_map(|id| found.get(id.as_ref()).cloned()).collect())
    }

    /// The memberships of these inputs in any dataset, those of one input in the order of adding. Some may
    /// belong to a dataset that was deleted and whose rows are still being removed.
    pub fn datasets_of_inputs<S: AsRef<str>>(
        &self,
        app_uid: &str,
        input_ids: &[S],
    ) -> Result<Vec<DatasetInput>> {
        let mut rows = Vec::new();
        for (list, vals) in id_chunks(input_ids, 2) {
            let sql = format!(
                "SELECT {COLUMNS} FROM dataset_inputs WHERE app_uid = ?1 AND input_id IN ({list}) \
                 ORDER BY input_id, seq"
            );
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            rows.extend(self.select("dataset_inputs", &sql, &params, from_row)?);
        }
        Ok(rows)
    }

    /// The ids of all inputs of a dataset, in no order.
    pub fn dataset_input_ids(&self, app_uid: &str, dataset_uid: &str) -> Result<Vec<String>> {
        let sql = "SELECT input_id FROM dataset_inputs WHERE app_uid = ?1 AND dataset_uid = ?2";
        self.select("dataset_inputs", sql, &[app_uid.into(), dataset_uid.into()], |row| row.text())
    }

    /// To be called before inputs go: notes that their datasets have fewer.
    pub(crate) fn count_datasets_without(&self, list: &str, params: &[Val<'_>]) -> Result<()> {
        let sql = format!(
            "SELECT app_uid, dataset_uid FROM dataset_inputs WHERE app_uid = ?1 AND input_id IN ({list})"
        );
        let left = self.select("dataset_inputs", &sql, params, |row| Ok((row.text()?, row.text()?)))?;
        for (app_uid, dataset_uid) in left {
            self.add_to_dataset_count(&app_uid, &dataset_uid, -1);
        }
        Ok(())
    }

    /// Takes inputs out of a dataset; returns how many.
    pub fn delete_dataset_inputs<S: AsRef<str>>(
        &self,
        app_uid: &str,
        dataset_uid: &str,
        input_ids: &[S],
    ) -> Result<u64> {
        let mut n_deleted = 0;
        for (list, vals) in id_chunks(input_ids, 3) {
            let sql = format!(
                "DELETE FROM dataset_inputs WHERE app_uid = ?1 AND dataset_uid = ?2 AND input_id IN ({list})"
            );
            let mut params = vec![app_uid.into(), dataset_uid.into()];
            params.extend(vals);
            n_deleted += self.exec(&sql, &params)?;
        }
        self.add_to_dataset_count(app_uid, dataset_uid, -(n_deleted as i64));
        Ok(n_deleted)
    }

    /// Removes up to `limit` rows of a dataset that was deleted; returns how many went.
    pub fn purge_dataset_inputs(&self, app_uid: &str, dataset_uid: &str, limit: i64) -> Result<u64> {
        let sql = "DELETE FROM dataset_inputs WHERE app_uid = ?1 AND dataset_uid = ?2 AND input_id IN \
                   (SELECT input_id FROM dataset_inputs WHERE app_uid = ?1 AND dataset_uid = ?2 LIMIT ?3)";
        let n_deleted = self.exec(sql, &[app_uid.into(), dataset_uid.into(), limit.into()])?;
        self.forget_counts_of_dataset(app_uid, dataset_uid)?;
        Ok(n_deleted)
    }
}
