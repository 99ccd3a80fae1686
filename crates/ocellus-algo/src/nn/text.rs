//! Networks that take numbered pieces of words and give a vector for each text.

use std::path::{Path, PathBuf};

use ort::value::TensorRef;

use super::{Runtime, SessionOptions, build};
use crate::embed::l2_normalize;
use crate::error::{Error, Result};

/// A loaded sentence model: inputs `input_ids`, `attention_mask` and `token_type_ids`, output one vector per piece.
pub struct TextSession {
    session: ort::session::Session,
    model: PathBuf,
}

impl TextSession {
    /// Loads a model.
    ///
    /// # Errors
    /// `Backend` naming the file if it is missing, is no ONNX model, or has not the three inputs.
    pub fn open(rt: &Runtime, model: &Path, opt: &SessionOptions) -> Result<Self> {
        let fail =
            |why: String| Error::Backend(format!("the model {} cannot be loaded: {why}", model.display()));
        if !model.is_file() {
            return Err(fail("there is no such file".into()));
        }
        let session = build(rt, model, opt).map_err(|e| fail(e.to_string()))?;
        for name in ["input_ids", "attention_mask", "token_type_ids"] {
            if !session.inputs().iter().any(|input| input.name() == name) {
                return Err(fail(format!("it has no input {name}")));
            }
        }
        Ok(Self { session, model: model.to_owned() })
    }

    /// The vector of each text, of length 1: the mean over its pieces. Texts are padded to the longest of them.
    ///
    /// # Errors
    /// `BadInput` for no text or one without pieces, `Backend` if the run fails.
    pub fn embed(&mut self, texts: &[Vec<i64>]) -> Result<Vec<Vec<f32>>> {
        let width = texts.iter().map(Vec::len).max().unwrap_or(0);
        if width == 0 || texts.iter().any(Vec::is_empty) {
            return Err(Error::BadInput("a text without pieces has no vector".into()));
        }
        let (mut ids, mut mask) = (vec![0_i64; texts.len() * width], vec![0_i64; texts.len() * width]);
        for (row, text) in texts.iter().enumerate() {
            ids[row * width..row * width + text.len()].copy_from_slice(text);
            mask[row * width..row * width + text.len()].fill(1);
        }
        let types = vec![0_i64; ids.len()];
        let model = self.model.display().to_string();
        let fail = |e: ort::Error| Error::Backend(format!("the model {model} failed: {e}"));
        let tensor = |data| TensorRef::from_array_view((vec![texts.len(), width], data)).map_err(fail);
        let inputs = ort::inputs![
            "input_ids" => tensor(ids.as_slice())?,
            "attention_mask" => tensor(mask.as_slice())?,
            "token_type_ids" => tensor(types.as_slice())?,
        ];
        let outputs = self.session.run(inputs).map_err(fail)?;
        let Some(states) = outputs.values().next() else {
            return Err(Error::Backend(format!("the model {model} gave nothing")));
        };
        let (shape, states) = states.try_extract_tensor::<f32>().map_err(fail)?;
        let size = shape.last().map_or(0, |n| n.unsigned_abs() as usize);
        if states.len() != texts.len() * width * size {
            return Err(Error::Backend(format!("the model {model} gave an array of shape {shape:?}")));
        }
        Ok(texts
            .iter()
            .enumerate()
            .map(|(row, text)| mean(&states[row * width * size..], text.len(), size))
            .collect())
    }
}

/// The mean of the first `n` vectors of `size` numbers, of length 1.
fn mean(states: &[f32], n: usize, size: usize) -> Vec<f32> {
    let mut sum = vec![0.0; size];
    for state in states.chunks_exact(size).take(n) {
        sum.iter_mut().zip(state).for_each(|(sum, x)| *sum += x);
    }
    l2_normalize(&mut sum);
    sum
}
