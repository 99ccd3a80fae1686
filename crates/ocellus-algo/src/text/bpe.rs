//! Text as CLIP's text networks take it: bytes joined to pieces by byte-pair encoding, as R. Sennrich et al. described it
//! (<https://arxiv.org/abs/1508.07909>), with the rules of CLIP's own tokenizer.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::error::{Error, Result};

/// A longer word is cut here, in bytes: joining takes time that grows with the square of a word's length.
const MAX_WORD_BYTES: usize = 512;
const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";
/// What is split off the word before it although it is made of letters.
const SHORT_FORMS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// Splits text into the pieces of a vocabulary, the way CLIP's models were trained: lower case, white space counts only
/// as an end of a word, words of letters, single digits and runs of signs, each word's bytes joined by the merges.
pub struct BytePair {
    /// The piece of each byte within a word, and at its end.
    bytes: Vec<(i64, i64)>,
    /// Which two pieces join to which, and how early.
    merges: HashMap<(i64, i64), (usize, i64)>,
    start: i64,
    end: i64,
}

impl BytePair {
    /// Reads CLIP's `vocab.json`, an object of pieces and their numbers, and `merges.txt`, two pieces a line after a first
    /// line with the version.
    ///
    /// # Errors
    /// `BadInput` if one is not such a file, or the vocabulary lacks a piece.
    pub fn read(vocabulary: &[u8], merges: &str) -> Result<Self> {
        let bad = |why: String| Error::BadInput(why);
        let ids: HashMap<String, i64> = serde_json::from_slice(vocabulary)
            .map_err(|e| bad(format!("the vocabulary cannot be read: {e}")))?;
        let id = |piece: &str| {
            ids.get(piece).copied().ok_or_else(|| bad(format!("the vocabulary has no piece '{piece}'")))
        };
        let mut bytes = Vec::with_capacity(256);
        for sign in byte_signs() {
            bytes.push((id(&sign.to_string())?, id(&format!("{sign}</w>"))?));
        }
        let mut joins = HashMap::new();
        let lines = merges.lines().filter(|line| !line.is_empty() && !line.starts_with("#version"));
        for (rank, line) in lines.enumerate() {
            let Some((left, right)) = line.split_once(' ') else {
                return Err(bad(format!("line {} of the merges is not two pieces: {line}", rank + 1)));
            };
            joins.insert((id(left)?, id(right)?), (rank, id(&format!("{left}{right}"))?));
        }
        Ok(Self { bytes, merges: joins, start: id(START)?, end: id(END)? })
    }

    /// The greatest number of any piece that it may give.
    pub fn max_id(&self) -> i64 {
        let joined = self.merges.values().map(|(_, id)| *id);
        let single = self.bytes.iter().map(|(inner, last)| *inner.max(last));
        joined.chain(single).chain([self.start, self.end]).max().unwrap_or(0)
    }

    /// The numbers of a text's pieces between those of start and end, and how many these are; what is beyond `length` is
    /// left out, and what is missing is filled up with the end's.
    pub fn encode(&self, text: &str, length: usize) -> (Vec<i64>, usize) {
        let mut ids = vec![self.start];
        for word in words(text) {
            if ids.len() >= length {
                break;
            }
            ids.extend(self.join(&word));
        }
        ids.truncate(length.saturating_sub(1));
        ids.push(self.end);
        let n_used = ids.len();
        ids.resize(length.max(n_used), self.end);
        (ids, n_used)
    }

    /// Joins the two neighbours that come first in the merges, again and again.
    fn join(&self, word: &str) -> Vec<i64> {
        let bytes = word.as_bytes().get(..MAX_WORD_BYTES).unwrap_or(word.as_bytes());
        let mut ids: Vec<i64> = bytes.iter().map(|byte| self.bytes[usize::from(*byte)].0).collect();
        if let (Some(id), Some(byte)) = (ids.last_mut(), bytes.last()) {
            *id = self.bytes[usize::from(*byte)].1;
        }
        loop {
            let places = ids.windows(2).enumerate();
            let known = places.filter_map(|(at, pair)| Some((self.merges.get(&(pair[0], pair[1]))?, at)));
            let Some((&(_, id), at)) = known.min() else { return ids };
            ids[at] = id;
            ids.remove(at + 1);
        }
    }
}

/// The printable character that stands for each byte in the vocabulary: itself, or the next one free from U+0100 on.
fn byte_signs() -> impl Iterator<Item = char> {
    let mut n_hidden = 0;
    (0..=255_u8).map(move |byte| match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
        0..=b' ' | 0x7F..=0xA0 | 0xAD => {
            n_hidden += 1;
            char::from_u32(0xFF + n_hidden).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Letter,
    Number,
    Sign,
}

fn class(c: char) -> Class {
    if c.is_whitespace() {
        return Class::Space;
    }
    match c.general_category_group() {
        GeneralCategoryGroup::Letter => Class::Letter,
        GeneralCategoryGroup::Number => Class::Number,
        GeneralCategoryGroup::Mark
        | GeneralCategoryGroup::Punctuation
        | GeneralCategoryGroup::Symbol
        | GeneralCategoryGroup::Separator
        | GeneralCategoryGroup::Other => Class::Sign,
    }
}

/// The words of a text in lower case: runs of letters, single digits, and runs of other signs.
fn words(text: &str) -> Vec<String> {
    let text: String = text.nfc().flat_map(char::to_lowercase).collect();
    let mut words = Vec::new();
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let kind = class(c);
        let run = || rest.find(|c| class(c) != kind).unwrap_or(rest.len());
        let short = SHORT_FORMS.iter().find(|form| rest.starts_with(**form)).map(|form| form.len());
        let n_bytes = match kind {
            Class::Number => c.len_utf8(),
            Class::Space | Class::Letter | Class::Sign => short.unwrap_or_else(run),
        };
        if kind != Class::Space {
            words.push(rest[..n_bytes].to_owned());
        }
        rest = &rest[n_bytes..];
    }
    words
}
