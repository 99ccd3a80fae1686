//! A network that somebody brought along, as what a version can do: its weights are a blob of their own, and it runs in a
//! process of its own.

use std::path::PathBuf;

use ocellus_algo::image::RgbImage;
use ocellus_algo::nn::{Port, Tensor};
use ocellus_algo::preprocess::{self, Spec};
use serde::{Deserialize, Serialize};

use crate::engine::ModelFile;
use crate::model_packages::{Activation, BoxFormat, BoxUnits, ModelConcept};
use crate::predict::unit;
use crate::{CropBox, Error, Platform, Resource, Result};

/// The part that its weights play for a version, by name in the store.
pub(crate) const WEIGHTS_ROLE: &str = "weights";
/// The most boxes of one answer.
const MAX_BOXES: usize = 200;

/// A network that somebody brought along.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnnxModel {
    /// The key of the weights' blob.
    pub weights: String,
    /// The size of the weights in bytes.
    pub size_bytes: u64,
    /// Whether several images can be run together.
    pub batches: bool,
    /// How an image becomes its input.
    pub preprocess: Spec,
    /// What goes in.
    pub input: Port,
    /// What comes out, in the order of the graph.
    pub outputs: Vec<Port>,
    /// What the outputs mean.
    pub answer: OnnxAnswer,
    /// Its concepts, in the order of its numbers.
    pub concepts: Vec<ModelConcept>,
    /// Its licence.
    pub licence: String,
}

/// What the outputs mean. Outputs are named by their places.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnnxAnswer {
    /// A number for each concept.
    Concepts {
        /// The output.
        output: usize,
        /// What makes probabilities of them.
        activation: Activation,
    },
    /// A vector.
    Embedding {
        /// The output.
        output: usize,
    },
    /// Boxes with concepts.
    Detector {
        /// Four numbers for each box.
        boxes: usize,
        /// A number for each box, or for each box and concept.
        scores: usize,
        /// The number of each box's concept.
        classes: Option<usize>,
        /// What makes probabilities of the scores.
        activation: Activation,
        /// What the four numbers are.
        format: BoxFormat,
        /// What they are measured in.
        units: BoxUnits,
        /// The number of the first concept.
        first_class: u32,
        /// Less sure boxes are left out.
        min_score: f32,
    },
}

/// What it said of an image.
#[derive(Clone, Debug, PartialEq)]
pub enum OnnxSaid {
    /// A probability for each concept.
    Concepts(Vec<f32>),
    /// A vector of length 1.
    Embedding(Vec<f32>),
    /// The boxes, the surest first.
    Boxes(Vec<OnnxBox>),
}

/// A box with its concept.
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxBox {
    /// Its sides as fractions of the image.
    pub sides: CropBox,
    /// The place of its concept.
    pub class: usize,
    /// How sure it is, 0 to 1.
    pub probability: f32,
}

