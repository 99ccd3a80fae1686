//! Evaluations of versions: RPCs of both generations, and what a client asks for. What was found, in the words of the wire, is
//! in `eval_metrics`.

use ocellus_core::evaluations::{self as core, Evaluation, NewEvaluation, SortBy, TestSet, Wanted};
use ocellus_core::models::{self, Found};
use ocellus_core::resources::Stored;
use ocellus_core::user_models::{UserModel, UserModelVersion};
use ocellus_core::{AppCtx, Error, JsonMap, Page, Resource, Result};

use crate::eval_metrics::{self, Place};
use crate::models::version;
use crate::pb::list_evaluations_request::SortBy as WireSortBy;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, model_versions, paging, status};

pub async fn post_model_version_metrics(
    cx: Cx,
    req: PostModelVersionMetricsRequest,
) -> Result<SingleModelVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    paging::refuse(&[("test_search", req.test_search.is_some())])?;
    let (model, of) = own(&app, &req.model_id, &req.version_id).await?;
    let mut settings = params(req.eval_info);
    if req.max_examples > 0 {
        settings.insert("max_examples".to_owned(), req.max_examples.into());
    }
    let made = core::evaluate_again(&app, (&model, &of), settings).await?;
    let metrics = eval_metrics::to_wire(&cx, &Place::of(&app), &made, None, FieldsValue::default());
    Ok(single(&cx, &model, &of, metrics))
}

pub async fn get_model_version_metrics(
    cx: Cx,
    req: GetModelVersionMetricsRequest,
) -> Result<SingleModelVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let (model, of) = own(&app, &req.model_id, &req.version_id).await?;
    let metrics = match core::newest(&app, &model, &of.id).await? {
        Some(newest) => eval_metrics::full(&cx, &app, &newest, req.fields.unwrap_or_default()).await?,
        None => eval_metrics::none(&cx),
    };
    Ok(single(&cx, &model, &of, metrics))
}

fn single(
    cx: &Cx,
    model: &UserModel,
    of: &UserModelVersion,
    metrics: EvalMetrics,
) -> SingleModelVersionResponse {
    let version = model_versions::to_wire(cx, model, of);
    let model_version = Some(ModelVersion { metrics: Some(Box::new(metrics)), ..version });
    SingleModelVersionResponse { status: status::success(), model_version }
}

/// A version of an own model; the public ones are not evaluated here.
async fn own(app: &AppCtx, model_id: &str, version_id: &str) -> Result<(UserModel, UserModelVersion)> {
    match models::find(app, model_id, version(version_id)).await? {
        Found::Own(model, version) => Ok((model, version)),
        Found::Public(spec) => {
            let message = format!("model '{}' is public; only models of an app are evaluated", spec.id);
            Err(Error::unsupported(message).about(Resource::Model(spec.id.clone())))
        }
    }
}

pub async fn post_model_version_evaluations(
    cx: Cx,
    req: PostModelVersionEvaluationsRequest,
) -> Result<MultiEvalMetricsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let of = own(&app, &req.model_id, &req.model_version_id).await?;
    let mut made = Vec::with_capacity(req.eval_metrics.len());
    for wire in checked(req.eval_metrics)? {
        made.push(core::create(&app, (&of.0, &of.1), read(&app, wire)?).await?);
    }
    Ok(many(&cx, &app, &made))
}

pub async fn post_evaluations(cx: Cx, req: PostEvaluationsRequest) -> Result<MultiEvalMetricsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let mut made = Vec::with_capacity(req.eval_metrics.len());
    for wire in checked(req.eval_metrics)? {
        let named = wire.model.clone().unwrap_or_default();
        check_here(&app, "model", &named.user_id, &named.app_id)?;
        let version_id = named.model_version.map(|version| version.id).unwrap_or_default();
        let of = own(&app, &named.id, &version_id).await?;
        made.push(core::create(&app, (&of.0, &of.1), read(&app, wire)?).await?);
    }
    Ok(many(&cx, &app, &made))
}

pub async fn get_model_version_evaluation(
    cx: Cx,
    req: GetModelVersionEvaluationRequest,
) -> Result<SingleEvalMetricsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let (model, of) = own(&app, &req.model_id, &req.model_version_id).await?;
    let found = core::get(&app, &req.evaluation_id, Some((&model.uid, &of.id))).await?;
    let metrics = eval_metrics::full(&cx, &app, &found, req.fields.unwrap_or_default()).await?;
    Ok(SingleEvalMetricsResponse { status: status::success(), eval_metrics: Some(metrics) })
}

pub async fn get_evaluation(cx: Cx, req: GetEvaluationRequest) -> Result<SingleEvalMetricsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = core::get(&app, &req.evaluation_id, None).await?;
    let metrics = eval_metrics::full(&cx, &app, &found, req.fields.unwrap_or_default()).await?;
    Ok(SingleEvalMetricsResponse { status: status::success(), eval_metrics: Some(metrics) })
}

pub async fn list_model_version_evaluations(
    cx: Cx,
    req: ListModelVersionEvaluationsRequest,
) -> Result<MultiEvalMetricsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let (model, of) = own(&app, &req.model_id, &req.model_version_id).await?;
    let wanted = Wanted { version: Some((model.uid, of.id)), with_failed: true, ..Wanted::default() };
    let found = core::list(&app, wanted, paging::page(req.page, req.per_page)?).await?;
    Ok(many(&cx, &app, found.iter().map(|(_, one)| one)))
}

