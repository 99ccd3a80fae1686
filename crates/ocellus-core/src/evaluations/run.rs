//! The job that judges a version. It reads what does not change and draws from a seed, so that it ends with the same numbers
//! however often it was begun.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::FutureExt;
use ocellus_algo::evaluate::{self, Judged, Reliability};
use ocellus_store as store;
use serde_json::Value;

use super::findings::kept;
use super::scores::{Place, Scores, Subject, of_own, of_source};
use super::{
    Compared, Entry, Evaluation, EvaluationFailure, EvaluationReason, EvaluationState, Findings,
    LEAST_EXAMPLES, Raw, Settings, TestSet, VersionName, Work,
};
use crate::jobs::{JobCtx, JobKind, Outcome, gc_blobs};
use crate::learning::SampleSource;
use crate::resources;
use crate::user_models::{self, UserModelVersion};
use crate::{Error, Kind, Resource, Result};

pub(crate) const KIND: JobKind = JobKind {
    name: "evaluate_version",
    max_attempts: 5,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: Some(give_up),
};

/// What came of it.
enum Judgement {
    Found(Box<Findings>),
    /// Why nothing can be said, for the owner.
    Not(EvaluationReason, String),
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let Some(app_uid) = cx.job.app_uid.clone() else { return Ok(Outcome::nothing()) };
    let work: Work =
        serde_json::from_value(Value::Object(cx.job.payload.clone())).map_err(Error::internal)?;
    let Some(doc) = begin(&cx, &app_uid, &work).await? else { return Ok(Outcome::nothing()) };
    let judgement = match judge(&cx, &app_uid, &doc).await {
        Ok(judgement) => judgement,
        // What will not go away by trying again is the owner's to know.
        Err(error)
            if matches!(error.kind, Kind::Unsupported | Kind::NotFound | Kind::TooLarge | Kind::Invalid) =>
        {
            Judgement::Not(EvaluationReason::Other, error.message)
        }
        Err(error) => return Err(error),
    };
    cx.checkpoint()?;
    match judgement {
        Judgement::Found(findings) => keep(&cx, app_uid, work, *findings).await,
        Judgement::Not(reason, message) => {
            let now_us = cx.platform.clock().now_us();
            Ok(Outcome::effect(move |tx| fail(tx, &app_uid, &work, (reason, &message), now_us)))
        }
    }
}

/// The evaluation, marked as begun; nothing if it is gone or over.
async fn begin(cx: &JobCtx, app_uid: &str, work: &Work) -> Result<Option<Evaluation>> {
    let (uid, work, now_us) = (app_uid.to_owned(), work.clone(), cx.platform.clock().now_us());
    let write = move |tx: &mut store::Tx<'_>| {
        let mut found = None;
        change(tx, &uid, &work, now_us, |doc| {
            doc.state = EvaluationState::Evaluating;
            found = Some(doc.clone());
        })?;
        Ok::<_, Error>(found)
    };
    cx.platform.store().write(write).await
}

/// Changes an evaluation that is not over.
fn change(
    tx: &store::Tx<'_>,
    app_uid: &str,
    work: &Work,
    now_us: i64,
    change: impl FnOnce(&mut Evaluation),
) -> Result<()> {
    resources::rewrite(tx, app_uid, &work.id, now_us, |doc: &mut Evaluation| {
        if doc.uid == work.uid && doc.is_open() {
            change(doc);
        }
        Ok(())
    })
}

fn fail(
    tx: &store::Tx<'_>,
    app_uid: &str,
    work: &Work,
    (reason, message): (EvaluationReason, &str),
    now_us: i64,
) -> Result<()> {
    change(tx, app_uid, work, now_us, |doc| {
        doc.state = EvaluationState::Failed;
        doc.failure = Some(EvaluationFailure { reason, message: message.to_owned() });
    })
}

fn give_up(
    tx: &store::Tx<'_>,
    job: &store::Job,
    _part: &store::JobPart,
    error: &Error,
    now_us: i64,
) -> Result<()> {
    let Some(app_uid) = &job.app_uid else { return Ok(()) };
    let work: Work = serde_json::from_value(Value::Object(job.payload.clone())).unwrap_or_default();
    fail(tx, app_uid, &work, (EvaluationReason::Other, &error.message), now_us)
}

async fn version(cx: &JobCtx, app_uid: &str, (model_uid, id): (&str, &str)) -> Result<UserModelVersion> {
    let (uid, model_uid, wanted) = (app_uid.to_owned(), model_uid.to_owned(), id.to_owned());
    let read = move |tx: &mut store::Tx<'_>| {
        let row = tx.model_version(&uid, &model_uid, &wanted)?;
        row.map(user_models::version_of_row).transpose()
    };
    let found = cx.platform.store().read(read).await?;
    found.ok_or_else(|| Error::not_found(Resource::ModelVersion(id.to_owned())))
}

