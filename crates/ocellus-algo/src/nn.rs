//! Inference: the only module that names the ONNX runtime.

mod inspect;
mod pieces;
mod runtime;
mod tensor;
#[cfg(test)]
mod tests;
mod text;

use std::path::{Path, PathBuf};

use ort::value::{DynValue, PrimitiveTensorElementType, TensorElementType, TensorRef, ValueType};

use crate::error::{Error, Result};

pub use inspect::{OnnxAbout, Port, inspect, inspect_bytes};
pub use pieces::PieceSession;
pub use runtime::Runtime;
pub use tensor::Tensor;
pub use text::TextSession;

/// How a session runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Threads that share the work of one run, 1 and up.
    pub intra_threads: usize,
}

/// A loaded model with one input of `f32`.
pub struct Session {
    session: ort::session::Session,
    model: PathBuf,
    /// Sizes of the input's axes; -1 is any size.
    input_shape: Vec<i64>,
    output_names: Vec<String>,
}

impl Session {
    /// Loads an ONNX model. Worker threads sleep between runs instead of spinning, which costs a processor that other
    /// requests need.
    ///
    /// # Errors
    /// `Backend` naming the file if it is missing, is no ONNX model, or has not exactly one input of `f32`.
    pub fn open(rt: &Runtime, model: &Path, opt: &SessionOptions) -> Result<Session> {
        let fail =
            |why: String| Error::Backend(format!("the model {} cannot be loaded: {why}", model.display()));
        if !model.is_file() {
            return Err(fail("there is no such file".into()));
        }
        let session = build(rt, model, opt).map_err(|e| fail(e.to_string()))?;
        let [input] = session.inputs() else {
            let n = session.inputs().len();
            return Err(fail(format!("it has {n} inputs, not one")));
        };
        let ValueType::Tensor { ty, shape, .. } = input.dtype() else {
            return Err(fail("its input is not a tensor".into()));
        };
        if *ty != TensorElementType::Float32 {
            return Err(fail(format!("its input is {ty:?}, not Float32")));
        }
        Ok(Session {
            input_shape: shape.to_vec(),
            output_names: session.outputs().iter().map(|o| o.name().to_owned()).collect(),
            model: model.to_owned(),
            session,
        })
    }

    /// Names of the outputs in the order of the graph.
    pub fn output_names(&self) -> &[String] {
        &self.output_names
    }

    /// Sizes of the input's axes as the model declares them; `None` is any size.
    pub fn input_shape(&self) -> Vec<Option<usize>> {
        let size = |&dim: &i64| usize::try_from(dim).ok();
        self.input_shape.iter().map(size).collect()
    }

    /// Runs the model; the outputs come in the order of the graph.
    ///
    /// # Errors
    /// `BadInput` if the tensor does not fit the model's input, `Backend` if the run fails or an output holds no numbers.
    pub fn run(&mut self, input: &Tensor) -> Result<Vec<Tensor>> {
        self.check(input)?;
        let model = self.model.display().to_string();
        let fail = |e: ort::Error| Error::Backend(format!("the model {model} failed: {e}"));
        let tensor =
            TensorRef::from_array_view((input.shape.clone(), input.data.as_slice())).map_err(fail)?;
        let outputs = self.session.run(ort::inputs![tensor]).map_err(fail)?;
        let mut out = Vec::with_capacity(outputs.len());
        for value in outputs.values() {
            out.push(numbers(&value).map_err(fail)?);
        }
        Ok(out)
    }

    fn check(&self, input: &Tensor) -> Result<()> {
        let fits = input.shape.len() == self.input_shape.len()
            && input
                .shape
                .iter()
                .zip(&self.input_shape)
                .all(|(&size, &wanted)| wanted < 0 || size as i64 == wanted);
        if !fits || input.shape.iter().product::<usize>() != input.data.len() {
            return Err(Error::BadInput(format!(
                "the model takes a tensor of shape {:?} (-1 is any size), not {:?} with {} numbers",
                self.input_shape,
                input.shape,
                input.data.len()
            )));
        }
        Ok(())
    }
}

/// The numbers of an output; whole ones, such as the classes that a detector gives, become `f32` too.
fn numbers(value: &DynValue) -> ort::Result<Tensor> {
    match value.dtype().tensor_type() {
        Some(TensorElementType::Int64) => of(value, |x: i64| x as f32),
        Some(TensorElementType::Int32) => of(value, |x: i32| x as f32),
        Some(TensorElementType::Uint8) => of(value, |x: u8| f32::from(x)),
        Some(TensorElementType::Bool) => of(value, |x: bool| f32::from(u8::from(x))),
        Some(TensorElementType::Float64) => of(value, |x: f64| x as f32),
        _ => of(value, |x: f32| x),
    }
}

fn of<T: PrimitiveTensorElementType + Copy>(value: &DynValue, number: fn(T) -> f32) -> ort::Result<Tensor> {
    let (shape, data) = value.try_extract_tensor::<T>()?;
    // A size an output really has is never negative.
    let shape = shape.iter().map(|&n| n.unsigned_abs() as usize).collect();
    Ok(Tensor { shape, data: data.iter().map(|x| number(*x)).collect() })
}

fn build(rt: &Runtime, model: &Path, opt: &SessionOptions) -> ort::Result<ort::session::Session> {
    ort::session::Session::builder(rt.environment())?
        .with_intra_threads(opt.intra_threads.max(1))?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .commit_from_file(model)
}
