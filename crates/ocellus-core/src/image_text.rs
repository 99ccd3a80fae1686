//! A pair of networks that an operator supplied, one for images and one for texts, whose vectors lie in one space: texts
//! then find the pictures that they describe. Without one, texts are looked up by the concepts that they name.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ocellus_algo::nn::{PieceSession, Runtime, Session, SessionOptions, Tensor};
use ocellus_algo::preprocess::{Channels, Filter, Layout, Resize, Spec};
use ocellus_algo::text::BytePair;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::catalog::sha256_of;
use crate::engine::ModelFile;
use crate::predict::unit;
use crate::{Error, Kind, Platform, Result};

/// The pair of networks; a section of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageTextConfig {
    /// The network for images, as ONNX.
    pub image_model: PathBuf,
    /// The network for texts, as ONNX.
    pub text_model: PathBuf,
    /// CLIP's `vocab.json`.
    pub vocabulary: PathBuf,
    /// CLIP's `merges.txt`.
    pub merges: PathBuf,
    /// Width and height of the picture that the network takes, in pixels.
    pub image_size: u32,
    /// Subtracted from red, green and blue, on the scale 0..1.
    pub mean: [f32; 3],
    /// Divisor of red, green and blue, on the scale 0..1.
    pub std: [f32; 3],
    /// Pieces of words that the network for texts takes.
    pub context_length: usize,
}

impl ImageTextConfig {
    /// The files, each with the key of its setting.
    pub fn files(&self) -> [(&'static str, &Path); 4] {
        [
            ("image_model", &self.image_model),
            ("text_model", &self.text_model),
            ("vocabulary", &self.vocabulary),
            ("merges", &self.merges),
        ]
    }
}

/// The pair, checked.
pub(crate) struct ImageText {
    space: String,
    file: ModelFile,
    preprocess: Spec,
    output_idx: usize,
    text: Arc<Mutex<TextHalf>>,
}

struct TextHalf {
    tokenizer: BytePair,
    session: PieceSession,
    length: usize,
    output_idx: usize,
}

/// A fault of a setting, with the cure.
fn fault(key: &str, why: impl std::fmt::Display, cure: &str) -> Error {
    Error::new(Kind::Invalid, format!("image_text.{key}: {why}; {cure}"))
}

impl ImageText {
    /// Loads the pair, and runs each network once. `Invalid` naming the setting and the cure if they do not fit together.
    /// Blocks for as long as the files take to be read.
    pub fn open(config: &ImageTextConfig, library: &Path) -> Result<Self> {
        check_settings(config)?;
        let tokenizer = read_tokenizer(config)?;
        let runtime = Runtime::load(library)?;
        let preprocess = preprocess(config);
        let (output_idx, n_image) = try_image(config, &runtime, &preprocess)?;
        let (text, n_text) = open_text(config, &runtime, tokenizer)?;
        if n_image != n_text {
            let why = format!("gives vectors of {n_text} numbers, image_text.image_model of {n_image}");
            return Err(fault("text_model", why, "give two files that were exported from the same model"));
        }
        let unread = |e: std::io::Error| fault("image_model", e, "make its file readable");
        let size_bytes = std::fs::metadata(&config.image_model).map_err(unread)?.len();
        let path = config.image_model.clone();
        Ok(Self {
            space: space(config).map_err(unread)?,
            file: ModelFile { id: "image-text".to_owned(), path, size_bytes, batches: false },
            preprocess,
            output_idx,
            text: Arc::new(Mutex::new(text)),
        })
    }

    /// Names the space of the vectors. Other files or another treatment of pictures mean another space.
    pub fn space(&self) -> &str {
        &self.space
    }

    /// How an image becomes the input of the network.
    pub fn preprocess(&self) -> &Spec {
        &self.preprocess
    }

    /// The vector of a prepared image, of length 1.
    pub async fn of_image(&self, platform: &Platform, input: Tensor) -> Result<Vec<f32>> {
        let outputs = platform.engine().run(&self.file, input).await?;
        outputs.get(self.output_idx).map(|output| unit(&output.data)).ok_or_else(lost)
    }

