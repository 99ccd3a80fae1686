//! Finding the three files of a model that somebody brings along: in an archive, or beside each other.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tempfile::TempDir;

use super::manifest::{Manifest, ModelConcept, read_labels, wrong};
use crate::{Error, Result};

/// The names of a manifest in an archive, or beside a model.
const MANIFESTS: [&str; 2] = ["model.toml", "model.json"];
/// The largest manifest, in bytes.
const MAX_MANIFEST: u64 = 1 << 20;
/// The largest file of labels, in bytes.
const MAX_LABELS: u64 = 16 << 20;
/// The most entries of an archive.
const MAX_ENTRIES: usize = 10_000;

/// The parts of a model that somebody brings along.
#[derive(Debug)]
pub struct Package {
    /// What is said of it.
    pub manifest: Manifest,
    /// The concepts, in the order of the numbers.
    pub concepts: Vec<ModelConcept>,
    /// The ONNX file.
    pub onnx: PathBuf,
    /// Where it was unpacked, which goes away with this.
    _folder: Option<TempDir>,
}

/// Reads a zip or tar archive (also compressed by gzip), a manifest with the other files beside it, or an ONNX file with
/// its manifest beside it. `Invalid` if anything is missing, `TooLarge` beyond `max_bytes` for the ONNX file. Blocks.
pub fn open(path: &Path, max_bytes: u64) -> Result<Package> {
    match kind(path)? {
        Some(kind) => unpack(path, kind, max_bytes),
        None => beside(path, max_bytes),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Zip,
    Tar,
    TarGz,
}

fn kind(path: &Path) -> Result<Option<Kind>> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(512).read_to_end(&mut head))
        .map_err(|error| unreadable(path, error))?;
    Ok(match head.as_slice() {
        [b'P', b'K', 3, 4, ..] => Some(Kind::Zip),
        [0x1f, 0x8b, ..] => Some(Kind::TarGz),
        head if head.get(257..262) == Some(b"ustar") => Some(Kind::Tar),
        _ => None,
    })
}

fn unpack(path: &Path, kind: Kind, max_bytes: u64) -> Result<Package> {
    let mut folder_of = None;
    let mut text = Vec::new();
    // The manifest first: it says which other files there are.
    walk(path, kind, &mut |name, from| {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let depth = |folder: &str| folder.matches('/').count() + usize::from(!folder.is_empty());
        let is_upper = folder_of.as_ref().is_none_or(|known: &String| depth(folder) < depth(known));
        if MANIFESTS.contains(&file) && is_upper {
            text = all(from, MAX_MANIFEST, "the manifest")?;
            folder_of = Some(folder.to_owned());
        }
        Ok(())
    })?;
    let none = || wrong(&format!("is missing: the archive holds no {}", MANIFESTS.join(" or ")));
    let folder_of = folder_of.ok_or_else(none)?;
    let manifest = Manifest::read(&utf8(text)?)?;
    let inside =
        |file: &str| if folder_of.is_empty() { file.to_owned() } else { format!("{folder_of}/{file}") };
    let (model, labels) = (inside(&manifest.model), inside(&manifest.labels));
    let folder = TempDir::new().map_err(Error::internal)?;
    let onnx = folder.path().join("model.onnx");
    let (mut has_model, mut concepts) = (false, None);
    walk(path, kind, &mut |name, from| {
        if name == model {
            copy(from, &onnx, max_bytes)?;
            has_model = true;
        } else if name == labels && !manifest.labels.is_empty() {
            concepts = Some(read_labels(&utf8(all(from, MAX_LABELS, "the labels")?)?)?);
        }
        Ok(())
    })?;
    if !has_model {
        return Err(wrong(&format!("names '{}', which is not in the archive", manifest.model)));
    }
    let concepts = match (concepts, manifest.labels.is_empty()) {
        (Some(concepts), _) => concepts,
        (None, true) => Vec::new(),
        (None, false) => {
            return Err(wrong(&format!("names '{}', which is not in the archive", manifest.labels)));
        }
    };
    Ok(Package { manifest, concepts, onnx, _folder: Some(folder) })
}

