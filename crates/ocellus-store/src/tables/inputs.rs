//! Table `inputs`: the images, videos and texts of an app, with the state of their processing.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;
use crate::tables::kept_counts::PageStart;
use crate::{Error, JsonMap, Result};

/// An input of an app.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The app.
    pub app_uid: String,
    /// Unique within the app.
    pub id: String,
    /// The order of creation within the app; given by [`Tx::insert_input`], which ignores this field.
    pub seq: i64,
    /// 0 pending, 1 processing, 2 ready, 3 failed.
    pub state: i64,
    /// Why it failed, as a short code; empty otherwise.
    pub failure_code: String,
    /// Why it failed, in words for the owner; empty otherwise.
    pub failure: String,
    /// `image`, `video`, `text` or `audio`.
    pub kind: String,
    /// Where it came from.
    pub source_url: Option<String>,
    /// The key of its bytes in the blob store.
    pub blob: Option<String>,
    /// The key of its thumbnail in the blob store.
    pub thumb: Option<String>,
    /// SHA-256 of its content, in hex, when it is known.
    pub content_hash: Option<String>,
    /// The perceptual hash; the same 64 bits as the unsigned value.
    pub phash: Option<i64>,
    /// Width in pixels.
    pub width: Option<i64>,
    /// Height in pixels.
    pub height: Option<i64>,
    /// The media type of its bytes.
    pub mime: Option<String>,
    /// Latitude in degrees, -90 to 90.
    pub lat: Option<f64>,
    /// Longitude in degrees, -180 to 180.
    pub lon: Option<f64>,
    /// The owner's own document.
    pub metadata: JsonMap,
    /// Whatever else is known about it: crop, EXIF, colours, …
    pub doc: JsonMap,
    /// When it was created, in microseconds since 1970 UTC.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

/// Which inputs [`Tx::inputs_page`] returns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputQuery {
    /// Only inputs in one of these states; empty means all.
    pub states: Vec<i64>,
    /// Newest first instead of oldest first.
    pub newest_first: bool,
    /// Only inputs behind this one in the chosen order (smaller `seq` when newest first).
    pub after_seq: Option<i64>,
    /// At most this many.
    pub limit: i64,
    /// Leave out this many first.
    pub offset: i64,
}

const COLUMNS: &str = "app_uid, id, seq, state, failure_code, failure, kind, source_url, blob, thumb, \
                       content_hash, phash, width, height, mime, lat, lon, metadata, doc, \
                       created_at_us, modified_at_us";

fn from_row(row: &mut Row) -> Result<Input, BadColumn> {
    Ok(Input {
        app_uid: row.text()?,
        id: row.text()?,
        seq: row.int()?,
        state: row.int()?,
        failure_code: row.text()?,
        failure: row.text()?,
        kind: row.text()?,
        source_url: row.opt_text()?,
        blob: row.opt_text()?,
        thumb: row.opt_text()?,
        content_hash: row.opt_text()?,
        phash: row.opt_int()?,
        width: row.opt_int()?,
        height: row.opt_int()?,
        mime: row.opt_text()?,
        lat: row.opt_real()?,
        lon: row.opt_real()?,
        metadata: row.json()?,
        doc: row.json()?,
        created_at_us: row.int()?,
        modified_at_us: row.int()?,
    })
}

fn to_row(input: &Input, seq: i64) -> Vec<Val<'_>> {
    vec![
        (&input.app_uid).into(),
        (&input.id).into(),
        seq.into(),
        input.state.into(),
        (&input.failure_code).into(),
        (&input.failure).into(),
        (&input.kind).into(),
        (&input.source_url).into(),
        (&input.blob).into(),
        (&input.thumb).into(),
        (&input.content_hash).into(),
        input.phash.into(),
        input.width.into(),
        input.height.into(),
        (&input.mime).into(),
        input.lat.into(),
        input.lon.into(),
        Val::json(&input.metadata),
        Val::json(&input.doc),
        input.created_at_us.into(),
        input.modified_at_us.into(),
        input.source_url.as_deref().map(url_key).into(),
    ]
}

/// What stands in the index for a URL.
fn url_key(url: &str) -> String {
    hex::encode(Sha256::digest(url.as_bytes()))
}

