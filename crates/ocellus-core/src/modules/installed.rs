//! Module versions installed in apps, each with a key of its own if it was given one.

use ocellus_store as store;
use serde::{Deserialize, Serialize};

use super::ModuleVersion;
use crate::ids::hash_secret;
use crate::keys::{self, Key, NewKey};
use crate::resources::{self, Document, New, Shelf, Stored};
use crate::{AppCtx, Error, KeyKind, Result, Scope, ScopeSet};

/// A module version installed in an app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Installed {
    /// Where the module is.
    pub module: ModuleRef,
    /// The version as it is there.
    pub version: ModuleVersion,
    /// When the version was made, microseconds since the epoch.
    pub version_created_at_us: i64,
    /// Where the module runs, if somebody runs it.
    pub deploy_url: String,
    /// The key made for it.
    #[serde(default)]
    pub key: Option<KeyRef>,
    /// The uid of the module's app.
    module_app_uid: String,
}

/// Names a module version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRef {
    /// The user of the module's app; the caller if empty.
    pub user_id: String,
    /// The module's app; the app in which it is being installed if empty.
    pub app_id: String,
    /// The module.
    pub module_id: String,
    /// Its version.
    pub version_id: String,
}

/// A key, by its public id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRef {
    /// Whose key it is.
    pub account_id: String,
    /// The public id.
    pub id: String,
}

/// A module version to install.
#[derive(Clone, Debug, Default)]
pub struct NewInstalled {
    /// Chosen by the user; made up if empty.
    pub id: String,
    /// What to install.
    pub module: ModuleRef,
    /// Where the module runs, if somebody runs it.
    pub deploy_url: String,
}

/// A place in which a version is installed, kept beside the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Use {
    /// The app there.
    pub app_uid: String,
    /// The id there.
    pub installed_id: String,
    version_id: String,
}

impl Document for Installed {
    const KIND: &'static str = "installed_module_version";
    const NOUN: &'static str = "installed module version";
    const FIELD: &'static str = "installed_module_versions";
}

impl Document for Use {
    const KIND: &'static str = "module_use";
    const NOUN: &'static str = "use of a module";
    const FIELD: &'static str = "module_uses";

    fn about(&self) -> String {
        self.version_id.clone()
    }
}

/// What a module may do in the app in which it is installed, if whoever installs it may.
const MODULE_SCOPES: [Scope; 21] = [
    Scope::PREDICT,
    Scope::SEARCH,
    Scope::INPUTS_ADD,
    Scope::INPUTS_GET,
    Scope::INPUTS_PATCH,
    Scope::INPUTS_DELETE,
    Scope::CONCEPTS_ADD,
    Scope::CONCEPTS_GET,
    Scope::CONCEPTS_PATCH,
    Scope::ANNOTATIONS_ADD,
    Scope::ANNOTATIONS_GET,
    Scope::ANNOTATIONS_PATCH,
    Scope::ANNOTATIONS_DELETE,
    Scope::MODELS_GET,
    Scope::WORKFLOWS_GET,
    Scope::APPS_GET,
    Scope::TASKS_GET,
    Scope::DATASETS_GET,
    Scope::DATASETS_ADD,
    Scope::MODULES_GET,
    Scope::INSTALLED_MODULE_VERSIONS_GET,
];

