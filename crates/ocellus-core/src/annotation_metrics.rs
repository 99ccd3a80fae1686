//! Evaluations of annotations: what one search finds is the truth, and what another finds is compared with it by a job.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use agreement::{Agreement, Claim};
use futures_util::FutureExt;
pub use ocellus_algo::agreement;
use ocellus_algo::image::DecodeLimits;
use ocellus_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::annotations::parts::box_around;
use crate::annotations::{Annotation, Region, Said, read_rows};
use crate::jobs::{JobCtx, JobKind, NewJob, Outcome};
use crate::resources::{self, Document, New, Shelf, Stored};
use crate::search::{self, Filter};
use crate::{AppCtx, Error, JsonMap, Result};

/// The most annotations of either side.
const MAX_ANNOTATIONS: usize = 100_000;
/// Annotations read at once.
const BATCH: usize = 1_000;
/// The most places of a curve that are kept.
const MAX_PLACES: usize = 200;

/// An evaluation as it is stored. The two searches and what else was asked are kept in the words of the dialect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnnotationMetrics {
    /// Told from a later one with the same id.
    uid: String,
    /// The search for the truth.
    pub ground_truth: String,
    /// The search for what is compared with it.
    pub to_eval: String,
    /// What else was asked.
    pub data: String,
    /// What is compared; absent: boxes if the truth has any.
    pub kind: Option<EvaluationKind>,
    /// How far it has got.
    pub state: EvaluationState,
    /// Why it could not be made.
    pub error: String,
    /// What came of it.
    pub report: Option<Report>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationKind {
    /// Which concepts inputs have.
    Classification,
    /// Which concepts are where, by boxes; other shapes count by the boxes around them.
    Detection,
}

/// How far an evaluation has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationState {
    /// Waiting for the job.
    #[default]
    Pending,
    /// There.
    Ready,
    /// Given up.
    Failed,
}

/// What came of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was compared.
    pub kind: EvaluationKind,
    /// Ids and names of the concepts, in the order of the classes.
    pub concepts: Vec<(String, String)>,
    /// Inputs that either side speaks of.
    pub n_inputs: usize,
    /// The numbers.
    pub agreement: Agreement,
}

impl Document for AnnotationMetrics {
    const KIND: &'static str = "annotation_metrics";
    const NOUN: &'static str = "annotation search metrics";
    const FIELD: &'static str = "annotation_search_metrics";

    fn state(&self) -> i64 {
        match self.state {
            EvaluationState::Pending => 0,
            EvaluationState::Ready => 1,
            EvaluationState::Failed => 2,
        }
    }
}

pub(crate) const KIND: JobKind = JobKind {
    name: "evaluate_annotations",
    max_attempts: 5,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: Some(give_up),
};

/// An evaluation to make.
#[derive(Clone, Debug, Default)]
pub struct NewMetrics {
    /// Chosen by the user; made up if absent.
    pub id: Option<String>,
    /// What the truth must pass.
    pub truth: Vec<Filter>,
    /// What is compared with it must pass this.
    pub said: Vec<Filter>,
    /// The search for the truth, in the words of the dialect.
    pub ground_truth: String,
    /// The search for what is compared with it.
    pub to_eval: String,
    /// What else was asked.
    pub data: String,
    /// What is compared; absent: boxes if the truth has any.
    pub kind: Option<EvaluationKind>,
    /// Only these concepts count; empty means all.
    pub concept_ids: Vec<String>,
}

/// What the job needs to know. The annotations are looked up when it is asked for.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Work {
    id: String,
    uid: String,
    truth: Vec<String>,
    said: Vec<String>,
    concept_ids: Vec<String>,
    kind: Option<EvaluationKind>,
}

/// Begins an evaluation. `Conflict` if the id exists.
pub async fn create(app: &AppCtx, new: NewMetrics) -> Result<Stored<AnnotationMetrics>> {
    app.check_writable()?;
    let platform = app.platform();
    let id = new.id.filter(|id| !id.is_empty()).unwrap_or_else(|| platform.ids().id());
    let doc = AnnotationMetrics {
        uid: platform.ids().id(),
        ground_truth: new.ground_truth,
        to_eval: new.to_eval,
        data: new.data,
        kind: new.kind,
        ..AnnotationMetrics::default()
    };
    let work = Work {
        id: id.clone(),
        uid: doc.uid.clone(),
        truth: found(app, new.truth, "ground_truth").await?,
        said: found(app, new.said, "search_to_eval").await?,
        concept_ids: new.concept_ids,
        kind: doc.kind,
    };
    let account_id = &app.caller().account_id;
    let mut job = NewJob::new(&KIND, &platform.ids().id(), account_id, platform.clock().now_us());
    job.job.app_uid = Some(app.uid().to_owned());
    job.job.payload = match serde_json::to_value(&work) {
        Ok(Value::Object(map)) => map,
        Ok(_) => JsonMap::new(),
        Err(error) => return Err(Error::internal(error)),
    };
    let insert = move |tx: &store::Tx<'_>, _: &str| job.insert(tx);
    let mut made = resources::create_if(&Shelf::from(app), vec![New { id: Some(id), doc }], insert).await?;
    platform.job_added().notify_waiters();
    made.pop().ok_or_else(|| Error::internal(anyhow::anyhow!("an evaluation was gone when it was written")))
}

