//! Concepts: the words an app's inputs are labelled with.

pub mod counts;
pub mod graphs;
pub mod languages;
pub mod mappings;
pub mod references;
pub mod relations;
#[cfg(test)]
mod tests;

use ocellus_store as store;

use crate::accounts::check_id;
use crate::catalog::OWN_LANGUAGE;
use crate::{AppCtx, Error, JsonMap, Page, PatchAction, Resource, Result};

/// A concept.
#[derive(Clone, Debug)]
pub struct Concept {
    /// The id within the app.
    pub id: String,
    /// A readable name.
    pub name: String,
    /// The language of the name, as a code such as "en".
    pub language: String,
    /// What the word means.
    pub definition: String,
    /// The user's own data.
    pub metadata: JsonMap,
    /// Whether it is one of the public models' concepts, which nobody can change.
    pub public: bool,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// Microseconds since the epoch.
    pub modified_at_us: i64,
}

/// A concept to make.
#[derive(Clone, Debug, Default)]
pub struct NewConcept {
    /// Chosen by the user; the name, or else made up, if empty.
    pub id: String,
    /// A readable name; the id if empty.
    pub name: String,
    /// The app's default language if empty.
    pub language: String,
    /// What the word means.
    pub definition: String,
    /// The user's own data.
    pub metadata: JsonMap,
}

/// A change to a concept; `None` leaves a field alone.
#[derive(Clone, Debug, Default)]
pub struct ConceptPatch {
    /// The concept to change.
    pub id: String,
    /// A readable name.
    pub name: Option<String>,
    /// The language of the name.
    pub language: Option<String>,
    /// What the word means.
    pub definition: Option<String>,
    /// The user's own data.
    pub metadata: Option<JsonMap>,
}

/// Which concepts to find.
#[derive(Clone, Debug, Default)]
pub struct ConceptQuery {
    /// The name, in which `*` stands for anything; empty finds every concept. Upper and lower case are the same.
    pub name: String,
    /// Only names in this language, if given.
    pub language: Option<String>,
    /// Whether the public models' concepts are searched too.
    pub public: bool,
    /// Whether the app's own concepts are left out.
    pub without_own: bool,
}

impl From<store::Concept> for Concept {
    fn from(row: store::Concept) -> Self {
        Self {
            id: row.id,
            name: row.name,
            language: row.language,
            definition: row.definition,
            metadata: row.metadata,
            public: false,
            created_at_us: row.created_at_us,
            modified_at_us: row.modified_at_us,
        }
    }
}

/// The most concepts one call may add or patch.
const MAX_PER_CALL: usize = 128;

/// Adds concepts to an app. `Conflict` if any id exists; then nothing is written.
pub async fn create(app: &AppCtx, new: Vec<NewConcept>) -> Result<Vec<Concept>> {
    app.check_writable()?;
    check_number(new.len())?;
    let rows = new.into_iter().map(|concept| row_of(app, concept)).collect::<Result<Vec<_>>>()?;
    let made = rows.iter().cloned().map(Concept::from).collect();
    app.platform()
        .store()
        .write(move |tx| {
            for row in &rows {
                if !tx.upsert_concept_if_missing(row)? {
                    let message = format!("concept '{}' exists already: duplicate concept id", row.id);
                    return Err(Error::conflict(Resource::Concept(row.id.clone()), message));
                }
            }
            Ok(())
        })
        .await?;
    Ok(made)
}

fn check_number(n_concepts: usize) -> Result<()> {
    if n_concepts == 0 || n_concepts > MAX_PER_CALL {
        let message = format!("must hold 1 to {MAX_PER_CALL} items, not {n_concepts}");
        return Err(Error::invalid("concepts", message));
    }
    Ok(())
}

fn row_of(app: &AppCtx, new: NewConcept) -> Result<store::Concept> {
    let id = [new.id, new.name.clone()].into_iter().find(|word| !word.is_empty());
    let id = id.unwrap_or_else(|| app.platform().ids().id());
    check_id("concepts.id", &id)?;
    let now_us = app.platform().clock().now_us();
    let language = if new.language.is_empty() { app.app().default_language.clone() } else { new.language };
    Ok(store::Concept {
        app_uid: app.uid().to_owned(),
        name: if new.name.is_empty() { id.clone() } else { new.name },
        id,
        language,
        definition: new.definition,
        metadata: new.metadata,
        created_at_us: now_us,
        modified_at_us: now_us,
    })
}

/// One concept.
pub async fn get(app: &AppCtx, id: &str) -> Result<Concept> {
    let missing = || Error::not_found(Resource::Concept(id.to_owned()));
    if app.is_public() {
        return public_concepts(app).find(|concept| concept.id == id).ok_or_else(missing);
    }
    let (uid, wanted) = (app.uid().to_owned(), id.to_owned());
    let row = app.platform().store().read(move |tx| Ok::<_, Error>(tx.concept(&uid, &wanted)?)).await?;
    row.map(Concept::from).ok_or_else(missing)
}

