//! Relations between concepts: which is a kind of which, and which mean the same. An app's own are stored, those of the
//! public concepts come with the models.
//!
//! A relation is said once and seen from both ends: who says that a hamburger's hypernym is food has said that food's
//! hyponym is a hamburger. It keeps its id whichever end it is looked at from.

use std::collections::{HashMap, HashSet};

use ocellus_store as store;

use super::graphs::KnowledgeGraph;
use super::{Concept, cut};
use crate::accounts::check_id;
use crate::catalog::Predicate;
use crate::resources::Document;
use crate::{AppCtx, Error, JsonMap, Page, Resource, Result};

/// A relation, seen from its subject.
#[derive(Clone, Debug)]
pub struct Relation {
    /// Unique within the app.
    pub id: String,
    /// The concept of which something is said.
    pub subject: Concept,
    /// What the object is to the subject.
    pub predicate: Predicate,
    /// The other concept.
    pub object: Concept,
    /// The graph that it belongs to; empty for none.
    pub graph_id: String,
}

/// A relation to make.
#[derive(Clone, Debug)]
pub struct NewRelation {
    /// Chosen by the user; made up if empty.
    pub id: String,
    /// The concept of which something is said.
    pub subject_id: String,
    /// What the object is to the subject.
    pub predicate: Predicate,
    /// The other concept.
    pub object_id: String,
    /// The graph that it belongs to; empty for none.
    pub graph_id: String,
}

/// Which relations to list.
#[derive(Clone, Debug, Default)]
pub struct RelationQuery {
    /// Only those of this concept, which is then the subject.
    pub concept_id: Option<String>,
    /// Only these.
    pub predicate: Option<Predicate>,
    /// Only those of this graph.
    pub graph_id: Option<String>,
}

/// The most relations one call may add or delete.
const MAX_PER_CALL: usize = 128;

/// Relations, the app's own in order of creation, then those of the public concepts; without a concept, the app's own
/// only. `NotFound` for a concept that is neither the app's nor public.
pub async fn list(app: &AppCtx, query: RelationQuery, page: Page) -> Result<Vec<Relation>> {
    let page = page.check()?;
    let mut found = Vec::new();
    if app.is_public() || query.concept_id.is_some() {
        found.extend(public(app, &query));
    }
    if !app.is_public() {
        let is_public = query.concept_id.as_ref().is_some_and(|id| public_concept(app, id).is_some());
        let mut own = own(app, query, is_public).await?;
        own.append(&mut found);
        found = own;
    } else if let Some(id) = &query.concept_id
        && public_concept(app, id).is_none()
    {
        return Err(Error::not_found(Resource::Concept(id.clone())));
    }
    Ok(cut(found.into_iter(), page))
}

/// The app's own relations that fit.
async fn own(app: &AppCtx, query: RelationQuery, is_public: bool) -> Result<Vec<Relation>> {
    const BATCH: i64 = 1000;
    let uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| {
        let rows = match &query.concept_id {
            Some(id) => {
                if !is_public && tx.concept(&uid, id)?.is_none() {
                    return Err(Error::not_found(Resource::Concept(id.clone())));
                }
                tx.concept_relations_of(&uid, &[id])?
            }
            None => {
                let (mut rows, mut after_seq) = (Vec::new(), 0);
                loop {
                    let batch = tx.concept_relations_page(&uid, after_seq, BATCH)?;
                    let n = batch.len() as i64;
                    after_seq = batch.last().map_or(after_seq, |row| row.seq);
                    rows.extend(batch);
                    if n < BATCH {
                        break rows;
                    }
                }
            }
        };
        let rows =
            rows.into_iter().filter(|row| query.graph_id.as_ref().is_none_or(|id| *id == row.graph_id));
        let seen: Vec<Seen> = rows.flat_map(|row| seen(row, &query)).collect();
        let ids: HashSet<&String> = seen.iter().flat_map(|one| [&one.subject_id, &one.object_id]).collect();
        let ids: Vec<&String> = ids.into_iter().collect();
        let concepts = tx.concepts_by_ids(&uid, &ids)?;
        Ok::<_, Error>((seen, concepts))
    };
    let (seen, concepts) = app.platform().store().read(read).await?;
    let concepts: HashMap<String, Concept> =
        concepts.into_iter().map(|row| (row.id.clone(), Concept::from(row))).collect();
    let concept = |id: &String| concepts.get(id).cloned().or_else(|| public_concept(app, id));
    let full = |one: Seen| {
        Some(Relation {
            subject: concept(&one.subject_id)?,
            object: concept(&one.object_id)?,
            id: one.id,
            predicate: one.predicate,
            graph_id: one.graph_id,
        })
    };
    Ok(seen.into_iter().filter_map(full).collect())
}

