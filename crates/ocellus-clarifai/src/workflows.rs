//! Workflows: RPCs that make, find, change and delete them, and their wire form.

use ocellus_core::workflows::{
    self, Favour, FoundWorkflow, NewWorkflow, SortBy, Workflow as CoreWorkflow, WorkflowListing,
    WorkflowPatch, WorkflowVersion as CoreVersion,
};
use ocellus_core::{Error, PatchAction, Result};

use crate::modules::check_private;
use crate::patches::{Deletion, Fields, deletion};
use crate::pb::list_workflows_request::SortBy as WireSortBy;
use crate::pb::status::BaseResponse;
use crate::pb::visibility::Gettable;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, models, paging, status, workflow_nodes, workflow_versions};

/// Everything that is to be had of a workflow is in every answer, so that it may be asked for.
const ADDITIONAL_FIELDS: [&str; 2] = ["stars", "outputs"];

pub async fn post_workflows(cx: Cx, req: PostWorkflowsRequest) -> Result<MultiWorkflowResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.workflows.into_iter().map(new_workflow).collect::<Result<_>>()?;
    Ok(many(&cx, &workflows::create(&app, new).await?))
}

pub async fn get_workflow(cx: Cx, req: GetWorkflowRequest) -> Result<SingleWorkflowResponse> {
    check_fields(&req.additional_fields)?;
    let app = cx.app(req.user_app_id).await?;
    let favour = favour(req.favor_clarifai_workflows, req.exclude_clarifai_workflows)?;
    let found = workflows::find(&app, &req.workflow_id, None, favour).await?;
    Ok(SingleWorkflowResponse { status: status::success(), workflow: Some(to_wire(&cx, &found)) })
}

pub async fn list_workflows(cx: Cx, req: ListWorkflowsRequest) -> Result<MultiWorkflowResponse> {
    let listing = listing(&req)?;
    let page = paging::page(req.page, req.per_page)?;
    // Apps may be asked for one by one, or all of an account; a key of an app means that app.
    let names_app = req.user_app_id.as_ref().is_some_and(|ids| !ids.app_id.is_empty());
    let names_user = req.user_app_id.as_ref().is_some_and(|ids| !ids.user_id.is_empty());
    let of_key = !names_user && cx.caller()?.app_uid.is_some();
    let found = if names_app || of_key {
        workflows::list(&cx.app(req.user_app_id).await?, listing, page).await?
    } else {
        workflows::list_of_account(&cx.account(req.user_app_id).await?, listing, page).await?
    };
    Ok(many(&cx, &found))
}

pub async fn list_public_workflows(cx: Cx, req: ListPublicWorkflowsRequest) -> Result<MultiWorkflowResponse> {
    let page = paging::page(req.page, req.per_page)?;
    Ok(many(&cx, &workflows::list_public(&cx.platform, &WorkflowListing::default(), page).await?))
}

pub async fn patch_workflows(cx: Cx, req: PatchWorkflowsRequest) -> Result<MultiWorkflowResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.workflows.into_iter().map(patch).collect::<Result<_>>()?;
    Ok(many(&cx, &workflows::patch(&app, patches, action).await?))
}

pub async fn patch_workflow_ids(cx: Cx, req: PatchWorkflowIdsRequest) -> Result<MultiWorkflowResponse> {
    let app = cx.app(req.user_app_id).await?;
    if paging::action(&req.action, PatchAction::Overwrite)? != PatchAction::Overwrite {
        return Err(Error::invalid("action", "must be overwrite: an id is one value"));
    }
    let ids = req.ids.into_iter().map(|update| (update.id, update.new_id)).collect();
    Ok(many(&cx, &workflows::rename(&app, ids).await?))
}

