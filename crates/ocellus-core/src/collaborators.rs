//! Collaborators: other accounts that may work on an app, with scopes of their own. The door looks them up at every
//! call, so taking somebody out works at once.

#[cfg(test)]
mod tests;

use ocellus_store as store;

use crate::accounts::Account;
use crate::apps::App;
use crate::{AccountCtx, AppCtx, Error, Page, PatchAction, Resource, Result, Scope, ScopeSet};

/// Another account that may work on an app.
#[derive(Clone, Debug)]
pub struct Collaborator {
    /// Unique within the app.
    pub id: String,
    /// Who it is.
    pub account: Account,
    /// What they may do.
    pub scopes: ScopeSet,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// Microseconds since the epoch.
    pub modified_at_us: i64,
}

/// An app of another account that this one may work on.
#[derive(Clone, Debug)]
pub struct Collaboration {
    /// The app.
    pub app: App,
    /// Whose app it is.
    pub owner: Account,
    /// What this account may do there.
    pub scopes: ScopeSet,
    /// Since when, microseconds since the epoch.
    pub created_at_us: i64,
}

/// Somebody, by user id or by e-mail address.
#[derive(Clone, Debug)]
pub enum Who {
    /// By user id.
    Id(String),
    /// By e-mail address.
    Email(String),
}

/// The most collaborators one call may make, change or take out.
pub const MAX_PER_CALL: usize = 128;

fn check_number(n_items: usize) -> Result<()> {
    if n_items == 0 || n_items > MAX_PER_CALL {
        let message = format!("must hold 1 to {MAX_PER_CALL} items, not {n_items}");
        return Err(Error::invalid("collaborators", message));
    }
    Ok(())
}

/// Who cannot do something cannot let others do it.
fn check_scopes(app: &AppCtx, scopes: &ScopeSet) -> Result<()> {
    if scopes.is_empty() {
        return Err(Error::invalid("collaborators.scopes", "must not be empty"));
    }
    if !app.caller().scopes.covers(scopes) {
        let about = Resource::Key(app.caller().key_id.clone());
        return Err(Error::forbidden(about, "nobody can give a collaborator scopes that they do not have"));
    }
    Ok(())
}

fn changed_by(app: &AppCtx) -> String {
    format!("{}/{}", app.caller().account_id, app.caller().key_id)
}

fn account_of(tx: &store::Tx<'_>, who: &Who) -> Result<store::Account> {
    let (id, missing) = match who {
        Who::Id(id) => (Some(id.clone()), Error::not_found(Resource::Account(id.clone()))),
        Who::Email(email) => {
            let id = tx.user_by_email(email)?.map(|user| user.account_id);
            (id, Error::not_found(Resource::Account(email.clone())))
        }
    };
    let account = match id {
        Some(id) => tx.account(&id)?,
        None => None,
    };
    account.filter(|account| !account.public).ok_or(missing)
}

/// Lets other accounts work on the app. `Conflict` if one does already; then none is let in.
#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is treated alike, whatever is added")]
pub async fn create(app: &AppCtx, new: Vec<(Who, ScopeSet)>) -> Result<Vec<Collaborator>> {
    app.check_writable()?;
    check_number(new.len())?;
    for (_, scopes) in &new {
        check_scopes(app, scopes)?;
    }
    let platform = app.platform();
    let now_us = platform.clock().now_us();
    let new: Vec<_> = new.into_iter().map(|(who, scopes)| (platform.ids().id(), who, scopes)).collect();
    let (uid, owner_id, by) = (app.uid().to_owned(), app.app().user_id.clone(), changed_by(app));
    let write = move |tx: &mut store::Tx<'_>| {
        let mut made = Vec::with_capacity(new.len());
        for (id, who, scopes) in &new {
            let account = account_of(tx, who)?;
            let about = Resource::Account(account.id.clone());
            if account.id == owner_id {
                return Err(Error::conflict(about, "the owner of an app needs no invitation to it"));
            }
            let row = store::Collaborator {
                app_uid: uid.clone(),
                id: id.clone(),
                account_id: account.id.clone(),
                scopes: scopes.numbers(),
                modified_by: by.clone(),
                created_at_us: now_us,
                modified_at_us: now_us,
            };
            tx.insert_collaborator(&row).map_err(|error| match error {
                store::Error::Conflict(_) => {
                    let message = format!("user '{}' is a collaborator already", account.id);
                    Error::conflict(about, message)
                }
                error => error.into(),
            })?;
            made.push(from_rows(row, account));
        }
        Ok::<_, Error>(made)
    };
    platform.store().write(write).await
}

