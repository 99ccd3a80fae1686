//! The meaning of short texts as vectors, by the sentence model of the manifest; loaded when first asked.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use ocellus_algo::nn::{Runtime, SessionOptions, TextSession};
use ocellus_algo::text::WordPiece;
use parking_lot::Mutex;

use crate::catalog::TextModel;
use crate::{Error, Platform, Result};

/// Texts run through the network together.
const AT_ONCE: usize = 32;
/// The most vectors kept; each takes about two kilobytes.
const MAX_KEPT: usize = 20_000;

/// The sentence model with the vectors it gave lately.
pub(crate) struct Texts(Arc<Inner>);

struct Inner {
    library: PathBuf,
    loaded: Mutex<Option<Loaded>>,
    kept: Mutex<HashMap<String, Arc<Vec<f32>>>>,
}

struct Loaded {
    tokenizer: WordPiece,
    session: TextSession,
}

impl Texts {
    /// The model will be run by this inference runtime.
    pub fn new(library: PathBuf) -> Self {
        Self(Arc::new(Inner { library, loaded: Mutex::default(), kept: Mutex::default() }))
    }

    /// The vector of each text, of length 1.
    pub async fn embed(&self, platform: &Platform, texts: Vec<String>) -> Result<Vec<Arc<Vec<f32>>>> {
        let model = platform.catalog().text().clone();
        let inner = Arc::clone(&self.0);
        platform.engine().cpu(move || inner.embed(&model, &texts)).await?
    }
}

impl Inner {
    fn embed(&self, model: &TextModel, texts: &[String]) -> Result<Vec<Arc<Vec<f32>>>> {
        let mut missing: Vec<&String> = {
            let kept = self.kept.lock();
            texts.iter().filter(|text| !kept.contains_key(*text)).collect()
        };
        missing.sort_by_key(|text| (text.len(), *text));
        missing.dedup();
        let mut fresh = HashMap::new();
        // Texts of about one length are run together, so that little is padded.
        for several in missing.chunks(AT_ONCE) {
            let vectors = self.run(model, several)?;
            fresh.extend(several.iter().map(|text| (*text).clone()).zip(vectors.into_iter().map(Arc::new)));
        }
        let mut kept = self.kept.lock();
        let found = |text: &String| fresh.get(text).or_else(|| kept.get(text)).cloned();
        let lost = || Error::internal(anyhow::anyhow!("a text lost its vector"));
        let vectors = texts.iter().map(|text| found(text).ok_or_else(lost)).collect();
        if kept.len() + fresh.len() > MAX_KEPT {
            kept.clear();
        }
        kept.extend(fresh);
        vectors
    }

    fn run(&self, model: &TextModel, texts: &[&String]) -> Result<Vec<Vec<f32>>> {
        let mut loaded = self.loaded.lock();
        if loaded.is_none() {
            *loaded = Some(self.load(model)?);
        }
        let Some(Loaded { tokenizer, session }) = loaded.as_mut() else { return Ok(Vec::new()) };
        let pieces: Vec<Vec<i64>> =
            texts.iter().map(|text| tokenizer.encode(text, model.max_tokens)).collect();
        Ok(session.embed(&pieces)?)
    }

    fn load(&self, model: &TextModel) -> Result<Loaded> {
        let fail = |why: String| {
            let message = "the model for the meaning of texts cannot be loaded; run `make setup`";
            Error::unavailable(message).caused_by(anyhow::anyhow!("{why}"))
        };
        let json = std::fs::read(&model.tokenizer)
            .map_err(|e| fail(format!("{}: {e}", model.tokenizer.display())))?;
        let tokenizer = WordPiece::from_json(&json).map_err(|e| fail(e.to_string()))?;
        let runtime = Runtime::load(&self.library).map_err(|e| fail(e.to_string()))?;
        let options = SessionOptions { intra_threads: 1 };
        let session = TextSession::open(&runtime, &model.path, &options).map_err(|e| fail(e.to_string()))?;
        Ok(Loaded { tokenizer, session })
    }
}
