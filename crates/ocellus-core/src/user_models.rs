//! Models that users make: what is said of them, their versions and their concepts. Training is in `learning`.
//!
//! A model always has a version. The first one is untrained and stands for the model as it is described.

mod brought;
mod change;
mod create;
mod list;
mod operators;
mod publish;
mod queued;
mod state;
#[cfg(test)]
mod tests;
mod training;
mod versions;

use ocellus_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::concepts::Concept;
use crate::inputs::labels::Labeller;
use crate::learning::ArtefactRef;
use crate::{AppCtx, Error, JsonMap, Kind, Page, Resource, Result};

pub(crate) use brought::{NewTrained, add_trained, keep_blob};
pub use change::{ModelPatch, Tags, delete, delete_all, patch, patch_tags, rename};
pub use create::create;
pub use list::count;
pub(crate) use list::{Wanted, list};
pub use operators::tell_operator;
pub(crate) use publish::is_published;
pub use publish::publish;
pub(crate) use queued::{NewQueued, add_queued};
pub use state::VersionState;
pub use training::{BackboneRef, FailureReason, TrainedConcept, TrainedOn, Training, TrainingFailure};
pub use versions::{VersionListing, delete_version, list_versions, patch_versions, trained_version, version};
pub(crate) use versions::{
    newest_trained_version, read as version_of_row, rewrite_version, trained_version_by_id,
};

/// A model of an app.
#[derive(Clone, Debug, PartialEq)]
pub struct UserModel {
    /// The user id of the app's owner.
    pub user_id: String,
    /// The id of the app.
    pub app_id: String,
    /// The id that clients use; unique within the app.
    pub id: String,
    /// The key within the app; it never changes and clients do not see it.
    pub uid: String,
    /// The name to show.
    pub name: String,
    /// What goes in and what comes out, such as "embedding-classifier".
    pub model_type_id: String,
    /// Everything else that is said of it.
    pub doc: ModelDoc,
    /// The newest version.
    pub newest: UserModelVersion,
    /// How many versions it has.
    pub n_versions: u64,
    /// The user id of the account that made it.
    pub account_id: String,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// Microseconds since the epoch.
    pub modified_at_us: i64,
}

/// What is said of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelDoc {
    /// The owner's words.
    pub description: String,
    /// More of the owner's words.
    pub notes: String,
    /// The owner's own document.
    pub metadata: JsonMap,
    /// What a form for predictions is filled with at first.
    pub presets: JsonMap,
    /// Tags: what it was made with.
    pub toolkits: Vec<String>,
    /// Tags: what it is good for.
    pub use_cases: Vec<String>,
    /// Tags: the languages it understands.
    pub languages: Vec<String>,
    /// Tags: what a user must agree to.
    pub check_consents: Vec<String>,
    /// The ids of the app's concepts that it shall tell.
    pub concepts: Vec<String>,
    /// How it answers.
    pub output_config: OutputConfig,
    /// What its type asks for.
    pub params: JsonMap,
    /// Which field of its input or output is called what.
    pub fields_map: JsonMap,
    /// What else is told of it in catalogues, by the dialect's names.
    #[serde(flatten)]
    pub about: JsonMap,
}

/// How a model answers, and how it is to be trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutputConfig {
    /// Whether an image shows one of the concepts at most.
    pub concepts_mutually_exclusive: bool,
    /// Whether every image shows one of the concepts.
    pub closed_environment: bool,
    /// The model whose vectors it learns on; empty for the usual one.
    pub existing_model_id: String,
    /// The version of that model; empty for its current one.
    pub embed_model_version_id: String,
    /// The language of the answer's names; empty for the app's.
    pub language: String,
    /// The most concepts of an answer; 0 for the usual number.
    pub max_concepts: u32,
    /// The least probability of a concept in an answer, 0 to 1.
    pub min_value: f32,
    /// Milliseconds between two frames of a video that are looked at; 0 for the usual.
    pub sample_ms: u32,
    /// The longest a training may take, seconds; 0 for the usual.
    pub training_timeout_s: u32,
    /// The part of the inputs kept from training, percent.
    pub test_split_percent: u32,
    /// Whether a training fails for a concept without an example.
    pub fail_on_missing_positive_examples: bool,
    /// The recipe of a training; empty for the usual one.
    pub template_name: String,
    /// Numbers of the recipe as a text, as the first generation has them.
    pub hyper_parameters: String,
    /// Numbers of the recipe.
    pub hyper_params: JsonMap,
}

