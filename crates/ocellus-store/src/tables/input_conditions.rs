//! Conditions on the columns of table `inputs`, as searches ask them.

use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;
use crate::{JsonMap, Result};

/// What a filter looks at, without the rest of the input.
#[derive(Clone, Debug, PartialEq)]
pub struct InputFacts {
    /// The input.
    pub id: String,
    /// The order of creation within the app.
    pub seq: i64,
    /// 0 pending, 1 processing, 2 ready, 3 failed.
    pub state: i64,
    /// image, video, text or audio.
    pub kind: String,
    /// The owner's own document.
    pub metadata: JsonMap,
    /// Latitude in degrees.
    pub lat: Option<f64>,
    /// Longitude in degrees.
    pub lon: Option<f64>,
    /// Where it came from.
    pub source_url: Option<String>,
    /// The key of its bytes in the blob store.
    pub blob: Option<String>,
    /// When it was last changed, in microseconds since 1970 UTC.
    pub modified_at_us: i64,
}

const FACTS: &str = "id, seq, state, kind, metadata, lat, lon, source_url, blob, modified_at_us";

fn from_row(row: &mut Row) -> Result<InputFacts, BadColumn> {
    Ok(InputFacts {
        id: row.text()?,
        seq: row.int()?,
        state: row.int()?,
        kind: row.text()?,
        metadata: row.json()?,
        lat: row.opt_real()?,
        lon: row.opt_real()?,
        source_url: row.opt_text()?,
        blob: row.opt_text()?,
        modified_at_us: row.int()?,
    })
}

impl Tx<'_> {
    /// The inputs inside a box in degrees, oldest first. A box whose west edge lies east of its east
    /// edge crosses the 180th meridian.
    pub fn input_ids_by_geo_box(
        &self,
        app_uid: &str,
        (south, north): (f64, f64),
        (west, east): (f64, f64),
    ) -> Result<Vec<String>> {
        let across = if west <= east { "lon >= ?4 AND lon <= ?5" } else { "(lon >= ?4 OR lon <= ?5)" };
        let sql = format!(
            "SELECT id FROM inputs WHERE app_uid = ?1 AND lat >= ?2 AND lat <= ?3 AND {across} ORDER BY seq"
        );
        let params = [app_uid.into(), south.into(), north.into(), west.into(), east.into()];
        self.select("inputs", &sql, &params, |row| row.text())
    }

    /// Like [`Tx::input_ids_by_geo_box`] for up to `limit` inputs, in no order.
    pub fn some_inputs_by_geo_box(
        &self,
        app_uid: &str,
        (south, north): (f64, f64),
        (west, east): (f64, f64),
        limit: i64,
    ) -> Result<Vec<String>> {
        let across = if west <= east { "lon >= ?4 AND lon <= ?5" } else { "(lon >= ?4 OR lon <= ?5)" };
        let sql = format!(
            "SELECT id FROM inputs WHERE app_uid = ?1 AND lat >= ?2 AND lat <= ?3 AND {across} LIMIT ?6"
        );
        let params = [app_uid.into(), south.into(), north.into(), west.into(), east.into(), limit.into()];
        self.select("inputs", &sql, &params, Row::text)
    }

    /// Number, id and document of up to `limit` inputs of a kind, created after `after_seq` (0 for all).
    pub fn docs_of_kind(
        &self,
        app_uid: &str,
        kind: &str,
        after_seq: i64,
        limit: i64,
    ) -> Result<Vec<(i64, String, JsonMap)>> {
        let sql = "SELECT seq, id, doc FROM inputs WHERE app_uid = ?1 AND kind = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4";
        let params = [app_uid.into(), kind.into(), after_seq.into(), limit.into()];
        self.select("inputs", sql, &params, |row| Ok((row.int()?, row.text()?, row.json()?)))
    }

    /// What filters look at, for up to `limit` inputs created after `after_seq` (0 for all).
    pub fn inputs_for_filter(&self, app_uid: &str, after_seq: i64, limit: i64) -> Result<Vec<InputFacts>> {
        self.inputs_for_filter_in(app_uid, &[], after_seq, limit)
    }

    /// Like [`Tx::inputs_for_filter`] for inputs in these states; all if none is given.
    pub fn inputs_for_filter_in(
        &self,
        app_uid: &str,
        states: &[i64],
        after_seq: i64,
        limit: i64,
    ) -> Result<Vec<InputFacts>> {
        let mut params: Vec<Val<'_>> = vec![app_uid.into(), after_seq.into(), limit.into()];
        params.extend(states.iter().map(|&state| Val::Int(state)));
        let marks = (4..4 + states.len()).map(|i| format!("?{i}")).collect::<Vec<_>>().join(",");
        let tests = if states.is_empty() { String::new() } else { format!(" AND state IN ({marks})") };
        let sql = format!(
            "SELECT {FACTS} FROM inputs WHERE app_uid = ?1 AND seq > ?2{tests} ORDER BY seq LIMIT ?3"
        );
        self.select("inputs", &sql, &params, from_row)
    }

    /// What filters look at, for the inputs with these ids, in no order.
    pub fn facts_of_inputs<S: AsRef<str>>(&self, app_uid: &str, ids: &[S]) -> Result<Vec<InputFacts>> {
        let mut found = Vec::new();
        for (list, vals) in id_chunks(ids, 2) {
            let sql = format!("SELECT {FACTS} FROM inputs WHERE app_uid = ?1 AND id IN ({list})");
            let mut params: Vec<Val<'_>> = vec![app_uid.into()];
            params.extend(vals);
            found.extend(self.select("inputs", &sql, &params, from_row)?);
        }
        Ok(found)
    }

    /// Like [`Tx::input_ids_by_change`] for up to `limit` inputs.
    pub fn some_inputs_by_change(
        &self,
        app_uid: &str,
        (from_us, to_us): (i64, i64),
        limit: i64,
    ) -> Result<Vec<String>> {
        let sql = "SELECT id FROM inputs \
                   WHERE app_uid = ?1 AND modified_at_us >= ?2 AND modified_at_us <= ?3 LIMIT ?4";
        let params = [app_uid.into(), from_us.into(), to_us.into(), limit.into()];
        self.select("inputs", sql, &params, Row::text)
    }

    /// The inputs last changed at or after `from_us` and at or before `to_us`.
    pub fn input_ids_by_change(&self, app_uid: &str, from_us: i64, to_us: i64) -> Result<Vec<String>> {
        let sql =
            "SELECT id FROM inputs WHERE app_uid = ?1 AND modified_at_us >= ?2 AND modified_at_us <= ?3";
        self.select("inputs", sql, &[app_uid.into(), from_us.into(), to_us.into()], |row| row.text())
    }

    /// The inputs in these states.
    pub fn input_ids_by_state(&self, app_uid: &str, states: &[i64]) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for &state in states {
            let sql = "SELECT id FROM inputs WHERE app_uid = ?1 AND state = ?2";
            ids.extend(self.select("inputs", sql, &[app_uid.into(), state.into()], |row| row.text())?);
        }
        Ok(ids)
    }
}
