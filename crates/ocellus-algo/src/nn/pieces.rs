//! Networks that take numbered pieces of a text, such as CLIP's text half, and give one vector for the whole.

use std::path::{Path, PathBuf};

use ort::session::SessionInputValue;
use ort::value::{TensorElementType, TensorRef, ValueType};

use super::{Runtime, SessionOptions, Tensor, build};
use crate::error::{Error, Result};

const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";

/// A loaded text network: input `input_ids` and perhaps `attention_mask`, whole numbers of 64 or 32 bits.
pub struct PieceSession {
    session: ort::session::Session,
    model: PathBuf,
    /// Name, and whether it takes numbers of 64 bits.
    inputs: Vec<(&'static str, bool)>,
    output_names: Vec<String>,
}

impl PieceSession {
    /// Loads a model.
    ///
    /// # Errors
    /// `Backend` naming the file if it is missing, is no ONNX model, or has other inputs.
    pub fn open(rt: &Runtime, model: &Path, opt: &SessionOptions) -> Result<Self> {
        let fail =
            |why: String| Error::Backend(format!("the model {} cannot be loaded: {why}", model.display()));
        if !model.is_file() {
            return Err(fail("there is no such file".into()));
        }
        let session = build(rt, model, opt).map_err(|e| fail(e.to_string()))?;
        let mut inputs = Vec::new();
        for input in session.inputs() {
            let known = [IDS, MASK].into_iter().find(|name| *name == input.name());
            let name = known.ok_or_else(|| {
                fail(format!("it has an input {}; only {IDS} and {MASK} are known", input.name()))
            })?;
            let is_of = |wanted| matches!(input.dtype(), ValueType::Tensor { ty, .. } if *ty == wanted);
            let is_wide = is_of(TensorElementType::Int64);
            if !is_wide && !is_of(TensorElementType::Int32) {
                return Err(fail(format!("its input {name} is {}, not whole numbers", input.dtype())));
            }
            inputs.push((name, is_wide));
        }
        if !inputs.iter().any(|(name, _)| *name == IDS) {
            return Err(fail(format!("it has no input {IDS}")));
        }
        let output_names = session.outputs().iter().map(|o| o.name().to_owned()).collect();
        Ok(Self { session, model: model.to_owned(), inputs, output_names })
    }

    /// Names of the outputs in the order of the graph.
    pub fn output_names(&self) -> &[String] {
        &self.output_names
    }

    /// Runs the model over one text, of whose pieces the first `n_used` count; the outputs come in the order of the graph,
    /// one that is not `f32` as an empty tensor.
    ///
    /// # Errors
    /// `Backend` if the run fails.
    pub fn run(&mut self, pieces: &[i64], n_used: usize) -> Result<Vec<Tensor>> {
        let model = self.model.display().to_string();
        let fail = |e: ort::Error| Error::Backend(format!("the model {model} failed: {e}"));
        let mask: Vec<i64> = (0..pieces.len()).map(|at| i64::from(at < n_used)).collect();
        // A number of a piece that does not fit 32 bits is in no vocabulary.
        let narrow = |wide: &[i64]| wide.iter().map(|id| i32::try_from(*id).unwrap_or(0)).collect();
        let narrow: [Vec<i32>; 2] = [narrow(pieces), narrow(&mask)];
        let shape = vec![1, pieces.len()];
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::new();
        for &(name, is_wide) in &self.inputs {
            let (wide, narrow) = if name == IDS { (pieces, &narrow[0]) } else { (&mask[..], &narrow[1]) };
            let value: SessionInputValue<'_> = match is_wide {
                true => TensorRef::from_array_view((shape.clone(), wide)).map_err(fail)?.into(),
                false => TensorRef::from_array_view((shape.clone(), narrow.as_slice())).map_err(fail)?.into(),
            };
            inputs.push((name, value));
        }
        let outputs = self.session.run(inputs).map_err(fail)?;
        let mut out = Vec::with_capacity(outputs.len());
        for value in outputs.values() {
            // What is no array of f32, such as a mask handed through, is none of the vectors looked for.
            let Ok((shape, data)) = value.try_extract_tensor::<f32>() else {
                out.push(Tensor { shape: Vec::new(), data: Vec::new() });
                continue;
            };
            // A size an output really has is never negative.
            let shape = shape.iter().map(|&n| n.unsigned_abs() as usize).collect();
            out.push(Tensor { shape, data: data.to_vec() });
        }
        Ok(out)
    }
}
