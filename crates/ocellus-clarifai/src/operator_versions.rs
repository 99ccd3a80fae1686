//! `PostModelVersions` for operators, which are told their parameters instead of being trained.

use ocellus_core::Result;
use ocellus_core::user_models::{self as own, VersionDoc};

use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, status, user_models, workflow_nodes};

/// The answer if the request is about an operator.
pub async fn post(cx: &Cx, req: &PostModelVersionsRequest) -> Result<Option<SingleModelResponse>> {
    let app = cx.app(req.user_app_id.clone()).await?;
    let version = req.model_versions.first().cloned().unwrap_or_default();
    let params = version.output_info.map(workflow_nodes::operator_params).unwrap_or_default();
    let doc = VersionDoc {
        description: version.description,
        license: version.license,
        metadata: version.metadata.map(documents::from_struct).unwrap_or_default(),
        ..VersionDoc::default()
    };
    let told = own::tell_operator(&app, &req.model_id, params, doc).await?;
    Ok(told.map(|(model, version)| SingleModelResponse {
        status: status::success(),
        model: Some(user_models::to_wire(cx, &model, &version)),
        ..Default::default()
    }))
}