async fn found(app: &AppCtx, filters: Vec<Filter>, field: &str) -> Result<Vec<String>> {
    let ids = search::annotations::all_ids(app, filters).await?;
    match ids.len() > MAX_ANNOTATIONS {
        true => Err(Error::invalid(field, format!("must find at most {MAX_ANNOTATIONS} annotations"))),
        false => Ok(ids),
    }
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let Some(app_uid) = cx.job.app_uid.clone() else { return Ok(Outcome::nothing()) };
    let work: Work =
        serde_json::from_value(Value::Object(cx.job.payload.clone())).map_err(Error::internal)?;
    let truth = read(&cx, &app_uid, &work.truth).await?;
    let said = read(&cx, &app_uid, &work.said).await?;
    let limits = *cx.platform.decode_limits();
    let (kind, only) = (work.kind, work.concept_ids);
    let report = cx.platform.engine().cpu(move || compare(&truth, &said, kind, &only, &limits)).await?;
    let (id, uid, now_us) = (work.id, work.uid, cx.platform.clock().now_us());
    Ok(Outcome::effect(move |tx| {
        change(tx, &app_uid, (&id, &uid), now_us, |doc| {
            (doc.state, doc.report) = (EvaluationState::Ready, Some(report.clone()));
        })
    }))
}

/// Annotations by id; those that were deleted meanwhile are left out.
async fn read(cx: &JobCtx, app_uid: &str, ids: &[String]) -> Result<Vec<Annotation>> {
    let mut all = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(BATCH) {
        cx.checkpoint()?;
        let (uid, chunk) = (app_uid.to_owned(), chunk.to_vec());
        let read = move |tx: &mut store::Tx<'_>| read_rows(tx, &uid, tx.annotations_by_ids(&uid, &chunk)?);
        all.extend(cx.platform.store().read(read).await?);
    }
    Ok(all)
}

fn change(
    tx: &store::Tx<'_>,
    app_uid: &str,
    (id, uid): (&str, &str),
    now_us: i64,
    change: impl FnOnce(&mut AnnotationMetrics),
) -> Result<()> {
    resources::rewrite(tx, app_uid, id, now_us, |doc: &mut AnnotationMetrics| {
        if doc.uid == uid {
            change(doc);
        }
        Ok(())
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
    change(tx, app_uid, (&work.id, &work.uid), now_us, |doc| {
        (doc.state, doc.error) = (EvaluationState::Failed, error.message.clone());
    })
}

/// Numbers things in the order of their ids.
fn numbered(ids: BTreeSet<&str>) -> BTreeMap<&str, usize> {
    ids.into_iter().enumerate().map(|(idx, id)| (id, idx)).collect()
}

/// Compares annotations with those that are true. Blocks.
fn compare(
    truth: &[Annotation],
    said: &[Annotation],
    kind: Option<EvaluationKind>,
    only: &[String],
    limits: &DecodeLimits,
) -> Report {
    let in_boxes =
        |all: &[Annotation]| all.iter().any(|one| one.data.regions.iter().any(|r| r.shape.is_some()));
    let kind = kind.unwrap_or(match in_boxes(truth) {
        true => EvaluationKind::Detection,
        false => EvaluationKind::Classification,
    });
    let counts = |said: &&Said| only.is_empty() || only.contains(&said.concept_id);
    let both = || truth.iter().chain(said);
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for said in both().flat_map(|one| one.data.concepts.iter().chain(one.data.said_of_parts())).filter(counts)
    {
        names.insert(&said.concept_id, &said.name);
    }
    let classes = numbered(names.keys().copied().collect());
    let items = numbered(both().map(|one| one.input_id.as_str()).collect());
    let scope = ClaimScope { classes: &classes, items: &items, limits };
    let claims = |all: &[Annotation]| -> Vec<Claim> {
        match kind {
            EvaluationKind::Classification => all.iter().flat_map(|one| scope.of_whole(one)).collect(),
            EvaluationKind::Detection => all.iter().flat_map(|one| scope.of_boxes(one)).collect(),
        }
    };
    let (true_claims, said_claims) = (claims(truth), claims(said));
    let mut agreement = match kind {
        EvaluationKind::Classification => {
            agreement::of_items(items.len(), classes.len(), &true_claims, &said_claims)
        }
        EvaluationKind::Detection => agreement::of_boxes(classes.len(), &true_claims, &said_claims),
    };
    for class in &mut agreement.classes {
        let step = class.curve.len().div_ceil(MAX_PLACES).max(1);
        class.curve = std::mem::take(&mut class.curve).into_iter().step_by(step).collect();
    }
    let concepts = names.into_iter().map(|(id, name)| (id.to_owned(), name.to_owned())).collect();
    Report { kind, concepts, n_inputs: items.len(), agreement }
}

/// Turns annotations into claims.
struct ClaimScope<'a> {
    classes: &'a BTreeMap<&'a str, usize>,
    items: &'a BTreeMap<&'a str, usize>,
    limits: &'a DecodeLimits,
}

impl ClaimScope<'_> {
    fn claim(&self, annotation: &Annotation, said: &Said, score: f32, sides: [f32; 4]) -> Option<Claim> {
        let item = *self.items.get(annotation.input_id.as_str())?;
        Some(Claim { item, class: *self.classes.get(said.concept_id.as_str())?, score, sides })
    }

    fn of_whole(&self, annotation: &Annotation) -> Vec<Claim> {
        let all = annotation.data.concepts.iter().chain(annotation.data.said_of_parts());
        all.filter_map(|said| self.claim(annotation, said, said.value, [0.0; 4])).collect()
    }

    fn of_boxes(&self, annotation: &Annotation) -> Vec<Claim> {
        let of_region = |region: &Region| {
            let around = box_around(region.shape.as_ref()?, self.limits).ok()?;
            let sides = [around.top, around.left, around.bottom, around.right];
            let sure = region.value.unwrap_or(1.0);
            let there = region.concepts.iter().filter(|said| said.value > 0.0);
            let claims = there.filter_map(|said| self.claim(annotation, said, said.value * sure, sides));
            Some(claims.collect::<Vec<_>>())
        };
        annotation.data.regions.iter().filter_map(of_region).flatten().collect()
    }
}
