//! The vendor's list of status codes.

use ocellus_clarifai_proto::{STATUS_CODES, status_code};
use ocellus_core::{Error, Kind, Result};

use crate::pb::status::Status;
use crate::pb::*;
use crate::rpc::{Cx, Era};
use crate::status;

#[expect(clippy::unused_async, reason = "handlers are async")]
pub async fn list_status_codes(cx: Cx, _req: ListStatusCodesRequest) -> Result<MultiStatusCodeResponse> {
    let statuses =
        STATUS_CODES.iter().filter(|info| info.number != 0).map(|info| to_wire(cx.era, info.number));
    Ok(MultiStatusCodeResponse { status: status::success(), statuses: statuses.collect() })
}

#[expect(clippy::unused_async, reason = "handlers are async")]
pub async fn get_status_code(cx: Cx, req: GetStatusCodeRequest) -> Result<SingleStatusCodeResponse> {
    let known = req.status_code_id.parse().ok().and_then(status_code);
    let info = known.ok_or_else(|| {
        Error::new(Kind::NotFound, format!("status code '{}' not found", req.status_code_id))
    })?;
    Ok(SingleStatusCodeResponse { status: Some(to_wire(cx.era, info.number)) })
}

fn to_wire(era: Era, number: i32) -> Status {
    Status { code: number, description: status::description(era, number), ..Default::default() }
}
