//! Versions of models: RPCs and the wire form of an app's own.

use ocellus_core::models::{self, Found};
use ocellus_core::user_models::{self, UserModel, UserModelVersion, VersionListing, VersionState};
use ocellus_core::{AppCtx, Error, JsonMap, PatchAction, Result};

use crate::models::model_version as public_version;
use crate::modules::{check_private, private};
use crate::patches::Fields;
use crate::pb::list_model_versions_request::SortBy;
use crate::pb::status::{BaseResponse, StatusCode as Code};
use crate::pb::*;
use crate::rpc::{Cx, Era};
use crate::{documents, paging, status};

pub async fn list_model_versions(cx: Cx, req: ListModelVersionsRequest) -> Result<MultiModelVersionResponse> {
    let listing = listing(&req)?;
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let model_versions = match models::find(&app, &req.model_id, None).await? {
        Found::Own(model, _) => {
            let found = user_models::list_versions(&app, &model, listing, page).await?;
            found.iter().map(|version| to_wire(&cx, &model, version)).collect()
        }
        // Older ids mean the same version, so there is one.
        Found::Public(spec) if page.page == 1 => vec![public_version(&cx, &spec, spec.version_id())],
        Found::Public(_) => Vec::new(),
    };
    Ok(MultiModelVersionResponse { status: status::success(), model_versions })
}

fn listing(req: &ListModelVersionsRequest) -> Result<VersionListing> {
    let by_time = matches!(req.sort_by, None | Some(SortBy::SortByCreatedAt(_)));
    paging::refuse(&[
        ("concept_ids", !req.concept_ids.is_empty()),
        ("min_replicas", req.min_replicas != 0),
        ("sort_by", !by_time),
    ])?;
    Ok(VersionListing { trained_only: req.trained_only, oldest_first: req.sort_ascending })
}

pub async fn get_model_version(cx: Cx, req: GetModelVersionRequest) -> Result<SingleModelVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = models::find(&app, &req.model_id, crate::models::version(&req.version_id)).await?;
    let model_version = Some(match found {
        Found::Own(model, version) => to_wire(&cx, &model, &version),
        Found::Public(spec) => public_version(&cx, &spec, &req.version_id),
    });
    Ok(SingleModelVersionResponse { status: status::success(), model_version })
}

pub async fn patch_model_versions(
    cx: Cx,
    req: PatchModelVersionsRequest,
) -> Result<MultiModelVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.model_versions.into_iter().map(patch).collect::<Result<_>>()?;
    let changed = user_models::patch_versions(&app, &req.model_id, patches, action).await?;
    Ok(MultiModelVersionResponse {
        status: status::success(),
        model_versions: many(&cx, &app, &req.model_id, &changed).await?,
    })
}

async fn many(
    cx: &Cx,
    app: &AppCtx,
    model_id: &str,
    versions: &[UserModelVersion],
) -> Result<Vec<ModelVersion>> {
    let model = user_models::get(app, model_id).await?;
    Ok(versions.iter().map(|version| to_wire(cx, &model, version)).collect())
}

pub async fn delete_model_version(cx: Cx, req: DeleteModelVersionRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    user_models::delete_version(&app, &req.model_id, &req.version_id).await?;
    Ok(BaseResponse { status: status::success() })
}

/// What a client may say of a version; how it was made cannot be changed.
pub fn check(version: &ModelVersion) -> Result<()> {
    check_private("model_versions.visibility", version.visibility.as_ref())?;
    paging::refuse_fields(
        "model_versions",
        &[
            ("pretrained_model_config", version.pretrained_model_config.is_some()),
            ("train_info", version.train_info.is_some()),
            ("input_info", version.input_info.is_some()),
            ("import_info", version.import_info.is_some()),
            ("inference_compute_info", version.inference_compute_info.is_some()),
            ("build_info", version.build_info.is_some()),
            ("method_signatures", !version.method_signatures.is_empty()),
            ("special_handling", !version.special_handling.is_empty()),
            ("num_threads", version.num_threads != 0),
        ],
    )
}

fn patch(version: ModelVersion) -> Result<(String, JsonMap)> {
    check(&version)?;
    if version.output_info.is_some() {
        return Err(Error::invalid("model_versions.output_info", "cannot be changed: patch the model"));
    }
    let fields = Fields::default().text("description", version.description).text("license", version.license);
    Ok(fields.document("metadata", version.metadata).of(version.id))
}

fn code(state: VersionState) -> Code {
    match state {
        VersionState::Untrained => Code::ModelUntrained,
        VersionState::Queued => Code::ModelQueuedForTraining,
        VersionState::Training => Code::ModelTraining,
        VersionState::Trained => Code::ModelTrained,
        VersionState::Failed => Code::ModelTrainingFailed,
    }
}

pub fn to_wire(cx: &Cx, model: &UserModel, version: &UserModelVersion) -> ModelVersion {
    // The first generation has what comes out in the model.
    let output_info = match cx.era {
        Era::Y2019 => None,
        Era::Current => Some(crate::user_models::output_info(model)),
    };
    ModelVersion {
        id: version.id.clone(),
        created_at: documents::time(version.created_at_us),
        modified_at: documents::time(version.modified_at_us),
        completed_at: version.completed_at_us.and_then(documents::time),
        status: Some(cx.status(code(version.state))),
        active_concept_count: u32::try_from(model.doc.concepts.len()).unwrap_or(u32::MAX),
        description: version.doc.description.clone(),
        license: version.doc.license.clone(),
        metadata: documents::to_struct(&version.doc.metadata),
        app_id: model.app_id.clone(),
        user_id: model.user_id.clone(),
        visibility: private(),
        output_info,
        ..Default::default()
    }
}
