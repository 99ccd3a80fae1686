//! Makes inputs of the entries of an archive, a file or a list of addresses, in small transactions, each of which also writes
//! down how far it got.

#[cfg(test)]
mod tests;

use futures_util::FutureExt;
use ocellus_store as store;

use super::{JobCtx, JobKind, NewJob, Outcome, call_back};
use crate::extractions::contents::{Contents, Item};
use crate::extractions::{Extraction, MAX_REFUSED_KEPT, Refused, State, id_of, source};
use crate::inputs::create::{self, Candidate};
use crate::inputs::labels::Labeller;
use crate::inputs::{Adding, NewInput};
use crate::usage::{self, Begun, Tally};
use crate::{Error, Kind, MediaKind, Resource, Result, annotations, resources};

const NAME: &str = "extract_inputs";

pub(crate) const KIND: JobKind =
    JobKind { name: NAME, max_attempts: 20, run: |cx| run(cx).boxed(), begin: None, give_up: Some(give_up) };

/// An address that does not answer is asked this often in all.
const FETCH_ATTEMPTS: i64 = 3;
/// So many of the refused entries are on record with the job.
const MAX_JOB_ERRORS: u64 = 1_000;

/// The job of an extraction; it has the extraction's id.
pub(crate) fn job(account_id: &str, app_uid: &str, extraction_id: &str, now_us: i64) -> NewJob {
    let mut new = NewJob::new(&KIND, extraction_id, account_id, now_us);
    new.job.app_uid = Some(app_uid.to_owned());
    new.parts = vec![store::JobPart::new(extraction_id, now_us)];
    new
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let Some(doc) = begin(&cx).await? else { return Ok(Outcome::nothing()) };
    let contents = match source::open(&cx, app_uid(&cx), &doc).await {
        Ok(contents) => contents,
        Err(error) if may_pass(&cx, &error) => return Err(error),
        Err(error) => return Ok(failed(&cx, error)),
    };
    let is_archive = contents.is_archive();
    change(&cx, move |doc| doc.is_archive = is_archive).await?;
    match add_all(&cx, doc, contents).await {
        // The next month is too long to wait for; what was taken in stays.
        Err(error) if error.kind == Kind::Exhausted => return Ok(failed(&cx, error)),
        added => added?,
    }
    let (uid, id, now_us) = (app_uid(&cx).to_owned(), cx.part.subject.clone(), cx.platform.clock().now_us());
    let account_id = cx.job.account_id;
    Ok(Outcome::effect(move |tx| {
        let mut has_ended = false;
        resources::rewrite::<Extraction>(tx, &uid, &id, now_us, |doc| {
            has_ended = doc.state == State::Running;
            if has_ended {
                doc.state = State::Done;
            }
            Ok(())
        })?;
        if has_ended { call_back::follow_up(tx, (&account_id, &uid), &id, now_us) } else { Ok(()) }
    }))
}

fn app_uid(cx: &JobCtx) -> &str {
    cx.job.app_uid.as_deref().unwrap_or_default()
}

/// The extraction, marked as running; `None` if there is nothing (more) to do.
async fn begin(cx: &JobCtx) -> Result<Option<Extraction>> {
    change(cx, |doc| {
        if doc.state == State::Pending {
            doc.state = State::Running;
        }
    })
    .await?;
    let (uid, id) = (app_uid(cx).to_owned(), cx.part.subject.clone());
    let find = move |tx: &mut store::Tx<'_>| resources::find::<Extraction>(tx, &uid, "", &id);
    let found = cx.platform.store().read(find).await?;
    Ok(found.map(|found| found.doc).filter(|doc| doc.state == State::Running))
}

async fn change(cx: &JobCtx, change: impl Fn(&mut Extraction) + Send + Sync + 'static) -> Result<()> {
    let (uid, id, now_us) = (app_uid(cx).to_owned(), cx.part.subject.clone(), cx.platform.clock().now_us());
    let write = move |tx: &mut store::Tx<'_>| {
        resources::rewrite::<Extraction>(tx, &uid, &id, now_us, |doc| {
            change(doc);
            Ok(())
        })
    };
    cx.platform.store().write(write).await
}

