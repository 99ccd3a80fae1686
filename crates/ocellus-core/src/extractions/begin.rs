//! Beginning extractions: all in one transaction, with the add jobs and uploads that they name.

use std::sync::Arc;

use ocellus_store as store;
use url::Url;

use super::{Extraction, Source, State, Template, media};
use crate::add_jobs::{self, AddJob, AddJobReport};
use crate::inputs::IdConflict;
use crate::inputs::create::check_alive;
use crate::jobs::extract_inputs;
use crate::resources::{self, Document, MAX_PER_CALL, New, Shelf};
use crate::uploads::{self, Progress, Upload};
use crate::{AppCtx, Error, Resource, Result, datasets};

/// An extraction to begin.
#[derive(Clone, Debug)]
pub struct NewExtraction {
    /// The add job it belongs to, made if it does not exist; a new one if absent.
    pub add_job_id: Option<String>,
    /// Where the entries come from.
    pub source: NewSource,
    /// What happens with an entry whose id is taken.
    pub on_conflict: IdConflict,
    /// What every input is given.
    pub template: Template,
    /// The address that is told how it ended; empty for none.
    pub call_back_url: String,
}

/// Where the entries of a new extraction come from.
#[derive(Clone, Debug)]
pub enum NewSource {
    /// The upload with this id, or, if there is none, one that is announced now. The extraction begins once it is whole.
    Upload {
        /// Its id.
        id: Option<String>,
        /// What it is, if it is announced now.
        upload: Upload,
    },
    /// An address to fetch: an archive, a file, or a list of addresses, one a line.
    Url(String),
}

/// Everything that one extraction may write, made before the transaction.
struct Plan {
    add_job: store::Resource,
    upload: Option<store::Resource>,
    doc: Extraction,
    row: store::Resource,
}

/// Begins extractions, all or none, and gives their add jobs, each once.
pub async fn create(app: &AppCtx, new: Vec<NewExtraction>) -> Result<Vec<AddJobReport>> {
    app.check_writable()?;
    if new.is_empty() || new.len() > MAX_PER_CALL {
        let message = format!("must hold 1 to {MAX_PER_CALL} items, not {}", new.len());
        return Err(Error::invalid("inputs_uploads", message));
    }
    let plans = new.into_iter().map(|new| plan(app, new)).collect::<Result<Vec<_>>>()?;
    let plans = Arc::new(plans);
    let mut ids: Vec<String> = Vec::new();
    for id in plans.iter().map(|plan| &plan.add_job.id) {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    let uid = app.uid().to_owned();
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &uid)?;
        plans.iter().try_for_each(|plan| begin(tx, &uid, plan))
    };
    app.platform().store().write(write).await?;
    app.platform().job_added().notify_waiters();
    add_jobs::get_many(app, &ids).await
}

