//! What models say about videos: an answer for each frame that is looked at, and the description of a new video.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::stream::{self, Stream, TryStreamExt};
use ocellus_algo::image::{self, RgbImage};

use super::answer::{self, Wanted, unit};
use super::{Description, KEPT_CONCEPTS, Prediction, Scored, describe, image_text_of};
use crate::catalog::ModelSpec;
use crate::video::{Frame, Frames, Sampling, VideoAbout};
use crate::{CropBox, Error, Platform, Result};

/// How many frames of one video are worked on at once.
pub const AT_ONCE: usize = 4;

/// What a model said about one frame of a video.
#[derive(Clone, Debug, PartialEq)]
pub struct FramePrediction {
    /// Its place among the frames that were looked at, from 0.
    pub idx: u32,
    /// Its time from the start of the video, in milliseconds.
    pub time_ms: u64,
    /// Its number among all pictures of the video, as far as its rate tells.
    pub number: u64,
    /// The answer.
    pub prediction: Prediction,
}

/// Everything a video is described by when it comes in.
pub(crate) struct VideoDescription {
    pub about: VideoAbout,
    /// The first frame that was looked at, as JPEG material for a thumbnail.
    pub first: RgbImage,
    pub concepts_version_id: String,
    /// Each frame's time in milliseconds and its most probable concepts.
    pub frames: Vec<(u64, Vec<Scored>)>,
    /// The most probable concepts over all frames, each with its greatest probability.
    pub concepts: Vec<Scored>,
    pub embedding_version_id: String,
    /// The mean of the frames' vectors, length 1.
    pub embedding: Vec<f32>,
    /// The space of the image-text pair and the mean of the frames' vectors in it, if there is a pair.
    pub image_text: Option<(String, Vec<f32>)>,
}

impl VideoDescription {
    /// All vectors, each with its space.
    pub fn vectors(&self) -> impl Iterator<Item = (&str, &[f32])> {
        let pair = self.image_text.iter().map(|(space, vector)| (space.as_str(), vector.as_slice()));
        std::iter::once((self.embedding_version_id.as_str(), self.embedding.as_slice())).chain(pair)
    }
}

fn each_frame(frames: Frames) -> impl Stream<Item = Result<Frame>> {
    stream::try_unfold(frames, |mut frames| async move {
        Ok::<_, Error>(frames.next().await?.map(|frame| (frame, frames)))
    })
}

/// The frames of a video that are looked at.
pub async fn frames(
    platform: &Platform,
    bytes: Bytes,
    sampling: Sampling,
) -> Result<impl Stream<Item = Result<Frame>> + use<>> {
    Ok(each_frame(Frames::open(platform.video_config(), bytes, sampling.check()?).await?))
}

/// Runs a model over the frames of a video.
pub(crate) async fn predict(
    platform: &Platform,
    model: &ModelSpec,
    bytes: Bytes,
    (sampling, crops): (Sampling, &[CropBox]),
    wanted: &Wanted,
) -> Result<Prediction> {
    let frames = Frames::open(platform.video_config(), bytes, sampling.check()?).await?;
    let answers = each_frame(frames).map_ok(|frame| async move {
        let (idx, time_ms, number, crops) = (frame.idx, frame.time_ms, frame.number, crops.to_vec());
        let open = move || cut(frame.picture, &crops);
        let prediction = answer::of_picture(platform, model, open, wanted).await?;
        Ok(FramePrediction { idx, time_ms, number, prediction })
    });
    Ok(Prediction::Frames(answers.try_buffered(AT_ONCE).try_collect().await?))
}

pub fn cut(mut picture: RgbImage, crops: &[CropBox]) -> Result<RgbImage> {
    for crop in crops {
        picture = image::crop(&picture, (*crop).into())?;
    }
    Ok(picture)
}

