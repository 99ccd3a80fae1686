//! Between an input's rows in the store and the input that a use case sees.

use std::collections::HashMap;

use ocellus_algo::color::DominantColor;
use ocellus_store as store;

use super::doc::InputDoc;
use super::parts;
use super::{FailureCode, Hosted, Input, InputState, Label, StateFilter};
use crate::annotations::Data;
use crate::datasets;
use crate::{Error, GeoPoint, MediaKind, Result};

/// Waiting.
pub(crate) const STATE_PENDING: i64 = 0;
/// Being described.
pub(crate) const STATE_PROCESSING: i64 = 1;
/// Described.
pub(crate) const STATE_READY: i64 = 2;
/// Given up.
pub(crate) const STATE_FAILED: i64 = 3;

impl StateFilter {
    pub(super) fn of(state: &InputState) -> Self {
        match state {
            InputState::Pending => Self::Pending,
            InputState::Processing => Self::Processing,
            InputState::Ready => Self::Ready,
            InputState::Failed { .. } => Self::Failed,
        }
    }

    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Pending => STATE_PENDING,
            Self::Processing => STATE_PROCESSING,
            Self::Ready => STATE_READY,
            Self::Failed => STATE_FAILED,
        }
    }
}

/// Inputs with these ids, in their order, with labels; missing ones are left out.
pub(crate) fn load<S: AsRef<str>>(tx: &store::Tx<'_>, app_uid: &str, ids: &[S]) -> Result<Vec<Input>> {
    let rows = tx.inputs_by_ids(app_uid, ids)?;
    assemble(tx, app_uid, rows)
}

/// Completes rows of one app with their labels, keeping the order.
pub(crate) fn assemble(tx: &store::Tx<'_>, app_uid: &str, rows: Vec<store::Input>) -> Result<Vec<Input>> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let mut labels = labels_by_input(tx, app_uid, &ids)?;
    let mut dataset_ids = datasets::ids_of_inputs(tx, app_uid, &ids)?;
    let mut parts = parts::of_inputs(tx, app_uid, &ids)?;
    rows.into_iter()
        .map(|row| {
            let labels = labels.remove(&row.id).unwrap_or_default();
            let dataset_ids = dataset_ids.remove(&row.id).unwrap_or_default();
            let parts = parts.remove(&row.id).unwrap_or_default();
            from_row(row, labels, parts, dataset_ids)
        })
        .collect()
}

fn labels_by_input(tx: &store::Tx<'_>, app_uid: &str, ids: &[&str]) -> Result<HashMap<String, Vec<Label>>> {
    let rows = tx.whole_labels_of_inputs(app_uid, ids)?;
    let mut concept_ids: Vec<String> = rows.iter().map(|row| row.concept_id.clone()).collect();
    concept_ids.sort_unstable();
    concept_ids.dedup();
    let concepts = tx.concepts_by_ids(app_uid, &concept_ids)?;
    let names: HashMap<String, String> =
        concepts.into_iter().map(|concept| (concept.id, concept.name)).collect();
    let mut labels: HashMap<String, Vec<Label>> = HashMap::new();
    for row in rows {
        let name = names.get(&row.concept_id).unwrap_or(&row.concept_id).clone();
        let label = Label { concept_id: row.concept_id, name, value: row.value as f32 };
        let of_input = labels.entry(row.input_id).or_default();
        // What several people say is shown once, in the words of the first.
        if of_input.iter().all(|earlier| earlier.concept_id != label.concept_id) {
            of_input.push(label);
        }
    }
    Ok(labels)
}

fn from_row(row: store::Input, labels: Vec<Label>, parts: Data, dataset_ids: Vec<String>) -> Result<Input> {
    let state = state_of(&row)?;
    let doc = InputDoc::read(&row.doc)?;
    let kind = MediaKind::from_name(&row.kind).ok_or_else(|| corrupt(&row.id, "kind"))?;
    let geo = row.lat.zip(row.lon).map(|(latitude, longitude)| GeoPoint { longitude, latitude });
    Ok(Input {
        id: row.id,
        seq: row.seq,
        state,
        kind,
        url: row.source_url,
        // Words that came with the request are kept with the input and not as a blob.
        hosted: row.blob.or(row.content_hash.filter(|_| doc.text.is_some())).map(|hash| Hosted {
            hash,
            thumb: row.thumb,
            mime: row.mime,
        }),
        text: doc.text,
        width: row.width.and_then(|side| u32::try_from(side).ok()),
        height: row.height.and_then(|side| u32::try_from(side).ok()),
        video: doc.video,
        crop: doc.crop,
        labels,
        parts,
        dataset_ids,
        metadata: row.metadata,
        geo,
        exif: doc.exif,
        colors: doc.colors.into_iter().map(DominantColor::from).collect(),
        workflow_failure: doc.workflow_failure,
        created_at_us: row.created_at_us,
        modified_at_us: row.modified_at_us,
    })
}

fn state_of(row: &store::Input) -> Result<InputState> {
    match row.state {
        STATE_PENDING => Ok(InputState::Pending),
        STATE_PROCESSING => Ok(InputState::Processing),
        STATE_READY => Ok(InputState::Ready),
        STATE_FAILED => {
            let code = FailureCode::from_name(&row.failure_code);
            Ok(InputState::Failed { code, message: row.failure.clone() })
        }
        _ => Err(corrupt(&row.id, "state")),
    }
}

fn corrupt(id: &str, column: &str) -> Error {
    Error::from(store::Error::Corrupt { table: "inputs".to_owned(), id: format!("{id}, {column}") })
}
