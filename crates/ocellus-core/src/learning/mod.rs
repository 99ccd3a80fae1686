//! Learning: labelled inputs become numbers, numbers become a model, and the model predicts. What is calculated is in
//! `ocellus_algo::learn`; what is stored is the business of `user_models`.

mod artefact;
mod backbone;
mod onnx;
mod samples;

pub(crate) use artefact::{Artefacts, HELD_OUT_ROLE, HeldOut, PROJECTION_ROLE, ROLE, artefact, bytes, held_out, load};
pub use artefact::{Artefact, ArtefactRef};
pub(crate) use backbone::Backbone;
pub(crate) use samples::{MAX_SAMPLES, SampleSource, Samples, Which, collect};
pub(crate) use onnx::WEIGHTS_ROLE;
pub use onnx::{OnnxAnswer, OnnxBox, OnnxModel, OnnxSaid};
