//! `ListConceptReferences`, which the first generation of the API has: outside sources of a concept.

use ocellus_core::Result;
use ocellus_core::concepts::references::{self, Reference};

use crate::pb::*;
use crate::rpc::Cx;
use crate::{paging, status};

pub async fn list_concept_references(
    cx: Cx,
    req: ListConceptReferencesRequest,
) -> Result<MultiConceptReferenceResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = references::list(&app, &req.concept_id, page).await?;
    let concept_references = found.into_iter().map(to_wire).collect();
    Ok(MultiConceptReferenceResponse { status: status::success(), concept_references })
}

fn to_wire(reference: Reference) -> ConceptReference {
    ConceptReference {
        id: reference.id,
        source: reference.source.to_owned(),
        source_id: reference.source_id,
        source_url: reference.source_url,
    }
}
