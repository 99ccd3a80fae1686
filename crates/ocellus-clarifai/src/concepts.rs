//! Concepts: RPCs and the wire form of a concept.

use ocellus_core::concepts::counts::{self, ConceptCounts, YesNo};
use ocellus_core::concepts::{self, Concept as CoreConcept, ConceptPatch, ConceptQuery as Query, NewConcept};
use ocellus_core::{AppCtx, PatchAction, Result};

use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, paging, status};

pub async fn post_concepts(cx: Cx, req: PostConceptsRequest) -> Result<MultiConceptResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.concepts.into_iter().map(new_concept).collect();
    let made = concepts::create(&app, new).await?;
    Ok(many(&app, &made))
}

pub async fn get_concept(cx: Cx, req: GetConceptRequest) -> Result<SingleConceptResponse> {
    let app = cx.app(req.user_app_id).await?;
    let concept = concepts::get(&app, &req.concept_id).await?;
    Ok(SingleConceptResponse { status: status::success(), concept: Some(to_wire(&app, &concept)) })
}

pub async fn list_concepts(cx: Cx, req: ListConceptsRequest) -> Result<MultiConceptResponse> {
    let app = cx.app(req.user_app_id).await?;
    paging::refuse(&[("id", !req.id.is_empty())])?;
    let found = concepts::list(&app, paging::page(req.page, req.per_page)?).await?;
    Ok(many(&app, &found))
}

pub async fn patch_concepts(cx: Cx, req: PatchConceptsRequest) -> Result<MultiConceptResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.concepts.into_iter().map(patch).collect();
    let changed = concepts::patch(&app, patches, action).await?;
    Ok(many(&app, &changed))
}

pub async fn post_concepts_searches(
    cx: Cx,
    req: PostConceptsSearchesRequest,
) -> Result<MultiConceptResponse> {
    let app = cx.app(req.user_app_id).await?;
    let query = req.concept_query.unwrap_or_default();
    let language = (!query.language.is_empty()).then_some(query.language);
    let query = Query {
        name: query.name,
        language,
        public: !app.is_public(),
        without_own: query.ignore_app_concepts,
    };
    let found = concepts::search(&app, query, paging::of(req.pagination.as_ref())?).await?;
    Ok(many(&app, &found))
}

pub async fn get_concept_counts(cx: Cx, req: GetConceptCountsRequest) -> Result<MultiConceptCountResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = counts::list(&app, paging::page(req.page, req.per_page)?).await?;
    let concept_counts = found.into_iter().map(counts_to_wire).collect();
    Ok(MultiConceptCountResponse { status: status::success(), concept_counts })
}

fn counts_to_wire(counts: ConceptCounts) -> ConceptCount {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let both = |one: YesNo| {
        Some(ConceptTypeCount { positive: number(one.positive), negative: number(one.negative) })
    };
    ConceptCount {
        concept_type_count: both(counts.total()),
        detail_concept_count: Some(DetailConceptCount {
            processed: both(counts.ready),
            to_process: both(counts.pending),
            errors: both(counts.failed),
            processing: both(counts.processing),
        }),
        id: counts.concept_id,
        name: counts.name,
    }
}

/// The answer of every RPC that gives back concepts.
pub fn many(app: &AppCtx, found: &[CoreConcept]) -> MultiConceptResponse {
    let concepts = found.iter().map(|concept| to_wire(app, concept)).collect();
    MultiConceptResponse { status: status::success(), concepts }
}

fn new_concept(concept: Concept) -> NewConcept {
    NewConcept {
        id: concept.id,
        name: concept.name,
        language: concept.language,
        definition: concept.definition,
        metadata: concept.metadata.map(documents::from_struct).unwrap_or_default(),
    }
}

/// Empty strings mean "leave alone", since protobuf cannot tell them from absent.
fn patch(concept: Concept) -> ConceptPatch {
    let given = |s: String| (!s.is_empty()).then_some(s);
    ConceptPatch {
        id: concept.id,
        name: given(concept.name),
        language: given(concept.language),
        definition: given(concept.definition),
        metadata: concept.metadata.map(documents::from_struct),
    }
}

pub fn to_wire(app: &AppCtx, concept: &CoreConcept) -> Concept {
    let (app_id, user_id) = if concept.public {
        (crate::models::PUBLIC_APP, crate::models::PUBLIC_USER)
    } else {
        (app.app().id.as_str(), app.app().user_id.as_str())
    };
    Concept {
        id: concept.id.clone(),
        name: concept.name.clone(),
        value: 1.0,
        created_at: documents::time(concept.created_at_us),
        language: concept.language.clone(),
        app_id: app_id.to_owned(),
        user_id: user_id.to_owned(),
        definition: concept.definition.clone(),
        metadata: documents::to_struct(&concept.metadata),
        ..Default::default()
    }
}
