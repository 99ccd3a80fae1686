//! Tracks: things followed through the frames of a video. The annotations of a track name it in their regions.

use std::sync::Arc;

use ocellus_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MAX_PER_CALL;
use crate::accounts::check_id;
use crate::inputs::NewLabel;
use crate::inputs::create::{check_alive, labeller};
use crate::inputs::labels::{self, Known, Labeller};
use crate::{AppCtx, Error, JsonMap, MediaKind, Page, PatchAction, Resource, Result};

/// A track.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Unique within the app.
    pub id: String,
    /// The video.
    pub input_id: String,
    /// What is followed; empty if not said.
    pub concept_id: String,
    /// The concept's name.
    pub concept_name: String,
    /// Where it stands.
    pub status: TrackStatus,
    /// From where to where it goes.
    pub extent: Extent,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// Microseconds since the epoch.
    pub modified_at_us: i64,
}

/// The frames of a track, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Extent {
    pub start_frame: u32,
    pub end_frame: u32,
    pub start_ms: u32,
    pub end_ms: u32,
    /// Milliseconds between the frames that are annotated.
    pub sample_ms: u32,
    /// Every how many frames one is annotated.
    pub sample_frames: u32,
}

/// Where a track stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrackStatus {
    /// Nothing works on it.
    #[default]
    Idle,
    /// Being followed.
    InProgress,
    /// To be looked at.
    Pending,
    /// Looked at and found good.
    Approved,
    /// Could not be followed.
    Failed,
}

impl TrackStatus {
    const ALL: [Self; 5] = [Self::Idle, Self::InProgress, Self::Pending, Self::Approved, Self::Failed];

    fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::InProgress => "in_progress",
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Failed => "failed",
        }
    }
}

/// A track to make or a change of one; `None` leaves a field alone.
#[derive(Clone, Debug, Default)]
pub struct TrackPatch {
    /// Made up for a new one if empty.
    pub id: String,
    /// What is followed.
    pub concept: Option<NewLabel>,
    /// Where it stands; a new one is idle.
    pub status: Option<TrackStatus>,
    /// From where to where it goes; zeros leave an end alone.
    pub extent: Extent,
}

const FIELD: &str = "annotation_tracks";

fn missing(id: &str) -> Error {
    Error::not_found(Resource::Other("annotation track", id.to_owned()))
}

fn check(tracks: &[TrackPatch]) -> Result<()> {
    if tracks.is_empty() || tracks.len() > MAX_PER_CALL {
        let message = format!("must hold 1 to {MAX_PER_CALL} items, not {}", tracks.len());
        return Err(Error::invalid(FIELD, message));
    }
    for (idx, track) in tracks.iter().enumerate() {
        if !track.id.is_empty() {
            check_id(&format!("{FIELD}[{idx}].id"), &track.id)?;
        }
        if let Some(concept) = &track.concept {
            labels::check(concept, &format!("{FIELD}[{idx}].concept"))?;
        }
    }
    Ok(())
}

impl Extent {
    fn check(self, field: &str) -> Result<()> {
        if self.end_frame < self.start_frame || self.end_ms < self.start_ms {
            return Err(Error::invalid(format!("{field}.end_frame_nr"), "must not come before the start"));
        }
        Ok(())
    }

    /// What a patch gives, and what was there where it gives nothing.
    fn merged(self, patch: Self) -> Self {
        let given = |new: u32, old: u32| if new == 0 { old } else { new };
        Self {
            start_frame: given(patch.start_frame, self.start_frame),
            end_frame: given(patch.end_frame, self.end_frame),
            start_ms: given(patch.start_ms, self.start_ms),
            end_ms: given(patch.end_ms, self.end_ms),
            sample_ms: given(patch.sample_ms, self.sample_ms),
            sample_frames: given(patch.sample_frames, self.sample_frames),
        }
    }

    fn write(self) -> JsonMap {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            Ok(_) | Err(_) => JsonMap::new(),
        }
    }
}

/// Adds tracks to a video. `Conflict` if any id exists; then none is written.
#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is treated alike, whatever is added")]
pub async fn create(app: &AppCtx, input_id: &str, new: Vec<TrackPatch>) -> Result<Vec<Track>> {
    app.check_writable()?;
    check(&new)?;
    let (by, input_id) = (labeller(app), input_id.to_owned());
    let new: Vec<TrackPatch> = new
        .into_iter()
        .map(|track| match track.id.is_empty() {
            true => TrackPatch { id: app.platform().ids().id(), ..track },
            false => track,
        })
        .collect();
    let new = Arc::new(new);
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &by.app_uid)?;
        let input = tx.input(&by.app_uid, &input_id)?;
        let input = input.ok_or_else(|| Error::not_found(Resource::Input(input_id.clone())))?;
        if input.kind != MediaKind::Video.name() {
            return Err(Error::invalid("input_id", "must be a video's"));
        }
        let mut known = Known::default();
        let mut rows = Vec::with_capacity(new.len());
        for (idx, track) in new.iter().enumerate() {
            track.extent.check(&format!("{FIELD}[{idx}]"))?;
            let row = store::AnnotationTrack {
                app_uid: by.app_uid.clone(),
                id: track.id.clone(),
                input_id: input_id.clone(),
                concept_id: concept(tx, &by, &mut known, track)?.unwrap_or_default(),
                status: track.status.unwrap_or_default().name().to_owned(),
                doc: track.extent.write(),
                account_id: by.account_id.clone(),
                modified_by: by.changed_by(),
                created_at_us: by.now_us,
                modified_at_us: by.now_us,
            };
            tx.insert_annotation_track(&row).map_err(|error| match error {
                store::Error::Conflict(_) => {
                    let about = Resource::Other("annotation track", row.id.clone());
                    Error::conflict(about, format!("annotation track '{}' exists already", row.id))
                }
                error => error.into(),
            })?;
            rows.push(row);
        }
        read_rows(tx, &by.app_uid, rows)
    };
    app.platform().store().write(write).await
}

