//! Predictions: `PostModelOutputs` and the wire form of an output.

use bytes::Bytes;
use ocellus_core::models::Predictor;
use ocellus_core::predict::{
    self, ConceptSelector, PredictInput, PredictOptions, Prediction, Scored, Subject,
};
use ocellus_core::video::Sampling;
use ocellus_core::{Error, MediaKind, Result};

use crate::models::{PUBLIC_APP, PUBLIC_USER};
use crate::pb::status::{Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::{Cx, Era};
use crate::{
    collecting, documents, input_data, inputs, items, models, output_regions, runner_outputs, status,
    user_models,
};

pub async fn post_model_outputs(cx: Cx, req: PostModelOutputsRequest) -> Result<MultiOutputResponse> {
    let app = cx.app_with_model(req.user_app_id.clone(), &req.model_id).await?;
    let version = (!req.version_id.is_empty()).then_some(req.version_id.as_str());
    if let Some(model) = ocellus_core::runners::to_predict(&app, &req.model_id, version).await? {
        return runner_outputs::predict(&cx, &app, &model, req).await;
    }
    let predictor = ocellus_core::models::to_predict(&app, &req.model_id, version).await?;
    let options = options(&cx, req.model, &predictor)?;
    let echo: Vec<Input> = req.inputs.iter().map(echo).collect();
    let (subjects, places) = items::read(req.inputs, "inputs", subject)?;
    let results = match subjects.is_empty() {
        true => Vec::new(),
        false => predict::run(&app, &predictor, subjects.clone(), &options).await?,
    };
    collecting::notice(&app, &predictor, subjects, &results).await;
    let results = places.fill(results).into_iter().zip(echo);
    let asked = options.language.is_some();
    let outputs: Vec<Output> =
        results.map(|(result, input)| output(&cx, &predictor, input, result, asked)).collect();
    let status = overall(&cx, &outputs);
    Ok(MultiOutputResponse { status: Some(status), outputs, ..Default::default() })
}

/// An image of the request, or an input of the app when only its id is given.
pub fn subject(input: Input, field: &str) -> Result<PredictInput> {
    let mut data = input.data.unwrap_or_default();
    let empty = data.image.as_ref().is_none_or(|image| image.url.is_empty() && image.base64.is_empty())
        && data.video.is_none()
        && data.audio.is_none()
        && data.text.is_none();
    if empty && !input.id.is_empty() {
        let sides = data.image.map(|image| image.crop).unwrap_or_default();
        let crop = input_data::crop(&sides, &format!("{field}.data.image.crop"))?;
        return Ok(PredictInput { subject: Subject::Input(input.id), crop });
    }
    let media = input_data::media(&mut data, &format!("{field}.data"))?;
    match media.kind {
        MediaKind::Image => Ok(PredictInput { subject: Subject::Source(media.source), crop: media.crop }),
        MediaKind::Video => Ok(PredictInput { subject: Subject::Video(media.source), crop: media.crop }),
        MediaKind::Text | MediaKind::Audio => {
            Err(Error::unsupported(format!("this model takes images and videos, not {}", media.kind.name()))
                .about(ocellus_core::Resource::Image(field.to_owned())))
        }
    }
}

/// The newest clients put the configuration into the model's version.
fn output_config(model: Model) -> Option<OutputConfig> {
    let own = model.output_info.and_then(|info| info.output_config);
    own.or_else(|| model.model_version?.output_info?.output_config)
}

/// What the request asks for; what it leaves open is as the model is set.
pub fn options(cx: &Cx, model: Option<Model>, predictor: &Predictor) -> Result<PredictOptions> {
    let mut config = model.and_then(output_config).unwrap_or_default();
    if let Predictor::Own { model, .. } = predictor {
        let set = &model.doc.output_config;
        let or = |asked: u32, set: u32| if asked == 0 { set } else { asked };
        config.max_concepts = or(config.max_concepts, set.max_concepts);
        config.sample_ms = or(config.sample_ms, set.sample_ms);
        config.min_value = if config.min_value == 0.0 { set.min_value } else { config.min_value };
        if config.language.is_empty() {
            config.language.clone_from(&set.language);
        }
    }
    let max_concepts = if config.max_concepts == 0 { 20 } else { config.max_concepts };
    if max_concepts > 200 {
        return Err(Error::invalid("max_concepts", "must be 1 to 200"));
    }
    if !(0.0..=1.0).contains(&config.min_value) {
        return Err(Error::invalid("min_value", "must be 0 to 1"));
    }
    let select =
        config.select_concepts.into_iter().map(|c| ConceptSelector { id: c.id, name: c.name }).collect();
    let language = (!config.language.is_empty()).then_some(config.language);
    let sample_ms = if config.sample_ms == 0 { 1000 } else { config.sample_ms };
    // The first generation's frames stand for the start of their span.
    let sampling = Sampling { sample_ms, midpoint: cx.era == Era::Current };
    Ok(PredictOptions { max_concepts, min_value: config.min_value, select, language, sampling })
}

/// What an output repeats of its input. Bytes are not sent back, only that there were some.
pub fn echo(input: &Input) -> Input {
    let image = input.data.as_ref().and_then(|d| d.image.as_ref()).map(|image| Image {
        url: image.url.clone(),
        base64: if image.base64.is_empty() { Bytes::new() } else { Bytes::from_static(b"true") },
        crop: image.crop.clone(),
        ..Default::default()
    });
    let some = |bytes: &Bytes| if bytes.is_empty() { Bytes::new() } else { Bytes::from_static(b"true") };
    let video = input.data.as_ref().and_then(|d| d.video.as_ref()).map(|video| Video {
        url: video.url.clone(),
        base64: some(&video.base64),
        ..Default::default()
    });
    let audio = input.data.as_ref().and_then(|d| d.audio.as_ref()).map(|audio| Audio {
        url: audio.url.clone(),
        base64: some(&audio.base64),
        ..Default::default()
    });
    let text = input.data.as_ref().and_then(|d| d.text.as_ref()).map(|text| Text {
        url: text.url.clone(),
        raw: text.raw.clone(),
        ..Default::default()
    });
    let data = Some(Data { image, video, audio, text, ..Default::default() });
    Input { id: input.id.clone(), data, ..Default::default() }
}

/// `says_language`: concepts tell the language of their names, because one was asked for.
pub fn output(
    cx: &Cx,
    predictor: &Predictor,
    mut input: Input,
    result: Result<Prediction>,
    says_language: bool,
) -> Output {
    if input.id.is_empty() {
        input.id = cx.platform.ids().id();
    }
    let (status, data) = match result {
        Ok(prediction) => (cx.status(Code::Success), Some(to_wire(cx, predictor, prediction, says_language))),
        Err(error) => {
            error.log();
            (inputs::item_status(cx, &error), None)
        }
    };
    Output {
        id: cx.platform.ids().id(),
        status: Some(status),
        created_at: documents::time(cx.platform.clock().now_us()),
        model: Some(model(cx, predictor)),
        input: Some(input),
        data,
        ..Default::default()
    }
}

/// Since 2020 a single failed prediction shows its own status at the top.
pub fn overall(cx: &Cx, outputs: &[Output]) -> Status {
    let over_all = status::of_items(cx.era, outputs.iter().map(|o| o.status.as_ref()), &[Code::Success]);
    match (cx.era, outputs) {
        (Era::Current, [Output { status: Some(only), .. }]) if over_all.code == Code::Failure as i32 => {
            only.clone()
        }
        (Era::Current | Era::Y2019, _) => over_all,
    }
}

/// The model as an output names it.
pub fn model(cx: &Cx, predictor: &Predictor) -> Model {
    match predictor {
        Predictor::Public(spec) => models::to_wire(cx, spec),
        Predictor::Own { model, version, .. } => {
            let mut wire = user_models::to_wire(cx, model, version);
            // It stands in every output, and what it was trained on may be long.
            if let Some(version) = &mut wire.model_version {
                (version.metadata, version.train_info) = (None, None);
            }
            wire
        }
    }
}

/// The user and app that a model's concepts are of.
fn place(predictor: &Predictor) -> (&str, &str) {
    match predictor {
        Predictor::Public(_) => (PUBLIC_USER, PUBLIC_APP),
        Predictor::Own { model, .. } => (&model.user_id, &model.app_id),
    }
}

pub fn to_wire(cx: &Cx, predictor: &Predictor, prediction: Prediction, says_language: bool) -> Data {
    let (user_id, app_id) = place(predictor);
    let concept = |scored: Scored| Concept {
        id: scored.concept_id,
        name: scored.name,
        language: if says_language { scored.language } else { String::new() },
        value: scored.probability,
        app_id: app_id.to_owned(),
        // A field that the first generation's clients do not know.
        user_id: if cx.era == Era::Current { user_id.to_owned() } else { String::new() },
        ..Default::default()
    };
    match prediction {
        Prediction::Concepts(concepts) => {
            Data { concepts: concepts.into_iter().map(concept).collect(), ..Default::default() }
        }
        Prediction::Regions(regions) => output_regions::to_wire(cx.era, regions, concept),
        Prediction::Embedding(vector) => {
            let num_dimensions = u32::try_from(vector.len()).unwrap_or(u32::MAX);
            Data { embeddings: vec![Embedding { vector, num_dimensions }], ..Default::default() }
        }
        Prediction::Colors(colors) => {
            let colors = colors.into_iter().map(|color| Color {
                raw_hex: color.hex,
                w3c: Some(W3c { hex: color.w3c_hex, name: color.w3c_name }),
                value: color.fraction,
            });
            Data { colors: colors.collect(), ..Default::default() }
        }
        Prediction::Focus(focus) => {
            let focus = Focus { density: focus.sharpness, value: focus.sharpness };
            Data { focus: Some(focus), ..Default::default() }
        }
        Prediction::Frames(frames) => {
            let frames = frames.into_iter().map(|frame| Frame {
                frame_info: Some(FrameInfo {
                    index: frame.idx,
                    time: frame.time_ms,
                    number: u32::try_from(frame.number).unwrap_or(u32::MAX),
                }),
                data: Some(to_wire(cx, predictor, frame.prediction, says_language)),
                ..Default::default()
            });
            Data { frames: frames.collect(), ..Default::default() }
        }
        // The vendor has no field for a fingerprint: its 64 bits stand as hex digits.
        Prediction::Fingerprint(bits) => Data { string_value: format!("{bits:016x}"), ..Default::default() },
    }
}
