//! Apps: the boxes that keep one set of inputs, concepts and models apart from every other.

#[cfg(test)]
mod tests;

use ocellus_store as store;

use crate::accounts::check_id;
use crate::jobs::delete_app;
use crate::{AccountCtx, AppCtx, Error, JsonMap, Page, PatchAction, Resource, Result, workflows};

/// An app.
#[derive(Clone, Debug)]
pub struct App {
    /// The id within the account.
    pub id: String,
    /// The user id of the account it belongs to.
    pub user_id: String,
    /// A readable name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The language of its concepts, as a code such as "en".
    pub default_language: String,
    /// The user's own data.
    pub metadata: JsonMap,
    /// Settings of a dialect that the platform keeps but does not read.
    pub doc: JsonMap,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// Microseconds since the epoch.
    pub modified_at_us: i64,
}

impl From<store::App> for App {
    fn from(row: store::App) -> Self {
        Self {
            id: row.id,
            user_id: row.account_id,
            name: row.name,
            description: row.description,
            default_language: row.default_language,
            metadata: row.metadata,
            doc: row.doc,
            created_at_us: row.created_at_us,
            modified_at_us: row.modified_at_us,
        }
    }
}

/// An app to make.
#[derive(Clone, Debug, Default)]
pub struct NewApp {
    /// Chosen by the user; made up if absent.
    pub id: Option<String>,
    /// A readable name; the id if empty.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// "en" if empty.
    pub default_language: String,
    /// The user's own data.
    pub metadata: JsonMap,
    /// Settings of a dialect.
    pub doc: JsonMap,
}

/// A change to an app; `None` leaves a field alone.
#[derive(Clone, Debug, Default)]
pub struct AppPatch {
    /// The app to change.
    pub id: String,
    /// A readable name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The language of its concepts.
    pub default_language: Option<String>,
    /// The user's own data.
    pub metadata: Option<JsonMap>,
    /// Settings of a dialect.
    pub doc: Option<JsonMap>,
}

