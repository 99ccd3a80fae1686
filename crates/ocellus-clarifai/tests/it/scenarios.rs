//! One test for every file of `scenarios/clarifai`, on every database.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ocellus_core::testing::TestPlatform;
use ocellus_http::scenario;

use crate::{plans, schema, world};

pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/clarifai"))
}

async fn run(file: &str) {
    for test in TestPlatform::all().await {
        let world = world::world(&test).await.watch(schema::check);
        if let Err(report) = scenario::run_file(&world, &folder().join(file)).await {
            panic!("{report}");
        }
        plans::check(&test).await;
    }
}

macro_rules! scenarios {
    ($($name:ident = $file:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                run($file).await;
            }
        )*

        const FILES: &[&str] = &[$($file),*];
    };
}

scenarios! {
    keys_and_paths = "01-keys-and-paths.txt";
    tokens = "02-tokens.txt";
    apps = "03-apps.txt";
    keys_and_scopes = "04-keys-and-scopes.txt";
    concepts = "05-concepts.txt";
    inputs_one_by_one = "06-inputs-one-by-one.txt";
    inputs_what_goes_wrong = "07-inputs-what-goes-wrong.txt";
    inputs_lists = "08-inputs-lists.txt";
    inputs_patch = "09-inputs-patch.txt";
    inputs_delete = "10-inputs-delete.txt";
    models = "11-models.txt";
    outputs = "12-outputs.txt";
    outputs_what_goes_wrong = "13-outputs-what-goes-wrong.txt";
    searches_of_2018 = "14-searches-of-2018.txt";
    searches_of_today = "15-searches-of-today.txt";
    another_account = "16-another-account.txt";
    two_writers = "17-two-writers.txt";
    hosted_images = "18-hosted-images.txt";
    json_of_every_era = "19-json-of-every-era.txt";
    vocabs = "20-vocabs.txt";
    feedback = "21-feedback.txt";
    what_the_server_has = "22-what-the-server-has.txt";
    modules = "23-modules.txt";
    installed_modules = "24-installed-modules.txt";
    collectors = "25-collectors.txt";
    apps_found_and_renamed = "26-apps-found-and-renamed.txt";
    duplications = "27-duplications.txt";
    concept_references = "28-concept-references.txt";
    regions_of_outputs = "29-regions-of-outputs.txt";
    annotations = "30-annotations.txt";
    annotations_what_goes_wrong = "31-annotations-what-goes-wrong.txt";
    annotation_workers_and_status = "32-annotation-workers-and-status.txt";
    annotation_tracks = "33-annotation-tracks.txt";
    tasks = "34-tasks.txt";
    label_orders_and_annotation_filters = "35-label-orders-and-annotation-filters.txt";
    bulk_operations = "36-bulk-operations.txt";
    annotation_searches = "37-annotation-searches.txt";
    annotation_filters_in_searches = "38-annotation-filters-in-searches.txt";
    searches_by_regions = "39-searches-by-regions.txt";
    datasets = "40-datasets.txt";
    dataset_inputs = "41-dataset-inputs.txt";
    dataset_versions = "42-dataset-versions.txt";
    dataset_exports = "43-dataset-exports.txt";
    trainings = "44-trainings.txt";
    trainings_what_goes_wrong = "45-trainings-what-goes-wrong.txt";
    trained_versions = "46-trained-versions.txt";
    evaluations = "47-evaluations.txt";
    evaluations_what_goes_wrong = "48-evaluations-what-goes-wrong.txt";
    videos = "50-videos.txt";
    text_and_audio = "51-text-and-audio.txt";
    uploads = "52-uploads.txt";
    inputs_of_uploads = "53-inputs-of-uploads.txt";
    inputs_of_data_sources = "54-inputs-of-data-sources.txt";
    add_jobs = "55-add-jobs.txt";
    input_streams_and_parts = "56-input-streams-and-parts.txt";
    input_samples = "57-input-samples.txt";
    video_manifests = "58-video-manifests.txt";
    detectors_learned_from_boxes = "59-detectors-learned-from-boxes.txt";
    signing_up_and_in = "60-signing-up-and-in.txt";
    users = "61-users.txt";
    my_scopes = "62-my-scopes.txt";
    what_scopes_depend_on = "63-what-scopes-depend-on.txt";
    collaborators = "64-collaborators.txt";
    audit_log = "65-audit-log.txt";
    bootstrap_scripts = "66-bootstrap-scripts.txt";
    usage = "70-usage.txt";
    billing = "71-billing.txt";
    stats = "72-stats.txt";
    trending_metrics = "73-trending-metrics.txt";
    visualizations = "74-visualizations.txt";
    concept_languages = "75-concept-languages.txt";
    concept_relations = "76-concept-relations.txt";
    concept_counts = "77-concept-counts.txt";
    saved_searches = "78-saved-searches.txt";
    searches_by_text_time_and_state = "79-searches-by-text-time-and-state.txt";
    saved_things_of_others = "80-saved-things-of-others.txt";
    own_models = "81-own-models.txt";
    own_models_what_goes_wrong = "82-own-models-what-goes-wrong.txt";
    versions_of_own_models = "83-versions-of-own-models.txt";
    models_found_and_copied = "84-models-found-and-copied.txt";
    runners = "85-runners.txt";
    runners_what_goes_wrong = "86-runners-what-goes-wrong.txt";
    work_for_runners = "87-work-for-runners.txt";
    runners_of_others = "88-runners-of-others.txt";
    annotation_search_metrics = "90-annotation-search-metrics.txt";
    dataset_versions_of_annotation_filters = "91-dataset-versions-of-annotation-filters.txt";
    without_the_scope = "94-without-the-scope.txt";
    in_an_app_of_another_account = "95-in-an-app-of-another-account.txt";
    what_is_not_there = "96-what-is-not-there.txt";
    requests_that_make_no_sense = "97-requests-that-make-no-sense.txt";
    seldom_used_reads_and_changes = "98-seldom-used-reads-and-changes.txt";
    workflows = "110-workflows.txt";
    workflow_results = "111-workflow-results.txt";
    default_workflows = "112-default-workflows.txt";
    workflows_refused = "113-workflows-refused.txt";
    collecting = "114-collecting.txt";
}

#[test]
fn every_scenario_file_is_run() {
    let found: BTreeSet<String> = scenario::files_in(&folder())
        .unwrap()
        .iter()
        .filter_map(|path| path.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let listed: BTreeSet<String> = FILES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, listed);
}