fn beside(path: &Path, max_bytes: u64) -> Result<Package> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let is_onnx = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"));
    let at = if is_onnx { manifest_of(path, folder)? } else { path.to_owned() };
    let manifest = Manifest::read(&read(&at, MAX_MANIFEST, "the manifest")?)?;
    let onnx = if is_onnx { path.to_owned() } else { folder.join(&manifest.model) };
    let size = std::fs::metadata(&onnx).map_err(|error| unreadable(&onnx, error))?.len();
    check_size(size, max_bytes)?;
    let concepts = match manifest.labels.is_empty() {
        true => Vec::new(),
        false => read_labels(&read(&folder.join(&manifest.labels), MAX_LABELS, "the labels")?)?,
    };
    Ok(Package { manifest, concepts, onnx, _folder: None })
}

/// The manifest of an ONNX file: of the same name, or the usual one.
fn manifest_of(onnx: &Path, folder: &Path) -> Result<PathBuf> {
    let own = ["toml", "json"].map(|extension| onnx.with_extension(extension));
    let usual = MANIFESTS.map(|name| folder.join(name));
    let found = own.into_iter().chain(usual).find(|path| path.is_file());
    let none = || wrong(&format!("is missing: there is no {} beside the model", MANIFESTS.join(" or ")));
    found.ok_or_else(none)
}

/// Shows every file of an archive, by its path with plain parts; others are passed over.
fn walk(path: &Path, kind: Kind, visit: &mut dyn FnMut(&str, &mut dyn Read) -> Result<()>) -> Result<()> {
    let mut file = File::open(path).map_err(|error| unreadable(path, error))?;
    let damaged =
        |error: &dyn std::fmt::Display| Error::invalid("the archive", format!("cannot be read: {error}"));
    match kind {
        Kind::Zip => {
            let mut zip = zip::ZipArchive::new(file).map_err(|error| damaged(&error))?;
            check_entries(zip.len())?;
            for idx in 0..zip.len() {
                let mut entry = zip.by_index(idx).map_err(|error| damaged(&error))?;
                let name = entry.enclosed_name().and_then(|name| name.to_str().map(str::to_owned));
                if let Some(name) = name.filter(|_| entry.is_file()) {
                    visit(&name, &mut entry)?;
                }
            }
        }
        Kind::Tar | Kind::TarGz => {
            file.seek(SeekFrom::Start(0)).map_err(|error| unreadable(path, error))?;
            let from: Box<dyn Read> =
                if kind == Kind::TarGz { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
            let mut tar = tar::Archive::new(from);
            for (idx, entry) in tar.entries().map_err(|error| damaged(&error))?.enumerate() {
                check_entries(idx)?;
                let mut entry = entry.map_err(|error| damaged(&error))?;
                let name = entry.path().ok().and_then(|name| name.to_str().map(str::to_owned));
                let name = name.map(|name| name.trim_start_matches("./").to_owned());
                if let Some(name) = name.filter(|_| entry.header().entry_type().is_file()) {
                    visit(&name, &mut entry)?;
                }
            }
        }
    }
    Ok(())
}

fn check_entries(n: usize) -> Result<()> {
    if n > MAX_ENTRIES {
        return Err(Error::too_large(format!("the archive has more than {MAX_ENTRIES} entries")));
    }
    Ok(())
}

fn check_size(n: u64, max: u64) -> Result<()> {
    if n > max {
        return Err(Error::too_large(format!("the model has more than {max} bytes (own_models.max_bytes)")));
    }
    Ok(())
}

fn copy(from: &mut dyn Read, to: &Path, max: u64) -> Result<()> {
    let mut file = File::create(to).map_err(Error::internal)?;
    // One byte more than allowed tells; what an archive claims of its sizes is not believed.
    let n = std::io::copy(&mut from.take(max.saturating_add(1)), &mut file)
        .map_err(|error| Error::invalid("the archive", format!("cannot be read: {error}")))?;
    check_size(n, max)
}

fn all(from: &mut dyn Read, max: u64, what: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::invalid(what, format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > max {
        return Err(Error::too_large(format!("{what} has more than {max} bytes")));
    }
    Ok(bytes)
}

fn read(path: &Path, max: u64, what: &str) -> Result<String> {
    let mut file = File::open(path).map_err(|error| unreadable(path, error))?;
    utf8(all(&mut file, max, what)?)
}

fn utf8(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| wrong("and the labels must be text in UTF-8"))
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Error::invalid(format!("'{name}'"), format!("cannot be read: {error}"))
}
