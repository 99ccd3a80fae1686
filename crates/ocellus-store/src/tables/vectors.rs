//! Table `vectors`: the embeddings of inputs. These rows are the truth from which indexes are built;
//! a deleted vector leaves a tombstone, so that an index can follow by reading what is new.

use std::collections::HashMap;

use crate::Result;
use crate::db::{BadColumn, Row, Tx};
use crate::page::id_chunks;
use crate::tables::inputs::Input;

/// The embedding of an input in one space.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    /// The app.
    pub app_uid: String,
    /// The space: the id of the model version that made it.
    pub space: String,
    /// The input.
    pub input_id: String,
    /// The order of the last change within the app; given by the store, which ignores this field in
    /// what it is told to write.
    pub seq: i64,
    /// Whether this is the tombstone of a vector that was deleted; `data` is empty then.
    pub deleted: bool,
    /// The numbers, kept as little-endian 32-bit floats.
    pub data: Vec<f32>,
}

const COLUMNS: &str = "app_uid, space, input_id, seq, deleted, data";

/// Whether an input has pixels but no vector in the space `?1`.
const LACKING: &str = "inputs.kind IN ('image', 'video') AND NOT EXISTS (SELECT 1 FROM vectors \
                       WHERE vectors.app_uid = inputs.app_uid AND vectors.space = ?1 \
                       AND vectors.input_id = inputs.id AND vectors.deleted = 0)";

fn from_row(row: &mut Row) -> Result<Vector, BadColumn> {
    Ok(Vector {
        app_uid: row.text()?,
        space: row.text()?,
        input_id: row.text()?,
        seq: row.int()?,
        deleted: row.flag()?,
        data: row.floats()?,
    })
}

fn to_bytes(data: &[f32]) -> Vec<u8> {
    data.iter().flat_map(|x| x.to_le_bytes()).collect()
}

