//! Videos made by ffmpeg itself, looked at by this module.

use std::path::PathBuf;
use std::process::Command;

use bytes::Bytes;

use super::*;
use crate::Kind;

/// A video that shows one colour after the other, each for a second, 10 frames a second.
pub(crate) fn colours(extension: &str, colours: &[&str]) -> Bytes {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("made.{extension}"));
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-nostdin"]);
    for colour in colours {
        ffmpeg.args(["-f", "lavfi", "-i", &format!("color={colour}:size=1280x320:rate=10:duration=1")]);
    }
    let filter = format!("concat=n={}:v=1:a=0", colours.len());
    let status = ffmpeg.args(["-filter_complex", &filter, "-q:v", "2"]).arg(&file).status();
    assert!(status.expect("make test installs ffmpeg").success());
    std::fs::read(file).unwrap().into()
}

async fn all(config: &VideoConfig, bytes: Bytes, sampling: Sampling) -> Result<(VideoAbout, Vec<Frame>)> {
    let mut frames = Frames::open(config, bytes, sampling).await?;
    let mut found = Vec::new();
    while let Some(frame) = frames.next().await? {
        found.push(frame);
    }
    Ok((frames.about().clone(), found))
}

#[tokio::test]
async fn frames_come_at_their_times_and_show_what_is_shown_then() {
    let config = VideoConfig::default();
    for extension in ["mp4", "mkv", "webm", "avi"] {
        let video = colours(extension, &["red", "lime", "blue", "red", "lime"]);
        for (sample_ms, midpoint, times, shown) in [
            (2000, false, &[0_u64, 2000, 4000][..], &[0_usize, 2, 1][..]),
            (2000, true, &[1000, 3000], &[1, 0]),
            (1000, true, &[500, 1500, 2500, 3500, 4500], &[0, 1, 2, 0, 1]),
            // Nothing lies in the middle of a span longer than the video, so its start is shown.
            (60_000, true, &[0], &[0]),
        ] {
            let (about, frames) =
                all(&config, video.clone(), Sampling { sample_ms, midpoint }).await.unwrap();
            assert_eq!((about.width, about.height), (1280, 320), "{extension}");
            assert!((4900..=5100).contains(&about.duration_ms), "{extension} {about:?}");
            let found: Vec<u64> = frames.iter().map(|frame| frame.time_ms).collect();
            assert_eq!(found, times, "{extension} {sample_ms}");
            let strongest = |frame: &Frame| {
                assert_eq!(frame.picture.dimensions(), (640, 160));
                let pixel = frame.picture.get_pixel(320, 80).0;
                (0..3).max_by_key(|channel| pixel[*channel]).unwrap()
            };
            assert_eq!(frames.iter().map(strongest).collect::<Vec<_>>(), shown, "{extension} {sample_ms}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_words_that_help() {
    let video = colours("mp4", &["red"]);
    let junk = Bytes::from_static(b"no video at all");
    let playlist = Bytes::from_static(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n");
    let usual = VideoConfig::default();
    let absent = VideoConfig {
        ffmpeg: PathBuf::from("/nowhere/ffmpeg"),
        ffprobe: PathBuf::from("/nowhere/ffprobe"),
        ..usual.clone()
    };
    let tight = VideoConfig { memory_bytes: 8 << 20, ..usual.clone() };
    let table = [
        (&usual, junk, Kind::Invalid, "no video"),
        (&usual, playlist, Kind::Invalid, "no video"),
        (&usual, video.slice(..video.len() / 2), Kind::Invalid, "no video"),
        (&absent, video.clone(), Kind::Unsupported, "apt-get install ffmpeg"),
    ];
    for (config, bytes, kind, words) in table {
        let error = all(config, bytes, Sampling::default()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error:?}");
        assert!(error.message.contains(words) && !error.message.contains("/tmp"), "{error:?}");
    }
    assert!(all(&tight, video.clone(), Sampling::default()).await.is_err());
    let slow = colours("avi", &["red"; 61]);
    let error = all(&usual, slow, Sampling { sample_ms: 100, midpoint: false }).await.unwrap_err();
    assert_eq!((error.kind, error.message.contains("600 frames")), (Kind::TooLarge, true));
}

#[test]
fn spans_from_a_tenth_of_a_second_to_a_minute_are_accepted() {
    for (sample_ms, good) in [(0, false), (99, false), (100, true), (60_000, true), (60_001, false)] {
        assert_eq!(Sampling { sample_ms, midpoint: true }.check().is_ok(), good, "{sample_ms}");
    }
}

/// How many pictures ffprobe finds in a file, or behind a playlist.
fn n_pictures(file: &std::path::Path) -> usize {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-allowed_extensions", "ALL", "-select_streams", "v:0", "-count_frames"]);
    ffprobe.args(["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]);
    let output = ffprobe.arg(file).output().expect("make test installs ffmpeg");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let first = text.lines().find_map(|line| line.trim().trim_matches(',').parse().ok());
    first.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test]
async fn a_video_is_cut_into_fragments_each_of_which_can_be_shown_with_the_head_alone() {
    let config = VideoConfig::default();
    let folder = tempfile::tempdir().unwrap();
    for extension in ["mp4", "mkv"] {
        let made = fragments::fragment(&config, colours(extension, &["red", "lime", "blue"])).await.unwrap();
        let places = fragments::places(&made).unwrap();
        assert!(!places.fragments.is_empty());
        let head = &made[..usize::try_from(places.head_bytes).unwrap()];
        let (mut end, mut n_in_all, mut begin_s) = (places.head_bytes, 0, -1.0);
        for (idx, fragment) in places.fragments.iter().enumerate() {
            assert_eq!(fragment.start, end, "nothing lies between the fragments");
            assert!(fragment.begin_s > begin_s);
            (end, begin_s) = (fragment.start + fragment.n_bytes, fragment.begin_s);
            let (from, to) = (usize::try_from(fragment.start).unwrap(), usize::try_from(end).unwrap());
            let file = folder.path().join(format!("{extension}-{idx}.mp4"));
            std::fs::write(&file, [head, &made[from..to]].concat()).unwrap();
            n_in_all += n_pictures(&file);
        }
        assert_eq!((n_in_all, places.fragments[0].begin_s), (30, 0.0), "{extension}");
        assert!(begin_s < 3.0);
    }
    assert_eq!(fragments::places(b"no video"), None);
    assert_eq!(fragments::places(&colours("mp4", &["red"])), None);
}

#[tokio::test]
async fn pictures_that_mp4_cannot_hold_have_no_fragments() {
    let error = fragments::fragment(&VideoConfig::default(), colours("flv", &["red"])).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported);
}