    /// The vector of a text, of length 1.
    pub async fn of_text(&self, platform: &Platform, text: &str) -> Result<Vec<f32>> {
        let (half, text) = (Arc::clone(&self.text), text.to_owned());
        platform.engine().cpu(move || half.lock().run(&text)).await?
    }
}

impl TextHalf {
    fn run(&mut self, text: &str) -> Result<Vec<f32>> {
        let (ids, n_used) = self.tokenizer.encode(text, self.length);
        let outputs = self.session.run(&ids, n_used)?;
        outputs.get(self.output_idx).map(|output| unit(&output.data)).ok_or_else(lost)
    }
}

fn lost() -> Error {
    Error::internal(anyhow::anyhow!("a network of the image-text pair gave no vector"))
}

fn check_settings(config: &ImageTextConfig) -> Result<()> {
    for (key, path) in config.files() {
        let cure = "give its path, or leave all paths of [image_text] empty to do without a pair";
        if path.as_os_str().is_empty() {
            return Err(fault(key, "is empty although another path is set", cure));
        }
        if !path.is_file() {
            return Err(fault(key, format!("there is no file {}", path.display()), cure));
        }
    }
    if !(1..=4096).contains(&config.image_size) {
        return Err(fault("image_size", "must be 1 to 4096", "CLIP's models take 224 or 336"));
    }
    if !(3..=4096).contains(&config.context_length) {
        return Err(fault("context_length", "must be 3 to 4096", "CLIP's models take 77"));
    }
    let good = |std: &f32| std.is_finite() && *std > 0.0;
    if !config.std.iter().all(good) || !config.mean.iter().all(|mean| mean.is_finite()) {
        let cure = "take the numbers of the model's preprocessor_config.json";
        return Err(fault("std", "and image_text.mean must be finite, std above 0", cure));
    }
    Ok(())
}

fn read_tokenizer(config: &ImageTextConfig) -> Result<BytePair> {
    let cure = "give the vocab.json and merges.txt of the model that the pair was exported from";
    let vocabulary = std::fs::read(&config.vocabulary).map_err(|e| fault("vocabulary", e, cure))?;
    let merges = std::fs::read_to_string(&config.merges).map_err(|e| fault("merges", e, cure))?;
    BytePair::read(&vocabulary, &merges).map_err(|e| fault("vocabulary", e, cure))
}

fn preprocess(config: &ImageTextConfig) -> Spec {
    let side = config.image_size;
    Spec {
        width: side,
        height: side,
        resize: Resize::CenterCrop { resize_short: side },
        filter: Filter::Bicubic,
        channels: Channels::Rgb,
        layout: Layout::Nchw,
        mean: config.mean.map(|mean| mean * 255.0),
        std: config.std.map(|std| std * 255.0),
    }
}

/// Runs the network for images once: which output is the vector, and how long that is.
fn try_image(config: &ImageTextConfig, runtime: &Runtime, spec: &Spec) -> Result<(usize, usize)> {
    let key = "image_model";
    let cure = "give the ONNX file of a network with one input of pictures, such as CLIP's vision half with projection";
    let options = SessionOptions { intra_threads: 1 };
    let mut session =
        Session::open(runtime, &config.image_model, &options).map_err(|e| fault(key, e, cure))?;
    let side = spec.width as usize;
    let blank = Tensor::new(vec![1, 3, side, side], vec![0.0; 3 * side * side])?;
    let cure_size = "set image_text.image_size to the size that the model was exported for";
    let outputs = session.run(&blank).map_err(|e| fault(key, e, cure_size))?;
    vector_of(session.output_names(), &outputs, "image_embeds").ok_or_else(|| {
        fault(key, "none of its outputs is one vector for a picture", "export the model with its projection")
    })
}

/// Loads the network for texts and runs it once, over the last piece of the vocabulary; the half, and how long a vector is.
fn open_text(config: &ImageTextConfig, runtime: &Runtime, tokenizer: BytePair) -> Result<(TextHalf, usize)> {
    let key = "text_model";
    let cure =
        "give the ONNX file of a network with the input input_ids, such as CLIP's text half with projection";
    let options = SessionOptions { intra_threads: 1 };
    let mut session =
        PieceSession::open(runtime, &config.text_model, &options).map_err(|e| fault(key, e, cure))?;
    let length = config.context_length;
    let cure_run = "set image_text.context_length to the length that the model was exported for, and give its own \
                    vocabulary";
    let last = vec![tokenizer.max_id(); length];
    let outputs = session.run(&last, length).map_err(|e| fault(key, e, cure_run))?;
    let (output_idx, n) = vector_of(session.output_names(), &outputs, "text_embeds").ok_or_else(|| {
        fault(key, "none of its outputs is one vector for a text", "export the model with its projection")
    })?;
    Ok((TextHalf { tokenizer, session, length, output_idx }, n))
}

/// The output of this name, or else the first that is one vector: its place, and how long the vector is.
fn vector_of(names: &[String], outputs: &[Tensor], name: &str) -> Option<(usize, usize)> {
    let is_vector = |output: &Tensor| matches!(output.shape[..], [1, n] if n > 0);
    let named =
        names.iter().position(|one| one == name).filter(|idx| outputs.get(*idx).is_some_and(is_vector));
    let idx = named.or_else(|| outputs.iter().position(is_vector))?;
    Some((idx, outputs.get(idx)?.data.len()))
}

/// The name of the space, from everything that a picture's vector depends on and the file of the other half.
fn space(config: &ImageTextConfig) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    for path in [&config.image_model, &config.text_model] {
        hash.update(sha256_of(path)?);
    }
    hash.update(config.image_size.to_le_bytes());
    for number in config.mean.iter().chain(&config.std) {
        hash.update(number.to_le_bytes());
    }
    let mut name = hex::encode(hash.finalize());
    name.truncate(32);
    Ok(format!("image-text-{name}"))
}