impl Tx<'_> {
    /// Adds or replaces vectors of one app, each with a new `seq`; returns the last one, or 0 for none.
    pub fn put_vectors(&self, vectors: &[Vector]) -> Result<i64> {
        let Some(app_uid) = vectors.first().map(|vector| vector.app_uid.as_str()) else {
            return Ok(0);
        };
        // The last of several vectors for the same input and space wins.
        let mut last = HashMap::new();
        for (i, vector) in vectors.iter().enumerate() {
            last.insert((&vector.space, &vector.input_id), i);
        }
        let mut kept: Vec<usize> = last.into_values().collect();
        kept.sort_unstable();
        let n_kept = kept.len() as i64;
        let first = self.take_numbers(app_uid, "vectors", n_kept)?;
        let rows = kept.into_iter().zip(first..).map(|(i, seq)| {
            let vector = &vectors[i];
            vec![
                app_uid.into(),
                (&vector.space).into(),
                (&vector.input_id).into(),
                seq.into(),
                0_i64.into(),
                to_bytes(&vector.data).into(),
            ]
        });
        let tail = "ON CONFLICT (app_uid, space, input_id) \
                    DO UPDATE SET seq = excluded.seq, deleted = 0, data = excluded.data";
        self.insert_many("vectors", COLUMNS, tail, rows.collect())?;
        Ok(first + n_kept - 1)
    }

    /// Puts tombstones in place of all vectors of these inputs, whatever their space; returns how many.
    pub fn delete_vectors_of<S: AsRef<str>>(&self, app_uid: &str, input_ids: &[S]) -> Result<u64> {
        let mut n_deleted = 0;
        for (list, vals) in id_chunks(input_ids, 4) {
            n_deleted += self.bury_vectors(app_uid, &format!("AND input_id IN ({list})"), vals)?;
        }
        Ok(n_deleted)
    }

    /// Puts tombstones in place of all vectors of the app; returns how many.
    pub(crate) fn delete_all_vectors(&self, app_uid: &str) -> Result<u64> {
        self.bury_vectors(app_uid, "", Vec::new())
    }

    fn bury_vectors(&self, app_uid: &str, test: &str, vals: Vec<crate::db::Val<'_>>) -> Result<u64> {
        // ?2 and ?3 are only used by the update; the count repeats the list from ?4 on.
        let count =
            format!("SELECT COUNT(*) FROM vectors WHERE app_uid = ?1 AND seq >= ?2 AND deleted = ?3 {test}");
        let mut params = vec![app_uid.into(), 0_i64.into(), 0_i64.into()];
        params.extend(vals.iter().cloned());
        let n = self.select_one("vectors", &count, &params, |row| row.int())?.unwrap_or(0);
        if n == 0 {
            return Ok(0);
        }
        let first = self.take_numbers(app_uid, "vectors", n)?;
        let update = format!(
            "UPDATE vectors SET deleted = 1, data = ?3, seq = ?2 + fresh.place FROM \
             (SELECT space, input_id, ROW_NUMBER() OVER (ORDER BY seq) AS place FROM vectors \
              WHERE app_uid = ?1 AND deleted = 0 {test}) AS fresh \
             WHERE vectors.app_uid = ?1 AND vectors.space = fresh.space \
             AND vectors.input_id = fresh.input_id"
        );
        let mut params = vec![app_uid.into(), (first - 1).into(), Vec::<u8>::new().into()];
        params.extend(vals);
        self.exec(&update, &params)
    }

    /// Up to `limit` changes of a space after `after_seq` (0 for all), tombstones included, in order.
    pub fn vectors_since(
        &self,
        app_uid: &str,
        space: &str,
        after_seq: i64,
        limit: i64,
    ) -> Result<Vec<Vector>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM vectors WHERE app_uid = ?1 AND space = ?2 AND seq > ?3 \
             ORDER BY seq LIMIT ?4"
        );
        let params = [app_uid.into(), space.into(), after_seq.into(), limit.into()];
        self.select("vectors", &sql, &params, from_row)
    }

    /// The vectors of these inputs in every space, tombstones left out.
    pub fn vectors_of_inputs<S: AsRef<str>>(&self, app_uid: &str, input_ids: &[S]) -> Result<Vec<Vector>> {
        let mut vectors = Vec::new();
        for (list, vals) in id_chunks(input_ids, 2) {
            let sql = format!(
                "SELECT {COLUMNS} FROM vectors WHERE app_uid = ?1 AND input_id IN ({list}) AND deleted = 0 \
                 ORDER BY seq"
            );
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            vectors.extend(self.select("vectors", &sql, &params, from_row)?);
        }
        Ok(vectors)
    }

    /// The vectors of these inputs in a space, in any order, tombstones left out.
    pub fn vectors_in<S: AsRef<str>>(
        &self,
        app_uid: &str,
        space: &str,
        input_ids: &[S],
    ) -> Result<Vec<Vector>> {
        let mut vectors = Vec::new();
        for (list, vals) in id_chunks(input_ids, 3) {
            let sql = format!(
                "SELECT {COLUMNS} FROM vectors \
                 WHERE app_uid = ?1 AND space = ?2 AND input_id IN ({list}) AND deleted = 0"
            );
            let mut params = vec![app_uid.into(), space.into()];
            params.extend(vals);
            vectors.extend(self.select("vectors", &sql, &params, from_row)?);
        }
        Ok(vectors)
    }

    /// The vector of an input in a space; a deleted one is not found.
    pub fn vector(&self, app_uid: &str, space: &str, input_id: &str) -> Result<Option<Vector>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM vectors \
             WHERE app_uid = ?1 AND space = ?2 AND input_id = ?3 AND deleted = 0"
        );
        let params = [app_uid.into(), space.into(), input_id.into()];
        self.select_one("vectors", &sql, &params, from_row)
    }

    /// The apps, with their owners, that have images or videos in `state` without a vector in a space.
    pub fn apps_lacking_vectors(&self, space: &str, state: i64) -> Result<Vec<(String, String)>> {
        let sql = format!(
            "SELECT uid, account_id FROM apps WHERE deleted_at_us IS NULL AND EXISTS (SELECT 1 FROM inputs \
             WHERE inputs.app_uid = apps.uid AND inputs.state = ?2 AND {LACKING})"
        );
        self.select("apps", &sql, &[space.into(), state.into()], |row| Ok((row.text()?, row.text()?)))
    }

    /// Up to `limit` images and videos in `state` without a vector in a space, created after `after_seq` (0 for all), in
    /// the order of creation.
    pub fn inputs_lacking_vector(
        &self,
        (app_uid, space): (&str, &str),
        state: i64,
        after_seq: i64,
        limit: i64,
    ) -> Result<Vec<Input>> {
        let sql = format!(
            "SELECT id FROM inputs WHERE app_uid = ?5 AND state = ?2 AND seq > ?3 AND {LACKING} \
             ORDER BY seq LIMIT ?4"
        );
        let params = [space.into(), state.into(), after_seq.into(), limit.into(), app_uid.into()];
        let ids: Vec<String> = self.select("inputs", &sql, &params, |row| row.text())?;
        let mut inputs = self.inputs_by_ids(app_uid, &ids)?;
        inputs.sort_by_key(|input| input.seq);
        Ok(inputs)
    }

    /// How many vectors a space holds, tombstones not counted.
    pub fn count_vectors(&self, app_uid: &str, space: &str) -> Result<i64> {
        let sql = "SELECT COUNT(*) FROM vectors WHERE app_uid = ?1 AND space = ?2 AND deleted = 0";
        let params = [app_uid.into(), space.into()];
        Ok(self.select_one("vectors", sql, &params, |row| row.int())?.unwrap_or(0))
    }

    /// The inputs whose vectors in a space were written after `after_seq`.
    pub fn inputs_with_vector_since(
        &self,
        app_uid: &str,
        space: &str,
        after_seq: i64,
    ) -> Result<Vec<String>> {
        let sql =
            "SELECT input_id FROM vectors WHERE app_uid = ?1 AND space = ?2 AND seq > ?3 AND deleted = 0";
        self.select("vectors", sql, &[app_uid.into(), space.into(), after_seq.into()], |row| row.text())
    }

    /// The `seq` of the latest change in a space, or 0.
    pub fn last_vector_seq(&self, app_uid: &str, space: &str) -> Result<i64> {
        let sql = "SELECT seq FROM vectors WHERE app_uid = ?1 AND space = ?2 ORDER BY seq DESC LIMIT 1";
        let params = [app_uid.into(), space.into()];
        Ok(self.select_one("vectors", sql, &params, |row| row.int())?.unwrap_or(0))
    }
}
