//! What concepts are called in other languages: an app's own names, and those of the public concepts.

use ocellus_store as store;

use super::{Concept, cut};
use crate::catalog::OWN_LANGUAGE;
use crate::{AppCtx, Error, Page, PatchAction, Resource, Result};

/// A concept's name in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConceptLanguage {
    /// A code such as "ja".
    pub language: String,
    /// The name.
    pub name: String,
    /// What it means, in that language.
    pub definition: String,
}

/// The most names one call may add or patch.
const MAX_PER_CALL: usize = 128;
/// The longest code of a language, in characters.
const MAX_CODE: usize = 35;

/// All names of a concept, its own first, then by language.
pub async fn list(app: &AppCtx, concept_id: &str, page: Page) -> Result<Vec<ConceptLanguage>> {
    let page = page.check()?;
    Ok(cut(all(app, concept_id).await?.into_iter(), page))
}

/// A concept's name in a language.
pub async fn get(app: &AppCtx, concept_id: &str, language: &str) -> Result<ConceptLanguage> {
    let found = all(app, concept_id).await?.into_iter().find(|name| name.language == language);
    found.ok_or_else(|| missing(language))
}

fn missing(language: &str) -> Error {
    Error::not_found(Resource::Other("language", language.to_owned()))
}

/// All names of a concept of the app, or else of a public one.
async fn all(app: &AppCtx, concept_id: &str) -> Result<Vec<ConceptLanguage>> {
    let (uid, id) = (app.uid().to_owned(), concept_id.to_owned());
    let read = move |tx: &mut store::Tx<'_>| {
        let Some(concept) = tx.concept(&uid, &id)? else { return Ok::<_, Error>(None) };
        Ok(Some((concept, tx.concept_names(&uid, &id)?)))
    };
    let own = match app.is_public() {
        true => None,
        false => app.platform().store().read(read).await?,
    };
    if let Some((concept, names)) = own {
        return Ok(std::iter::once(own_name(concept)).chain(names.into_iter().map(from_row)).collect());
    }
    let catalog = app.platform().catalog();
    let public = catalog.general().labels.by_id(concept_id);
    let public = public.ok_or_else(|| Error::not_found(Resource::Concept(concept_id.to_owned())))?;
    let name = |(language, name): (&str, &str)| ConceptLanguage {
        language: language.to_owned(),
        name: name.to_owned(),
        definition: String::new(),
    };
    let own = name((OWN_LANGUAGE, &public.name));
    Ok(std::iter::once(own).chain(catalog.words().names(concept_id).map(name)).collect())
}

fn own_name(concept: store::Concept) -> ConceptLanguage {
    ConceptLanguage { language: concept.language, name: concept.name, definition: concept.definition }
}

fn from_row(row: store::ConceptName) -> ConceptLanguage {
    ConceptLanguage { language: row.language, name: row.name, definition: row.definition }
}

/// Adds names to a concept of the app. `Conflict` if it has one in a language; then none is added.
pub async fn create(
    app: &AppCtx,
    concept_id: &str,
    names: Vec<ConceptLanguage>,
) -> Result<Vec<ConceptLanguage>> {
    app.check_writable()?;
    check(&names)?;
    let rows: Vec<store::ConceptName> = names.iter().map(|name| row_of(app, concept_id, name)).collect();
    let write = move |tx: &mut store::Tx<'_>| {
        let Some(first) = rows.first() else { return Ok(()) };
        let concept = tx.concept(&first.app_uid, &first.concept_id)?;
        let concept = concept.ok_or_else(|| Error::not_found(Resource::Concept(first.concept_id.clone())))?;
        for row in &rows {
            if row.language == concept.language || !tx.insert_concept_name_if_missing(row)? {
                let message =
                    format!("the concept has a name in '{}' already: duplicate language", row.language);
                return Err(Error::conflict(Resource::Other("language", row.language.clone()), message));
            }
        }
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await?;
    Ok(names)
}

