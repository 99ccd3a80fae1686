//! Uploads in parts: RPCs and the wire form.

use ocellus_core::Result;
use ocellus_core::resources::New;
use ocellus_core::uploads::{self, Part, Progress, Upload as CoreUpload};

use crate::pb::status::{BaseResponse, StatusCode as Code};
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, paging, status};

pub async fn post_uploads(cx: Cx, req: PostUploadsRequest) -> Result<MultiUploadResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.uploads.into_iter().map(new_upload).collect();
    let made = uploads::create(&app, new).await?;
    Ok(many(&cx, made))
}

pub async fn put_upload_content_parts(
    cx: Cx,
    req: PutUploadContentPartsRequest,
) -> Result<SingleUploadResponse> {
    let app = cx.app(req.user_app_id).await?;
    let part = |part: UploadContentPart| Part {
        range_start: part.range_start,
        part_number: part.part_number,
        data: part.data.into(),
    };
    let parts = req.content_parts.into_iter().map(part).collect();
    let progress = uploads::put_parts(&app, &req.upload_id, parts).await?;
    Ok(SingleUploadResponse { status: status::success(), upload: Some(to_wire(&cx, progress)) })
}

pub async fn get_upload(cx: Cx, req: GetUploadRequest) -> Result<SingleUploadResponse> {
    let app = cx.app(req.user_app_id).await?;
    let progress = uploads::get(&app, &req.upload_id).await?;
    Ok(SingleUploadResponse { status: status::success(), upload: Some(to_wire(&cx, progress)) })
}

pub async fn list_uploads(cx: Cx, req: ListUploadsRequest) -> Result<MultiUploadResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = uploads::list(&app, paging::page(req.page, req.per_page)?).await?;
    Ok(many(&cx, found))
}

pub async fn delete_uploads(cx: Cx, req: DeleteUploadsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    uploads::delete(&app, &req.ids).await?;
    Ok(BaseResponse { status: status::success() })
}

fn many(cx: &Cx, found: Vec<Progress>) -> MultiUploadResponse {
    let uploads = found.into_iter().map(|progress| to_wire(cx, progress)).collect();
    MultiUploadResponse { status: status::success(), uploads }
}

fn new_upload(upload: Upload) -> New<CoreUpload> {
    let doc = CoreUpload { content_name: upload.content_name, content_length: upload.content_length };
    New { id: (!upload.id.is_empty()).then_some(upload.id), doc }
}

/// An upload as clients see it. How much is missing stands in the details of its status.
pub fn to_wire(cx: &Cx, progress: Progress) -> Upload {
    let code = match progress {
        _ if progress.is_whole() => Code::UploadDone,
        _ if progress.is_expired(cx.platform.clock().now_us()) => Code::UploadExpired,
        _ => Code::UploadInProgress,
    };
    let mut status = cx.status(code);
    status.details = format!("{} of {} bytes", progress.n_received, progress.upload.doc.content_length);
    Upload {
        id: progress.upload.id,
        created_at: documents::time(progress.upload.created_at_us),
        modified_at: documents::time(progress.upload.modified_at_us),
        expires_at: documents::time(progress.expires_at_us),
        status: Some(status),
        content_name: progress.upload.doc.content_name,
        content_length: progress.upload.doc.content_length,
        ..Default::default()
    }
}
