//! Trying out a model that somebody brings along: read without running it, then loaded and run over two pictures in a
//! process of its own.

use std::path::Path;

use ocellus_algo::image::RgbImage;
use ocellus_algo::nn::{self, OnnxAbout, Port, Tensor};
use ocellus_algo::preprocess::{self, Layout};

use super::manifest::{Manifest, ModelConcept, Output, Task, wrong};
use crate::engine::{self, IsolationConfig, ModelFile};
use crate::learning::{OnnxAnswer, OnnxModel};
use crate::{Error, Result};

/// How much the numbers of an image may differ when others are run with it.
const BATCH_TOLERANCE: f32 = 1e-3;

/// What a model turns out to be; its weights have no key yet. Blocks.
pub fn run(
    isolation: &IsolationConfig,
    manifest: &Manifest,
    concepts: Vec<ModelConcept>,
    onnx: &Path,
) -> Result<OnnxModel> {
    let about = nn::inspect(onnx)?;
    check_outside(&about)?;
    let input = input(&about, manifest)?;
    let size_bytes = std::fs::metadata(onnx).map_err(Error::internal)?.len();
    let mut model = OnnxModel {
        weights: String::new(),
        size_bytes,
        batches: false,
        preprocess: manifest.spec(),
        answer: answer(&about, manifest)?,
        input,
        outputs: about.outputs,
        concepts,
        licence: manifest.licence.clone(),
    };
    let name = if manifest.id.is_empty() { "model" } else { &manifest.id };
    let file = ModelFile { id: name.to_owned(), path: onnx.to_owned(), size_bytes, batches: false };
    let inputs = pictures(manifest);
    let alone = engine::try_out(isolation, &file, &inputs)?;
    let size = (manifest.input.width, manifest.input.height);
    for outputs in &alone {
        model.read(outputs, size)?;
    }
    model.batches = model.input.shape.first() == Some(&None) && batches(isolation, &file, &inputs, &alone);
    Ok(model)
}

/// What a model needs beside its own file cannot be given, and would get around every limit.
pub fn check_outside(about: &OnnxAbout) -> Result<()> {
    if about.has_external_data {
        let why = "keeps its weights in another file; save it as one file (onnx.save with save_as_external_data=False)";
        return Err(Error::unsupported(format!("the model {why}")));
    }
    if !about.unknown_domains.is_empty() {
        let domains = about.unknown_domains.join(", ");
        let why = format!("the model uses operators of {domains}, and libraries of operators are not loaded");
        return Err(Error::unsupported(why));
    }
    Ok(())
}

fn input(about: &OnnxAbout, manifest: &Manifest) -> Result<Port> {
    let names: Vec<&str> = about.inputs.iter().map(|port| port.name.as_str()).collect();
    let [only] = about.inputs.as_slice() else {
        return Err(Error::unsupported(format!("the model has the inputs {names:?}; it must have one")));
    };
    let wanted = &manifest.input;
    if !wanted.name.is_empty() && wanted.name != only.name {
        return Err(wrong(&format!(
            "input.name is '{}', but the model's input is '{}'",
            wanted.name, only.name
        )));
    }
    if !only.is_f32() {
        return Err(Error::unsupported("the model's input does not hold numbers of 32 bits (float32)"));
    }
    let (width, height) = (wanted.width as usize, wanted.height as usize);
    let fits = match wanted.layout {
        Layout::Nchw => [1, 3, height, width],
        Layout::Nhwc => [1, height, width, 3],
    };
    let same = only.shape.len() == 4
        && only.shape.iter().zip(fits).all(|(declared, given)| declared.is_none_or(|size| size == given));
    if !same {
        let declared: Vec<String> =
            only.shape.iter().map(|size| size.map_or("any".to_owned(), |n| n.to_string())).collect();
        let text = format!("input gives {fits:?}, but the model takes [{}]", declared.join(", "));
        return Err(wrong(&text));
    }
    Ok(only.clone())
}

fn answer(about: &OnnxAbout, manifest: &Manifest) -> Result<OnnxAnswer> {
    let place = |name: &str| {
        let names: Vec<&str> = about.outputs.iter().map(|port| port.name.as_str()).collect();
        let found = names.iter().position(|known| *known == name);
        found.ok_or_else(|| wrong(&format!("names the output '{name}', but the model has {names:?}")))
    };
    let Output { name, activation, boxes, scores, classes, .. } = &manifest.output;
    let one = || match (name.is_empty(), about.outputs.is_empty()) {
        (true, true) => Err(Error::unsupported("the model has no output")),
        (true, false) => Ok(0),
        (false, _) => place(name),
    };
    Ok(match manifest.task {
        Task::Concepts => OnnxAnswer::Concepts { output: one()?, activation: *activation },
        Task::Embedding => OnnxAnswer::Embedding { output: one()? },
        Task::Detector => OnnxAnswer::Detector {
            boxes: place(boxes)?,
            scores: place(scores)?,
            classes: if classes.is_empty() { None } else { Some(place(classes)?) },
            activation: *activation,
            format: manifest.output.box_format,
            units: manifest.output.box_units,
            first_class: manifest.output.first_class,
            min_score: manifest.output.min_score,
        },
    })
}

/// Two pictures that differ in every place, as the model takes them.
fn pictures(manifest: &Manifest) -> Vec<Tensor> {
    let (width, height) = (manifest.input.width, manifest.input.height);
    let spec = manifest.spec();
    let picture = |turn: u32| {
        let value = |idx: usize| (idx as u32).wrapping_mul(37 + turn * 20).wrapping_add(turn * 91) % 251;
        let bytes = (0..(width * height * 3) as usize).map(|idx| value(idx) as u8).collect();
        RgbImage::from_raw(width, height, bytes).map(|image| preprocess::apply(&spec, &image))
    };
    [0, 1].into_iter().filter_map(picture).collect()
}

/// Whether each picture gets the same numbers together with another as alone.
fn batches(isolation: &IsolationConfig, file: &ModelFile, inputs: &[Tensor], alone: &[Vec<Tensor>]) -> bool {
    let together = Tensor::stack(inputs).map_err(Error::from);
    let outputs = together.and_then(|stacked| engine::try_out(isolation, file, &[stacked]));
    let Ok(outputs) = outputs.map(|mut runs| runs.pop().unwrap_or_default()) else { return false };
    outputs.into_iter().enumerate().all(|(idx, output)| {
        let parts = output.split();
        parts.len() == inputs.len()
            && parts
                .iter()
                .zip(alone)
                .all(|(part, outputs)| outputs.get(idx).is_some_and(|one| same(part, one)))
    })
}

fn same(a: &Tensor, b: &Tensor) -> bool {
    let close = |(x, y): (&f32, &f32)| (x - y).abs() <= BATCH_TOLERANCE * (1.0 + y.abs());
    a.shape == b.shape && a.data.iter().zip(&b.data).all(close)
}
