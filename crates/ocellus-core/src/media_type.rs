//! Telling what kind of sound or moving picture bytes are by their first bytes.

use crate::MediaKind;

/// The media type of a sound or a video by its first bytes, or `None` if they are of no known kind.
pub(crate) fn media_type(kind: MediaKind, bytes: &[u8]) -> Option<&'static str> {
    let at = |start: usize, what: &[u8]| bytes.get(start..start + what.len()) == Some(what);
    let brand = || bytes.get(8..11);
    match kind {
        MediaKind::Audio => match bytes {
            _ if at(0, b"RIFF") && at(8, b"WAVE") => Some("audio/wav"),
            _ if at(0, b"ID3") => Some("audio/mpeg"),
            [0xff, 0xf1 | 0xf9, ..] => Some("audio/aac"),
            [0xff, second, third, ..] if second & 0xe6 == 0xe2 && third & 0xf0 != 0xf0 => Some("audio/mpeg"),
            _ if at(0, b"OggS") => Some("audio/ogg"),
            _ if at(0, b"fLaC") => Some("audio/flac"),
            _ if at(4, b"ftyp") => Some("audio/mp4"),
            _ if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) => Some("audio/aiff"),
            _ if at(0, b"#!AMR") => Some("audio/amr"),
            _ if at(0, b"\x1a\x45\xdf\xa3") => Some("audio/webm"),
            _ => None,
        },
        MediaKind::Video => match bytes {
            _ if at(4, b"ftyp") && brand() == Some(b"qt ") => Some("video/quicktime"),
            _ if at(4, b"ftyp") && brand() == Some(b"3gp") => Some("video/3gpp"),
            _ if at(4, b"ftyp") => Some("video/mp4"),
            _ if at(4, b"moov") || at(4, b"mdat") || at(4, b"wide") => Some("video/quicktime"),
            _ if at(0, b"\x1a\x45\xdf\xa3") => {
                let webm = bytes.iter().take(64).copied().collect::<Vec<_>>();
                let webm = webm.windows(4).any(|word| word == b"webm");
                Some(if webm { "video/webm" } else { "video/x-matroska" })
            }
            _ if at(0, b"RIFF") && at(8, b"AVI ") => Some("video/x-msvideo"),
            _ if at(0, b"FLV") => Some("video/x-flv"),
            _ if at(0, b"OggS") => Some("video/ogg"),
            _ if at(0, b"GIF8") => Some("image/gif"),
            _ if at(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11") => Some("video/x-ms-asf"),
            [0, 0, 1, 0xba | 0xb3, ..] => Some("video/mpeg"),
            [0x47, ..] => Some("video/mp2t"),
            _ => None,
        },
        MediaKind::Image | MediaKind::Text => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sounds_and_videos_are_told_by_their_first_bytes_and_anything_else_is_not() {
        let table: [(MediaKind, &[u8], Option<&str>); 13] = [
            (MediaKind::Audio, b"RIFF\0\0\0\0WAVEfmt ", Some("audio/wav")),
            (MediaKind::Audio, b"ID3\x04", Some("audio/mpeg")),
            (MediaKind::Audio, b"\xff\xfb\x90\x64", Some("audio/mpeg")),
            (MediaKind::Audio, b"\xff\xf1\x50\x80", Some("audio/aac")),
            (MediaKind::Audio, b"OggS\0", Some("audio/ogg")),
            (MediaKind::Audio, b"\xff\xd8\xff\xe0", None),
            (MediaKind::Audio, b"", None),
            (MediaKind::Video, b"\0\0\0\x20ftypisom", Some("video/mp4")),
            (MediaKind::Video, b"\0\0\0\x14ftypqt  ", Some("video/quicktime")),
            (MediaKind::Video, b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01webm", Some("video/webm")),
            (MediaKind::Video, b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01matroska", Some("video/x-matroska")),
            (MediaKind::Video, b"RIFF\0\0\0\0AVI ", Some("video/x-msvideo")),
            (MediaKind::Video, b"#EXTM3U\n/etc/passwd", None),
        ];
        for (kind, bytes, expected) in table {
            assert_eq!(media_type(kind, bytes), expected, "{bytes:?}");
        }
    }
}
