//! Inputs: RPCs and the wire form of an input.

use ocellus_core::inputs::{
    self, Adding, FailureCode, Input as CoreInput, InputListing, InputState, StateFilter, StreamOrder,
};
use ocellus_core::{AppCtx, Error, MediaKind, PatchAction, Resource, Result};

use crate::error::WireError;
use crate::pb::status::{BaseResponse, Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::Cx;
use crate::{add_jobs, annotation_data, documents, hosted, input_data, items, paging, status};

pub async fn post_inputs(cx: Cx, req: PostInputsRequest) -> Result<MultiInputResponse> {
    let adding = adding(&req)?;
    let add_job_id = adding.add_job_id.clone();
    let app = cx.app(req.user_app_id).await?;
    let echo: Vec<Input> = req.inputs.iter().map(without_bytes).collect();
    let read = |input: Input, field: &str| {
        let dataset_ids = input.dataset_ids.clone();
        input_data::new_input(input, field).map(|new| (new, dataset_ids))
    };
    let (new, places) = items::read(req.inputs, "inputs", read)?;
    let (new, dataset_ids): (Vec<_>, Vec<_>) = new.into_iter().unzip();
    let made = match new.is_empty() {
        true => Vec::new(),
        false => inputs::create_with(&app, new, Adding { dataset_ids, ..adding }).await?,
    };
    let inputs: Vec<Input> =
        places.fill(made).into_iter().zip(echo).map(|(result, echo)| item(&cx, &app, result, echo)).collect();
    let good = [Code::InputSuccess, Code::InputPending, Code::InputInProgress];
    let status = status::of_items(cx.era, inputs.iter().map(|i| i.status.as_ref()), &good);
    let inputs_add_job = match add_job_id {
        Some(id) => add_jobs::found(&cx, &app, &id).await?,
        None => None,
    };
    Ok(MultiInputResponse { status: Some(status), inputs, inputs_add_job })
}

/// How the inputs of a request are added, apart from their datasets.
fn adding(req: &PostInputsRequest) -> Result<Adding> {
    Ok(Adding {
        dataset_ids: Vec::new(),
        add_job_id: Some(req.inputs_add_job_id.clone()).filter(|id| !id.is_empty()),
        on_conflict: add_jobs::on_conflict(req.input_id_conflict_resolution)?,
    })
}

fn item(cx: &Cx, app: &AppCtx, result: Result<CoreInput>, echo: Input) -> Input {
    match result {
        Ok(input) => to_wire(cx, app, &input),
        Err(error) => Input { status: Some(item_status(cx, &error)), ..echo },
    }
}

pub async fn get_input(cx: Cx, req: GetInputRequest) -> Result<SingleInputResponse> {
    let app = cx.app(req.user_app_id).await?;
    let input = inputs::get(&app, &req.input_id).await?;
    Ok(SingleInputResponse { status: status::success(), input: Some(to_wire(&cx, &app, &input)) })
}

pub async fn list_inputs(cx: Cx, req: ListInputsRequest) -> Result<MultiInputResponse> {
    let app = cx.app(req.user_app_id).await?;
    let states = req.status.map(|s| states(s.code)).transpose()?.unwrap_or_default();
    let found = if req.ids.is_empty() {
        let page = paging::page(req.page, req.per_page)?;
        inputs::list(&app, InputListing { page, states, newest_first: false }).await?
    } else {
        inputs::get_many_in(&app, &req.ids, &states).await?
    };
    Ok(many(&cx, &app, &found))
}

pub async fn stream_inputs(cx: Cx, req: StreamInputsRequest) -> Result<MultiInputResponse> {
    let app = cx.app(req.user_app_id).await?;
    let order = match (req.order_by_id, req.descending) {
        (false, false) => StreamOrder::Oldest,
        (false, true) => StreamOrder::Newest,
        (true, false) => StreamOrder::Id,
        (true, true) => StreamOrder::IdDescending,
    };
    let page = paging::page(1, req.per_page)?;
    let last_id = (!req.last_id.is_empty()).then_some(req.last_id.as_str());
    let found = inputs::stream_by(&app, last_id, page.per_page, order).await?;
    Ok(many(&cx, &app, &found))
}

pub async fn get_input_count(cx: Cx, req: GetInputCountRequest) -> Result<SingleInputCountResponse> {
    let app = cx.app(req.user_app_id).await?;
    let n = inputs::count(&app).await?;
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let counts = InputCount {
        processed: number(n.ready),
        to_process: number(n.pending),
        errors: number(n.failed),
        processing: number(n.processing),
        ..Default::default()
    };
    Ok(SingleInputCountResponse { status: status::success(), counts: Some(counts) })
}

pub async fn patch_inputs(cx: Cx, req: PatchInputsRequest) -> Result<MultiInputResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Merge)?;
    for input in &req.inputs {
        // Membership changes through the datasets' own calls.
        paging::refuse_fields("inputs", &[("dataset_ids", !input.dataset_ids.is_empty())])?;
    }
    let read = |(idx, input)| input_data::patch(input, &format!("inputs[{idx}]"));
    let patches = req.inputs.into_iter().enumerate().map(read).collect::<Result<_>>()?;
    let changed = inputs::patch(&app, patches, action).await?;
    let mut answer = many(&cx, &app, &changed);
    for input in &mut answer.inputs {
        input.status = Some(cx.status(Code::InputModifySuccess));
    }
    Ok(answer)
}

