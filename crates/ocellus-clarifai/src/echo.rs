//! `POST /v2/example/echo`: gives back what it was sent, for trying out a client.

use ocellus_core::Result;

use crate::pb::*;
use crate::rpc::Cx;
use crate::status;

#[expect(clippy::unused_async, reason = "handlers are async")]
pub async fn echo(_cx: Cx, req: TestMessage) -> Result<TestMessage> {
    Ok(TestMessage { status: status::success(), ..req })
}
