//! Evaluations of trained versions: how good they are on inputs that they have not learned from. A job judges, what it finds
//! is kept, and a version may be evaluated again and on other inputs.

mod findings;
mod listing;
mod run;
mod scores;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use ocellus_algo::evaluate::Numbers;
use ocellus_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use findings::{Compared, Entry, Findings, Raw, Twin, findings};
pub use listing::{SortBy, Wanted, list, list_of_account};
pub use ocellus_algo::evaluate::{
    BINS, Bin, Comparison, ConceptReport, Difference, Doubt, Interval, Place, Report, Target,
};
pub use ocellus_algo::learn::Label;
pub(crate) use run::KIND;
pub use settings::{Settings, VersionName};

use crate::jobs::{NewJob, gc_blobs};
use crate::resources::{self, Document, Listing, New, Shelf, Stored};
use crate::user_models::{UserModel, UserModelVersion, VersionState};
use crate::{AppCtx, Error, JsonMap, Page, Resource, Result, datasets};

/// Fewer examples than this say nothing of a concept.
pub const LEAST_EXAMPLES: usize = 5;

/// An evaluation as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evaluation {
    /// Told from a later one with the same id.
    uid: String,
    /// The model.
    pub model_id: String,
    /// The model's key within the app.
    pub model_uid: String,
    /// What goes in and what comes out of the model.
    pub model_type_id: String,
    /// Its version.
    pub version_id: String,
    /// The concepts that the version tells.
    pub concept_ids: Vec<String>,
    /// The dataset that the version was trained on; empty for the app's inputs.
    pub train_dataset_id: String,
    /// What it is judged on.
    pub test: TestSet,
    /// How it is judged.
    pub settings: Settings,
    /// What the client gave as settings, as given.
    pub given: JsonMap,
    /// Numbers that the client brought along.
    pub user_metrics: JsonMap,
    /// How far it has got.
    pub state: EvaluationState,
    /// Why it could not be made.
    pub failure: Option<EvaluationFailure>,
    /// The job that does it.
    job_id: String,
    /// How many inputs it was judged on.
    pub n_inputs: u64,
    /// The numbers over all concepts.
    pub numbers: Numbers,
    /// Their deviations over the folds, or over the concepts where there are no folds.
    pub deviations: Numbers,
    /// The blob with everything that was found.
    findings: Option<String>,
}

/// What a version is judged on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestSet {
    /// The inputs it was trained on, each judged by a model that had not seen it nor its likes.
    #[default]
    HeldOut,
    /// The labelled inputs of a dataset.
    Dataset {
        /// The dataset.
        dataset_id: String,
        /// A frozen version of it; absent for what is in it when it is judged.
        version_id: Option<String>,
    },
}

/// How far an evaluation has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationState {
    /// It waits.
    #[default]
    Queued,
    /// The version is being judged.
    Evaluating,
    /// There.
    Evaluated,
    /// Given up.
    Failed,
}

/// Why an evaluation failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationFailure {
    /// What a program branches on.
    pub reason: EvaluationReason,
    /// A sentence for the owner.
    pub message: String,
}

/// What a program branches on when an evaluation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationReason {
    /// There is only one kind of thing, so that nothing can be confused.
    NeedLabels,
    /// There are too few labelled inputs.
    NeedInputs,
    /// Something else.
    Other,
}

impl Document for Evaluation {
    const KIND: &'static str = "evaluation";
    const NOUN: &'static str = "evaluation";
    const FIELD: &'static str = "eval_metrics";

    fn about(&self) -> String {
        about(&self.model_uid, &self.version_id)
    }

    fn state(&self) -> i64 {
        match self.state {
            EvaluationState::Queued => 0,
            EvaluationState::Evaluating => 1,
            EvaluationState::Evaluated => 2,
            EvaluationState::Failed => 3,
        }
    }

    fn blob(&self) -> Option<String> {
        self.findings.clone()
    }
}

fn about(model_uid: &str, version_id: &str) -> String {
    format!("{model_uid}/{version_id}")
}

