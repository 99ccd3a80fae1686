//! Apps: RPCs and the wire form of an app.

use ocellus_core::apps::{self, App as CoreApp, AppPatch, NewApp};
use ocellus_core::{Error, JsonMap, PatchAction, Resource, Result};

use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, paging, status};

/// Settings of the vendor's that the platform keeps and gives back but does not read.
const KEPT: [&str; 3] = ["default_workflow_id", "notes", "data_tier_id"];

/// Numbers among them.
const KEPT_NUMBERS: [&str; 2] = ["sample_ms", "legal_consent_status"];

/// Apps are for their owner and collaborators; to call one public and keep it closed would be a lie.
fn check_private(app: &App) -> Result<()> {
    use visibility::Gettable;
    let given = app.visibility.as_ref().map_or(Gettable::UnknownVisibility, Visibility::gettable);
    match given {
        Gettable::UnknownVisibility | Gettable::Private => Ok(()),
        Gettable::Org | Gettable::Public => Err(Error::invalid(
            "apps.visibility",
            "must be private on this server; let people in as collaborators",
        )),
    }
}

pub async fn post_apps(cx: Cx, req: PostAppsRequest) -> Result<MultiAppResponse> {
    req.apps.iter().try_for_each(check_private)?;
    let account = cx.account(req.user_app_id).await?;
    let new = req.apps.into_iter().map(new_app).collect();
    let made = apps::create(&account, new).await?;
    Ok(many(&made))
}

pub async fn get_app(cx: Cx, req: GetAppRequest) -> Result<SingleAppResponse> {
    let app = cx.app(req.user_app_id).await?;
    let app = apps::get(&app).await?;
    Ok(SingleAppResponse { status: status::success(), app: Some(to_wire(&app)) })
}

pub async fn list_apps(cx: Cx, req: ListAppsRequest) -> Result<MultiAppResponse> {
    paging::refuse(&[
        ("featured_only", req.featured_only),
        ("starred_only", req.starred_only),
        ("template_only", req.template_only),
        ("visibility", req.visibility.is_some()),
        ("id", !req.id.is_empty()),
    ])?;
    let account = cx.account(req.user_app_id).await?;
    let name = [req.search, req.query, req.name].into_iter().find(|s| !s.is_empty());
    let found = apps::list(&account, paging::page(req.page, req.per_page)?, name.as_deref()).await?;
    Ok(many(&found))
}

