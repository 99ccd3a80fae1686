//! Feedback on models and searches, which the first generation of the API has.

use ocellus_core::feedback::{
    self, Judged, JudgedRegion, ModelFeedback, SearchFeedback, Session, Subject, Verdict,
};
use ocellus_core::{Error, Result};

use crate::pb::feedback_info::EventType;
use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::rpc::Cx;
use crate::status;

pub async fn post_model_feedback(cx: Cx, req: PostModelFeedbackRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    let input = req.input.ok_or_else(|| Error::invalid("input", "is missing"))?;
    let info = info(&input, EventType::Annotation)?;
    let subject = subject(&input)?;
    let data = input.data.unwrap_or_default();
    let given = ModelFeedback {
        model_id: req.model_id,
        model_version_id: req.version_id,
        output_id: info.output_id.clone(),
        subject,
        session: session(info),
        concepts: data.concepts.into_iter().map(judged).collect(),
        regions: data.regions.into_iter().map(region).collect::<Result<_>>()?,
    };
    feedback::add_for_model(&app, given).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn post_search_feedback(cx: Cx, req: PostSearchFeedbackRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    let input = req.input.ok_or_else(|| Error::invalid("input", "is missing"))?;
    let info = info(&input, EventType::SearchClick)?;
    let given = SearchFeedback {
        search_id: info.search_id.clone(),
        subject: subject(&input)?,
        session: session(info),
    };
    feedback::add_for_search(&app, given).await?;
    Ok(BaseResponse { status: status::success() })
}

/// What is said of the event; an event of the other kind is refused.
fn info(input: &Input, wanted: EventType) -> Result<FeedbackInfo> {
    let info = input.feedback_info.clone().unwrap_or_default();
    if info.event_type != EventType::Undefined as i32 && info.event_type != wanted as i32 {
        let message = format!("must be {} here", wanted.as_str_name());
        return Err(Error::invalid("input.feedback_info.event_type", message));
    }
    Ok(info)
}

fn session(info: FeedbackInfo) -> Session {
    Session { end_user_id: info.end_user_id, session_id: info.session_id }
}

fn subject(input: &Input) -> Result<Subject> {
    let image = input.data.as_ref().and_then(|data| data.image.as_ref());
    if image.is_some_and(|image| !image.base64.is_empty()) {
        return Err(Error::invalid("input.data.image.base64", "is not kept: give the input's id or a url"));
    }
    let url = image.map(|image| image.url.clone()).unwrap_or_default();
    Ok(Subject { input_id: input.id.clone(), url })
}

fn judged(concept: Concept) -> Judged {
    Judged { concept_id: concept.id, name: concept.name, value: concept.value }
}

fn region(region: Region) -> Result<JudgedRegion> {
    let info = region.region_info.unwrap_or_default();
    let at = info
        .bounding_box
        .ok_or_else(|| Error::invalid("input.data.regions.region_info.bounding_box", "is missing"))?;
    let verdict = match RegionInfoFeedback::try_from(info.feedback) {
        Ok(RegionInfoFeedback::Accurate) => Verdict::Accurate,
        Ok(RegionInfoFeedback::Misplaced) => Verdict::Misplaced,
        Ok(RegionInfoFeedback::NotDetected) => Verdict::NotDetected,
        Ok(RegionInfoFeedback::FalsePositive) => Verdict::FalsePositive,
        Err(_) => return Err(Error::invalid("input.data.regions.region_info.feedback", "is not known")),
    };
    let concepts = region.data.unwrap_or_default().concepts;
    Ok(JudgedRegion {
        area: [at.top_row, at.left_col, at.bottom_row, at.right_col],
        verdict,
        concepts: concepts.into_iter().map(judged).collect(),
    })
}
