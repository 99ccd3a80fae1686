//! Vocabularies: ordered lists of an app's concepts.

#[cfg(test)]
mod tests;

use ocellus_store as store;
use serde::{Deserialize, Serialize};

use crate::concepts::Concept;
use crate::resources::{self, Document, Shelf, Stored};
use crate::{AppCtx, Error, Page, Resource, Result};

/// A vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocab {
    /// A readable name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its concepts, in order, each once.
    #[serde(default)]
    pub concept_ids: Vec<String>,
}

/// The most concepts a vocabulary may hold.
pub const MAX_CONCEPTS: usize = 10_000;

impl Document for Vocab {
    const KIND: &'static str = "vocab";
    const NOUN: &'static str = "vocab";
    const FIELD: &'static str = "vocabs";

    fn check(&self) -> Result<()> {
        if self.concept_ids.len() > MAX_CONCEPTS {
            return Err(Error::invalid("vocabs", format!("may hold {MAX_CONCEPTS} concepts at most")));
        }
        Ok(())
    }
}

/// The concepts of a vocabulary, in its order.
pub async fn concepts(app: &AppCtx, vocab_id: &str, page: Page) -> Result<Vec<Concept>> {
    let page = page.check()?;
    let vocab: Stored<Vocab> = resources::get(&Shelf::from(app), vocab_id).await?;
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let ids = vocab.doc.concept_ids.into_iter().skip(skip).take(page.per_page as usize).collect();
    by_ids(app, ids).await
}

async fn by_ids(app: &AppCtx, ids: Vec<String>) -> Result<Vec<Concept>> {
    let uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.concepts_by_ids(&uid, &ids)?);
    let rows = app.platform().store().read(read).await?;
    Ok(rows.into_iter().map(Concept::from).collect())
}

/// Adds concepts of the app to the end of a vocabulary and returns them. `NotFound` for a concept that the app does not
/// have and `Conflict` for one that the vocabulary has already; then none is added.
pub async fn add_concepts(app: &AppCtx, vocab_id: &str, ids: Vec<String>) -> Result<Vec<Concept>> {
    let added = by_ids(app, ids.clone()).await?;
    if let Some(id) = ids.iter().find(|id| added.iter().all(|concept| concept.id != **id)) {
        return Err(Error::not_found(Resource::Concept(id.clone())));
    }
    let append = move |vocab: &mut Vocab| {
        for id in &ids {
            if vocab.concept_ids.contains(id) {
                let message = format!("concept '{id}' is in the vocab already");
                return Err(Error::conflict(Resource::Concept(id.clone()), message));
            }
            vocab.concept_ids.push(id.clone());
        }
        Ok(())
    };
    resources::change(&Shelf::from(app), vocab_id, append).await?;
    Ok(added)
}

/// Takes concepts out of a vocabulary; they stay in the app. `NotFound` for one that is not in it; then none is taken out.
pub async fn remove_concepts(app: &AppCtx, vocab_id: &str, ids: Vec<String>) -> Result<()> {
    let remove = move |vocab: &mut Vocab| {
        for id in &ids {
            let at = vocab.concept_ids.iter().position(|other| other == id);
            vocab.concept_ids.remove(at.ok_or_else(|| Error::not_found(Resource::Concept(id.clone())))?);
        }
        Ok(())
    };
    resources::change(&Shelf::from(app), vocab_id, remove).await?;
    Ok(())
}

/// Takes all concepts out of a vocabulary; they stay in the app.
pub async fn clear_concepts(app: &AppCtx, vocab_id: &str) -> Result<()> {
    let clear = |vocab: &mut Vocab| {
        vocab.concept_ids.clear();
        Ok(())
    };
    resources::change(&Shelf::from(app), vocab_id, clear).await?;
    Ok(())
}
