//! Filters by the words of texts: which of an app's texts, and of what annotations say in words, hold all of some words.

use std::collections::HashSet;

use ocellus_store::Tx;

use crate::inputs::doc::InputDoc;
use crate::{AppCtx, Error, MediaKind, Result};

/// Texts read at once.
const ROWS_AT_ONCE: i64 = 1_000;
/// So many texts are read through for one filter.
const MAX_TEXTS: usize = 200_000;
/// The most words of one filter.
const MAX_WORDS: usize = 50;
/// Scripts from here on write words without spaces between them.
const UNSPACED_FROM: char = '\u{2e80}';

/// Words to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wording(Vec<String>);

fn words(text: &str) -> impl Iterator<Item = String> {
    let found = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    found.map(str::to_lowercase)
}

impl Wording {
    /// `Invalid` without a word or with too many.
    pub fn new(text: &str) -> Result<Self> {
        let words: Vec<String> = words(text).collect();
        match words.len() {
            1..=MAX_WORDS => Ok(Self(words)),
            _ => Err(Error::invalid("text.raw", format!("must hold 1 to {MAX_WORDS} words"))),
        }
    }

    /// Whether a text has all of the words, in any case and order. Where a script has no spaces it is enough that the
    /// text contains the letters.
    pub fn is_in(&self, text: &str) -> bool {
        let have: HashSet<String> = words(text).collect();
        let lower = text.to_lowercase();
        let is_unspaced = |word: &str| word.chars().any(|c| c >= UNSPACED_FROM);
        self.0.iter().all(|word| have.contains(word) || (is_unspaced(word) && lower.contains(word.as_str())))
    }
}

/// The text inputs of the app that have all of the words. `Invalid` if the app has too many texts to be read through.
pub(super) async fn inputs_with(app: &AppCtx, wording: &Wording) -> Result<Vec<String>> {
    let (uid, wording) = (app.uid().to_owned(), wording.clone());
    let read = move |tx: &mut Tx<'_>| {
        let (mut found, mut after_seq, mut n_read) = (Vec::new(), 0, 0);
        loop {
            let rows = tx.docs_of_kind(&uid, MediaKind::Text.name(), after_seq, ROWS_AT_ONCE)?;
            let n_rows = rows.len();
            n_read += n_rows;
            if n_read > MAX_TEXTS {
                let message =
                    format!("the app has more than {MAX_TEXTS} texts, too many to be read for a filter");
                return Err(Error::invalid("text.raw", message));
            }
            for (seq, id, doc) in rows {
                after_seq = seq;
                if InputDoc::read(&doc)?.text.is_some_and(|text| wording.is_in(&text)) {
                    found.push(id);
                }
            }
            if (n_rows as i64) < ROWS_AT_ONCE {
                return Ok(found);
            }
        }
    };
    app.platform().store().read(read).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_must_be_there_in_any_case_and_order() {
        for (wanted, text, expected) in [
            ("fox", "The quick brown Fox.", true),
            ("FOX quick", "The quick brown fox.", true),
            ("fo", "The quick brown fox.", false),
            ("fox cat", "The quick brown fox.", false),
            ("Straße", "in der STRASSE, in der Straße", true),
            ("東京", "私は東京に住んでいます", true),
            ("大阪", "私は東京に住んでいます", false),
            ("don't", "I don't know", true),
        ] {
            assert_eq!(Wording::new(wanted).unwrap().is_in(text), expected, "{wanted} in {text}");
        }
        assert!(Wording::new(" .,!").is_err());
        assert!(Wording::new(&"word ".repeat(MAX_WORDS + 1)).is_err());
    }
}
