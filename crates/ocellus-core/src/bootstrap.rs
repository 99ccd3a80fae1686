//! The first start: an account with an app and keys, and the public account, in one transaction.

use ocellus_store as store;

use crate::keys::{NewKey, mint};
use crate::{Error, JsonMap, KeyKind, Platform, Result, ScopeSet};

/// The user id under which the public models live.
pub const PUBLIC_USER: &str = "clarifai";
/// The app of the public models.
pub const PUBLIC_APP: &str = "main";
/// The user id of the account made at the first start.
pub const FIRST_USER: &str = "owner";
/// The app made at the first start.
pub const FIRST_APP: &str = "main-app";

/// What the first start made; the secrets are shown this once.
#[derive(Clone, Debug)]
pub struct FirstKey {
    /// The user id.
    pub user_id: String,
    /// The account's UUID.
    pub account_id: String,
    /// The app.
    pub app_id: String,
    /// A key of the app with every scope.
    pub api_key: String,
    /// A personal access token with every scope.
    pub pat: String,
    /// The client id to exchange for a token.
    pub client_id: String,
    /// The client secret to exchange for a token.
    pub client_secret: String,
}

impl Platform {
    /// Makes the first account, app and keys, and the public account, if there is no account yet. Of two processes that
    /// start at once, one gets the keys and the other `None`.
    pub async fn first_start(&self) -> Result<Option<FirstKey>> {
        let owner = self.account_row(FIRST_USER, "Owner", false);
        let public = self.account_row(PUBLIC_USER, "Clarifai", true);
        let app = self.app_row(FIRST_USER, FIRST_APP);
        let public_app = self.app_row(PUBLIC_USER, PUBLIC_APP);
        let (api_key, api_secret) =
            mint(self, FIRST_USER, Some(app.uid.clone()), &first_key(KeyKind::ApiKey));
        let (pat, pat_secret) = mint(self, FIRST_USER, None, &first_key(KeyKind::Pat));
        let (client, client_secret) =
            mint(self, FIRST_USER, Some(app.uid.clone()), &first_key(KeyKind::Client));
        let first = FirstKey {
            user_id: owner.id.clone(),
            account_id: owner.uuid.clone(),
            app_id: app.id.clone(),
            api_key: api_secret,
            pat: pat_secret,
            client_id: client.id.clone(),
            client_secret,
        };
        let made = self
            .store()
            .write(move |tx| {
                if tx.has_accounts()? {
                    return Ok::<_, Error>(false);
                }
                for account in [&owner, &public] {
                    tx.insert_account(account)?;
                }
                for app in [&app, &public_app] {
                    tx.insert_app(app)?;
                }
                for key in [&api_key, &pat, &client] {
                    tx.insert_key(key)?;
                }
                Ok(true)
            })
            .await?;
        Ok(made.then_some(first))
    }

    fn account_row(&self, id: &str, name: &str, public: bool) -> store::Account {
        store::Account {
            id: id.to_owned(),
            uuid: self.ids().uuid(),
            name: name.to_owned(),
            email: None,
            created_at_us: self.clock().now_us(),
            public,
        }
    }

    fn app_row(&self, user_id: &str, id: &str) -> store::App {
        store::App {
            uid: self.ids().id(),
            account_id: user_id.to_owned(),
            id: id.to_owned(),
            name: id.to_owned(),
            description: String::new(),
            default_language: "en".to_owned(),
            metadata: JsonMap::new(),
            doc: JsonMap::new(),
            created_at_us: self.clock().now_us(),
            modified_at_us: self.clock().now_us(),
            version: 0,
            deleted_at_us: None,
        }
    }
}

fn first_key(kind: KeyKind) -> NewKey {
    NewKey {
        kind,
        description: "made at the first start".to_owned(),
        app_id: None,
        scopes: ScopeSet::everything(),
        expires_at_us: None,
    }
}
