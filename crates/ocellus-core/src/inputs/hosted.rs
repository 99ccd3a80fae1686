//! The bytes of an input that this server holds: as they came, or as pictures made from them on demand and then kept.

use bytes::Bytes;
use ocellus_algo::image;
use ocellus_store as store;

use super::list::get;
use super::{Hosted, Input, Rendition};
use crate::{AppCtx, Error, MediaKind, Resource, Result};

/// JPEG quality of pictures made on demand, 1 to 100.
const QUALITY: u8 = 82;

impl Rendition {
    /// Every rendition.
    pub const ALL: [Self; 4] = [Self::Original, Self::Tiny, Self::Thumbnail, Self::Large];

    /// The longer side of a picture made on demand, in pixels.
    fn side(self) -> Option<(&'static str, u32)> {
        match self {
            Self::Tiny => Some(("tiny", 96)),
            Self::Large => Some(("large", 1024)),
            Self::Original | Self::Thumbnail => None,
        }
    }
}

/// The bytes of an input and their media type. `NotFound` if there are none (yet), or none of this size.
pub async fn image(app: &AppCtx, id: &str, rendition: Rendition) -> Result<(Bytes, String)> {
    let input = get(app, id).await?;
    let missing = || Error::not_found(Resource::Image(id.to_owned()));
    let hosted = input.hosted.as_ref().ok_or_else(missing)?;
    if let (Some(text), Rendition::Original) = (&input.text, rendition) {
        return Ok((Bytes::from(text.clone()), hosted.mime.clone().unwrap_or_else(|| TEXT.to_owned())));
    }
    let jpeg = || "image/jpeg".to_owned();
    match (rendition, rendition.side()) {
        (Rendition::Original, _) => {
            let mime = hosted.mime.clone().unwrap_or_else(|| "application/octet-stream".to_owned());
            Ok((blob(app, &hosted.hash).await?.ok_or_else(missing)?, mime))
        }
        (_, None) => {
            let hash = hosted.thumb.as_ref().ok_or_else(missing)?;
            Ok((blob(app, hash).await?.ok_or_else(missing)?, jpeg()))
        }
        (_, Some(size)) => Ok((made(app, &input, hosted, size).await?, jpeg())),
    }
}

/// The media type of words.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

pub(super) async fn blob(app: &AppCtx, hash: &str) -> Result<Option<Bytes>> {
    Ok(app.platform().store().blobs().get(hash).await?)
}

/// The picture of this size, made now if nobody asked for it before.
async fn made(app: &AppCtx, input: &Input, hosted: &Hosted, size: (&'static str, u32)) -> Result<Bytes> {
    let missing = || Error::not_found(Resource::Image(input.id.clone()));
    // Nothing is made from bytes that have not been looked at yet, nor from a video but of its first frame.
    let thumb = hosted.thumb.clone().ok_or_else(missing)?;
    let source = if input.kind == MediaKind::Video { thumb } else { hosted.hash.clone() };
    if let Some(bytes) = kept(app, input, (size.0, &source)).await? {
        return Ok(bytes);
    }
    let bytes = blob(app, &source).await?.ok_or_else(missing)?;
    let limits = *app.platform().decode_limits();
    let make = move || {
        let decoded = image::decode(&bytes, &limits)?;
        image::encode_jpeg(&image::thumbnail(&decoded.image, size.1), QUALITY)
    };
    let bytes = Bytes::from(app.platform().engine().cpu(make).await??);
    keep(app, input, (size.0, source), bytes.clone()).await?;
    Ok(bytes)
}

/// What was made of these bytes before and kept under this name.
pub(super) async fn kept(
    app: &AppCtx,
    input: &Input,
    (size, source): (&'static str, &str),
) -> Result<Option<Bytes>> {
    let (uid, id, from) = (app.uid().to_owned(), input.id.clone(), source.to_owned());
    let find = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.rendition_blob(&uid, &id, size, &from)?);
    match app.platform().store().read(find).await? {
        Some(hash) => blob(app, &hash).await,
        None => Ok(None),
    }
}

/// Keeps what was made, unless the input has gone or changed meanwhile.
pub(super) async fn keep(
    app: &AppCtx,
    input: &Input,
    (size, source): (&str, String),
    bytes: Bytes,
) -> Result<()> {
    let platform = app.platform();
    // Held until the row that refers to the new blob is written.
    let held = platform.blob_gate().read().await;
    let made = store::Rendition {
        app_uid: app.uid().to_owned(),
        input_id: input.id.clone(),
        size: size.to_owned(),
        source,
        blob: platform.store().blobs().put(bytes).await?,
        created_at_us: platform.clock().now_us(),
    };
    platform
        .store()
        .write(move |tx| {
            let row = tx.input(&made.app_uid, &made.input_id)?;
            let same = |row: &store::Input| [&row.blob, &row.thumb].contains(&&Some(made.source.clone()));
            if row.as_ref().is_some_and(same) {
                tx.put_rendition(&made)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    drop(held);
    Ok(())
}
