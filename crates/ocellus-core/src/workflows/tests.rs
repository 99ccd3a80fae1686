//! Workflows: what is refused, how versions come and go, and what the really installed models find in photographs.

use serde_json::json;

use super::findings::{Findings, Known};
use super::*;
use crate::apps::{self, AppPatch};
use crate::inputs::{self, InputState, NewInput};
use crate::models::Predictor;
use crate::predict::{PredictInput, PredictOptions, Subject};
use crate::testing::{TestPlatform, cache_dir};
use crate::user_models::{self, ModelDoc, NewModel};
use crate::{CropBox, JsonMap, Kind, MediaKind, Page, PatchAction, Source};

const GENERAL: &str = "general-v1.3";
const EMBED: &str = "bbb5f41425b8468d9b7a554ff10f8581";

fn photo(name: &str) -> Source {
    let path = cache_dir().join("photos").join(name);
    let bytes =
        std::fs::read(&path).unwrap_or_else(|err| panic!("{}: {err}; run `make setup`", path.display()));
    Source::Bytes(bytes.into())
}

fn map(value: serde_json::Value) -> JsonMap {
    value.as_object().cloned().unwrap()
}

/// A node of a public model, or of an operator with its parameters.
fn node(id: &str, model: &str, inputs: &[&str]) -> Node {
    let is_operator = operators::is_operator(model);
    Node {
        id: id.to_owned(),
        model: ModelRef {
            id: if is_operator { String::new() } else { model.to_owned() },
            ..ModelRef::default()
        },
        model_type_id: if is_operator { model.to_owned() } else { String::new() },
        inputs: inputs.iter().map(|id| (*id).to_owned()).collect(),
        ..Node::default()
    }
}

fn told(node: Node, params: serde_json::Value) -> Node {
    Node { params: map(params), ..node }
}

fn threshold(id: &str, inputs: &[&str], least: f64) -> Node {
    told(node(id, "concept-thresholder", inputs), json!({"threshold": least}))
}

fn new(id: &str, nodes: Vec<Node>) -> NewWorkflow {
    let version = WorkflowVersion { nodes, ..WorkflowVersion::default() };
    NewWorkflow { id: id.to_owned(), version, ..NewWorkflow::default() }
}

