//! Keys: opaque secrets of which only a hash is kept, with scopes, an expiry and revocation that works at once.

use ocellus_store as store;

use crate::ids::hash_secret;
use crate::{AccountCtx, Error, KeyKind, Page, PatchAction, Platform, Resource, Result, Scope, ScopeSet};

/// A key, without its secret, which nobody knows any more.
#[derive(Clone, Debug)]
pub struct Key {
    /// The public id, safe to show and to log.
    pub id: String,
    /// The user id of the account it belongs to.
    pub user_id: String,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// What it is for.
    pub description: String,
    /// The only app it reaches, if it is bound to one.
    pub app_id: Option<String>,
    /// What it may do.
    pub scopes: ScopeSet,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// When it stops working, microseconds since the epoch.
    pub expires_at_us: Option<i64>,
    /// When it was revoked, microseconds since the epoch.
    pub revoked_at_us: Option<i64>,
}

/// A key to make.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What kind of key.
    pub kind: KeyKind,
    /// What it is for.
    pub description: String,
    /// The only app it shall reach; needed for every kind but a personal access token.
    pub app_id: Option<String>,
    /// What it may do.
    pub scopes: ScopeSet,
    /// When it stops working, microseconds since the epoch.
    pub expires_at_us: Option<i64>,
}

/// A change to a key; `None` leaves a field alone.
#[derive(Clone, Debug, Default)]
pub struct KeyPatch {
    /// The public id of the key to change.
    pub id: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it may do.
    pub scopes: Option<Vec<Scope>>,
    /// When it stops working, microseconds since the epoch.
    pub expires_at_us: Option<i64>,
}

/// Which keys to list.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    /// Those of this app only; empty for any.
    pub app_id: String,
    /// Those of this kind only.
    pub kind: Option<KeyKind>,
    /// Those that hold all of these scopes.
    pub scopes: Vec<Scope>,
}

/// A token got with a client id and secret.
#[derive(Clone, Debug)]
pub struct Token {
    /// The user id of the account it belongs to.
    pub user_id: String,
    /// The secret to send; shown once.
    pub secret: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// How long it works, in seconds.
    pub expires_in_s: u32,
}

/// How long a token works.
const TOKEN_TTL_S: u32 = 3600;

/// A key's row and its secret, not yet written.
pub(crate) fn mint(
    platform: &Platform,
    user_id: &str,
    app_uid: Option<String>,
    new: &NewKey,
) -> (store::Key, String) {
    let secret = platform.ids().secret();
    let hash = hash_secret(&secret);
    let row = store::Key {
        id: hash[..16].to_owned(),
        hash,
        kind: new.kind.name().to_owned(),
        account_id: user_id.to_owned(),
        app_uid,
        description: new.description.clone(),
        scopes: new.scopes.numbers(),
        created_at_us: platform.clock().now_us(),
        expires_at_us: new.expires_at_us,
        revoked_at_us: None,
    };
    (row, secret)
}

/// Makes a key and returns its secret, this once. A key cannot give more than it has.
pub async fn create(account: &AccountCtx, new: NewKey) -> Result<(Key, String)> {
    check_own(account)?;
    check_new(account, &new)?;
    let platform = account.platform();
    let user_id = account.account().id.clone();
    let app = match &new.app_id {
        Some(id) => Some(reachable_app(account, id).await?),
        None => None,
    };
    let (row, secret) = mint(platform, &user_id, app.as_ref().map(|app| app.uid.clone()), &new);
    let made = from_row(row.clone(), new.app_id);
    platform.store().write(move |tx| Ok::<_, Error>(tx.insert_key(&row)?)).await?;
    Ok((made, secret))
}

fn check_own(account: &AccountCtx) -> Result<()> {
    if account.is_public() {
        let about = Resource::Account(account.account().id.clone());
        return Err(Error::forbidden(about, "the keys of another user cannot be seen or changed"));
    }
    Ok(())
}

fn check_new(account: &AccountCtx, new: &NewKey) -> Result<()> {
    let caller = account.caller();
    if new.scopes.is_empty() {
        return Err(Error::invalid("keys.scopes", "must not be empty"));
    }
    if !caller.scopes.covers(&new.scopes) {
        let about = Resource::Key(caller.key_id.clone());
        return Err(Error::forbidden(about, "a key cannot give scopes that it does not have"));
    }
    match (new.kind, &new.app_id) {
        (KeyKind::Token, _) => {
            return Err(Error::invalid("keys.type", "must not be a token; exchange a client secret for it"));
        }
        (KeyKind::ApiKey | KeyKind::Client, None) => {
            return Err(Error::invalid("keys.apps", "must name the key's app"));
        }
        (KeyKind::Pat, Some(_)) => {
            return Err(Error::invalid("keys.apps", "must be empty for a personal access token"));
        }
        (KeyKind::ApiKey | KeyKind::Client, Some(_)) => {}
        (KeyKind::Pat, None) if caller.app_uid.is_some() => {
            let about = Resource::Key(caller.key_id.clone());
            return Err(Error::forbidden(about, "a key of one app cannot make a personal access token"));
        }
        (KeyKind::Pat, None) => {}
    }
    if new.expires_at_us.is_some_and(|expiry| expiry <= account.platform().clock().now_us()) {
        return Err(Error::invalid("keys.expires_at", "must lie in the future"));
    }
    Ok(())
}

