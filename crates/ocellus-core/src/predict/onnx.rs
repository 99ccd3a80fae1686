//! Answers of networks that somebody brought along.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use ocellus_algo::image::RgbImage;

use super::own::Picked;
use super::{
    AT_ONCE, FramePrediction, PredictInput, Prediction, RegionPrediction, Subject, bytes_of, open_image,
    stored, video,
};
use crate::learning::{OnnxBox, OnnxModel, OnnxSaid};
use crate::user_models::UserModelVersion;
use crate::{AppCtx, CropBox, Error, Resource, Result};

/// Runs a network over images; one result per image, in order.
pub(super) async fn run(
    app: &AppCtx,
    (version, onnx): (&UserModelVersion, &OnnxModel),
    inputs: Vec<PredictInput>,
    picked: &Picked<'_>,
) -> Vec<Result<Prediction>> {
    let judge = Judge { app, version, onnx, picked };
    let judge = &judge;
    let answers = futures_util::stream::iter(inputs).map(|input| async move { judge.one(input).await });
    answers.buffered(AT_ONCE).collect().await
}

struct Judge<'a> {
    app: &'a AppCtx,
    version: &'a UserModelVersion,
    onnx: &'a OnnxModel,
    picked: &'a Picked<'a>,
}

impl Judge<'_> {
    async fn one(&self, input: PredictInput) -> Result<Prediction> {
        let crops: Vec<CropBox> = input.crop.into_iter().collect();
        match &input.subject {
            Subject::Source(source) => {
                let bytes = bytes_of(self.app.platform(), source).await?;
                self.image(bytes, crops).await.map_err(|error| super::about_image(error, source))
            }
            Subject::Video(source) => {
                let bytes = bytes_of(self.app.platform(), source).await?;
                self.video(bytes, crops).await.map_err(|error| super::about_image(error, source))
            }
            Subject::Picture(picture) => self.picture(Arc::clone(picture), crops).await,
            Subject::Input(id) => {
                let pixels = stored::pixels(self.app, id, input.crop).await?;
                let said = match pixels.is_video {
                    true => self.video(pixels.bytes, pixels.crops).await,
                    false => self.image(pixels.bytes, pixels.crops).await,
                };
                said.map_err(|error| or_about(error, Resource::Input(id.clone())))
            }
        }
    }

    async fn image(&self, bytes: Bytes, crops: Vec<CropBox>) -> Result<Prediction> {
        let limits = *self.app.platform().decode_limits();
        self.judge(move || open_image(&bytes, &limits, &crops)).await
    }

    async fn picture(&self, picture: Arc<RgbImage>, crops: Vec<CropBox>) -> Result<Prediction> {
        self.judge(move || video::cut((*picture).clone(), &crops)).await
    }

    async fn video(&self, bytes: Bytes, crops: Vec<CropBox>) -> Result<Prediction> {
        let sampling = self.picked.options.sampling.check()?;
        let crops = &crops;
        let frames = video::frames(self.app.platform(), bytes, sampling).await?;
        let answers = frames.map(|frame| async move {
            let frame = frame?;
            let (idx, time_ms, number) = (frame.idx, frame.time_ms, frame.number);
            let prediction = self.picture(Arc::new(frame.picture), crops.clone()).await?;
            Ok(FramePrediction { idx, time_ms, number, prediction })
        });
        let answers: Vec<Result<FramePrediction>> = answers.buffered(video::AT_ONCE).collect().await;
        Ok(Prediction::Frames(answers.into_iter().collect::<Result<_>>()?))
    }

    async fn judge(&self, open: impl FnOnce() -> Result<RgbImage> + Send + 'static) -> Result<Prediction> {
        let said = self.onnx.judge(self.app.platform(), open).await;
        // The engine knows the weights, and whoever asked knows the version.
        let named = |mut error: Error| {
            if let Some(Resource::Model(_) | Resource::Other("own model", _)) = &error.about {
                error.about = Some(Resource::ModelVersion(self.version.id.clone()));
            }
            error
        };
        Ok(match said.map_err(named)? {
            OnnxSaid::Concepts(probabilities) => Prediction::Concepts(self.picked.of(&probabilities)),
            OnnxSaid::Embedding(vector) => Prediction::Embedding(vector),
            OnnxSaid::Boxes(boxes) => {
                let region = |(idx, found): (usize, OnnxBox)| {
                    let CropBox { top, left, bottom, right } = found.sides;
                    let mut region =
                        RegionPrediction::new(idx, [top, left, bottom, right], found.probability);
                    region.concepts.push(self.picked.one(found.class, found.probability)?);
                    Some(region)
                };
                Prediction::Regions(boxes.into_iter().enumerate().filter_map(region).collect())
            }
        })
    }
}

fn or_about(error: Error, about: Resource) -> Error {
    if error.about.is_some() { error } else { error.about(about) }
}
