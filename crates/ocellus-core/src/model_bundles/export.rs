//! Making bundles, and reading those that were made.

use std::io::Write as _;
use std::path::Path;

use bytes::Bytes;
use ocellus_store as store;

use super::file::{self, ARTEFACT, Content, PROJECTION, SAMPLES, WEIGHTS};
use super::{About, AboutModel, AboutVersion, FORMAT, ROLE, TOLERANCE, VERSION, samples, signer};
use crate::learning::{self, Artefact};
use crate::user_models::{self, UserModel, UserModelVersion};
use crate::{AppCtx, Error, Resource, Result};

/// A bundle that was made and is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The key of its bytes.
    pub hash: String,
    /// Their number.
    pub size_bytes: u64,
}

/// Makes a bundle of a version and keeps it until the version goes; the one that there is, if it was made already.
/// `Unsupported` for a version that was not trained.
pub async fn export(app: &AppCtx, model_id: &str, version_id: &str) -> Result<Exported> {
    app.check_writable()?;
    let (model, version) = find(app, model_id, version_id).await?;
    if let Some(made) = kept(app, &model, &version).await? {
        return Ok(made);
    }
    let scratch = tempfile::NamedTempFile::new().map_err(Error::internal)?;
    make(app, &model, &version, scratch.path()).await?;
    // Held until the row that refers to the new blob is written.
    let blobs_held = app.platform().blob_gate().read().await;
    let hash = app.platform().store().blobs().put_file(scratch.path().to_owned()).await?;
    let size_bytes = std::fs::metadata(scratch.path()).map_err(Error::internal)?.len();
    let blob = store::ModelBlob {
        app_uid: app.uid().to_owned(),
        model_uid: model.uid.clone(),
        version_id: version.id.clone(),
        role: ROLE.to_owned(),
        blob: hash.clone(),
    };
    user_models::keep_blob(app, blob).await?;
    drop(blobs_held);
    Ok(Exported { hash, size_bytes })
}

/// The bundle of a version that was made. `NotFound` if none was.
pub async fn exported(app: &AppCtx, model_id: &str, version_id: &str) -> Result<Exported> {
    let (model, version) = find(app, model_id, version_id).await?;
    let none = || Error::not_found(Resource::Other("model version export", version.id.clone()));
    kept(app, &model, &version).await?.ok_or_else(none)
}

/// Makes a bundle of a version as a file.
pub async fn write(app: &AppCtx, model_id: &str, version_id: &str, to: &Path) -> Result<()> {
    let (model, version) = find(app, model_id, version_id).await?;
    make(app, &model, &version, to).await
}

/// Bytes of a bundle from a place on, none beyond its end.
pub async fn read(app: &AppCtx, bundle: &Exported, offset: u64, n_bytes: u64) -> Result<Bytes> {
    let found = app.platform().store().blobs().read_at(&bundle.hash, offset, n_bytes).await?;
    found.ok_or_else(|| Error::internal(anyhow::anyhow!("the blob {} of a bundle is gone", bundle.hash)))
}

async fn find(app: &AppCtx, model_id: &str, version_id: &str) -> Result<(UserModel, UserModelVersion)> {
    let model = user_models::get(app, model_id).await?;
    let wanted = (!version_id.is_empty()).then_some(version_id);
    let version = user_models::trained_version(app, &model, wanted).await?;
    let version = version.ok_or_else(|| user_models::untrained(&model.id))?;
    Ok((model, version))
}

async fn kept(app: &AppCtx, model: &UserModel, version: &UserModelVersion) -> Result<Option<Exported>> {
    let (uid, model_uid) = (app.uid().to_owned(), model.uid.clone());
    let read = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.blobs_of_models(&uid, &[&model_uid])?);
    let blobs = app.platform().store().read(read).await?;
    let found = blobs.into_iter().find(|blob| blob.version_id == version.id && blob.role == ROLE);
    let Some(found) = found else { return Ok(None) };
    // Listing from just before a hash finds its entry, and with it its size.
    let before = found.blob.get(..found.blob.len().saturating_sub(1)).unwrap_or_default();
    let entry =
        app.platform().store().blobs().list(before, 1).await?.into_iter().find(|e| e.hash == found.blob);
    Ok(entry.map(|entry| Exported { hash: entry.hash, size_bytes: entry.size_bytes }))
}

async fn make(app: &AppCtx, model: &UserModel, version: &UserModelVersion, to: &Path) -> Result<()> {
    let platform = app.platform();
    let artefact = learning::artefact(platform, version).await?;
    let samples = samples::take(app, model, version, &artefact).await?;
    let mut files = vec![(ARTEFACT, Content::Bytes(artefact.to_bytes()))];
    let provenance = version.doc.trained_on.clone().unwrap_or_default();
    if let Some(projection) = &provenance.backbone.projection {
        files.push((PROJECTION, Content::Bytes(learning::bytes(platform, projection).await?.to_vec())));
    }
    if let Artefact::Onnx(onnx) = &*artefact {
        files.push((WEIGHTS, Content::File(onnx.file(platform).await?.path)));
    }
    files.push((SAMPLES, Content::Bytes(serde_json::to_vec(&samples).map_err(Error::internal)?)));
    let key = signer::key(platform).await?;
    let mut about = About {
        signer: signer::public_key(platform).await?,
        made_at_us: platform.clock().now_us(),
        provenance,
        ..about(model, version, &artefact)
    };
    let to = to.to_owned();
    let work = move || {
        let failed =
            |error: std::io::Error| Error::unavailable("the bundle cannot be written").caused_by(error);
        let mut file = std::fs::File::create(&to).map_err(failed)?;
        file::write(&mut file, &mut about, &key, files)?;
        file.flush().map_err(failed)
    };
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

fn about(model: &UserModel, version: &UserModelVersion, artefact: &Artefact) -> About {
    About {
        format: FORMAT.to_owned(),
        version: VERSION,
        made_by: format!("ocellus {}", env!("CARGO_PKG_VERSION")),
        model: AboutModel {
            id: model.id.clone(),
            name: model.name.clone(),
            model_type_id: model.model_type_id.clone(),
            description: model.doc.description.clone(),
            notes: model.doc.notes.clone(),
        },
        model_version: AboutVersion {
            id: version.id.clone(),
            description: version.doc.description.clone(),
            metadata: version.doc.metadata.clone(),
            created_at_us: version.created_at_us,
        },
        kind: artefact.kind().to_owned(),
        licence: version.doc.license.clone(),
        output_config: version.doc.output_config.clone().unwrap_or_else(|| model.doc.output_config.clone()),
        tolerance: TOLERANCE,
        ..About::default()
    }
}
