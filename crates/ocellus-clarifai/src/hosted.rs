//! The copies of what inputs hold that this server holds: their addresses, and the route that serves them.
//!
//! An address carries a signature made with the app's internal id, which no client ever sees, over
//! the input and the hash of its bytes. The signature reads that one image and nothing else, and it
//! dies with the image, so that an `<img>` tag needs no key. A caller with a key needs no signature.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode as Http};
use ocellus_core::ids::hash_secret;
use ocellus_core::inputs::{self, Input, Rendition};
use ocellus_core::{AppCtx, Caller, Error, KeyKind, MediaKind, Resource, Result, Scope, ScopeSet};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::auth;
use crate::error::WireError;
use crate::pb::HostedUrl;
use crate::rpc::Cx;
use crate::service::Api;

/// Everything but what RFC 3986 leaves unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ORIGINAL: &str = "orig";
const SMALL: &str = "small";
const TINY: &str = "tiny";
const LARGE: &str = "large";

/// Where the copy of an input is served: `{prefix}/{size}/{suffix}`.
pub fn address(cx: &Cx, app: &AppCtx, input: &Input) -> Option<HostedUrl> {
    let hosted = input.hosted.as_ref()?;
    let of_app = (app.uid(), app.app().user_id.as_str(), app.app().id.as_str());
    let pictures = hosted.thumb.is_some() && input.kind == MediaKind::Image;
    Some(address_of(&cx.base_url, of_app, (&input.id, &hosted.hash), pictures))
}

/// Where small pictures of a video are served.
pub fn thumbnail(cx: &Cx, app: &AppCtx, input: &Input) -> Option<HostedUrl> {
    input.hosted.as_ref()?.thumb.as_ref()?;
    let sizes = vec![TINY.to_owned(), SMALL.to_owned()];
    Some(HostedUrl { sizes, ..address(cx, app, input)? })
}

/// The same, given the uid, owner and id of the app, and the id of the input and the hash of its bytes.
pub fn address_of(
    base_url: &str,
    (app_uid, user_id, app_id): (&str, &str, &str),
    (input_id, hash): (&str, &str),
    has_thumb: bool,
) -> HostedUrl {
    let mut sizes = vec![ORIGINAL.to_owned()];
    if has_thumb {
        sizes.extend([TINY, SMALL, LARGE].map(str::to_owned));
    }
    let ids = [user_id, app_id, input_id].map(segment).join("/");
    HostedUrl {
        prefix: format!("{base_url}/hosted"),
        suffix: format!("{ids}/{}", signature(app_uid, input_id, hash)),
        sizes,
        crossorigin: String::new(),
    }
}

/// An id as a segment of a path.
pub fn segment(id: &str) -> String {
    utf8_percent_encode(id, SEGMENT).to_string()
}

fn signature(app_uid: &str, input_id: &str, hash: &str) -> String {
    let mut signature = hash_secret(&format!("hosted image\n{app_uid}\n{hash}\n{input_id}"));
    signature.truncate(32);
    signature
}

/// Answers `GET /hosted/{size}/{user_id}/{app_id}/{input_id}/{signature}`.
pub async fn image(
    State(api): State<Arc<Api>>,
    Path([size, user_id, app_id, input_id, given]): Path<[String; 5]>,
    headers: HeaderMap,
) -> Response {
    let wanted = Wanted { size, user_id, app_id, input_id, signature: given };
    match find(&api, &wanted, &headers).await {
        Ok(found) if headers.get(IF_NONE_MATCH) == Some(&found.etag) => {
            found.answer(Http::NOT_MODIFIED, Body::empty())
        }
        Ok(mut found) => {
            let body = Body::from(std::mem::take(&mut found.bytes));
            found.answer(Http::OK, body)
        }
        Err(error) => {
            error.log();
            let mut response = Response::new(Body::from(error.message.clone()));
            *response.status_mut() = WireError::from(error).http;
            response
        }
    }
}

struct Wanted {
    size: String,
    user_id: String,
    app_id: String,
    input_id: String,
    signature: String,
}

struct Found {
    bytes: bytes::Bytes,
    mime: String,
    etag: HeaderValue,
}

impl Found {
    fn answer(self, status: Http, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let mime = HeaderValue::from_str(&self.mime);
        headers.insert(CONTENT_TYPE, mime.unwrap_or(HeaderValue::from_static("application/octet-stream")));
        headers.insert(ETAG, self.etag);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
        // What is served was uploaded by somebody: a browser must not guess that it is a page.
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        response
    }
}

async fn find(api: &Api, wanted: &Wanted, headers: &HeaderMap) -> Result<Found> {
    let missing = || Error::not_found(Resource::Image(wanted.input_id.clone()));
    let rendition = match wanted.size.as_str() {
        ORIGINAL => Rendition::Original,
        TINY => Rendition::Tiny,
        SMALL => Rendition::Thumbnail,
        LARGE => Rendition::Large,
        _ => return Err(missing()),
    };
    let app = open(api, wanted, headers).await.map_err(|_| missing())?;
    let input = inputs::get(&app, &wanted.input_id).await.map_err(|_| missing())?;
    let hash = input.hosted.ok_or_else(missing)?.hash;
    let signed = wanted.signature == signature(app.uid(), &wanted.input_id, &hash);
    if !signed && auth::secret(headers).is_err() {
        return Err(missing());
    }
    let (bytes, mime) = inputs::image(&app, &wanted.input_id, rendition).await?;
    let etag = HeaderValue::from_str(&format!("\"{hash}-{}\"", wanted.size)).map_err(Error::internal)?;
    Ok(Found { bytes, mime, etag })
}

/// Opens the app for the caller's key, or, without one, for looking at the signature only: nothing
/// is answered from it before the signature has been checked.
async fn open(api: &Api, wanted: &Wanted, headers: &HeaderMap) -> Result<AppCtx> {
    let caller = match auth::secret(headers) {
        Ok(secret) => api.platform.authenticate(&secret).await?,
        Err(_) => Caller {
            account_id: wanted.user_id.clone(),
            key_id: "signed address".to_owned(),
            kind: KeyKind::Pat,
            app_uid: None,
            scopes: [Scope::INPUTS_GET].into_iter().collect::<ScopeSet>(),
        },
    };
    api.platform.app(&caller, &wanted.user_id, &wanted.app_id, &[Scope::INPUTS_GET]).await
}
