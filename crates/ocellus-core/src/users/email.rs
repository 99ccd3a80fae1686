//! E-mail addresses, and the codes that show whose they are.

use ocellus_store as store;

use super::throttle::{self, Limit};
use crate::ids::hash_secret;
use crate::mail::Letter;
use crate::{Error, Platform, Result};

/// Codes tried by one network address.
const CODES: Limit = Limit { what: "code", n_tries: 50, window_s: 3600 };
/// How long a code can be used.
pub(super) const CODE_US: i64 = 48 * 3600 * 1_000_000;

/// One `@` with something around it and no blanks: whether letters arrive only a letter can tell.
pub(super) fn checked_email(field: &str, email: &str) -> Result<String> {
    let email = email.trim();
    let sound = email.split_once('@').is_some_and(|(local, host)| {
        !local.is_empty()
            && !host.is_empty()
            && !host.contains('@')
            && !host.starts_with('.')
            && !host.ends_with('.')
    });
    if !sound || email.len() > 254 || email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::invalid(field, "must be an e-mail address"));
    }
    Ok(email.to_owned())
}

/// A fresh code for a person's address: its row, and the letter that brings it.
pub(super) fn code_for(platform: &Platform, user: &store::User) -> (store::EmailCode, Letter) {
    let code = platform.ids().id();
    let row = store::EmailCode {
        hash: hash_secret(&code),
        account_id: user.account_id.clone(),
        email_key: user.email.to_lowercase(),
        expires_at_us: platform.clock().now_us() + CODE_US,
    };
    let letter =
        Letter { to: user.email.clone(), subject: "verify your e-mail address".to_owned(), text: code };
    (row, letter)
}

/// Shows with the code from a letter that an address is its owner's.
pub async fn verify_email(platform: &Platform, code: &str, address: &str) -> Result<String> {
    throttle::count(platform, vec![(CODES, address.to_owned())]).await?;
    let (hash, now_us) = (hash_secret(code), platform.clock().now_us());
    platform
        .store()
        .write(move |tx| {
            let unknown =
                || Error::invalid("key", "is not a code that was sent, or it was used or is too old");
            let code = tx.take_email_code(&hash)?.filter(|code| code.expires_at_us > now_us);
            let code = code.ok_or_else(unknown)?;
            let user = tx.user(&code.account_id)?.filter(|user| user.email.to_lowercase() == code.email_key);
            let mut user = user.ok_or_else(unknown)?;
            (user.verified_at_us, user.modified_at_us) = (Some(now_us), now_us);
            tx.update_user(&user)?;
            Ok::<_, Error>(user.account_id)
        })
        .await
}
