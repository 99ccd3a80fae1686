//! Table `video_frames`: what a model version saw in the frames of a video that were looked at.

use crate::db::{Tx, Val};
use crate::{JsonMap, Result};

/// A frame that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoFrame {
    /// Its place among the frames that were looked at, from 0.
    pub idx: i64,
    /// Its time from the start of the video, in milliseconds.
    pub time_ms: i64,
    /// What was seen.
    pub doc: JsonMap,
}

impl Tx<'_> {
    /// Replaces all that a model version saw in a video.
    pub fn put_video_frames(
        &self,
        app_uid: &str,
        input_id: &str,
        model_version_id: &str,
        frames: &[VideoFrame],
    ) -> Result<()> {
        let sql = "DELETE FROM video_frames WHERE app_uid = ?1 AND input_id = ?2 AND model_version_id = ?3";
        self.exec(sql, &[app_uid.into(), input_id.into(), model_version_id.into()])?;
        let rows = frames.iter().map(|frame| {
            vec![
                app_uid.into(),
                input_id.into(),
                model_version_id.into(),
                frame.idx.into(),
                frame.time_ms.into(),
                Val::json(&frame.doc),
            ]
        });
        let columns = "app_uid, input_id, model_version_id, idx, time_ms, doc";
        self.insert_many("video_frames", columns, "", rows.collect())?;
        Ok(())
    }

    /// What a model version saw in a video, from its start.
    pub fn video_frames(
        &self,
        app_uid: &str,
        input_id: &str,
        model_version_id: &str,
    ) -> Result<Vec<VideoFrame>> {
        let sql = "SELECT idx, time_ms, doc FROM video_frames \
                   WHERE app_uid = ?1 AND input_id = ?2 AND model_version_id = ?3 ORDER BY idx";
        let params = [app_uid.into(), input_id.into(), model_version_id.into()];
        self.select("video_frames", sql, &params, |row| {
            Ok(VideoFrame { idx: row.int()?, time_ms: row.int()?, doc: row.json()? })
        })
    }
}
