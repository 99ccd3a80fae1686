//! Table `annotation_regions`: the parts of images that annotations mark, and whether each is described by a vector of
//! its own. The vectors lie in the table `vectors` under the key of the part.

use crate::Result;
use crate::db::{BadColumn, Row, Tx, Val};
use crate::page::id_chunks;

/// Waits for its vector.
const WAITING: i64 = 0;
/// Has its vector.
const DESCRIBED: i64 = 1;
/// Will never have one.
const FAILED: i64 = 2;

/// A part of an image that an annotation marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnotationRegion {
    /// The app.
    pub app_uid: String,
    /// The annotation.
    pub annotation_id: String,
    /// Unique within the annotation.
    pub region_id: String,
    /// The input.
    pub input_id: String,
    /// Tells one outline from another.
    pub outline: String,
}

impl AnnotationRegion {
    /// Under which its vector lies. No id of an input has a line feed in it.
    pub fn key(&self) -> String {
        format!("{}\n{}", self.annotation_id, self.region_id)
    }
}

const COLUMNS: &str = "app_uid, annotation_id, region_id, input_id, outline";

fn from_row(row: &mut Row) -> Result<AnnotationRegion, BadColumn> {
    Ok(AnnotationRegion {
        app_uid: row.text()?,
        annotation_id: row.text()?,
        region_id: row.text()?,
        input_id: row.text()?,
        outline: row.text()?,
    })
}

impl Tx<'_> {
    /// Adds parts that wait for their vectors, or makes known ones wait again; vectors that they had are buried.
    pub fn put_annotation_regions(&self, regions: &[AnnotationRegion]) -> Result<()> {
        let Some(first) = regions.first() else { return Ok(()) };
        let keys: Vec<String> = regions.iter().map(AnnotationRegion::key).collect();
        self.delete_vectors_of(&first.app_uid, &keys)?;
        let rows = regions.iter().map(|region| {
            vec![
                (&region.app_uid).into(),
                (&region.annotation_id).into(),
                (&region.region_id).into(),
                (&region.input_id).into(),
                (&region.outline).into(),
                WAITING.into(),
            ]
        });
        let tail = "ON CONFLICT (app_uid, annotation_id, region_id) DO UPDATE SET input_id = excluded.input_id, \
                    outline = excluded.outline, state = excluded.state";
        self.insert_many("annotation_regions", &format!("{COLUMNS}, state"), tail, rows.collect())?;
        Ok(())
    }

    /// The parts that an annotation marks.
    pub fn regions_of_annotation(&self, app_uid: &str, annotation_id: &str) -> Result<Vec<AnnotationRegion>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM annotation_regions WHERE app_uid = ?1 AND annotation_id = ?2 ORDER BY region_id"
        );
        self.select("annotation_regions", &sql, &[app_uid.into(), annotation_id.into()], from_row)
    }

    /// Up to `limit` parts of an input that wait for their vectors.
    pub fn waiting_regions(
        &self,
        app_uid: &str,
        input_id: &str,
        limit: i64,
    ) -> Result<Vec<AnnotationRegion>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM annotation_regions WHERE app_uid = ?1 AND input_id = ?2 AND state = ?3 \
             ORDER BY annotation_id, region_id LIMIT ?4"
        );
        let params = [app_uid.into(), input_id.into(), WAITING.into(), limit.into()];
        self.select("annotation_regions", &sql, &params, from_row)
    }

    /// Notes that a part has its vector or, if not, will never have one; false if it is gone or has another outline.
    pub fn end_region(&self, region: &AnnotationRegion, described: bool) -> Result<bool> {
        let sql = "UPDATE annotation_regions SET state = ?5 \
                   WHERE app_uid = ?1 AND annotation_id = ?2 AND region_id = ?3 AND outline = ?4";
        let params = [
            (&region.app_uid).into(),
            (&region.annotation_id).into(),
            (&region.region_id).into(),
            (&region.outline).into(),
            if described { DESCRIBED } else { FAILED }.into(),
        ];
        Ok(self.exec(sql, &params)? > 0)
    }

    /// Up to `limit` described parts of an app after a place, by annotation and part. A place is the last
    /// annotation and part of the page before; empty for the start.
    pub fn described_regions(
        &self,
        app_uid: &str,
        (annotation_id, region_id): (&str, &str),
        limit: i64,
    ) -> Result<Vec<AnnotationRegion>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM annotation_regions WHERE app_uid = ?1 \
             AND (annotation_id, region_id) > (?2, ?3) AND state = ?4 ORDER BY annotation_id, region_id LIMIT ?5"
        );
        let params = [app_uid.into(), annotation_id.into(), region_id.into(), DESCRIBED.into(), limit.into()];
        self.select("annotation_regions", &sql, &params, from_row)
    }

    /// The described parts of these annotations.
    pub fn described_regions_of<S: AsRef<str>>(
        &self,
        app_uid: &str,
        annotation_ids: &[S],
    ) -> Result<Vec<AnnotationRegion>> {
        let mut regions = Vec::new();
        for (list, vals) in id_chunks(annotation_ids, 3) {
            let sql = format!(
                "SELECT {COLUMNS} FROM annotation_regions \
                 WHERE app_uid = ?1 AND annotation_id IN ({list}) AND state = ?2"
            );
            let mut params: Vec<Val<'_>> = vec![app_uid.into(), DESCRIBED.into()];
            params.extend(vals);
            regions.extend(self.select("annotation_regions", &sql, &params, from_row)?);
        }
        Ok(regions)
    }

    /// Every part of these inputs.
    pub fn regions_of_inputs<S: AsRef<str>>(
        &self,
        app_uid: &str,
        input_ids: &[S],
    ) -> Result<Vec<AnnotationRegion>> {
        let mut regions = Vec::new();
        for (list, vals) in id_chunks(input_ids, 2) {
            let sql = format!(
                "SELECT {COLUMNS} FROM annotation_regions WHERE app_uid = ?1 AND input_id IN ({list})"
            );
            let mut params: Vec<Val<'_>> = vec![app_uid.into()];
            params.extend(vals);
            regions.extend(self.select("annotation_regions", &sql, &params, from_row)?);
        }
        Ok(regions)
    }

    /// Removes parts of one app, and buries their vectors.
    pub fn delete_annotation_regions(&self, regions: &[AnnotationRegion]) -> Result<()> {
        let Some(first) = regions.first() else { return Ok(()) };
        let keys: Vec<String> = regions.iter().map(AnnotationRegion::key).collect();
        self.delete_vectors_of(&first.app_uid, &keys)?;
        let sql =
            "DELETE FROM annotation_regions WHERE app_uid = ?1 AND annotation_id = ?2 AND region_id = ?3";
        for region in regions {
            let params =
                [(&region.app_uid).into(), (&region.annotation_id).into(), (&region.region_id).into()];
            self.exec(sql, &params)?;
        }
        Ok(())
    }

    /// Removes every part that these annotations mark, and buries their vectors.
    pub(crate) fn delete_regions_of_annotations<S: AsRef<str>>(
        &self,
        app_uid: &str,
        annotation_ids: &[S],
    ) -> Result<()> {
        for (list, vals) in id_chunks(annotation_ids, 2) {
            let sql = format!(
                "SELECT {COLUMNS} FROM annotation_regions WHERE app_uid = ?1 AND annotation_id IN ({list})"
            );
            let mut params: Vec<Val<'_>> = vec![app_uid.into()];
            params.extend(vals);
            let regions = self.select("annotation_regions", &sql, &params, from_row)?;
            self.delete_annotation_regions(&regions)?;
        }
        Ok(())
    }
}