pub async fn list_evaluations(cx: Cx, req: ListEvaluationsRequest) -> Result<MultiEvalMetricsResponse> {
    let page: Page = paging::page(req.page, req.per_page)?;
    let opened = crate::models::opened(&cx, req.user_app_id.clone()).await?;
    let wanted = wanted(req);
    let (user_id, found) = match &opened {
        crate::models::Opened::App(app) => (app.app().user_id.clone(), core::list(app, wanted, page).await?),
        crate::models::Opened::Account(account) => {
            (account.account().id.clone(), core::list_of_account(account, wanted, page).await?)
        }
    };
    let one = |(app_id, one): &(String, Stored<Evaluation>)| {
        let place = Place { user_id: user_id.clone(), app_id: app_id.clone() };
        eval_metrics::to_wire(&cx, &place, one, None, FieldsValue::default())
    };
    Ok(MultiEvalMetricsResponse { status: status::success(), eval_metrics: found.iter().map(one).collect() })
}

fn wanted(req: ListEvaluationsRequest) -> Wanted {
    let sort_by = match req.sort_by {
        None | Some(WireSortBy::SortByCreatedAt(_)) => SortBy::CreatedAt,
        Some(WireSortBy::SortByAppId(_)) => SortBy::App,
        Some(WireSortBy::SortByRocAuc(_)) => SortBy::RocAuc,
        Some(WireSortBy::SortByF1(_)) => SortBy::F1,
        Some(WireSortBy::SortByMeanAvgPrecision(_)) => SortBy::AveragePrecision,
        Some(WireSortBy::SortByPrecision(_)) => SortBy::Precision,
        Some(WireSortBy::SortByRecall(_)) => SortBy::Recall,
        Some(WireSortBy::SortByModelId(_)) => SortBy::Model,
        Some(WireSortBy::SortByEvalDatasetId(_)) => SortBy::TestDataset,
        Some(WireSortBy::SortByTrainDatasetId(_)) => SortBy::TrainDataset,
    };
    Wanted {
        version: None,
        model_type_id: Some(req.model_type_id).filter(|id| !id.is_empty()),
        test_dataset_ids: req.eval_dataset_ids,
        train_dataset_ids: req.train_dataset_ids,
        concept_ids: req.concept_ids,
        with_failed: req.show_failed_metrics,
        sort_by,
        ascending: req.sort_ascending,
    }
}

fn many<'a>(
    cx: &Cx,
    app: &AppCtx,
    found: impl IntoIterator<Item = &'a Stored<Evaluation>>,
) -> MultiEvalMetricsResponse {
    let place = Place::of(app);
    let one = |one| eval_metrics::to_wire(cx, &place, one, None, FieldsValue::default());
    MultiEvalMetricsResponse { status: status::success(), eval_metrics: found.into_iter().map(one).collect() }
}

/// The most evaluations one call may begin.
const MAX_PER_CALL: usize = 16;

fn checked(wire: Vec<EvalMetrics>) -> Result<Vec<EvalMetrics>> {
    match (1..=MAX_PER_CALL).contains(&wire.len()) {
        true => Ok(wire),
        false => Err(Error::invalid("eval_metrics", format!("must hold 1 to {MAX_PER_CALL} items"))),
    }
}

fn params(info: Option<EvalInfo>) -> JsonMap {
    info.and_then(|info| info.params).map(documents::from_struct).unwrap_or_default()
}

/// What else belongs to another app cannot be judged or judged on.
fn check_here(app: &AppCtx, field: &str, user_id: &str, app_id: &str) -> Result<()> {
    let is_here = |given: &str, own: &str| given.is_empty() || given == own;
    match is_here(user_id, &app.app().user_id) && is_here(app_id, &app.app().id) {
        true => Ok(()),
        false => Err(Error::invalid(format!("eval_metrics.{field}"), "must be of the app that is called")),
    }
}

fn read(app: &AppCtx, wire: EvalMetrics) -> Result<NewEvaluation> {
    paging::refuse_fields(
        "eval_metrics",
        &[
            ("predictions_dataset", wire.predictions_dataset.is_some()),
            ("summary", wire.summary.is_some()),
            ("confusion_matrix", wire.confusion_matrix.is_some()),
            ("binary_metrics", !wire.binary_metrics.is_empty()),
            ("test_set", !wire.test_set.is_empty()),
        ],
    )?;
    let test = match wire.ground_truth_dataset {
        None => TestSet::HeldOut,
        Some(dataset) => {
            check_here(app, "ground_truth_dataset", &dataset.user_id, &dataset.app_id)?;
            let version_id = dataset.version.map(|version| version.id).filter(|id| !id.is_empty());
            TestSet::Dataset { dataset_id: dataset.id, version_id }
        }
    };
    let user_metrics = wire.extended_metrics.and_then(|extended| extended.user_metrics);
    Ok(NewEvaluation {
        id: wire.id,
        test,
        settings: params(wire.eval_info),
        user_metrics: user_metrics.map(documents::from_struct).unwrap_or_default(),
    })
}
