//! The copies of what inputs hold that this server holds: their addresses, and the route that serves them.
//!
//! An address carries a signature made with the app's internal id, which no client ever sees, over
//! the input and the hash of its bytes. The signature reads that one image and nothing else, and it
//! dies with the image, so that an `<img>` tag needs no key. A caller with a key needs no signature.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH,
};
use http::{HeaderMap, StatusCode as Http};
use ocellus_core::ids::hash_secret;
use ocellus_core::inputs::{self, Input, Rendition};
use ocellus_core::{AppCtx, Caller, Error, KeyKind, MediaKind, Resource, Result, Scope, ScopeSet};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::auth;
use crate::error::WireError;
use crate::pb::HostedUrl;
use crate::ranges::{self, Wanted};
use crate::rpc::Cx;
use crate::service::Api;

/// Everything but what RFC 3986 leaves unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ORIGINAL: &str = "orig";
const SMALL: &str = "small";
const TINY: &str = "tiny";
const LARGE: &str = "large";
/// A video in fragments, and the list of them that players read first.
const FRAGMENTS: &str = "fragments";
const MANIFEST: &str = "manifest";
/// Players tell what they get by the end of its address.
const ENDINGS: [&str; 2] = [".m3u8", ".mp4"];

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

/// Where players find the list of a video's fragments.
pub fn manifest_url(cx: &Cx, app: &AppCtx, input: &Input) -> Option<String> {
    let address = address(cx, app, input)?;
    Some(format!("{}/{MANIFEST}/{}.m3u8", address.prefix, address.suffix))
}

/// The address of a copy, given the uid, owner and id of the app, and the id of the input and the hash of its bytes.
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
    let address = Address { size, user_id, app_id, input_id, signature: given };
    match find(&api, &address, &headers).await {
        Ok(found) if headers.get(IF_NONE_MATCH) == Some(&found.etag) => {
            found.answer(Http::NOT_MODIFIED, Body::empty())
        }
        Ok(found) => found.answer_part(&headers),
        Err(error) => {
            error.log();
            let mut response = Response::new(Body::from(error.message.clone()));
            *response.status_mut() = WireError::from(error).http;
            response
        }
    }
}

struct Address {
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
    /// As much of the file as the request wants.
    fn answer_part(self, headers: &HeaderMap) -> Response {
        let n_bytes = self.bytes.len();
        let (status, range, bytes) = match ranges::wanted(headers, n_bytes, &self.etag) {
            Wanted::All => (Http::OK, None, self.bytes.clone()),
            Wanted::Part(first, last) => {
                let (range, part) = ranges::cut(&self.bytes, first, last);
                (Http::PARTIAL_CONTENT, Some(range), part)
            }
            Wanted::Nothing => {
                (Http::RANGE_NOT_SATISFIABLE, Some(format!("bytes */{n_bytes}")), bytes::Bytes::new())
            }
        };
        let mut response = self.answer(status, Body::from(bytes));
        response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let Some(range) = range.and_then(|range| HeaderValue::from_str(&range).ok()) {
            response.headers_mut().insert(CONTENT_RANGE, range);
        }
        response
    }

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

async fn find(api: &Api, wanted: &Address, headers: &HeaderMap) -> Result<Found> {
    let missing = || Error::not_found(Resource::Image(wanted.input_id.clone()));
    let rendition = match wanted.size.as_str() {
        ORIGINAL => Some(Rendition::Original),
        TINY => Some(Rendition::Tiny),
        SMALL => Some(Rendition::Thumbnail),
        LARGE => Some(Rendition::Large),
        FRAGMENTS | MANIFEST => None,
        _ => return Err(missing()),
    };
    let app = open(api, wanted, headers).await.map_err(|_| missing())?;
    let input = inputs::get(&app, &wanted.input_id).await.map_err(|_| missing())?;
    let hash = input.hosted.as_ref().ok_or_else(missing)?.hash.clone();
    let right = signature(app.uid(), &wanted.input_id, &hash);
    let given = ENDINGS.iter().find_map(|ending| wanted.signature.strip_suffix(ending));
    let signed = given.unwrap_or(&wanted.signature) == right;
    if !signed && auth::secret(headers).is_err() {
        return Err(missing());
    }
    let (bytes, mime) = match rendition {
        Some(rendition) => inputs::image(&app, &wanted.input_id, rendition).await?,
        None => of_video(&app, &input, wanted, &right).await?,
    };
    let etag = HeaderValue::from_str(&format!("\"{hash}-{}\"", wanted.size)).map_err(Error::internal)?;
    Ok(Found { bytes, mime, etag })
}

/// The fragments of a video, or their list.
async fn of_video(
    app: &AppCtx,
    input: &Input,
    wanted: &Address,
    signature: &str,
) -> Result<(bytes::Bytes, String)> {
    if wanted.size == FRAGMENTS {
        return Ok((inputs::video_fragments(app, input).await?, "video/mp4".to_owned()));
    }
    let ids = [&wanted.user_id, &wanted.app_id, &wanted.input_id].map(|id| segment(id)).join("/");
    // Relative to the list, which may be reached through a proxy under another address.
    let fragments = format!("../../../../{FRAGMENTS}/{ids}/{signature}.mp4");
    let list = inputs::video_manifest(app, input, &fragments).await?;
    Ok((list.into(), "application/vnd.apple.mpegurl".to_owned()))
}

/// Opens the app for the caller's key, or, without one, for looking at the signature only: nothing
/// is answered from it before the signature has been checked.
async fn open(api: &Api, wanted: &Address, headers: &HeaderMap) -> Result<AppCtx> {
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
