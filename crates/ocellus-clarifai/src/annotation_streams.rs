//! Annotations of a video's frames as a stream, frame after frame. Only gRPC has streams.

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use ocellus_core::annotations::{self as core, Annotation as CoreAnnotation, FrameListing};
use ocellus_core::{AppCtx, Error, Kind, Result};
use prost::Message;

use crate::annotations;
use crate::error::WireError;
use crate::pb::*;
use crate::rpc::Cx;
use crate::status;

/// The most frames of one stream, and as many if the request does not say.
const MAX_FRAMES: u32 = 3_600;
/// The longest stretch of one stream, and as long if the request does not say, in milliseconds.
const MAX_DURATION_MS: u64 = 60_000;
/// Frames read at once.
const FRAMES_AT_ONCE: u32 = 60;

/// Answers with one message for each annotation, by frame; the last one of a frame says that the frame is complete.
pub fn stream_annotations(cx: Cx, requests: BoxStream<'static, Bytes>) -> BoxStream<'static, Bytes> {
    let start = Sender { cx, state: State::Waiting(requests) };
    stream::unfold(start, |mut sender| async move {
        let messages = match sender.step().await {
            Ok(found) => found?,
            Err(error) => {
                error.log();
                sender.state = State::Over;
                let status = WireError::of(&error, sender.cx.era).status(sender.cx.era);
                vec![SingleStreamAnnotationResponse { status: Some(status), ..Default::default() }]
            }
        };
        let encoded: Vec<Bytes> = messages.into_iter().map(|message| sender.encoded(message)).collect();
        Some((stream::iter(encoded), sender))
    })
    .flatten()
    .boxed()
}

struct Sender {
    cx: Cx,
    state: State,
}

enum State {
    Waiting(BoxStream<'static, Bytes>),
    Sending(Box<Sending>),
    Over,
}

/// What is still to be sent.
struct Sending {
    app: AppCtx,
    listing: FrameListing,
    frames_left: u32,
    /// Frames from this time on are not sent, in milliseconds.
    until_ms: u64,
    min_score: f32,
}

impl Sender {
    fn encoded(&self, mut message: SingleStreamAnnotationResponse) -> Bytes {
        message.status.get_or_insert_default().req_id.clone_from(&self.cx.request_id);
        message.encode_to_vec().into()
    }

    /// The annotations of the next frames; `None` at the end.
    async fn step(&mut self) -> Result<Option<Vec<SingleStreamAnnotationResponse>>> {
        if let State::Waiting(requests) = &mut self.state {
            let Some(request) = requests.next().await else { return Ok(None) };
            let request = StreamAnnotationsRequest::decode(request)
                .map_err(|e| Error::new(Kind::Invalid, format!("the request is not a valid message: {e}")))?;
            self.state = State::Sending(Box::new(begin(&self.cx, request).await?));
        }
        let State::Sending(sending) = &mut self.state else { return Ok(None) };
        let found = sending.next().await?;
        if found.is_empty() {
            self.state = State::Over;
            return Ok(None);
        }
        let numbers: Vec<u32> = found.iter().map(number).collect();
        let message = |(idx, annotation): (usize, &CoreAnnotation)| SingleStreamAnnotationResponse {
            status: status::success(),
            annotation: is_sure(annotation, sending.min_score)
                .then(|| annotations::to_wire(&self.cx, &sending.app, annotation)),
            frame_fully_processed: numbers.get(idx + 1) != Some(&numbers[idx]),
        };
        let messages = found.iter().enumerate().map(message);
        // A frame of which nothing is sure enough is still told to be complete.
        Ok(Some(messages.filter(|m| m.annotation.is_some() || m.frame_fully_processed).collect()))
    }
}

async fn begin(cx: &Cx, req: StreamAnnotationsRequest) -> Result<Sending> {
    let app = cx.app(req.user_app_id).await?;
    if !(0.0..=1.0).contains(&req.min_prediction_score) {
        return Err(Error::invalid("min_prediction_score", "must be 0 to 1"));
    }
    let frames_left = annotations::or_most(req.max_frames.into(), MAX_FRAMES.into(), "max_frames")?;
    let duration_ms = annotations::or_most(req.max_duration, MAX_DURATION_MS, "max_duration")?;
    let listing = FrameListing {
        input_id: req.input_id,
        track_ids: req.track_ids,
        from_frame: req.frame_number_start,
        from_ms: req.frame_time_start,
        kind: annotations::kind(req.annotation_type)?,
        model_version_id: annotations::model_version(req.worker.as_ref()),
        ..FrameListing::default()
    };
    Ok(Sending {
        app,
        frames_left: u32::try_from(frames_left).unwrap_or(MAX_FRAMES),
        until_ms: listing.from_ms.saturating_add(duration_ms),
        min_score: req.min_prediction_score,
        listing,
    })
}

impl Sending {
    /// The annotations of the next frames; empty at the end.
    async fn next(&mut self) -> Result<Vec<CoreAnnotation>> {
        if self.frames_left == 0 {
            return Ok(Vec::new());
        }
        let max_frames = self.frames_left.min(FRAMES_AT_ONCE);
        let max_duration_ms = self.until_ms.saturating_sub(self.listing.from_ms);
        let listing = FrameListing { max_frames, max_duration_ms, ..self.listing.clone() };
        let found = core::frames(&self.app, listing).await?;
        let mut numbers: Vec<u32> = found.iter().map(number).collect();
        numbers.dedup();
        self.frames_left = self.frames_left.saturating_sub(u32::try_from(numbers.len()).unwrap_or(u32::MAX));
        match numbers.last() {
            Some(last) if *last < u32::MAX => self.listing.from_frame = last + 1,
            Some(_) | None => self.frames_left = 0,
        }
        Ok(found)
    }
}

/// The number of the first frame that an annotation speaks of.
fn number(annotation: &CoreAnnotation) -> u32 {
    annotation.data.frames.first().map_or(0, |frame| frame.number)
}

/// Whether an annotation is by a person or a model is as sure as asked for.
fn is_sure(annotation: &CoreAnnotation, min_score: f32) -> bool {
    let values = annotation.data.said_of_parts().map(|said| said.value);
    let values = values.chain(annotation.data.all_regions().filter_map(|region| region.value));
    annotation.is_by_person() || min_score == 0.0 || values.fold(0.0, f32::max) >= min_score
}