fn picture(name: &str) -> RunInput {
    let input = PredictInput { subject: Subject::Source(photo(name)), crop: None };
    RunInput { input: Some(input), known: Findings::default(), lot: name.to_owned() }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn what_cannot_run_is_refused_with_the_name_of_the_node() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let untrained = NewModel {
        id: "mine".to_owned(),
        model_type_id: "embedding-classifier".to_owned(),
        ..NewModel::default()
    };
    user_models::create(&app, untrained).await.unwrap();
    let wrong_version = Node {
        model: ModelRef { id: GENERAL.to_owned(), version_id: "nothing".to_owned(), ..ModelRef::default() },
        ..node("versioned", GENERAL, &[])
    };
    let elsewhere = Node {
        model: ModelRef { id: GENERAL.to_owned(), app_id: "theirs".to_owned(), ..ModelRef::default() },
        ..node("foreign", GENERAL, &[])
    };
    let table: Vec<(Vec<Node>, Kind, &str)> = vec![
        (vec![threshold("a", &["b"], 0.5), threshold("b", &["a"], 0.5)], Kind::Invalid, "circle"),
        (vec![threshold("self", &["self"], 0.5)], Kind::Invalid, "node 'self' is in a circle"),
        (
            vec![
                node("first", GENERAL, &[]),
                threshold("x", &["z"], 0.5),
                threshold("y", &["x"], 0.5),
                threshold("z", &["y"], 0.5),
                threshold("behind", &["z"], 0.5),
            ],
            Kind::Invalid,
            "circle",
        ),
        (vec![threshold("a", &["gone"], 0.5)], Kind::Invalid, "node 'a' works on node 'gone'"),
        (vec![node("a", GENERAL, &[]), node("a", EMBED, &[])], Kind::Invalid, "node 'a' is there twice"),
        (
            vec![node("a", GENERAL, &[]), threshold("b", &["a", "a"], 0.5)],
            Kind::Invalid,
            "node 'b' works on node 'a' twice",
        ),
        (vec![node("", GENERAL, &[])], Kind::Invalid, "nodes[0].id"),
        (vec![node("a", "nothing", &[])], Kind::Invalid, "node 'a' has a model that is not there"),
        (vec![node("a", "", &[])], Kind::Invalid, "node 'a' names no model"),
        (vec![wrong_version], Kind::Invalid, "node 'versioned' has a model that is not there"),
        (vec![elsewhere], Kind::Invalid, "node 'foreign' has a model that is not there"),
        (vec![node("own", "mine", &[])], Kind::Unsupported, "node 'own' has the model 'mine'"),
        // What comes out of the one must go into the other.
        (vec![node("a", GENERAL, &[]), node("b", EMBED, &["a"])], Kind::Invalid, "node 'b' takes images"),
        (
            vec![node("a", GENERAL, &[]), node("crop", "image-crop", &["a"])],
            Kind::Invalid,
            "node 'crop' takes regions, but node 'a' gives concepts",
        ),
        (
            vec![node("a", EMBED, &[]), threshold("b", &["a"], 0.5)],
            Kind::Invalid,
            "node 'b' takes concepts, but node 'a' gives embeddings",
        ),
        (
            vec![node("crop", "image-crop", &[]), node("tile", "image-tiling-operator", &["crop"])],
            Kind::Invalid,
            "node 'tile' takes whole images",
        ),
        // Parameters are looked at too.
        (vec![node("t", "concept-thresholder", &[])], Kind::Invalid, "node 't' cannot work"),
        (
            vec![told(node("t", "image-crop", &[]), json!({"margin": 0.5}))],
            Kind::Invalid,
            "params.margin must be a number from 1 to 10",
        ),
        (
            vec![told(node("t", "random-sample", &[]), json!({"keep_fraction": 2}))],
            Kind::Invalid,
            "keep_fraction",
        ),
        (
            vec![told(
                node("t", "image-tiling-operator", &[]),
                json!({"tile_size": 64, "max_object_size": 64}),
            )],
            Kind::Invalid,
            "max_object_size",
        ),
    ];
    for (nodes, kind, words) in table {
        let err = create(&app, vec![new("w", nodes)]).await.unwrap_err();
        assert_eq!(err.kind, kind, "{words}: {err:?}");
        assert!(err.message.contains(words), "{words}: {err:?}");
    }
    let many = (0..=graph::MAX_NODES).map(|n| threshold(&n.to_string(), &[], 0.5)).collect();
    assert_eq!(create(&app, vec![new("w", many)]).await.unwrap_err().kind, Kind::Invalid);
    assert_eq!(count(&app).await.unwrap(), 0, "nothing of it was kept");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one version after the other")]
async fn versions_come_with_changes_of_nodes_and_never_change_themselves() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let nodes = vec![node("see", GENERAL, &[]), threshold("sure", &["see"], 0.5)];
        let made = create(&app, vec![new("w", nodes), new("other", vec![])]).await.unwrap();
        let first = made[0].clone();
        assert_eq!(
            first.version.doc.nodes[0].model.version_id,
            test.platform.catalog().general().version_id()
        );
        let again = create(&app, vec![new("w", vec![])]).await.unwrap_err();
        assert_eq!(again.kind, Kind::Conflict);

        // A merge adds and replaces whole nodes, a removal takes them away, an overwrite replaces all.
        let patch_nodes = |nodes: Vec<Node>, action| {
            let patch = WorkflowPatch { id: "w".to_owned(), nodes: Some(nodes), ..WorkflowPatch::default() };
            patch_one(&app, patch, action)
        };
        let ids = |found: &FoundWorkflow| -> Vec<String> {
            found.version.doc.nodes.iter().map(|node| node.id.clone()).collect()
        };
        let merged =
            patch_nodes(vec![threshold("sure", &["see"], 0.9), node("look", EMBED, &[])], PatchAction::Merge)
                .await;
        assert_eq!(ids(&merged), ["see", "sure", "look"]);
        assert_ne!(merged.version.id, first.version.id);
        let removed = patch_nodes(vec![node("look", "", &[])], PatchAction::Remove).await;
        assert_eq!(ids(&removed), ["see", "sure"]);
        let broken = WorkflowPatch {
            id: "w".to_owned(),
            nodes: Some(vec![node("see", "", &[])]),
            ..WorkflowPatch::default()
        };
        assert_eq!(patch(&app, vec![broken], PatchAction::Remove).await.unwrap_err().kind, Kind::Invalid);
        let fields = map(json!({"description": "d"}));
        let renamed = WorkflowPatch { id: "w".to_owned(), fields, ..WorkflowPatch::default() };
        let described = patch_one(&app, renamed, PatchAction::Overwrite).await;
        assert_eq!(described.version.id, removed.version.id, "words alone make no version");
        let kept = find(&app, "w", Some(&first.version.id), Favour::Own).await.unwrap();
        assert_eq!(kept.version.doc.nodes, first.version.doc.nodes);

        let listed = versions(&app, "w", Page::default()).await.unwrap();
        assert_eq!(listed.len(), 3);
        assert_eq!(listed[0].version.id, removed.version.id);
        let note = (first.version.id.clone(), map(json!({"description": "old", "is_deprecated": true})));
        let noted = patch_versions(&app, "w", vec![note], PatchAction::Overwrite).await.unwrap();
        assert!(noted[0].version.doc.is_deprecated && noted[0].version.doc.nodes.len() == 2);

        // Without its newest version the one before is the current one; the last one stays.
        delete_versions(&app, "w", std::slice::from_ref(&removed.version.id)).await.unwrap();
        assert_eq!(find(&app, "w", None, Favour::Own).await.unwrap().version.id, merged.version.id);
        let rest = [first.version.id.clone(), merged.version.id.clone()];
        assert_eq!(delete_versions(&app, "w", &rest).await.unwrap_err().kind, Kind::Invalid);
        assert_eq!(delete_versions(&app, "w", &["x".to_owned()]).await.unwrap_err().kind, Kind::NotFound);

        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let moved = rename(&app, vec![pair("w", "v")]).await.unwrap();
        assert_eq!((moved[0].workflow.id.as_str(), &moved[0].version.id), ("v", &merged.version.id));
        assert_eq!(versions(&app, "v", Page::default()).await.unwrap().len(), 2);
        assert_eq!(rename(&app, vec![pair("v", "other")]).await.unwrap_err().kind, Kind::Conflict);
        assert_eq!(rename(&app, vec![pair("w", "z")]).await.unwrap_err().kind, Kind::NotFound);

        let descending =
            WorkflowListing { sort_by: SortBy::Id, descending: true, ..WorkflowListing::default() };
        let listed = list(&app, descending, Page::default()).await.unwrap();
        assert_eq!(listed.iter().map(|w| w.workflow.id.as_str()).collect::<Vec<_>>(), ["v", "other"]);
        let search = WorkflowListing { search: "OTH".to_owned(), ..WorkflowListing::default() };
        assert_eq!(list(&app, search, Page::default()).await.unwrap().len(), 1);
        let all = WorkflowListing::default();
        assert_eq!(list_of_account(&test.account().await, all, Page::default()).await.unwrap().len(), 2);

        delete(&app, &["v".to_owned()]).await.unwrap();
        assert_eq!(find(&app, "v", None, Favour::Own).await.unwrap_err().kind, Kind::NotFound);
        delete_all(&app).await.unwrap();
        assert_eq!(count(&app).await.unwrap(), 0);
    }
}

