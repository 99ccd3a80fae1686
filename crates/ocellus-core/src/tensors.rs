//! Models asked in tensors: named arrays go in and come out, for callers that prepare images themselves; or encoded images
//! go in, and the answer comes as arrays.

mod answer;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use ocellus_algo::nn::{self, OnnxAbout, Port, Tensor};

use crate::learning::Artefact;
use crate::model_packages::OwnModels;
use crate::models::{self, Predictor};
use crate::predict::{self, PredictInput, PredictOptions, Subject};
use crate::usage::{self, Call, Done, OperationKind};
use crate::{AppCtx, Error, Platform, Resource, Result, Source};

/// The most rows of one call.
pub const MAX_ROWS: usize = 128;
/// The input that takes encoded images, of every model.
pub const IMAGE: &str = "image";
/// The input of models that stand on the vectors of another.
const FEATURES: &str = "features";

/// A named array.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Its name.
    pub name: String,
    /// Sizes of its axes.
    pub shape: Vec<usize>,
    /// Its values, the last axis fastest.
    pub values: Values,
}

/// The values of an array.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers.
    F32(Vec<f32>),
    /// Whole numbers.
    U64(Vec<u64>),
    /// Texts, or the bytes of files.
    Bytes(Vec<Bytes>),
}

/// The kind of an array's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers.
    F32,
    /// Whole numbers.
    U64,
    /// Texts, or the bytes of files.
    Bytes,
}

/// An array that a model takes or gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// The kind of its values.
    pub kind: Kind,
    /// Sizes of its axes; `None` is any size.
    pub shape: Vec<Option<usize>>,
}

/// What a model takes and gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The id.
    pub name: String,
    /// The version that answers.
    pub version: String,
    /// Its licence.
    pub licence: String,
    /// What it takes: one of these.
    pub inputs: Vec<Place>,
    /// What it gives: those that follow from the input.
    pub outputs: Vec<Place>,
}

/// What is asked of a model.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The model.
    pub model_id: String,
    /// The version; the newest that is trained if empty.
    pub version_id: String,
    /// What goes in.
    pub inputs: Vec<NamedTensor>,
    /// Outputs by name; all if empty.
    pub wanted: Vec<String>,
    /// How many concepts are told of an image at most.
    pub max_concepts: u32,
}

/// What a model takes and gives. `NotFound` if there is none, `Unsupported` if it cannot be asked.
pub async fn about(app: &AppCtx, model_id: &str, version_id: &str) -> Result<About> {
    let version = (!version_id.is_empty()).then_some(version_id);
    let predictor = models::to_predict(app, model_id, version).await?;
    let (name, version, licence) = match &predictor {
        Predictor::Public(spec) => (spec.id.clone(), spec.version_id().to_owned(), spec.licence.clone()),
        Predictor::Own { model, version, .. } => {
            (model.id.clone(), version.id.clone(), version.doc.license.clone())
        }
    };
    let image = Place { name: IMAGE.to_owned(), kind: Kind::Bytes, shape: vec![None] };
    let mut about =
        About { name, version, licence, inputs: vec![image], outputs: answer::places(&predictor) };
    match network(app.platform(), &predictor).await? {
        Some((inputs, outputs)) => {
            about.inputs.extend(inputs.iter().map(place));
            about.outputs.extend(outputs.iter().map(place));
        }
        None => about.inputs.extend(features_of(&predictor)),
    }
    Ok(about)
}

/// Asks a model; every call counts its rows as predictions.
pub async fn infer(app: &AppCtx, question: Question) -> Result<(About, Vec<NamedTensor>)> {
    let about = about(app, &question.model_id, &question.version_id).await?;
    let [input] = question.inputs.as_slice() else {
        return Err(Error::invalid("inputs", "must hold one tensor"));
    };
    let n_rows = input.shape.first().copied().unwrap_or(0);
    if !(1..=MAX_ROWS).contains(&n_rows) {
        return Err(Error::invalid("inputs", format!("must have 1 to {MAX_ROWS} rows")));
    }
    let call = Call {
        operation: "ModelInfer".to_owned(),
        kind: OperationKind::Predict,
        n_operations: n_rows as u64,
        free: false,
        is_part: false,
    };
    let begun = usage::begin(app.platform(), app.caller(), call).await?;
    let version = (!question.version_id.is_empty()).then_some(question.version_id.as_str());
    let predictor = models::to_predict(app, &question.model_id, version).await?;
    let mut outputs = match &input.values {
        Values::Bytes(files) => of_images(app, &predictor, files, question.max_concepts).await?,
        Values::F32(numbers) => of_numbers(app, &predictor, input, numbers).await?,
        Values::U64(_) => return Err(Error::invalid("inputs", "must hold FP32 or BYTES")),
    };
    if !question.wanted.is_empty() {
        let known = |name: &String| outputs.iter().any(|output| output.name == *name);
        if let Some(unknown) = question.wanted.iter().find(|name| !known(name)) {
            return Err(Error::invalid(
                "outputs",
                format!("names '{unknown}', which this input does not give"),
            ));
        }
        outputs.retain(|output| question.wanted.contains(&output.name));
    }
    let done = Done {
        app_owner_id: app.app().user_id.clone(),
        app_id: app.app().id.clone(),
        model_id: about.name.clone(),
        n_operations: n_rows as u64,
    };
    begun.end(done).await;
    Ok((about, outputs))
}

