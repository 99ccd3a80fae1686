//! Modules: extensions that people write for an app, their versions, and where those are installed.

pub mod installed;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use ocellus_store as store;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::resources::{self, Document, Listing, New, Shelf, Stored};
use crate::{AccountCtx, AppCtx, Error, JsonMap, Page, Result};
use installed::Use;

/// A module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// What it does.
    pub description: String,
    /// The user's own data.
    #[serde(default)]
    pub metadata: JsonMap,
}

/// A version of a module; never changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModuleVersion {
    /// What it does.
    pub description: String,
    /// What is new.
    pub notes: String,
    /// Where its code is, as a web address of one commit.
    pub git_commit_url: String,
    /// The pages it shows.
    pub nav: Option<Nav>,
    /// The user's own data.
    #[serde(default)]
    pub metadata: JsonMap,
}

/// The pages that a module shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nav {
    /// What stands above them.
    pub title: String,
    /// One entry a page.
    pub pages: Vec<NavPage>,
}

/// A page of a module, found by one parameter of its address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NavPage {
    /// What it is called.
    pub title: String,
    /// The name of the parameter.
    pub query_key: String,
    /// The value of the parameter.
    pub query_value: String,
}

impl Document for Module {
    const KIND: &'static str = "module";
    const NOUN: &'static str = "module";
    const FIELD: &'static str = "modules";
}

impl Document for ModuleVersion {
    const KIND: &'static str = "module_version";
    const NOUN: &'static str = "module version";
    const FIELD: &'static str = "module_versions";

    fn check(&self) -> Result<()> {
        let sound = |text: &str| Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !self.git_commit_url.is_empty() && !sound(&self.git_commit_url) {
            return Err(Error::invalid("module_versions.git_commit_url", "must be an http or https address"));
        }
        Ok(())
    }
}

/// What modules are listed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// When they were made.
    #[default]
    CreatedAt,
    /// When they were last changed.
    ModifiedAt,
    /// Their ids.
    Id,
}

/// Which modules to list, and how.
#[derive(Clone, Debug, Default)]
pub struct ModuleListing {
    /// Only those with this in their id or description, in any case, if not empty.
    pub search: String,
    /// The order.
    pub sort_by: SortBy,
    /// The smallest or oldest first.
    pub ascending: bool,
}

/// A module with the app it is in and its latest version.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedModule {
    /// The app's id.
    pub app_id: String,
    /// The module.
    pub module: Stored<Module>,
    /// The version made last, if there is any.
    pub latest: Option<Stored<ModuleVersion>>,
}

/// One module with its latest version.
pub async fn get(app: &AppCtx, id: &str) -> Result<ListedModule> {
    let shelf = Shelf::from(app);
    let module = resources::get(&shelf, id).await?;
    let newest = Listing { newest_first: true, ..Listing::default() };
    let latest = resources::list(&shelf.within(id), &newest, Page::first(1)).await?.into_iter().next();
    Ok(ListedModule { app_id: app.app().id.clone(), module, latest })
}

/// The modules of an app.
pub async fn list(app: &AppCtx, listing: ModuleListing, page: Page) -> Result<Vec<ListedModule>> {
    let page = page.check()?;
    let (uid, id) = (app.uid().to_owned(), app.app().id.clone());
    let read = move |tx: &mut store::Tx<'_>| {
        of_app(tx, &uid, &id, &listing.search).map(|all| (all, listing.clone()))
    };
    let (all, listing) = app.platform().store().read(read).await?;
    Ok(sorted(all, &listing, page))
}

/// The modules of all apps of an account.
pub async fn list_of_account(
    account: &AccountCtx,
    listing: ModuleListing,
    page: Page,
) -> Result<Vec<ListedModule>> {
    const BATCH: i64 = 500;
    let page = page.check()?;
    let (user_id, search) = (account.account().id.clone(), listing.search.clone());
    let only = account.caller().app_uid.clone();
    let read = move |tx: &mut store::Tx<'_>| {
        let (mut all, mut offset) = (Vec::new(), 0);
        loop {
            let apps = tx.apps_of(&user_id, BATCH, offset, None)?;
            for app in apps.iter().filter(|app| only.as_ref().is_none_or(|uid| *uid == app.uid)) {
                all.extend(of_app(tx, &app.uid, &app.id, &search)?);
            }
            offset += BATCH;
            if apps.len() < BATCH as usize {
                return Ok::<_, Error>(all);
            }
        }
    };
    let all = account.platform().store().read(read).await?;
    Ok(sorted(all, &listing, page))
}

