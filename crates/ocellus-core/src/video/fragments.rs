//! Videos in fragments, so that players can begin anywhere: rewritten by ffmpeg without touching the pictures, and the places of
//! the fragments read from the result (ISO/IEC 14496-12).

use bytes::Bytes;
use tokio::io::AsyncReadExt;

use super::VideoConfig;
use super::child::{command, complaint, on_disk, within};
use crate::{Error, Result};

/// What the fragments' own headers may add, in bytes.
const ROOM_BYTES: u64 = 16 << 20;

/// The video as a fragmented MP4. `Unsupported` if its pictures do not fit into one without being made anew.
pub(crate) async fn fragment(config: &VideoConfig, bytes: Bytes) -> Result<Bytes> {
    let most = 2 * bytes.len() as u64 + ROOM_BYTES;
    let file = on_disk(bytes).await?;
    let mut command = command(config, &config.ffmpeg, file.path());
    command
        .args(["-nostdin", "-map", "0:v:0", "-map", "0:a:0?", "-sn", "-dn", "-c:v", "copy", "-c:a", "aac"]);
    command.args(["-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4", "pipe:1"]);
    let mut child = command.spawn().map_err(Error::internal)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let read = async {
        let mut made = Vec::new();
        let read = async {
            match stdout {
                Some(stdout) => stdout.take(most + 1).read_to_end(&mut made).await.map(drop),
                None => Ok(()),
            }
        };
        let (read, complaint) = tokio::join!(read, complaint(stderr));
        read.map_err(Error::internal)?;
        let status = child.wait().await.map_err(Error::internal)?;
        Ok::<_, Error>((status, complaint, made))
    };
    let (status, complaint, made) = within(config, read).await?;
    if made.len() as u64 > most {
        return Err(Error::too_large("the video grows too much when it is cut into fragments"));
    }
    if !status.success() {
        tracing::debug!(complaint, "a video does not fit into fragments");
        return Err(Error::unsupported(
            "the video's pictures are of a kind that MP4 cannot hold, so it has no manifest",
        ));
    }
    Ok(made.into())
}

/// Where the parts of a fragmented MP4 lie.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Places {
    /// The bytes before the first fragment, which every player needs.
    pub head_bytes: u64,
    /// The fragments, in order.
    pub fragments: Vec<Fragment>,
}

/// A fragment that begins with a whole picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fragment {
    /// Its first byte.
    pub start: u64,
    /// Its length in bytes.
    pub n_bytes: u64,
    /// When it is shown, in seconds from the start.
    pub begin_s: f64,
}

/// Reads the places of the fragments; `None` if the bytes are no fragmented MP4.
pub(crate) fn places(bytes: &[u8]) -> Option<Places> {
    let (mut head_bytes, mut timescale) = (0, 0);
    let mut track_id = 0;
    let mut fragments: Vec<Fragment> = Vec::new();
    for Box { start, end, kind, content } in boxes(bytes) {
        match kind {
            b"moov" => {
                let track = child(content, b"trak")?;
                let media = child(track, b"mdia")?;
                timescale = number(child(media, b"mdhd")?, 12, 20, 4)?;
                track_id = number(child(track, b"tkhd")?, 12, 20, 4)?;
                head_bytes = end;
            }
            b"moof" => match time_of(content, track_id) {
                Some(time) => {
                    let begin_s = time as f64 / timescale.max(1) as f64;
                    fragments.push(Fragment { start, n_bytes: end - start, begin_s });
                }
                None => extend(&mut fragments, end),
            },
            b"mdat" => extend(&mut fragments, end),
            _ => {}
        }
    }
    (head_bytes > 0 && !fragments.is_empty()).then_some(Places { head_bytes, fragments })
}

fn extend(fragments: &mut [Fragment], end: u64) {
    if let Some(last) = fragments.last_mut() {
        last.n_bytes = end - last.start;
    }
}

/// The time at which a fragment of a track begins, in units of the track.
fn time_of(moof: &[u8], track_id: u64) -> Option<u64> {
    let of_track = |traf: &&[u8]| {
        let id = child(traf, b"tfhd").and_then(|head| number(head, 4, 4, 4));
        id == Some(track_id)
    };
    let tracks = boxes(moof).filter(|found| found.kind == b"traf").map(|found| found.content);
    let traf = { tracks }.find(of_track)?;
    let time = child(traf, b"tfdt")?;
    number(time, 4, 4, if time.first() == Some(&1) { 8 } else { 4 })
}

/// A number of so many bytes; its place depends on the version of the box, 0 or 1.
fn number(content: &[u8], at_0: usize, at_1: usize, n_bytes: usize) -> Option<u64> {
    let at = if content.first() == Some(&1) { at_1 } else { at_0 };
    let bytes = content.get(at..at + n_bytes)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn child<'a>(content: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(content).find(|found| found.kind == wanted).map(|found| found.content)
}

/// A box within some bytes.
struct Box<'a> {
    start: u64,
    end: u64,
    kind: &'a [u8],
    content: &'a [u8],
}

/// The boxes within some bytes. A cut box ends them.
fn boxes(bytes: &[u8]) -> impl Iterator<Item = Box<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let head = bytes.get(at..at + 8)?;
        let short = head[..4].iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        let (length, header) = match short {
            0 => (bytes.len() - at, 8),
            1 => {
                let long = bytes.get(at + 8..at + 16)?;
                (long.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)), 16)
            }
            short => (short, 8),
        };
        let end = at.checked_add(length)?;
        let content = bytes.get(at + header..end)?;
        let found = Box { start: at as u64, end: end as u64, kind: &head[4..8], content };
        at = end;
        Some(found)
    })
}
