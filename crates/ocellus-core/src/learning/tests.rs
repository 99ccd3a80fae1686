//! Trainings from the asking to the answer, on made-up vectors: what is learned, what is refused, and what is left behind.

#![expect(clippy::large_futures, reason = "each test has a stack of its own")]

use ocellus_store as store;
use serde_json::{Value, json};

use super::about::{input_example, input_examples, inputs_of_version, references, weight};
use super::*;
use crate::inputs::{self, STATE_READY};
use crate::jobs::gc_blobs;
use crate::models::{Predictor, to_predict};
use crate::predict::{self, ConceptSelector, PredictInput, PredictOptions, Prediction, Subject};
use crate::testing::TestPlatform;
use crate::user_models::{
    self, ConceptRef, FailureReason, ModelDoc, NewModel, OutputConfig, UserModelVersion, VersionState, create,
};
use crate::{AppCtx, Error, JsonMap, Kind, Page};

/// A vector near the axis of its concept, and never the same twice.
fn vector(dim: usize, axis: usize, n: usize) -> Vec<f32> {
    let noise = |i: usize| (((i * 31 + n * 17 + axis * 7) % 97) as f32 / 97.0 - 0.5) * 0.02;
    let mut vector: Vec<f32> = (0..dim).map(noise).collect();
    vector[axis * 3] += 1.0;
    ocellus_algo::embed::l2_normalize(&mut vector);
    vector
}

fn dim(app: &AppCtx) -> usize {
    app.platform().catalog().embedding().dimensions.unwrap()
}

/// Adds described inputs named `{name}-{n}`, each labelled as said.
pub(crate) async fn add(app: &AppCtx, name: &str, axis: usize, n: usize, labels: &[(&str, f64)]) {
    let space = app.platform().catalog().embedding().version_id().to_owned();
    let (uid, now_us, dim) = (app.uid().to_owned(), app.platform().clock().now_us(), dim(app));
    let name = name.to_owned();
    let labels: Vec<(String, f64)> = labels.iter().map(|(id, value)| ((*id).to_owned(), *value)).collect();
    let write = move |tx: &mut store::Tx<'_>| {
        for i in 0..n {
            let id = format!("{name}-{i}");
            tx.insert_input(&input(&uid, &id, now_us))?;
            let data = vector(dim, axis, i);
            let row = store::Vector {
                app_uid: uid.clone(),
                space: space.clone(),
                input_id: id.clone(),
                seq: 0,
                deleted: false,
                data,
            };
            tx.put_vectors(&[row])?;
            let label = |(concept_id, value): &(String, f64)| store::Label {
                app_uid: uid.clone(),
                input_id: id.clone(),
                annotation_id: String::new(),
                concept_id: concept_id.clone(),
                value: *value,
                account_id: "me".to_owned(),
                created_at_us: now_us,
            };
            tx.put_labels(&labels.iter().map(label).collect::<Vec<_>>())?;
        }
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await.unwrap();
}

fn input(app_uid: &str, id: &str, now_us: i64) -> store::Input {
    store::Input {
        app_uid: app_uid.to_owned(),
        id: id.to_owned(),
        seq: 0,
        state: STATE_READY,
        failure_code: String::new(),
        failure: String::new(),
        kind: "image".to_owned(),
        source_url: None,
        blob: None,
        thumb: None,
        content_hash: Some(id.to_owned()),
        phash: None,
        width: None,
        height: None,
        mime: None,
        lat: None,
        lon: None,
        metadata: JsonMap::new(),
        doc: JsonMap::new(),
        created_at_us: now_us,
        modified_at_us: now_us,
    }
}

pub(crate) async fn model(app: &AppCtx, id: &str, model_type_id: &str, concepts: &[&str]) {
    let concepts = concepts.iter().map(|id| ConceptRef { id: Some((*id).to_owned()), name: None }).collect();
    let (id, model_type_id) = (id.to_owned(), model_type_id.to_owned());
    create(app, NewModel { id, model_type_id, concepts, ..NewModel::default() }).await.unwrap();
}

fn with(params: Value) -> NewTraining {
    NewTraining { params: params.as_object().unwrap().clone(), ..NewTraining::default() }
}

/// Trains to the end.
async fn trained(test: &TestPlatform, app: &AppCtx, id: &str, new: NewTraining) -> UserModelVersion {
    let (_, version) = train(app, id, new).await.unwrap();
    assert_eq!(version.state, VersionState::Queued);
    test.settle().await;
    let model = user_models::get(app, id).await.unwrap();
    user_models::version(app, &model, &version.id).await.unwrap()
}

