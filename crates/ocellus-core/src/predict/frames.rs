//! Videos answered frame by frame, each as soon as it is known.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::{FramePrediction, PredictInput, PredictOptions, Subject, bytes_of, run, stored, video};
use crate::models::Predictor;
use crate::{AppCtx, CropBox, Error, Result};

/// What a model says of each frame of a video, from its start; nothing if the input is no video.
pub async fn each_frame(
    app: &AppCtx,
    predictor: &Predictor,
    input: &PredictInput,
    options: &PredictOptions,
) -> Result<Option<BoxStream<'static, Result<FramePrediction>>>> {
    let (bytes, crops) = match &input.subject {
        Subject::Video(source) => {
            (bytes_of(app.platform(), source).await?, input.crop.into_iter().collect::<Vec<CropBox>>())
        }
        Subject::Input(id) => match stored::pixels(app, id, input.crop).await? {
            pixels if pixels.is_video => (pixels.bytes, pixels.crops),
            _ => return Ok(None),
        },
        Subject::Source(_) | Subject::Picture(_) => return Ok(None),
    };
    let frames = video::frames(app.platform(), bytes, options.sampling).await?;
    let (app, predictor) = (app.clone(), predictor.clone());
    let known = Arc::new((app, predictor, options.clone(), crops));
    let answers = frames.map(move |frame| {
        let known = Arc::clone(&known);
        async move {
            let (app, predictor, options, crops) = &*known;
            let frame = frame?;
            let (idx, time_ms, number) = (frame.idx, frame.time_ms, frame.number);
            let crops = crops.clone();
            let picture = app.platform().engine().cpu(move || video::cut(frame.picture, &crops)).await??;
            let input = PredictInput { subject: Subject::Picture(Arc::new(picture)), crop: None };
            let answer = run(app, predictor, vec![input], options).await?.pop();
            let none = || Error::internal(anyhow::anyhow!("a model said nothing of a frame"));
            Ok(FramePrediction { idx, time_ms, number, prediction: answer.ok_or_else(none)?? })
        }
    });
    Ok(Some(answers.buffered(video::AT_ONCE).boxed()))
}
