//! What an entry of an archive is, by its bytes and name, and the id that its input gets.

use bytes::Bytes;
use ocellus_algo::image;
use ocellus_interchange::archive_kind;
use url::Url;

use crate::ids::hash_secret;
use crate::media_type::media_type;
use crate::{MediaKind, Source};

/// Ids have at most so many characters; longer paths are cut and told apart by their hash.
const MAX_ID_CHARS: usize = 128;

/// The ending of a name in small letters.
fn extension(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default()
}

/// Whether a name looks like an archive's.
pub(super) fn is_archive_name(name: &str) -> bool {
    let path = Url::parse(name).map_or_else(|_| name.to_owned(), |url| url.path().to_owned());
    matches!(extension(&path).as_str(), "zip" | "tar" | "tgz" | "gz")
}

/// What a name says of its content.
fn kind_of_name(name: &str) -> Option<MediaKind> {
    match extension(name).as_str() {
        "jpg" | "jpeg" | "png" | "webp" | "gif" | "bmp" | "tif" | "tiff" => Some(MediaKind::Image),
        "mp4" | "m4v" | "mov" | "avi" | "mkv" | "webm" | "mpg" | "mpeg" | "ts" | "flv" | "3gp" | "wmv"
        | "asf" | "ogv" => Some(MediaKind::Video),
        "wav" | "mp3" | "aac" | "ogg" | "oga" | "flac" | "m4a" | "aif" | "aiff" | "amr" => {
            Some(MediaKind::Audio)
        }
        "txt" | "md" => Some(MediaKind::Text),
        _ => None,
    }
}

/// The content of an entry, or why it is none.
pub(super) fn content(name: &str, bytes: Bytes) -> Result<(Source, MediaKind), String> {
    if bytes.is_empty() {
        return Err("is empty".to_owned());
    }
    let head = bytes[..bytes.len().min(512)].to_vec();
    if archive_kind(&head).is_ok_and(|kind| kind.is_some()) {
        return Err("is an archive inside the archive, which is not opened".to_owned());
    }
    if image::probe(&bytes).is_ok() {
        return Ok((Source::Bytes(bytes), MediaKind::Image));
    }
    match kind_of_name(name) {
        Some(kind @ (MediaKind::Video | MediaKind::Audio)) if media_type(kind, &bytes).is_some() => {
            Ok((Source::Bytes(bytes), kind))
        }
        Some(MediaKind::Text) => match String::from_utf8(bytes.to_vec()) {
            Ok(text) => Ok((Source::Text(text), MediaKind::Text)),
            Err(_) => Err("is not UTF-8 text".to_owned()),
        },
        Some(kind) => Err(format!("is no {} that can be read", kind.name())),
        None => Err("is no image, video, sound or text of a known kind".to_owned()),
    }
}

/// What is behind an address, as far as the address tells.
pub(super) fn at_address(url: &str) -> (Source, MediaKind) {
    let path = Url::parse(url).map_or_else(|_| String::new(), |url| url.path().to_owned());
    (Source::Url(url.to_owned()), kind_of_name(&path).unwrap_or(MediaKind::Image))
}

/// The id for the input of an entry: its path without the ending, folders joined by `-`. The same entry always has the
/// same id, and an input is found by the name of its file.
pub(crate) fn id_of(name: &str) -> String {
    let path = match Url::parse(name) {
        Ok(url) => url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or("").to_owned(),
        Err(_) => name.to_owned(),
    };
    let ending = extension(&path);
    let stem = match ending.is_empty() {
        true => path.as_str(),
        false => &path[..path.len() - ending.len() - 1],
    };
    let id: String = stem.chars().filter(|c| !c.is_control()).collect::<String>().replace('/', "-");
    let id = id.trim_matches(['-', ' ']).to_owned();
    let hash = || hash_secret(name)[..32].to_owned();
    match id.chars().count() {
        0 => hash(),
        1..=MAX_ID_CHARS => id,
        _ => format!("{}-{}", id.chars().take(MAX_ID_CHARS - 33).collect::<String>(), hash()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_the_id_of_its_path() {
        for (name, id) in [
            ("a.jpg", "a"),
            ("cat/small/a.b.jpg", "cat-small-a.b"),
            ("no ending", "no ending"),
            ("ünï/的な.png", "ünï-的な"),
            ("https://example.com/x/photo.jpg?width=3", "photo"),
        ] {
            assert_eq!(id_of(name), id, "{name}");
        }
        let long = id_of(&format!("{}.jpg", "x".repeat(200)));
        assert_eq!(long.chars().count(), 128);
        assert_ne!(long, id_of(&format!("{}.png", "x".repeat(200))));
        assert_eq!(id_of("https://example.com/").len(), 32);
    }

    #[test]
    fn an_entry_is_what_its_bytes_are_and_its_name_says() {
        let kind = |name: &str, bytes: &'static [u8]| {
            content(name, Bytes::from_static(bytes)).map(|(_, kind)| kind).map_err(|reason| reason.len())
        };
        assert_eq!(kind("a.txt", b"words"), Ok(MediaKind::Text));
        assert_eq!(kind("a.mp4", b"\0\0\0\x20ftypisom"), Ok(MediaKind::Video));
        assert_eq!(kind("a.wav", b"RIFF\0\0\0\0WAVEfmt "), Ok(MediaKind::Audio));
        for (name, bytes) in [
            ("a.jpg", &b"not a picture"[..]),
            ("a.mp4", b"words"),
            ("a.txt", b"\xff\xfe\xff"),
            ("a", b"words"),
            ("a.jpg", b""),
            ("a.jpg", b"PK\x03\x04 rest"),
        ] {
            assert!(kind(name, bytes).is_err(), "{name}");
        }
    }
}