pub async fn delete_workflow(cx: Cx, req: DeleteWorkflowRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    workflows::delete(&app, &[req.workflow_id]).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn delete_workflows(cx: Cx, req: DeleteWorkflowsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    match deletion(req.ids, req.delete_all)? {
        Deletion::Ids(ids) => workflows::delete(&app, &ids).await?,
        Deletion::All => workflows::delete_all(&app).await?,
    }
    Ok(BaseResponse { status: status::success() })
}

/// Where a workflow is looked for.
pub fn favour(favor: bool, exclude: bool) -> Result<Favour> {
    match (favor, exclude) {
        (true, true) => Err(Error::invalid(
            "exclude_clarifai_workflows",
            "and favor_clarifai_workflows exclude each other",
        )),
        (true, false) => Ok(Favour::Public),
        (false, true) => Ok(Favour::OwnOnly),
        (false, false) => Ok(Favour::Own),
    }
}

fn check_fields(given: &[String]) -> Result<()> {
    match given.iter().all(|field| ADDITIONAL_FIELDS.contains(&field.as_str())) {
        true => Ok(()),
        false => Err(Error::invalid("additional_fields", "must be stars or outputs")),
    }
}

fn listing(req: &ListWorkflowsRequest) -> Result<WorkflowListing> {
    check_fields(&req.additional_fields)?;
    paging::refuse(&[
        ("featured_only", req.featured_only),
        ("starred_only", req.starred_only),
        ("bookmark", req.bookmark),
    ])?;
    let gettable = req.visibility.as_ref().map_or(Gettable::UnknownVisibility, Visibility::gettable);
    let public = match gettable {
        Gettable::UnknownVisibility => None,
        Gettable::Public => Some(true),
        Gettable::Private => Some(false),
        Gettable::Org => return Err(Error::invalid("visibility", "must be public or private")),
    };
    let sort_by = match req.sort_by {
        None | Some(WireSortBy::SortByCreatedAt(_) | WireSortBy::SortByRelevance(_)) => SortBy::CreatedAt,
        Some(WireSortBy::SortByModifiedAt(_)) => SortBy::ModifiedAt,
        Some(WireSortBy::SortById(_)) => SortBy::Id,
        Some(WireSortBy::SortByStarCount(_)) => {
            return Err(Error::invalid("sort_by_star_count", "is not possible: there are no stars here"));
        }
    };
    let search = [&req.search, &req.query, &req.id, &req.search_term];
    let search = search.into_iter().find(|words| !words.is_empty()).cloned().unwrap_or_default();
    // Without an order they come as they were made; with one the last comes first, as everywhere.
    let descending = req.sort_by.is_some() && !req.sort_ascending;
    Ok(WorkflowListing { search, public, sort_by, descending })
}

fn check(workflow: &Workflow) -> Result<()> {
    check_private("workflows.visibility", workflow.visibility.as_ref())?;
    paging::refuse_fields(
        "workflows",
        &[("image", workflow.image.is_some()), ("is_starred", workflow.is_starred)],
    )
}

/// Nodes may stand in the workflow or, as clients of today have it, in its version.
fn take_nodes(workflow: &mut Workflow) -> Vec<WorkflowNode> {
    let of_version = workflow.version.as_mut().map(|version| std::mem::take(&mut version.nodes));
    let own = std::mem::take(&mut workflow.nodes);
    if own.is_empty() { of_version.unwrap_or_default() } else { own }
}

fn new_workflow(mut workflow: Workflow) -> Result<NewWorkflow> {
    check(&workflow)?;
    let nodes = workflow_nodes::read(take_nodes(&mut workflow))?;
    let version = workflow.version.unwrap_or_default();
    let map =
        |document: Option<prost_types::Struct>| document.map(documents::from_struct).unwrap_or_default();
    Ok(NewWorkflow {
        id: workflow.id,
        doc: CoreWorkflow {
            description: workflow.description,
            notes: workflow.notes,
            metadata: map(workflow.metadata),
            use_cases: workflow.use_cases,
            check_consents: workflow.check_consents,
            ..CoreWorkflow::default()
        },
        version: CoreVersion {
            nodes,
            description: version.description,
            license: version.license,
            metadata: map(version.metadata),
            is_deprecated: version.is_deprecated,
            is_public: false,
        },
    })
}

fn patch(mut workflow: Workflow) -> Result<WorkflowPatch> {
    check(&workflow)?;
    let nodes = workflow_nodes::read(take_nodes(&mut workflow))?;
    let (id, mut fields) = Fields::default()
        .text("description", workflow.description)
        .text("notes", workflow.notes)
        .document("metadata", workflow.metadata)
        .of(workflow.id);
    let lists = [("use_cases", workflow.use_cases), ("check_consents", workflow.check_consents)];
    for (name, words) in lists.into_iter().filter(|(_, words)| !words.is_empty()) {
        fields.insert(name.to_owned(), words.into());
    }
    let version = workflow.version.map(workflow_versions::patch).transpose()?;
    let version = version.map(|(_, fields)| fields).unwrap_or_default();
    Ok(WorkflowPatch { id, fields, nodes: (!nodes.is_empty()).then_some(nodes), version })
}

fn many(cx: &Cx, found: &[FoundWorkflow]) -> MultiWorkflowResponse {
    let workflows = found.iter().map(|workflow| to_wire(cx, workflow)).collect();
    MultiWorkflowResponse { status: status::success(), workflows }
}

/// A workflow as clients see it.
pub fn to_wire(cx: &Cx, found: &FoundWorkflow) -> Workflow {
    let (workflow, version) = (&found.workflow, &found.version.doc);
    Workflow {
        id: workflow.id.clone(),
        app_id: found.app_id.clone(),
        user_id: found.user_id.clone(),
        created_at: documents::time(workflow.created_at_us),
        modified_at: documents::time(workflow.modified_at_us),
        nodes: version.nodes.iter().map(|node| workflow_nodes::to_wire(cx, node)).collect(),
        metadata: documents::to_struct(&workflow.doc.metadata),
        visibility: Some(visibility(version.is_public)),
        version: Some(workflow_versions::to_wire(cx, found)),
        description: workflow.doc.description.clone(),
        notes: workflow.doc.notes.clone(),
        use_cases: workflow.doc.use_cases.clone(),
        check_consents: workflow.doc.check_consents.clone(),
        ..Default::default()
    }
}

pub fn visibility(is_public: bool) -> Visibility {
    let gettable = if is_public { Gettable::Public } else { Gettable::Private };
    Visibility { gettable: gettable as i32 }
}

/// A version's id, if one is given.
pub fn version(id: &str) -> Option<&str> {
    models::version(id)
}