pub async fn patch_apps(cx: Cx, req: PatchAppsRequest) -> Result<MultiAppResponse> {
    req.apps.iter().try_for_each(check_private)?;
    let account = cx.account(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.apps.into_iter().map(patch).collect();
    let changed = apps::patch(&account, patches, action).await?;
    Ok(many(&changed))
}

pub async fn patch_app(cx: Cx, req: PatchAppRequest) -> Result<SingleAppResponse> {
    req.app.iter().try_for_each(check_private)?;
    let id = req.user_app_id.clone().unwrap_or_default().app_id;
    let account = cx.account(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patch = AppPatch { id: id.clone(), ..patch(req.app.unwrap_or_default()) };
    let changed = apps::patch(&account, vec![patch], action).await?;
    let app = changed.first().map(to_wire).ok_or_else(|| Error::not_found(Resource::App(id)))?;
    Ok(SingleAppResponse { status: status::success(), app: Some(app) })
}

/// Like [`patch_apps`] for the one app that the path names.
pub async fn patch_apps_details(cx: Cx, req: PatchAppsDetailsRequest) -> Result<MultiAppResponse> {
    req.apps.iter().try_for_each(check_private)?;
    let id = req.user_app_id.clone().unwrap_or_default().app_id;
    if req.apps.is_empty() || req.apps.iter().any(|app| !app.id.is_empty() && app.id != id) {
        return Err(Error::invalid("apps", "must hold the app of the path"));
    }
    let account = cx.account(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.apps.into_iter().map(|app| AppPatch { id: id.clone(), ..patch(app) }).collect();
    let changed = apps::patch(&account, patches, action).await?;
    Ok(many(&changed))
}

pub async fn post_apps_searches(cx: Cx, req: PostAppsSearchesRequest) -> Result<MultiAppResponse> {
    let account = cx.account(req.user_app_id).await?;
    let query = req.app_query.unwrap_or_default();
    let found = apps::list(&account, paging::of(req.pagination.as_ref())?, Some(&query.name)).await?;
    Ok(many(&found))
}

pub async fn patch_apps_ids(cx: Cx, req: PatchAppsIdsRequest) -> Result<MultiAppResponse> {
    let account = cx.account(req.user_app_id).await?;
    if paging::action(&req.action, PatchAction::Overwrite)? != PatchAction::Overwrite {
        return Err(Error::invalid("action", "must be overwrite: an id is one value"));
    }
    let ids = req.ids.into_iter().map(|update| (update.id, update.new_id)).collect();
    let changed = apps::rename(&account, ids).await?;
    Ok(many(&changed))
}

pub async fn delete_app(cx: Cx, req: DeleteAppRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    apps::delete(&app).await?;
    Ok(BaseResponse { status: status::success() })
}

fn many(found: &[CoreApp]) -> MultiAppResponse {
    MultiAppResponse { status: status::success(), apps: found.iter().map(to_wire).collect() }
}

pub fn new_app(app: App) -> NewApp {
    NewApp {
        doc: doc(&app).unwrap_or_default(),
        id: (!app.id.is_empty()).then_some(app.id),
        name: app.name,
        description: app.description,
        default_language: app.default_language,
        metadata: app.metadata.map(documents::from_struct).unwrap_or_default(),
    }
}

/// Empty strings mean "leave alone", since protobuf cannot tell them from absent.
fn patch(app: App) -> AppPatch {
    let given = |s: String| (!s.is_empty()).then_some(s);
    AppPatch {
        doc: doc(&app),
        id: app.id,
        name: given(app.name),
        description: given(app.description),
        default_language: given(app.default_language),
        metadata: app.metadata.map(documents::from_struct),
    }
}

fn doc(app: &App) -> Option<JsonMap> {
    // Newer clients name a workflow where older ones give its id.
    let newer = app.default_workflow.as_ref().map(|workflow| &workflow.id);
    let workflow_id = Some(&app.default_workflow_id).filter(|id| !id.is_empty()).or(newer);
    let values = [workflow_id.unwrap_or(&app.default_workflow_id), &app.notes, &app.data_tier_id];
    let mut doc = JsonMap::new();
    for (name, value) in KEPT.into_iter().zip(values).filter(|(_, value)| !value.is_empty()) {
        doc.insert(name.to_owned(), value.as_str().into());
    }
    for (name, value) in KEPT_NUMBERS.into_iter().zip([app.sample_ms, app.legal_consent_status]) {
        if value != 0 {
            doc.insert(name.to_owned(), value.into());
        }
    }
    (!doc.is_empty()).then_some(doc)
}

pub fn to_wire(app: &CoreApp) -> App {
    let number = |name: &str| {
        app.doc.get(name).and_then(serde_json::Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
    };
    let gettable = match app.user_id == crate::models::PUBLIC_USER {
        true => visibility::Gettable::Public,
        false => visibility::Gettable::Private,
    };
    let kept = |name: &str| app.doc.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    App {
        id: app.id.clone(),
        name: app.name.clone(),
        description: app.description.clone(),
        default_language: app.default_language.clone(),
        user_id: app.user_id.clone(),
        created_at: documents::time(app.created_at_us),
        modified_at: documents::time(app.modified_at_us),
        metadata: documents::to_struct(&app.metadata),
        default_workflow_id: kept(KEPT[0]),
        default_workflow: Some(kept(KEPT[0])).filter(|id| !id.is_empty()).map(|id| Workflow {
            id,
            app_id: app.id.clone(),
            user_id: app.user_id.clone(),
            ..Default::default()
        }),
        notes: kept(KEPT[1]),
        data_tier_id: kept(KEPT[2]),
        sample_ms: number(KEPT_NUMBERS[0]),
        legal_consent_status: number(KEPT_NUMBERS[1]),
        visibility: Some(Visibility { gettable: gettable as i32 }),
        ..Default::default()
    }
}
