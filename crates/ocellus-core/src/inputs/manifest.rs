//! Manifests of videos: an HLS playlist (RFC 8216) over one file of fragments, which is made on demand and then kept.

use std::fmt::Write;

use bytes::Bytes;

use super::hosted::{blob, keep, kept};
use super::{Hosted, Input, InputState, get};
use crate::video::fragments::{self, Places};
use crate::{AppCtx, Error, MediaKind, Resource, Result};

/// The name under which the fragments are kept.
const SIZE: &str = "fragments";

/// Makes sure that a video has a manifest. `Invalid` for what is no video, `NotFound` until it was looked at.
pub async fn prepare_manifest(app: &AppCtx, id: &str) -> Result<Input> {
    let input = get(app, id).await?;
    video_fragments(app, &input).await?;
    Ok(input)
}

/// The file of fragments that the manifest of a video speaks of.
pub async fn video_fragments(app: &AppCtx, input: &Input) -> Result<Bytes> {
    if input.kind != MediaKind::Video {
        let message = format!("'{}' is no video but {}", input.id, input.kind.name());
        return Err(Error::invalid("input_id", message));
    }
    let missing = || Error::not_found(Resource::Image(input.id.clone()));
    let Hosted { hash, .. } = match input.state {
        InputState::Ready => input.hosted.clone().ok_or_else(missing)?,
        InputState::Pending | InputState::Processing | InputState::Failed { .. } => return Err(missing()),
    };
    if let Some(bytes) = kept(app, input, (SIZE, &hash)).await? {
        return Ok(bytes);
    }
    let bytes = blob(app, &hash).await?.ok_or_else(missing)?;
    let made = fragments::fragment(app.platform().video_config(), bytes).await?;
    keep(app, input, (SIZE, hash), made.clone()).await?;
    Ok(made)
}

/// The manifest of a video whose fragments lie at an address.
pub async fn video_manifest(app: &AppCtx, input: &Input, fragments_url: &str) -> Result<String> {
    let bytes = video_fragments(app, input).await?;
    let broken = || Error::internal(anyhow::anyhow!("the fragments of a video cannot be read"));
    let places = fragments::places(&bytes).ok_or_else(broken)?;
    let duration_s = input.video.as_ref().map_or(0.0, |about| about.duration_ms as f64 / 1000.0);
    Ok(playlist(&places, duration_s, fragments_url))
}

fn playlist(places: &Places, duration_s: f64, url: &str) -> String {
    let ends = places.fragments.iter().skip(1).map(|next| next.begin_s).chain([duration_s]);
    // A last fragment that seems to end before it begins is one whose length is not known; players read on to its end.
    let lengths: Vec<f64> =
        places.fragments.iter().zip(ends).map(|(this, end)| (end - this.begin_s).max(0.001)).collect();
    let longest = lengths.iter().fold(1.0_f64, |longest, length| longest.max(length.ceil()));
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{longest}\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"{url}\",BYTERANGE=\"{}@0\"\n",
        places.head_bytes
    );
    for (fragment, length) in places.fragments.iter().zip(lengths) {
        let (n_bytes, start) = (fragment.n_bytes, fragment.start);
        // Writing to a string cannot fail.
        let _ = write!(text, "#EXTINF:{length:.3},\n#EXT-X-BYTERANGE:{n_bytes}@{start}\n{url}\n");
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::fragments::Fragment;

    #[test]
    fn a_playlist_names_every_fragment_with_its_length() {
        let fragment = |start, n_bytes, begin_s| Fragment { start, n_bytes, begin_s };
        let fragments = vec![fragment(700, 1000, 0.0), fragment(1700, 500, 2.4), fragment(2200, 10, 4.0)];
        let text = playlist(&Places { head_bytes: 700, fragments }, 4.5, "x.mp4");
        let expected = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:3\n#EXT-X-PLAYLIST-TYPE:VOD\n\
            #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"x.mp4\",BYTERANGE=\"700@0\"\n\
            #EXTINF:2.400,\n#EXT-X-BYTERANGE:1000@700\nx.mp4\n#EXTINF:1.600,\n#EXT-X-BYTERANGE:500@1700\nx.mp4\n\
            #EXTINF:0.500,\n#EXT-X-BYTERANGE:10@2200\nx.mp4\n#EXT-X-ENDLIST\n";
        assert_eq!(text, expected);
    }

    /// A player that knows nothing of us.
    fn n_pictures(file: &std::path::Path) -> String {
        let mut ffprobe = std::process::Command::new("ffprobe");
        ffprobe.args(["-v", "error", "-allowed_extensions", "ALL", "-select_streams", "v:0"]);
        ffprobe.args(["-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]);
        let output = ffprobe.arg(file).output().expect("make test installs ffmpeg");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().next().unwrap_or_default().trim_matches(',').to_owned()
    }

    #[tokio::test]
    async fn a_player_shows_every_picture_of_a_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let video = folder.path().join("video.mp4");
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=4"]);
        ffmpeg.args(["-c:v", "mpeg4", "-g", "10"]);
        assert!(ffmpeg.arg(&video).status().expect("make test installs ffmpeg").success());
        let bytes = Bytes::from(std::fs::read(&video).unwrap());
        let made = fragments::fragment(&Default::default(), bytes).await.unwrap();
        let places = fragments::places(&made).unwrap();
        assert_eq!(places.fragments.len(), 4);
        std::fs::write(folder.path().join("fragments.mp4"), &made).unwrap();
        let list = folder.path().join("list.m3u8");
        std::fs::write(&list, playlist(&places, 4.0, "fragments.mp4")).unwrap();
        assert_eq!(n_pictures(&list), "40");
    }
}
