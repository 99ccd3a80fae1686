//! Tracks of videos: RPCs and the wire form of a track.

use ocellus_core::annotations::tracks::{self, Extent, Track as CoreTrack, TrackPatch, TrackStatus};
use ocellus_core::inputs::NewLabel;
use ocellus_core::{AppCtx, Error, PatchAction, Result};

use crate::pb::status::{BaseResponse, StatusCode as Code};
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, paging, status};

pub async fn list_annotation_tracks(
    cx: Cx,
    req: ListAnnotationTracksRequest,
) -> Result<MultiAnnotationTrackResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = tracks::list(&app, &req.input_id, &req.ids, page).await?;
    Ok(many(&cx, &app, &found))
}

pub async fn post_annotation_tracks(
    cx: Cx,
    req: PostAnnotationTracksRequest,
) -> Result<MultiAnnotationTrackResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.annotation_tracks.into_iter().map(read).collect::<Result<_>>()?;
    let made = tracks::create(&app, &req.input_id, new).await?;
    Ok(many(&cx, &app, &made))
}

pub async fn patch_annotation_tracks(
    cx: Cx,
    req: PatchAnnotationTracksRequest,
) -> Result<MultiAnnotationTrackResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.annotation_tracks.into_iter().map(read).collect::<Result<_>>()?;
    let changed = tracks::patch(&app, &req.input_id, patches, action).await?;
    Ok(many(&cx, &app, &changed))
}

pub async fn delete_annotation_tracks(cx: Cx, req: DeleteAnnotationTracksRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    tracks::delete(&app, &req.input_id, &req.ids).await?;
    Ok(BaseResponse { status: status::success() })
}

fn many(cx: &Cx, app: &AppCtx, found: &[CoreTrack]) -> MultiAnnotationTrackResponse {
    let annotation_tracks = found.iter().map(|track| to_wire(cx, app, track)).collect();
    MultiAnnotationTrackResponse { status: status::success(), annotation_tracks }
}

fn read(track: AnnotationTrack) -> Result<TrackPatch> {
    let concept = track.concept.map(|concept| NewLabel {
        concept_id: (!concept.id.is_empty()).then_some(concept.id),
        name: (!concept.name.is_empty()).then_some(concept.name),
        value: concept.value,
    });
    let status = track.status.filter(|status| status.code != 0).map(|status| read_status(status.code));
    Ok(TrackPatch {
        id: track.id,
        concept,
        status: status.transpose()?,
        extent: Extent {
            start_frame: track.start_frame_nr,
            end_frame: track.end_frame_nr,
            start_ms: track.start_frame_ms,
            end_ms: track.end_frame_ms,
            sample_ms: track.sample_rate_ms,
            sample_frames: track.sample_rate_frame,
        },
    })
}

fn read_status(code: i32) -> Result<TrackStatus> {
    match Code::try_from(code) {
        Ok(Code::AnnotationTrackIdle) => Ok(TrackStatus::Idle),
        Ok(Code::AnnotationTrackInProgress) => Ok(TrackStatus::InProgress),
        Ok(Code::AnnotationTrackPending) => Ok(TrackStatus::Pending),
        Ok(Code::AnnotationTrackApproved) => Ok(TrackStatus::Approved),
        Ok(Code::AnnotationTrackFailed) => Ok(TrackStatus::Failed),
        Ok(_) | Err(_) => Err(Error::invalid("annotation_tracks.status.code", "must be 24300 to 24304")),
    }
}

fn code(status: TrackStatus) -> Code {
    match status {
        TrackStatus::Idle => Code::AnnotationTrackIdle,
        TrackStatus::InProgress => Code::AnnotationTrackInProgress,
        TrackStatus::Pending => Code::AnnotationTrackPending,
        TrackStatus::Approved => Code::AnnotationTrackApproved,
        TrackStatus::Failed => Code::AnnotationTrackFailed,
    }
}

fn to_wire(cx: &Cx, app: &AppCtx, track: &CoreTrack) -> AnnotationTrack {
    let concept = (!track.concept_id.is_empty()).then(|| Concept {
        id: track.concept_id.clone(),
        name: track.concept_name.clone(),
        value: 1.0,
        app_id: app.app().id.clone(),
        user_id: app.app().user_id.clone(),
        ..Default::default()
    });
    AnnotationTrack {
        id: track.id.clone(),
        input_id: track.input_id.clone(),
        concept,
        status: Some(cx.status(code(track.status))),
        start_frame_nr: track.extent.start_frame,
        end_frame_nr: track.extent.end_frame,
        start_frame_ms: track.extent.start_ms,
        end_frame_ms: track.extent.end_ms,
        sample_rate_ms: track.extent.sample_ms,
        sample_rate_frame: track.extent.sample_frames,
        created_at: documents::time(track.created_at_us),
        modified_at: documents::time(track.modified_at_us),
    }
}