/// Whether the same attempt may succeed later.
fn may_pass(cx: &JobCtx, error: &Error) -> bool {
    match (&error.about, error.kind) {
        (_, Kind::Cancelled) => true,
        (Some(Resource::Url(_)), Kind::Timeout | Kind::Unavailable) => cx.part.attempts < FETCH_ATTEMPTS,
        (Some(Resource::Url(_)), _) => false,
        _ => error.is_transient(),
    }
}

fn failed(cx: &JobCtx, error: Error) -> Outcome {
    let (job, part, now_us) = (cx.job.clone(), cx.part.clone(), cx.platform.clock().now_us());
    Outcome::effect(move |tx| give_up(tx, &job, &part, &error, now_us))
}

fn give_up(
    tx: &store::Tx<'_>,
    job: &store::Job,
    part: &store::JobPart,
    error: &Error,
    now_us: i64,
) -> Result<()> {
    let uid = job.app_uid.as_deref().unwrap_or_default();
    let mut has_ended = false;
    resources::rewrite::<Extraction>(tx, uid, &part.subject, now_us, |doc| {
        has_ended = !doc.state.is_over();
        if has_ended {
            (doc.state, doc.failure) = (State::Failed, error.message.clone());
        }
        Ok(())
    })?;
    match has_ended {
        true => call_back::follow_up(tx, (&job.account_id, uid), &part.subject, now_us),
        false => Ok(()),
    }
}

/// Makes inputs of all entries from where an earlier attempt stopped.
async fn add_all(cx: &JobCtx, doc: Extraction, mut contents: Contents) -> Result<()> {
    let max_file_bytes = cx.platform.decode_limits().max_bytes;
    let mut from = usize::try_from(doc.n_seen).unwrap_or(usize::MAX);
    while from < contents.len() {
        cx.checkpoint()?;
        let read = move || (contents.read(from, max_file_bytes), contents);
        let (items, back) = tokio::task::spawn_blocking(read).await.map_err(Error::internal)?;
        contents = back;
        let n_items = items.len();
        add(cx, &doc, from as u64, items).await?;
        cx.platform.job_added().notify_waiters();
        from += n_items;
    }
    Ok(())
}

/// Makes inputs of some entries. `Cancelled` if somebody stopped the extraction, or another worker has it.
async fn add(cx: &JobCtx, doc: &Extraction, from: u64, items: Vec<Item>) -> Result<()> {
    let n_items = items.len() as u64;
    let (mut refused, mut names, mut kinds, mut new) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for item in items {
        match item.content {
            None => {}
            Some(Err(reason)) => refused.push(Refused { entry: item.name, reason }),
            Some(Ok((source, kind))) => {
                new.push(new_input(doc, &item.name, source, kind));
                names.push(item.name);
                kinds.push(kind);
            }
        }
    }
    let who = (cx.job.account_id.as_str(), doc.key_id.as_str());
    let begun = match new.len() as u64 {
        0 => None,
        n_inputs => Some(usage::begin_inputs(&cx.platform, who, NAME, n_inputs).await?),
    };
    // Held until the rows that refer to the new blobs are written.
    let held = cx.platform.blob_gate().clone().read_owned().await;
    let candidates = create::prepare_all(&cx.platform, app_uid(cx), new).await;
    let step = Step {
        cx: cx.clone(),
        ids: (cx.platform.ids().id(), cx.platform.ids().id()),
        from,
        n_items,
        candidates,
        names,
        kinds,
        refused,
        tally: begun.as_ref().map(Begun::tally),
    };
    let done = cx.platform.store().write(move |tx| step.write(tx)).await;
    drop(held);
    let n_new = done?;
    if let Some(begun) = begun {
        begun.settle(n_new);
    }
    Ok(())
}