async fn reachable_app(account: &AccountCtx, app_id: &str) -> Result<store::App> {
    let (user_id, id) = (account.account().id.clone(), app_id.to_owned());
    let row = account.platform().store().read(move |tx| Ok::<_, Error>(tx.app(&user_id, &id)?)).await?;
    row.filter(|row| row.deleted_at_us.is_none())
        .filter(|row| account.caller().app_uid.as_ref().is_none_or(|uid| *uid == row.uid))
        .ok_or_else(|| Error::not_found(Resource::App(app_id.to_owned())))
}

/// The account's live keys in order of creation, those of one app if given; tokens are not listed. A key of one app sees
/// only that app's keys.
pub async fn list(account: &AccountCtx, page: Page, app_id: Option<&str>) -> Result<Vec<Key>> {
    let app_id = app_id.unwrap_or_default().to_owned();
    list_some(account, page, KeyFilter { app_id, ..KeyFilter::default() }).await
}

/// Like [`list`], of the keys that fit.
pub async fn list_some(account: &AccountCtx, page: Page, filter: KeyFilter) -> Result<Vec<Key>> {
    check_own(account)?;
    let page = page.check()?;
    let only = match Some(filter.app_id.as_str()).filter(|id| !id.is_empty()) {
        Some(id) => Some(reachable_app(account, id).await?.uid),
        None => account.caller().app_uid.clone(),
    };
    let user_id = account.account().id.clone();
    let now_us = account.platform().clock().now_us();
    let keys = account
        .platform()
        .store()
        .read(move |tx| {
            let mut kept = Vec::new();
            for row in all_of(tx, &user_id)? {
                let theirs = only.as_ref().is_none_or(|uid| row.app_uid.as_ref() == Some(uid));
                if theirs && row.kind != KeyKind::Token.name() && is_live(&row, now_us) && filter.fits(&row) {
                    kept.push(named(tx, row)?);
                }
            }
            Ok::<_, Error>(kept)
        })
        .await?;
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    Ok(keys.into_iter().skip(skip).take(page.per_page as usize).collect())
}

impl KeyFilter {
    fn fits(&self, row: &store::Key) -> bool {
        let scopes: ScopeSet = row.scopes.iter().map(|number| Scope(*number)).collect();
        self.kind.is_none_or(|kind| kind.name() == row.kind)
            && self.scopes.iter().all(|scope| scopes.allows(*scope))
    }
}

fn all_of(tx: &store::Tx<'_>, user_id: &str) -> Result<Vec<store::Key>> {
    const BATCH: usize = 500;
    let mut all: Vec<store::Key> = Vec::new();
    loop {
        let keys = tx.keys_of(user_id, BATCH as i64, all.len() as i64)?;
        let n_keys = keys.len();
        all.extend(keys);
        if n_keys < BATCH {
            return Ok(all);
        }
    }
}

fn is_live(row: &store::Key, now_us: i64) -> bool {
    row.revoked_at_us.is_none() && row.expires_at_us.is_none_or(|expiry| expiry > now_us)
}

fn named(tx: &store::Tx<'_>, row: store::Key) -> Result<Key> {
    let app_id = match &row.app_uid {
        Some(uid) => tx.app_by_uid(uid)?.map(|app| app.id),
        None => None,
    };
    Ok(from_row(row, app_id))
}

pub(crate) fn from_row(row: store::Key, app_id: Option<String>) -> Key {
    Key {
        id: row.id,
        user_id: row.account_id,
        kind: KeyKind::from_name(&row.kind).unwrap_or(KeyKind::ApiKey),
        description: row.description,
        app_id,
        scopes: row.scopes.iter().map(|number| Scope(*number)).collect(),
        created_at_us: row.created_at_us,
        expires_at_us: row.expires_at_us,
        revoked_at_us: row.revoked_at_us,
    }
}