/// Images as files: an image that cannot be looked at fails the whole call, as there is no place to say so beside the others.
async fn of_images(
    app: &AppCtx,
    predictor: &Predictor,
    files: &[Bytes],
    max_concepts: u32,
) -> Result<Vec<NamedTensor>> {
    let input =
        |file: &Bytes| PredictInput { subject: Subject::Source(Source::Bytes(file.clone())), crop: None };
    let max_concepts = if max_concepts == 0 { PredictOptions::default().max_concepts } else { max_concepts };
    let options = PredictOptions { max_concepts, ..PredictOptions::default() };
    let answers = predict::run(app, predictor, files.iter().map(input).collect(), &options).await?;
    let mut said = Vec::with_capacity(answers.len());
    for (idx, answer) in answers.into_iter().enumerate() {
        said.push(answer.map_err(|mut error| {
            error.message = format!("image {idx}: {}", error.message);
            error
        })?);
    }
    answer::tensors(&said)
}

/// Numbers as the network takes them, or the vectors that a trained model stands on.
async fn of_numbers(
    app: &AppCtx,
    predictor: &Predictor,
    input: &NamedTensor,
    numbers: &[f32],
) -> Result<Vec<NamedTensor>> {
    let platform = app.platform();
    let Some((inputs, outputs)) = network(platform, predictor).await? else {
        return of_features(app, predictor, input, numbers).await;
    };
    check(input, &inputs[..1.min(inputs.len())])?;
    let tensor = Tensor::new(input.shape.clone(), numbers.to_vec())?;
    let mut runs = Vec::new();
    // Row by row: the engine puts those together that it runs together.
    for row in tensor.split() {
        runs.push(run(platform, predictor, row).await?);
    }
    let join = |(idx, port): (usize, &Port)| {
        let parts: Vec<Tensor> = runs.iter().filter_map(|run| run.get(idx).cloned()).collect();
        let joined = if parts.len() == 1 { parts.into_iter().next() } else { Tensor::stack(&parts).ok() };
        let uneven =
            || Error::unsupported(format!("the output '{}' differs in size from row to row", port.name));
        let Tensor { shape, data } = joined.ok_or_else(uneven)?;
        Ok(NamedTensor { name: port.name.clone(), shape, values: Values::F32(data) })
    };
    outputs.iter().enumerate().map(join).collect()
}

async fn run(platform: &Platform, predictor: &Predictor, row: Tensor) -> Result<Vec<Tensor>> {
    match predictor {
        Predictor::Public(spec) => {
            let file = spec.file.as_ref();
            let none =
                || Error::unsupported("the model has no network").about(Resource::Model(spec.id.clone()));
            platform.engine().run(file.ok_or_else(none)?, row).await
        }
        Predictor::Own { artefact, version, .. } => match &**artefact {
            Artefact::Onnx(onnx) => onnx.run(platform, row).await,
            Artefact::Classifier(_)
            | Artefact::Embedder(_)
            | Artefact::Clusterer(_)
            | Artefact::Detector(_) => {
                let about = Resource::ModelVersion(version.id.clone());
                Err(Error::unsupported("the model has no network of its own").about(about))
            }
        },
    }
}

