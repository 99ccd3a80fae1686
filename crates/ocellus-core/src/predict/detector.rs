//! Answers of an app's own detectors: boxes with the app's concepts.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use ocellus_algo::detect::Detection;
use ocellus_algo::image::RgbImage;

use super::own::Picked;
use super::{
    AT_ONCE, FramePrediction, PredictInput, Prediction, RegionPrediction, Subject, about_image, bytes_of,
    open_image, stored, video,
};
use crate::catalog::ModelSpec;
use crate::learning::{Artefact, detector};
use crate::user_models::UserModelVersion;
use crate::{AppCtx, CropBox, Error, Resource, Result};

/// Runs an own detector over images; one result per image, in order. `Unsupported` if it was trained on proposals of a
/// detector that is not here any more.
pub(super) async fn run(
    app: &AppCtx,
    (version, artefact): (&UserModelVersion, &Arc<Artefact>),
    inputs: Vec<PredictInput>,
    picked: &Picked<'_>,
) -> Result<Vec<Result<Prediction>>> {
    let spec = detector::proposer(app.platform())?;
    let on = version.doc.trained_on.as_ref().map(|on| on.backbone.version_id.as_str());
    if on != Some(spec.version_id()) {
        let message = format!("the model was trained on another version of '{}'; train it again", spec.id);
        return Err(Error::unsupported(message).about(Resource::ModelVersion(version.id.clone())));
    }
    let finder = &Finder { app, spec, artefact, picked };
    let answers = futures_util::stream::iter(inputs).map(|input| async move { finder.one(input).await });
    Ok(answers.buffered(AT_ONCE).collect().await)
}

struct Finder<'a> {
    app: &'a AppCtx,
    spec: Arc<ModelSpec>,
    artefact: &'a Arc<Artefact>,
    picked: &'a Picked<'a>,
}

impl Finder<'_> {
    async fn one(&self, input: PredictInput) -> Result<Prediction> {
        let crops: Vec<CropBox> = input.crop.into_iter().collect();
        let platform = self.app.platform();
        match &input.subject {
            Subject::Source(source) => {
                let bytes = bytes_of(platform, source).await?;
                self.image(bytes, crops).await.map_err(|error| about_image(error, source))
            }
            Subject::Video(source) => {
                let bytes = bytes_of(platform, source).await?;
                self.video(bytes, crops).await.map_err(|error| about_image(error, source))
            }
            Subject::Picture(picture) => self.picture(Arc::clone(picture), crops).await,
            Subject::Input(id) => {
                let pixels = stored::pixels(self.app, id, input.crop).await?;
                let found = match pixels.is_video {
                    true => self.video(pixels.bytes, pixels.crops).await,
                    false => self.image(pixels.bytes, pixels.crops).await,
                };
                let about = || Resource::Input(id.clone());
                found.map_err(|error| if error.about.is_some() { error } else { error.about(about()) })
            }
        }
    }

    async fn image(&self, bytes: Bytes, crops: Vec<CropBox>) -> Result<Prediction> {
        let limits = *self.app.platform().decode_limits();
        self.find(move || open_image(&bytes, &limits, &crops)).await
    }

    async fn picture(&self, picture: Arc<RgbImage>, crops: Vec<CropBox>) -> Result<Prediction> {
        self.find(move || video::cut((*picture).clone(), &crops)).await
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

    async fn find(&self, open: impl FnOnce() -> Result<RgbImage> + Send + 'static) -> Result<Prediction> {
        let found = detector::find(self.app.platform(), &self.spec, self.artefact, open).await?;
        Ok(Prediction::Regions(regions(&found, self.picked)))
    }
}

/// Boxes as regions. Boxes of several concepts stay apart; those of which no concept was asked for are left out.
pub(super) fn regions(found: &[Detection], picked: &Picked<'_>) -> Vec<RegionPrediction> {
    let mut regions = Vec::new();
    for one in found {
        let concepts = picked.one(one.class, one.score);
        if let Some(concept) = concepts {
            let region = RegionPrediction::new(regions.len(), one.sides, one.score);
            regions.push(RegionPrediction { concepts: vec![concept], ..region });
        }
    }
    regions
}
