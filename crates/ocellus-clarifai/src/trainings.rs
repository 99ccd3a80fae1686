//! Training models and what is asked about trained versions: RPCs.

use ocellus_core::learning::about::{self, InputExample};
use ocellus_core::learning::{self, NewTraining};
use ocellus_core::{Error, Result, user_models as own};

use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::rpc::{Cx, Era};
use crate::user_models::{concept_refs, config, map};
use crate::{documents, inputs, model_versions, models, operator_versions, paging, status, user_models};

pub async fn post_model_versions(cx: Cx, req: PostModelVersionsRequest) -> Result<SingleModelResponse> {
    if let Some(told) = operator_versions::post(&cx, &req).await? {
        return Ok(told);
    }
    let new = one(&cx, &req)?;
    let app = cx.app(req.user_app_id).await?;
    let (model, version) = learning::train(&app, &req.model_id, new).await?;
    let model = Some(user_models::to_wire(&cx, &model, &version));
    Ok(SingleModelResponse { status: status::success(), model, ..Default::default() })
}

/// The first generation sends nothing at all; the later ones send one version.
fn one(cx: &Cx, req: &PostModelVersionsRequest) -> Result<NewTraining> {
    paging::refuse(&[("eval_info", req.eval_info.is_some()), ("do_migration", req.do_migration)])?;
    let version = match req.model_versions.as_slice() {
        [] => ModelVersion::default(),
        [version] => version.clone(),
        many => {
            return Err(Error::invalid(
                "model_versions",
                format!("must hold one version, not {}", many.len()),
            ));
        }
    };
    let mut new = training(cx, version)?;
    if new.description.is_empty() {
        new.description.clone_from(&req.description);
    }
    Ok(new)
}

fn training(cx: &Cx, mut version: ModelVersion) -> Result<NewTraining> {
    let train_info = version.train_info.take().unwrap_or_default();
    let output_info = version.output_info.take().unwrap_or_default();
    let input_info = version.input_info.take().unwrap_or_default();
    model_versions::check(&version)?;
    paging::refuse_fields(
        "model_versions",
        &[
            ("train_info.resume_from_model", train_info.resume_from_model.is_some()),
            ("input_info.params", input_info.params.is_some()),
        ],
    )?;
    let mut config = output_info.output_config.map(config);
    // The newest clients name the model whose vectors are taken as part of what goes in.
    if let Some(base) = input_info.base_embed_model {
        let config = config.get_or_insert_default();
        config.existing_model_id = base.id;
        config.embed_model_version_id = base.model_version.map(|version| version.id).unwrap_or_default();
    }
    let dataset = train_info.dataset.map(|dataset| {
        let version_id = dataset.version.map(|version| version.id).unwrap_or_default();
        (dataset.id, version_id)
    });
    Ok(NewTraining {
        version_id: version.id,
        description: version.description,
        license: version.license,
        metadata: map(version.metadata),
        params: map(train_info.params),
        output_params: map(output_info.params),
        config,
        concepts: output_info.data.map(|data| concept_refs(*data)).transpose()?.unwrap_or_default(),
        dataset,
        ends_well_without_data: cx.era == Era::Y2019,
    })
}

pub async fn post_model_versions_training_time_estimate(
    cx: Cx,
    req: PostModelVersionsTrainingTimeEstimateRequest,
) -> Result<MultiTrainingTimeEstimateResponse> {
    let app = cx.app(req.user_app_id).await?;
    if req.model_versions.len() > own::MAX_PER_CALL {
        return Err(Error::invalid("model_versions", format!("must hold at most {}", own::MAX_PER_CALL)));
    }
    let given = req.model_versions.into_iter().map(|version| training(&cx, version));
    let mut wanted = given.collect::<Result<Vec<_>>>()?;
    if wanted.is_empty() {
        wanted.push(NewTraining::default());
    }
    let found = learning::training_times_s(&app, &req.model_id, &wanted, req.estimated_input_count).await?;
    let duration = |seconds: u64| prost_types::Duration { seconds: seconds as i64, nanos: 0 };
    let training_time_estimates = found.into_iter().map(duration).collect();
    Ok(MultiTrainingTimeEstimateResponse { status: status::success(), training_time_estimates })
}

