//! The boxes that people drew on images of an app or of a frozen dataset version.

use std::collections::HashMap;

use ocellus_algo::detect;
use ocellus_algo::detect::learn::Drawn;
use ocellus_interchange::Shape;
use ocellus_store as store;
use serde_json::Value;

use crate::datasets::frozen::{self, Frozen};
use crate::datasets::{self, versions};
use crate::inputs::STATE_READY;
use crate::learning::{MAX_SAMPLES, SampleSource};
use crate::{CropBox, Error, Platform, Result};

/// Inputs read at once.
const BATCH: i64 = 500;

/// An image with what was drawn on it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    pub input_id: String,
    /// The hash of its bytes.
    pub blob: String,
    /// The part that the boxes are on.
    pub crop: Option<CropBox>,
    pub phash: Option<u64>,
    pub drawn: Vec<Drawn>,
}

/// The images of the source that have a box with any of the concepts, in the source's order. `TooLarge` if they are too
/// many.
pub(super) async fn read(
    platform: &Platform,
    app_uid: &str,
    concept_ids: &[String],
    source: SampleSource,
) -> Result<Vec<Picture>> {
    let (uid, concepts) = (app_uid.to_owned(), concept_ids.to_vec());
    let find = move |tx: &mut store::Tx<'_>| {
        let places = concepts.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
        let mut found = Found { tx, app_uid: &uid, places, pictures: Vec::new() };
        match &source {
            SampleSource::App => found.add_app()?,
            SampleSource::Inputs(ids) => found.add_all(ids)?,
            SampleSource::Dataset { dataset_id, version_id: None } => {
                let dataset = datasets::find(tx, &uid, dataset_id)?;
                found.add_all(&tx.dataset_input_ids(&uid, &dataset.uid)?)?;
            }
            SampleSource::Dataset { dataset_id, version_id: Some(version_id) } => {
                let version = versions::find_ready(tx, &uid, dataset_id, version_id)?;
                found.add_version(&version.uid)?;
            }
        }
        Ok::<_, Error>(found.pictures)
    };
    let found = platform.store().read(find).await?;
    match found.len() > MAX_SAMPLES {
        true => Err(Error::too_large(format!("there are more than {MAX_SAMPLES} inputs with boxes"))),
        false => Ok(found),
    }
}

struct Found<'a, 'tx> {
    tx: &'a store::Tx<'tx>,
    app_uid: &'a str,
    places: HashMap<&'a str, usize>,
    pictures: Vec<Picture>,
}

impl Found<'_, '_> {
    fn add_app(&mut self) -> Result<()> {
        let mut query = store::InputQuery {
            states: vec![STATE_READY],
            after_seq: Some(0),
            limit: BATCH,
            ..store::InputQuery::default()
        };
        while self.pictures.len() <= MAX_SAMPLES {
            let rows = self.tx.inputs_page(self.app_uid, &query)?;
            let Some(last) = rows.last() else { break };
            query.after_seq = Some(last.seq);
            self.add_rows(&rows)?;
        }
        Ok(())
    }

    fn add_all(&mut self, ids: &[String]) -> Result<()> {
        let mut rows = self.tx.inputs_by_ids(self.app_uid, ids)?;
        rows.sort_by_key(|row| row.seq);
        rows.dedup_by_key(|row| row.seq);
        rows.chunks(BATCH as usize).try_for_each(|chunk| self.add_rows(chunk))
    }

    fn add_rows(&mut self, rows: &[store::Input]) -> Result<()> {
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let hashes: HashMap<&str, Option<i64>> =
            rows.iter().map(|row| (row.id.as_str(), row.phash)).collect();
        for frozen in frozen::freeze(self.tx, self.app_uid, &ids)? {
            let phash = hashes.get(frozen.item.id.as_str()).copied().flatten();
            self.add(&frozen, phash);
        }
        Ok(())
    }

    fn add_version(&mut self, version_uid: &str) -> Result<()> {
        let mut after = 0;
        while self.pictures.len() <= MAX_SAMPLES {
            let rows = self.tx.dataset_items_page(self.app_uid, version_uid, after, BATCH)?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            let ids: Vec<&str> = rows.iter().map(|row| row.input_id.as_str()).collect();
            let known = self.tx.inputs_by_ids(self.app_uid, &ids)?;
            let hashes: HashMap<String, Option<i64>> =
                known.into_iter().map(|row| (row.id, row.phash)).collect();
            for row in rows {
                let frozen: Frozen =
                    serde_json::from_value(Value::Object(row.doc)).map_err(Error::internal)?;
                self.add(&frozen, hashes.get(&row.input_id).copied().flatten());
            }
        }
        Ok(())
    }

    fn add(&mut self, frozen: &Frozen, phash: Option<i64>) {
        let Some(blob) = frozen.hash.clone().filter(|_| frozen.state == "ready" && frozen.kind == "image")
        else {
            return;
        };
        let mut drawn = Vec::new();
        for region in &frozen.item.regions {
            let Some(sides) = sides(&region.shape) else { continue };
            for said in &region.concepts {
                let Some(class) = self.places.get(said.id.as_str()) else { continue };
                drawn.push(Drawn { class: *class, sides, is_one: said.is_positive() });
            }
        }
        if !drawn.is_empty() {
            let (input_id, phash) = (frozen.item.id.clone(), phash.map(i64::cast_unsigned));
            self.pictures.push(Picture { input_id, blob, crop: frozen.crop, phash, drawn });
        }
    }
}

/// The box around a shape; nothing for what has no area.
fn sides(shape: &Shape) -> Option<[f32; 4]> {
    let around = |points: &mut dyn Iterator<Item = (f64, f64)>| {
        points.fold([1.0_f32, 1.0, 0.0, 0.0], |[top, left, bottom, right], (x, y)| {
            let (x, y) = (x as f32, y as f32);
            [top.min(y), left.min(x), bottom.max(y), right.max(x)]
        })
    };
    let sides = match shape {
        Shape::Box { left, top, right, bottom } => {
            around(&mut [(*left, *top), (*right, *bottom)].into_iter())
        }
        Shape::Polygon { rings } => around(&mut rings.iter().flatten().map(|point| (point.x, point.y))),
        Shape::Point { .. } | Shape::MaskRle { .. } | Shape::MaskPng { .. } => return None,
    };
    detect::cut(sides)
}
