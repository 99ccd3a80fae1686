//! Add jobs, and what begins them besides adding inputs: uploads and data sources. RPCs and the wire form.

use ocellus_core::add_jobs::{self, AddJobReport, State};
use ocellus_core::extractions::{self as core, NewExtraction, NewSource};
use ocellus_core::inputs::IdConflict;
use ocellus_core::uploads::Upload as CoreUpload;
use ocellus_core::{AppCtx, Error, Result};

use crate::pb::data_source_credentials::Credentials;
use crate::pb::status::StatusCode as Code;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, extractions, paging, status, uploads};

pub async fn post_inputs_uploads(cx: Cx, req: PostInputsUploadsRequest) -> Result<MultiInputsAddJobResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = each(req.inputs_uploads, "inputs_uploads", of_upload)?;
    let made = core::create(&app, new).await?;
    Ok(many(&cx, made))
}

pub async fn post_inputs_data_sources(
    cx: Cx,
    req: PostInputsDataSourcesRequest,
) -> Result<MultiInputsAddJobResponse> {
    let app = cx.app(req.user_app_id).await?;
    let mut new = each(req.data_sources, "data_sources", of_data_source)?;
    new.iter_mut().for_each(|new| new.call_back_url.clone_from(&req.call_back_url));
    let made = core::create(&app, new).await?;
    Ok(many(&cx, made))
}

pub async fn list_inputs_add_jobs(
    cx: Cx,
    req: ListInputsAddJobsRequest,
) -> Result<MultiInputsAddJobResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = add_jobs::list(&app, paging::page(req.page, req.per_page)?).await?;
    Ok(many(&cx, found))
}

pub async fn get_inputs_add_job(cx: Cx, req: GetInputsAddJobRequest) -> Result<SingleInputsAddJobResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = add_jobs::get(&app, &req.id).await?;
    Ok(SingleInputsAddJobResponse { status: status::success(), inputs_add_job: Some(to_wire(&cx, found)) })
}

pub async fn cancel_inputs_add_job(
    cx: Cx,
    req: CancelInputsAddJobRequest,
) -> Result<SingleInputsAddJobResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = add_jobs::cancel(&app, &req.id).await?;
    Ok(SingleInputsAddJobResponse { status: status::success(), inputs_add_job: Some(to_wire(&cx, found)) })
}

fn many(cx: &Cx, found: Vec<AddJobReport>) -> MultiInputsAddJobResponse {
    let inputs_add_jobs = found.into_iter().map(|job| to_wire(cx, job)).collect();
    MultiInputsAddJobResponse { status: status::success(), inputs_add_jobs }
}

fn each<W, T>(list: Vec<W>, field: &str, read: impl Fn(W, &str) -> Result<T>) -> Result<Vec<T>> {
    list.into_iter().enumerate().map(|(idx, wire)| read(wire, &format!("{field}[{idx}]"))).collect()
}

fn of_upload(wire: InputsUpload, field: &str) -> Result<NewExtraction> {
    let upload = wire.upload.unwrap_or_default();
    Ok(NewExtraction {
        add_job_id: Some(wire.inputs_add_job_id),
        source: NewSource::Upload {
            id: Some(upload.id),
            upload: CoreUpload { content_name: upload.content_name, content_length: upload.content_length },
        },
        on_conflict: on_conflict(wire.input_id_conflict_resolution)?,
        template: extractions::template(wire.input_template, &format!("{field}.input_template"))?,
        call_back_url: String::new(),
    })
}

fn of_data_source(wire: InputsDataSource, field: &str) -> Result<NewExtraction> {
    let url = wire.url.unwrap_or_default();
    let given = url.credentials.and_then(|given| given.credentials).map(|given| match given {
        Credentials::S3Creds(_) => "s3_creds",
        Credentials::GcpCreds(_) => "gcp_creds",
        Credentials::AzureBlobCreds(_) => "azure_blob_creds",
    });
    if let Some(name) = given {
        let message = "are not kept by this server; give a signed https:// address of the object, or of a text \
                       file that lists such addresses";
        return Err(Error::invalid(format!("{field}.url.credentials.{name}"), message));
    }
    Ok(NewExtraction {
        add_job_id: Some(wire.inputs_add_job_id),
        source: NewSource::Url(url.url),
        on_conflict: on_conflict(wire.input_id_conflict_resolution)?,
        template: extractions::template(wire.input_template, &format!("{field}.input_template"))?,
        call_back_url: String::new(),
    })
}

/// What to do with an input whose id is taken.
pub fn on_conflict(wire: i32) -> Result<IdConflict> {
    match InputIdConflictResolution::try_from(wire) {
        Ok(InputIdConflictResolution::NotSet) => Ok(IdConflict::Refuse),
        Ok(InputIdConflictResolution::Skip) => Ok(IdConflict::Skip),
        Ok(InputIdConflictResolution::Suffix) => Ok(IdConflict::Suffix),
        Err(_) => Err(Error::invalid("input_id_conflict_resolution", "is not known")),
    }
}

/// The add job with this id, if there is one: a call that added nothing has made none.
pub async fn found(cx: &Cx, app: &AppCtx, id: &str) -> Result<Option<InputsAddJob>> {
    let found = add_jobs::get_many(app, &[id.to_owned()]).await?;
    Ok(found.into_iter().next().map(|job| to_wire(cx, job)))
}

/// An add job as clients see it.
pub fn to_wire(cx: &Cx, report: AddJobReport) -> InputsAddJob {
    let code = match report.state() {
        State::Queued => Code::JobQueued,
        State::Running => Code::JobRunning,
        State::Done => Code::JobCompleted,
        State::Failed => Code::JobFailed,
        State::Cancelled => Code::JobCancelled,
    };
    InputsAddJob {
        id: report.job.id,
        progress: Some(InputsAddJobProgress {
            pending_count: report.counts.pending,
            in_progress_count: report.counts.processing,
            success_count: report.counts.ready,
            failed_count: report.counts.failed,
        }),
        created_at: documents::time(report.job.created_at_us),
        modified_at: documents::time(report.job.modified_at_us),
        extraction_jobs: report.extractions.iter().map(|job| extractions::to_wire(cx, job)).collect(),
        uploads: report.uploads.into_iter().map(|upload| uploads::to_wire(cx, upload)).collect(),
        status: Some(cx.status(code)),
        ..Default::default()
    }
}