async fn patch_one(app: &AppCtx, one: WorkflowPatch, action: PatchAction) -> FoundWorkflow {
    patch(app, vec![one], action).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_published_version_is_everybodys_until_it_is_taken_back() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let made =
            create(&app, vec![new("shared", vec![node("see", GENERAL, &[])])]).await.unwrap().remove(0);
        let ids = [made.version.id.clone()];
        crate::accounts::create(&test.platform, "other", "Other").await.unwrap();
        let caller = crate::Caller::operator("other");
        let account = test.platform.account(&caller, "me", &[]).await.unwrap();
        apps::create(&account, vec![apps::NewApp { id: Some("theirs".to_owned()), ..Default::default() }])
            .await
            .unwrap();
        let theirs = test.platform.app(&caller, "me", "theirs", &[]).await.unwrap();
        let missing = find(&theirs, "shared", None, Favour::Own).await.unwrap_err();
        assert_eq!(missing.kind, Kind::NotFound);
        publish(&app, "shared", &ids).await.unwrap();
        let found = find(&theirs, "shared", None, Favour::Own).await.unwrap();
        assert_eq!((found.user_id.as_str(), &found.version.id), (test.first.user_id.as_str(), &ids[0]));
        let public = list_public(&test.platform, &WorkflowListing::default(), Page::default()).await.unwrap();
        assert!(public.iter().any(|w| w.workflow.id == "shared") && public[0].workflow.id == "General");
        // An id is public once, and what others have not cannot be.
        let taken =
            create(&theirs, vec![new("shared", vec![node("see", GENERAL, &[])])]).await.unwrap().remove(0);
        let again = publish(&theirs, "shared", &[taken.version.id]).await.unwrap_err();
        assert_eq!(again.kind, Kind::Conflict);
        let mapped = vec![node("see", GENERAL, &[]), node("map", "concept-synonym-mapper", &["see"])];
        let made = create(&app, vec![new("mapped", mapped)]).await.unwrap().remove(0);
        let refused = publish(&app, "mapped", &[made.version.id]).await.unwrap_err();
        assert!(refused.message.contains("node 'map'"), "{refused:?}");
        unpublish(&app, "shared", &ids).await.unwrap();
        let public = list_public(&test.platform, &WorkflowListing::default(), Page::default()).await.unwrap();
        assert!(public.iter().all(|w| w.workflow.id != "shared"));
    }
}