/// A stored relation from the end that is asked for.
#[derive(Clone, Debug)]
struct Seen {
    id: String,
    subject_id: String,
    predicate: Predicate,
    object_id: String,
    graph_id: String,
}

/// A stored relation as seen by the query. Asked for hyponyms, those stored as hypernyms are turned round; asked for
/// everything of no concept in particular, each is seen once, as it is stored.
fn seen(row: store::ConceptRelation, query: &RelationQuery) -> Option<Seen> {
    let stored = Predicate::from_name(&row.predicate)?;
    let forward = match &query.concept_id {
        Some(id) => *id == row.subject_id,
        None => query.predicate.is_none_or(|wanted| wanted == stored),
    };
    let (subject_id, predicate, object_id) = match forward {
        true => (row.subject_id, stored, row.object_id),
        false => (row.object_id, stored.inverse(), row.subject_id),
    };
    let fits = query.predicate.is_none_or(|wanted| wanted == predicate);
    fits.then_some(Seen { id: row.id, subject_id, predicate, object_id, graph_id: row.graph_id })
}

/// The relations of the public concepts that fit. They belong to no graph.
fn public(app: &AppCtx, query: &RelationQuery) -> Vec<Relation> {
    if query.graph_id.is_some() {
        return Vec::new();
    }
    let words = app.platform().catalog().words();
    let of_one = |id: &str| -> Vec<(String, Predicate, String)> {
        words
            .relations(id)
            .iter()
            .map(|(predicate, object)| (id.to_owned(), *predicate, object.clone()))
            .collect()
    };
    let all = || words.all_relations().map(|(s, p, o)| (s.to_owned(), p, o.to_owned())).collect();
    let triples: Vec<(String, Predicate, String)> = query.concept_id.as_deref().map_or_else(all, of_one);
    let fits = triples.into_iter().filter(|(_, p, _)| query.predicate.is_none_or(|wanted| wanted == *p));
    let full = fits.filter_map(|(subject, predicate, object)| {
        Some(Relation {
            id: format!("{subject}-{}-{object}", predicate.name()),
            subject: public_concept(app, &subject)?,
            predicate,
            object: public_concept(app, &object)?,
            graph_id: String::new(),
        })
    });
    full.collect()
}

fn public_concept(app: &AppCtx, id: &str) -> Option<Concept> {
    let general = app.platform().catalog().general();
    let concept = general.labels.by_id(id)?;
    Some(Concept {
        id: concept.id.clone(),
        name: concept.name.clone(),
        language: crate::catalog::OWN_LANGUAGE.to_owned(),
        definition: String::new(),
        metadata: JsonMap::new(),
        public: true,
        created_at_us: general.created_at_us,
        modified_at_us: general.created_at_us,
    })
}

