//! Manifests of videos: where a player finds what it needs to show a video from any place.

use ocellus_core::{Result, inputs};

use crate::pb::*;
use crate::rpc::Cx;
use crate::{hosted, status};

pub async fn get_input_video_manifest(
    cx: Cx,
    req: GetVideoManifestRequest,
) -> Result<GetVideoManifestResponse> {
    let app = cx.app(req.user_app_id).await?;
    let input = inputs::prepare_manifest(&app, &req.input_id).await?;
    let manifest_url = hosted::manifest_url(&cx, &app, &input).unwrap_or_default();
    Ok(GetVideoManifestResponse { status: status::success(), manifest_url })
}