impl Tx<'_> {
    /// Adds an input and returns its `seq`; `Conflict` when the app has one with this id, and then the
    /// transaction goes on.
    pub fn insert_input(&self, input: &Input) -> Result<i64> {
        // Looked for first, so that a refused input takes no number.
        if self.input_exists(&input.app_uid, &input.id)? {
            return Err(Error::Conflict("inputs".to_owned()));
        }
        self.touch_new_input(&input.app_uid, &input.id);
        let seq = self.take_numbers(&input.app_uid, "inputs", 1)?;
        self.insert("inputs", &format!("{COLUMNS}, url_key"), to_row(input, seq))?;
        Ok(seq)
    }

    fn input_exists(&self, app_uid: &str, id: &str) -> Result<bool> {
        let sql = "SELECT seq FROM inputs WHERE app_uid = ?1 AND id = ?2";
        let seq = self.select_one("inputs", sql, &[app_uid.into(), id.into()], |row| row.int())?;
        Ok(seq.is_some())
    }

    /// The number of an input; 0 if there is none.
    pub(crate) fn input_seq(&self, app_uid: &str, id: &str) -> Result<i64> {
        let sql = "SELECT seq FROM inputs WHERE app_uid = ?1 AND id = ?2";
        Ok(self.select_one("inputs", sql, &[app_uid.into(), id.into()], |row| row.int())?.unwrap_or(0))
    }

    /// To be called before an input gets a state, which may be the one it has.
    fn touch_if_not_in(&self, app_uid: &str, id: &str, state: i64) -> Result<()> {
        let sql = "SELECT state FROM inputs WHERE app_uid = ?1 AND id = ?2";
        let now = self.select_one("inputs", sql, &[app_uid.into(), id.into()], |row| row.int())?;
        if now.is_some_and(|now| now != state) { self.touch_inputs(app_uid, &[id]) } else { Ok(()) }
    }

    /// An input by id.
    pub fn input(&self, app_uid: &str, id: &str) -> Result<Option<Input>> {
        let sql = format!("SELECT {COLUMNS} FROM inputs WHERE app_uid = ?1 AND id = ?2");
        self.select_one("inputs", &sql, &[app_uid.into(), id.into()], from_row)
    }

    /// The inputs with these ids, in the order of the ids; missing ones are left out.
    pub fn inputs_by_ids<S: AsRef<str>>(&self, app_uid: &str, ids: &[S]) -> Result<Vec<Input>> {
        let mut found = HashMap::new();
        for (list, vals) in id_chunks(ids, 2) {
            let sql = format!("SELECT {COLUMNS} FROM inputs WHERE app_uid = ?1 AND id IN ({list})");
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            let inputs = self.select("inputs", &sql, &params, from_row)?;
            found.extend(inputs.into_iter().map(|input| (input.id.clone(), input)));
        }
        Ok(ids.iter().filter_map(|id| found.get(id.as_ref()).cloned()).collect())
    }

    /// One page of the app's inputs in the order of creation.
    pub fn inputs_page(&self, app_uid: &str, query: &InputQuery) -> Result<Vec<Input>> {
        let start = match query.after_seq {
            Some(_) => PageStart { after_seq: query.after_seq, offset: query.offset },
            None => self.page_start(app_uid, &query.states, query.newest_first, query.offset)?,
        };
        let mut params: Vec<Val<'_>> = vec![app_uid.into(), query.limit.into(), start.offset.into()];
        let mut tests = String::new();
        if let Some(after) = start.after_seq {
            params.push(after.into());
            let than = if query.newest_first { "<" } else { ">" };
            tests.push_str(&format!(" AND seq {than} ?{}", params.len()));
        }
        if !query.states.is_empty() {
            let first = params.len() + 1;
            params.extend(query.states.iter().map(|&state| Val::Int(state)));
            let list = (first..=params.len()).map(|i| format!("?{i}")).collect::<Vec<_>>().join(",");
            tests.push_str(&format!(" AND state IN ({list})"));
        }
        let order = if query.newest_first { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT {COLUMNS} FROM inputs WHERE app_uid = ?1{tests} \
             ORDER BY seq {order} LIMIT ?2 OFFSET ?3"
        );
        self.select("inputs", &sql, &params, from_row)
    }

    /// The oldest input of the app that came from this URL.
    pub fn input_by_url(&self, app_uid: &str, url: &str) -> Result<Option<Input>> {
        let sql =
            format!("SELECT {COLUMNS} FROM inputs WHERE app_uid = ?1 AND url_key = ?2 ORDER BY seq LIMIT 1");
        self.select_one("inputs", &sql, &[app_uid.into(), url_key(url).into()], from_row)
    }

    /// The app's inputs that came from this URL, oldest first.
    pub fn inputs_by_url(&self, app_uid: &str, url: &str) -> Result<Vec<Input>> {
        let sql = format!("SELECT {COLUMNS} FROM inputs WHERE app_uid = ?1 AND url_key = ?2 ORDER BY seq");
        self.select("inputs", &sql, &[app_uid.into(), url_key(url).into()], from_row)
    }

    /// The app's inputs with these bytes, oldest first.
    pub fn inputs_by_blob(&self, app_uid: &str, blob: &str) -> Result<Vec<Input>> {
        let sql = format!("SELECT {COLUMNS} FROM inputs WHERE blob = ?2 AND app_uid = ?1 ORDER BY seq");
        self.select("inputs", &sql, &[app_uid.into(), blob.into()], from_row)
    }

    /// The app's inputs with this content hash, oldest first.
    pub fn inputs_by_content_hash(&self, app_uid: &str, hash: &str) -> Result<Vec<Input>> {
        let sql =
            format!("SELECT {COLUMNS} FROM inputs WHERE app_uid = ?1 AND content_hash = ?2 ORDER BY seq");
        self.select("inputs", &sql, &[app_uid.into(), hash.into()], from_row)
    }

    /// Writes the whole input except its id, `seq` and creation time; false when there is none.
    pub fn update_input(&self, input: &Input) -> Result<bool> {
        self.touch_if_not_in(&input.app_uid, &input.id, input.state)?;
        let sql = "UPDATE inputs SET state = ?3, failure_code = ?4, failure = ?5, kind = ?6, \
                   source_url = ?7, blob = ?8, thumb = ?9, content_hash = ?10, phash = ?11, \
                   width = ?12, height = ?13, mime = ?14, lat = ?15, lon = ?16, metadata = ?17, \
                   doc = ?18, modified_at_us = ?19, url_key = ?20 WHERE app_uid = ?1 AND id = ?2";
        let mut params = to_row(input, input.seq);
        // The statement's order is the table's without seq and created_at_us.
        params.remove(19);
        params.remove(2);
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Sets the state and its reason (both texts empty unless it failed); false when there is no such
    /// input.
    #[expect(clippy::too_many_arguments, reason = "four columns of the key and the state")]
    pub fn set_input_state(
        &self,
        app_uid: &str,
        id: &str,
        state: i64,
        (failure_code, failure): (&str, &str),
        now_us: i64,
    ) -> Result<bool> {
        self.touch_if_not_in(app_uid, id, state)?;
        let sql = "UPDATE inputs SET state = ?3, failure_code = ?4, failure = ?5, modified_at_us = ?6 \
                   WHERE app_uid = ?1 AND id = ?2";
        let params =
            [app_uid.into(), id.into(), state.into(), failure_code.into(), failure.into(), now_us.into()];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Removes inputs with their labels, annotations, tracks, tasks' work and predictions, and leaves tombstones for their
    /// vectors; returns how many inputs went.
    pub fn delete_inputs<S: AsRef<str>>(&self, app_uid: &str, ids: &[S]) -> Result<u64> {
        self.touch_inputs(app_uid, ids)?;
        self.delete_vectors_of(app_uid, ids)?;
        self.delete_annotation_regions(&self.regions_of_inputs(app_uid, ids)?)?;
        let mut n_deleted = 0;
        for (list, vals) in id_chunks(ids, 2) {
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            self.unindex_annotations_of_inputs(&list, &params)?;
            self.count_datasets_without(&list, &params)?;
            for table in [
                "labels",
                "annotations",
                "annotation_tracks",
                "task_assignments",
                "predictions",
                "dataset_inputs",
                "renditions",
                "video_frames",
            ] {
                let sql = format!("DELETE FROM {table} WHERE app_uid = ?1 AND input_id IN ({list})");
                self.exec(&sql, &params)?;
            }
            let sql = format!("DELETE FROM inputs WHERE app_uid = ?1 AND id IN ({list})");
            n_deleted += self.exec(&sql, &params)?;
        }
        Ok(n_deleted)
    }

    /// Like [`Tx::delete_inputs`] for all inputs of the app.
    pub fn delete_all_inputs(&self, app_uid: &str) -> Result<u64> {
        self.forget_counts(app_uid, None)?;
        self.delete_all_vectors(app_uid)?;
        for table in [
            "labels",
            "annotation_concepts",
            "annotations",
            "annotation_regions",
            "annotation_tracks",
            "task_assignments",
            "predictions",
            "dataset_inputs",
            "renditions",
            "video_frames",
        ] {
            self.exec(&format!("DELETE FROM {table} WHERE app_uid = ?1"), &[app_uid.into()])?;
        }
        self.exec("DELETE FROM inputs WHERE app_uid = ?1", &[app_uid.into()])
    }

    /// Up to `limit` of the newest inputs before `before_seq`: id, number and time of creation, newest first.
    pub fn newest_inputs(
        &self,
        app_uid: &str,
        before_seq: i64,
        limit: i64,
    ) -> Result<Vec<(String, i64, i64)>> {
        let sql = "SELECT id, seq, created_at_us FROM inputs WHERE app_uid = ?1 AND seq < ?2 \
                   ORDER BY seq DESC LIMIT ?3";
        let params = [app_uid.into(), before_seq.into(), limit.into()];
        self.select("inputs", sql, &params, |row| Ok((row.text()?, row.int()?, row.int()?)))
    }
}
