//! Knowledge graphs: RPCs and the wire form of a graph.

use ocellus_core::concepts::graphs::KnowledgeGraph as CoreGraph;
use ocellus_core::resources::{self, Listing, New, Shelf, Stored};
use ocellus_core::{Page, Result};

use crate::pb::*;
use crate::rpc::Cx;
use crate::status;

pub async fn list_knowledge_graphs(
    cx: Cx,
    req: ListKnowledgeGraphsRequest,
) -> Result<MultiKnowledgeGraphResponse> {
    let app = cx.app(req.user_app_id).await?;
    // The request has no pages.
    let all = Page::first(Page::MAX_PER_PAGE);
    Ok(many(resources::list(&Shelf::from(&app), &Listing::default(), all).await?))
}

pub async fn post_knowledge_graphs(
    cx: Cx,
    req: PostKnowledgeGraphsRequest,
) -> Result<MultiKnowledgeGraphResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.knowledge_graphs.into_iter().map(new_graph).collect();
    Ok(many(resources::create(&Shelf::from(&app), new).await?))
}

fn many(found: Vec<Stored<CoreGraph>>) -> MultiKnowledgeGraphResponse {
    let knowledge_graphs = found.into_iter().map(to_wire).collect();
    MultiKnowledgeGraphResponse { status: status::success(), knowledge_graphs }
}

fn new_graph(graph: KnowledgeGraph) -> New<CoreGraph> {
    let doc = CoreGraph {
        name: if graph.name.is_empty() { graph.id.clone() } else { graph.name },
        description: graph.description,
        examples_app_id: graph.examples_app_id,
        sampled_examples_app_id: graph.sampled_examples_app_id,
    };
    New { id: Some(graph.id), doc }
}

fn to_wire(graph: Stored<CoreGraph>) -> KnowledgeGraph {
    KnowledgeGraph {
        id: graph.id,
        name: graph.doc.name,
        description: graph.doc.description,
        examples_app_id: graph.doc.examples_app_id,
        sampled_examples_app_id: graph.doc.sampled_examples_app_id,
    }
}
