//! Cleaning and splitting of text, as BERT's normaliser and pre-tokenizer do it.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// The words of a text: lower case, without accents, each punctuation mark and ideograph on its own.
pub fn words(text: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(text.len());
    for c in text.chars().filter_map(cleaned) {
        if is_ideograph(c) {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    let bare = spaced.nfd().filter(|c| c.general_category() != GeneralCategory::NonspacingMark);
    let lower: String = bare.flat_map(char::to_lowercase).collect();
    let mut words = Vec::new();
    for word in lower.split_whitespace() {
        split_marks(word, &mut words);
    }
    words
}

/// White space becomes a space; other control and format characters go.
fn cleaned(c: char) -> Option<char> {
    if matches!(c, '\t' | '\n' | '\r') || c.is_whitespace() {
        return Some(' ');
    }
    let other = c == '\0' || c == '\u{fffd}' || c.general_category_group() == GeneralCategoryGroup::Other;
    (!other).then_some(c)
}

fn split_marks(word: &str, words: &mut Vec<String>) {
    let mut piece = String::new();
    for c in word.chars() {
        if !is_mark(c) {
            piece.push(c);
            continue;
        }
        if !piece.is_empty() {
            words.push(std::mem::take(&mut piece));
        }
        words.push(c.to_string());
    }
    if !piece.is_empty() {
        words.push(piece);
    }
}

/// Punctuation of any script, and every sign of ASCII that is no letter or digit.
fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation() || c.general_category_group() == GeneralCategoryGroup::Punctuation
}

/// The blocks of CJK ideographs; kana and hangul are not among them.
fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c),
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F
        | 0x2B740..=0x2B81F | 0x2B820..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F)
}
