//! Which files are pictures, and where the files that annotations name really are.

use std::collections::{HashMap, HashSet};

use crate::files::Files;
use crate::model::Content;

/// The extension in small letters, without the dot; empty if there is none.
pub(crate) fn extension(path: &str) -> String {
    let name = base_name(path);
    name.rsplit_once('.').map(|(_, ext)| ext.to_ascii_lowercase()).unwrap_or_default()
}

/// The part after the last `/`.
pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The path without its extension.
pub(crate) fn stem(path: &str) -> &str {
    let name_at = path.len() - base_name(path).len();
    match path[name_at..].rfind('.') {
        Some(dot) if dot > 0 => &path[..name_at + dot],
        _ => path,
    }
}

/// Whether a path names a picture or a video by its extension.
pub fn is_media(path: &str) -> bool {
    matches!(
        extension(path).as_str(),
        "jpg"
            | "jpeg"
            | "png"
            | "webp"
            | "gif"
            | "bmp"
            | "tif"
            | "tiff"
            | "mp4"
            | "mov"
            | "avi"
            | "mkv"
            | "webm"
    )
}

/// Whether deflating it again is a waste.
pub(crate) fn is_packed(path: &str) -> bool {
    is_media(path) && !matches!(extension(path).as_str(), "bmp" | "tif" | "tiff")
        || matches!(extension(path).as_str(), "zip" | "gz")
}

/// Whether it is an archive inside the collection; those are never opened.
pub(crate) fn is_archive(path: &str) -> bool {
    matches!(extension(path).as_str(), "zip" | "tar" | "gz" | "tgz" | "7z" | "rar" | "bz2" | "xz")
}

/// System files that ride along in archives and mean nothing.
pub fn is_noise(path: &str) -> bool {
    path.starts_with("__MACOSX/")
        || path.split('/').any(|part| part.starts_with('.') || part == "Thumbs.db" || part == "desktop.ini")
}

/// Whether a text is an address to fetch.
pub(crate) fn is_url(text: &str) -> bool {
    ["http://", "https://", "s3://", "gs://", "ftp://"].iter().any(|scheme| text.starts_with(scheme))
}

/// Finds the files that annotations name, whatever folder they were packed into.
pub(crate) struct Locator {
    by_name: HashMap<String, Vec<String>>,
}

impl Locator {
    pub(crate) fn new(files: &dyn Files) -> Locator {
        let mut by_name: HashMap<String, Vec<String>> = HashMap::new();
        for entry in files.entries().iter().filter(|entry| is_media(&entry.path) && !is_noise(&entry.path)) {
            by_name.entry(base_name(&entry.path).to_owned()).or_default().push(entry.path.clone());
        }
        Locator { by_name }
    }

    /// The file whose path is or ends in `named`; among several of the same name, the one in a folder of the
    /// hint (a split), else none rather than a wrong one.
    pub(crate) fn find(&self, named: &str, hint: Option<&str>) -> Option<&str> {
        let named = named.replace('\\', "/");
        let named = named.trim_start_matches("./");
        let candidates = self.by_name.get(base_name(named))?;
        let ends: Vec<&String> = candidates
            .iter()
            .filter(|path| path.as_str() == named || path.ends_with(&format!("/{named}")))
            .collect();
        let pool = if ends.is_empty() { candidates.iter().collect() } else { ends };
        if let Some(exact) = pool.iter().find(|path| path.as_str() == named) {
            return Some(exact);
        }
        if pool.len() == 1 {
            return Some(pool[0]);
        }
        let hint = hint?;
        let hinted: Vec<_> =
            pool.iter().filter(|path| path.split('/').any(|part| part.contains(hint))).collect();
        if hinted.len() == 1 { Some(hinted[0]) } else { None }
    }

    /// The content of an item that a format names by path or address.
    pub(crate) fn content(&self, named: &str, hint: Option<&str>) -> Content {
        if is_url(named) {
            return Content::Url(named.to_owned());
        }
        self.find(named, hint).map_or(Content::Absent, |path| Content::File(path.to_owned()))
    }
}

/// Makes ids out of paths, each only once.
#[derive(Default)]
pub(crate) struct UniqueNames {
    used: HashSet<String>,
}

impl UniqueNames {
    /// The path without extension, `/` as `-`.
    pub(crate) fn id_of(&mut self, path: &str) -> String {
        self.unique(&stem(path).replace('/', "-"), "")
    }

    /// A file name for an export: a safe base name with its extension, not used before. `taken_by_stem` keeps
    /// the stems apart too, for formats that name the annotations after the picture.
    pub(crate) fn file_name(&mut self, wanted: &str) -> String {
        let name: String = base_name(wanted)
            .chars()
            .map(|c| if c.is_control() || r#"<>:"\|?*"#.contains(c) { '_' } else { c })
            .collect();
        // A leading dot would hide the file from every reader, ours too.
        let name = if name.is_empty() || name.starts_with('.') { format!("item{name}") } else { name };
        let extension = &name[stem(&name).len()..];
        let unique_stem = self.unique(stem(&name), "");
        format!("{unique_stem}{extension}")
    }

    fn unique(&mut self, wanted: &str, suffix: &str) -> String {
        let mut name = format!("{wanted}{suffix}");
        let mut n = 2;
        while !self.used.insert(name.clone()) {
            name = format!("{wanted}{suffix}-{n}");
            n += 1;
        }
        name
    }
}

/// The file name under which an item is exported.
pub(crate) fn export_name(item: &crate::model::Item) -> &str {
    match &item.content {
        _ if !item.file_name.is_empty() => &item.file_name,
        Content::File(path) | Content::Url(path) if !base_name(path).is_empty() => base_name(path),
        Content::File(_) | Content::Url(_) | Content::Absent | Content::Text(_) => &item.id,
    }
}

/// How annotations refer to an item's bytes: the path they were written to, else the item's address, else `path`.
pub(crate) fn reference(item: &crate::model::Item, has_bytes: bool, path: &str) -> String {
    match &item.content {
        Content::Url(url) if !has_bytes => url.clone(),
        Content::Url(_) | Content::File(_) | Content::Absent | Content::Text(_) => path.to_owned(),
    }
}
