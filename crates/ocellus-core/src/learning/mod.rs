//! Learning: labelled inputs become numbers, numbers become a model, and the model predicts. What is calculated is in
//! `ocellus_algo::learn`; what is stored is the business of `user_models`.

pub mod about;
mod artefact;
mod backbone;
pub(crate) mod detector;
mod estimate;
mod make;
mod onnx;
mod run;
mod samples;
pub mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod train;
mod unlabelled;

pub use artefact::{Artefact, ArtefactRef};
pub(crate) use artefact::{Artefacts, HeldOut, PROJECTION_ROLE, ROLE, artefact, bytes, held_out};
pub(crate) use backbone::Backbone;
pub use estimate::training_times_s;
pub(crate) use onnx::WEIGHTS_ROLE;
pub use onnx::{OnnxAnswer, OnnxBox, OnnxModel, OnnxSaid};
pub(crate) use run::{run_training, training_failed};
pub(crate) use samples::{MAX_SAMPLES, SampleSource, Samples, Which, collect};
pub(crate) use train::Recipe;
pub use train::{NewTraining, train};