/// The app's concepts in order of creation.
pub async fn list(app: &AppCtx, page: Page) -> Result<Vec<Concept>> {
    let page = page.check()?;
    if app.is_public() {
        return Ok(cut(public_concepts(app), page));
    }
    let uid = app.uid().to_owned();
    let read =
        move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.concepts_page(&uid, page.limit(), page.offset())?);
    let rows = app.platform().store().read(read).await?;
    Ok(rows.into_iter().map(Concept::from).collect())
}

/// Changes concepts. `NotFound` if any does not exist; then nothing is written.
pub async fn patch(app: &AppCtx, patches: Vec<ConceptPatch>, action: PatchAction) -> Result<Vec<Concept>> {
    app.check_writable()?;
    check_number(patches.len())?;
    let uid = app.uid().to_owned();
    let now_us = app.platform().clock().now_us();
    let rows = app
        .platform()
        .store()
        .write(move |tx| {
            let mut rows = Vec::with_capacity(patches.len());
            for patch in &patches {
                let row = tx.concept(&uid, &patch.id)?;
                let mut row = row.ok_or_else(|| Error::not_found(Resource::Concept(patch.id.clone())))?;
                action.set(&mut row.name, patch.name.clone());
                action.set(&mut row.language, patch.language.clone());
                action.set(&mut row.definition, patch.definition.clone());
                if let Some(metadata) = &patch.metadata {
                    action.apply(&mut row.metadata, metadata);
                }
                row.modified_at_us = now_us;
                tx.update_concept(&row)?;
                rows.push(row);
            }
            Ok::<_, Error>(rows)
        })
        .await?;
    Ok(rows.into_iter().map(Concept::from).collect())
}

/// Finds concepts by name, the app's own before the public ones; those found by another word for them come last.
/// With a language, only names in that language count, and the concepts come with those names.
pub async fn search(app: &AppCtx, query: ConceptQuery, page: Page) -> Result<Vec<Concept>> {
    let page = page.check()?;
    let pattern = if query.name.is_empty() { "*".to_owned() } else { query.name };
    let language = query.language.filter(|language| !language.is_empty());
    let n_wanted = usize::try_from(page.offset() + page.limit()).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    if !app.is_public() && !query.without_own {
        found = search_own(app, pattern.clone(), language.clone(), n_wanted).await?;
        if let Some(language) = &language {
            found.extend(languages::search_own(app, pattern.clone(), language.clone(), n_wanted).await?);
        }
    }
    if query.public || app.is_public() {
        found.extend(search_public(app, &pattern, language.as_deref()));
    }
    Ok(cut(found.into_iter(), page))
}

/// Public concepts by their names in a language (their own if none is given), then by synonyms.
fn search_public(app: &AppCtx, pattern: &str, language: Option<&str>) -> Vec<Concept> {
    let words = app.platform().catalog().words();
    let language = language.unwrap_or(OWN_LANGUAGE);
    let (mut found, mut by_synonym) = (Vec::new(), Vec::new());
    for mut concept in public_concepts(app) {
        if language != OWN_LANGUAGE {
            let Some((language, name)) = words.name(&concept.id, language) else { continue };
            (concept.name, concept.language) = (name.to_owned(), language.to_owned());
        }
        if matches(pattern, &concept.name) {
            found.push(concept);
        } else if words.synonyms(&concept.id, language).any(|name| matches(pattern, name)) {
            by_synonym.push(concept);
        }
    }
    found.append(&mut by_synonym);
    found
}

async fn search_own(
    app: &AppCtx,
    pattern: String,
    language: Option<String>,
    n_wanted: usize,
) -> Result<Vec<Concept>> {
    const BATCH: i64 = 1000;
    let uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| {
        let (mut found, mut offset) = (Vec::new(), 0);
        loop {
            let rows = tx.search_concepts(&uid, &pattern, BATCH, offset)?;
            let n_rows = rows.len();
            found.extend(
                rows.into_iter().filter(|row| language.as_ref().is_none_or(|code| *code == row.language)),
            );
            offset += BATCH;
            if n_rows < BATCH as usize || found.len() >= n_wanted {
                return Ok::<_, Error>(found);
            }
        }
    };
    let rows = app.platform().store().read(read).await?;
    Ok(rows.into_iter().map(Concept::from).collect())
}

fn cut<T>(things: impl Iterator<Item = T>, page: Page) -> Vec<T> {
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    things.skip(skip).take(page.per_page as usize).collect()
}

/// The concepts of the general public model.
fn public_concepts(app: &AppCtx) -> impl Iterator<Item = Concept> + '_ {
    let model = app.platform().catalog().general();
    model.labels.concepts.iter().map(|concept| Concept {
        id: concept.id.clone(),
        name: concept.name.clone(),
        language: OWN_LANGUAGE.to_owned(),
        definition: String::new(),
        metadata: JsonMap::new(),
        public: true,
        created_at_us: model.created_at_us,
        modified_at_us: model.created_at_us,
    })
}

/// Whether a name fits a pattern in which `*` stands for anything, in any case.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(head) else { return false };
    let Some((middle, tail)) = rest.rsplit_once('*') else { return left.ends_with(rest) };
    for piece in middle.split('*') {
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(tail)
}
