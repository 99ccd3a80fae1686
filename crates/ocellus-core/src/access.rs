//! The door: who calls, what the key may do, and the contexts without which nothing can be touched.

mod cache;
mod scope;
#[cfg(test)]
mod tests;

pub(crate) use cache::CallerCache;
pub use scope::{Scope, ScopeSet};

use ocellus_store as store;

use crate::accounts::Account;
use crate::apps::App;
use crate::bootstrap::{PUBLIC_APP, PUBLIC_USER};
use crate::ids::hash_secret;
use crate::{Error, Kind, Platform, Resource, Result};

/// What kind of secret a caller showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Belongs to one app.
    ApiKey,
    /// A personal access token: belongs to the account and reaches all its apps.
    Pat,
    /// A client id and secret; only good for getting a token.
    Client,
    /// A short-lived token got with a client id and secret.
    Token,
}

impl KeyKind {
    /// The name used in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Pat => "pat",
            Self::Client => "client",
            Self::Token => "token",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::ApiKey, Self::Pat, Self::Client, Self::Token].into_iter().find(|kind| kind.name() == name)
    }
}

/// Who calls, as proved by a key.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user id of the account the key belongs to.
    pub account_id: String,
    /// The public id of the key; safe to log.
    pub key_id: String,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// The only app the key reaches, if it is bound to one (internal id).
    pub app_uid: Option<String>,
    /// What the key may do.
    pub scopes: ScopeSet,
}

impl Caller {
    /// The person at the machine, who needs no key: for the command line.
    pub fn operator(user_id: &str) -> Self {
        Self {
            account_id: user_id.to_owned(),
            key_id: "operator".to_owned(),
            kind: KeyKind::Pat,
            app_uid: None,
            scopes: ScopeSet::everything(),
        }
    }

    /// Checks that the key holds every needed scope.
    pub fn check_scopes(&self, needs: &[Scope]) -> Result<()> {
        match needs.iter().find(|scope| !self.scopes.allows(**scope)) {
            None => Ok(()),
            Some(missing) => {
                let message = format!("the key does not have the scope {}", missing.name());
                Err(Error::forbidden(Resource::Scope(missing.name().to_owned()), message))
            }
        }
    }
}

/// Proof that the caller may use an app; made only by [`Platform::app`].
#[derive(Clone)]
pub struct AppCtx {
    platform: Platform,
    caller: Caller,
    app: App,
    uid: String,
    public: bool,
    guest: bool,
}

impl AppCtx {
    /// The platform.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The app as it was when the door opened.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The app's internal id, under which the store keeps everything of it.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Whether this is the public app, which nobody can change.
    pub fn is_public(&self) -> bool {
        self.public
    }

    /// Whether the caller may only use what the app's owner published, and sees nothing else of the app.
    pub fn is_guest(&self) -> bool {
        self.guest
    }

    /// Refuses whoever only collaborates on the app.
    pub fn check_owner(&self) -> Result<()> {
        if self.caller.account_id != self.app.user_id {
            return Err(Error::forbidden(
                Resource::App(self.app.id.clone()),
                "only the owner of an app may do this",
            ));
        }
        Ok(())
    }

    /// Refuses the public app.
    pub fn check_writable(&self) -> Result<()> {
        if self.public {
            return Err(Error::forbidden(Resource::App(self.app.id.clone()), "the public app is read only"));
        }
        if self.guest {
            let message = "only the owner of an app and its collaborators may do this";
            return Err(Error::forbidden(Resource::App(self.app.id.clone()), message));
        }
        Ok(())
    }
}

/// Proof that the caller may use an account; made only by [`Platform::account`].
#[derive(Clone)]
pub struct AccountCtx {
    platform: Platform,
    caller: Caller,
    account: Account,
}

impl AccountCtx {
    /// The platform.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The account.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Whether this is somebody else's public account, which can only be read.
    pub fn is_public(&self) -> bool {
        self.account.public && self.caller.account_id != self.account.id
    }
}

impl Platform {
    /// Finds out who calls. `Unauthenticated` unless the secret is of a live key.
    pub async fn authenticate(&self, secret: &str) -> Result<Caller> {
        if secret.is_empty() {
            return Err(Error::unauthenticated("no key was given"));
        }
        let hash = hash_secret(secret);
        let now_us = self.clock().now_us();
        if let Some(caller) = self.callers().get(&hash, now_us) {
            return Ok(caller);
        }
        let generation = self.callers().generation();
        let wanted = hash.clone();
        let key = self.store().read(move |tx| Ok::<_, Error>(tx.key_by_hash(&wanted)?)).await?;
        let key = key.ok_or_else(|| Error::unauthenticated("the key does not exist"))?;
        let caller = caller_of(&key, now_us)?;
        let until_us = CallerCache::until_us(now_us, key.expires_at_us);
        self.callers().put(generation, hash, caller.clone(), until_us);
        Ok(caller)
    }

