//! From words to concepts: names in a language, other words for them, and, where no name fits, meaning.

use std::collections::HashMap;

use ocellus_algo::embed::cosine;
use ocellus_store::Tx;

use super::ConceptTerm;
use super::rank::ByConcept;
use crate::{AppCtx, Error, Result};

/// The longest text of a query, in characters.
const MAX_TEXT: usize = 2_000;
/// The most words of a text that are looked up.
const MAX_WORDS: usize = 32;
/// The most words of a name.
const MAX_NAME: usize = 5;
/// From this cosine on a concept means what a text means. Of the 841 synonyms of the general concepts 499 are this near
/// to their concept's name, with 4.5 other concepts each; what means nothing comes to 0.43.
const MEANT_FROM: f32 = 0.5;
/// The most concepts that are taken by meaning.
const MAX_MEANT: usize = 10;
/// The most concepts of an app that are compared by meaning.
const MAX_OWN: i64 = 1_000;

/// Terms of the app's own concepts: one that is named in a language stands for all that have this name in it.
pub(super) async fn own_terms(
    app: &AppCtx,
    terms: Vec<ConceptTerm>,
    language: Option<&str>,
) -> Result<Vec<ConceptTerm>> {
    let Some(language) = language.filter(|code| !code.is_empty()) else { return Ok(terms) };
    let (uid, language) = (app.uid().to_owned(), language.to_owned());
    let read = move |tx: &mut Tx<'_>| {
        let mut all = terms.clone();
        for term in terms.iter().filter(|term| term.id.is_empty()) {
            for name in named_in(tx, &uid, &language, &term.name)? {
                all.push(ConceptTerm { id: name, name: String::new(), value: term.value });
            }
        }
        Ok::<_, Error>(all)
    };
    app.platform().store().read(read).await
}

/// The app's concepts with just this name in a language.
fn named_in(tx: &Tx<'_>, uid: &str, language: &str, name: &str) -> Result<Vec<String>> {
    let wanted = name.to_lowercase();
    let found = tx.search_concept_names(uid, language, name, MAX_OWN, 0)?;
    Ok(found.into_iter().filter(|row| row.name.to_lowercase() == wanted).map(|row| row.concept_id).collect())
}

/// What a text speaks of, one entry for each thing. Never empty: a text that means nothing known fits nothing.
pub(super) async fn concepts_of(app: &AppCtx, text: &str, language: Option<&str>) -> Result<Vec<ByConcept>> {
    let text = checked(text)?;
    let mut found = by_name(app, text, language).await?;
    if found.is_empty() {
        found.push(by_meaning(app, text).await?);
    }
    Ok(found)
}

/// A text of a query without white space around it, if it has the right length.
pub(super) fn checked(text: &str) -> Result<&str> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_TEXT {
        return Err(Error::invalid("text.raw", format!("must have 1 to {MAX_TEXT} characters")));
    }
    Ok(text)
}

/// The words of a text by their places; each ideograph is a word.
fn places(text: &str) -> Vec<(usize, usize)> {
    let mut places: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        let ideograph = matches!(u32::from(c), 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xF900..=0xFAFF);
        match places.last_mut() {
            Some(last) if open && !ideograph && (c.is_alphanumeric() || c == '\'' || c == '-') => {
                last.1 = end
            }
            _ if c.is_alphanumeric() => places.push((at, end)),
            _ => {}
        }
        open = !ideograph && (c.is_alphanumeric() || (open && (c == '\'' || c == '-')));
    }
    places.truncate(MAX_WORDS);
    places
}

/// The things that a text names: the longest names first, each word counted once.
async fn by_name(app: &AppCtx, text: &str, language: Option<&str>) -> Result<Vec<ByConcept>> {
    let places = places(text);
    let mut candidates = Vec::new();
    for n in (1..=MAX_NAME.min(places.len())).rev() {
        for first in 0..=places.len() - n {
            candidates.push((first, n, text[places[first].0..places[first + n - 1].1].to_owned()));
        }
    }
    if text.len() > candidates.first().map_or(0, |(_, _, words)| words.len()) {
        candidates.insert(0, (0, places.len(), text.to_owned()));
    }
    let own =
        own_named(app, candidates.iter().map(|(_, _, words)| words.clone()).collect(), language).await?;
    let mut used = vec![false; places.len()];
    let mut found = Vec::new();
    for (first, n, words) in candidates {
        if used[first..first + n].contains(&true) {
            continue;
        }
        let mut any: Vec<(f32, ByConcept)> =
            own.get(&words).into_iter().flatten().map(|id| (1.0, labelled(id))).collect();
        any.extend(public_named(app, &words, language).map(|by| (1.0, by)));
        if !any.is_empty() {
            used[first..first + n].fill(true);
            found.push(ByConcept::Best(any));
        }
    }
    Ok(found)
}

