//! Who asks, and in which app: the key's own, or the one that a token of the account names in a header.

use http::HeaderMap;
use ocellus_core::{AppCtx, Error, Platform, Result, Scope};

/// What asking a model takes; the same as a prediction over any other API.
const NEEDS: [Scope; 4] = [Scope::APPS_GET, Scope::CONCEPTS_GET, Scope::MODELS_GET, Scope::PREDICT];

/// Opens the app. `Unauthenticated` without a valid key, `Invalid` if a token of the account names no app.
pub async fn app(platform: &Platform, headers: &HeaderMap) -> Result<AppCtx> {
    let text =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let (scheme, secret) = text("authorization").split_once(char::is_whitespace).unwrap_or_default();
    let is_known = ["key", "bearer"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    if !is_known || secret.trim().is_empty() {
        return Err(Error::unauthenticated("no key came with the request: Authorization: Key …"));
    }
    let caller = platform.authenticate(secret.trim()).await?;
    caller.check_scopes(&NEEDS)?;
    let (user_id, app_id) = (text("x-user-id"), text("x-app-id"));
    if caller.app_uid.is_none() && app_id.is_empty() {
        return Err(Error::invalid("x-app-id", "must name the app: this key is for all apps of its user"));
    }
    let user_id = if user_id.is_empty() && caller.app_uid.is_none() { &caller.account_id } else { user_id };
    platform.app(&caller, user_id, app_id, &NEEDS).await
}
