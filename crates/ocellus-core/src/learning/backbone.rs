//! The frozen features that own models stand on: a public embedding model, and perhaps a projection that the app learned
//! on top of it.

use std::sync::Arc;

use ocellus_algo::learn::Rows;

use super::artefact::{Artefact, ArtefactRef, artefact};
use crate::catalog::{ModelSpec, ModelTask};
use crate::user_models::{self, BackboneRef, UserModelVersion};
use crate::{Error, Platform, Result};

/// What turns a picture into the numbers that a model learns on.
#[derive(Clone)]
pub(crate) struct Backbone {
    /// The public model whose vectors are taken.
    pub spec: Arc<ModelSpec>,
    /// What the app learned on top of them.
    pub learned: Option<Learned>,
}

/// An own embedder in one version.
#[derive(Clone)]
pub(crate) struct Learned {
    pub model_id: String,
    pub version_id: String,
    /// Where what it learned is kept.
    pub name: ArtefactRef,
    pub artefact: Arc<Artefact>,
}

impl Backbone {
    /// The vectors that every input is described by.
    pub(crate) fn usual(platform: &Platform) -> Self {
        Self { spec: Arc::clone(platform.catalog().embedding()), learned: None }
    }

    /// The backbone of these names: a public embedding model by id or version, or an own embedder that was trained.
    /// Empty names mean the usual one. `Invalid` for anything else.
    pub(crate) async fn find(
        platform: &Platform,
        app_uid: &str,
        model_id: &str,
        version_id: &str,
    ) -> Result<Self> {
        if model_id.is_empty() && version_id.is_empty() {
            return Ok(Self::usual(platform));
        }
        let embeds = |spec: &&Arc<ModelSpec>| spec.task == ModelTask::Embedding;
        let by_version = |spec: &&Arc<ModelSpec>| {
            version_id.is_empty() || spec.version_ids.iter().any(|id| id == version_id)
        };
        let public = match model_id.is_empty() {
            true => platform.catalog().list().iter().find(|spec| embeds(spec) && by_version(spec)),
            false => platform.catalog().find(model_id).filter(by_version),
        };
        match public {
            Some(spec) if spec.task == ModelTask::Embedding => {
                return Ok(Self { spec: Arc::clone(spec), learned: None });
            }
            Some(_) => {
                return Err(not_a_backbone(
                    model_id,
                    "is of a model that gives no vectors of whole pictures",
                ));
            }
            None => {}
        }
        let Some((model, version)) = own(platform, app_uid, model_id, version_id).await? else {
            return Err(not_a_backbone(model_id, "names no model that gives vectors"));
        };
        Self::of_own(platform, &model, &version).await
    }

    /// The backbone that an own embedder is.
    async fn of_own(platform: &Platform, model_id: &str, version: &UserModelVersion) -> Result<Self> {
        let learned = artefact(platform, version).await?;
        if !matches!(*learned, Artefact::Embedder(_)) {
            return Err(not_a_backbone(model_id, "is of a model that gives no vectors"));
        }
        let below = Self::of_version(platform, version)?;
        if below.learned.is_some() {
            return Err(not_a_backbone(model_id, "is of an embedder on an embedder, which is one too many"));
        }
        let name = version.doc.artefact.clone().unwrap_or_default();
        let (model_id, version_id) = (model_id.to_owned(), version.id.clone());
        let learned = Learned { model_id, version_id, name, artefact: learned };
        Ok(Self { spec: below.spec, learned: Some(learned) })
    }

    /// The public model that a trained version stands on.
    fn of_version(platform: &Platform, version: &UserModelVersion) -> Result<Self> {
        let on = version.doc.trained_on.as_ref().map(|on| &on.backbone);
        let id = on.map_or("", |on| on.model_id.as_str());
        let spec = platform.catalog().list().iter().find(|spec| spec.id == id).cloned();
        let missing = || Error::unsupported(format!("the embedding model '{id}' is not here any more"));
        Ok(Self { spec: spec.ok_or_else(missing)?, learned: None })
    }

