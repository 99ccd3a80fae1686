//! The file that a bundle is: a zip archive of `bundle.json`, its signature, and the files that it names.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use ring::signature::Ed25519KeyPair;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{About, AboutFile};
use crate::{Error, Result};

const ABOUT: &str = "bundle.json";
const SIGNATURE: &str = "bundle.sig";
/// What the version can do.
pub(super) const ARTEFACT: &str = "artefact";
/// What an embedder below it has learned.
pub(super) const PROJECTION: &str = "projection";
/// The weights of a network.
pub(super) const WEIGHTS: &str = "model.onnx";
/// Pictures with what the version says of them.
pub(super) const SAMPLES: &str = "samples.json";

/// The largest `bundle.json`, in bytes.
const MAX_ABOUT: u64 = 64 << 20;
const CHUNK: usize = 1 << 20;

/// Whether a file is a bundle. Blocks, shortly.
pub(crate) fn is_bundle(path: &Path) -> bool {
    let zip = File::open(path).ok().and_then(|file| ZipArchive::new(file).ok());
    zip.is_some_and(|zip| zip.index_for_name(ABOUT).is_some() && zip.index_for_name(SIGNATURE).is_some())
}

/// What a bundle is made of.
pub(super) enum Content {
    Bytes(Vec<u8>),
    File(std::path::PathBuf),
}

/// Writes a bundle; `about` gets its list of files here. Blocks.
pub(super) fn write(
    to: impl Write + Seek,
    about: &mut About,
    key: &Ed25519KeyPair,
    files: Vec<(&'static str, Content)>,
) -> Result<()> {
    let mut zip = ZipWriter::new(to);
    // No time and no compression of weights: the same version makes the same bytes.
    let plain = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    for (name, content) in files {
        zip.start_file(name, plain).map_err(Error::internal)?;
        let mut from: Box<dyn Read> = match content {
            Content::Bytes(bytes) => Box::new(std::io::Cursor::new(bytes)),
            Content::File(path) => Box::new(File::open(path).map_err(Error::internal)?),
        };
        let (sha256, size_bytes) = copy(&mut from, &mut zip, u64::MAX).map_err(Error::internal)?;
        about.files.push(AboutFile { name: name.to_owned(), sha256, size_bytes });
    }
    let text = serde_json::to_vec_pretty(about).map_err(Error::internal)?;
    let signature = hex::encode(key.sign(&text).as_ref());
    for (name, bytes) in [(ABOUT, text), (SIGNATURE, signature.into_bytes())] {
        zip.start_file(name, plain).map_err(Error::internal)?;
        zip.write_all(&bytes).map_err(Error::internal)?;
    }
    zip.finish().map_err(Error::internal)?;
    Ok(())
}

/// A bundle that is open for reading.
pub(super) struct Bundle {
    pub about: About,
    /// The bytes that are signed.
    pub signed: Vec<u8>,
    pub signature: String,
    zip: ZipArchive<File>,
}

/// Opens a bundle. Nothing of it is checked yet. Blocks.
pub(super) fn open(path: &Path) -> Result<Bundle> {
    let file = File::open(path).map_err(|error| damaged(&error))?;
    let mut zip = ZipArchive::new(file).map_err(|error| damaged(&error))?;
    let mut text = |name: &str| {
        let mut bytes = Vec::new();
        let entry = zip.by_name(name).map_err(|error| damaged(&error))?;
        entry.take(MAX_ABOUT).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        Ok::<_, Error>(bytes)
    };
    let (signed, signature) = (text(ABOUT)?, text(SIGNATURE)?);
    let about: About = serde_json::from_slice(&signed).map_err(|error| damaged(&error))?;
    if about.format != super::FORMAT || about.version != super::VERSION {
        let text = format!("is of version {} of the format, which this server does not know", about.version);
        return Err(Error::invalid("the bundle", text));
    }
    Ok(Bundle { about, signed, signature: String::from_utf8_lossy(&signature).trim().to_owned(), zip })
}

impl Bundle {
    /// Whether it names a file.
    pub fn has(&self, name: &str) -> bool {
        self.about.files.iter().any(|file| file.name == name)
    }

    /// The bytes of a file. `Invalid` if they are not those that were signed. Blocks.
    pub fn bytes(&mut self, name: &str, max: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.copy(name, &mut bytes, max)?;
        Ok(bytes)
    }

    /// Writes a file of it somewhere. `Invalid` if its bytes are not those that were signed. Blocks.
    pub fn copy(&mut self, name: &str, to: &mut impl Write, max: u64) -> Result<()> {
        let named = self.about.files.iter().find(|file| file.name == name).cloned();
        let named = named.ok_or_else(|| damaged(&format!("it names no file {name}")))?;
        if named.size_bytes > max {
            return Err(Error::too_large(format!("the file {name} of the bundle has more than {max} bytes")));
        }
        let mut entry = self.zip.by_name(name).map_err(|error| damaged(&error))?;
        let (sha256, _) = copy(&mut entry, to, named.size_bytes).map_err(|error| damaged(&error))?;
        if sha256 != named.sha256 {
            return Err(damaged(&format!("{name} is not what was signed")));
        }
        Ok(())
    }
}

/// Copies up to one byte more than `max`, which then shows in the hash.
fn copy(from: &mut impl Read, to: &mut impl Write, max: u64) -> std::io::Result<(String, u64)> {
    let mut from = from.take(max.saturating_add(1));
    let (mut hash, mut n, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK]);
    loop {
        match from.read(&mut chunk)? {
            0 => return Ok((hex::encode(hash.finalize()), n)),
            read => {
                hash.update(&chunk[..read]);
                to.write_all(&chunk[..read])?;
                n += read as u64;
            }
        }
    }
}

fn damaged(why: &dyn std::fmt::Display) -> Error {
    Error::invalid("the bundle", format!("is damaged: {why}"))
}
