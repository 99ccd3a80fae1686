//! Pictures that every server can draw, and what a version says of them. They are drawn and not taken from the app, so that a
//! bundle gives away no picture and nothing that could be made of one.

use ocellus_algo::image::RgbImage;
use serde_json::{Value, json};

use super::Sample;
use crate::learning::{Artefact, Backbone};
use crate::models::Predictor;
use crate::predict::{self, PredictInput, PredictOptions, Prediction, Subject};
use crate::user_models::{UserModel, UserModelVersion};
use crate::{AppCtx, Error, Result};

/// How many pictures there are.
const N_PICTURES: u32 = 5;
/// The side of each, in pixels.
const SIDE: u32 = 96;

/// Draws one of the pictures: a slope of colour, stripes, a disc, a board, noise.
pub(super) fn picture(which: u32) -> RgbImage {
    let mut noise = 0x9e37_79b9_u32;
    RgbImage::from_fn(SIDE, SIDE, |x, y| {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        let slope = |at: u32| u8::try_from(at * 255 / (SIDE - 1)).unwrap_or(u8::MAX);
        let middle = SIDE / 2;
        let color = match which % N_PICTURES {
            0 => [slope(x), slope(y), 128],
            1 if x / 8 % 2 == 0 => [230, 60, 40],
            1 => [20, 40, 90],
            2 if x.abs_diff(middle).pow(2) + y.abs_diff(middle).pow(2) < 900 => [250, 200, 30],
            2 => [60, 140, 220],
            3 if (x / 16 + y / 16) % 2 == 0 => [240, 240, 240],
            3 => [15, 60, 25],
            _ => [noise.to_le_bytes()[0], noise.to_le_bytes()[1], noise.to_le_bytes()[2]],
        };
        color.into()
    })
}

/// What a version says of every picture.
pub(super) async fn take(
    app: &AppCtx,
    model: &UserModel,
    version: &UserModelVersion,
    artefact: &std::sync::Arc<Artefact>,
) -> Result<Vec<Sample>> {
    let predictor = Predictor::Own {
        model: model.clone(),
        version: version.clone(),
        artefact: std::sync::Arc::clone(artefact),
    };
    let input = |which| PredictInput { subject: Subject::Picture(picture(which).into()), crop: None };
    let options = PredictOptions { max_concepts: 200, ..PredictOptions::default() };
    let said = predict::run(app, &predictor, (0..N_PICTURES).map(input).collect(), &options).await?;
    let backbone = match &**artefact {
        Artefact::Onnx(_) | Artefact::Detector(_) => None,
        Artefact::Classifier(_) | Artefact::Embedder(_) | Artefact::Clusterer(_) => {
            Some(Backbone::of_trained(app.platform(), version).await?)
        }
    };
    let mut samples = Vec::new();
    for (which, said) in (0..N_PICTURES).zip(said) {
        let mut sample = Sample { picture: which, said: flat(&said?), ..Sample::default() };
        if let Some(backbone) = &backbone
            && let Some(features) = features(app, backbone, input(which)).await?
        {
            sample.expected = numbers(app, artefact, &features).await?;
            sample.features = Some(features);
        }
        samples.push(sample);
    }
    Ok(samples)
}

/// The numbers of a picture that a version stands on.
async fn features(app: &AppCtx, backbone: &Backbone, input: PredictInput) -> Result<Option<Vec<f32>>> {
    let public = Predictor::Public(std::sync::Arc::clone(&backbone.spec));
    let found = predict::run(app, &public, vec![input], &PredictOptions::default()).await?.pop();
    match found.transpose()? {
        Some(Prediction::Embedding(vector)) => Ok(Some(backbone.project(app.platform(), vector).await?)),
        _ => Ok(None),
    }
}

/// What a version makes of such numbers; nothing for one that needs more than numbers.
pub(super) async fn numbers(
    app: &AppCtx,
    artefact: &std::sync::Arc<Artefact>,
    features: &[f32],
) -> Result<Option<Vec<f32>>> {
    let (artefact, features) = (std::sync::Arc::clone(artefact), features.to_vec());
    let work = move || predict::of_features(&artefact, &features);
    app.platform().engine().cpu(work).await?
}

/// A prediction as JSON, with what is compared as numbers.
fn flat(prediction: &Prediction) -> Value {
    match prediction {
        Prediction::Concepts(concepts) => {
            let pair = |one: &predict::Scored| (one.concept_id.clone(), json!(one.probability));
            Value::Object(concepts.iter().map(pair).collect())
        }
        Prediction::Embedding(vector) => json!(vector),
        Prediction::Colors(colors) => json!(colors.iter().map(|color| color.fraction).collect::<Vec<_>>()),
        Prediction::Focus(focus) => json!(focus.sharpness),
        Prediction::Fingerprint(bits) => json!(format!("{bits:016x}")),
        Prediction::Regions(regions) => regions.iter().map(flat_region).collect(),
        Prediction::Frames(frames) => frames.iter().map(|frame| flat(&frame.prediction)).collect(),
    }
}

fn flat_region(region: &predict::RegionPrediction) -> Value {
    let sides = [region.bbox.top, region.bbox.left, region.bbox.bottom, region.bbox.right];
    let told = flat(&Prediction::Concepts(region.concepts.clone()));
    json!({"sides": sides, "probability": region.probability, "told": told})
}

/// Refuses a version that says something else than the samples tell.
pub(super) fn compare(wanted: &[Sample], found: &[Sample], tolerance: f32) -> Result<()> {
    if wanted.is_empty() || wanted.len() != found.len() {
        return Err(Error::invalid("the bundle", format!("must hold {} samples", found.len())));
    }
    for (wanted, found) in wanted.iter().zip(found) {
        let pairs = [
            (json!(wanted.features), json!(found.features)),
            (json!(wanted.expected), json!(found.expected)),
            (wanted.said.clone(), found.said.clone()),
        ];
        let differs = pairs.iter().filter_map(|(wanted, found)| distance(wanted, found)).fold(0.0, f64::max);
        if pairs.iter().any(|(wanted, found)| distance(wanted, found).is_none()) {
            return Err(refused(wanted.picture, "says something of another kind"));
        }
        if differs > f64::from(tolerance) {
            let text = format!("differs by {differs:.5}, and at most {tolerance} is allowed");
            return Err(refused(wanted.picture, &text));
        }
    }
    Ok(())
}

fn refused(picture: u32, what: &str) -> Error {
    let text = format!("the bundle does not do here what it did where it was made: sample {picture} {what}");
    Error::unsupported(text).about(crate::Resource::Model("of the bundle".to_owned()))
}

/// The greatest difference between numbers in the same places; `None` if the places are not the same. A concept that one
/// side left out for being the least probable of very many counts as nought.
fn distance(a: &Value, b: &Value) -> Option<f64> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Some((a.as_f64()? - b.as_f64()?).abs()),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).try_fold(0.0, |most: f64, (a, b)| Some(most.max(distance(a, b)?)))
        }
        (Value::Object(a), Value::Object(b)) => {
            let nought = json!(0.0);
            let keys = a.keys().chain(b.keys());
            keys.into_iter().try_fold(0.0, |most: f64, key| {
                let side = |of: &serde_json::Map<String, Value>| of.get(key).unwrap_or(&nought).clone();
                Some(most.max(distance(&side(a), &side(b))?))
            })
        }
        (a, b) if a == b => Some(0.0),
        _ => None,
    }
}
