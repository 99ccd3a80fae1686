//! Signing in: an address and a password become a token that ends by itself.

use ocellus_store as store;

use super::throttle::{self, Limit};
use super::{User, from_rows, password};
use crate::keys::{NewKey, mint};
use crate::{Error, KeyKind, Platform, Resource, Result, ScopeSet};

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// The secret to send; shown once.
    pub secret: String,
    /// The public id of the token, safe to log.
    pub key_id: String,
    /// When it stops working, microseconds since the epoch.
    pub expires_at_us: i64,
}

/// Tries at one account from one network address. The count over all addresses is much larger, or a stranger could
/// lock the owner out.
const PAIR: Limit = Limit { what: "login-pair", n_tries: 10, window_s: 900 };
/// Tries from one network address.
const ADDRESS: Limit = Limit { what: "login-address", n_tries: 50, window_s: 900 };
/// Tries at one account.
const ACCOUNT: Limit = Limit { what: "login-account", n_tries: 200, window_s: 900 };

/// Signs somebody in. An unknown address and a wrong password cannot be told apart, by the answer or by its time.
pub async fn login(
    platform: &Platform,
    email: &str,
    password: &str,
    long_lived: bool,
    address: &str,
) -> Result<(User, Session)> {
    let email = email.trim().to_owned();
    let tries =
        vec![(PAIR, format!("{email} {address}")), (ADDRESS, address.to_owned()), (ACCOUNT, email.clone())];
    throttle::count(platform, tries.clone()).await?;
    let read = move |tx: &mut store::Tx<'_>| {
        let Some(user) = tx.user_by_email(&email)? else { return Ok::<_, Error>(None) };
        Ok(tx.account(&user.account_id)?.map(|account| (account, user)))
    };
    let found = platform.store().read(read).await?;
    let current = found.as_ref().and_then(|(_, user)| user.passwords.first().cloned());
    let right = password::matches(platform, password.to_owned(), current.into_iter().collect()).await?;
    let Some((account, user)) = found.filter(|_| right) else {
        let about = Resource::Account(String::new());
        return Err(Error::unauthenticated("the e-mail address or the password is wrong").about(about));
    };
    throttle::forgive(platform, tries).await?;
    let session = open(platform, &account.id, long_lived).await?;
    Ok((from_rows(account, Some(user))?, session))
}

/// A session of an account whose owner is known.
pub(super) async fn open(platform: &Platform, user_id: &str, long_lived: bool) -> Result<Session> {
    let config = platform.accounts_config();
    let seconds = if long_lived { config.long_session_s } else { config.session_s };
    let now_us = platform.clock().now_us();
    let expires_at_us = now_us + i64::from(seconds) * 1_000_000;
    let new = NewKey {
        kind: KeyKind::Token,
        description: "session".to_owned(),
        app_id: None,
        scopes: ScopeSet::everything(),
        expires_at_us: Some(expires_at_us),
    };
    let (row, secret) = mint(platform, user_id, None, &new);
    let key_id = row.id.clone();
    platform
        .store()
        .write(move |tx| {
            tx.purge_expired_tokens(now_us)?;
            Ok::<_, Error>(tx.insert_key(&row)?)
        })
        .await?;
    Ok(Session { secret, key_id, expires_at_us })
}
