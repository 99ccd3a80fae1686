//! Mappings: ties an app's concepts to the public concepts of the same name, within a knowledge graph.

use ocellus_store as store;

use super::graphs::KnowledgeGraph;
use super::relations::{NewRelation, row_of};
use crate::catalog::Predicate;
use crate::inputs::create::check_alive;
use crate::resources;
use crate::{AppCtx, Error, Resource, Result};

/// The most mappings of one call, and concepts of one mapping.
const MAX_PER_CALL: usize = 128;

/// Concepts to tie to public ones.
#[derive(Clone, Debug)]
pub struct NewMapping {
    /// The graph that the ties belong to.
    pub graph_id: String,
    /// The app's concepts.
    pub concept_ids: Vec<String>,
}

/// Says of each concept that has a public one of its name, or one that its name is another word for, that both mean the
/// same. A concept without such a twin, and one that is tied already, stays as it is. Returns an id for each mapping.
/// `NotFound` for a graph or concept that the app has not; then nothing is tied.
pub async fn map(app: &AppCtx, new: Vec<NewMapping>) -> Result<Vec<String>> {
    app.check_writable()?;
    let sound = |n: usize| (1..=MAX_PER_CALL).contains(&n);
    if !sound(new.len()) {
        return Err(Error::invalid("concept_mapping_jobs", format!("must hold 1 to {MAX_PER_CALL} items")));
    }
    for (idx, mapping) in new.iter().enumerate() {
        let field = format!("concept_mapping_jobs[{idx}]");
        if mapping.graph_id.is_empty() {
            return Err(Error::invalid(format!("{field}.knowledge_graph_id"), "must be given"));
        }
        if !sound(mapping.concept_ids.len()) {
            return Err(Error::invalid(
                format!("{field}.concept_ids"),
                format!("must hold 1 to {MAX_PER_CALL}"),
            ));
        }
    }
    let ids = new.iter().map(|_| app.platform().ids().id()).collect();
    let by = app.clone();
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, by.uid())?;
        new.iter().try_for_each(|mapping| tie(tx, &by, mapping))
    };
    app.platform().store().write(write).await?;
    Ok(ids)
}

fn tie(tx: &store::Tx<'_>, app: &AppCtx, mapping: &NewMapping) -> Result<()> {
    resources::exists::<KnowledgeGraph>(tx, app.uid(), &mapping.graph_id)?;
    for id in &mapping.concept_ids {
        let concept =
            tx.concept(app.uid(), id)?.ok_or_else(|| Error::not_found(Resource::Concept(id.clone())))?;
        let twin = app.platform().catalog().concept("", &concept.name, Some(&concept.language));
        let Some(twin) = twin.filter(|twin| twin.id != concept.id) else { continue };
        let relation = NewRelation {
            id: String::new(),
            subject_id: concept.id,
            predicate: Predicate::Synonym,
            object_id: twin.id.clone(),
            graph_id: mapping.graph_id.clone(),
        };
        tx.insert_concept_relation_if_missing(&row_of(app, &relation)?)?;
    }
    Ok(())
}
