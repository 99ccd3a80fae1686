//! Proposals: what users say of a model's answer becomes a pending annotation of the input it is about, so that it counts
//! as a label as soon as somebody sets its status to success, one by one or many in one call.

use ocellus_store as store;
use serde_json::json;

use super::{Judged, ModelFeedback, Verdict};
use crate::annotations::{self, Data, NewAnnotation, Region, Said, Shape, Status};
use crate::{AppCtx, CropBox, Error, JsonMap, Result};

/// Proposes what a user said as labels of the input that it is about, if that is one of the app's and anything was said
/// that could be a label.
pub(super) async fn propose(app: &AppCtx, feedback_id: &str, feedback: &ModelFeedback) -> Result<()> {
    let data = data_of(feedback);
    if data == Data::default() {
        return Ok(());
    }
    let Some(input_id) = input_of(app, feedback).await? else { return Ok(()) };
    let new = NewAnnotation {
        input_id,
        status: Some(Status::Pending),
        data,
        info: info_of(feedback_id, feedback),
        ..NewAnnotation::default()
    };
    annotations::create(app, vec![new]).await?.into_iter().next().transpose()?;
    Ok(())
}

/// The id of the app's input that is meant, by its id or else by its address.
async fn input_of(app: &AppCtx, feedback: &ModelFeedback) -> Result<Option<String>> {
    let (uid, subject) = (app.uid().to_owned(), feedback.subject.clone());
    let read = move |tx: &mut store::Tx<'_>| {
        let by_id = match subject.input_id.is_empty() {
            true => None,
            false => tx.input(&uid, &subject.input_id)?,
        };
        let found = match (by_id, subject.url.is_empty()) {
            (None, false) => tx.input_by_url(&uid, &subject.url)?,
            (by_id, _) => by_id,
        };
        Ok::<_, Error>(found.map(|input| input.id))
    };
    app.platform().store().read(read).await
}

fn data_of(feedback: &ModelFeedback) -> Data {
    let is_there = |region: &&super::JudgedRegion| {
        !region.concepts.is_empty() && region.verdict != Verdict::FalsePositive
    };
    let regions = feedback.regions.iter().filter(is_there).map(|region| {
        let [top, left, bottom, right] = region.area;
        Region {
            shape: Some(Shape::Box(CropBox { top, left, bottom, right })),
            concepts: region.concepts.iter().map(said).collect(),
            ..Region::default()
        }
    });
    Data {
        concepts: feedback.concepts.iter().map(said).collect(),
        regions: regions.collect(),
        ..Data::default()
    }
}

fn said(judged: &Judged) -> Said {
    Said { concept_id: judged.concept_id.clone(), name: judged.name.clone(), value: judged.value }
}

/// Where the proposal comes from, kept with it.
fn info_of(feedback_id: &str, feedback: &ModelFeedback) -> JsonMap {
    let about = json!({
        "id": feedback_id,
        "model_id": feedback.model_id,
        "model_version_id": feedback.model_version_id,
        "output_id": feedback.output_id,
        "end_user_id": feedback.session.end_user_id,
        "session_id": feedback.session.session_id,
    });
    JsonMap::from_iter([("feedback".to_owned(), about)])
}