async fn ask(
    app: &AppCtx,
    id: &str,
    inputs: &[&str],
    options: &PredictOptions,
) -> Vec<crate::Result<Prediction>> {
    let predictor = to_predict(app, id, None).await.unwrap();
    let input = |id: &&str| PredictInput { subject: Subject::Input((*id).to_owned()), crop: None };
    predict::run(app, &predictor, inputs.iter().map(input).collect(), options).await.unwrap()
}

fn ids(answer: &crate::Result<Prediction>) -> Vec<&str> {
    let Ok(Prediction::Concepts(concepts)) = answer else { panic!("{answer:?}") };
    concepts.iter().map(|concept| concept.concept_id.as_str()).collect()
}

#[tokio::test]
async fn what_was_labelled_is_learned_and_told_of_others() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        model(&app, "pets", "embedding-classifier", &["cat", "dog"]).await;
        add(&app, "c", 0, 12, &[("cat", 1.0), ("dog", 0.0)]).await;
        add(&app, "d", 1, 12, &[("dog", 1.0)]).await;
        add(&app, "other", 2, 5, &[]).await;
        let version = trained(&test, &app, "pets", with(json!({"seed": 7}))).await;
        assert_eq!((version.state, version.doc.failure.clone()), (VersionState::Trained, None));
        let on = version.doc.trained_on.clone().unwrap();
        assert_eq!((on.n_inputs, on.n_background, on.seed), (24, 5, 7));
        let counts: Vec<_> =
            on.concepts.iter().map(|c| (c.id.as_str(), c.n_positive, c.n_negative)).collect();
        assert_eq!(
            counts,
            [("cat", 12, 12), ("dog", 12, 0)].map(|(id, p, n)| if id == "cat" {
                (id, p, 0)
            } else {
                (id, p, 12 + n)
            })
        );
        assert_eq!(on.backbone.version_id, test.platform.catalog().embedding().version_id());
        assert!(!on.method.is_empty() && !on.why.is_empty() && on.content_hash.len() > 64);

        // Known inputs and one that does not exist, which does not trouble its neighbours.
        let options = PredictOptions::default();
        let answers = ask(&app, "pets", &["c-3", "none", "d-4"], &options).await;
        assert_eq!((ids(&answers[0])[0], ids(&answers[2])[0]), ("cat", "dog"));
        assert_eq!(answers[1].as_ref().unwrap_err().kind, Kind::NotFound);
        let one = PredictOptions { max_concepts: 1, ..PredictOptions::default() };
        assert_eq!(ids(&ask(&app, "pets", &["d-1"], &one).await[0]), ["dog"]);
        let sure = PredictOptions { min_value: 0.5, ..PredictOptions::default() };
        assert_eq!(ids(&ask(&app, "pets", &["d-1"], &sure).await[0]), ["dog"]);
        let select = vec![ConceptSelector { id: String::new(), name: "CAT".to_owned() }];
        let only = PredictOptions { select, ..PredictOptions::default() };
        assert_eq!(ids(&ask(&app, "pets", &["d-1"], &only).await[0]), ["cat"]);

        // The same again is the same to the byte; another seed or one label more is said to be something else.
        let again = trained(&test, &app, "pets", with(json!({"seed": 7}))).await;
        assert_eq!(
            (&again.doc.artefact, &again.doc.held_out),
            (&version.doc.artefact, &version.doc.held_out)
        );
        assert_eq!(again.doc.trained_on, version.doc.trained_on);
        add(&app, "more", 1, 1, &[("dog", 1.0)]).await;
        let more = trained(&test, &app, "pets", with(json!({"seed": 7}))).await;
        assert_ne!(more.doc.trained_on.unwrap().content_hash, on.content_hash);

        check_about(&app, &version).await;
    }
}

