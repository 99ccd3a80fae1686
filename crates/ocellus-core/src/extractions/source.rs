//! Bringing the bytes of an extraction's source into a temporary file.

use std::fs::File;

use ocellus_store as store;
use tokio::io::AsyncWriteExt;
use url::Url;

use super::contents::{Contents, LIMITS, MAX_ARCHIVE_BYTES};
use super::{Extraction, Source};
use crate::jobs::JobCtx;
use crate::{Error, Result, uploads};

/// Opens what an extraction reads.
pub(crate) async fn open(cx: &JobCtx, app_uid: &str, extraction: &Extraction) -> Result<Contents> {
    let (file, name) = match &extraction.source {
        Source::Upload(id) => of_upload(cx, app_uid, id).await?,
        Source::Url(url) => {
            let file = cx.platform.fetcher().save(url, MAX_ARCHIVE_BYTES, || cx.checkpoint()).await?;
            (file, name_of(url))
        }
    };
    let max_file_bytes = cx.platform.decode_limits().max_bytes;
    let open = move || Contents::open(file, &name, LIMITS, max_file_bytes);
    tokio::task::spawn_blocking(open).await.map_err(Error::internal)?
}

/// What a file behind an address is called.
fn name_of(url: &str) -> String {
    let last = Url::parse(url).ok().and_then(|url| url.path_segments()?.next_back().map(str::to_owned));
    last.filter(|name| !name.is_empty()).unwrap_or_else(|| url.to_owned())
}

/// The pieces of an upload, joined.
async fn of_upload(cx: &JobCtx, app_uid: &str, id: &str) -> Result<(File, String)> {
    let (uid, upload_id) = (app_uid.to_owned(), id.to_owned());
    let read = move |tx: &mut store::Tx<'_>| {
        let progress = uploads::progress_of(tx, &uid, std::slice::from_ref(&upload_id))?;
        Ok::<_, Error>((progress.into_iter().next(), tx.upload_parts(&uid, &upload_id)?))
    };
    let (progress, parts) = cx.platform.store().read(read).await?;
    let gone = || Error::invalid("upload", format!("'{id}' was deleted before its inputs were made"));
    let progress = progress.filter(uploads::Progress::is_whole).ok_or_else(gone)?;
    let upload = progress.upload.doc;
    if upload.content_length > MAX_ARCHIVE_BYTES {
        let message =
            format!("the upload has {} bytes, more than {MAX_ARCHIVE_BYTES}", upload.content_length);
        return Err(Error::too_large(message));
    }
    let mut file = tokio::fs::File::from_std(tempfile::tempfile().map_err(Error::internal)?);
    for part in parts {
        cx.checkpoint()?;
        let bytes = cx.platform.store().blobs().get(&part.blob).await?.ok_or_else(gone)?;
        file.write_all(&bytes).await.map_err(Error::internal)?;
    }
    file.flush().await.map_err(Error::internal)?;
    let name = if upload.content_name.is_empty() { id.to_owned() } else { upload.content_name };
    Ok((file.into_std().await, name))
}
