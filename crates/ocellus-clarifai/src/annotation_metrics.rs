//! Metrics of annotation searches: RPCs and the wire form of an evaluation. The searches are kept as they came.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ocellus_core::annotation_metrics::agreement::{self, ClassAgreement};
use ocellus_core::annotation_metrics::{self as core, EvaluationKind, EvaluationState, NewMetrics, Report};
use ocellus_core::resources::{self, Listing, Shelf, Stored};
use ocellus_core::search::Filter as CoreFilter;
use ocellus_core::{AppCtx, Error, Page, Result};
use prost::Message;

use crate::pb::status::{BaseResponse, Status, StatusCode as Code};
use crate::pb::*;
use crate::queries::Of;
use crate::rpc::Cx;
use crate::{saved_searches, searches, status};

/// An evaluation as it is stored.
type Metrics = core::AnnotationMetrics;

pub async fn post_annotation_search_metrics(
    cx: Cx,
    req: PostAnnotationSearchMetricsRequest,
) -> Result<MultiAnnotationSearchMetricsResponse> {
    let app = cx.app(req.user_app_id.clone()).await?;
    let made = core::create(&app, read(&app, req).await?).await?;
    Ok(many(&cx, &app, &[made]))
}

pub async fn get_annotation_search_metrics(
    cx: Cx,
    req: GetAnnotationSearchMetricsRequest,
) -> Result<MultiAnnotationSearchMetricsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = resources::get(&Shelf::from(&app), &req.id).await?;
    Ok(many(&cx, &app, &[found]))
}

pub async fn list_annotation_search_metrics(
    cx: Cx,
    req: ListAnnotationSearchMetricsRequest,
) -> Result<MultiAnnotationSearchMetricsResponse> {
    let app = cx.app(req.user_app_id).await?;
    // The request has no page; the newest are wanted if there are more than one page holds.
    let listing = Listing { newest_first: true, ..Listing::default() };
    let found = resources::list(&Shelf::from(&app), &listing, Page::first(Page::MAX_PER_PAGE)).await?;
    Ok(many(&cx, &app, &found))
}

pub async fn delete_annotation_search_metrics(
    cx: Cx,
    req: DeleteAnnotationSearchMetricsRequest,
) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    resources::delete::<Metrics>(&Shelf::from(&app), &[req.id]).await?;
    Ok(BaseResponse { status: status::success() })
}

async fn read(app: &AppCtx, req: PostAnnotationSearchMetricsRequest) -> Result<NewMetrics> {
    let data = req.data.unwrap_or_default();
    let (truth, ground_truth) = side(app, req.ground_truth, "ground_truth").await?;
    let (said, to_eval) = side(app, req.search_to_eval, "search_to_eval").await?;
    Ok(NewMetrics {
        id: Some(req.id),
        truth,
        said,
        ground_truth,
        to_eval,
        data: STANDARD.encode(data.encode_to_vec()),
        kind: kind(req.evaluation_type)?,
        concept_ids: data.concepts.into_iter().map(|concept| concept.id).collect(),
    })
}

/// One side of the comparison: a search, or a saved one by its id.
async fn side(app: &AppCtx, given: Option<Search>, field: &str) -> Result<(Vec<CoreFilter>, String)> {
    let given = given.ok_or_else(|| Error::invalid(field, "must be given"))?;
    let search = match given.query.is_none() && !given.id.is_empty() {
        true => saved_searches::find(app, &given.id).await?,
        false => given,
    };
    let encoded = STANDARD.encode(search.encode_to_vec());
    let query = searches::read_search(app, search, Of::Annotations, Page::first(1))?;
    match query.ranks.is_empty() {
        true => Ok((query.filters, encoded)),
        false => Err(Error::invalid(format!("{field}.query"), "must have filters and no ranks")),
    }
}

fn kind(evaluation_type: i32) -> Result<Option<EvaluationKind>> {
    match EvaluationType::try_from(evaluation_type) {
        Ok(EvaluationType::Undefined) => Ok(None),
        Ok(EvaluationType::Classification) => Ok(Some(EvaluationKind::Classification)),
        Ok(EvaluationType::Detection) => Ok(Some(EvaluationKind::Detection)),
        Ok(_) | Err(_) => Err(Error::invalid("evaluation_type", "must be Classification or Detection")),
    }
}

fn many(cx: &Cx, app: &AppCtx, found: &[Stored<Metrics>]) -> MultiAnnotationSearchMetricsResponse {
    let annotation_search_metrics = found.iter().map(|metrics| to_wire(cx, app, metrics)).collect();
    MultiAnnotationSearchMetricsResponse { status: status::success(), annotation_search_metrics }
}