async fn check_about(app: &AppCtx, version: &UserModelVersion) {
    let page = Page { page: 2, per_page: 10 };
    let learned_from = inputs_of_version(app, "pets", Some(&version.id), page).await.unwrap();
    assert_eq!(learned_from[0].id, "c-10");
    assert_eq!(learned_from.len(), 10);
    let examples = input_examples(app, "pets", &version.id, Page::first(10)).await.unwrap();
    let shown: Vec<_> = examples.iter().map(|one| (one.concept_id.as_str(), &one.input.id[..1])).collect();
    assert_eq!(shown, [("cat", "c"), ("dog", "d")]);
    let one = input_example(app, "pets", &version.id, "dog").await.unwrap();
    assert_eq!(one.input.id, examples[1].input.id);
    assert_eq!(input_example(app, "pets", &version.id, "cow").await.unwrap_err().kind, Kind::NotFound);
    let (_, _, bytes) = weight(app, "pets", &version.id).await.unwrap();
    assert_eq!(store::Blobs::hash_of(&bytes), version.doc.artefact.as_ref().unwrap().sha256);
    assert_eq!(training_times_s(app, "pets", &[NewTraining::default()], 0).await.unwrap().len(), 1);
    let (few, many) =
        (training_times_s(app, "pets", &[NewTraining::default()], 100).await.unwrap(), 1_000_000);
    assert!(few < training_times_s(app, "pets", &[NewTraining::default()], many).await.unwrap());
    assert_eq!(references(app, "pets", Page::first(10)).await.unwrap(), []);

    let ids = [version.id.clone()];
    user_models::publish(app, "pets", &ids, true).await.unwrap();
    let model = user_models::get(app, "pets").await.unwrap();
    assert!(user_models::version(app, &model, &version.id).await.unwrap().doc.published);
    user_models::publish(app, "pets", &ids, false).await.unwrap();
    assert!(!user_models::version(app, &model, &version.id).await.unwrap().doc.published);
    assert_eq!(
        user_models::publish(app, "pets", &["none".to_owned()], true).await.unwrap_err().kind,
        Kind::NotFound
    );
}

#[tokio::test]
async fn a_training_that_cannot_be_is_refused_or_fails_with_its_reason() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        model(&app, "empty", "embedding-classifier", &[]).await;
        model(&app, "boxes", "ocr", &["cat"]).await;
        model(&app, "pets", "visual-classifier", &["cat", "dog"]).await;
        model(&app, "one", "visual-classifier", &["cat"]).await;
        let refused = |id: &'static str, params: Value| {
            let app = app.clone();
            async move { train(&app, id, with(params)).await.unwrap_err() }
        };
        assert_eq!(refused("none", json!({})).await.kind, Kind::NotFound);
        assert_eq!(refused("empty", json!({})).await.about, Some(crate::Resource::Model("empty".to_owned())));
        assert_eq!(refused("boxes", json!({})).await.kind, Kind::Unsupported);
        assert_eq!(refused("pets", json!({"dataset_id": "none"})).await.kind, Kind::NotFound);
        for (params, name) in [
            (json!({"learning_rate": 1}), "model_versions.train_info.params.learning_rate"),
            (json!({"embed_model_version_id": "none"}), "embed_model_version_id"),
        ] {
            let error = refused("pets", params).await;
            assert!(error.kind == Kind::Invalid && error.message.starts_with(name), "{}", error.message);
        }
        let config =
            |text: &str| OutputConfig { hyper_parameters: text.to_owned(), ..OutputConfig::default() };
        for (text, is_fine) in
            [("{\"MAX_ITERATIONS\": 50}", true), ("{\"N_EPOCHS\": 5}", false), ("rbf", false)]
        {
            let new = NewTraining {
                config: Some(config(text)),
                ends_well_without_data: true,
                ..NewTraining::default()
            };
            assert_eq!(train(&app, "pets", new).await.is_ok(), is_fine, "{text}");
        }

        // Failures that show when it is tried.
        let fails = async |id: &str, new: NewTraining| {
            let version = trained(&test, &app, id, new).await;
            (version.state, version.doc.failure.map(|failure| failure.reason))
        };
        assert_eq!(fails("pets", with(json!({}))).await, (VersionState::Failed, Some(FailureReason::NoData)));
        let old = NewTraining { ends_well_without_data: true, ..NewTraining::default() };
        assert_eq!(fails("pets", old).await, (VersionState::Trained, None));
        add(&app, "n", 0, 3, &[("cat", 0.0)]).await;
        assert_eq!(fails("pets", with(json!({}))).await, (VersionState::Trained, None));
        let strict = json!({"fail_on_missing_positive_examples": true});
        assert_eq!(
            fails("pets", with(strict)).await,
            (VersionState::Failed, Some(FailureReason::NoPositives))
        );
        let single = json!({"concepts_mutually_exclusive": true});
        assert_eq!(
            fails("one", with(single)).await,
            (VersionState::Failed, Some(FailureReason::SingleClass))
        );
    }
}

