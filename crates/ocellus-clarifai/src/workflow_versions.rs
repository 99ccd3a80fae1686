//! Versions of workflows: RPCs and the wire form.

use ocellus_core::workflows::{self, Favour, FoundWorkflow, VersionPatch};
use ocellus_core::{Error, PatchAction, Result};

use crate::modules::check_private;
use crate::patches::Fields;
use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, paging, status, workflow_nodes};

pub async fn list_workflow_versions(
    cx: Cx,
    req: ListWorkflowVersionsRequest,
) -> Result<MultiWorkflowVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    Ok(many(&cx, &workflows::versions(&app, &req.workflow_id, page).await?))
}

pub async fn get_workflow_version(
    cx: Cx,
    req: GetWorkflowVersionRequest,
) -> Result<SingleWorkflowVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let version = Some(req.workflow_version_id.as_str());
    let found = workflows::find(&app, &req.workflow_id, version, Favour::Own).await?;
    let workflow_version = Some(to_wire(&cx, &found));
    Ok(SingleWorkflowVersionResponse { status: status::success(), workflow_version })
}

pub async fn patch_workflow_versions(
    cx: Cx,
    req: PatchWorkflowVersionsRequest,
) -> Result<MultiWorkflowVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    if req.workflow_versions.iter().any(|version| !version.nodes.is_empty()) {
        let message = "never change: a patch of the workflow makes a new version";
        return Err(Error::invalid("workflow_versions.nodes", message));
    }
    let patches = req.workflow_versions.into_iter().map(patch).collect::<Result<_>>()?;
    Ok(many(&cx, &workflows::patch_versions(&app, &req.workflow_id, patches, action).await?))
}

pub async fn delete_workflow_versions(cx: Cx, req: DeleteWorkflowVersionsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    workflows::delete_versions(&app, &req.workflow_id, &req.workflow_version_ids).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn post_workflow_versions_publish(
    cx: Cx,
    req: PostWorkflowVersionsPublishRequest,
) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    let ids: Vec<String> = req.publications.into_iter().map(|one| one.version_id).collect();
    workflows::publish(&app, &req.workflow_id, &ids).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn post_workflow_versions_un_publish(
    cx: Cx,
    req: PostWorkflowVersionsUnPublishRequest,
) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    let ids: Vec<String> = req.publications.into_iter().map(|one| one.version_id).collect();
    workflows::unpublish(&app, &req.workflow_id, &ids).await?;
    Ok(BaseResponse { status: status::success() })
}

/// What a request says of a version, but for its nodes.
pub fn patch(version: WorkflowVersion) -> Result<VersionPatch> {
    check_private("workflow_versions.visibility", version.visibility.as_ref())?;
    let (id, mut fields) = Fields::default()
        .text("description", version.description)
        .text("license", version.license)
        .document("metadata", version.metadata)
        .of(version.id);
    // Protobuf cannot tell no from absent, so that it can only be set.
    if version.is_deprecated {
        fields.insert("is_deprecated".to_owned(), true.into());
    }
    Ok((id, fields))
}

fn many(cx: &Cx, found: &[FoundWorkflow]) -> MultiWorkflowVersionResponse {
    let workflow_versions = found.iter().map(|version| to_wire(cx, version)).collect();
    MultiWorkflowVersionResponse { status: status::success(), workflow_versions }
}

/// A version as clients see it.
pub fn to_wire(cx: &Cx, found: &FoundWorkflow) -> WorkflowVersion {
    let (version, doc) = (&found.version, &found.version.doc);
    WorkflowVersion {
        id: version.id.clone(),
        workflow_id: found.workflow.id.clone(),
        app_id: found.app_id.clone(),
        user_id: found.user_id.clone(),
        created_at: documents::time(version.created_at_us),
        modified_at: documents::time(version.modified_at_us),
        visibility: Some(crate::workflows::visibility(doc.is_public)),
        nodes: doc.nodes.iter().map(|node| workflow_nodes::to_wire(cx, node)).collect(),
        metadata: documents::to_struct(&doc.metadata),
        description: doc.description.clone(),
        license: doc.license.clone(),
        is_deprecated: doc.is_deprecated,
    }
}