/// A version of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct UserModelVersion {
    /// Unique within the model.
    pub id: String,
    /// How far it has got.
    pub state: VersionState,
    /// What is said of it.
    pub doc: VersionDoc,
    /// The user id of the account that made it.
    pub account_id: String,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// Microseconds since the epoch.
    pub modified_at_us: i64,
    /// When it was ready, microseconds since the epoch.
    pub completed_at_us: Option<i64>,
}

/// What is said of a version by whoever made it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VersionDoc {
    /// The owner's words.
    pub description: String,
    /// The licence, by name.
    pub license: String,
    /// The owner's own document.
    pub metadata: JsonMap,
    /// Whether others may use it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub published: bool,
    /// How it answers, as the model was set when it was made; absent for a first version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_config: Option<OutputConfig>,
    /// The training that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// What it was trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<TrainedOn>,
    /// What it can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artefact: Option<ArtefactRef>,
    /// The blob with the scores of inputs that it had not seen, by its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<String>,
    /// Why the training failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<TrainingFailure>,
}

/// A model to make.
#[derive(Clone, Debug, Default)]
pub struct NewModel {
    /// Chosen by the user; made up if empty.
    pub id: String,
    /// The name to show; the id if empty.
    pub name: String,
    /// What goes in and what comes out.
    pub model_type_id: String,
    /// Everything else but the concepts.
    pub doc: ModelDoc,
    /// The concepts it shall tell; those that the app lacks are made.
    pub concepts: Vec<ConceptRef>,
    /// What is said of its first version.
    pub version: VersionDoc,
}

/// A concept by its id, or by its name where there is no id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConceptRef {
    /// The id, if known.
    pub id: Option<String>,
    /// The name, if known.
    pub name: Option<String>,
}

/// The most concepts of a model.
pub const MAX_CONCEPTS: usize = 10_000;
/// The most models one call may change or delete.
pub const MAX_PER_CALL: usize = 128;

/// One model.
pub async fn get(app: &AppCtx, id: &str) -> Result<UserModel> {
    find(app, id).await?.ok_or_else(|| missing(id))
}

/// One model, if the app has it.
pub async fn find(app: &AppCtx, id: &str) -> Result<Option<UserModel>> {
    if app.is_public() {
        return Ok(None);
    }
    let (uid, id, place) = (app.uid().to_owned(), id.to_owned(), Place::of(app));
    let guest = app.is_guest();
    let read = move |tx: &mut store::Tx<'_>| {
        let Some(row) = tx.model(&uid, &id)? else { return Ok(None) };
        let shown = if guest { publish::published_versions(tx, &uid, &row.uid)? } else { Vec::new() };
        let found = with_newest(tx, &uid, vec![row], &place)?.into_iter().next();
        // A guest sees what was published and nothing beside it.
        let as_guest = |model: UserModel| {
            let (n_versions, newest) = (shown.len() as u64, shown.first()?.clone());
            Some(UserModel { newest, n_versions, ..model })
        };
        Ok::<_, Error>(if guest { found.and_then(as_guest) } else { found })
    };
    app.platform().store().read(read).await
}

/// A model's concepts whose name or id contains the words, in the model's order; those that the app no longer has are
/// left out.
pub async fn concepts(app: &AppCtx, model: &UserModel, words: &str, page: Page) -> Result<Vec<Concept>> {
    let page = page.check()?;
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let found = all_concepts(app, model).await?.into_iter();
    let words = words.to_lowercase();
    let fits = |concept: &Concept| {
        words.is_empty()
            || [&concept.id, &concept.name].iter().any(|text| text.to_lowercase().contains(&words))
    };
    Ok(found.filter(fits).skip(skip).take(page.per_page as usize).collect())
}

