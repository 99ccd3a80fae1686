//! What filters ask of annotations, in the core's terms.

use ocellus_core::annotations::AnnotationTerm;
use ocellus_core::{Error, Result};

use crate::pb::worker::Worker as AnyWorker;
use crate::pb::*;
use crate::queries::Of;
use crate::{annotations, documents, queries};

/// What a filter asks of annotations; takes the concepts and regions out of `data`, and the words if annotations are
/// looked for. What is left of it is about inputs. What cannot be asked is refused by name.
pub fn read(of: Of, wire: Annotation, data: &mut Data, field: &str) -> Result<AnnotationTerm> {
    refuse(&wire, data, field)?;
    let words = match of {
        Of::Annotations => data.text.as_mut().map(|text| std::mem::take(&mut text.raw)).unwrap_or_default(),
        Of::Inputs => String::new(),
    };
    if !words.is_empty() {
        data.text = None;
    }
    let (mut user_id, mut model, mut workflow) =
        (wire.user_id, wire.model_version_id, wire.workflow_version_id);
    match wire.worker.and_then(|worker| worker.worker) {
        Some(AnyWorker::User(user)) => user_id = user.id,
        Some(AnyWorker::Model(named)) => model = named.model_version.unwrap_or_default().id,
        Some(AnyWorker::Workflow(named)) => workflow = named.version.unwrap_or_default().id,
        None => {}
    }
    let status = wire.status.filter(|status| status.code != 0);
    let statuses = status.map(|s| annotations::read_status(s.code, &format!("{field}.status.code")));
    let of_parts = !data.regions.is_empty();
    let said = std::mem::take(&mut data.concepts).into_iter();
    let regions = std::mem::take(&mut data.regions).into_iter();
    let said_of_parts = regions.flat_map(|region| region.data.unwrap_or_default().concepts);
    Ok(AnnotationTerm {
        id: wire.id,
        statuses: statuses.transpose()?.into_iter().collect(),
        account_id: user_id,
        model_version_id: model,
        workflow_version_id: workflow,
        task_id: wire.task_id,
        changed_us: None,
        input_level: wire.input_level,
        of_parts,
        words,
        info: wire.annotation_info.map(documents::from_struct).unwrap_or_default(),
        concepts: said.chain(said_of_parts).map(queries::term).collect(),
    })
}

fn refuse(wire: &Annotation, data: &Data, field: &str) -> Result<()> {
    let placed = data.regions.iter().any(|region| region.region_info.is_some());
    let mixed = !data.concepts.is_empty() && !data.regions.is_empty();
    let given = [
        ("created_at", wire.created_at.is_some(), "is not a filter; use last_updated_time_range"),
        ("modified_at", wire.modified_at.is_some(), "is not a filter; use last_updated_time_range"),
        ("consensus_info", wire.consensus_info.is_some(), "is not a filter"),
        ("trusted", wire.trusted, "is not a filter; use status"),
        ("embed_model_version_id", !wire.embed_model_version_id.is_empty(), "is not a filter"),
        ("data.regions.region_info", placed, "is not a filter; regions are found by their concepts"),
        ("data.regions", mixed, "and concepts exclude each other in one filter"),
        ("data.frames", !data.frames.is_empty(), "is not a filter"),
        ("data.tracks", !data.tracks.is_empty(), "is not a filter"),
        ("data.time_segments", !data.time_segments.is_empty(), "is not a filter"),
        ("data.colors", !data.colors.is_empty(), "is not a filter"),
        ("data.embeddings", !data.embeddings.is_empty(), "is not a filter; rank by it"),
        ("data.clusters", !data.clusters.is_empty(), "is not a filter"),
    ];
    match given.into_iter().find(|(_, given, _)| *given) {
        Some((name, _, why)) => Err(Error::invalid(format!("{field}.{name}"), why)),
        None => Ok(()),
    }
}