async fn judge(cx: &JobCtx, app_uid: &str, doc: &Evaluation) -> Result<Judgement> {
    let place = Place { platform: &cx.platform, app_uid };
    let version = version(cx, app_uid, (&doc.model_uid, &doc.version_id)).await?;
    let subject = Subject::load(&cx.platform, version).await?;
    cx.checkpoint()?;
    let scores = match &doc.test {
        TestSet::HeldOut => of_own(place, &subject).await?,
        TestSet::Dataset { dataset_id, version_id } => {
            let source =
                SampleSource::Dataset { dataset_id: dataset_id.clone(), version_id: version_id.clone() };
            of_source(place, &subject, &source, doc.settings.keep_near_duplicates).await?
        }
    };
    cx.checkpoint()?;
    if let Some(not) = objection(&subject, &scores) {
        return Ok(not);
    }
    let compared = match &doc.settings.compare_with {
        Some(other) => Some(compared(cx, place, &subject, &scores, (other, &doc.settings)).await?),
        None => None,
    };
    let (cx, settings, exclusive) = (cx.clone(), doc.settings.clone(), subject.is_exclusive());
    let on = subject.version.doc.trained_on.unwrap_or_default();
    let concepts = on.concepts.into_iter().map(|concept| (concept.id, concept.name)).collect();
    on_a_thread(move || {
        let judged = judged(&scores, exclusive, &settings);
        let mut keep_going = || cx.checkpoint().is_ok();
        let report = evaluate::report(&judged, &settings.spec(), &mut keep_going)?;
        let found = Findings { concepts, exclusive, compared, ..found(&scores, &judged, &settings, report) };
        Ok(Judgement::Found(Box::new(found)))
    })
    .await
}

/// Runs long work that asks now and then whether to go on.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::internal(anyhow::anyhow!("judging failed: {error}")))?
}

fn judged<'a>(scores: &'a Scores, exclusive: bool, settings: &Settings) -> Judged<'a> {
    Judged {
        n_concepts: scores.labels.len() / scores.input_ids.len().max(1),
        labels: &scores.labels,
        probabilities: &scores.probabilities,
        groups: &scores.groups,
        folds: &scores.folds,
        exclusive,
        unlabelled_is_no: !settings.leave_out_unlabelled,
    }
}

/// Why nothing can be said, if so.
fn objection(subject: &Subject, scores: &Scores) -> Option<Judgement> {
    use ocellus_algo::learn::Label::{Negative, Positive};
    let n = subject.concept_ids.len();
    if n < 2 && !scores.labels.contains(&Negative) {
        let message = "a model of one concept needs inputs that are said not to show it".to_owned();
        return Some(Judgement::Not(EvaluationReason::NeedLabels, message));
    }
    let n_positive = |concept: usize| {
        scores.labels.iter().skip(concept).step_by(n.max(1)).filter(|label| **label == Positive).count()
    };
    if (0..n).all(|concept| n_positive(concept) < LEAST_EXAMPLES) {
        let mut message = format!("no concept has {LEAST_EXAMPLES} labelled inputs to be judged on");
        if scores.n_left_out > 0 {
            message +=
                &format!("; {} are nearly the same as inputs that were learned from", scores.n_left_out);
        }
        return Some(Judgement::Not(EvaluationReason::NeedInputs, message));
    }
    None
}

fn found(scores: &Scores, judged: &Judged<'_>, settings: &Settings, report: evaluate::Report) -> Findings {
    let n = judged.n_concepts;
    let entry = |(row, id): (usize, &String)| Entry {
        input_id: id.clone(),
        labels: scores.labels[row * n..][..n].iter().copied().map(kept).collect(),
        probabilities: scores.probabilities[row * n..][..n].to_vec(),
    };
    let raw = scores.raw.as_ref().map(|raw| {
        let raw = Judged { probabilities: raw, ..*judged };
        let mut all = Reliability::default();
        for (row, concept) in (0..raw.n_rows()).flat_map(|row| (0..n).map(move |concept| (row, concept))) {
            if let Some(is_there) = raw.truth(row, concept) {
                all.add(raw.probability(row, concept), is_there, 1.0);
            }
        }
        Raw { calibration_error: all.error(), reliability: all.bins() }
    });
    Findings {
        doubted_ids: report.doubts.iter().map(|doubt| scores.input_ids[doubt.row].clone()).collect(),
        entries: scores.input_ids.iter().enumerate().take(settings.max_examples).map(entry).collect(),
        raw,
        report,
        n_held_out: scores.n_held_out as u64,
        n_without_vector: scores.n_without_vector as u64,
        twins: scores.twins.clone(),
        n_left_out: scores.n_left_out as u64,
        ..Findings::default()
    }
}

