//! Modules and their versions: RPCs and the wire forms.

use ocellus_core::modules::{self, ListedModule, ModuleListing, Nav, NavPage, SortBy};
use ocellus_core::resources::{self, New, Shelf, Stored};
use ocellus_core::{AppCtx, Error, PatchAction, Result};

use crate::patches::Fields;
use crate::pb::list_modules_request::SortBy as WireSortBy;
use crate::pb::module_version::{ModuleNav, ModuleSubNav};
use crate::pb::status::BaseResponse;
use crate::pb::visibility::Gettable;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, paging, status};

pub async fn post_modules(cx: Cx, req: PostModulesRequest) -> Result<MultiModuleResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.modules.into_iter().map(new_module).collect::<Result<_>>()?;
    let made = resources::create(&Shelf::from(&app), new).await?;
    Ok(many(&app, made))
}

pub async fn get_module(cx: Cx, req: GetModuleRequest) -> Result<SingleModuleResponse> {
    paging::refuse(&[("additional_fields", !req.additional_fields.is_empty())])?;
    let app = cx.app(req.user_app_id).await?;
    let found = modules::get(&app, &req.module_id).await?;
    let module = Some(to_wire(&app.app().user_id, found));
    Ok(SingleModuleResponse { status: status::success(), module })
}

pub async fn list_modules(cx: Cx, req: ListModulesRequest) -> Result<MultiModuleResponse> {
    paging::refuse(&[
        ("additional_fields", !req.additional_fields.is_empty()),
        ("starred_only", req.starred_only),
        ("bookmark", req.bookmark),
    ])?;
    let page = paging::page(req.page, req.per_page)?;
    let listing = ModuleListing {
        search: if req.search.is_empty() { req.name } else { req.search },
        sort_by: sort_by(req.sort_by)?,
        ascending: req.sort_ascending,
    };
    let names_app = req.user_app_id.as_ref().is_some_and(|ids| !ids.app_id.is_empty());
    let (user_id, found) = if names_app {
        let app = cx.app(req.user_app_id).await?;
        (app.app().user_id.clone(), modules::list(&app, listing, page).await?)
    } else {
        let account = cx.account(req.user_app_id).await?;
        (account.account().id.clone(), modules::list_of_account(&account, listing, page).await?)
    };
    let modules = found.into_iter().map(|module| to_wire(&user_id, module)).collect();
    Ok(MultiModuleResponse { status: status::success(), modules })
}

pub async fn patch_modules(cx: Cx, req: PatchModulesRequest) -> Result<MultiModuleResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.modules.into_iter().map(patch).collect::<Result<_>>()?;
    let changed = resources::patch(&Shelf::from(&app), patches, action).await?;
    Ok(many(&app, changed))
}

pub async fn delete_modules(cx: Cx, req: DeleteModulesRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    modules::delete(&app, &req.ids).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn post_module_versions(
    cx: Cx,
    req: PostModuleVersionsRequest,
) -> Result<MultiModuleVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.module_versions.into_iter().map(new_version).collect::<Result<_>>()?;
    let made = modules::create_versions(&app, &req.module_id, new).await?;
    Ok(many_versions(&app, &made))
}

pub async fn get_module_version(cx: Cx, req: GetModuleVersionRequest) -> Result<SingleModuleVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let shelf = Shelf::from(&app).within(&req.module_id);
    let found = resources::get(&shelf, &req.module_version_id).await?;
    let module_version = Some(stored_version(&app.app().user_id, &app.app().id, &found));
    Ok(SingleModuleVersionResponse { status: status::success(), module_version })
}

pub async fn list_module_versions(
    cx: Cx,
    req: ListModuleVersionsRequest,
) -> Result<MultiModuleVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = modules::versions(&app, &req.module_id, page).await?;
    Ok(many_versions(&app, &found))
}

