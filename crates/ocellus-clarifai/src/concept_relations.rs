//! Relations between concepts: RPCs and the wire form of a relation.

use ocellus_core::catalog::Predicate;
use ocellus_core::concepts::relations::{self, NewRelation, Relation, RelationQuery};
use ocellus_core::{AppCtx, Error, Result};

use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{concepts, paging, status};

pub async fn list_concept_relations(
    cx: Cx,
    req: ListConceptRelationsRequest,
) -> Result<MultiConceptRelationResponse> {
    let app = cx.app(req.user_app_id).await?;
    let given = |text: String| (!text.is_empty()).then_some(text);
    let query = RelationQuery {
        concept_id: given(req.concept_id),
        predicate: given(req.predicate).map(|name| predicate(&name, "predicate")).transpose()?,
        graph_id: given(req.knowledge_graph_id),
    };
    let found = relations::list(&app, query, paging::page(req.page, req.per_page)?).await?;
    Ok(many(&app, &found))
}

pub async fn post_concept_relations(
    cx: Cx,
    req: PostConceptRelationsRequest,
) -> Result<MultiConceptRelationResponse> {
    let app = cx.app(req.user_app_id).await?;
    let subject = req.concept_id;
    let new = req.concept_relations.into_iter().map(|relation| new_relation(&subject, relation));
    let made = relations::create(&app, new.collect::<Result<_>>()?).await?;
    Ok(many(&app, &made))
}

pub async fn delete_concept_relations(cx: Cx, req: DeleteConceptRelationsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    relations::delete(&app, &req.concept_id, req.ids).await?;
    Ok(BaseResponse { status: status::success() })
}

/// The concept of the path is the subject; a body that names another is a mistake.
fn new_relation(subject: &str, relation: ConceptRelation) -> Result<NewRelation> {
    let named = relation.subject_concept.unwrap_or_default().id;
    if !named.is_empty() && named != subject {
        let message = format!("must be the concept of the path, '{subject}', or be left out");
        return Err(Error::invalid("concept_relations.subject_concept.id", message));
    }
    let object_id = relation.object_concept.unwrap_or_default().id;
    if object_id.is_empty() {
        return Err(Error::invalid("concept_relations.object_concept.id", "must name a concept"));
    }
    Ok(NewRelation {
        id: relation.id,
        subject_id: subject.to_owned(),
        predicate: predicate(&relation.predicate, "concept_relations.predicate")?,
        object_id,
        graph_id: relation.knowledge_graph_id,
    })
}

fn predicate(name: &str, field: &str) -> Result<Predicate> {
    let unknown = || Error::invalid(field, format!("must be hypernym, hyponym or synonym, not '{name}'"));
    Predicate::from_name(name).ok_or_else(unknown)
}

fn many(app: &AppCtx, found: &[Relation]) -> MultiConceptRelationResponse {
    let concept_relations = found.iter().map(|relation| to_wire(app, relation)).collect();
    MultiConceptRelationResponse { status: status::success(), concept_relations }
}

fn to_wire(app: &AppCtx, relation: &Relation) -> ConceptRelation {
    ConceptRelation {
        id: relation.id.clone(),
        subject_concept: Some(concepts::to_wire(app, &relation.subject)),
        object_concept: Some(concepts::to_wire(app, &relation.object)),
        predicate: relation.predicate.name().to_owned(),
        knowledge_graph_id: relation.graph_id.clone(),
        ..Default::default()
    }
}