fn to_wire(cx: &Cx, app: &AppCtx, metrics: &Stored<Metrics>) -> AnnotationSearchMetrics {
    // What was stored was encoded by `side` and `read`.
    let bytes = |text: &str| STANDARD.decode(text).unwrap_or_default();
    let search = |text: &str| Some(Search::decode(&bytes(text)[..]).unwrap_or_default());
    let doc = &metrics.doc;
    let code = match doc.state {
        EvaluationState::Pending => Code::ModelQueuedForEvaluation,
        EvaluationState::Ready => Code::ModelEvaluated,
        EvaluationState::Failed => Code::ModelEvaluationFailed,
    };
    let state = Status { details: doc.error.clone(), ..cx.status(code) };
    let empty = EvalMetrics {
        id: metrics.id.clone(),
        user_id: app.app().user_id.clone(),
        app_id: app.app().id.clone(),
        status: Some(state),
        ..Default::default()
    };
    let n_concepts = doc.report.as_ref().map_or(0, |report| report.concepts.len());
    AnnotationSearchMetrics {
        ground_truth: search(&doc.ground_truth),
        search_to_eval: search(&doc.to_eval),
        metrics: Some(doc.report.as_ref().map_or(empty.clone(), |report| filled(empty, report))),
        data: Some(Data::decode(&bytes(&doc.data)[..]).unwrap_or_default()),
        active_concept_count: number(n_concepts),
        ..Default::default()
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn concept((id, name): &(String, String)) -> Concept {
    Concept { id: id.clone(), name: name.clone(), ..Default::default() }
}

fn filled(empty: EvalMetrics, report: &Report) -> EvalMetrics {
    let classes = || report.concepts.iter().zip(&report.agreement.classes);
    let count = |(named, class): (&(String, String), &ClassAgreement)| LabelCount {
        count: number(class.n_positive),
        concept: Some(concept(named)),
        ..Default::default()
    };
    EvalMetrics {
        summary: Some(summary(report)),
        confusion_matrix: Some(confusion(report)),
        label_counts: Some(LabelDistribution { positive_label_counts: classes().map(count).collect() }),
        binary_metrics: classes().map(|(named, class)| binary(report, named, class)).collect(),
        ..empty
    }
}

/// Means over the concepts that the truth has.
fn summary(report: &Report) -> MetricsSummary {
    let classes: Vec<&ClassAgreement> =
        report.agreement.classes.iter().filter(|class| class.n_positive > 0).collect();
    let mean = |of: fn(&ClassAgreement) -> f32| agreement::mean(classes.iter().map(|class| of(class)));
    let aucs: Vec<f32> = classes.iter().filter_map(|class| class.roc_auc).collect();
    let f1s: Vec<f32> = classes.iter().map(|class| class.f1).collect();
    let (at_half, over_range) = report.agreement.mean_average_precision.unwrap_or_default();
    MetricsSummary {
        macro_avg_roc_auc: agreement::mean(aucs.iter().copied()),
        macro_std_roc_auc: agreement::deviation(&aucs),
        macro_avg_f1_score: agreement::mean(f1s.iter().copied()),
        macro_std_f1_score: agreement::deviation(&f1s),
        macro_avg_precision: mean(|class| class.precision),
        macro_avg_recall: mean(|class| class.recall),
        mean_avg_precision_iou_50: at_half,
        mean_avg_precision_iou_range: over_range,
        ..Default::default()
    }
}

/// How often each concept that was said stands for one that is true.
fn confusion(report: &Report) -> ConfusionMatrix {
    let mut matrix = Vec::new();
    for (said, row) in report.concepts.iter().zip(&report.agreement.confusion) {
        for (actual, count) in report.concepts.iter().zip(row).filter(|(_, count)| **count > 0) {
            matrix.push(ConfusionMatrixEntry {
                predicted: said.0.clone(),
                actual: actual.0.clone(),
                value: *count as f32,
                predicted_concept: Some(concept(said)),
                actual_concept: Some(concept(actual)),
            });
        }
    }
    ConfusionMatrix { matrix, concept_ids: report.concepts.iter().map(|(id, _)| id.clone()).collect() }
}

fn binary(report: &Report, named: &(String, String), class: &ClassAgreement) -> BinaryMetrics {
    let of_boxes = report.kind == EvaluationKind::Detection;
    let curve = |of: fn(&agreement::Place) -> f32| class.curve.iter().map(of).collect::<Vec<f32>>();
    let roc = Roc {
        fpr: curve(|place| place.false_rate),
        tpr: curve(|place| place.recall),
        thresholds: curve(|place| place.threshold),
        ..Default::default()
    };
    BinaryMetrics {
        num_pos: number(class.n_positive),
        num_neg: number(class.n_negative),
        num_tot: number(class.n_positive + class.n_negative),
        roc_auc: class.roc_auc.unwrap_or(0.0),
        f1: class.f1,
        concept: Some(concept(named)),
        roc_curve: (!of_boxes).then_some(roc),
        precision_recall_curve: Some(PrecisionRecallCurve {
            recall: curve(|place| place.recall),
            precision: curve(|place| place.precision),
            thresholds: curve(|place| place.threshold),
        }),
        avg_precision: class.average_precision,
        iou: if of_boxes { agreement::IOU } else { 0.0 },
        ..Default::default()
    }
}