/// Who else works on the app, in the order in which they came.
pub async fn list(app: &AppCtx, page: Page) -> Result<Vec<Collaborator>> {
    let page = page.check()?;
    let uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| {
        let mut found = Vec::new();
        for row in tx.collaborators_page(&uid, page.limit(), page.offset())? {
            if let Some(account) = tx.account(&row.account_id)? {
                found.push(from_rows(row, account));
            }
        }
        Ok::<_, Error>(found)
    };
    app.platform().store().read(read).await
}

/// The account that an app belongs to.
pub async fn owner(app: &AppCtx) -> Result<Account> {
    crate::accounts::get(app.platform(), &app.app().user_id).await
}

/// Changes what collaborators may do: merging adds scopes, removing takes them away.
pub async fn patch(
    app: &AppCtx,
    patches: Vec<(String, Vec<Scope>)>,
    action: PatchAction,
) -> Result<Vec<Collaborator>> {
    app.check_writable()?;
    check_number(patches.len())?;
    let (ctx, now_us) = (app.clone(), app.platform().clock().now_us());
    let write = move |tx: &mut store::Tx<'_>| {
        let mut changed = Vec::with_capacity(patches.len());
        for (id, given) in &patches {
            let mut row = tx.collaborator(ctx.uid(), id)?.ok_or_else(|| missing(id))?;
            let old: ScopeSet = row.scopes.iter().map(|number| Scope(*number)).collect();
            let scopes: ScopeSet = match action {
                PatchAction::Merge => old.iter().chain(given.iter().copied()).collect(),
                PatchAction::Overwrite => given.iter().copied().collect(),
                PatchAction::Remove => old.iter().filter(|scope| !given.contains(scope)).collect(),
            };
            check_scopes(&ctx, &scopes)?;
            (row.scopes, row.modified_by, row.modified_at_us) = (scopes.numbers(), changed_by(&ctx), now_us);
            tx.update_collaborator(&row)?;
            let account = tx.account(&row.account_id)?.ok_or_else(|| missing(id))?;
            changed.push(from_rows(row, account));
        }
        Ok::<_, Error>(changed)
    };
    app.platform().store().write(write).await
}

/// Takes collaborators out, by id or by e-mail address. `NotFound` if any is none; then nobody is taken out.
pub async fn delete(app: &AppCtx, ids: Vec<String>, emails: Vec<String>) -> Result<()> {
    app.check_writable()?;
    check_number(ids.len() + emails.len())?;
    let uid = app.uid().to_owned();
    let write = move |tx: &mut store::Tx<'_>| {
        let mut all = ids.clone();
        for email in &emails {
            let account = account_of(tx, &Who::Email(email.clone()))?;
            all.push(tx.collaborator_of(&uid, &account.id)?.ok_or_else(|| missing(email))?.id);
        }
        for id in &all {
            if !tx.delete_collaborator(&uid, id)? {
                return Err(missing(id));
            }
        }
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await
}

/// The apps of others that the account may work on.
pub async fn collaborations(account: &AccountCtx, page: Page) -> Result<Vec<Collaboration>> {
    let page = page.check()?;
    let id = account.account().id.clone();
    if account.is_public() || account.caller().app_uid.is_some() {
        return Err(Error::forbidden(Resource::Account(id), "only its owner can see what a user works on"));
    }
    let read = move |tx: &mut store::Tx<'_>| {
        let mut found = Vec::new();
        for row in tx.collaborations_page(&id, page.limit(), page.offset())? {
            let Some(app) = tx.app_by_uid(&row.app_uid)?.filter(|app| app.deleted_at_us.is_none()) else {
                continue;
            };
            let Some(owner) = tx.account(&app.account_id)? else { continue };
            found.push(Collaboration {
                app: App::from(app),
                owner: Account::from(owner),
                scopes: row.scopes.iter().map(|number| Scope(*number)).collect(),
                created_at_us: row.created_at_us,
            });
        }
        Ok::<_, Error>(found)
    };
    account.platform().store().read(read).await
}

fn missing(id: &str) -> Error {
    Error::not_found(Resource::Other("collaborator", id.to_owned()))
}

fn from_rows(row: store::Collaborator, account: store::Account) -> Collaborator {
    Collaborator {
        id: row.id,
        account: Account::from(account),
        scopes: row.scopes.iter().map(|number| Scope(*number)).collect(),
        created_at_us: row.created_at_us,
        modified_at_us: row.modified_at_us,
    }
}
