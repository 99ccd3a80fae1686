//! Asking for a training: the settings come together, and a queued version and its job are written at once.

use ocellus_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::backbone::Backbone;
use super::samples::SampleSource;
use super::settings::{Settings, Trainer};
use crate::jobs::train_version;
use crate::user_models::{
    self, ConceptRef, NewQueued, OutputConfig, Training, UserModel, UserModelVersion, VersionDoc,
};
use crate::{AppCtx, Error, JsonMap, Kind, Resource, Result};

/// The longest that a training takes unless a model says otherwise, in seconds.
const USUAL_TIMEOUT_S: u32 = 3_600;

/// A training to begin.
#[derive(Clone, Debug, Default)]
pub struct NewTraining {
    /// The version's id, chosen by the user; made up if empty.
    pub version_id: String,
    /// The owner's words about the version.
    pub description: String,
    /// The licence, by name.
    pub license: String,
    /// The owner's own document.
    pub metadata: JsonMap,
    /// Settings of the training.
    pub params: JsonMap,
    /// Settings that stand with the answers.
    pub output_params: JsonMap,
    /// How it is to answer and to learn; what is left out is as the model is set.
    pub config: Option<OutputConfig>,
    /// The concepts; those of the model if none are given.
    pub concepts: Vec<ConceptRef>,
    /// The dataset, and the version of it; the settings say otherwise.
    pub dataset: Option<(String, String)>,
    /// A training without anything to learn from ends well, with a model that finds nothing.
    pub ends_well_without_data: bool,
}

/// All that a training depends on beside the inputs themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    pub trainer: Trainer,
    pub concept_ids: Vec<String>,
    pub settings: Settings,
    /// Model and version of the vectors, as far as they were said.
    pub embed: (String, String),
    pub timeout_s: u32,
    pub ends_well_without_data: bool,
}

impl Recipe {
    pub(crate) fn source(&self) -> SampleSource {
        let id = |name| self.settings.text(name).to_owned();
        let (dataset_id, version_id) = (id("dataset_id"), id("dataset_version_id"));
        match dataset_id.is_empty() {
            true => SampleSource::App,
            false => SampleSource::Dataset {
                dataset_id,
                version_id: (!version_id.is_empty()).then_some(version_id),
            },
        }
    }
}

/// Begins to train a model: adds a version that waits for its training. `Unsupported` for a model of a type that is not
/// trained here, `Invalid` for settings that it does not have and for a model without concepts.
pub async fn train(app: &AppCtx, model_id: &str, new: NewTraining) -> Result<(UserModel, UserModelVersion)> {
    app.check_writable()?;
    let model = user_models::get(app, model_id).await?;
    let (recipe, config) = recipe(app, &model, &new).await?;
    let job_id = app.platform().ids().id();
    let training = Training { job_id: job_id.clone(), given: given(&new), ..Training::default() };
    let doc = VersionDoc {
        description: new.description,
        license: new.license,
        metadata: new.metadata,
        output_config: Some(config),
        training: Some(training),
        ..VersionDoc::default()
    };
    let queued = NewQueued { version_id: new.version_id, doc, concepts: new.concepts };
    let (account_id, now_us) = (app.caller().account_id.clone(), app.platform().clock().now_us());
    let job = move |tx: &store::Tx<'_>, row: &store::ModelVersion, concept_ids: Vec<String>| {
        let model_id = &model.id;
        if recipe.trainer.needs_concepts() && concept_ids.is_empty() {
            let message = format!("model '{model_id}' has no concepts to learn");
            return Err(Error::new(Kind::Invalid, message).about(Resource::Model(model_id.clone())));
        }
        let target = train_version::Target {
            app_uid: row.app_uid.clone(),
            model_uid: row.model_uid.clone(),
            version_id: row.id.clone(),
            recipe: Recipe { concept_ids, ..recipe.clone() },
        };
        train_version::job((&job_id, &account_id), &target, now_us)?.insert(tx)
    };
    let made = user_models::add_queued(app, model_id, queued, job).await?;
    app.platform().job_added().notify_waiters();
    Ok(made)
}

/// What a training asked for now would be made from.
pub(super) async fn recipe(
    app: &AppCtx,
    model: &UserModel,
    new: &NewTraining,
) -> Result<(Recipe, OutputConfig)> {
    let trainer = Trainer::of(&model.model_type_id).ok_or_else(|| {
        let message = format!("models of type '{}' are not trained here", model.model_type_id);
        Error::unsupported(message).about(Resource::Model(model.id.clone()))
    })?;
    let config = merged(&model.doc.output_config, new.config.as_ref());
    let mut settings = Settings::usual(trainer);
    settings.take_known(trainer, &model.doc.params, "models.output_info.params")?;
    of_config(trainer, &mut settings, &config)?;
    settings.take(trainer, &new.output_params, "model_versions.output_info.params")?;
    if let Some((id, version_id)) = &new.dataset {
        settings.put("dataset_id", id.as_str());
        settings.put("dataset_version_id", version_id.as_str());
    }
    settings.take(trainer, &new.params, "model_versions.train_info.params")?;
    if settings.text("enrich_dataset") == "Disabled" {
        settings.put("closed_environment", true);
    }
    let version_id = settings.text("embed_model_version_id").to_owned();
    let embed = (config.existing_model_id.clone(), version_id);
    Backbone::find(app.platform(), app.uid(), &embed.0, &embed.1).await?;
    let timeout_s = if config.training_timeout_s == 0 { USUAL_TIMEOUT_S } else { config.training_timeout_s };
    let recipe = Recipe {
        trainer,
        concept_ids: model.doc.concepts.clone(),
        settings,
        embed,
        timeout_s,
        ends_well_without_data: new.ends_well_without_data,
    };
    check_source(app, &recipe.source()).await?;
    Ok((recipe, config))
}

