//! The parts of inputs that people speak of: regions, frames and stretches of time, gathered from their annotations.

use std::collections::HashMap;

use ocellus_store as store;
use serde_json::Value;

use crate::Result;
use crate::annotations::{self, Data, Frame, Status};

/// What people say of the parts of these inputs, by input id, oldest first; frames in the order of their times, each once.
pub(super) fn of_inputs(
    tx: &store::Tx<'_>,
    app_uid: &str,
    input_ids: &[&str],
) -> Result<HashMap<String, Data>> {
    let mut rows = tx.annotations_of_inputs(app_uid, input_ids)?;
    rows.retain(|row| {
        let by_person = row.model_version_id.is_empty() && row.workflow_version_id.is_empty();
        by_person && row.status == Status::Success.name() && speaks_of_parts(row)
    });
    let mut found: HashMap<String, Data> = HashMap::new();
    for annotation in annotations::read_rows(tx, app_uid, rows)? {
        let of_input = found.entry(annotation.input_id).or_default();
        of_input.regions.extend(annotation.data.regions);
        of_input.segments.extend(annotation.data.segments);
        annotation.data.frames.into_iter().for_each(|frame| add(&mut of_input.frames, frame));
    }
    for data in found.values_mut() {
        data.frames.sort_by_key(|frame| (frame.time_ms, frame.number));
    }
    Ok(found)
}

/// Most annotations are of whole inputs, and their concepts need not be looked up.
fn speaks_of_parts(row: &store::Annotation) -> bool {
    let data = row.doc.get("data").and_then(Value::as_object);
    data.is_some_and(|data| ["regions", "frames", "segments"].iter().any(|part| data.contains_key(*part)))
}

/// What several annotations say of one frame stands together.
fn add(frames: &mut Vec<Frame>, frame: Frame) {
    let same = |other: &Frame| (other.number, other.time_ms) == (frame.number, frame.time_ms);
    match frames.iter().position(same) {
        Some(at) => {
            for said in frame.concepts {
                if frames[at].concepts.iter().all(|earlier| earlier.concept_id != said.concept_id) {
                    frames[at].concepts.push(said);
                }
            }
            frames[at].regions.extend(frame.regions);
        }
        None => frames.push(frame),
    }
}
