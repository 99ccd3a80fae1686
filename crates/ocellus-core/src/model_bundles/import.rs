//! Taking bundles in: signature, hashes, the model below, and the samples, in this order; only then is anything written.

use std::path::Path;
use std::sync::Arc;

use tempfile::NamedTempFile;

use super::file::{self, ARTEFACT, Bundle, PROJECTION, SAMPLES, WEIGHTS};
use super::{About, AboutModel, MAX_TOLERANCE, Sample, samples, signer};
use crate::learning::{self, Artefact, Backbone, OnnxModel};
use crate::model_packages::{self, Making, NewPackage};
use crate::user_models::{self, ModelDoc, UserModel, UserModelVersion, VersionDoc, VersionState};
use crate::{AppCtx, Error, Result};

/// The largest artefact, in bytes.
const MAX_ARTEFACT: u64 = 512 << 20;

/// Makes a version of a model from a bundle. `Forbidden` if nobody trusts its signer, `Invalid` if it is damaged,
/// `Unsupported` if it says something else here than where it was made.
pub async fn import(app: &AppCtx, file: &Path, new: NewPackage) -> Result<(UserModel, UserModelVersion)> {
    app.check_writable()?;
    let path = file.to_owned();
    let bundle = blocking(move || file::open(&path)).await?;
    let signed = (bundle.about.signer.as_str(), bundle.signature.as_str());
    signer::check(app.platform(), signed, &bundle.signed, new.trust.as_deref()).await?;
    let new = check(app, &bundle.about, new).await?;
    // Held until the rows that refer to the new blobs are written.
    let blobs_held = app.platform().blob_gate().read().await;
    let mut put = Vec::new();
    let made = Box::pin(take_in(app, bundle, new, &mut put)).await;
    drop(blobs_held);
    if made.is_err() {
        model_packages::discard(app, put).await?;
    }
    made
}

/// The model that it shall become a version of.
async fn check(app: &AppCtx, about: &About, new: NewPackage) -> Result<NewPackage> {
    let model_id = if new.model_id.is_empty() { about.model.id.clone() } else { new.model_id };
    match user_models::find(app, &model_id).await? {
        Some(model) if model.model_type_id != about.model.model_type_id => {
            let text = format!(
                "is of a {}, but model '{model_id}' is a {}",
                about.model.model_type_id, model.model_type_id
            );
            return Err(Error::invalid("the bundle", text));
        }
        None if !new.make => return Err(user_models::missing(&model_id)),
        Some(_) | None => {}
    }
    Ok(NewPackage { model_id, ..new })
}

async fn take_in(
    app: &AppCtx,
    bundle: Bundle,
    new: NewPackage,
    put: &mut Vec<String>,
) -> Result<(UserModel, UserModelVersion)> {
    let Parts { about, artefact, projection, weights, samples: wanted } = parts(app, bundle).await?;
    let mut blobs = Vec::new();
    let blob_store = app.platform().store().blobs();
    if let Some(bytes) = projection {
        let hash = blob_store.put(bytes.into()).await?;
        put.push(hash.clone());
        blobs.push((learning::PROJECTION_ROLE.to_owned(), hash));
    }
    let artefact = match (artefact, weights) {
        (Artefact::Onnx(model), Some(file)) => {
            let hash = blob_store.put_file(file.path().to_owned()).await?;
            put.push(hash.clone());
            blobs.push((learning::WEIGHTS_ROLE.to_owned(), hash.clone()));
            let size_bytes = file.as_file().metadata().map_err(Error::internal)?.len();
            Artefact::Onnx(Box::new(OnnxModel { weights: hash, size_bytes, ..*model }))
        }
        (artefact, _) => artefact,
    };
    let artefact = Arc::new(artefact);
    let doc = doc(&about, &new);
    Box::pin(try_out(app, &about, &artefact, &doc, &wanted)).await?;
    let AboutModel { name, model_type_id, .. } = about.model;
    let making = Making { name, model_type_id, new, doc };
    Box::pin(model_packages::keep_artefact(app, &artefact, blobs, making)).await
}