fn labelled(id: &str) -> ByConcept {
    ByConcept::Labelled(ConceptTerm { id: id.to_owned(), name: String::new(), value: 1.0 })
}

fn predicted(app: &AppCtx, id: &str) -> ByConcept {
    let version_id = app.platform().catalog().general().version_id().to_owned();
    ByConcept::Predicted { version_id, id: id.to_owned() }
}

fn public_named(app: &AppCtx, words: &str, language: Option<&str>) -> Option<ByConcept> {
    let catalog = app.platform().catalog();
    let concept = spellings(words).find_map(|name| catalog.concept("", &name, language));
    concept.map(|concept| predicted(app, &concept.id))
}

/// A name, and what may be its singular.
fn spellings(words: &str) -> impl Iterator<Item = String> {
    let words = words.to_lowercase();
    let cut = |end: &str, put: &str| {
        words.strip_suffix(end).filter(|stem| stem.len() > 1).map(|stem| format!("{stem}{put}"))
    };
    let all = [cut("s", ""), cut("es", ""), cut("ies", "y"), cut("ves", "f")];
    std::iter::once(words).chain(all.into_iter().flatten())
}

/// The app's concepts by each of these names, with those that mean the same or are a kind of it.
async fn own_named(
    app: &AppCtx,
    names: Vec<String>,
    language: Option<&str>,
) -> Result<HashMap<String, Vec<String>>> {
    let (uid, language) = (app.uid().to_owned(), language.unwrap_or_default().to_owned());
    let read = move |tx: &mut Tx<'_>| {
        let mut found = HashMap::new();
        if tx.concepts_page(&uid, 1, 0)?.is_empty() {
            return Ok(found);
        }
        for words in &names {
            let mut ids = Vec::new();
            for name in spellings(words) {
                let term = ConceptTerm { id: String::new(), name: name.clone(), value: 1.0 };
                ids.extend(super::select::concept_ids(tx, &uid, &term)?);
                if !language.is_empty() {
                    ids.extend(named_in(tx, &uid, &language, &name)?);
                }
            }
            for relation in tx.concept_relations_of(&uid, &ids)? {
                match relation.predicate.as_str() {
                    "synonym" => ids.extend([relation.subject_id, relation.object_id]),
                    _ if ids.contains(&relation.object_id) => ids.push(relation.subject_id),
                    _ => {}
                }
            }
            ids.sort_unstable();
            ids.dedup();
            found.insert(words.clone(), ids);
        }
        Ok::<_, Error>(found)
    };
    app.platform().store().read(read).await
}

/// The concepts whose names are nearest to what a text means.
async fn by_meaning(app: &AppCtx, text: &str) -> Result<ByConcept> {
    let (uid, platform) = (app.uid().to_owned(), app.platform());
    let read = move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.concepts_page(&uid, MAX_OWN, 0)?);
    let own = platform.store().read(read).await?;
    let public = &platform.catalog().general().labels.concepts;
    let mut names = vec![text.to_owned()];
    names.extend(own.iter().map(|concept| concept.name.clone()));
    names.extend(public.iter().map(|concept| concept.name.clone()));
    let vectors = platform.texts().embed(platform, names).await?;
    let Some((wanted, vectors)) = vectors.split_first() else { return Ok(ByConcept::Best(Vec::new())) };
    let meant = own.iter().map(|concept| labelled(&concept.id));
    let meant = meant.chain(public.iter().map(|concept| predicted(app, &concept.id)));
    let mut near: Vec<(f32, ByConcept)> = vectors
        .iter()
        .map(|vector| cosine(wanted, vector))
        .zip(meant)
        .filter(|(near, _)| *near >= MEANT_FROM)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.truncate(MAX_MEANT);
    Ok(ByConcept::Best(near))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_into_words_and_ideographs() {
        let table = [
            ("a dog, running", vec!["a", "dog", "running"]),
            ("jack-o'-lantern!", vec!["jack-o'-lantern"]),
            ("白い犬", vec!["白", "い", "犬"]),
            ("犬dog", vec!["犬", "dog"]),
            ("!?", vec![]),
        ];
        for (text, expected) in table {
            let words: Vec<&str> = places(text).into_iter().map(|(from, to)| &text[from..to]).collect();
            assert_eq!(words, expected, "{text}");
        }
    }

    #[test]
    fn a_plural_may_be_spelled_as_a_singular() {
        for (plural, singular) in [("Dogs", "dog"), ("ponies", "pony"), ("wolves", "wolf"), ("buses", "bus")]
        {
            assert!(spellings(plural).any(|name| name == singular), "{plural}");
        }
    }
}