fn concept(
    tx: &store::Tx<'_>,
    by: &Labeller,
    known: &mut Known,
    track: &TrackPatch,
) -> Result<Option<String>> {
    let found = known.resolve(tx, by, track.concept.as_slice())?;
    Ok(found.into_iter().next().map(|(id, _)| id))
}

/// The tracks of a video, oldest first: these, or a page of all.
pub async fn list(app: &AppCtx, input_id: &str, ids: &[String], page: Page) -> Result<Vec<Track>> {
    let page = page.check()?;
    crate::inputs::get(app, input_id).await?;
    let (uid, input_id, ids) = (app.uid().to_owned(), input_id.to_owned(), ids.to_vec());
    let read = move |tx: &mut store::Tx<'_>| {
        let rows = if ids.is_empty() {
            tx.annotation_tracks_of(&uid, &input_id, page.limit(), page.offset())?
        } else {
            let mut rows = Vec::new();
            for id in &ids {
                rows.extend(tx.annotation_track(&uid, id)?.filter(|row| row.input_id == input_id));
            }
            rows
        };
        read_rows(tx, &uid, rows)
    };
    app.platform().store().read(read).await
}

/// Changes tracks and returns them as they are then. `NotFound` if any does not exist; then none is changed.
pub async fn patch(
    app: &AppCtx,
    input_id: &str,
    patches: Vec<TrackPatch>,
    action: PatchAction,
) -> Result<Vec<Track>> {
    app.check_writable()?;
    check(&patches)?;
    if action == PatchAction::Remove {
        return Err(Error::invalid("action", "must be merge or overwrite"));
    }
    let (by, input_id, patches) = (labeller(app), input_id.to_owned(), Arc::new(patches));
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &by.app_uid)?;
        let mut known = Known::default();
        let mut rows = Vec::with_capacity(patches.len());
        for (idx, patch) in patches.iter().enumerate() {
            let row = tx.annotation_track(&by.app_uid, &patch.id)?;
            let row = row.filter(|row| input_id.is_empty() || row.input_id == input_id);
            let mut row = row.ok_or_else(|| missing(&patch.id))?;
            let extent = extent(&row)?.merged(patch.extent);
            extent.check(&format!("{FIELD}[{idx}]"))?;
            row.doc = extent.write();
            if let Some(id) = concept(tx, &by, &mut known, patch)? {
                row.concept_id = id;
            }
            if let Some(status) = patch.status {
                row.status = status.name().to_owned();
            }
            (row.modified_by, row.modified_at_us) = (by.changed_by(), by.now_us);
            tx.update_annotation_track(&row)?;
            rows.push(row);
        }
        read_rows(tx, &by.app_uid, rows)
    };
    app.platform().store().write(write).await
}

/// Deletes tracks with their annotations. `NotFound` if any does not exist; then none is deleted.
pub async fn delete(app: &AppCtx, input_id: &str, ids: &[String]) -> Result<()> {
    /// Annotations looked at together.
    const BATCH: i64 = 1_000;
    app.check_writable()?;
    if ids.is_empty() || ids.len() > MAX_PER_CALL {
        return Err(Error::invalid("ids", format!("must hold 1 to {MAX_PER_CALL} items, not {}", ids.len())));
    }
    let (uid, input_id, ids) = (app.uid().to_owned(), input_id.to_owned(), ids.to_vec());
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &uid)?;
        for id in &ids {
            let row = tx.annotation_track(&uid, id)?;
            let row = row.filter(|row| input_id.is_empty() || row.input_id == input_id);
            let row = row.ok_or_else(|| missing(id))?;
            loop {
                let query = store::AnnotationQuery {
                    input_ids: vec![row.input_id.clone()],
                    track_id: Some(id.clone()),
                    limit: BATCH,
                    ..store::AnnotationQuery::default()
                };
                let found = tx.annotations_page(&uid, &query)?;
                let gone: Vec<&str> = found.iter().map(|row| row.id.as_str()).collect();
                if tx.delete_annotations(&uid, &gone)? < BATCH as u64 {
                    break;
                }
            }
        }
        tx.delete_annotation_tracks(&uid, &ids)?;
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await
}

fn extent(row: &store::AnnotationTrack) -> Result<Extent> {
    serde_json::from_value(Value::Object(row.doc.clone())).map_err(|_| corrupt(&row.id))
}

fn corrupt(id: &str) -> Error {
    Error::from(store::Error::Corrupt { table: "annotation_tracks".to_owned(), id: id.to_owned() })
}

fn read_rows(tx: &store::Tx<'_>, uid: &str, rows: Vec<store::AnnotationTrack>) -> Result<Vec<Track>> {
    let ids: Vec<&str> = rows.iter().map(|row| row.concept_id.as_str()).collect();
    let concepts = tx.concepts_by_ids(uid, &ids)?;
    rows.into_iter()
        .map(|row| {
            let status = TrackStatus::ALL.into_iter().find(|status| status.name() == row.status);
            let named = concepts.iter().find(|concept| concept.id == row.concept_id);
            Ok(Track {
                extent: extent(&row)?,
                status: status.ok_or_else(|| corrupt(&row.id))?,
                concept_name: named.map_or_else(|| row.concept_id.clone(), |concept| concept.name.clone()),
                id: row.id,
                input_id: row.input_id,
                concept_id: row.concept_id,
                created_at_us: row.created_at_us,
                modified_at_us: row.modified_at_us,
            })
        })
        .collect()
}