#[tokio::test]
async fn nodes_work_on_what_other_nodes_found() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let nodes = vec![
        // Not in the order in which they run.
        threshold("sure", &["see"], 0.3),
        node("see", GENERAL, &[]),
        node("look", EMBED, &[]),
        Node { wanted: NodeWanted { max_concepts: 2, ..NodeWanted::default() }, ..node("few", GENERAL, &[]) },
        told(
            node("none", "concept-thresholder", &["see"]),
            json!({"concepts": [{"id": "nobody", "value": 0.1}]}),
        ),
    ];
    let made = create(&app, vec![new("w", nodes)]).await.unwrap().remove(0);
    let bad = PredictInput { subject: Subject::Source(Source::Bytes("no image".into())), crop: None };
    let bad = RunInput { input: Some(bad), known: Findings::default(), lot: "bad".to_owned() };
    let inputs = vec![picture("dog.png"), bad, picture("coffee.png")];
    let running = run(&app, &made.version.doc, inputs, &PredictOptions::default()).await.unwrap();
    let found: Vec<&Findings> = running.results[0].iter().map(|found| found.as_ref().unwrap()).collect();
    assert_eq!(found[1].concepts.len(), 20);
    assert!(
        found[0].concepts.iter().all(|scored| scored.probability >= 0.3) && !found[0].concepts.is_empty()
    );
    assert!(found[2].concepts.is_empty() && found[2].other.len() == 1);
    assert_eq!(found[3].concepts.len(), 2);
    assert!(found[4].is_empty());
    // One bad input fails alone, in every node.
    assert!(running.results[1].iter().all(Result::is_err));
    assert!(running.results[2].iter().all(Result::is_ok));
    assert!(matches!(running.models[1], NodeModel::Predictor(Predictor::Public(_))));
}