fn of_app(tx: &store::Tx<'_>, uid: &str, app_id: &str, search: &str) -> Result<Vec<ListedModule>> {
    let search = search.to_lowercase();
    let query = store::ResourceQuery { limit: i64::MAX, ..store::ResourceQuery::default() };
    let mut found = Vec::new();
    for row in tx.resources_page(uid, Module::KIND, &query)? {
        let module: Stored<Module> = resources::stored(row)?;
        let texts = [&module.id, &module.doc.description];
        if texts.iter().any(|text| text.to_lowercase().contains(&search)) {
            let newest = store::ResourceQuery {
                parent: Some(module.id.clone()),
                newest_first: true,
                limit: 1,
                ..store::ResourceQuery::default()
            };
            let latest = tx.resources_page(uid, ModuleVersion::KIND, &newest)?.into_iter().next();
            let latest = latest.map(resources::stored).transpose()?;
            found.push(ListedModule { app_id: app_id.to_owned(), module, latest });
        }
    }
    Ok(found)
}

fn sorted(mut all: Vec<ListedModule>, listing: &ModuleListing, page: Page) -> Vec<ListedModule> {
    let compare = |a: &ListedModule, b: &ListedModule| -> Ordering {
        let (a, b) = (&a.module, &b.module);
        match listing.sort_by {
            SortBy::CreatedAt => (a.created_at_us, a.seq).cmp(&(b.created_at_us, b.seq)),
            SortBy::ModifiedAt => (a.modified_at_us, a.seq).cmp(&(b.modified_at_us, b.seq)),
            SortBy::Id => a.id.cmp(&b.id),
        }
    };
    all.sort_by(|a, b| if listing.ascending { compare(a, b) } else { compare(b, a) });
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    all.into_iter().skip(skip).take(page.per_page as usize).collect()
}

/// Adds versions to a module. `NotFound` if there is no such module.
pub async fn create_versions(
    app: &AppCtx,
    module_id: &str,
    new: Vec<New<ModuleVersion>>,
) -> Result<Vec<Stored<ModuleVersion>>> {
    let module_id = module_id.to_owned();
    let shelf = Shelf::from(app).within(&module_id);
    resources::create_if(&shelf, new, move |tx, owner| resources::exists::<Module>(tx, owner, &module_id))
        .await
}

/// The versions of a module in order of creation. `NotFound` if there is no such module.
pub async fn versions(app: &AppCtx, module_id: &str, page: Page) -> Result<Vec<Stored<ModuleVersion>>> {
    let shelf = Shelf::from(app);
    resources::get::<Module>(&shelf, module_id).await?;
    resources::list(&shelf.within(module_id), &Listing::default(), page).await
}

/// Deletes modules with their versions, and takes them away where they are installed, with the keys they had there.
pub async fn delete(app: &AppCtx, ids: &[String]) -> Result<()> {
    let now_us = app.platform().clock().now_us();
    let along = move |tx: &store::Tx<'_>, owner: &str, module: &Stored<Module>| {
        tx.delete_resources_within(owner, ModuleVersion::KIND, &module.id)?;
        installed::remove_uses(tx, owner, &module.id, None, now_us)
    };
    resources::delete_with(&Shelf::from(app), ids, along).await?;
    app.platform().callers().clear();
    Ok(())
}

/// Deletes versions of a module, and takes them away where they are installed, with the keys they had there.
pub async fn delete_versions(app: &AppCtx, module_id: &str, ids: &[String]) -> Result<()> {
    let now_us = app.platform().clock().now_us();
    let along = move |tx: &store::Tx<'_>, owner: &str, version: &Stored<ModuleVersion>| {
        installed::remove_uses(tx, owner, &version.parent, Some(&version.id), now_us)
    };
    resources::delete_with(&Shelf::from(app).within(module_id), ids, along).await?;
    app.platform().callers().clear();
    Ok(())
}

/// In how many places a version is installed. `NotFound` if there is no such version.
pub async fn count_uses(app: &AppCtx, module_id: &str, version_id: &str) -> Result<u64> {
    let shelf = Shelf::from(app).within(module_id);
    resources::get::<ModuleVersion>(&shelf, version_id).await?;
    let (uid, module_id, version_id) = (app.uid().to_owned(), module_id.to_owned(), version_id.to_owned());
    let count = move |tx: &mut store::Tx<'_>| {
        let mut n_uses = 0;
        for used in installed::uses(tx, &uid, &module_id, Some(&version_id))? {
            let Use { app_uid, .. } = used.doc;
            // The app in which it was installed may have been deleted since.
            n_uses += u64::from(tx.app_by_uid(&app_uid)?.is_some_and(|app| app.deleted_at_us.is_none()));
        }
        Ok::<_, Error>(n_uses)
    };
    app.platform().store().read(count).await
}