impl OnnxModel {
    /// The bytes to keep, without the weights.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`OnnxModel::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = |error| Error::invalid("the network", format!("has no description: {error}"));
        serde_json::from_slice(bytes).map_err(wrong)
    }

    /// The weights as the engine knows them, put into the data folder first if they are kept elsewhere. `Internal` if they
    /// are gone.
    pub async fn file(&self, platform: &Platform) -> Result<ModelFile> {
        let file = |path: PathBuf| ModelFile {
            id: format!("own-{}", &self.weights[..self.weights.len().min(16)]),
            path,
            size_bytes: self.size_bytes,
            batches: self.batches,
        };
        if let Some(path) = platform.store().blobs().path(&self.weights) {
            return Ok(file(path));
        }
        let path = platform.own_models().cached(&self.weights);
        let is_there = tokio::fs::metadata(&path).await.is_ok_and(|found| found.len() == self.size_bytes);
        if !is_there {
            let bytes = platform.store().blobs().get(&self.weights).await?;
            let gone =
                || Error::internal(anyhow::anyhow!("the weights {} of a model are gone", self.weights));
            platform.own_models().cache(&path, &bytes.ok_or_else(gone)?).await?;
        }
        Ok(file(path))
    }

    /// Runs it over tensors as they are, all in one; the outputs in the order of the graph.
    pub async fn run(&self, platform: &Platform, input: Tensor) -> Result<Vec<Tensor>> {
        platform.own_models().engine()?.run(&self.file(platform).await?, input).await
    }

    /// What it says of the image that `open` gives; that is called where it may take its time.
    pub async fn judge(
        &self,
        platform: &Platform,
        open: impl FnOnce() -> Result<RgbImage> + Send + 'static,
    ) -> Result<OnnxSaid> {
        let spec = self.preprocess.clone();
        let prepare = move || {
            let image = open()?;
            Ok::<_, Error>((preprocess::apply(&spec, &image), (image.width(), image.height())))
        };
        let (input, size) = platform.engine().cpu(prepare).await??;
        let outputs = self.run(platform, input).await?;
        self.read(&outputs, size)
    }

    /// What outputs for an image of this width and height mean. `Unsupported` about the model if they do not fit what its
    /// manifest says.
    pub fn read(&self, outputs: &[Tensor], size: (u32, u32)) -> Result<OnnxSaid> {
        let output =
            |idx: usize| outputs.get(idx).ok_or_else(|| self.misfit("has fewer outputs than it said"));
        match &self.answer {
            OnnxAnswer::Concepts { output: idx, activation } => {
                let numbers = &output(*idx)?.data;
                if numbers.len() != self.concepts.len() {
                    let text = format!("gave {} numbers for {} concepts", numbers.len(), self.concepts.len());
                    return Err(self.misfit(&text));
                }
                Ok(OnnxSaid::Concepts(self.sound(probabilities(*activation, numbers))?))
            }
            OnnxAnswer::Embedding { output: idx } => {
                let vector = self.sound(output(*idx)?.data.clone())?;
                if vector.iter().all(|x| *x == 0.0) {
                    return Err(self.misfit("gave a vector of noughts"));
                }
                Ok(OnnxSaid::Embedding(unit(&vector)))
            }
            OnnxAnswer::Detector { boxes, scores, classes, .. } => {
                let classes = classes.map(output).transpose()?;
                Ok(OnnxSaid::Boxes(self.boxes(output(*boxes)?, output(*scores)?, classes, size)?))
            }
        }
    }

    fn boxes(
        &self,
        boxes: &Tensor,
        scores: &Tensor,
        classes: Option<&Tensor>,
        size: (u32, u32),
    ) -> Result<Vec<OnnxBox>> {
        let OnnxAnswer::Detector { activation, first_class, min_score, .. } = &self.answer else {
            return Ok(Vec::new());
        };
        let boxes = self.sound(boxes.data.clone())?;
        let scores = self.sound(scores.data.clone())?;
        let boxes = boxes.as_chunks::<4>().0;
        let per_box = scores.len().checked_div(boxes.len()).unwrap_or(0);
        if per_box * boxes.len() != scores.len() || classes.is_some_and(|c| c.data.len() != boxes.len()) {
            return Err(self.misfit("gave other numbers of boxes, scores and classes"));
        }
        let mut found = Vec::new();
        for (idx, (sides, row)) in boxes.iter().zip(scores.chunks(per_box.max(1))).enumerate() {
            let row = probabilities(*activation, row);
            let best = row.iter().copied().enumerate().skip(if classes.is_some() {
                0
            } else {
                *first_class as usize
            });
            let Some((place, probability)) = best.max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
            let class = classes.map_or(place as f32, |classes| classes.data[idx]) - *first_class as f32;
            // What stands for the background, or for nothing that has a name, is no find.
            if class < 0.0
                || class >= self.concepts.len() as f32
                || probability < min_score.max(f32::MIN_POSITIVE)
            {
                continue;
            }
            if let Some(sides) = self.sides(*sides, size) {
                found.push(OnnxBox { sides, class: class as usize, probability: probability.min(1.0) });
            }
        }
        found.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        found.truncate(MAX_BOXES);
        Ok(found)
    }

    /// The sides of a box as fractions of the image; nothing if no part of it is inside.
    fn sides(&self, [a, b, c, d]: [f32; 4], size: (u32, u32)) -> Option<CropBox> {
        let OnnxAnswer::Detector { format, units, .. } = &self.answer else { return None };
        let (left, top, right, bottom) = match format {
            BoxFormat::Xyxy => (a, b, c, d),
            BoxFormat::Yxyx => (b, a, d, c),
            BoxFormat::Xywh => (a, b, a + c, b + d),
            BoxFormat::Cxcywh => (a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0),
        };
        let (width, height) = match units {
            BoxUnits::Pixels => (1.0, 1.0),
            BoxUnits::Fractions => (self.preprocess.width as f32, self.preprocess.height as f32),
        };
        let back = |x: f32, y: f32| preprocess::to_image(&self.preprocess, size, (x * width, y * height));
        let ((left, top), (right, bottom)) = (back(left, top), back(right, bottom));
        let inside = |x: f32| x.clamp(0.0, 1.0);
        let sides =
            CropBox { top: inside(top), left: inside(left), bottom: inside(bottom), right: inside(right) };
        (sides.left < sides.right && sides.top < sides.bottom).then_some(sides)
    }

    fn sound(&self, numbers: Vec<f32>) -> Result<Vec<f32>> {
        if numbers.iter().all(|x| x.is_finite()) {
            Ok(numbers)
        } else {
            Err(self.misfit("gave what is no number"))
        }
    }

    fn misfit(&self, what: &str) -> Error {
        let about = Resource::Other("own model", self.weights.clone());
        Error::unsupported(format!("the model {what}, so its manifest does not fit it")).about(about)
    }
}