/// Makes apps. `Conflict` if any id exists; then none is made.
pub async fn create(account: &AccountCtx, new: Vec<NewApp>) -> Result<Vec<App>> {
    check_whole_account(account)?;
    for app in &new {
        workflows::default::check_of_new_app(account.platform(), &app.doc).await?;
    }
    let rows = new.into_iter().map(|app| row_of(account, app)).collect::<Result<Vec<_>>>()?;
    let made = rows.iter().cloned().map(App::from).collect();
    account
        .platform()
        .store()
        .write(move |tx| {
            for row in &rows {
                insert(tx, row)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    Ok(made)
}

/// Writes a new app. `Conflict` if its id exists.
pub(crate) fn insert(tx: &store::Tx<'_>, row: &store::App) -> Result<()> {
    if tx.app(&row.account_id, &row.id)?.is_some() {
        return Err(taken(&row.id));
    }
    Ok(tx.insert_app(row)?)
}

fn taken(id: &str) -> Error {
    Error::conflict(Resource::App(id.to_owned()), format!("app '{id}' exists already"))
}

/// A new app as a row that is not yet written.
pub(crate) fn row_of(account: &AccountCtx, app: NewApp) -> Result<store::App> {
    let platform = account.platform();
    let id = app.id.filter(|id| !id.is_empty()).unwrap_or_else(|| platform.ids().id());
    check_id("apps.id", &id)?;
    let now_us = platform.clock().now_us();
    Ok(store::App {
        uid: platform.ids().id(),
        account_id: account.account().id.clone(),
        name: if app.name.is_empty() { id.clone() } else { app.name },
        id,
        description: app.description,
        default_language: if app.default_language.is_empty() {
            "en".to_owned()
        } else {
            app.default_language
        },
        metadata: app.metadata,
        doc: app.doc,
        created_at_us: now_us,
        modified_at_us: now_us,
        version: 0,
        deleted_at_us: None,
    })
}

/// A key that is bound to one app cannot act on the account as a whole, and nobody on somebody else's.
fn check_whole_account(account: &AccountCtx) -> Result<()> {
    if account.is_public() {
        let about = Resource::Account(account.account().id.clone());
        return Err(Error::forbidden(about, "the public account is read only"));
    }
    if account.caller().app_uid.is_some() {
        let about = Resource::Key(account.caller().key_id.clone());
        return Err(Error::forbidden(
            about,
            "the key belongs to one app; this needs a personal access token",
        ));
    }
    Ok(())
}

/// The account's apps in order of creation, those whose name contains `name` (with `*` for anything) if given. A key of
/// one app sees only that.
pub async fn list(account: &AccountCtx, page: Page, name: Option<&str>) -> Result<Vec<App>> {
    let page = page.check()?;
    let user_id = account.account().id.clone();
    let only = account.caller().app_uid.clone().filter(|_| !account.is_public());
    let pattern = name.filter(|name| !name.is_empty()).map(|name| format!("*{name}*"));
    let rows = account
        .platform()
        .store()
        .read(move |tx| match &only {
            Some(uid) if page.page == 1 => Ok(tx.app_by_uid(uid)?.into_iter().collect()),
            Some(_) => Ok(Vec::new()),
            None => Ok::<_, Error>(tx.apps_of(&user_id, page.limit(), page.offset(), pattern.as_deref())?),
        })
        .await?;
    Ok(rows.into_iter().filter(|row| row.deleted_at_us.is_none()).map(App::from).collect())
}

/// The app as it is now.
pub async fn get(app: &AppCtx) -> Result<App> {
    let uid = app.uid().to_owned();
    let row = app.platform().store().read(move |tx| Ok::<_, Error>(tx.app_by_uid(&uid)?)).await?;
    row.filter(|row| row.deleted_at_us.is_none())
        .map(App::from)
        .ok_or_else(|| Error::not_found(Resource::App(app.app().id.clone())))
}

/// Changes apps. `NotFound` if any does not exist; then none is changed.
pub async fn patch(account: &AccountCtx, patches: Vec<AppPatch>, action: PatchAction) -> Result<Vec<App>> {
    if account.is_public() {
        check_whole_account(account)?;
    }
    for patch in &patches {
        if let Some(doc) = patch.doc.as_ref().filter(|_| action != PatchAction::Remove) {
            workflows::default::check_of_app(account, &patch.id, doc).await?;
        }
    }
    let user_id = account.account().id.clone();
    let only = account.caller().app_uid.clone();
    let now_us = account.platform().clock().now_us();
    let rows = account
        .platform()
        .store()
        .write(move |tx| {
            let mut rows = Vec::with_capacity(patches.len());
            for patch in &patches {
                let row = tx
                    .app(&user_id, &patch.id)?
                    .filter(|row| only.as_ref().is_none_or(|uid| *uid == row.uid));
                let mut row = row.ok_or_else(|| Error::not_found(Resource::App(patch.id.clone())))?;
                apply(&mut row, patch, action);
                row.modified_at_us = now_us;
                row.version = tx.update_app(&row)?;
                rows.push(row);
            }
            Ok::<_, Error>(rows)
        })
        .await?;
    Ok(rows.into_iter().map(App::from).collect())
}

fn apply(row: &mut store::App, patch: &AppPatch, action: PatchAction) {
    action.set(&mut row.name, patch.name.clone());
    action.set(&mut row.description, patch.description.clone());
    action.set(&mut row.default_language, patch.default_language.clone());
    if let Some(metadata) = &patch.metadata {
        action.apply(&mut row.metadata, metadata);
    }
    if let Some(doc) = &patch.doc {
        action.apply(&mut row.doc, doc);
    }
}

/// Gives apps of the account other ids: pairs of the old and the new one. `NotFound` if any does not exist, `Conflict` if a
/// new id is taken; then none is changed. Keys keep working, as they belong to the app and not to its id.
pub async fn rename(account: &AccountCtx, ids: Vec<(String, String)>) -> Result<Vec<App>> {
    check_whole_account(account)?;
    if ids.is_empty() {
        return Err(Error::invalid("ids", "must name at least one app"));
    }
    for (_, new_id) in &ids {
        check_id("ids.new_id", new_id)?;
    }
    let user_id = account.account().id.clone();
    let now_us = account.platform().clock().now_us();
    let write = move |tx: &mut store::Tx<'_>| {
        let mut rows = Vec::with_capacity(ids.len());
        for (id, new_id) in &ids {
            let row = tx.app(&user_id, id)?;
            let mut row = row.ok_or_else(|| Error::not_found(Resource::App(id.clone())))?;
            if id != new_id && tx.app(&user_id, new_id)?.is_some() {
                return Err(taken(new_id));
            }
            row.id.clone_from(new_id);
            row.modified_at_us = now_us;
            row.version = tx.update_app(&row)?;
            rows.push(row);
        }
        Ok::<_, Error>(rows)
    };
    let rows = account.platform().store().write(write).await?;
    Ok(rows.into_iter().map(App::from).collect())
}

/// Deletes the app: gone at once, its keys with it, and its contents collected by a job.
pub async fn delete(app: &AppCtx) -> Result<()> {
    app.check_writable()?;
    app.check_owner()?;
    let platform = app.platform();
    let (uid, id, user_id) = (app.uid().to_owned(), app.app().id.clone(), app.app().user_id.clone());
    let now_us = platform.clock().now_us();
    let job = delete_app::job(platform, &user_id, &uid);
    platform
        .store()
        .write(move |tx| {
            let live = tx.app_by_uid(&uid)?.is_some_and(|row| row.deleted_at_us.is_none());
            if !live {
                return Err(Error::not_found(Resource::App(id.clone())));
            }
            tx.mark_app_deleted(&uid, now_us)?;
            tx.revoke_keys_of_app(&uid, now_us)?;
            job.insert(tx)
        })
        .await?;
    platform.callers().clear();
    platform.indexes().forget(app.uid());
    platform.job_added().notify_waiters();
    Ok(())
}