struct Parts {
    about: About,
    artefact: Artefact,
    projection: Option<Vec<u8>>,
    weights: Option<NamedTempFile>,
    samples: Vec<Sample>,
}

async fn parts(app: &AppCtx, mut bundle: Bundle) -> Result<Parts> {
    let max_weights = app.platform().own_models().config().max_bytes;
    blocking(move || {
        let bytes = bundle.bytes(ARTEFACT, MAX_ARTEFACT)?;
        let damaged =
            |error: &dyn std::fmt::Display| Error::invalid("the bundle", format!("is damaged: {error}"));
        let artefact = Artefact::from_bytes(&bundle.about.kind, &bytes).map_err(|error| damaged(&error))?;
        let projection = match bundle.has(PROJECTION) {
            true => Some(bundle.bytes(PROJECTION, MAX_ARTEFACT)?),
            false => None,
        };
        let weights = match bundle.has(WEIGHTS) {
            true => {
                let mut file = NamedTempFile::new().map_err(Error::internal)?;
                bundle.copy(WEIGHTS, &mut file, max_weights)?;
                model_packages::check_outside(file.path())?;
                Some(file)
            }
            false => None,
        };
        if matches!(artefact, Artefact::Onnx(_)) != weights.is_some() {
            return Err(damaged(&"it has no weights, or weights that nothing asks for"));
        }
        let samples = bundle.bytes(SAMPLES, MAX_ARTEFACT)?;
        let samples = serde_json::from_slice(&samples).map_err(|error| damaged(&error))?;
        Ok(Parts { about: bundle.about, artefact, projection, weights, samples })
    })
    .await
}

fn doc(about: &About, new: &NewPackage) -> VersionDoc {
    let or = |given: &String, own: &String| if given.is_empty() { own.clone() } else { given.clone() };
    let metadata = if new.metadata.is_empty() { &about.model_version.metadata } else { &new.metadata };
    VersionDoc {
        description: or(&new.description, &about.model_version.description),
        license: or(&new.license, &about.licence),
        metadata: metadata.clone(),
        output_config: Some(about.output_config.clone()),
        trained_on: Some(about.provenance.clone()),
        ..VersionDoc::default()
    }
}

/// Has the version say what it says of the samples before there is such a version.
async fn try_out(
    app: &AppCtx,
    about: &About,
    artefact: &Arc<Artefact>,
    doc: &VersionDoc,
    wanted: &[Sample],
) -> Result<()> {
    let version = UserModelVersion {
        id: about.model_version.id.clone(),
        state: VersionState::Trained,
        doc: doc.clone(),
        account_id: app.caller().account_id.clone(),
        created_at_us: 0,
        modified_at_us: 0,
        completed_at_us: None,
    };
    let model = UserModel {
        user_id: app.app().user_id.clone(),
        app_id: app.app().id.clone(),
        id: about.model.id.clone(),
        uid: String::new(),
        name: about.model.name.clone(),
        model_type_id: about.model.model_type_id.clone(),
        doc: ModelDoc::default(),
        newest: version.clone(),
        n_versions: 1,
        account_id: app.caller().account_id.clone(),
        created_at_us: 0,
        modified_at_us: 0,
    };
    if !matches!(**artefact, Artefact::Onnx(_)) {
        let backbone = Backbone::of_trained(app.platform(), &version).await?;
        let here = backbone.spec.file_sha256.as_deref().unwrap_or_default();
        if here != about.provenance.backbone.weights_sha256 {
            let text = format!("stands on other weights of '{}' than are installed here", backbone.spec.id);
            return Err(Error::invalid("the bundle", text));
        }
    }
    let found = samples::take(app, &model, &version, artefact).await?;
    samples::compare(wanted, &found, about.tolerance.min(MAX_TOLERANCE))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}
