//! Which inputs are samples, and what is said of them.

use std::collections::{HashMap, HashSet};

use ocellus_algo::learn::Label;
use ocellus_store as store;

use super::{Candidate, MAX_SAMPLES, Picture, SampleSource, Which};
use crate::datasets::frozen::Frozen;
use crate::datasets::{self, versions};
use crate::inputs::STATE_READY;
use crate::inputs::doc::InputDoc;
use crate::{Error, Result};

/// Inputs read at once.
const BATCH: i64 = 1_000;
/// Values from here on say yes.
const YES_FROM: f64 = 0.5;

/// The inputs of a source that are wanted, in its order; at most one more than [`MAX_SAMPLES`].
pub(super) fn candidates(
    tx: &store::Tx<'_>,
    app_uid: &str,
    concept_ids: &[String],
    source: &SampleSource,
    which: Which,
) -> Result<Vec<Candidate>> {
    let places = concept_ids.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
    let mut found = Found { tx, app_uid, places, which, candidates: Vec::new() };
    match source {
        SampleSource::App if which == Which::Labelled => {
            let mut ids: HashSet<String> =
                tx.inputs_with_label(app_uid, concept_ids, true)?.into_iter().collect();
            ids.extend(tx.inputs_with_label(app_uid, concept_ids, false)?);
            let ids: Vec<String> = ids.into_iter().collect();
            found.add_all(&ids)?;
        }
        SampleSource::App => found.add_app()?,
        SampleSource::Inputs(ids) => found.add_all(ids)?,
        SampleSource::Dataset { dataset_id, version_id: None } => {
            let dataset = datasets::find(tx, app_uid, dataset_id)?;
            let ids = tx.dataset_input_ids(app_uid, &dataset.uid)?;
            found.add_all(&ids)?;
        }
        SampleSource::Dataset { dataset_id, version_id: Some(version_id) } => {
            let version = versions::find_ready(tx, app_uid, dataset_id, version_id)?;
            found.add_version(&version.uid)?;
        }
    }
    Ok(found.candidates)
}

struct Found<'a, 'tx> {
    tx: &'a store::Tx<'tx>,
    app_uid: &'a str,
    places: HashMap<&'a str, usize>,
    which: Which,
    candidates: Vec<Candidate>,
}

impl Found<'_, '_> {
    fn is_full(&self) -> bool {
        let most = match self.which {
            Which::Labelled | Which::All => MAX_SAMPLES + 1,
            Which::Unlabelled(n) => n,
        };
        self.candidates.len() >= most
    }

    /// Inputs as they are labelled now, whatever the order of their ids.
    fn add_all(&mut self, ids: &[String]) -> Result<()> {
        let mut rows = self.tx.inputs_by_ids(self.app_uid, ids)?;
        rows.sort_by_key(|row| row.seq);
        rows.dedup_by_key(|row| row.seq);
        for chunk in rows.chunks(BATCH as usize) {
            self.add_rows(chunk)?;
        }
        Ok(())
    }

    fn add_app(&mut self) -> Result<()> {
        let mut query = store::InputQuery {
            states: vec![STATE_READY],
            after_seq: Some(0),
            limit: BATCH,
            ..store::InputQuery::default()
        };
        while !self.is_full() {
            let rows = self.tx.inputs_page(self.app_uid, &query)?;
            let Some(last) = rows.last() else { break };
            query.after_seq = Some(last.seq);
            self.add_rows(&rows)?;
        }
        Ok(())
    }

    fn add_rows(&mut self, rows: &[store::Input]) -> Result<()> {
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let mut said: HashMap<String, Vec<(String, f64)>> = HashMap::new();
        for label in self.tx.whole_labels_of_inputs(self.app_uid, &ids)? {
            said.entry(label.input_id).or_default().push((label.concept_id, label.value));
        }
        for row in rows.iter().filter(|row| row.state == STATE_READY) {
            let labels = said.remove(&row.id).unwrap_or_default();
            let crop = InputDoc::read(&row.doc)?.crop;
            let picture = Picture {
                kind: row.kind.clone(),
                blob: row.blob.clone(),
                phash: row.phash.map(i64::cast_unsigned),
                content_hash: row.content_hash.clone().or_else(|| row.blob.clone()),
                crop,
            };
            self.add(&row.id, labels.iter().map(|(id, value)| (id.as_str(), *value)), picture);
        }
        Ok(())
    }

    fn add_version(&mut self, version_uid: &str) -> Result<()> {
        let mut after = 0;
        while !self.is_full() {
            let rows = self.tx.dataset_items_page(self.app_uid, version_uid, after, BATCH)?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            let ids: Vec<&str> = rows.iter().map(|row| row.input_id.as_str()).collect();
            let known = self.tx.inputs_by_ids(self.app_uid, &ids)?;
            let phashes: HashMap<String, Option<i64>> =
                known.into_iter().map(|row| (row.id, row.phash)).collect();
            for row in rows {
                let phash = phashes.get(&row.input_id).copied().flatten();
                let content = row.content.clone();
                let doc = serde_json::Value::Object(row.doc);
                let frozen: Frozen = serde_json::from_value(doc).map_err(Error::internal)?;
                if frozen.state != "ready" {
                    continue;
                }
                let picture = Picture {
                    kind: frozen.kind.clone(),
                    blob: frozen.hash.clone(),
                    phash: phash.map(i64::cast_unsigned),
                    content_hash: Some(content),
                    crop: frozen.crop,
                };
                let said = frozen.item.concepts.iter().map(|said| (said.id.as_str(), f64::from(said.value)));
                self.add(&row.input_id, said, picture);
            }
        }
        Ok(())
    }

    fn add<'b>(&mut self, id: &str, said: impl Iterator<Item = (&'b str, f64)>, picture: Picture) {
        let mut labels = vec![Label::Unknown; self.places.len()];
        let mut is_labelled = false;
        for (concept, value) in said {
            let Some(place) = self.places.get(concept) else { continue };
            is_labelled = true;
            // What several people say counts in the words of the first, as everywhere.
            if labels[*place] == Label::Unknown {
                labels[*place] = if value >= YES_FROM { Label::Positive } else { Label::Negative };
            }
        }
        let wanted = match self.which {
            Which::All => true,
            Which::Labelled => is_labelled,
            Which::Unlabelled(_) => !is_labelled,
        };
        if wanted && !self.is_full() {
            self.candidates.push(Candidate { input_id: id.to_owned(), labels, picture });
        }
    }
}