    /// Opens an app for a caller who holds the scopes. An empty user id or "me" means the caller's own; an empty app id
    /// means the key's app. `NotFound` for an app the caller cannot reach, `Forbidden` for a missing scope. A collaborator
    /// may do there what both the key and the owner allow.
    pub async fn app(&self, caller: &Caller, user_id: &str, app_id: &str, needs: &[Scope]) -> Result<AppCtx> {
        caller.check_scopes(needs)?;
        let user_id = own_or(caller, user_id);
        let row = if app_id.is_empty() {
            let Some(uid) = caller.app_uid.clone() else {
                return Err(Error::invalid(
                    "user_app_id.app_id",
                    "needs an app id, because this key belongs to no app",
                ));
            };
            self.store().read(move |tx| Ok::<_, Error>(tx.app_by_uid(&uid)?)).await?
        } else {
            let (user, id) = (user_id.to_owned(), app_id.to_owned());
            self.store().read(move |tx| Ok::<_, Error>(tx.app(&user, &id)?)).await?
        };
        let missing = || Error::not_found(Resource::App(app_id.to_owned()));
        let row = row.filter(|row| row.deleted_at_us.is_none()).ok_or_else(missing)?;
        let public = row.account_id == PUBLIC_USER && row.id == PUBLIC_APP;
        let theirs =
            row.account_id == caller.account_id && caller.app_uid.as_ref().is_none_or(|uid| *uid == row.uid);
        if row.account_id != user_id {
            return Err(missing());
        }
        let uid = row.uid.clone();
        let caller = match theirs || public {
            true => caller.clone(),
            false => self.collaborator(caller, &uid, needs).await?.ok_or_else(missing)?,
        };
        Ok(AppCtx { platform: self.clone(), caller, app: App::from(row), uid, public, guest: false })
    }

    /// Like [`Platform::app`], but an app of somebody else opens too if a version of this model of it was published; the
    /// caller is a guest then.
    pub async fn app_with_model(
        &self,
        caller: &Caller,
        (user_id, app_id): (&str, &str),
        model_id: &str,
        needs: &[Scope],
    ) -> Result<AppCtx> {
        let missing = match self.app(caller, user_id, app_id, needs).await {
            Err(error) if error.kind == Kind::NotFound && !app_id.is_empty() => error,
            opened => return opened,
        };
        let (user, id, model) = (own_or(caller, user_id).to_owned(), app_id.to_owned(), model_id.to_owned());
        let read = move |tx: &mut store::Tx<'_>| {
            let row = tx.app(&user, &id)?.filter(|row| row.deleted_at_us.is_none());
            let Some(row) = row else { return Ok(None) };
            let shown = crate::user_models::is_published(tx, &row.uid, &model)?;
            Ok::<_, Error>(shown.then_some(row))
        };
        let row = self.store().read(read).await?.ok_or(missing)?;
        let (uid, caller) = (row.uid.clone(), caller.clone());
        Ok(AppCtx { platform: self.clone(), caller, app: App::from(row), uid, public: false, guest: true })
    }

    /// The caller with what they may do on an app of somebody else, if they are a collaborator. Read anew at every call.
    async fn collaborator(&self, caller: &Caller, app_uid: &str, needs: &[Scope]) -> Result<Option<Caller>> {
        if caller.app_uid.is_some() {
            return Ok(None);
        }
        let (uid, account_id) = (app_uid.to_owned(), caller.account_id.clone());
        let row = self.store().read(move |tx| Ok::<_, Error>(tx.collaborator_of(&uid, &account_id)?)).await?;
        let Some(row) = row else { return Ok(None) };
        let theirs: ScopeSet = row.scopes.iter().map(|number| Scope(*number)).collect();
        let caller = Caller { scopes: caller.scopes.and(&theirs), ..caller.clone() };
        caller.check_scopes(needs)?;
        Ok(Some(caller))
    }

    /// Opens an account for a caller who holds the scopes: the caller's own ("me" or empty), or a public one to read.
    pub async fn account(&self, caller: &Caller, user_id: &str, needs: &[Scope]) -> Result<AccountCtx> {
        caller.check_scopes(needs)?;
        let wanted = own_or(caller, user_id).to_owned();
        let missing = Error::not_found(Resource::Account(wanted.clone()));
        let row = self.store().read(move |tx| Ok::<_, Error>(tx.account(&wanted)?)).await?;
        let row = row.filter(|row| row.id == caller.account_id || row.public).ok_or(missing)?;
        Ok(AccountCtx { platform: self.clone(), caller: caller.clone(), account: Account::from(row) })
    }
}

fn own_or<'a>(caller: &'a Caller, user_id: &'a str) -> &'a str {
    if user_id.is_empty() || user_id == "me" { &caller.account_id } else { user_id }
}

fn caller_of(key: &store::Key, now_us: i64) -> Result<Caller> {
    if key.revoked_at_us.is_some() {
        return Err(Error::unauthenticated("the key was revoked"));
    }
    if key.expires_at_us.is_some_and(|expiry| expiry <= now_us) {
        return Err(Error::unauthenticated("the key has expired"));
    }
    let kind = KeyKind::from_name(&key.kind)
        .filter(|kind| *kind != KeyKind::Client)
        .ok_or_else(|| Error::unauthenticated("a client secret is not a key; exchange it for a token"))?;
    Ok(Caller {
        account_id: key.account_id.clone(),
        key_id: key.id.clone(),
        kind,
        app_uid: key.app_uid.clone(),
        scopes: key.scopes.iter().map(|number| Scope(*number)).collect(),
    })
}
