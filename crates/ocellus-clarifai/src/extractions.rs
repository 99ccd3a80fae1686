//! Extraction jobs: RPCs, the wire form, and the templates of inputs.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ocellus_core::extractions::{
    self as core, Extraction, MAX_REFUSED_KEPT, Source, State, Template, TemplateConcept,
};
use ocellus_core::inputs::IdConflict;
use ocellus_core::jobs::call_back::CallBacks;
use ocellus_core::resources::Stored;
use ocellus_core::{Error, Result};
use prost::Message;

use crate::pb::status::{Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::{Cx, Era};
use crate::transcode::{self, Form, Plans};
use crate::{documents, input_data, paging, status};

pub async fn list_inputs_extraction_jobs(
    cx: Cx,
    req: ListInputsExtractionJobsRequest,
) -> Result<MultiInputsExtractionJobResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = core::list(&app, paging::page(req.page, req.per_page)?).await?;
    Ok(many(&cx, &found))
}

pub async fn get_inputs_extraction_job(
    cx: Cx,
    req: GetInputsExtractionJobRequest,
) -> Result<SingleInputsExtractionJobResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = core::get(&app, &req.inputs_extraction_job_id).await?;
    let inputs_extraction_job = Some(to_wire(&cx, &found));
    Ok(SingleInputsExtractionJobResponse { status: status::success(), inputs_extraction_job })
}

pub async fn cancel_inputs_extraction_jobs(
    cx: Cx,
    req: CancelInputsExtractionJobsRequest,
) -> Result<MultiInputsExtractionJobResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = core::cancel(&app, &req.ids).await?;
    Ok(many(&cx, &found))
}

fn many(cx: &Cx, found: &[Stored<Extraction>]) -> MultiInputsExtractionJobResponse {
    let inputs_extraction_jobs = found.iter().map(|job| to_wire(cx, job)).collect();
    MultiInputsExtractionJobResponse { status: status::success(), inputs_extraction_jobs }
}

/// What every input of an extraction is given: concepts, metadata, a place and datasets. Anything else of an input would
/// be lost, and is refused.
pub fn template(wire: Option<Input>, field: &str) -> Result<Template> {
    let Some(input) = wire else { return Ok(Template::default()) };
    let echo = STANDARD.encode(input.encode_to_vec());
    let data = input.data.unwrap_or_default();
    let kept = Data {
        concepts: data.concepts.clone(),
        metadata: data.metadata.clone(),
        geo: data.geo.clone(),
        ..Data::default()
    };
    if data != kept {
        let message = "may hold concepts, metadata and geo, and nothing else";
        return Err(Error::invalid(format!("{field}.data"), message));
    }
    if !input.id.is_empty() {
        return Err(Error::invalid(format!("{field}.id"), "must be empty: the entries give the ids"));
    }
    let concept = |c: Concept| TemplateConcept { id: c.id, name: c.name, value: c.value };
    Ok(Template {
        concepts: data.concepts.into_iter().map(concept).collect(),
        metadata: data.metadata.map(documents::from_struct).unwrap_or_default(),
        geo: data.geo.as_ref().and_then(input_data::geo_point),
        dataset_ids: input.dataset_ids,
        echo,
    })
}

/// Words what an address is told when an extraction has ended: the answer to a question for the job, as JSON.
pub fn register(call_backs: &CallBacks, plans: Arc<Plans>) {
    call_backs.register(Arc::new(move |job: &Stored<Extraction>| {
        let inputs_extraction_job = Some(of_era(Era::Current, job));
        let told = SingleInputsExtractionJobResponse { status: status::success(), inputs_extraction_job };
        let mut json = Vec::new();
        if let Some(index) = plans.index("clarifai.api.SingleInputsExtractionJobResponse") {
            let form = Form { plans: &plans, old: false };
            transcode::write(form, plans.get(index), &told.encode_to_vec(), &mut json);
        }
        json
    }));
}

/// An extraction job as clients see it. Entries that made no input stand in the details of its status.
pub fn to_wire(cx: &Cx, job: &Stored<Extraction>) -> InputsExtractionJob {
    of_era(cx.era, job)
}

fn of_era(era: Era, job: &Stored<Extraction>) -> InputsExtractionJob {
    let doc = &job.doc;
    let code = match doc.state {
        State::Waiting | State::Pending => Code::JobQueued,
        State::Running => Code::JobRunning,
        State::Done => Code::JobCompleted,
        State::Failed if doc.is_archive => Code::ArchiveExtractFailed,
        State::Failed => Code::JobFailed,
        State::Cancelled => Code::JobCancelled,
    };
    let resolution = match doc.on_conflict {
        IdConflict::Refuse => InputIdConflictResolution::NotSet,
        IdConflict::Skip => InputIdConflictResolution::Skip,
        IdConflict::Suffix => InputIdConflictResolution::Suffix,
    };
    InputsExtractionJob {
        status: Some(Status { details: details(doc), ..status::of(era, code) }),
        id: job.id.clone(),
        url: match &doc.source {
            Source::Url(url) => url.clone(),
            Source::Upload(_) => String::new(),
        },
        progress: Some(progress(doc)),
        created_at: documents::time(job.created_at_us),
        modified_at: documents::time(job.modified_at_us),
        input_id_conflict_resolution: resolution.into(),
        input_template: echo(&doc.template),
    }
}

/// The template as it was given; what was stored was encoded by `template`.
fn echo(template: &Template) -> Option<Input> {
    let bytes = STANDARD.decode(&template.echo).ok().filter(|bytes| !bytes.is_empty())?;
    Input::decode(&bytes[..]).ok()
}

fn progress(doc: &Extraction) -> InputsExtractionJobProgress {
    let archive = |states: &[State]| u64::from(doc.is_archive && states.contains(&doc.state));
    InputsExtractionJobProgress {
        audio_inputs_count: doc.made.audios,
        image_inputs_count: doc.made.images,
        video_inputs_count: doc.made.videos,
        text_inputs_count: doc.made.texts,
        pending_archives_count: archive(&[State::Waiting, State::Pending]),
        in_progress_archives_count: archive(&[State::Running]),
        completed_archives_count: archive(&[State::Done]),
        failed_archives_count: archive(&[State::Failed, State::Cancelled]),
    }
}

fn details(doc: &Extraction) -> String {
    let mut said = Vec::new();
    if !doc.failure.is_empty() {
        said.push(doc.failure.clone());
    }
    if doc.n_skipped > 0 {
        said.push(format!("{} skipped, because their ids are taken", entries(doc.n_skipped)));
    }
    if doc.n_refused > 0 {
        let first = doc.refused.iter().map(|refused| format!("'{}' {}", refused.entry, refused.reason));
        let more = if doc.n_refused > MAX_REFUSED_KEPT as u64 { "; …" } else { "" };
        let first = first.collect::<Vec<_>>().join("; ");
        said.push(format!("{} refused: {first}{more}", entries(doc.n_refused)));
    }
    said.join("; ")
}

fn entries(n: u64) -> String {
    if n == 1 { "1 entry was".to_owned() } else { format!("{n} entries were") }
}