#[tokio::test]
async fn a_training_waits_until_inputs_are_described() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    model(&app, "m", "visual-classifier", &["cup"]).await;
    let photo = std::fs::read(crate::testing::cache_dir().join("photos/coffee.png")).unwrap();
    let new = inputs::NewInput {
        id: Some("cup".to_owned()),
        source: crate::Source::Bytes(photo.into()),
        kind: crate::MediaKind::Image,
        allow_duplicate_url: false,
        crop: None,
        labels: vec![inputs::NewLabel { concept_id: Some("cup".to_owned()), name: None, value: 1.0 }],
        metadata: JsonMap::new(),
        geo: None,
        parts: Default::default(),
    };
    inputs::create(&app, vec![new]).await.unwrap().remove(0).unwrap();
    let version = trained(&test, &app, "m", NewTraining::default()).await;
    assert_eq!(version.state, VersionState::Trained, "{:?}", version.doc.failure);
    assert_eq!(version.doc.trained_on.unwrap().n_inputs, 1);
}

#[tokio::test]
async fn embedders_and_clusterers_are_trained_and_stood_upon() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        model(&app, "groups", "clusterer", &[]).await;
        model(&app, "better", "visual-embedder", &["cat", "dog"]).await;
        model(&app, "pets", "embedding-classifier", &["cat", "dog"]).await;
        add(&app, "c", 0, 8, &[("cat", 1.0)]).await;
        add(&app, "d", 1, 8, &[("dog", 1.0)]).await;
        add(&app, "x", 2, 8, &[]).await;

        let groups = trained(&test, &app, "groups", with(json!({"coarse_clusters": 3}))).await;
        let on = groups.doc.trained_on.unwrap();
        assert_eq!(on.concepts.iter().map(|group| group.n_positive).collect::<Vec<_>>(), [8, 8, 8]);
        let answers = ask(&app, "groups", &["c-0", "c-1", "d-0", "x-0"], &PredictOptions::default()).await;
        let of = |n: usize| ids(&answers[n])[0];
        assert!(of(0) == of(1) && of(0) != of(2) && of(2) != of(3));

        let better = trained(&test, &app, "better", with(json!({"dimensions": 16}))).await;
        assert_eq!(better.state, VersionState::Trained, "{:?}", better.doc.failure);
        let answers = ask(&app, "better", &["c-0", "c-1", "d-0"], &PredictOptions::default()).await;
        let vectors: Vec<&Vec<f32>> = answers
            .iter()
            .map(|answer| match answer {
                Ok(Prediction::Embedding(vector)) => vector,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(vectors[0].len(), 16);
        let cosine = ocellus_algo::embed::cosine;
        assert!(cosine(vectors[0], vectors[1]) > 0.9 && cosine(vectors[0], vectors[2]) < 0.5);

        // A classifier on the app's own vectors; it stays when the embedder goes.
        let params = json!({"embed_model_version_id": better.id});
        let pets = trained(&test, &app, "pets", with(params)).await;
        assert_eq!(pets.state, VersionState::Trained, "{:?}", pets.doc.failure);
        let backbone = pets.doc.trained_on.unwrap().backbone;
        assert_eq!((backbone.own_model_id.as_str(), backbone.dimensions), ("better", 16));
        user_models::delete(&app, &["better".to_owned()]).await.unwrap();
        test.clock.advance_us(gc_blobs::GRACE_US + 2);
        test.settle().await;
        let fresh = test.another();
        let there = fresh.app(&test.caller().await, "", "", &[]).await.unwrap();
        assert_eq!(ids(&ask(&there, "pets", &["d-2"], &PredictOptions::default()).await[0])[0], "dog");
    }
}

