//! What an evaluation found, in the words of the wire. What the vendor's messages have no field for is in `eval_extras`.

use std::collections::HashMap;

use ocellus_core::evaluations::{
    ConceptReport, Entry, Evaluation, EvaluationReason, EvaluationState, Findings, TestSet, findings, newest,
};
use ocellus_core::resources::Stored;
use ocellus_core::user_models::{UserModel, UserModelVersion};
use ocellus_core::{AppCtx, Result, inputs};

use crate::pb::status::{Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::{Cx, Era};
use crate::{documents, eval_extras};

/// Whose evaluations.
pub struct Place {
    pub user_id: String,
    pub app_id: String,
}

impl Place {
    pub fn of(app: &AppCtx) -> Self {
        Self { user_id: app.app().user_id.clone(), app_id: app.app().id.clone() }
    }
}

/// Inputs whose addresses are looked up at once.
const BATCH: usize = 500;

/// An evaluation with the parts that were asked for.
pub async fn full(
    cx: &Cx,
    app: &AppCtx,
    evaluation: &Stored<Evaluation>,
    fields: FieldsValue,
) -> Result<EvalMetrics> {
    let found = findings(app, evaluation).await?;
    let mut metrics = to_wire(cx, &Place::of(app), evaluation, found.as_ref(), fields);
    if fields.test_set {
        for chunk in metrics.test_set.chunks_mut(BATCH) {
            with_inputs(cx, app, chunk).await?;
        }
    }
    Ok(metrics)
}

/// Fills in what is known of the inputs; those that are gone have ids only.
async fn with_inputs(cx: &Cx, app: &AppCtx, entries: &mut [EvalTestSetEntry]) -> Result<()> {
    let ids: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
    let known = inputs::get_many(app, &ids).await?;
    let mut by_id: HashMap<String, Input> =
        known.iter().map(|input| (input.id.clone(), crate::inputs::to_wire(cx, app, input))).collect();
    for entry in entries {
        let Some(input) = by_id.remove(&entry.id) else { continue };
        let image = input.data.as_ref().and_then(|data| data.image.as_ref());
        entry.url = image.map(|image| image.url.clone()).unwrap_or_default();
        if cx.era == Era::Current {
            entry.input = Some(input);
        }
    }
    Ok(())
}

/// The newest evaluation of a version on its own inputs, in brief.
pub async fn brief(
    cx: &Cx,
    app: &AppCtx,
    model: &UserModel,
    version: &UserModelVersion,
) -> Result<EvalMetrics> {
    Ok(match newest(app, model, &version.id).await? {
        Some(newest) => to_wire(cx, &Place::of(app), &newest, None, FieldsValue::default()),
        None => none(cx),
    })
}

/// What is said of a version that was never evaluated.
pub fn none(cx: &Cx) -> EvalMetrics {
    EvalMetrics { status: Some(cx.status(Code::ModelNotEvaluated)), ..Default::default() }
}

/// An evaluation; of what was found only the summary, unless parts are asked for.
pub fn to_wire(
    cx: &Cx,
    place: &Place,
    evaluation: &Stored<Evaluation>,
    found: Option<&Findings>,
    fields: FieldsValue,
) -> EvalMetrics {
    let doc = &evaluation.doc;
    let version = ModelVersion { id: doc.version_id.clone(), ..Default::default() };
    let model = Model {
        id: doc.model_id.clone(),
        user_id: place.user_id.clone(),
        app_id: place.app_id.clone(),
        model_type_id: doc.model_type_id.clone(),
        model_version: Some(Box::new(version)),
        ..Default::default()
    };
    let metrics = EvalMetrics {
        status: Some(status_of(cx, doc)),
        user_id: place.user_id.clone(),
        app_id: place.app_id.clone(),
        id: evaluation.id.clone(),
        model: (cx.era == Era::Current).then_some(Box::new(model)),
        ground_truth_dataset: dataset(place, &doc.test).map(Box::new),
        summary: (doc.state == EvaluationState::Evaluated).then(|| summary(doc)),
        eval_info: documents::to_struct(&doc.given).map(|params| EvalInfo { params: Some(params) }),
        extended_metrics: eval_extras::extended(doc, found, fields),
        ..Default::default()
    };
    match found {
        Some(found) => with_parts(metrics, found, fields),
        None => metrics,
    }
}

fn dataset(place: &Place, test: &TestSet) -> Option<Dataset> {
    match test {
        TestSet::HeldOut => None,
        TestSet::Dataset { dataset_id, version_id } => Some(Dataset {
            id: dataset_id.clone(),
            user_id: place.user_id.clone(),
            app_id: place.app_id.clone(),
            version: version_id.clone().map(|id| Box::new(DatasetVersion { id, ..Default::default() })),
            ..Default::default()
        }),
    }
}

fn status_of(cx: &Cx, doc: &Evaluation) -> Status {
    let reason = doc.failure.as_ref().map(|failure| failure.reason);
    let code = match (doc.state, reason) {
        (EvaluationState::Queued, _) => Code::ModelQueuedForEvaluation,
        (EvaluationState::Evaluating, _) => Code::ModelEvaluating,
        (EvaluationState::Evaluated, _) => Code::ModelEvaluated,
        (EvaluationState::Failed, Some(EvaluationReason::NeedLabels)) => Code::ModelEvaluationNeedLabels,
        (EvaluationState::Failed, Some(EvaluationReason::NeedInputs)) => Code::ModelEvaluationNeedInputs,
        (EvaluationState::Failed, Some(EvaluationReason::Other) | None) => Code::ModelEvaluationFailed,
    };
    let details = doc.failure.as_ref().map(|failure| failure.message.clone()).unwrap_or_default();
    Status { details, ..cx.status(code) }
}

/// A number that the vendor has as 0 where there is none.
fn or_zero(number: Option<f64>) -> f32 {
    number.unwrap_or_default() as f32
}

fn summary(doc: &Evaluation) -> MetricsSummary {
    let (numbers, deviations) = (&doc.numbers, &doc.deviations);
    MetricsSummary {
        top1_accuracy: or_zero(numbers.top1_accuracy),
        top5_accuracy: or_zero(numbers.top5_accuracy),
        macro_avg_roc_auc: or_zero(numbers.macro_roc_auc),
        macro_std_roc_auc: or_zero(deviations.macro_roc_auc),
        macro_avg_f1_score: or_zero(numbers.macro_f1),
        macro_std_f1_score: or_zero(deviations.macro_f1),
        macro_avg_precision: or_zero(numbers.macro_precision),
        macro_avg_recall: or_zero(numbers.macro_recall),
        ..Default::default()
    }
}

fn with_parts(metrics: EvalMetrics, found: &Findings, fields: FieldsValue) -> EvalMetrics {
    let binary =
        || found.concepts.iter().zip(&found.report.concepts).map(|(named, one)| binary(named, one)).collect();
    EvalMetrics {
        confusion_matrix: fields.confusion_matrix.then(|| confusion(found)),
        cooccurrence_matrix: fields.cooccurrence_matrix.then(|| cooccurrence(found)),
        label_counts: fields.label_counts.then(|| label_counts(found)),
        binary_metrics: if fields.binary_metrics { binary() } else { Vec::new() },
        metrics_by_class: if fields.metrics_by_class { binary() } else { Vec::new() },
        test_set: match fields.test_set {
            true => found.entries.iter().map(|entry| test_entry(found, entry)).collect(),
            false => Vec::new(),
        },
        ..metrics
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn concept((id, name): &(String, String)) -> Concept {
    Concept { id: id.clone(), name: name.clone(), ..Default::default() }
}

/// Shares of the inputs with a concept, the best recognised concept first. Pairs that never came are left out but for the
/// diagonal.
fn confusion(found: &Findings) -> ConfusionMatrix {
    let all = &found.report.confusion;
    let mut matrix = Vec::new();
    for is in &all.order {
        for said in all.order.iter().filter(|said| all.counts[*is][**said] > 0 || *said == is) {
            matrix.push(ConfusionMatrixEntry {
                predicted: found.concepts[*said].0.clone(),
                actual: found.concepts[*is].0.clone(),
                value: all.share(*is, *said) as f32,
                predicted_concept: Some(concept(&found.concepts[*said])),
                actual_concept: Some(concept(&found.concepts[*is])),
            });
        }
    }
    let concept_ids = all.order.iter().map(|concept| found.concepts[*concept].0.clone()).collect();
    ConfusionMatrix { matrix, concept_ids }
}

fn cooccurrence(found: &Findings) -> CooccurrenceMatrix {
    let id = |concept: usize| found.concepts[concept].0.clone();
    let mut matrix = Vec::new();
    for (row, counts) in found.report.cooccurrence.iter().enumerate() {
        let there = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        matrix.extend(there.map(|(col, count)| CooccurrenceMatrixEntry {
            row: id(row),
            col: id(col),
            count: *count,
        }));
    }
    CooccurrenceMatrix { matrix, concept_ids: (0..found.concepts.len()).map(id).collect() }
}

fn label_counts(found: &Findings) -> LabelDistribution {
    let count = |(named, one): (&(String, String), &ConceptReport)| LabelCount {
        concept_name: named.1.clone(),
        count: number(one.n_positive),
        concept: Some(concept(named)),
    };
    let counts = found.concepts.iter().zip(&found.report.concepts).map(count);
    LabelDistribution { positive_label_counts: counts.collect() }
}

fn floats(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|number| *number as f32).collect()
}

fn binary(named: &(String, String), one: &ConceptReport) -> BinaryMetrics {
    BinaryMetrics {
        num_pos: number(one.n_positive),
        num_neg: number(one.n_negative),
        num_tot: number(one.n_positive + one.n_negative),
        roc_auc: or_zero(one.areas.roc_auc),
        f1: one.f1 as f32,
        concept: Some(concept(named)),
        roc_curve: Some(Roc {
            fpr: floats(&one.roc.false_rates),
            tpr: floats(&one.roc.true_rates),
            thresholds: floats(&one.roc.thresholds),
            ..Default::default()
        }),
        precision_recall_curve: Some(PrecisionRecallCurve {
            recall: floats(&one.precision_recall.recall),
            precision: floats(&one.precision_recall.precision),
            thresholds: floats(&one.precision_recall.thresholds),
        }),
        avg_precision: or_zero(one.areas.average_precision),
        ..Default::default()
    }
}

/// An input with what was said of it, the likeliest first, and what is true of it.
fn test_entry(found: &Findings, entry: &Entry) -> EvalTestSetEntry {
    let mut predicted: Vec<Concept> = (found.concepts.iter().zip(&entry.probabilities))
        .map(|(named, probability)| Concept { value: *probability, ..concept(named) })
        .collect();
    predicted.sort_by(|a, b| b.value.total_cmp(&a.value));
    let truth = found.concepts.iter().zip(&entry.labels).filter_map(|(named, label)| {
        let value = f32::from(u8::from((*label)?));
        Some(Concept { value, ..concept(named) })
    });
    EvalTestSetEntry {
        id: entry.input_id.clone(),
        predicted_concepts: predicted,
        ground_truth_concepts: truth.collect(),
        input: Some(Input { id: entry.input_id.clone(), ..Default::default() }),
        ..Default::default()
    }
}