/// The row of a key that the caller may see and that is still live.
fn visible(tx: &store::Tx<'_>, reach: &Reach, id: &str) -> Result<store::Key> {
    tx.key(&reach.user_id, id)?
        .filter(|row| row.revoked_at_us.is_none())
        .filter(|row| reach.app_uid.is_none() || row.app_uid == reach.app_uid)
        .ok_or_else(|| Error::not_found(Resource::Key(id.to_owned())))
}

/// Whose keys a caller can see.
struct Reach {
    user_id: String,
    app_uid: Option<String>,
}

fn reach(account: &AccountCtx) -> Result<Reach> {
    check_own(account)?;
    Ok(Reach { user_id: account.account().id.clone(), app_uid: account.caller().app_uid.clone() })
}

/// One key, by public id.
pub async fn get(account: &AccountCtx, id: &str) -> Result<Key> {
    let (reach, id) = (reach(account)?, id.to_owned());
    account.platform().store().read(move |tx| named(tx, visible(tx, &reach, &id)?)).await
}

/// Changes a key's description, scopes and end: merging adds scopes, removing takes them away. Nobody can give a key more than
/// they have.
pub async fn patch(account: &AccountCtx, patch: KeyPatch, action: PatchAction) -> Result<Key> {
    let reach = reach(account)?;
    let caller = account.caller().clone();
    let now_us = account.platform().clock().now_us();
    if patch.expires_at_us.is_some_and(|expiry| expiry <= now_us) {
        return Err(Error::invalid("keys.expires_at", "must lie in the future"));
    }
    let key = account
        .platform()
        .store()
        .write(move |tx| {
            let mut row = visible(tx, &reach, &patch.id)?;
            action.set(&mut row.description, patch.description.clone());
            if action != PatchAction::Remove {
                row.expires_at_us = patch.expires_at_us.or(row.expires_at_us);
            }
            let old: ScopeSet = row.scopes.iter().map(|number| Scope(*number)).collect();
            let scopes = changed(old, patch.scopes.as_deref(), action);
            if scopes.is_empty() {
                return Err(Error::invalid("keys.scopes", "must not be empty"));
            }
            if scopes != old && !caller.scopes.covers(&scopes) {
                let about = Resource::Key(caller.key_id.clone());
                return Err(Error::forbidden(about, "a key cannot give scopes that it does not have"));
            }
            row.scopes = scopes.numbers();
            tx.update_key(&row)?;
            named(tx, row)
        })
        .await?;
    account.platform().callers().clear();
    Ok(key)
}

fn changed(old: ScopeSet, given: Option<&[Scope]>, action: PatchAction) -> ScopeSet {
    let Some(given) = given else { return old };
    match action {
        PatchAction::Merge => old.iter().chain(given.iter().copied()).collect(),
        PatchAction::Overwrite => given.iter().copied().collect(),
        PatchAction::Remove => old.iter().filter(|scope| !given.contains(scope)).collect(),
    }
}

/// Revokes a key; it stops working at once.
pub async fn revoke(account: &AccountCtx, id: &str) -> Result<()> {
    let (reach, id) = (reach(account)?, id.to_owned());
    let platform = account.platform();
    let now_us = platform.clock().now_us();
    platform
        .store()
        .write(move |tx| {
            let row = visible(tx, &reach, &id)?;
            tx.revoke_key(&row.account_id, &row.id, now_us)?;
            Ok::<_, Error>(())
        })
        .await?;
    platform.callers().clear();
    Ok(())
}

impl Platform {
    /// Exchanges a client id and secret for a token that works for an hour.
    pub async fn token_for_client(&self, id: &str, secret: &str) -> Result<Token> {
        let refused = Error::unauthenticated("the client id or secret is wrong");
        let (hash, now_us) = (hash_secret(secret), self.clock().now_us());
        let client = self.store().read(move |tx| Ok::<_, Error>(tx.key_by_hash(&hash)?)).await?;
        let client = client
            .filter(|row| row.id == id && row.kind == KeyKind::Client.name() && is_live(row, now_us))
            .ok_or(refused)?;
        let scopes: ScopeSet = client.scopes.iter().map(|number| Scope(*number)).collect();
        let token = NewKey {
            kind: KeyKind::Token,
            description: format!("token of client {id}"),
            app_id: None,
            scopes,
            expires_at_us: Some(now_us + i64::from(TOKEN_TTL_S) * 1_000_000),
        };
        let (row, secret) = mint(self, &client.account_id, client.app_uid, &token);
        let user_id = row.account_id.clone();
        let write = move |tx: &mut store::Tx<'_>| {
            tx.purge_expired_tokens(now_us)?;
            Ok::<_, Error>(tx.insert_key(&row)?)
        };
        self.store().write(write).await?;
        Ok(Token { user_id, secret, scopes, expires_in_s: TOKEN_TTL_S })
    }
}
