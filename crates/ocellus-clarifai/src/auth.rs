//! Finding the caller's secret in headers or gRPC metadata, and what kind of key an RPC asks for.

use http::HeaderMap;
use http::StatusCode as Http;
use ocellus_core::{Caller, Error, KeyKind, Platform, Resource};

use crate::error::WireError;
use crate::pb::status::StatusCode as Code;
use crate::rpc::Era;

/// What the proto's `cl_auth_type` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    /// Open to everybody.
    None,
    /// Any key.
    Key,
    /// A key of the account: a personal access token or a session token.
    Account,
}

/// Who calls. Every failure is an error the vendor has a code for.
pub async fn caller(
    platform: &Platform,
    headers: &HeaderMap,
    auth: AuthType,
    era: Era,
) -> Result<Caller, WireError> {
    let secret = secret(headers)?;
    let caller = platform.authenticate(&secret).await.map_err(|e| {
        e.log();
        WireError::of(&e, era)
    })?;
    let bound = match caller.kind {
        KeyKind::ApiKey => true,
        KeyKind::Pat | KeyKind::Client => false,
        KeyKind::Token => caller.app_uid.is_some(),
    };
    if auth == AuthType::Account && bound {
        let message = "this call needs a personal access token, not the key of an app";
        return Err(Error::forbidden(Resource::Key(caller.key_id), message).into());
    }
    Ok(caller)
}

/// The secret of `Authorization: Key …` or `Bearer …`, or of a session token header.
pub fn secret(headers: &HeaderMap) -> Result<String, WireError> {
    let text =
        |name| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim).filter(|v| !v.is_empty());
    if let Some(authorization) = text("authorization") {
        let (scheme, secret) = authorization.split_once(char::is_whitespace).unwrap_or((authorization, ""));
        let known = scheme.eq_ignore_ascii_case("key") || scheme.eq_ignore_ascii_case("bearer");
        return match secret.trim() {
            secret if known && !secret.is_empty() => Ok(secret.to_owned()),
            _ if known => Err(WireError::no_key()),
            _ => Err(WireError::new(Code::ConnKeyInvalid, Http::UNAUTHORIZED, "Invalid format of key.")),
        };
    }
    let session = text("x-clarifai-session-token").or_else(|| text("x-clarifai-api-key"));
    session.map(str::to_owned).or_else(|| cookie(headers)).ok_or_else(WireError::no_key)
}

/// Browsers that show hosted images send the key as a cookie.
fn cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all("cookie").iter().filter_map(|v| v.to_str().ok());
    cookies.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        let name = name.replace('_', "-");
        (name == "x-clarifai-api-key" || name == "x-clarifai-session-token").then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn check(headers: &[(&'static str, &'static str)], expected: Result<&str, i32>) {
        let map: HeaderMap =
            headers.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect();
        let found = secret(&map).map_err(|e| e.code as i32);
        assert_eq!(found.as_deref(), expected.as_ref().map(|s| *s), "{headers:?}");
    }

    #[test]
    fn a_key_is_found_wherever_an_official_client_puts_it() {
        check(&[("authorization", "Key abc")], Ok("abc"));
        check(&[("authorization", "key  abc ")], Ok("abc"));
        check(&[("authorization", "Bearer abc")], Ok("abc"));
        check(&[("x-clarifai-session-token", "abc")], Ok("abc"));
        check(&[("cookie", "a=b; x-clarifai-api-key=abc")], Ok("abc"));
        check(&[("cookie", "x_clarifai_session_token=abc")], Ok("abc"));
        check(&[], Err(11102));
        check(&[("authorization", "")], Err(11102));
        check(&[("authorization", "Key ")], Err(11102));
        check(&[("authorization", "abc")], Err(11008));
        check(&[("authorization", "Basic abc")], Err(11008));
    }
}