#[tokio::test]
async fn regions_are_cut_out_looked_at_counted_and_put_together() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let nodes = vec![
        told(node("crop", "image-crop", &[]), json!({"margin": 1.5})),
        node("see", GENERAL, &["crop"]),
        told(node("all", "merge-operator", &["see"]), json!({"lift": "max"})),
        told(node("sure", "region-thresholder", &["see"]), json!({"threshold": 0.99})),
        node("count", "object-counter", &["crop"]),
        told(node("tiles", "image-tiling-operator", &[]), json!({"tile_size": 200, "max_object_size": 20})),
    ];
    let made = create(&app, vec![new("w", nodes)]).await.unwrap().remove(0);
    let half = CropBox { top: 0.2, left: 0.1, bottom: 0.8, right: 0.9 };
    let corner = CropBox { top: 0.0, left: 0.0, bottom: 0.1, right: 0.1 };
    let known = Known { concepts: vec![], parts: vec![(half, 0.9, vec![]), (corner, 0.5, vec![])] };
    let ids = test.platform.ids().clone();
    let input = RunInput { known: known.findings(|| ids.id()), ..picture("dog.png") };
    let running = run(&app, &made.version.doc, vec![input], &PredictOptions::default()).await.unwrap();
    let found: Vec<&Findings> = running.results[0].iter().map(|found| found.as_ref().unwrap()).collect();
    assert_eq!((found[0].parts.len(), found[4].count), (2, Some(2)));
    let cut = found[0].parts[0].place;
    assert!((cut.top - 0.05).abs() < 1e-6 && (cut.right - 1.0).abs() < 1e-6, "{cut:?}");
    assert_eq!(found[1].parts[0].id, found[0].parts[0].id, "a region keeps its id");
    assert_eq!(found[1].parts.iter().map(|part| part.concepts.len()).collect::<Vec<_>>(), [20, 20]);
    let best = found[1].parts.iter().map(|part| part.concepts[0].probability).fold(0.0, f32::max);
    assert!((found[2].concepts[0].probability - best).abs() < 1e-6 && found[2].parts.len() == 2);
    assert!(found[3].parts.len() <= 2);
    let tiles: Vec<CropBox> = found[5].parts.iter().map(|part| part.place).collect();
    assert!(tiles.len() > 1 && tiles.iter().any(|tile| (tile.bottom - 1.0).abs() < 1e-6), "{tiles:?}");
}

#[tokio::test]
async fn concepts_are_mapped_and_a_sample_is_always_the_same() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let table = json!({"mapping": {"a": "x", "b": "x"}});
    let nodes = vec![
        told(node("map", "concept-synonym-mapper", &[]), table),
        told(node("some", "random-sample", &[]), json!({"keep_fraction": 0.3})),
    ];
    let made = create(&app, vec![new("w", nodes)]).await.unwrap().remove(0);
    let triple = |id: &str, value| (id.to_owned(), id.to_owned(), value);
    let known = Known { concepts: vec![triple("a", 0.2), triple("b", 0.6), triple("c", 0.9)], parts: vec![] };
    let input = |n: usize| RunInput {
        input: None,
        known: known.clone().findings(String::new),
        lot: format!("lot {n}"),
    };
    let mut n_kept = Vec::new();
    for _ in 0..2 {
        let inputs = (0..200).map(input).collect();
        let running = run(&app, &made.version.doc, inputs, &PredictOptions::default()).await.unwrap();
        let found = running.results[0][0].as_ref().unwrap();
        assert_eq!(found.concepts.len(), 1);
        assert_eq!((found.concepts[0].concept_id.as_str(), found.concepts[0].probability), ("x", 0.6));
        n_kept.push(running.results.iter().filter(|of| !of[1].as_ref().unwrap().is_empty()).count());
    }
    assert_eq!(n_kept[0], n_kept[1]);
    assert!((30..=90).contains(&n_kept[0]), "{n_kept:?}");
}

