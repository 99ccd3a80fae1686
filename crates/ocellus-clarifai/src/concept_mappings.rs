//! Concept mapping jobs: the RPC that ties an app's concepts to public ones.

use ocellus_core::Result;
use ocellus_core::concepts::mappings::{self, NewMapping};

use crate::pb::*;
use crate::rpc::Cx;
use crate::status;

/// A mapping is done when this answers; its id is only a name, since no other call asks for it.
pub async fn post_concept_mapping_jobs(
    cx: Cx,
    req: PostConceptMappingJobsRequest,
) -> Result<MultiConceptMappingJobResponse> {
    let app = cx.app(req.user_app_id).await?;
    let read = |job: ConceptMappingJob| NewMapping {
        graph_id: job.knowledge_graph_id,
        concept_ids: job.concept_ids,
    };
    let ids = mappings::map(&app, req.concept_mapping_jobs.into_iter().map(read).collect()).await?;
    Ok(MultiConceptMappingJobResponse { status: status::success(), ids })
}