/// The other version beside this one, on the inputs that neither has learned from, or that were held out.
async fn compared(
    cx: &JobCtx,
    place: Place<'_>,
    subject: &Subject,
    scores: &Scores,
    (other, settings): (&VersionName, &Settings),
) -> Result<Compared> {
    let (uid, model_id) = (place.app_uid.to_owned(), other.model_id.clone());
    let read = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.model(&uid, &model_id)?);
    let model = cx.platform.store().read(read).await?;
    let model = model.ok_or_else(|| Error::not_found(Resource::Model(other.model_id.clone())))?;
    let rival = version(cx, place.app_uid, (&model.uid, &other.version_id)).await?;
    let rival = Subject::load(&cx.platform, rival).await?;
    let source = SampleSource::Inputs(scores.input_ids.clone());
    let theirs = of_source(place, &rival, &source, settings.keep_near_duplicates).await?;
    let both = Both::new((subject, scores), (&rival, &theirs));
    if both.groups.is_empty() || both.concept_ids.is_empty() {
        let text = format!(
            "version '{}' of model '{}' has no concept or no input in common with this one",
            other.version_id, other.model_id
        );
        return Err(Error::unsupported(text));
    }
    let (cx, with, settings) = (cx.clone(), other.clone(), settings.clone());
    let exclusive = subject.is_exclusive() && rival.is_exclusive();
    on_a_thread(move || {
        let judged = Judged {
            n_concepts: both.concept_ids.len(),
            labels: &both.labels,
            probabilities: &both.theirs,
            groups: &both.groups,
            folds: &[],
            exclusive,
            unlabelled_is_no: !settings.leave_out_unlabelled,
        };
        let mut keep_going = || cx.checkpoint().is_ok();
        let comparison = evaluate::compare(&judged, &both.ours, &settings.spec(), &mut keep_going)?;
        Ok(Compared { with, concept_ids: both.concept_ids, comparison })
    })
    .await
}

/// Rows and concepts that two versions share.
#[derive(Default)]
struct Both {
    concept_ids: Vec<String>,
    labels: Vec<ocellus_algo::learn::Label>,
    ours: Vec<f32>,
    theirs: Vec<f32>,
    groups: Vec<u32>,
}

impl Both {
    fn new((subject, scores): (&Subject, &Scores), (rival, theirs): (&Subject, &Scores)) -> Self {
        let (n, n_theirs) = (subject.concept_ids.len(), rival.concept_ids.len());
        let shared: Vec<(usize, usize)> = (subject.concept_ids.iter().enumerate())
            .filter_map(|(k, id)| Some((k, rival.concept_ids.iter().position(|other| other == id)?)))
            .collect();
        let row_of: HashMap<&str, usize> = theirs.input_ids.iter().map(String::as_str).zip(0..).collect();
        let concept_ids = shared.iter().map(|(k, _)| subject.concept_ids[*k].clone()).collect();
        let mut both = Self { concept_ids, ..Self::default() };
        for (row, id) in scores.input_ids.iter().enumerate() {
            let Some(other) = row_of.get(id.as_str()) else { continue };
            both.groups.push(scores.groups[row]);
            both.labels.extend(shared.iter().map(|(k, _)| scores.labels[row * n + k]));
            both.ours.extend(shared.iter().map(|(k, _)| scores.probabilities[row * n + k]));
            both.theirs.extend(shared.iter().map(|(_, k)| theirs.probabilities[other * n_theirs + k]));
        }
        both
    }
}

/// Keeps what was found; from then on it can be read.
async fn keep(cx: &JobCtx, app_uid: String, work: Work, findings: Findings) -> Result<Outcome> {
    let platform = &cx.platform;
    let held = platform.blob_gate().clone().read_owned().await;
    let bytes = serde_json::to_vec(&findings).map_err(Error::internal)?;
    let hash = platform.store().blobs().put(Bytes::from(bytes)).await?;
    let (numbers, deviations) = (findings.report.numbers, findings.report.deviations);
    let n_inputs = findings.report.n_rows as u64;
    let (gc_id, account_id) = (platform.ids().id(), cx.job.account_id.clone());
    let now_us = platform.clock().now_us();
    let effect = move |tx: &store::Tx<'_>| {
        let mut is_written = false;
        change(tx, &app_uid, &work, now_us, |doc| {
            (doc.state, doc.failure) = (EvaluationState::Evaluated, None);
            (doc.numbers, doc.deviations, doc.n_inputs) = (numbers, deviations, n_inputs);
            doc.findings = Some(hash.clone());
            is_written = true;
        })?;
        match is_written {
            true => Ok(()),
            // Deleted meanwhile; nobody needs the blob.
            false => {
                let hashes = [hash.clone()].into_iter().collect();
                gc_blobs::job_for(&gc_id, &account_id, &hashes, now_us).insert(tx)
            }
        }
    };
    Ok(Outcome { effect: Some(Box::new(effect)), blobs_held: Some(held) })
}