async fn of_features(
    app: &AppCtx,
    predictor: &Predictor,
    input: &NamedTensor,
    numbers: &[f32],
) -> Result<Vec<NamedTensor>> {
    let places: Vec<Place> = features_of(predictor).into_iter().collect();
    let (Predictor::Own { artefact, .. }, [place]) = (predictor, places.as_slice()) else {
        return Err(Error::unsupported("this model takes images, as BYTES in the input 'image'"));
    };
    let width = input.shape.get(1).copied().unwrap_or(0);
    let fits =
        input.shape.len() == 2 && place.shape.get(1).is_some_and(|size| size.is_none_or(|n| n == width));
    if input.name != place.name || !fits || width == 0 {
        return Err(misfit(&place.name, &place.shape));
    }
    let (artefact, rows) = (Arc::clone(artefact), numbers.to_vec());
    let work = move || {
        let said = rows.chunks(width).map(|row| predict::of_features(&artefact, row));
        said.collect::<Result<Option<Vec<Vec<f32>>>>>()
    };
    let Some(rows) = app.platform().engine().cpu(work).await?? else {
        return Err(Error::unsupported("this model takes images, as BYTES in the input 'image'"));
    };
    let shape = vec![rows.len(), rows.first().map_or(0, Vec::len)];
    let name = answer::of_features(predictor).to_owned();
    Ok(vec![NamedTensor { name, shape, values: Values::F32(rows.concat()) }])
}

/// The input of a trained model that stands on the vectors of another, if it is one that needs only those.
fn features_of(predictor: &Predictor) -> Option<Place> {
    let Predictor::Own { version, artefact, .. } = predictor else { return None };
    if matches!(**artefact, Artefact::Onnx(_)) {
        return None;
    }
    let on = version.doc.trained_on.as_ref()?;
    let n = usize::try_from(on.backbone.dimensions).ok().filter(|n| *n > 0);
    Some(Place { name: FEATURES.to_owned(), kind: Kind::F32, shape: vec![None, n] })
}

/// What the network of a model takes and gives, if it has one.
async fn network(platform: &Platform, predictor: &Predictor) -> Result<Option<(Vec<Port>, Vec<Port>)>> {
    match predictor {
        Predictor::Public(spec) => {
            let Some(file) = &spec.file else { return Ok(None) };
            let path = file.path.clone();
            let read = move || nn::inspect(&path);
            let about = platform.own_models().about(&file.path, read).await?;
            Ok(Some((about.inputs.clone(), about.outputs.clone())))
        }
        Predictor::Own { artefact, .. } => match &**artefact {
            Artefact::Onnx(onnx) => Ok(Some((vec![onnx.input.clone()], onnx.outputs.clone()))),
            Artefact::Classifier(_)
            | Artefact::Embedder(_)
            | Artefact::Clusterer(_)
            | Artefact::Detector(_) => Ok(None),
        },
    }
}

impl OwnModels {
    /// What a weight file says of itself, read once.
    async fn about(
        &self,
        path: &std::path::Path,
        read: impl FnOnce() -> ocellus_algo::error::Result<OnnxAbout> + Send + 'static,
    ) -> Result<Arc<OnnxAbout>> {
        if let Some(known) = self.known().lock().get(path) {
            return Ok(Arc::clone(known));
        }
        let missing = || Error::unavailable("the weights of the model are not installed; run `make setup`");
        let found = tokio::task::spawn_blocking(read).await.map_err(Error::internal)?;
        let found = Arc::new(found.map_err(|error| missing().caused_by(anyhow::anyhow!("{error}")))?);
        self.known().lock().insert(path.to_owned(), Arc::clone(&found));
        Ok(found)
    }
}

fn place(port: &Port) -> Place {
    Place { name: port.name.clone(), kind: Kind::F32, shape: port.shape.clone() }
}

fn check(input: &NamedTensor, ports: &[Port]) -> Result<()> {
    let [port] = ports else {
        return Err(Error::unsupported("the model has no network that takes one tensor"));
    };
    let sizes = port.shape.iter().zip(&input.shape).skip(1);
    let fits = port.shape.len() == input.shape.len()
        && sizes.into_iter().all(|(declared, given)| declared.is_none_or(|n| n == *given));
    if input.name == port.name && fits { Ok(()) } else { Err(misfit(&port.name, &port.shape)) }
}

fn misfit(name: &str, shape: &[Option<usize>]) -> Error {
    let sizes: Vec<String> =
        shape.iter().skip(1).map(|size| size.map_or("any".to_owned(), |n| n.to_string())).collect();
    Error::invalid(
        "inputs",
        format!("must be '{name}' of shape [rows, {}], or '{IMAGE}' of BYTES", sizes.join(", ")),
    )
}