/// Describes a video by its frames.
pub(crate) async fn describe_video(platform: &Platform, bytes: Bytes) -> Result<VideoDescription> {
    let frames = Frames::open(platform.video_config(), bytes, Sampling::default()).await?;
    let about = frames.about().clone();
    let described = each_frame(frames).map_ok(|frame| async move {
        let first = (frame.idx == 0).then(|| frame.picture.clone());
        Ok::<_, Error>((frame.time_ms, describe(platform, frame.picture).await?, first))
    });
    let described: Vec<(u64, Description, Option<RgbImage>)> =
        described.try_buffered(AT_ONCE).try_collect().await?;
    let first = described.iter().find_map(|(_, _, first)| first.clone());
    let empty = || Error::internal(anyhow::anyhow!("a video without frames was described"));
    let (_, one, _) = described.first().ok_or_else(empty)?;
    let concepts = strongest(described.iter().flat_map(|(_, seen, _)| &seen.concepts));
    Ok(VideoDescription {
        about,
        first: first.ok_or_else(empty)?,
        concepts_version_id: one.concepts_version_id.clone(),
        embedding_version_id: one.embedding_version_id.clone(),
        embedding: mean(described.iter().map(|(_, seen, _)| seen.embedding.as_slice())),
        image_text: one.image_text.as_ref().map(|(space, _)| {
            let all =
                described.iter().filter_map(|(_, seen, _)| Some(seen.image_text.as_ref()?.1.as_slice()));
            (space.clone(), mean(all))
        }),
        concepts,
        frames: described.into_iter().map(|(time_ms, seen, _)| (time_ms, seen.concepts)).collect(),
    })
}

/// The mean of the frames' vectors in the space of the image-text pair, length 1.
pub(crate) async fn image_text_of_video(platform: &Platform, bytes: Bytes) -> Result<Vec<f32>> {
    let frames = Frames::open(platform.video_config(), bytes, Sampling::default()).await?;
    let described = each_frame(frames).map_ok(|frame| image_text_of(platform, frame.picture));
    let vectors: Vec<Vec<f32>> = described.try_buffered(AT_ONCE).try_collect().await?;
    Ok(mean(vectors.iter().map(Vec::as_slice)))
}

/// The most probable concepts over all frames. What is kept of each frame suffices: a concept that is not among the
/// first in its best frame is not among the first over all.
fn strongest<'a>(seen: impl Iterator<Item = &'a Scored>) -> Vec<Scored> {
    let mut best: HashMap<&str, &Scored> = HashMap::new();
    for scored in seen {
        let kept = best.entry(&scored.concept_id).or_insert(scored);
        if scored.probability > kept.probability {
            *kept = scored;
        }
    }
    let mut best: Vec<Scored> = best.into_values().cloned().collect();
    best.sort_by(|a, b| {
        b.probability.total_cmp(&a.probability).then_with(|| a.concept_id.cmp(&b.concept_id))
    });
    best.truncate(KEPT_CONCEPTS);
    best
}

/// The mean of vectors, scaled to length 1.
pub(super) fn mean<'a>(vectors: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
    let mut sum: Vec<f32> = Vec::new();
    for vector in vectors {
        sum.resize(vector.len(), 0.0);
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
    }
    unit(&sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(id: &str, probability: f32) -> Scored {
        let text = id.to_owned();
        Scored { concept_id: text.clone(), name: text, language: "en".to_owned(), probability }
    }

    #[test]
    fn a_video_shows_each_concept_as_well_as_its_best_frame_does() {
        let frames = [scored("a", 0.2), scored("b", 0.9), scored("a", 0.7), scored("b", 0.1)];
        let best: Vec<_> =
            strongest(frames.iter()).into_iter().map(|s| (s.concept_id, s.probability)).collect();
        assert_eq!(best, [("b".to_owned(), 0.9), ("a".to_owned(), 0.7)]);
    }

    #[test]
    fn the_vector_of_a_video_is_the_direction_of_the_mean() {
        let (a, b) = ([1.0, 0.0], [0.0, 1.0]);
        let both = mean([&a[..], &b[..]].into_iter());
        assert!((both[0] - 0.5_f32.sqrt()).abs() < 1e-6 && (both[1] - both[0]).abs() < 1e-6, "{both:?}");
    }
}