#[tokio::test]
async fn the_default_workflow_makes_new_inputs_found_by_what_it_sees() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let table = json!({"mapping": {"ai_8S2Vq3cR": "pet"}});
        let nodes = vec![
            Node { suppress_output: true, ..node("see", GENERAL, &[]) },
            told(node("name", "concept-synonym-mapper", &["see"]), table),
        ];
        let made = create(&app, vec![new("w", nodes)]).await.unwrap();
        add(&app, "before", "dog.png").await;
        test.settle().await;
        set_default(&test, "w").await.unwrap();
        add(&app, "dog", "dog.png").await;
        add(&app, "cup", "coffee.png").await;
        test.settle().await;
        assert_eq!(found_by(&app, "pet").await, ["dog"], "only later inputs, and only what shows one");
        let general = found_by(&app, "ai_8S2Vq3cR").await;
        assert!(general.contains(&"before".to_owned()) && general.contains(&"dog".to_owned()), "{general:?}");

        // One that cannot run loses no input.
        let broken = vec![
            told(node("cut", "image-tiling-operator", &[]), json!({"tile_size": 16})),
            node("see", GENERAL, &["cut"]),
        ];
        create(&app, vec![new("broken", broken)]).await.unwrap();
        set_default(&test, "broken").await.unwrap();
        add(&app, "kept", "dog.png").await;
        test.settle().await;
        let kept = inputs::get(&app, "kept").await.unwrap();
        assert_eq!(kept.state, InputState::Ready);
        assert!(kept.workflow_failure.as_deref().unwrap_or_default().contains("'broken'"), "{kept:?}");
        assert!(set_default(&test, "nothing").await.is_err());
        set_default(&test, "General").await.unwrap();
        drop(made);
    }
}

async fn add(app: &AppCtx, id: &str, name: &str) {
    let new = NewInput {
        id: Some(id.to_owned()),
        source: photo(name),
        kind: MediaKind::Image,
        allow_duplicate_url: false,
        crop: None,
        labels: vec![],
        metadata: JsonMap::new(),
        geo: None,
        parts: Default::default(),
    };
    inputs::create(app, vec![new]).await.unwrap().remove(0).unwrap();
}

async fn set_default(test: &TestPlatform, id: &str) -> Result<()> {
    let doc = Some(map(json!({"default_workflow_id": id})));
    let patch = AppPatch { id: test.first.app_id.clone(), doc, ..AppPatch::default() };
    apps::patch(&test.account().await, vec![patch], PatchAction::Merge).await.map(|_| ())
}

async fn found_by(app: &AppCtx, concept_id: &str) -> Vec<String> {
    let term = crate::search::ConceptTerm { id: concept_id.to_owned(), name: String::new(), value: 1.0 };
    let test = crate::search::Test::Predicted { any: vec![term], min: 0.1 };
    let query = crate::search::Query {
        filters: vec![crate::search::Filter { negate: false, test }],
        page: Page::first(10),
        ..crate::search::Query::default()
    };
    let hits = crate::search::run(app, query).await.unwrap().hits;
    hits.into_iter().map(|hit| hit.input.id).collect()
}

#[tokio::test]
async fn the_built_in_workflows_run() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let all = list_public(&test.platform, &WorkflowListing::default(), Page::default()).await.unwrap();
    let ids: Vec<&str> = all.iter().map(|found| found.workflow.id.as_str()).collect();
    assert_eq!(&ids[..3], ["General", "Universal", "Empty"]);
    for found in &all {
        let running = run(&app, &found.version.doc, vec![picture("dog.png")], &PredictOptions::default())
            .await
            .unwrap();
        assert!(running.results[0].iter().all(Result::is_ok), "{}: {:?}", found.workflow.id, running.results);
        graph::check(&found.version.doc.nodes).unwrap();
    }
}

#[tokio::test]
async fn an_operator_can_be_a_model_of_its_own() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    let doc = ModelDoc { params: map(json!({"threshold": 0.4})), ..ModelDoc::default() };
    let made = NewModel {
        id: "sure".to_owned(),
        model_type_id: "concept-thresholder".to_owned(),
        doc,
        ..NewModel::default()
    };
    let made = user_models::create(&app, made).await.unwrap();
    assert_eq!(made.newest.state, user_models::VersionState::Trained);
    let by_model = Node { inputs: vec!["see".to_owned()], ..node("t", "sure", &[]) };
    let made = create(&app, vec![new("w", vec![node("see", GENERAL, &[]), by_model])]).await.unwrap();
    assert_eq!(made[0].version.doc.nodes[1].params, map(json!({"threshold": 0.4})));
    let nonsense = ModelDoc { params: map(json!({"threshold": 4})), ..ModelDoc::default() };
    let nonsense =
        NewModel { model_type_id: "concept-thresholder".to_owned(), doc: nonsense, ..NewModel::default() };
    assert_eq!(user_models::create(&app, nonsense).await.unwrap_err().kind, Kind::Invalid);
}