pub async fn delete_input(cx: Cx, req: DeleteInputRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    inputs::delete(&app, &[req.input_id]).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn delete_inputs(cx: Cx, req: DeleteInputsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    match (req.delete_all, req.ids.is_empty()) {
        (true, true) => inputs::delete_all(&app).await?,
        (true, false) => return Err(Error::invalid("delete_all", "and ids exclude each other")),
        (false, _) => inputs::delete(&app, &req.ids).await?,
    }
    Ok(BaseResponse { status: status::success() })
}

fn many(cx: &Cx, app: &AppCtx, found: &[CoreInput]) -> MultiInputResponse {
    let inputs = found.iter().map(|input| to_wire(cx, app, input)).collect();
    MultiInputResponse { status: status::success(), inputs, ..Default::default() }
}

/// The states that a status code to list by stands for.
fn states(code: i32) -> Result<Vec<StateFilter>> {
    match Code::try_from(code) {
        Ok(Code::Zero) => Ok(Vec::new()),
        Ok(Code::InputSuccess) => Ok(vec![StateFilter::Ready]),
        Ok(Code::InputPending) => Ok(vec![StateFilter::Pending]),
        Ok(Code::InputInProgress) => Ok(vec![StateFilter::Processing]),
        Ok(Code::InputFailed) => Ok(vec![StateFilter::Failed]),
        _ => Err(Error::invalid("status.code", "must be 30000, 30001, 30002 or 30003")),
    }
}

/// What is told back of an input that was not accepted: everything but its bytes, in whose place the vendor writes `true`.
/// The client of 2018 cannot read an image that has neither address nor bytes.
fn without_bytes(input: &Input) -> Input {
    let data = input.data.clone().unwrap_or_default();
    let image = data.image.filter(|image| !image.url.is_empty() || !image.base64.is_empty());
    let bytes = |image: &Image| if image.base64.is_empty() { Vec::new() } else { b"true".to_vec() };
    let image =
        image.map(|image| Image { base64: bytes(&image).into(), url: image.url, ..Default::default() });
    let video = data.video.filter(|video| !video.url.is_empty());
    let video = video.map(|video| Video { url: video.url, ..Default::default() });
    let audio = data.audio.filter(|audio| !audio.url.is_empty());
    let audio = audio.map(|audio| Audio { url: audio.url, ..Default::default() });
    let data = Data { image, video, audio, text: data.text, ..Default::default() };
    Input { id: input.id.clone(), data: Some(data), ..Default::default() }
}

/// The status of an input that was not accepted.
pub fn item_status(cx: &Cx, error: &Error) -> Status {
    let wire = WireError::of(error, cx.era);
    let code = match (&error.about, wire.code) {
        // Most faults of one item are its arguments; the code must not speak of the whole request.
        (Some(Resource::Field(_)), Code::ConnInvalidRequest | Code::RpcMaxMessageSizeExceeded) => {
            Code::InputInvalidArgument
        }
        (_, code) => code,
    };
    WireError { code, ..wire }.status(cx.era)
}

/// An input as clients see it.
pub fn to_wire(cx: &Cx, app: &AppCtx, input: &CoreInput) -> Input {
    Input {
        id: input.id.clone(),
        data: Some(data(cx, app, input)),
        created_at: documents::time(input.created_at_us),
        modified_at: documents::time(input.modified_at_us),
        status: Some(told(cx, input)),
        dataset_ids: input.dataset_ids.clone(),
        ..Default::default()
    }
}

fn data(cx: &Cx, app: &AppCtx, input: &CoreInput) -> Data {
    let parts = annotation_data::to_wire(&input.parts, &app.app().id, &app.app().user_id);
    let mut data = Data {
        regions: parts.regions,
        frames: parts.frames,
        time_segments: parts.time_segments,
        concepts: input
            .labels
            .iter()
            .map(|label| Concept {
                id: label.concept_id.clone(),
                name: label.name.clone(),
                value: label.value,
                app_id: app.app().id.clone(),
                ..Default::default()
            })
            .collect(),
        metadata: documents::to_struct(&input.metadata),
        geo: input.geo.map(|at| Geo {
            geo_point: Some(GeoPoint { longitude: at.longitude as f32, latitude: at.latitude as f32 }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let url = input.url.clone().unwrap_or_default();
    match input.kind {
        MediaKind::Image => data.image = Some(image(cx, app, input, url)),
        MediaKind::Video => data.video = Some(video(cx, app, input, url)),
        MediaKind::Audio => data.audio = Some(audio(cx, app, input, url)),
        MediaKind::Text => data.text = Some(text(cx, app, input, url)),
    }
    data
}

/// What was uploaded has no address of its own; clients insist on one.
fn own_or_hosted(url: String, hosted: Option<&HostedUrl>) -> String {
    match hosted {
        Some(hosted) if url.is_empty() => format!("{}/orig/{}", hosted.prefix, hosted.suffix),
        _ => url,
    }
}

fn text(cx: &Cx, app: &AppCtx, input: &CoreInput, url: String) -> Text {
    let raw = input.text.clone().unwrap_or_default();
    let char_count = i32::try_from(raw.chars().count()).unwrap_or(i32::MAX);
    let text_info = input.text.as_ref().map(|_| TextInfo { char_count, encoding: "UTF-8".to_owned() });
    Text { raw, url, hosted: hosted::address(cx, app, input), text_info, ..Default::default() }
}

fn audio(cx: &Cx, app: &AppCtx, input: &CoreInput, url: String) -> Audio {
    let hosted = hosted::address(cx, app, input);
    let format = input.hosted.as_ref().and_then(|h| h.mime.as_deref()).and_then(|m| m.strip_prefix("audio/"));
    Audio {
        url: own_or_hosted(url, hosted.as_ref()),
        audio_info: format.map(|format| AudioInfo { audio_format: format.to_owned(), ..Default::default() }),
        hosted,
        ..Default::default()
    }
}

fn video(cx: &Cx, app: &AppCtx, input: &CoreInput, url: String) -> Video {
    let hosted = hosted::address(cx, app, input);
    let number = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
    Video {
        url: own_or_hosted(url, hosted.as_ref()),
        video_info: input.video.as_ref().map(|about| VideoInfo {
            width: number(about.width.into()),
            height: number(about.height.into()),
            fps: about.fps,
            video_format: about.format.clone(),
            bit_rate: number(about.bit_rate),
            frame_count: number(about.n_frames),
            duration_seconds: about.duration_ms as f32 / 1000.0,
        }),
        hosted,
        hosted_thumbnail: hosted::thumbnail(cx, app, input),
        ..Default::default()
    }
}

fn image(cx: &Cx, app: &AppCtx, input: &CoreInput, url: String) -> Image {
    let hosted = hosted::address(cx, app, input);
    let url = own_or_hosted(url, hosted.as_ref());
    let side = |n: Option<u32>| n.and_then(|n| i32::try_from(n).ok()).unwrap_or_default();
    let format = input.hosted.as_ref().and_then(|h| h.mime.as_deref()).and_then(|m| m.strip_prefix("image/"));
    Image {
        url,
        image_info: input.width.map(|_| ImageInfo {
            width: side(input.width),
            height: side(input.height),
            format: format.unwrap_or_default().to_ascii_uppercase(),
            ..Default::default()
        }),
        crop: input.crop.map(|c| vec![c.top, c.left, c.bottom, c.right]).unwrap_or_default(),
        hosted,
        ..Default::default()
    }
}

/// An input that the app's default workflow failed for is there all the same, and says so.
fn told(cx: &Cx, input: &CoreInput) -> Status {
    let status = state(cx, &input.state);
    match (&input.state, &input.workflow_failure) {
        (InputState::Ready, Some(failure)) => Status { details: failure.clone(), ..status },
        _ => status,
    }
}

fn state(cx: &Cx, state: &InputState) -> Status {
    match state {
        InputState::Pending => cx.status(Code::InputPending),
        InputState::Processing => cx.status(Code::InputInProgress),
        InputState::Ready => cx.status(Code::InputSuccess),
        InputState::Failed { code, message } => {
            Status { details: message.clone(), ..cx.status(failure(*code)) }
        }
    }
}

fn failure(code: FailureCode) -> Code {
    match code {
        FailureCode::DownloadFailed | FailureCode::InvalidImage | FailureCode::Cancelled => Code::InputFailed,
        FailureCode::DownloadTimeout => Code::InputConnectionFailed,
        FailureCode::AddressForbidden => Code::InputInvalidUrl,
        FailureCode::TooLarge => Code::InputOverLimit,
        FailureCode::Unsupported => Code::InputUnsupportedFormat,
        FailureCode::Internal => Code::InputUncategorized,
    }
}