fn plan(app: &AppCtx, new: NewExtraction) -> Result<Plan> {
    let is_http = Url::parse(&new.call_back_url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !new.call_back_url.is_empty() && !is_http {
        return Err(Error::invalid("call_back_url", "must begin with http:// or https://"));
    }
    let shelf = Shelf::from(app);
    let add_job_id = new.add_job_id.filter(|id| !id.is_empty()).unwrap_or_else(|| app.platform().ids().id());
    let add_job = add_jobs::row(app, &add_job_id)?;
    let (upload, source, name) = match new.source {
        NewSource::Url(url) => {
            check_url(&url)?;
            (None, Source::Url(url.clone()), url)
        }
        NewSource::Upload { id, upload } => {
            let name = upload.content_name.clone();
            let announced = upload.content_length > 0;
            let id = match (id.filter(|id| !id.is_empty()), announced) {
                (Some(id), _) => id,
                (None, true) => app.platform().ids().id(),
                (None, false) => {
                    let message = "must have the id of an upload, or a content_length to announce one";
                    return Err(Error::invalid("inputs_uploads.upload", message));
                }
            };
            let row = announced.then(|| resources::row_of(&shelf, New { id: Some(id.clone()), doc: upload }));
            (row.transpose()?, Source::Upload(id), name)
        }
    };
    let doc = Extraction {
        add_job_id,
        source,
        on_conflict: new.on_conflict,
        template: new.template,
        state: State::Pending,
        is_archive: media::is_archive_name(&name),
        call_back_url: new.call_back_url,
        key_id: app.caller().key_id.clone(),
        ..Extraction::default()
    };
    let row = resources::row_of(&shelf, New { id: None, doc: doc.clone() })?;
    Ok(Plan { add_job, upload, doc, row })
}

fn check_url(url: &str) -> Result<()> {
    let field = "data_sources.url.url";
    let parsed = Url::parse(url).map_err(|_| Error::invalid(field, "is not a URL"))?;
    match parsed.scheme() {
        "http" | "https" => Ok(()),
        scheme @ ("s3" | "gs" | "azure" | "az" | "abfs" | "wasb") => {
            let message = format!(
                "begins with {scheme}://, which this server does not read; give a signed https:// address of the \
                 object, or of a text file that lists such addresses"
            );
            Err(Error::invalid(field, message))
        }
        _ => Err(Error::invalid(field, "must begin with http:// or https://")),
    }
}

fn begin(tx: &store::Tx<'_>, uid: &str, plan: &Plan) -> Result<()> {
    for dataset_id in &plan.doc.template.dataset_ids {
        datasets::find(tx, uid, dataset_id)
            .map_err(|_| Error::invalid("input_template.dataset_ids", "must be of existing datasets"))?;
    }
    add_jobs::ensure(tx, &plan.add_job)?;
    tx.insert_resource(&plan.row)?;
    let now_us = plan.row.created_at_us;
    let upload = match &plan.doc.source {
        Source::Upload(id) => Some(find_upload(tx, uid, id, plan)?),
        Source::Url(_) => None,
    };
    if let Some(upload) = &upload {
        resources::rewrite::<Extraction>(tx, uid, &plan.row.id, now_us, |doc| {
            doc.is_archive = media::is_archive_name(&upload.upload.doc.content_name);
            if !upload.is_whole() {
                doc.state = State::Waiting;
            }
            Ok(())
        })?;
    }
    if upload.is_none_or(|upload| upload.is_whole()) {
        extract_inputs::job(&plan.row.account_id, uid, &plan.row.id, now_us).insert(tx)?;
    }
    resources::rewrite::<AddJob>(tx, uid, &plan.add_job.id, now_us, |job| {
        if job.cancelled {
            let message = format!("inputs add job '{}' was cancelled", plan.add_job.id);
            return Err(Error::invalid("inputs_add_job_id", message));
        }
        job.extraction_ids.push(plan.row.id.clone());
        if let Source::Upload(id) = &plan.doc.source
            && !job.upload_ids.contains(id)
        {
            job.upload_ids.push(id.clone());
        }
        job.check()
    })
}

/// The upload that an extraction reads, announced now if it does not exist.
fn find_upload(tx: &store::Tx<'_>, uid: &str, id: &str, plan: &Plan) -> Result<Progress> {
    if tx.resource(uid, Upload::KIND, "", id)?.is_none() {
        let row = plan.upload.as_ref().ok_or_else(|| resources::missing::<Upload>(id))?;
        tx.insert_resource(row)?;
    }
    let found = uploads::progress_of(tx, uid, &[id.to_owned()])?.into_iter().next();
    let found = found.ok_or_else(|| resources::missing::<Upload>(id))?;
    if found.is_expired(plan.row.created_at_us) {
        let message = format!("upload '{id}' has expired before it was whole");
        return Err(Error::conflict(Resource::Other(Upload::NOUN, id.to_owned()), message));
    }
    Ok(found)
}

/// Begins the extractions that waited for an upload, in the transaction that makes it whole.
pub(crate) fn start_waiting(tx: &store::Tx<'_>, uid: &str, upload_id: &str, now_us: i64) -> Result<()> {
    let query = store::ResourceQuery {
        about: Some(upload_id.to_owned()),
        state: Some(State::Waiting.number()),
        limit: i64::MAX,
        ..store::ResourceQuery::default()
    };
    for row in tx.resources_page(uid, Extraction::KIND, &query)? {
        extract_inputs::job(&row.account_id, uid, &row.id, now_us).insert(tx)?;
        resources::rewrite::<Extraction>(tx, uid, &row.id, now_us, |doc| {
            doc.state = State::Pending;
            Ok(())
        })?;
    }
    Ok(())
}
