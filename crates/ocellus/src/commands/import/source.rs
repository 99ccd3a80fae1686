//! Reading the collection on a thread of its own: every record with its bytes, one after the other.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use ocellus_interchange::{
    Content, Error, Files, Folder, Format, Item, Limits, ReadOptions, Scratch, Summary, archive_kind, detect,
    is_media, open_archive, read as read_collection,
};
use tokio::sync::mpsc::Sender;

use super::record::{Body, Record};

/// Reads a folder, an archive, or the folder of one annotation file.
pub fn read(
    path: &Path,
    format: Option<Format>,
    to: &Sender<Record>,
    bar: &ProgressBar,
) -> anyhow::Result<Summary> {
    let about = || format!("{} cannot be read", path.display());
    let scratch = Scratch::Folder(std::env::temp_dir());
    let mut options = ReadOptions { scratch: scratch.clone(), ..ReadOptions::default() };
    let files: Box<dyn Files> = if path.is_dir() {
        Box::new(Folder::open(path, Limits::default()).with_context(about)?)
    } else {
        let file = Arc::new(File::open(path).with_context(about)?);
        if archive_kind(file.as_ref()).with_context(about)?.is_some() {
            open_archive(file, Limits::default(), &scratch).with_context(about)?
        } else {
            let name = path.file_name().and_then(|name| name.to_str()).with_context(about)?;
            options.annotation_files = vec![name.to_owned()];
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            Box::new(Folder::open(folder.unwrap_or(Path::new(".")), Limits::default()).with_context(about)?)
        }
    };
    let format = match format {
        Some(format) => format,
        None => match guess(files.as_ref(), &options)? {
            Some(format) => format,
            None => bail!("{} holds nothing known; --format NAME says what it is", path.display()),
        },
    };
    let n_media = files.entries().iter().filter(|entry| is_media(&entry.path)).count();
    bar.set_length(n_media.max(1) as u64);
    let mut each = |item: Item| {
        let body = body(files.as_ref(), &item);
        bar.inc(1);
        to.blocking_send(Record { item, body }).map_err(|_| Error::Stopped("the import ended".to_owned()))
    };
    Ok(read_collection(format, files.as_ref(), &options, &mut each)?)
}

/// The format of a collection, or of the one file that was named.
fn guess(files: &dyn Files, options: &ReadOptions) -> anyhow::Result<Option<Format>> {
    let Some(name) = options.annotation_files.first() else { return Ok(detect(files)?) };
    let mut alone = ocellus_interchange::MemoryFiles::default();
    let mut head = Vec::new();
    files.open(name)?.take(1 << 16).read_to_end(&mut head)?;
    alone.insert(name, head);
    Ok(detect(&alone)?)
}

fn body(files: &dyn Files, item: &Item) -> Body {
    match &item.content {
        Content::File(path) => {
            let mut bytes = Vec::new();
            match files.open(path).and_then(|mut file| {
                file.read_to_end(&mut bytes).map_err(|source| Error::Io { about: path.clone(), source })
            }) {
                Ok(_) => Body::Bytes(bytes.into()),
                // One file that cannot be read is no reason to leave the others.
                Err(error) => Body::Unreadable(error.to_string()),
            }
        }
        Content::Url(url) => Body::Url(url.clone()),
        Content::Text(text) => Body::Text(text.clone()),
        Content::Absent => Body::Absent,
    }
}
