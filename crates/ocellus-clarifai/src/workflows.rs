//! Workflows: so far only the list of public ones, of which there are none.

use ocellus_core::Result;

use crate::pb::*;
use crate::rpc::Cx;
use crate::{paging, status};

/// Empty: this server does not run workflows, so nobody can have published one.
#[expect(clippy::unused_async, reason = "handlers are async")]
pub async fn list_public_workflows(
    _cx: Cx,
    req: ListPublicWorkflowsRequest,
) -> Result<MultiWorkflowResponse> {
    paging::page(req.page, req.per_page)?;
    Ok(MultiWorkflowResponse { status: status::success(), workflows: Vec::new() })
}