/// Adds relations. Both concepts must be the app's or public ones, and the graph must exist; `Conflict` for a relation
/// that was said before, from either end. If one fails, none is added.
pub async fn create(app: &AppCtx, new: Vec<NewRelation>) -> Result<Vec<Relation>> {
    app.check_writable()?;
    check_number(new.len())?;
    let rows = new.iter().map(|one| row_of(app, one)).collect::<Result<Vec<_>>>()?;
    let public: HashSet<String> = new
        .iter()
        .flat_map(|one| [&one.subject_id, &one.object_id])
        .filter(|id| public_concept(app, id).is_some())
        .cloned()
        .collect();
    let stored = rows.clone();
    let write = move |tx: &mut store::Tx<'_>| {
        for row in &rows {
            for id in [&row.subject_id, &row.object_id] {
                if !public.contains(id) && tx.concept(&row.app_uid, id)?.is_none() {
                    return Err(Error::not_found(Resource::Concept(id.clone())));
                }
            }
            if !row.graph_id.is_empty()
                && tx.resource(&row.app_uid, KnowledgeGraph::KIND, "", &row.graph_id)?.is_none()
            {
                return Err(crate::resources::missing::<KnowledgeGraph>(&row.graph_id));
            }
            if !tx.insert_concept_relation_if_missing(row)? {
                let message =
                    format!("'{}' is related to '{}' in this way already", row.subject_id, row.object_id);
                return Err(Error::conflict(Resource::Other("concept relation", row.id.clone()), message));
            }
        }
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await?;
    let mut made = Vec::with_capacity(new.len());
    for (one, row) in new.into_iter().zip(stored) {
        made.push(Relation {
            id: row.id,
            subject: known(app, &one.subject_id).await?,
            predicate: one.predicate,
            object: known(app, &one.object_id).await?,
            graph_id: one.graph_id,
        });
    }
    Ok(made)
}

async fn known(app: &AppCtx, id: &str) -> Result<Concept> {
    match super::get(app, id).await {
        Ok(concept) => Ok(concept),
        Err(error) => public_concept(app, id).ok_or(error),
    }
}

/// A hyponym is stored as the hypernym that it is from the other end, and of two synonyms the first by id is the subject.
pub(super) fn row_of(app: &AppCtx, new: &NewRelation) -> Result<store::ConceptRelation> {
    if new.subject_id == new.object_id {
        return Err(Error::invalid("concept_relations", "a concept cannot be related to itself"));
    }
    let id = if new.id.is_empty() { app.platform().ids().id() } else { new.id.clone() };
    check_id("concept_relations.id", &id)?;
    let turned = match new.predicate {
        Predicate::Hypernym => false,
        Predicate::Hyponym => true,
        Predicate::Synonym => new.subject_id > new.object_id,
    };
    let (subject, predicate, object) = match turned {
        true => (&new.object_id, new.predicate.inverse(), &new.subject_id),
        false => (&new.subject_id, new.predicate, &new.object_id),
    };
    Ok(store::ConceptRelation {
        app_uid: app.uid().to_owned(),
        id,
        seq: 0,
        subject_id: subject.clone(),
        predicate: predicate.name().to_owned(),
        object_id: object.clone(),
        graph_id: new.graph_id.clone(),
        account_id: app.caller().account_id.clone(),
        key_id: app.caller().key_id.clone(),
        created_at_us: app.platform().clock().now_us(),
    })
}

/// Deletes relations of a concept by id, or all that it stands in if no id is given. `NotFound` if one does not exist or
/// is not this concept's; then none is deleted.
pub async fn delete(app: &AppCtx, concept_id: &str, ids: Vec<String>) -> Result<()> {
    app.check_writable()?;
    if ids.len() > MAX_PER_CALL {
        check_number(ids.len())?;
    }
    let (uid, concept_id) = (app.uid().to_owned(), concept_id.to_owned());
    let is_public = public_concept(app, &concept_id).is_some();
    let write = move |tx: &mut store::Tx<'_>| {
        if !is_public && tx.concept(&uid, &concept_id)?.is_none() {
            return Err(Error::not_found(Resource::Concept(concept_id.clone())));
        }
        let known: Vec<String> =
            tx.concept_relations_of(&uid, &[&concept_id])?.into_iter().map(|row| row.id).collect();
        let wanted = if ids.is_empty() { &known } else { &ids };
        for id in wanted {
            if !known.contains(id) || !tx.delete_concept_relation(&uid, id)? {
                return Err(Error::not_found(Resource::Other("concept relation", id.clone())));
            }
        }
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await
}

fn check_number(n: usize) -> Result<()> {
    if n == 0 || n > MAX_PER_CALL {
        return Err(Error::invalid(
            "concept_relations",
            format!("must hold 1 to {MAX_PER_CALL} items, not {n}"),
        ));
    }
    Ok(())
}