fn probabilities(activation: Activation, numbers: &[f32]) -> Vec<f32> {
    match activation {
        Activation::None => {
            numbers.iter().map(|x| if x.is_finite() { x.clamp(0.0, 1.0) } else { *x }).collect()
        }
        Activation::Sigmoid => numbers.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
        Activation::Softmax => {
            let most = numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let powers: Vec<f32> = numbers.iter().map(|x| (x - most).exp()).collect();
            let sum: f32 = powers.iter().sum();
            powers.into_iter().map(|x| x / sum).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocellus_algo::preprocess::{Channels, Filter, Layout, Resize};

    fn detector(resize: Resize, classes: Option<usize>) -> OnnxModel {
        let concept = |id: &str| ModelConcept { id: id.to_owned(), name: id.to_owned() };
        OnnxModel {
            weights: "00".to_owned(),
            size_bytes: 0,
            batches: false,
            preprocess: Spec {
                width: 100,
                height: 100,
                resize,
                filter: Filter::Bilinear,
                channels: Channels::Rgb,
                layout: Layout::Nchw,
                mean: [0.0; 3],
                std: [1.0; 3],
            },
            input: Port::default(),
            outputs: Vec::new(),
            answer: OnnxAnswer::Detector {
                boxes: 0,
                scores: 1,
                classes,
                activation: Activation::None,
                format: BoxFormat::Xyxy,
                units: BoxUnits::Pixels,
                first_class: 1,
                min_score: 0.3,
            },
            concepts: vec![concept("cat"), concept("dog")],
            licence: "MIT".to_owned(),
        }
    }

    fn tensor(shape: &[usize], data: &[f32]) -> Tensor {
        Tensor { shape: shape.to_vec(), data: data.to_vec() }
    }

    #[test]
    fn boxes_are_told_as_parts_of_the_image_and_not_of_the_canvas() {
        // An image twice as wide as high lies in the middle half of the canvas.
        let model = detector(Resize::Letterbox, Some(2));
        let outputs = [
            tensor(&[1, 4, 4], &[0., 25., 50., 75., 50., 0., 100., 100., 0., 0., 9., 20., 0., 30., 50., 60.]),
            tensor(&[1, 4], &[0.5, 0.9, 0.8, 0.1]),
            tensor(&[1, 4], &[1., 2., 1., 1.]),
        ];
        let OnnxSaid::Boxes(found) = model.read(&outputs, (200, 100)).unwrap() else { panic!("no boxes") };
        let table = [(1, 0.9, [0.5, 0.0, 1.0, 1.0]), (0, 0.5, [0.0, 0.0, 0.5, 1.0])];
        assert_eq!(found.len(), table.len(), "what is in the border or too unsure is no find: {found:?}");
        for (one, (class, probability, sides)) in found.iter().zip(table) {
            assert_eq!((one.class, one.probability), (class, probability));
            let is = [one.sides.left, one.sides.top, one.sides.right, one.sides.bottom];
            assert!(is.iter().zip(sides).all(|(a, b)| (a - b).abs() < 1e-6), "{is:?}");
        }
    }

    #[test]
    fn without_classes_the_best_score_of_a_box_names_its_concept() {
        let model = detector(Resize::Stretch, None);
        let scores = tensor(&[1, 2, 3], &[0.9, 0.2, 0.6, 0.1, 0.5, 0.4]);
        let outputs = [tensor(&[1, 2, 4], &[0., 0., 50., 50., 10., 10., 20., 20.]), scores];
        let OnnxSaid::Boxes(found) = model.read(&outputs, (10, 10)).unwrap() else { panic!("no boxes") };
        let told: Vec<_> = found.iter().map(|one| (one.class, one.probability)).collect();
        assert_eq!(told, [(1, 0.6), (0, 0.5)], "the first number is the background's");
    }

    #[test]
    fn outputs_that_do_not_fit_the_manifest_are_an_error_and_no_panic() {
        let model = detector(Resize::Stretch, Some(2));
        let boxes = || tensor(&[1, 1, 4], &[0., 0., 50., 50.]);
        let table: Vec<Vec<Tensor>> = vec![
            vec![],
            vec![boxes(), tensor(&[1, 1], &[0.5])],
            vec![boxes(), tensor(&[1, 1], &[f32::NAN]), tensor(&[1, 1], &[1.0])],
            vec![boxes(), tensor(&[1, 2], &[0.5, 0.5]), tensor(&[1, 2], &[1.0, 1.0])],
        ];
        for outputs in table {
            assert_eq!(model.read(&outputs, (10, 10)).unwrap_err().kind, crate::Kind::Unsupported);
        }
        let nothing = [tensor(&[1, 0, 4], &[]), tensor(&[1, 0], &[]), tensor(&[1, 0], &[])];
        assert_eq!(model.read(&nothing, (10, 10)).unwrap(), OnnxSaid::Boxes(Vec::new()));
    }
}
