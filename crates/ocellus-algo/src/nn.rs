//! Inference.
use crate::error::Result;
use std::path::Path;

#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}
impl Tensor {
    pub fn new(_shape: Vec<usize>, _data: Vec<f32>) -> Result<Tensor> {
        todo!()
    }
    pub fn stack(_items: &[Tensor]) -> Result<Tensor> {
        todo!()
    }
    pub fn split(self) -> Vec<Tensor> {
        todo!()
    }
}
#[derive(Clone)]
pub struct Runtime {
    _env: ort::environment::Environment,
}
impl Runtime {
    pub fn load(_library: &Path) -> Result<Runtime> {
        todo!()
    }
    pub fn version(&self) -> String {
        todo!()
    }
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    pub intra_threads: usize,
}
pub struct Session {
    _session: ort::session::Session,
    output_names: Vec<String>,
}
impl Session {
    pub fn open(_rt: &Runtime, _model: &Path, _opt: &SessionOptions) -> Result<Session> {
        todo!()
    }
    pub fn run(&mut self, _input: &Tensor) -> Result<Vec<Tensor>> {
        todo!()
    }
    pub fn output_names(&self) -> &[String] {
        &self.output_names
    }
}
