//! Predictions of models that runners serve: what a runner is told, and its answer in the form of every other prediction.

use ocellus_clarifai_proto::status_code;
use ocellus_core::runners::items::{self, NewItem};
use ocellus_core::user_models::UserModel;
use ocellus_core::{AppCtx, Error, Result};
use prost::Message;

use crate::pb::status::{Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, inputs, items as places, outputs};

/// Has a runner answer. An input that cannot be sent fails by itself; the others go out together.
pub async fn predict(
    cx: &Cx,
    app: &AppCtx,
    model: &UserModel,
    req: PostModelOutputsRequest,
) -> Result<MultiOutputResponse> {
    let echo: Vec<Input> = req.inputs.iter().map(outputs::echo).collect();
    let wanted = with_data(cx, app, req.inputs).await?;
    let (sent, places) = places::read(wanted, "inputs", |input, _| input)?;
    let described = describe(model, &req.version_id);
    let answer = match sent.is_empty() {
        true => MultiOutputResponse::default(),
        false => {
            let new = NewItem {
                version_id: req.version_id.clone(),
                n_inputs: sent.len(),
                request: request(&described, req.model, req.version_id, sent).encode_to_vec(),
            };
            let answer = items::predict(app, model, new).await?;
            MultiOutputResponse::decode(answer.as_slice()).map_err(Error::internal)?
        }
    };
    let whole = answer.status.unwrap_or_default();
    if answer.outputs.is_empty() && whole.code != 0 && whole.code != Code::Success as i32 {
        return Ok(MultiOutputResponse { status: Some(told(cx, whole)), ..Default::default() });
    }
    let results = places.fill(answer.outputs.into_iter().map(Ok).collect()).into_iter().zip(echo);
    let outputs: Vec<Output> = results.map(|(result, input)| output(cx, &described, input, result)).collect();
    Ok(MultiOutputResponse { status: Some(outputs::overall(cx, &outputs)), outputs, ..Default::default() })
}

/// Inputs of the app that are given by their ids, with what is in them; a runner cannot ask for it.
async fn with_data(cx: &Cx, app: &AppCtx, given: Vec<Input>) -> Result<Vec<Result<Input>>> {
    let empty = |input: &Input| input.data.as_ref().is_none_or(|data| *data == Data::default());
    let ids = given.iter().filter(|input| empty(input) && !input.id.is_empty());
    let ids: Vec<String> = ids.map(|input| input.id.clone()).collect();
    let mut found = Vec::new();
    if !ids.is_empty() {
        found = ocellus_core::inputs::get_many(app, &ids).await?;
    }
    let filled = given.into_iter().map(|input| {
        match (empty(&input), input.id.is_empty()) {
            (false, _) => return Ok(input),
            (true, true) => return Err(Error::invalid("inputs.data", "is missing")),
            (true, false) => {}
        }
        let stored = found.iter().find(|stored| stored.id == input.id);
        let stored =
            stored.ok_or_else(|| Error::not_found(ocellus_core::Resource::Input(input.id.clone())))?;
        Ok(Input { id: input.id, data: inputs::to_wire(cx, app, stored).data, ..Default::default() })
    });
    Ok(filled.collect())
}

/// What the runner gets: the request as it came, with the model that is meant.
fn request(
    described: &Model,
    given: Option<Model>,
    version_id: String,
    inputs: Vec<Input>,
) -> PostModelOutputsRequest {
    let given = given.unwrap_or_default();
    let own = given.model_version.map(|version| *version).unwrap_or_default();
    let version = described.model_version.clone().map(|version| *version).unwrap_or_default();
    // The vendor's runners look for the configuration in the version, older callers put it into the model.
    let output_info = own.output_info.or_else(|| given.output_info.clone());
    let model = Model {
        output_info: given.output_info,
        model_version: Some(Box::new(ModelVersion { output_info, ..version })),
        ..described.clone()
    };
    PostModelOutputsRequest {
        user_app_id: Some(UserAppIdSet {
            user_id: described.user_id.clone(),
            app_id: described.app_id.clone(),
        }),
        model_id: described.id.clone(),
        version_id,
        inputs,
        model: Some(model),
        ..Default::default()
    }
}

fn describe(model: &UserModel, version_id: &str) -> Model {
    let version_id = if version_id.is_empty() { &model.newest.id } else { version_id };
    Model {
        id: model.id.clone(),
        name: model.name.clone(),
        app_id: model.app_id.clone(),
        user_id: model.user_id.clone(),
        created_at: documents::time(model.created_at_us),
        modified_at: documents::time(model.modified_at_us),
        model_type_id: model.model_type_id.clone(),
        model_version: Some(Box::new(ModelVersion {
            id: version_id.to_owned(),
            app_id: model.app_id.clone(),
            user_id: model.user_id.clone(),
            ..Default::default()
        })),
        ..Default::default()
    }
}

/// Of what a runner says, only data and status are taken over.
fn output(cx: &Cx, described: &Model, mut input: Input, result: Result<Output>) -> Output {
    if input.id.is_empty() {
        input.id = cx.platform.ids().id();
    }
    let (status, data) = match result {
        Ok(output) => (told(cx, output.status.unwrap_or_default()), output.data),
        Err(error) => {
            error.log();
            (inputs::item_status(cx, &error), None)
        }
    };
    Output {
        id: cx.platform.ids().id(),
        status: Some(status),
        created_at: documents::time(cx.platform.clock().now_us()),
        model: Some(described.clone()),
        input: Some(input),
        data,
        ..Default::default()
    }
}

/// A runner's status in the vendor's words. One that says nothing means success, one that nobody knows a failure.
fn told(cx: &Cx, given: Status) -> Status {
    let code = match given.code {
        0 => Code::Success,
        code => Code::try_from(code)
            .ok()
            .filter(|_| status_code(code).is_some())
            .unwrap_or(Code::ModelPredictionFailed),
    };
    let details =
        if given.details.is_empty() && code != Code::Success { given.description } else { given.details };
    Status { details, ..cx.status(code) }
}