/// Installs module versions in an app. `NotFound` for a version that the caller cannot see, `Conflict` for an id that is
/// taken; then none is installed.
pub async fn install(app: &AppCtx, new: Vec<NewInstalled>) -> Result<Vec<Stored<Installed>>> {
    let mut docs = Vec::with_capacity(new.len());
    let mut uses = Vec::with_capacity(new.len());
    for new in new {
        let (doc, shelf) = prepare(app, &new).await?;
        let id = if new.id.is_empty() { app.platform().ids().id() } else { new.id };
        let used = Use {
            app_uid: app.uid().to_owned(),
            installed_id: id.clone(),
            version_id: doc.module.version_id.clone(),
        };
        let place = hash_secret(&format!("{}/{id}", app.uid()));
        uses.push(resources::row_of(&shelf, New { id: Some(place), doc: used })?);
        docs.push(New { id: Some(id), doc });
    }
    let write_uses = move |tx: &store::Tx<'_>, _: &str| {
        for used in &uses {
            let (owner, module_id) = (&used.owner_uid, &used.parent);
            resources::find::<ModuleVersion>(tx, owner, module_id, &used.about)?
                .ok_or_else(|| resources::missing::<ModuleVersion>(&used.about))?;
            // A taken id is told when the installed version is written, with the id that the caller knows.
            match tx.insert_resource(used) {
                Ok(_) | Err(store::Error::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    };
    resources::create_if(&Shelf::from(app), docs, write_uses).await
}

/// Finds the version to install, and the shelf of its module.
async fn prepare(app: &AppCtx, new: &NewInstalled) -> Result<(Installed, Shelf)> {
    let wanted = &new.module;
    if wanted.module_id.is_empty() || wanted.version_id.is_empty() {
        let message = "must name a module by module_id and a version by id";
        return Err(Error::invalid("installed_module_versions.module_version", message));
    }
    let needs = [Scope::MODULES_GET];
    let app_id = if wanted.app_id.is_empty() { &app.app().id } else { &wanted.app_id };
    let home = app.platform().app(app.caller(), &wanted.user_id, app_id, &needs).await?;
    let shelf = Shelf::from(&home).within(&wanted.module_id);
    let version: Stored<ModuleVersion> = resources::get(&shelf, &wanted.version_id).await?;
    let module = ModuleRef {
        user_id: home.app().user_id.clone(),
        app_id: home.app().id.clone(),
        module_id: wanted.module_id.clone(),
        version_id: version.id,
    };
    let installed = Installed {
        module,
        version: version.doc,
        version_created_at_us: version.created_at_us,
        deploy_url: new.deploy_url.clone(),
        key: None,
        module_app_uid: home.uid().to_owned(),
    };
    Ok((installed, shelf))
}

/// Takes installed versions away, with the keys they had.
pub async fn uninstall(app: &AppCtx, ids: &[String]) -> Result<()> {
    let now_us = app.platform().clock().now_us();
    let along = move |tx: &store::Tx<'_>, owner: &str, gone: &Stored<Installed>| {
        let place = hash_secret(&format!("{owner}/{}", gone.id));
        let module = &gone.doc.module.module_id;
        tx.delete_resources(&gone.doc.module_app_uid, Use::KIND, module, &[place])?;
        revoke(tx, gone.doc.key.as_ref(), now_us)
    };
    resources::delete_with(&Shelf::from(app), ids, along).await?;
    app.platform().callers().clear();
    Ok(())
}

/// Makes a key for an installed version, in place of the one it had, and returns it with its secret, this once. It
/// belongs to the app and may do what modules may, as far as the caller may.
pub async fn make_key(app: &AppCtx, id: &str) -> Result<(Key, String)> {
    let caller = app.caller();
    let scopes: ScopeSet = MODULE_SCOPES.into_iter().filter(|scope| caller.scopes.allows(*scope)).collect();
    let new = NewKey {
        kind: KeyKind::ApiKey,
        description: format!("key of the installed module version {id}"),
        app_id: Some(app.app().id.clone()),
        scopes,
        expires_at_us: None,
    };
    let (row, secret) = keys::mint(app.platform(), &caller.account_id, Some(app.uid().to_owned()), &new);
    let key = keys::from_row(row.clone(), new.app_id);
    let now_us = app.platform().clock().now_us();
    let assign = move |tx: &store::Tx<'_>, installed: &mut Installed| {
        revoke(tx, installed.key.as_ref(), now_us)?;
        tx.insert_key(&row)?;
        installed.key = Some(KeyRef { account_id: row.account_id.clone(), id: row.id.clone() });
        Ok(())
    };
    resources::change_with(&Shelf::from(app), id, assign).await?;
    app.platform().callers().clear();
    Ok((key, secret))
}

fn revoke(tx: &store::Tx<'_>, key: Option<&KeyRef>, now_us: i64) -> Result<()> {
    if let Some(key) = key {
        tx.revoke_key(&key.account_id, &key.id, now_us)?;
    }
    Ok(())
}

/// Where a module, or one version of it, is installed.
pub(super) fn uses(
    tx: &store::Tx<'_>,
    owner: &str,
    module_id: &str,
    version_id: Option<&str>,
) -> Result<Vec<Stored<Use>>> {
    let query = store::ResourceQuery {
        parent: Some(module_id.to_owned()),
        about: version_id.map(str::to_owned),
        limit: i64::MAX,
        ..store::ResourceQuery::default()
    };
    tx.resources_page(owner, Use::KIND, &query)?.into_iter().map(resources::stored).collect()
}

/// Takes a module, or one version of it, away from wherever it is installed.
pub(super) fn remove_uses(
    tx: &store::Tx<'_>,
    owner: &str,
    module_id: &str,
    version_id: Option<&str>,
    now_us: i64,
) -> Result<()> {
    for used in uses(tx, owner, module_id, version_id)? {
        let Use { app_uid, installed_id, .. } = &used.doc;
        if let Some(installed) = resources::find::<Installed>(tx, app_uid, "", installed_id)? {
            revoke(tx, installed.doc.key.as_ref(), now_us)?;
            tx.delete_resources(app_uid, Installed::KIND, "", &[installed_id])?;
        }
        tx.delete_resources(owner, Use::KIND, module_id, &[&used.id])?;
    }
    Ok(())
}
