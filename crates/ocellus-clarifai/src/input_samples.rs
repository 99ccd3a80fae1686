//! Samples of a task's labelled inputs.

use ocellus_core::{Result, tasks};

use crate::pb::*;
use crate::rpc::Cx;
use crate::{annotations, inputs, status};

pub async fn get_input_samples(cx: Cx, req: GetInputSamplesRequest) -> Result<MultiInputAnnotationResponse> {
    let app = cx.app(req.user_app_id).await?;
    let users: Vec<String> = req.user_ids.into_iter().map(|id| annotations::own_name(&app, id)).collect();
    let found = tasks::samples(&app, &req.task_id, &users).await?;
    let hits = found.iter().map(|(input, annotation)| Hit {
        score: 1.0,
        input: Some(inputs::to_wire(&cx, &app, input)),
        annotation: Some(annotations::to_wire(&cx, &app, annotation)),
        ..Default::default()
    });
    Ok(MultiInputAnnotationResponse { status: status::success(), hits: hits.collect() })
}