    /// The backbone that a trained version stands on. `Unsupported` if it is not here any more, or has changed.
    pub(crate) async fn of_trained(platform: &Platform, version: &UserModelVersion) -> Result<Self> {
        let mut backbone = Self::of_version(platform, version)?;
        let on = version.doc.trained_on.as_ref().map(|on| on.backbone.clone()).unwrap_or_default();
        if on.version_id != backbone.spec.version_id() {
            let message =
                format!("the model was trained on another version of '{}'; train it again", on.model_id);
            return Err(Error::unsupported(message));
        }
        if let Some(projection) = &on.projection {
            let artefact = super::artefact::load(platform, projection).await?;
            let (model_id, version_id) = (on.own_model_id, on.own_version_id);
            backbone.learned = Some(Learned { model_id, version_id, name: projection.clone(), artefact });
        }
        Ok(backbone)
    }

    /// What a version that stands on it says of it.
    pub(crate) fn reference(&self) -> BackboneRef {
        let learned = self.learned.as_ref();
        BackboneRef {
            model_id: self.spec.id.clone(),
            version_id: self.spec.version_id().to_owned(),
            weights_sha256: self.spec.file_sha256.clone().unwrap_or_default(),
            preprocessing: self.spec.preprocess.as_ref().map(|spec| format!("{spec:?}")).unwrap_or_default(),
            dimensions: self.dim() as u64,
            own_model_id: learned.map(|learned| learned.model_id.clone()).unwrap_or_default(),
            own_version_id: learned.map(|learned| learned.version_id.clone()).unwrap_or_default(),
            projection: learned.map(|learned| learned.name.clone()),
        }
    }

    /// The length of the public model's vectors.
    pub(crate) fn n_spec(&self) -> usize {
        self.spec.dimensions.unwrap_or_default()
    }

    /// The length of the vectors.
    pub(crate) fn dim(&self) -> usize {
        match self.learned.as_ref().map(|learned| &*learned.artefact) {
            Some(Artefact::Embedder(projection)) => projection.dimensions(),
            Some(_) | None => self.n_spec(),
        }
    }

    /// Rows of the public model's numbers as rows of this backbone's.
    pub(crate) async fn project(&self, platform: &Platform, values: Vec<f32>) -> Result<Vec<f32>> {
        let Some(learned) = &self.learned else { return Ok(values) };
        let (artefact, dim) = (Arc::clone(&learned.artefact), self.n_spec());
        let work = move || match &*artefact {
            Artefact::Embedder(projection) => Ok(projection.apply(Rows { values: &values, dim })?),
            Artefact::Classifier(_) | Artefact::Clusterer(_) | Artefact::Detector(_) | Artefact::Onnx(_) => {
                Ok(values)
            }
        };
        platform.engine().cpu(work).await?
    }
}

/// A trained version by model and version, by version alone, or the newest of a model.
async fn own(
    platform: &Platform,
    app_uid: &str,
    model_id: &str,
    version_id: &str,
) -> Result<Option<(String, UserModelVersion)>> {
    let (uid, model_id, id) = (app_uid.to_owned(), model_id.to_owned(), version_id.to_owned());
    let read = move |tx: &mut ocellus_store::Tx<'_>| {
        if id.is_empty() {
            return user_models::newest_trained_version(tx, &uid, &model_id);
        }
        let found = user_models::trained_version_by_id(tx, &uid, &id)?;
        Ok(found.filter(|(of_model, _)| model_id.is_empty() || *of_model == model_id))
    };
    platform.store().read(read).await
}

fn not_a_backbone(model_id: &str, message: &str) -> Error {
    let field = if model_id.is_empty() { "embed_model_version_id" } else { "existing_model_id" };
    Error::invalid(field, message)
}
