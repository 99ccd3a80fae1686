//! How much of each operation is there: what the coverage document says beyond "there is a handler".

use std::collections::BTreeSet;

use ocellus_clarifai_proto as proto;

use crate::rpc;

/// How much of an operation is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Done,
    /// It answers, but this is missing.
    Partial(String),
    /// It answers "not implemented".
    No,
    /// It is about the machines of the vendor's own cloud, and answers "not implemented".
    CloudOnly,
}

/// A line of one of the vendor's documents.
#[derive(Clone, Debug)]
pub struct Line {
    /// Verb and path, as the document has them.
    pub route: String,
    /// The RPCs behind it.
    pub rpcs: Vec<String>,
    /// How much of them is there.
    pub extent: Extent,
}

/// What is missing of RPCs that answer. What a handler refuses as unsupported must be named here.
#[rustfmt::skip] // one RPC, one line
const MISSING: &[(&str, &str)] = &[
    ("PatchDatasetVersions", "`data_config`, `processing_info`, `embed_model_version_ids`"),
    ("PatchDatasets", "default processing"),
    ("PatchModels", "stars, full tags and prices of other sellers"),
    ("PatchTasks", "labelling by models and workflows"),
    ("PostDatasetVersions", "`data_config`, `processing_info`, `embed_model_version_ids`"),
    ("PostDatasets", "default processing"),
    ("PostEvaluations", "`predictions_dataset`; detectors, embedders and models that were brought along"),
    ("PostModelOutputs", "texts and sounds as inputs of the public models"),
    ("PostModelVersionEvaluations", "`predictions_dataset`; detectors, embedders and models that were brought along"),
    ("PostModelVersionMetrics", "`test_search`; detectors, embedders and models that were brought along"),
    ("PostModelVersions", "evaluating right after training (`eval_info`), migrating, going on from another model"),
    ("PostModelVersionsTrainingTimeEstimate", "going on from another model"),
    ("PostModels", "stars, full tags and prices of other sellers"),
    ("PostTasks", "labelling by models and workflows"),
    ("PostWorkflowResults", "`workflow_state`, `node_runner_selectors`; models that runners serve, and those of other apps, as nodes"),
    ("PostWorkflows", "images and stars of workflows; models that runners serve, and those of other apps, as nodes"),
    ("PutDatasetVersionExports", "`include_embeddings` in COCO, Pascal VOC and YOLO"),
];

/// Parts of the names of RPCs that concern the vendor's cloud alone.
#[rustfmt::skip] // a list of words
const CLOUD: &[&str] = &[
    "Artifact", "CloudProvider", "CloudRegion", "ComputeCluster", "ComputePlaneMetrics", "Deployment", "InstanceType", "LogEntries",
    "MetricLabels", "MetricsQuery", "ModelMigration",
    "Nodepool", "Pipeline", "RunnerReplica", "Secret",
];

/// How much of an RPC is there.
pub fn of(rpc: &str) -> Extent {
    let missing = MISSING.iter().find(|(name, _)| *name == rpc);
    match (rpc::is_built(rpc), missing) {
        (true, Some((_, missing))) => Extent::Partial((*missing).to_owned()),
        (true, None) => Extent::Done,
        (false, _) if CLOUD.iter().any(|word| rpc.contains(word)) => Extent::CloudOnly,
        (false, _) => Extent::No,
    }
}

/// The operations of the document of 2018, in the order of the service.
pub fn of_2018() -> Vec<Line> {
    let operations = proto::operations().into_iter().filter(|operation| operation.documented_in_2018);
    operations
        .map(|operation| {
            let rpc = answering(&operation).to_owned();
            let route = format!("{} {}", operation.method, operation.path);
            Line { extent: of(&rpc), rpcs: vec![rpc], route }
        })
        .collect()
}

/// The routes and groups of routes of the document of 2023, in its order.
pub fn of_2023() -> Vec<Line> {
    proto::groups_of_2023()
        .into_iter()
        .map(|((verb, path), operations)| {
            let route = if verb == "*" { format!("{path} …") } else { format!("{verb} {path}") };
            let rpcs: BTreeSet<String> = operations.iter().map(|o| answering(o).to_owned()).collect();
            let rpcs: Vec<String> = rpcs.into_iter().collect();
            Line { extent: together(&rpcs), rpcs, route }
        })
        .collect()
}

fn answering(operation: &proto::Operation) -> &str {
    operation.answered_by.unwrap_or(&operation.rpc)
}

/// How much of several RPCs is there; what is missing of a part is told.
fn together(rpcs: &[String]) -> Extent {
    let lacks = |rpc: &String| match of(rpc) {
        Extent::Done => None,
        Extent::Partial(missing) => Some(format!("{rpc} ({missing})")),
        Extent::No | Extent::CloudOnly => Some(rpc.clone()),
    };
    let missing: Vec<String> = rpcs.iter().filter_map(lacks).collect();
    let answers = |rpc: &String| rpc::is_built(rpc);
    match (rpcs.iter().any(answers), missing.is_empty()) {
        (true, true) => Extent::Done,
        (true, false) => Extent::Partial(missing.join("; ")),
        (false, _) => Extent::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        let service = proto::pool().get_service_by_name(proto::SERVICE).unwrap();
        service.methods().map(|method| method.name().to_owned()).collect()
    }

    #[test]
    fn what_is_missing_is_said_of_rpcs_that_answer_each_once_in_order() {
        for (name, _) in MISSING {
            assert!(rpc::is_built(name), "{name} does not answer");
        }
        assert!(MISSING.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn every_word_of_the_cloud_names_an_rpc_and_none_that_answers() {
        for word in CLOUD {
            let named: Vec<String> = names().into_iter().filter(|name| name.contains(word)).collect();
            assert!(!named.is_empty(), "no RPC is named {word}");
            assert!(named.iter().all(|name| !rpc::is_built(name)), "{word}: {named:?}");
        }
    }

    #[test]
    fn the_documents_have_the_lines_they_have() {
        assert_eq!(of_2018().len(), 92);
        let groups = of_2023();
        assert!(groups.len() > 150);
        let without: Vec<_> =
            groups.iter().filter(|line| line.rpcs.is_empty()).map(|line| &line.route).collect();
        // The document shows "inputs" below "datasets" twice; the upper one names nothing that a client had.
        assert_eq!(without, ["/v2/datasets/inputs …", "/v2/users/{}/apps/{}/datasets/inputs …"]);
    }
}