impl Evaluation {
    /// Whether the job is still to end.
    pub fn is_open(&self) -> bool {
        matches!(self.state, EvaluationState::Queued | EvaluationState::Evaluating)
    }
}

/// An evaluation to make.
#[derive(Clone, Debug, Default)]
pub struct NewEvaluation {
    /// Chosen by the user; made up if empty.
    pub id: String,
    /// What to judge on.
    pub test: TestSet,
    /// How to judge, by name, as the client gave it.
    pub settings: JsonMap,
    /// Numbers that the client brings along.
    pub user_metrics: JsonMap,
}

/// What the job needs to know.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Work {
    id: String,
    uid: String,
}

/// Begins the evaluation of a version. `Unsupported` about a version that is not trained or tells no concepts, `Invalid` for
/// settings that make no sense, `NotFound` about a dataset that is not there, `Conflict` if the id exists.
pub async fn create(
    app: &AppCtx,
    (model, version): (&UserModel, &UserModelVersion),
    new: NewEvaluation,
) -> Result<Stored<Evaluation>> {
    app.check_writable()?;
    check_version(model, version)?;
    let settings = Settings::read(&new.settings)?;
    if let Some(other) = &settings.compare_with {
        check_compared(app, other).await?;
    }
    let platform = app.platform();
    let on = version.doc.trained_on.as_ref();
    let doc = Evaluation {
        uid: platform.ids().id(),
        model_id: model.id.clone(),
        model_uid: model.uid.clone(),
        model_type_id: model.model_type_id.clone(),
        version_id: version.id.clone(),
        concept_ids: on.map(|on| on.concepts.iter().map(|c| c.id.clone()).collect()).unwrap_or_default(),
        train_dataset_id: on.map(|on| on.dataset_id.clone()).unwrap_or_default(),
        test: new.test,
        settings,
        given: new.settings,
        user_metrics: new.user_metrics,
        job_id: platform.ids().id(),
        ..Evaluation::default()
    };
    let id = if new.id.is_empty() { platform.ids().id() } else { new.id };
    let job = job(app, &id, &doc)?;
    let (test, version_of) = (doc.test.clone(), (doc.model_uid.clone(), doc.version_id.clone()));
    let insert = move |tx: &store::Tx<'_>, app_uid: &str| {
        check_test(tx, app_uid, &test)?;
        if tx.model_version(app_uid, &version_of.0, &version_of.1)?.is_none() {
            return Err(Error::not_found(Resource::ModelVersion(version_of.1.clone())));
        }
        job.insert(tx)
    };
    let mut made = resources::create_if(&Shelf::from(app), vec![New { id: Some(id), doc }], insert).await?;
    platform.job_added().notify_waiters();
    made.pop().ok_or_else(|| Error::internal(anyhow::anyhow!("an evaluation was gone when it was written")))
}

fn job(app: &AppCtx, id: &str, doc: &Evaluation) -> Result<NewJob> {
    let account_id = &app.caller().account_id;
    let mut job = NewJob::new(&KIND, &doc.job_id, account_id, app.platform().clock().now_us());
    job.job.app_uid = Some(app.uid().to_owned());
    let work = Work { id: id.to_owned(), uid: doc.uid.clone() };
    job.job.payload = match serde_json::to_value(&work).map_err(Error::internal)? {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            JsonMap::new()
        }
    };
    Ok(job)
}

fn check_version(model: &UserModel, version: &UserModelVersion) -> Result<()> {
    if version.state != VersionState::Trained {
        return Err(crate::user_models::untrained(&model.id));
    }
    let tells = version.doc.artefact.as_ref().is_some_and(|artefact| artefact.kind == "classifier");
    match tells {
        true => Ok(()),
        false => {
            let message = format!(
                "version '{}' of model '{}' does not tell concepts of whole inputs, so it cannot be evaluated",
                version.id, model.id
            );
            Err(Error::unsupported(message).about(Resource::ModelVersion(version.id.clone())))
        }
    }
}