#[tokio::test]
async fn deleted_versions_stop_their_training_and_leave_nothing_behind() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        model(&app, "pets", "embedding-classifier", &["cat"]).await;
        add(&app, "c", 0, 4, &[("cat", 1.0)]).await;
        add(&app, "d", 1, 4, &[("cat", 0.0)]).await;
        let version = trained(&test, &app, "pets", NewTraining::default()).await;
        let hashes = [version.doc.artefact.unwrap().sha256, version.doc.held_out.unwrap()];
        let exist = async || {
            let mut found = Vec::new();
            for hash in &hashes {
                found.push(test.platform.store().blobs().exists(hash).await.unwrap());
            }
            found
        };
        // Another app has the same model; its blobs are shared.
        let (from, to) = (app.uid().to_owned(), "copy".to_owned());
        let copy = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.copy_models((&from, &to), 0, 10)?);
        assert_eq!(test.platform.store().write(copy).await.unwrap().1, 1);

        let (_, queued) = train(&app, "pets", NewTraining::default()).await.unwrap();
        let job_id = queued.doc.training.unwrap().job_id;
        user_models::delete_version(&app, "pets", &queued.id).await.unwrap();
        test.settle().await;
        let read = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.job(&job_id)?);
        let job = test.platform.store().read(read).await.unwrap().unwrap();
        assert!(job.cancel_requested && job.finished_at_us.is_some());

        user_models::delete(&app, &["pets".to_owned()]).await.unwrap();
        test.clock.advance_us(gc_blobs::GRACE_US + 2);
        test.settle().await;
        assert_eq!(exist().await, [true, true]);
        let gone = |tx: &mut store::Tx<'_>| {
            let uids: Vec<String> = tx.models_page("copy", 0, 10)?.into_iter().map(|row| row.uid).collect();
            Ok::<_, Error>(tx.delete_models("copy", &uids)?)
        };
        test.platform.store().write(gone).await.unwrap();
        test.platform.collect_blobs("me").await.unwrap();
        test.clock.advance_us(gc_blobs::GRACE_US + 2);
        test.settle().await;
        assert_eq!(exist().await, [false, false]);
    }
}

#[tokio::test]
async fn a_frozen_dataset_teaches_the_same_whatever_is_said_later() {
    use crate::datasets::versions::NewVersion;
    use crate::datasets::{self, Dataset};
    for test in TestPlatform::all().await {
        let app = test.app().await;
        model(&app, "pets", "embedding-classifier", &["cat"]).await;
        add(&app, "c", 0, 4, &[("cat", 1.0)]).await;
        add(&app, "d", 1, 4, &[("cat", 0.0)]).await;
        let dataset = crate::resources::New { id: Some("set".to_owned()), doc: Dataset::default() };
        datasets::create(&app, vec![dataset]).await.unwrap();
        let members: Vec<String> = (0..4).flat_map(|n| [format!("c-{n}"), format!("d-{n}")]).collect();
        datasets::add(&app, "set", members).await.unwrap();
        let version = NewVersion { id: Some("v1".to_owned()), ..NewVersion::default() };
        datasets::versions::create(&app, "set", vec![version]).await.unwrap();
        test.settle().await;
        let frozen = json!({"dataset_id": "set", "dataset_version_id": "v1"});
        let first = trained(&test, &app, "pets", with(frozen.clone())).await;
        assert_eq!(first.state, VersionState::Trained, "{:?}", first.doc.failure);
        let now = json!({"dataset_id": "set"});
        let live = trained(&test, &app, "pets", with(now.clone())).await.doc.trained_on.unwrap();
        let on = first.doc.trained_on.clone().unwrap();
        assert_eq!((on.n_inputs, live.n_inputs), (8, 8));

        inputs::delete(&app, &["c-3".to_owned()]).await.unwrap();
        add(&app, "late", 0, 1, &[("cat", 0.0)]).await;
        let live = trained(&test, &app, "pets", with(now)).await.doc.trained_on.unwrap();
        assert_eq!(live.n_inputs, 7);
        // The vector of the deleted input is gone, and so are its bytes: it was made up.
        let again = trained(&test, &app, "pets", with(frozen)).await.doc.trained_on.unwrap();
        assert_eq!((again.n_inputs, again.n_without_vector), (7, 1));
    }
}

#[tokio::test]
async fn predicting_means_the_newest_version_that_is_trained() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    model(&app, "pets", "embedding-classifier", &["cat"]).await;
    let doc = ModelDoc::default();
    assert_eq!(doc.concepts.len(), 0);
    assert_eq!(to_predict(&app, "pets", None).await.unwrap_err().kind, Kind::Unsupported);
    add(&app, "c", 0, 4, &[("cat", 1.0)]).await;
    let good = trained(&test, &app, "pets", NewTraining::default()).await;
    let (_, waiting) = train(&app, "pets", NewTraining::default()).await.unwrap();
    let Predictor::Own { version, .. } = to_predict(&app, "pets", None).await.unwrap() else { panic!() };
    assert_eq!(version.id, good.id);
    assert_eq!(to_predict(&app, "pets", Some(&waiting.id)).await.unwrap_err().kind, Kind::Unsupported);
    assert_eq!(to_predict(&app, "pets", Some("none")).await.unwrap_err().kind, Kind::NotFound);
}
