//! The manifest of a model that somebody brings along: what it is, what it takes and what it gives. `docs/own-models.md` is
//! its description for people.

use std::path::{Component, Path};

use ocellus_algo::preprocess::{Channels, Filter, Layout, Resize, Spec};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A manifest as it is written down.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The id to use where none is given.
    #[serde(default)]
    pub id: String,
    /// The name to show.
    #[serde(default)]
    pub name: String,
    /// More words.
    #[serde(default)]
    pub description: String,
    /// The licence, by its SPDX name or in its owner's words.
    #[serde(alias = "license")]
    pub licence: String,
    /// What it does.
    pub task: Task,
    /// The ONNX file, beside the manifest.
    #[serde(default = "usual_model")]
    pub model: String,
    /// The file with the concepts, beside the manifest.
    #[serde(default)]
    pub labels: String,
    /// What goes in.
    pub input: Input,
    /// What comes out.
    #[serde(default)]
    pub output: Output,
}

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Says which concepts an image shows.
    Concepts,
    /// Describes an image as a vector.
    Embedding,
    /// Finds things and says where they are.
    Detector,
}

/// What goes in.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The name of the input; its only one if empty.
    #[serde(default)]
    pub name: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// How an image is brought to that size.
    #[serde(default = "usual_resize")]
    pub resize: Resize,
    /// The resampling filter.
    #[serde(default = "usual_filter")]
    pub filter: Filter,
    /// Order of the colour channels.
    #[serde(default = "usual_channels")]
    pub channels: Channels,
    /// Order of the axes.
    #[serde(default = "usual_layout")]
    pub layout: Layout,
    /// Subtracted from each channel on the scale 0 to 255.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Divisor of each channel on the scale 0 to 255.
    #[serde(default = "usual_std")]
    pub std: [f32; 3],
}

/// What comes out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// The output with one number for each concept, or with the vector; the first if empty.
    pub name: String,
    /// What makes probabilities of the numbers.
    pub activation: Activation,
    /// Of a detector: the output with the boxes, `[1, boxes, 4]`.
    pub boxes: String,
    /// Of a detector: the output with `[1, boxes]` or, without `classes`, `[1, boxes, concepts]` numbers.
    pub scores: String,
    /// Of a detector: the output with the number of each box's concept; may be empty.
    pub classes: String,
    /// Of a detector: what the four numbers of a box are.
    pub box_format: BoxFormat,
    /// Of a detector: what they are measured in.
    pub box_units: BoxUnits,
    /// Of a detector: the number of the first concept, 1 where 0 stands for the background.
    pub first_class: u32,
    /// Of a detector: boxes that are less sure are left out, 0 to 1.
    pub min_score: f32,
}

/// What makes probabilities of a model's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// They are probabilities.
    #[default]
    None,
    /// One of the concepts is shown.
    Softmax,
    /// Each concept is shown or not.
    Sigmoid,
}

/// What the four numbers of a box are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoxFormat {
    /// Left, top, right, bottom.
    #[default]
    Xyxy,
    /// Top, left, bottom, right.
    Yxyx,
    /// Left, top, width, height.
    Xywh,
    /// The middle, width, height.
    Cxcywh,
}

/// What the numbers of a box are measured in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoxUnits {
    /// Pixels of the input.
    #[default]
    Pixels,
    /// Fractions of the input's width and height.
    Fractions,
}

/// A concept that a model tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelConcept {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
}

/// The largest side of an input, in pixels.
const MAX_SIDE: u32 = 4096;

fn usual_model() -> String {
    "model.onnx".to_owned()
}

fn usual_resize() -> Resize {
    Resize::Stretch
}

fn usual_filter() -> Filter {
    Filter::Bilinear
}

fn usual_channels() -> Channels {
    Channels::Rgb
}

fn usual_layout() -> Layout {
    Layout::Nchw
}

fn usual_std() -> [f32; 3] {
    [255.0; 3]
}