pub async fn delete_module_versions(cx: Cx, req: DeleteModuleVersionsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    modules::delete_versions(&app, &req.module_id, &req.ids).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn get_module_version_usage_count(
    cx: Cx,
    req: GetModuleVersionUsageCountRequest,
) -> Result<SingleModuleVersionUsageCountResponse> {
    let app = cx.app(req.user_app_id).await?;
    let n_uses = modules::count_uses(&app, &req.module_id, &req.module_version_id).await?;
    let usage_count = u32::try_from(n_uses).unwrap_or(u32::MAX);
    Ok(SingleModuleVersionUsageCountResponse { status: status::success(), usage_count })
}

fn sort_by(wire: Option<WireSortBy>) -> Result<SortBy> {
    match wire {
        None | Some(WireSortBy::SortByCreatedAt(_)) => Ok(SortBy::CreatedAt),
        Some(WireSortBy::SortByModifiedAt(_)) => Ok(SortBy::ModifiedAt),
        Some(WireSortBy::SortById(_)) => Ok(SortBy::Id),
        Some(WireSortBy::SortByStarCount(_)) => {
            Err(Error::invalid("sort_by_star_count", "is not possible: there are no stars here"))
        }
    }
}

/// Only private ones can be had: nobody but the owner would see a public one, and that must not look otherwise.
pub fn check_private(field: &str, visibility: Option<&Visibility>) -> Result<()> {
    match visibility.map(|v| v.gettable) {
        None => Ok(()),
        Some(gettable) if gettable == Gettable::Private as i32 => Ok(()),
        Some(gettable) if gettable == Gettable::UnknownVisibility as i32 => Ok(()),
        Some(_) => Err(Error::invalid(field, "must be private: this server shows them to their owner only")),
    }
}

fn check_module(module: &Module) -> Result<()> {
    check_private("modules.visibility", module.visibility.as_ref())?;
    if module.image.is_some() {
        return Err(Error::invalid("modules.image", "is not kept by this server"));
    }
    Ok(())
}

fn new_module(module: Module) -> Result<New<modules::Module>> {
    check_module(&module)?;
    let doc = modules::Module {
        description: module.description,
        metadata: module.metadata.map(documents::from_struct).unwrap_or_default(),
    };
    Ok(New { id: Some(module.id), doc })
}

fn patch(module: Module) -> Result<(String, ocellus_core::JsonMap)> {
    check_module(&module)?;
    let fields = Fields::default().text("description", module.description);
    Ok(fields.document("metadata", module.metadata).of(module.id))
}

fn new_version(version: ModuleVersion) -> Result<New<modules::ModuleVersion>> {
    check_private("module_versions.visibility", version.visibility.as_ref())?;
    let page = |nav: ModuleSubNav| NavPage {
        title: nav.title,
        query_key: nav.query_key,
        query_value: nav.query_value,
    };
    let nav = version
        .module_nav
        .map(|nav| Nav { title: nav.title, pages: nav.module_sub_navs.into_iter().map(page).collect() });
    let doc = modules::ModuleVersion {
        description: version.description,
        notes: version.notes,
        git_commit_url: version.git_commit_url,
        nav,
        metadata: version.metadata.map(documents::from_struct).unwrap_or_default(),
    };
    Ok(New { id: Some(version.id), doc })
}

fn many(app: &AppCtx, found: Vec<Stored<modules::Module>>) -> MultiModuleResponse {
    let app_id = &app.app().id;
    let listed =
        found.into_iter().map(|module| ListedModule { app_id: app_id.clone(), module, latest: None });
    let modules = listed.map(|module| to_wire(&app.app().user_id, module)).collect();
    MultiModuleResponse { status: status::success(), modules }
}

fn many_versions(app: &AppCtx, found: &[Stored<modules::ModuleVersion>]) -> MultiModuleVersionResponse {
    let (user_id, app_id) = (&app.app().user_id, &app.app().id);
    let module_versions = found.iter().map(|version| stored_version(user_id, app_id, version)).collect();
    MultiModuleVersionResponse { status: status::success(), module_versions }
}

#[expect(clippy::unnecessary_wraps, reason = "message fields are options")]
pub fn private() -> Option<Visibility> {
    Some(Visibility { gettable: Gettable::Private as i32 })
}

fn to_wire(user_id: &str, listed: ListedModule) -> Module {
    let ListedModule { app_id, module, latest } = listed;
    Module {
        module_version: latest.map(|version| stored_version(user_id, &app_id, &version)),
        id: module.id,
        description: module.doc.description,
        created_at: documents::time(module.created_at_us),
        modified_at: documents::time(module.modified_at_us),
        visibility: private(),
        metadata: documents::to_struct(&module.doc.metadata),
        user_id: user_id.to_owned(),
        app_id,
        ..Default::default()
    }
}

fn stored_version(user_id: &str, app_id: &str, version: &Stored<modules::ModuleVersion>) -> ModuleVersion {
    ModuleVersion {
        id: version.id.clone(),
        module_id: version.parent.clone(),
        app_id: app_id.to_owned(),
        user_id: user_id.to_owned(),
        ..version_to_wire(&version.doc, version.created_at_us)
    }
}

/// A version without what names it.
pub fn version_to_wire(version: &modules::ModuleVersion, created_at_us: i64) -> ModuleVersion {
    let page = |page: &NavPage| ModuleSubNav {
        title: page.title.clone(),
        query_key: page.query_key.clone(),
        query_value: page.query_value.clone(),
    };
    let nav = version.nav.as_ref().map(|nav| ModuleNav {
        title: nav.title.clone(),
        module_sub_navs: nav.pages.iter().map(page).collect(),
    });
    ModuleVersion {
        description: version.description.clone(),
        notes: version.notes.clone(),
        created_at: documents::time(created_at_us),
        // A version is never changed.
        modified_at: documents::time(created_at_us),
        git_commit_url: version.git_commit_url.clone(),
        module_nav: nav,
        visibility: private(),
        metadata: documents::to_struct(&version.metadata),
        ..Default::default()
    }
}