/// A dataset must be there, and a version of it must not have failed.
async fn check_source(app: &AppCtx, source: &SampleSource) -> Result<()> {
    let SampleSource::Dataset { dataset_id, version_id } = source else { return Ok(()) };
    let Some(id) = version_id else {
        return crate::datasets::get(app, dataset_id).await.map(|_| ());
    };
    let version = crate::datasets::versions::get(app, dataset_id, id).await?;
    if version.doc.state != crate::datasets::versions::VersionState::Ready {
        return Err(Error::invalid("dataset_version_id", "is of a version that is not ready"));
    }
    Ok(())
}

/// The settings that stand in the configuration of answers.
fn of_config(trainer: Trainer, settings: &mut Settings, config: &OutputConfig) -> Result<()> {
    const FIELD: &str = "output_info.output_config";
    if !config.hyper_parameters.trim().is_empty() {
        let field = format!("{FIELD}.hyper_parameters");
        let Ok(Value::Object(given)) = serde_json::from_str(&config.hyper_parameters) else {
            return Err(Error::invalid(field, "must be a JSON object with settings"));
        };
        settings.take(trainer, &given, &field)?;
    }
    settings.take(trainer, &config.hyper_params, &format!("{FIELD}.hyper_params"))?;
    for (name, on) in [
        ("concepts_mutually_exclusive", config.concepts_mutually_exclusive),
        ("closed_environment", config.closed_environment),
        ("fail_on_missing_positive_examples", config.fail_on_missing_positive_examples),
    ] {
        if on {
            settings.put(name, true);
        }
    }
    // Every input is judged by a model that has not seen it; a part to keep apart says in how many parts to divide.
    if let Some(n_folds) = 100u32.checked_div(config.test_split_percent) {
        settings.put("n_folds", n_folds.clamp(2, 20));
    }
    for (name, text) in
        [("embed_model_version_id", &config.embed_model_version_id), ("template", &config.template_name)]
    {
        if !text.is_empty() {
            settings.take(
                trainer,
                &[(name.to_owned(), text.as_str().into())].into_iter().collect(),
                FIELD,
            )?;
        }
    }
    Ok(())
}

/// The model's configuration with what is given for the version. Protobuf cannot tell zero and no from absent.
fn merged(model: &OutputConfig, given: Option<&OutputConfig>) -> OutputConfig {
    let Some(given) = given else { return model.clone() };
    let text = |given: &String, model: &String| if given.is_empty() { model.clone() } else { given.clone() };
    let number = |given: u32, model: u32| if given == 0 { model } else { given };
    let mut hyper_params = model.hyper_params.clone();
    hyper_params.extend(given.hyper_params.clone());
    OutputConfig {
        concepts_mutually_exclusive: given.concepts_mutually_exclusive || model.concepts_mutually_exclusive,
        closed_environment: given.closed_environment || model.closed_environment,
        existing_model_id: text(&given.existing_model_id, &model.existing_model_id),
        embed_model_version_id: text(&given.embed_model_version_id, &model.embed_model_version_id),
        language: text(&given.language, &model.language),
        max_concepts: number(given.max_concepts, model.max_concepts),
        min_value: if given.min_value == 0.0 { model.min_value } else { given.min_value },
        sample_ms: number(given.sample_ms, model.sample_ms),
        training_timeout_s: number(given.training_timeout_s, model.training_timeout_s),
        test_split_percent: number(given.test_split_percent, model.test_split_percent),
        fail_on_missing_positive_examples: given.fail_on_missing_positive_examples
            || model.fail_on_missing_positive_examples,
        template_name: text(&given.template_name, &model.template_name),
        hyper_parameters: text(&given.hyper_parameters, &model.hyper_parameters),
        hyper_params,
    }
}

/// What the client gave, to be shown again.
fn given(new: &NewTraining) -> JsonMap {
    let mut given = new.params.clone();
    if let Some((id, version_id)) = &new.dataset {
        given.entry("dataset_id").or_insert_with(|| id.as_str().into());
        given.entry("dataset_version_id").or_insert_with(|| version_id.as_str().into());
    }
    given
}
