//! Text as a language model takes it: split into pieces of words and numbered.

mod bpe;
mod normalize;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::error::{Error, Result};

pub use bpe::BytePair;

/// Longer words are taken as unknown, in characters.
const MAX_WORD: usize = 100;

/// Splits text into the pieces of a vocabulary, the way BERT's uncased models were trained: lower case without accents,
/// words split at spaces and punctuation, each cut into the longest pieces there are.
pub struct WordPiece {
    pieces: HashMap<String, i64>,
    cls: i64,
    sep: i64,
    unknown: i64,
}

impl WordPiece {
    /// Reads a `tokenizer.json` as the `tokenizers` library writes it. Only the vocabulary and the three special pieces
    /// of it count; its truncation and padding do not.
    ///
    /// # Errors
    /// `BadInput` if it is not such a file, or of another kind of model.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        #[derive(serde::Deserialize)]
        struct File {
            model: Model,
        }
        #[derive(serde::Deserialize)]
        struct Model {
            r#type: String,
            vocab: HashMap<String, i64>,
        }
        let bad = |why: String| Error::BadInput(format!("the tokenizer cannot be read: {why}"));
        let file: File = serde_json::from_slice(json).map_err(|e| bad(e.to_string()))?;
        if file.model.r#type != "WordPiece" {
            return Err(bad(format!("it is of kind {}, not WordPiece", file.model.r#type)));
        }
        let special = |name: &str| {
            file.model.vocab.get(name).copied().ok_or_else(|| bad(format!("its vocabulary has no {name}")))
        };
        let (cls, sep, unknown) = (special("[CLS]")?, special("[SEP]")?, special("[UNK]")?);
        Ok(Self { cls, sep, unknown, pieces: file.model.vocab })
    }

    /// The numbers of a text's pieces between those of its begin and end, at most `max_tokens` in all; what is beyond is
    /// left out.
    pub fn encode(&self, text: &str, max_tokens: usize) -> Vec<i64> {
        let mut ids = vec![self.cls];
        for word in normalize::words(text) {
            self.cut(&word, &mut ids);
            if ids.len() >= max_tokens {
                break;
            }
        }
        ids.truncate(max_tokens.saturating_sub(1).max(1));
        ids.push(self.sep);
        ids
    }

    fn cut(&self, word: &str, ids: &mut Vec<i64>) {
        let before = ids.len();
        let whole = word.chars().count() <= MAX_WORD && self.cut_whole(word, ids);
        if !whole {
            ids.truncate(before);
            ids.push(self.unknown);
        }
    }

    /// Takes the longest piece again and again; false if a rest has none.
    fn cut_whole(&self, word: &str, ids: &mut Vec<i64>) -> bool {
        let mut rest = word;
        while !rest.is_empty() {
            let prefix = if rest.len() == word.len() { "" } else { "##" };
            let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
            let piece = ends
                .filter_map(|end| Some((end, *self.pieces.get(&format!("{prefix}{}", &rest[..end]))?)))
                .next();
            let Some((end, id)) = piece else { return false };
            ids.push(id);
            rest = &rest[end..];
        }
        true
    }
}