async fn check_compared(app: &AppCtx, other: &VersionName) -> Result<()> {
    let model = crate::user_models::get(app, &other.model_id).await?;
    let version = crate::user_models::version(app, &model, &other.version_id).await?;
    check_version(&model, &version)
}

fn check_test(tx: &store::Tx<'_>, app_uid: &str, test: &TestSet) -> Result<()> {
    match test {
        TestSet::HeldOut => Ok(()),
        TestSet::Dataset { dataset_id, version_id: None } => {
            datasets::find(tx, app_uid, dataset_id).map(|_| ())
        }
        TestSet::Dataset { dataset_id, version_id: Some(version_id) } => {
            datasets::versions::find_ready(tx, app_uid, dataset_id, version_id).map(|_| ())
        }
    }
}

/// The evaluation of a version on the inputs it was trained on: the one that is under way, or else a new one.
pub async fn evaluate_again(
    app: &AppCtx,
    of: (&UserModel, &UserModelVersion),
    settings: JsonMap,
) -> Result<Stored<Evaluation>> {
    let newest = newest(app, of.0, &of.1.id).await?;
    match newest.filter(|newest| newest.doc.is_open() && newest.doc.given == settings) {
        Some(open) => Ok(open),
        None => create(app, of, NewEvaluation { settings, ..NewEvaluation::default() }).await,
    }
}

/// The newest evaluation of a version on the inputs it was trained on.
pub async fn newest(app: &AppCtx, model: &UserModel, version_id: &str) -> Result<Option<Stored<Evaluation>>> {
    if app.is_public() {
        return Ok(None);
    }
    let listing =
        Listing { about: Some(about(&model.uid, version_id)), newest_first: true, ..Listing::default() };
    let fits = |one: &Stored<Evaluation>| one.doc.test == TestSet::HeldOut;
    Ok(resources::search(&Shelf::from(app), &listing, Page::first(1), fits).await?.pop())
}

/// One evaluation, of a certain version if one is named by the model's key and its own id.
pub async fn get(app: &AppCtx, id: &str, of: Option<(&str, &str)>) -> Result<Stored<Evaluation>> {
    let found = resources::get::<Evaluation>(&Shelf::from(app), id).await?;
    match of.is_none_or(|(model_uid, version_id)| found.doc.about() == about(model_uid, version_id)) {
        true => Ok(found),
        false => Err(resources::missing::<Evaluation>(id)),
    }
}

/// Deletes an evaluation; one that is under way stops.
pub async fn delete(app: &AppCtx, id: &str) -> Result<()> {
    let (now_us, gc_id) = (app.platform().clock().now_us(), app.platform().ids().id());
    resources::delete_with::<Evaluation>(&Shelf::from(app), &[id], move |tx, _, gone| {
        tx.cancel_job(&gone.doc.job_id, now_us)?;
        let hashes: BTreeSet<String> = gone.doc.findings.iter().cloned().collect();
        match hashes.is_empty() {
            true => Ok(()),
            false => gc_blobs::job_for(&gc_id, &gone.account_id, &hashes, now_us).insert(tx),
        }
    })
    .await
}

/// Removes the evaluations of a version that is about to be deleted, and stops those under way. Returns the blobs that they
/// needed.
pub(crate) fn let_go(
    tx: &store::Tx<'_>,
    version: &store::ModelVersion,
    now_us: i64,
) -> Result<BTreeSet<String>> {
    const BATCH: i64 = 500;
    let query = store::ResourceQuery {
        about: Some(about(&version.model_uid, &version.id)),
        limit: BATCH,
        ..store::ResourceQuery::default()
    };
    let mut blobs = BTreeSet::new();
    loop {
        let rows = tx.resources_page(&version.app_uid, Evaluation::KIND, &query)?;
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        tx.delete_resources(&version.app_uid, Evaluation::KIND, "", &ids)?;
        let n_rows = rows.len();
        for row in rows {
            let gone = resources::stored::<Evaluation>(row)?.doc;
            tx.cancel_job(&gone.job_id, now_us)?;
            blobs.extend(gone.findings);
        }
        if n_rows < BATCH as usize {
            return Ok(blobs);
        }
    }
}
