//! What an evaluation found beyond the vendor's messages, as a document under `extended_metrics.user_metrics`: intervals,
//! calibration, thresholds for targets, doubted labels, near-duplicates and the comparison with another version.

use ocellus_core::JsonMap;
use ocellus_core::evaluations::{
    Compared, ConceptReport, Difference, Doubt, Evaluation, Findings, Interval, Place, Target, Twin,
};
use serde_json::{Value, json};

use crate::documents;
use crate::pb::{ExtendedMetrics, FieldsValue};

/// The name under which ours stand beside what a client brought along.
const OURS: &str = "ocellus";

/// The document; absent if there is nothing to say.
pub fn extended(doc: &Evaluation, found: Option<&Findings>, fields: FieldsValue) -> Option<ExtendedMetrics> {
    let mut all = doc.user_metrics.clone();
    if let Some(found) = found {
        all.insert(OURS.to_owned(), Value::Object(ours(found, fields)));
    }
    documents::to_struct(&all).map(|all| ExtendedMetrics { user_metrics: Some(all) })
}

fn ours(found: &Findings, fields: FieldsValue) -> JsonMap {
    let report = &found.report;
    let numbers: JsonMap = (report.numbers.named().into_iter())
        .filter_map(|(name, number)| Some((name.to_owned(), json!(number?))))
        .collect();
    let intervals: JsonMap =
        report.intervals.iter().map(|(name, interval)| (name.clone(), range(*interval))).collect();
    let mut all = JsonMap::new();
    let mut put = |name: &str, value: Value| all.insert(name.to_owned(), value);
    put("numbers", Value::Object(numbers));
    put("intervals", Value::Object(intervals));
    put("bootstrap_samples", json!(report.n_draws));
    put("inputs", json!(report.n_rows));
    put("groups", json!(report.n_groups));
    put("inputs_held_out", json!(found.n_held_out));
    put("inputs_not_described", json!(found.n_without_vector));
    put("inputs_left_out_as_near_duplicates", json!(found.n_left_out));
    put("mutually_exclusive", json!(found.exclusive));
    put("calibration", calibration(found));
    put("suspected_labels_count", json!(report.doubts.len()));
    if let Some(compared) = &found.compared {
        put("comparison", comparison(compared));
    }
    if fields.binary_metrics {
        let concepts = found.concepts.iter().zip(&report.concepts).map(|(named, one)| concept(named, one));
        put("concepts", concepts.collect());
    }
    if fields.test_set {
        let doubts = report.doubts.iter().zip(&found.doubted_ids).map(|(one, id)| doubt(found, one, id));
        put("suspected_labels", doubts.collect());
        put("near_duplicates_across_train_and_test", found.twins.iter().map(twin).collect());
    }
    all
}

fn range(interval: Interval) -> Value {
    json!({"low": interval.low, "high": interval.high})
}

fn bins(bins: &[ocellus_core::evaluations::Bin]) -> Value {
    let filled = bins.iter().filter(|bin| bin.n > 0.0);
    filled
        .map(|bin| json!({"count": bin.n, "mean_probability": bin.probability, "share_right": bin.share}))
        .collect()
}

fn calibration(found: &Findings) -> Value {
    let numbers = &found.report.numbers;
    json!({
        "bins": ocellus_core::evaluations::BINS,
        "expected_calibration_error": numbers.calibration_error,
        "top_expected_calibration_error": numbers.top_calibration_error,
        "brier": numbers.brier,
        "log_loss": numbers.log_loss,
        "reliability_curve": bins(&found.report.reliability),
        "uncalibrated": found.raw.as_ref().map(|raw| json!({
            "expected_calibration_error": raw.calibration_error,
            "reliability_curve": bins(&raw.reliability),
        })),
    })
}

fn place(place: Option<Place>) -> Value {
    place.map_or(Value::Null, |place| {
        json!({
            "threshold": place.threshold,
            "precision": place.precision,
            "recall": place.recall,
            "false_positive_rate": place.false_rate,
            "f1": place.f1(),
        })
    })
}

fn targets(targets: &[Target]) -> Value {
    targets.iter().map(|one| json!({"target": one.target, "at": place(one.place)})).collect()
}

fn concept(named: &(String, String), one: &ConceptReport) -> Value {
    json!({
        "id": named.0,
        "name": named.1,
        "precision": one.precision,
        "recall": one.recall,
        "average_precision": one.areas.average_precision,
        "expected_calibration_error": one.calibration_error,
        "few_examples": one.n_positive < ocellus_core::evaluations::LEAST_EXAMPLES,
        "best_f1": place(one.best_f1),
        "threshold_for_precision": targets(&one.for_precision),
        "threshold_for_false_positive_rate": targets(&one.for_false_rate),
    })
}

fn doubt(found: &Findings, one: &Doubt, input_id: &str) -> Value {
    let id = |concept: usize| found.concepts.get(concept).map(|(id, _)| id.clone());
    json!({
        "input_id": input_id,
        "concept_id": id(one.concept),
        "labelled": one.is_there,
        "probably": one.instead.and_then(id),
        "probability_of_label": one.probability,
    })
}

fn twin(one: &Twin) -> Value {
    json!({
        "input_id": one.input_id,
        "trained_input_id": one.trained_id,
        "probability": one.probability,
    })
}

fn comparison(compared: &Compared) -> Value {
    let difference = |one: &Difference| {
        json!({
            "number": one.name,
            "this": one.second,
            "other": one.first,
            "difference": one.difference,
            "interval": one.interval.map(range),
            "share_of_samples_in_which_this_is_larger": one.share_larger,
        })
    };
    json!({
        "with": {"model_id": compared.with.model_id, "version_id": compared.with.version_id},
        "concept_ids": compared.concept_ids,
        "inputs": compared.comparison.n_rows,
        "bootstrap_samples": compared.comparison.n_draws,
        "differences": compared.comparison.differences.iter().map(difference).collect::<Value>(),
    })
}