pub async fn list_model_inputs(cx: Cx, req: ListModelInputsRequest) -> Result<MultiInputResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let version = models::version(&req.version_id);
    let found = about::inputs_of_version(&app, &req.model_id, version, page).await?;
    let inputs = found.iter().map(|input| inputs::to_wire(&cx, &app, input)).collect();
    Ok(MultiInputResponse { status: status::success(), inputs, ..Default::default() })
}

pub async fn list_model_references(
    cx: Cx,
    req: ListModelReferencesRequest,
) -> Result<MultiModelReferenceResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = about::references(&app, &req.model_id, page).await?;
    let reference = |(n, reference): (usize, about::Reference)| ModelReference {
        id: if reference.id.is_empty() { format!("{}", n + 1) } else { reference.id },
        model_id: req.model_id.clone(),
        url: reference.url,
        name: reference.name,
        metadata: documents::to_struct(&reference.metadata),
    };
    let model_references = found.into_iter().enumerate().map(reference).collect();
    Ok(MultiModelReferenceResponse { status: status::success(), model_references })
}

pub async fn list_model_version_input_examples(
    cx: Cx,
    req: ListModelVersionInputExamplesRequest,
) -> Result<MultiModelVersionInputExampleResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = about::input_examples(&app, &req.model_id, &req.model_version_id, page).await?;
    let place = (req.model_id.as_str(), req.model_version_id.as_str());
    let examples = found.iter().map(|one| example(inputs::to_wire(&cx, &app, &one.input), one, place));
    let model_version_input_examples = examples.collect();
    Ok(MultiModelVersionInputExampleResponse { status: status::success(), model_version_input_examples })
}

pub async fn get_model_version_input_example(
    cx: Cx,
    req: GetModelVersionInputExampleRequest,
) -> Result<SingleModelVersionInputExampleResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = about::input_example(&app, &req.model_id, &req.model_version_id, &req.example_id).await?;
    let place = (req.model_id.as_str(), req.model_version_id.as_str());
    let wire = example(inputs::to_wire(&cx, &app, &found.input), &found, place);
    let model_version_input_example = Some(wire);
    Ok(SingleModelVersionInputExampleResponse { status: status::success(), model_version_input_example })
}

fn example(
    input: Input,
    found: &InputExample,
    (model_id, version_id): (&str, &str),
) -> ModelVersionInputExample {
    ModelVersionInputExample {
        id: found.concept_id.clone(),
        model_id: model_id.to_owned(),
        model_version_id: version_id.to_owned(),
        data: input.data,
        name: found.concept_name.clone(),
        description: format!(
            "Input '{}' shows '{}': {:.3} by a model that had not seen it",
            input.id, found.concept_name, found.probability
        ),
    }
}

pub async fn post_model_versions_publish(
    cx: Cx,
    req: PostModelVersionsPublishRequest,
) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    let ids: Vec<String> = req.publications.into_iter().map(|one| one.version_id).collect();
    own::publish(&app, &req.model_id, &ids, true).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn post_model_versions_un_publish(
    cx: Cx,
    req: PostModelVersionsUnPublishRequest,
) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    let ids: Vec<String> = req.publications.into_iter().map(|one| one.version_id).collect();
    own::publish(&app, &req.model_id, &ids, false).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn get_model_weight(cx: Cx, req: GetModelWeightRequest) -> Result<SingleModelWeightResponse> {
    let app = cx.app(req.user_app_id).await?;
    let (model, version, bytes) = about::weight(&app, &req.model_id, &req.version_id).await?;
    let model = Some(user_models::to_wire(&cx, &model, &version));
    Ok(SingleModelWeightResponse {
        status: status::success(),
        model,
        ct64: bytes.to_vec(),
        ..Default::default()
    })
}
