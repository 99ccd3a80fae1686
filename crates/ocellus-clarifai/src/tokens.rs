//! `POST /v2/token`: a client id and secret, sent as HTTP Basic, become a token for an hour.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ocellus_core::{Error, Result};

use crate::pb::*;
use crate::rpc::Cx;
use crate::status;

pub async fn post_token(cx: Cx, _req: PostTokenRequest) -> Result<SingleTokenResponse> {
    let header = cx.headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let (id, secret) = basic(header)
        .ok_or_else(|| Error::unauthenticated("send the client id and secret as HTTP Basic authorization"))?;
    let token = cx.platform.token_for_client(&id, &secret).await?;
    cx.touched.user(&token.user_id);
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.name()).collect();
    Ok(SingleTokenResponse {
        status: status::success(),
        access_token: token.secret,
        expires_in: i32::try_from(token.expires_in_s).unwrap_or(i32::MAX),
        scope: scopes.join(" "),
    })
}

fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_read_and_nothing_else_is() {
        let pair = Some(("id".to_owned(), "se:cret".to_owned()));
        assert_eq!(basic("Basic aWQ6c2U6Y3JldA=="), pair);
        assert_eq!(basic("basic aWQ6c2U6Y3JldA=="), pair);
        assert_eq!(basic("Bearer aWQ6c2U6Y3JldA=="), None);
        assert_eq!(basic("Basic !"), None);
        assert_eq!(basic(""), None);
    }
}