impl Manifest {
    /// Reads a manifest: JSON if it begins with a brace, else TOML. `Invalid` with the place of the fault.
    pub fn read(text: &str) -> Result<Self> {
        let read: Result<Self, String> = match text.trim_start().starts_with('{') {
            true => serde_json::from_str(text).map_err(|error| error.to_string()),
            false => toml::from_str(text).map_err(|error| error.to_string()),
        };
        let manifest = read.map_err(|why| wrong(&format!("cannot be read: {}", why.trim_end())))?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<()> {
        if self.licence.trim().is_empty() || self.licence.len() > 1000 {
            return Err(wrong("must name a licence, of at most 1000 bytes"));
        }
        for (field, file) in [("model", &self.model), ("labels", &self.labels)] {
            if !file.is_empty() && !lies_beside(file) {
                return Err(wrong(&format!("{field} must be a file beside the manifest, not '{file}'")));
            }
        }
        let input = &self.input;
        if ![input.width, input.height].iter().all(|side| (1..=MAX_SIDE).contains(side)) {
            return Err(wrong(&format!("input.width and input.height must be 1 to {MAX_SIDE}")));
        }
        if let Resize::CenterCrop { resize_short } = input.resize
            && !(1..=MAX_SIDE).contains(&resize_short)
        {
            return Err(wrong(&format!("input.resize.center_crop.resize_short must be 1 to {MAX_SIDE}")));
        }
        let is_sound = |x: &f32| x.is_finite();
        if !input.mean.iter().all(is_sound) || !input.std.iter().all(|x| is_sound(x) && *x != 0.0) {
            return Err(wrong("input.mean and input.std must be numbers, and std not 0"));
        }
        self.check_output()
    }

    fn check_output(&self) -> Result<()> {
        let output = &self.output;
        let is_detector = self.task == Task::Detector;
        if is_detector && (output.boxes.is_empty() || output.scores.is_empty()) {
            return Err(wrong("output.boxes and output.scores must name outputs of a detector"));
        }
        let names_boxes =
            [&output.boxes, &output.scores, &output.classes].iter().any(|name| !name.is_empty());
        if !is_detector && names_boxes {
            return Err(wrong("output.boxes, output.scores and output.classes are for detectors"));
        }
        if !(0.0..=1.0).contains(&output.min_score) {
            return Err(wrong("output.min_score must be 0 to 1"));
        }
        match (self.task, self.labels.is_empty()) {
            (Task::Embedding, false) => Err(wrong("labels are for models that tell concepts")),
            (Task::Concepts | Task::Detector, true) => {
                Err(wrong("labels must name the file with the concepts"))
            }
            _ => Ok(()),
        }
    }

    /// How an image becomes the input.
    pub fn spec(&self) -> Spec {
        let input = &self.input;
        Spec {
            width: input.width,
            height: input.height,
            resize: input.resize,
            filter: input.filter,
            channels: input.channels,
            layout: input.layout,
            mean: input.mean,
            std: input.std,
        }
    }
}

/// Whether a path names a file in the same folder or below, and nothing else.
fn lies_beside(file: &str) -> bool {
    let mut parts = Path::new(file).components();
    !file.contains('\\') && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// The concepts of a labels file: one a line, as `id<TAB>name` or only a name, whose id is then made from it.
pub fn read_labels(text: &str) -> Result<Vec<ModelConcept>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut concepts: Vec<ModelConcept> = Vec::new();
    for line in lines {
        let (id, name) = match line.split_once('\t') {
            Some((id, name)) => (id.trim().to_owned(), name.trim()),
            None => (id_of(line), line.trim()),
        };
        crate::accounts::check_id("labels", &id)?;
        crate::accounts::check_id("labels", name)?;
        concepts.push(ModelConcept { id, name: name.to_owned() });
    }
    let mut ids: Vec<&str> = concepts.iter().map(|concept| concept.id.as_str()).collect();
    ids.sort_unstable();
    if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::invalid("labels", format!("names the concept '{}' twice", pair[0])));
    }
    Ok(concepts)
}

/// A name as an id: letters and digits, with a dash for everything between.
fn id_of(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

pub(super) fn wrong(why: &str) -> Error {
    Error::invalid("the manifest", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "task = 'embedding'\nlicence = 'MIT'\n[input]\nwidth = 8\nheight = 8\n";

    #[test]
    fn the_least_manifest_has_the_usual_preprocessing() {
        let manifest = Manifest::read(LEAST).unwrap();
        assert_eq!(manifest.model, "model.onnx");
        let spec = manifest.spec();
        assert_eq!((spec.layout, spec.channels, spec.resize), (Layout::Nchw, Channels::Rgb, Resize::Stretch));
        assert_eq!((spec.mean, spec.std), ([0.0; 3], [255.0; 3]));
        let json = r#"{"task": "embedding", "license": "MIT", "input": {"width": 8, "height": 8}}"#;
        assert_eq!(Manifest::read(json).unwrap(), manifest);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_place() {
        let table = [
            ("licence = 'MIT'", "licence = ''", "must name a licence"),
            ("task = 'embedding'", "task = 'poems'", "unknown variant `poems`"),
            ("task = 'embedding'", "task = 'concepts'", "labels must name"),
            ("task = 'embedding'", "task = 'detector'\nlabels = 'l.txt'", "output.boxes"),
            ("task = 'embedding'", "task = 'embedding'\nlabels = 'l.txt'", "labels are for"),
            ("task = 'embedding'", "task = 'embedding'\nmodel = '../m.onnx'", "beside the manifest"),
            ("task = 'embedding'", "task = 'embedding'\nmodel = '/etc/passwd'", "beside the manifest"),
            ("task = 'embedding'", "task = 'embedding'\ncolour = 1", "unknown field `colour`"),
            ("width = 8", "width = 0", "must be 1 to 4096"),
            ("width = 8", "width = 8\nstd = [1, 1, 0]", "std not 0"),
            ("width = 8", "width = 8\nmean = [nan, 0, 0]", "must be numbers"),
        ];
        for (from, to, expected) in table {
            let error = Manifest::read(&LEAST.replace(from, to)).unwrap_err();
            assert!(error.message.contains(expected), "{to}: {error}");
        }
    }

    #[test]
    fn labels_have_ids_of_their_own_or_from_their_names() {
        let concepts = read_labels("bird-1\tRobin\nGreat  Tit (male)\n\nÜberfliege\n").unwrap();
        let pairs: Vec<_> = concepts.iter().map(|c| (c.id.as_str(), c.name.as_str())).collect();
        let expected =
            [("bird-1", "Robin"), ("great-tit-male", "Great  Tit (male)"), ("überfliege", "Überfliege")];
        assert_eq!(pairs, expected);
        for (text, expected) in [("a\nA\n", "twice"), ("!!\n", "1 to 128"), ("a\t\n", "1 to 128")] {
            assert!(read_labels(text).unwrap_err().message.contains(expected), "{text}");
        }
    }
}