/// All concepts of a model, in its order; those that the app no longer has are left out.
pub async fn all_concepts(app: &AppCtx, model: &UserModel) -> Result<Vec<Concept>> {
    let (uid, ids) = (app.uid().to_owned(), model.doc.concepts.clone());
    let read = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.concepts_by_ids(&uid, &ids)?);
    Ok(app.platform().store().read(read).await?.into_iter().map(Concept::from).collect())
}

/// The error for predicting with a version that was not trained.
pub fn untrained(model_id: &str) -> Error {
    let message = format!("model '{model_id}' is not trained, so it cannot predict");
    Error::new(Kind::Unsupported, message).about(Resource::Other("untrained model", model_id.to_owned()))
}

pub(crate) fn missing(id: &str) -> Error {
    Error::not_found(Resource::Model(id.to_owned()))
}

fn taken(id: &str) -> Error {
    Error::conflict(Resource::Model(id.to_owned()), format!("model '{id}' exists already"))
}

/// The app in which models are, as clients name it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    user_id: String,
    app_id: String,
}

impl Place {
    pub(crate) fn of(app: &AppCtx) -> Self {
        Self { user_id: app.app().user_id.clone(), app_id: app.app().id.clone() }
    }

    pub(crate) fn of_row(app: &store::App) -> Self {
        Self { user_id: app.account_id.clone(), app_id: app.id.clone() }
    }
}

/// Who changes models of which app, and when.
struct By {
    place: Place,
    labeller: Labeller,
}

impl By {
    fn new(app: &AppCtx) -> Self {
        let labeller = Labeller {
            platform: app.platform().clone(),
            app_uid: app.uid().to_owned(),
            account_id: app.caller().account_id.clone(),
            key_id: app.caller().key_id.clone(),
            language: app.app().default_language.clone(),
            now_us: app.platform().clock().now_us(),
        };
        Self { place: Place::of(app), labeller }
    }

    /// An app that was deleted since the door opened takes nothing more.
    fn check_alive(&self, tx: &store::Tx<'_>) -> Result<()> {
        match tx.app_by_uid(&self.labeller.app_uid)? {
            Some(app) if app.deleted_at_us.is_none() => Ok(()),
            _ => Err(Error::not_found(Resource::App(self.place.app_id.clone()))),
        }
    }
}

/// Models with their newest versions. One without a version is left out; there is none.
pub(crate) fn with_newest(
    tx: &store::Tx<'_>,
    app_uid: &str,
    rows: Vec<store::Model>,
    place: &Place,
) -> Result<Vec<UserModel>> {
    let uids: Vec<&str> = rows.iter().map(|row| row.uid.as_str()).collect();
    let mut newest = tx.newest_model_versions(app_uid, &uids)?;
    let n_versions = tx.count_model_versions(app_uid, &uids)?;
    let mut models = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(version) = newest.remove(&row.uid) {
            let n = n_versions.get(&row.uid).copied().unwrap_or_default();
            models.push(read(row, version, n, place)?);
        }
    }
    Ok(models)
}

fn read(row: store::Model, newest: store::ModelVersion, n_versions: i64, place: &Place) -> Result<UserModel> {
    Ok(UserModel {
        user_id: place.user_id.clone(),
        app_id: place.app_id.clone(),
        doc: from_json(row.doc, &row.id)?,
        id: row.id,
        uid: row.uid,
        name: row.name,
        model_type_id: row.model_type_id,
        newest: versions::read(newest)?,
        n_versions: u64::try_from(n_versions).unwrap_or_default(),
        account_id: row.account_id,
        created_at_us: row.created_at_us,
        modified_at_us: row.modified_at_us,
    })
}

fn to_json(doc: &impl Serialize) -> Result<JsonMap> {
    match serde_json::to_value(doc) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Error::internal(anyhow::anyhow!("what is said of a model is no JSON object"))),
        Err(error) => Err(Error::internal(error)),
    }
}

fn from_json<T: serde::de::DeserializeOwned>(doc: JsonMap, id: &str) -> Result<T> {
    serde_json::from_value(Value::Object(doc))
        .map_err(|error| Error::internal(anyhow::anyhow!("model '{id}' cannot be read: {error}")))
}