/// Changes names of a concept, or takes them away. `NotFound` if it has none in a language; then nothing is changed.
/// The name in the concept's own language cannot be taken away.
pub async fn patch(
    app: &AppCtx,
    concept_id: &str,
    names: Vec<ConceptLanguage>,
    action: PatchAction,
) -> Result<Vec<ConceptLanguage>> {
    app.check_writable()?;
    if action != PatchAction::Remove {
        check(&names)?;
    }
    let rows: Vec<store::ConceptName> = names.iter().map(|name| row_of(app, concept_id, name)).collect();
    let (uid, id) = (app.uid().to_owned(), concept_id.to_owned());
    let write = move |tx: &mut store::Tx<'_>| {
        let concept = tx.concept(&uid, &id)?;
        let mut concept = concept.ok_or_else(|| Error::not_found(Resource::Concept(id.clone())))?;
        for row in &rows {
            let is_own = row.language == concept.language;
            if !is_own && tx.concept_name(&uid, &id, &row.language)?.is_none() {
                return Err(missing(&row.language));
            }
            match (action, is_own) {
                (PatchAction::Remove, true) => {
                    return Err(Error::invalid(
                        "concept_languages",
                        "a concept keeps the name in its own language",
                    ));
                }
                (PatchAction::Remove, false) => tx.delete_concept_name(&uid, &id, &row.language)?,
                (PatchAction::Merge | PatchAction::Overwrite, true) => {
                    concept.name.clone_from(&row.name);
                    concept.definition.clone_from(&row.definition);
                    concept.modified_at_us = row.modified_at_us;
                    tx.update_concept(&concept)?;
                }
                (PatchAction::Merge | PatchAction::Overwrite, false) => tx.put_concept_name(row)?,
            }
        }
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await?;
    Ok(names)
}

fn check(names: &[ConceptLanguage]) -> Result<()> {
    if names.is_empty() || names.len() > MAX_PER_CALL {
        let message = format!("must hold 1 to {MAX_PER_CALL} items, not {}", names.len());
        return Err(Error::invalid("concept_languages", message));
    }
    for name in names {
        let is_code = !name.language.is_empty()
            && name.language.len() <= MAX_CODE
            && name.language.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !is_code {
            return Err(Error::invalid(
                "concept_languages.id",
                "must be the code of a language, such as 'ja'",
            ));
        }
        if name.name.is_empty() {
            return Err(Error::invalid("concept_languages.name", "must not be empty"));
        }
    }
    Ok(())
}

fn row_of(app: &AppCtx, concept_id: &str, name: &ConceptLanguage) -> store::ConceptName {
    let now_us = app.platform().clock().now_us();
    store::ConceptName {
        app_uid: app.uid().to_owned(),
        concept_id: concept_id.to_owned(),
        language: name.language.clone(),
        name: name.name.clone(),
        definition: name.definition.clone(),
        account_id: app.caller().account_id.clone(),
        key_id: app.caller().key_id.clone(),
        created_at_us: now_us,
        modified_at_us: now_us,
    }
}

/// The app's concepts whose names in a language fit a pattern, with those names.
pub(super) async fn search_own(
    app: &AppCtx,
    pattern: String,
    language: String,
    n_wanted: usize,
) -> Result<Vec<Concept>> {
    let uid = app.uid().to_owned();
    let limit = i64::try_from(n_wanted).unwrap_or(i64::MAX);
    let read = move |tx: &mut store::Tx<'_>| {
        let names = tx.search_concept_names(&uid, &language, &pattern, limit, 0)?;
        let ids: Vec<&String> = names.iter().map(|name| &name.concept_id).collect();
        let concepts = tx.concepts_by_ids(&uid, &ids)?;
        // Both are in the order of the names.
        let named = concepts.into_iter().zip(names).map(|(concept, name)| Concept {
            name: name.name,
            language: name.language,
            definition: name.definition,
            ..Concept::from(concept)
        });
        Ok::<_, Error>(named.collect())
    };
    app.platform().store().read(read).await
}
