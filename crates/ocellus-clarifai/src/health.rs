//! `GET /v2/healthz`: an answer at all means that the server is up.

use ocellus_core::Result;

use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, status};

#[expect(clippy::unused_async, reason = "handlers are async")]
pub async fn get_healthz(cx: Cx, _req: GetHealthzRequest) -> Result<GetHealthzResponse> {
    let time = documents::text(cx.platform.clock().now_us());
    Ok(GetHealthzResponse { status: status::success(), time })
}