fn new_input(doc: &Extraction, name: &str, source: crate::Source, kind: MediaKind) -> NewInput {
    NewInput {
        id: Some(id_of(name)),
        source,
        kind,
        allow_duplicate_url: false,
        crop: None,
        labels: doc.template.concepts.iter().map(|concept| concept.label()).collect(),
        metadata: doc.template.metadata.clone(),
        geo: doc.template.geo,
        parts: annotations::Data::default(),
    }
}

/// Some entries on their way to the database.
struct Step {
    cx: JobCtx,
    ids: (String, String),
    from: u64,
    n_items: u64,
    candidates: Vec<Result<Candidate>>,
    names: Vec<String>,
    kinds: Vec<MediaKind>,
    refused: Vec<Refused>,
    tally: Option<Tally>,
}

impl Step {
    /// How many inputs it makes.
    fn write(&self, tx: &store::Tx<'_>) -> Result<u64> {
        let (uid, id) = (app_uid(&self.cx), &self.cx.part.subject);
        create::check_alive(tx, uid)?;
        let now_us = self.cx.platform.clock().now_us();
        let (mut is_ours, mut n_new) = (false, 0);
        resources::rewrite::<Extraction>(tx, uid, id, now_us, |doc| {
            is_ours = doc.state == State::Running && doc.n_seen == self.from;
            if is_ours {
                doc.n_seen += self.n_items;
                n_new = self.add(tx, doc, now_us)?;
            }
            Ok(())
        })?;
        if let Some(tally) = self.tally.as_ref().filter(|_| n_new > 0)
            && let Some(app) = tx.app_by_uid(uid)?
        {
            tally.add(tx, &app, n_new)?;
        }
        match is_ours {
            true => Ok(n_new),
            false => Err(Error::cancelled("the extraction was stopped or is done elsewhere")),
        }
    }

    fn add(&self, tx: &store::Tx<'_>, doc: &mut Extraction, now_us: i64) -> Result<u64> {
        let by = Labeller {
            platform: self.cx.platform.clone(),
            app_uid: app_uid(&self.cx).to_owned(),
            account_id: self.cx.job.account_id.clone(),
            key_id: doc.key_id.clone(),
            language: "en".to_owned(),
            now_us,
        };
        let adding = Adding {
            dataset_ids: vec![doc.template.dataset_ids.clone(); self.candidates.len()],
            add_job_id: Some(doc.add_job_id.clone()),
            on_conflict: doc.on_conflict,
        };
        let results = create::accept(tx, &by, &self.candidates, &adding, (&self.ids.0, &self.ids.1))?;
        for refused in &self.refused {
            self.refuse(tx, doc, refused.clone(), now_us)?;
        }
        for ((result, kind), name) in results.iter().zip(&self.kinds).zip(&self.names) {
            match result {
                Ok(added) if added.is_new => *counter(doc, *kind) += 1,
                Ok(_) => doc.n_skipped += 1,
                Err(error) => {
                    let refused = Refused { entry: name.clone(), reason: error.message.clone() };
                    self.refuse(tx, doc, refused, now_us)?;
                }
            }
        }
        Ok(results.iter().flatten().filter(|added| added.is_new).count() as u64)
    }

    /// Puts an entry that made no input on record.
    fn refuse(&self, tx: &store::Tx<'_>, doc: &mut Extraction, refused: Refused, now_us: i64) -> Result<()> {
        doc.n_refused += 1;
        if doc.n_refused <= MAX_JOB_ERRORS {
            tx.insert_job_error(&store::JobError {
                job_id: self.cx.part.job_id.clone(),
                part_idx: self.cx.part.idx,
                code: "refused_entry".to_owned(),
                subject: refused.entry.clone(),
                message: refused.reason.clone(),
                created_at_us: now_us,
            })?;
        }
        if doc.refused.len() < MAX_REFUSED_KEPT {
            doc.refused.push(refused);
        }
        Ok(())
    }
}

fn counter(doc: &mut Extraction, kind: MediaKind) -> &mut u64 {
    match kind {
        MediaKind::Image => &mut doc.made.images,
        MediaKind::Video => &mut doc.made.videos,
        MediaKind::Text => &mut doc.made.texts,
        MediaKind::Audio => &mut doc.made.audios,
    }
}
