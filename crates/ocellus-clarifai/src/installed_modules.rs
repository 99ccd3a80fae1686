//! Installed module versions: RPCs and the wire form.

use ocellus_core::modules::installed::{self, Installed, ModuleRef, NewInstalled};
use ocellus_core::resources::{self, Listing, Shelf, Stored};
use ocellus_core::{AppCtx, Result};

use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, keys, modules, paging, status};

pub async fn post_installed_module_versions(
    cx: Cx,
    req: PostInstalledModuleVersionsRequest,
) -> Result<MultiInstalledModuleVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.installed_module_versions.into_iter().map(new_installed).collect::<Result<_>>()?;
    let made = installed::install(&app, new).await?;
    Ok(many(&app, &made))
}

pub async fn get_installed_module_version(
    cx: Cx,
    req: GetInstalledModuleVersionRequest,
) -> Result<SingleInstalledModuleVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = resources::get(&Shelf::from(&app), &req.installed_module_version_id).await?;
    let installed_module_version = Some(to_wire(&app, &found));
    Ok(SingleInstalledModuleVersionResponse { status: status::success(), installed_module_version })
}

pub async fn list_installed_module_versions(
    cx: Cx,
    req: ListInstalledModuleVersionsRequest,
) -> Result<MultiInstalledModuleVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = resources::list(&Shelf::from(&app), &Listing::default(), page).await?;
    Ok(many(&app, &found))
}

pub async fn delete_installed_module_versions(
    cx: Cx,
    req: DeleteInstalledModuleVersionsRequest,
) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    installed::uninstall(&app, &req.ids).await?;
    Ok(BaseResponse { status: status::success() })
}

/// The key's secret is its id in this answer and nowhere else, as with every key.
pub async fn post_installed_module_versions_key(
    cx: Cx,
    req: PostInstalledModuleVersionsKeyRequest,
) -> Result<SingleKeyResponse> {
    let app = cx.app(req.user_app_id).await?;
    let (key, secret) = installed::make_key(&app, &req.installed_module_version_id).await?;
    let key = Some(Key { id: secret, ..keys::to_wire(&key) });
    Ok(SingleKeyResponse { status: status::success(), key })
}

fn new_installed(installed: InstalledModuleVersion) -> Result<NewInstalled> {
    modules::check_private("installed_module_versions.visibility", installed.visibility.as_ref())?;
    let version = installed.module_version.unwrap_or_default();
    Ok(NewInstalled {
        id: installed.id,
        module: ModuleRef {
            user_id: version.user_id,
            app_id: version.app_id,
            module_id: version.module_id,
            version_id: version.id,
        },
        deploy_url: installed.deploy_url,
    })
}

fn many(app: &AppCtx, found: &[Stored<Installed>]) -> MultiInstalledModuleVersionResponse {
    let installed_module_versions = found.iter().map(|installed| to_wire(app, installed)).collect();
    MultiInstalledModuleVersionResponse { status: status::success(), installed_module_versions }
}

fn to_wire(app: &AppCtx, installed: &Stored<Installed>) -> InstalledModuleVersion {
    let module = &installed.doc.module;
    let version = ModuleVersion {
        id: module.version_id.clone(),
        module_id: module.module_id.clone(),
        app_id: module.app_id.clone(),
        user_id: module.user_id.clone(),
        ..modules::version_to_wire(&installed.doc.version, installed.doc.version_created_at_us)
    };
    InstalledModuleVersion {
        id: installed.id.clone(),
        module_version: Some(version),
        app_id: app.app().id.clone(),
        user_id: app.app().user_id.clone(),
        created_at: documents::time(installed.created_at_us),
        modified_at: documents::time(installed.modified_at_us),
        deploy_url: installed.doc.deploy_url.clone(),
        visibility: modules::private(),
        key_id: installed.doc.key.as_ref().map(|key| key.id.clone()).unwrap_or_default(),
    }
}
