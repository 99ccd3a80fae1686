//! Collaborators: RPCs and the wire form of who works on whose app.

use ocellus_core::collaborators::{
    self, Collaboration as CoreCollaboration, Collaborator as CoreCollaborator, Who,
};
use ocellus_core::{AppCtx, Error, PatchAction, Result, Scope, ScopeSet};

use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{apps, documents, paging, scopes, status, users};

pub async fn post_collaborators(cx: Cx, req: PostCollaboratorsRequest) -> Result<MultiCollaboratorsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let read = |(i, one)| new_collaborator(&app, i, one);
    let new = req.collaborators.into_iter().enumerate().map(read).collect::<Result<Vec<_>>>()?;
    let made = collaborators::create(&app, new).await?;
    many(&app, &made).await
}

pub async fn list_collaborators(cx: Cx, req: ListCollaboratorsRequest) -> Result<MultiCollaboratorsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = collaborators::list(&app, paging::page(req.page, req.per_page)?).await?;
    many(&app, &found).await
}

pub async fn patch_collaborators(
    cx: Cx,
    req: PatchCollaboratorsRequest,
) -> Result<MultiCollaboratorsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patch = |(i, one): (usize, Collaborator)| {
        let scopes = read_scopes(i, &one)?;
        let scopes = match action {
            PatchAction::Remove => scopes,
            PatchAction::Merge | PatchAction::Overwrite => {
                scopes::with_dependencies(&scopes, &app.caller().scopes)
            }
        };
        Ok((one.id, scopes.iter().collect()))
    };
    let patches = req.collaborators.into_iter().enumerate().map(patch).collect::<Result<Vec<_>>>()?;
    let changed = collaborators::patch(&app, patches, action).await?;
    many(&app, &changed).await
}

pub async fn delete_collaborators(cx: Cx, req: DeleteCollaboratorsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    collaborators::delete(&app, req.collaborator_ids, req.user_emails).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn list_collaborations(
    cx: Cx,
    req: ListCollaborationsRequest,
) -> Result<MultiCollaborationsResponse> {
    let account = cx.account(req.user_app_id).await?;
    paging::refuse(&[("template_only", req.template_only)])?;
    let page = paging::page(req.page, req.per_page)?;
    let found = collaborators::collaborations(&account, page).await?;
    let collaborations = found.iter().map(collaboration).collect();
    Ok(MultiCollaborationsResponse { status: status::success(), collaborations })
}

async fn many(app: &AppCtx, found: &[CoreCollaborator]) -> Result<MultiCollaboratorsResponse> {
    let owner = collaborators::owner(app).await?;
    Ok(MultiCollaboratorsResponse {
        status: status::success(),
        collaborators: found.iter().map(|one| to_wire(app, one)).collect(),
        app_owner: Some(users::card(&owner)),
    })
}

/// Whoever invites knows either the id of a user or their e-mail address.
fn new_collaborator(app: &AppCtx, i: usize, one: Collaborator) -> Result<(Who, ScopeSet)> {
    let scopes = scopes::with_dependencies(&read_scopes(i, &one)?, &app.caller().scopes);
    let user = one.user.unwrap_or_default();
    let detail = user.user_detail.unwrap_or_default();
    let email = [detail.primary_email, user.primary_email].into_iter().find(|email| !email.is_empty());
    match (user.id.is_empty(), email) {
        (false, _) => Ok((Who::Id(user.id), scopes)),
        (true, Some(email)) => Ok((Who::Email(email), scopes)),
        (true, None) => {
            Err(Error::invalid(format!("collaborators[{i}].user"), "must have an id or a primary_email"))
        }
    }
}

fn read_scopes(i: usize, one: &Collaborator) -> Result<ScopeSet> {
    if !one.endpoints.is_empty() {
        let field = format!("collaborators[{i}].endpoints");
        return Err(Error::invalid(field, "cannot be given one by one on this server; give scopes"));
    }
    let scope = |name: &String| {
        let unknown =
            || Error::invalid(format!("collaborators[{i}].scopes"), format!("there is no scope '{name}'"));
        Scope::from_name(name).ok_or_else(unknown)
    };
    one.scopes.iter().map(scope).collect()
}

fn to_wire(app: &AppCtx, one: &CoreCollaborator) -> Collaborator {
    // The owner invited them, so they know the address; other collaborators need not.
    let email = one.account.email.clone().filter(|_| app.check_owner().is_ok()).unwrap_or_default();
    Collaborator {
        id: one.id.clone(),
        app: Some(apps::to_wire(app.app())),
        user: Some(User { primary_email: email, ..users::card(&one.account) }),
        scopes: one.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
        created_at: documents::time(one.created_at_us),
        modified_at: documents::time(one.modified_at_us),
        ..Default::default()
    }
}

fn collaboration(one: &CoreCollaboration) -> Collaboration {
    Collaboration {
        app: Some(apps::to_wire(&one.app)),
        app_owner: Some(users::card(&one.owner)),
        scopes: one.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
        endpoints: Vec::new(),
        created_at: documents::time(one.created_at_us),
    }
}
