//! Evaluations from the asking to the numbers, on made-up vectors, on both databases.

use ocellus_store as store;
use serde_json::json;

use super::*;
use crate::inputs::STATE_READY;
use crate::jobs::JobCtx;
use crate::learning::{self, NewTraining};
use crate::testing::TestPlatform;
use crate::user_models::{self, ConceptRef, ModelDoc, NewModel, OutputConfig};
use crate::{Kind, datasets};

/// A vector near the axis of a concept, with so much noise that some are mistaken; never the same twice.
fn vector(dim: usize, axis: usize, n: usize) -> Vec<f32> {
    let mut state = (axis * 1_000 + n + 1) as u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    };
    let mut vector: Vec<f32> = (0..dim).map(|_| 0.22 * noise()).collect();
    vector[axis * 3] += 1.0;
    vector
}

struct Setting<'a> {
    test: &'a TestPlatform,
    app: AppCtx,
}

impl Setting<'_> {
    async fn new(test: &TestPlatform) -> Setting<'_> {
        Setting { test, app: test.app().await }
    }

    /// Adds described inputs `{concept}-{n}`, labelled with their concept.
    async fn add(&self, concept: &str, axis: usize, range: std::ops::Range<usize>) {
        let model = self.app.platform().catalog().embedding();
        let (space, dim) = (model.version_id().to_owned(), model.dimensions.unwrap());
        for n in range {
            self.put(&format!("{concept}-{n}"), Some(concept), (&space, vector(dim, axis, n))).await;
        }
    }

    async fn put(&self, id: &str, concept: Option<&str>, (space, data): (&str, Vec<f32>)) {
        let (uid, now_us) = (self.app.uid().to_owned(), self.test.clock.now_us());
        let (id, space, concept) = (id.to_owned(), space.to_owned(), concept.map(str::to_owned));
        let write = move |tx: &mut store::Tx<'_>| {
            tx.insert_input(&input(&uid, &id, now_us))?;
            tx.put_vectors(&[store::Vector {
                app_uid: uid.clone(),
                space: space.clone(),
                input_id: id.clone(),
                seq: 0,
                deleted: false,
                data: data.clone(),
            }])?;
            let label = concept.iter().map(|concept_id| store::Label {
                app_uid: uid.clone(),
                input_id: id.clone(),
                annotation_id: String::new(),
                concept_id: concept_id.clone(),
                value: 1.0,
                account_id: "me".to_owned(),
                created_at_us: now_us,
            });
            tx.put_labels(&label.collect::<Vec<_>>())?;
            Ok::<_, Error>(())
        };
        self.app.platform().store().write(write).await.unwrap();
    }

    async fn train(&self, id: &str, concepts: &[&str]) -> (UserModel, UserModelVersion) {
        let concepts =
            concepts.iter().map(|id| ConceptRef { id: Some((*id).to_owned()), name: None }).collect();
        let output_config = OutputConfig {
            concepts_mutually_exclusive: true,
            closed_environment: true,
            ..OutputConfig::default()
        };
        let new = NewModel {
            id: id.to_owned(),
            model_type_id: "embedding-classifier".to_owned(),
            doc: ModelDoc { output_config, ..ModelDoc::default() },
            concepts,
            ..NewModel::default()
        };
        user_models::create(&self.app, new).await.unwrap();
        let params = json!({"n_folds": 3}).as_object().unwrap().clone();
        let new = NewTraining { params, ..NewTraining::default() };
        learning::train(&self.app, id, new).await.unwrap();
        self.test.settle().await;
        let model = user_models::get(&self.app, id).await.unwrap();
        let version = model.newest.clone();
        assert_eq!(version.state, VersionState::Trained, "{:?}", version.doc.failure);
        (model, version)
    }

    async fn evaluate(
        &self,
        of: &(UserModel, UserModelVersion),
        new: NewEvaluation,
    ) -> (Stored<Evaluation>, Option<Findings>) {
        let made = create(&self.app, (&of.0, &of.1), new).await.unwrap();
        assert_eq!(made.doc.state, EvaluationState::Queued);
        self.test.settle().await;
        let done = get(&self.app, &made.id, None).await.unwrap();
        let found = findings(&self.app, &done).await.unwrap();
        (done, found)
    }

    async fn dataset(&self, id: &str, inputs: &[String]) {
        let new = New { id: Some(id.to_owned()), doc: datasets::Dataset::default() };
        datasets::create(&self.app, vec![new]).await.unwrap();
        datasets::add_many(&self.app, id, inputs).await.unwrap();
    }
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

fn on(dataset_id: &str, settings: Value) -> NewEvaluation {
    let test = TestSet::Dataset { dataset_id: dataset_id.to_owned(), version_id: None };
    NewEvaluation { test, settings: settings.as_object().unwrap().clone(), ..NewEvaluation::default() }
}

#[tokio::test]
async fn a_version_is_judged_on_its_own_inputs_by_models_that_had_not_seen_them() {
    for test in TestPlatform::all().await {
        let set = Setting::new(&test).await;
        set.add("cat", 0, 0..12).await;
        set.add("dog", 1, 0..12).await;
        // Somebody took this one for the other.
        let model = set.app.platform().catalog().embedding();
        let (space, dim) = (model.version_id().to_owned(), model.dimensions.unwrap());
        set.put("wrong", Some("dog"), (&space, vector(dim, 0, 99))).await;
        let of = set.train("pets", &["cat", "dog"]).await;
        let (done, found) = set.evaluate(&of, NewEvaluation::default()).await;
        assert_eq!((done.doc.state, &done.doc.failure), (EvaluationState::Evaluated, &None));
        let found = found.unwrap();
        assert_eq!((found.report.n_rows, found.n_held_out, done.doc.n_inputs), (25, 25, 25));
        assert!(found.exclusive && found.raw.is_some());
        let auc = done.doc.numbers.macro_roc_auc.unwrap();
        assert!(auc > 0.8 && done.doc.deviations.macro_roc_auc.is_some(), "{auc}");
        let counts: Vec<usize> = found.report.concepts.iter().map(|one| one.n_positive).collect();
        assert_eq!(
            (counts, found.report.cooccurrence.clone()),
            (vec![12, 13], vec![vec![12, 0], vec![0, 13]])
        );
        assert_eq!(found.doubted_ids.first().map(String::as_str), Some("wrong"));
        assert!(found.report.intervals.iter().any(|(name, _)| name == "macro_roc_auc"));
        let again = set.evaluate(&of, NewEvaluation::default()).await.1.unwrap();
        assert_eq!(again, found);
        let newest = newest(&set.app, &of.0, &of.1.id).await.unwrap().unwrap();
        assert_ne!(newest.id, done.id);
    }
}

#[tokio::test]
async fn on_a_dataset_near_duplicates_of_what_was_learned_are_left_out_and_named() {
    for test in TestPlatform::all().await {
        let set = Setting::new(&test).await;
        set.add("cat", 0, 0..10).await;
        set.add("dog", 1, 0..10).await;
        let of = set.train("pets", &["cat", "dog"]).await;
        set.add("cat", 0, 50..57).await;
        set.add("dog", 1, 50..57).await;
        let model = set.app.platform().catalog().embedding();
        let (space, dim) = (model.version_id().to_owned(), model.dimensions.unwrap());
        let mut copy = vector(dim, 0, 3);
        copy[5] += 0.001;
        set.put("copy", Some("cat"), (&space, copy)).await;
        let mut ids: Vec<String> = (50..57).flat_map(|n| [format!("cat-{n}"), format!("dog-{n}")]).collect();
        ids.extend(["copy".to_owned(), "cat-4".to_owned()]);
        set.dataset("test", &ids).await;
        let (done, found) = set.evaluate(&of, on("test", json!({}))).await;
        assert_eq!(done.doc.failure, None);
        let found = found.unwrap();
        assert_eq!((found.report.n_rows, found.n_held_out, found.n_left_out), (15, 1, 1));
        let twins: Vec<(&str, &str)> =
            found.twins.iter().map(|twin| (twin.input_id.as_str(), twin.trained_id.as_str())).collect();
        assert_eq!(twins, [("copy", "cat-3")]);
        let kept = set.evaluate(&of, on("test", json!({"keep_near_duplicates": true}))).await.1.unwrap();
        assert_eq!((kept.report.n_rows, kept.n_left_out, kept.twins.len()), (16, 0, 1));
        // Beside a version that has learned from less.
        let rival = set.train("other", &["dog", "cat"]).await;
        let with = json!({"compare_with": {"model_id": "other", "version_id": rival.1.id}});
        let compared = set.evaluate(&of, on("test", with)).await.1.unwrap().compared.unwrap();
        assert_eq!(compared.concept_ids, ["cat", "dog"]);
        assert!(compared.comparison.n_rows > 0 && !compared.comparison.differences.is_empty());
        // What is labelled with nothing the model knows is no test.
        set.dataset("few", &["cat-50".to_owned(), "dog-50".to_owned()]).await;
        let (few, _) = set.evaluate(&of, on("few", json!({}))).await;
        assert_eq!(few.doc.failure.unwrap().reason, EvaluationReason::NeedInputs);
    }
}

#[tokio::test]
async fn what_cannot_be_evaluated_is_refused() {
    for test in TestPlatform::all().await {
        let set = Setting::new(&test).await;
        set.add("cat", 0, 0..6).await;
        set.add("dog", 1, 0..6).await;
        let of = set.train("pets", &["cat", "dog"]).await;
        let kind = async |new: NewEvaluation| {
            create(&set.app, (&of.0, &of.1), new).await.map(|_| ()).unwrap_err().kind
        };
        assert_eq!(kind(on("none", json!({}))).await, Kind::NotFound);
        for wrong in [
            json!({"colour": 1}),
            json!({"seed": -1}),
            json!({"bootstrap_samples": 1_000_000}),
            json!({"target_precisions": [2]}),
            json!({"unlabelled": "maybe"}),
            json!({"keep_near_duplicates": 1}),
            json!({"compare_with": "pets"}),
        ] {
            let settings = wrong.as_object().unwrap().clone();
            let new = NewEvaluation { settings, ..NewEvaluation::default() };
            assert_eq!(kind(new).await, Kind::Invalid, "{wrong}");
        }
        let untrained = UserModelVersion { state: VersionState::Untrained, ..of.1.clone() };
        let refused = create(&set.app, (&of.0, &untrained), NewEvaluation::default()).await;
        assert_eq!(refused.unwrap_err().kind, Kind::Unsupported);
        let named = NewEvaluation { id: "mine".to_owned(), ..NewEvaluation::default() };
        create(&set.app, (&of.0, &of.1), named.clone()).await.unwrap();
        assert_eq!(kind(named).await, Kind::Conflict);
    }
}

#[tokio::test]
async fn an_evaluation_whose_process_dies_ends_with_the_same_numbers() {
    for test in TestPlatform::all().await {
        let set = Setting::new(&test).await;
        set.add("cat", 0, 0..10).await;
        set.add("dog", 1, 0..10).await;
        let of = set.train("pets", &["cat", "dog"]).await;
        let (first, _) = set.evaluate(&of, NewEvaluation::default()).await;
        let made = create(&set.app, (&of.0, &of.1), NewEvaluation::default()).await.unwrap();
        let (now_us, kinds) = (test.clock.now_us(), vec![KIND.name.to_owned()]);
        let store = test.platform.store();
        let claimed =
            store.claim_parts(kinds, "dead".to_owned(), now_us, now_us + 30_000_000, 1).await.unwrap();
        let dead = JobCtx::claimed(test.platform.clone(), claimed.into_iter().next().unwrap());
        // Everything is done but the last write.
        let outcome = (KIND.run)(dead).await.unwrap();
        drop(outcome);
        let begun = get(&set.app, &made.id, None).await.unwrap();
        assert_eq!(begun.doc.state, EvaluationState::Evaluating);
        test.clock.advance_us(30_000_001);
        test.settle().await;
        let done = get(&set.app, &made.id, None).await.unwrap().doc;
        assert_eq!((done.state, done.numbers), (EvaluationState::Evaluated, first.doc.numbers));
        assert_eq!(done.findings, first.doc.findings);
    }
}

#[tokio::test]
async fn an_evaluation_goes_with_its_version_and_stops_if_it_is_under_way() {
    for test in TestPlatform::all().await {
        let set = Setting::new(&test).await;
        set.add("cat", 0, 0..10).await;
        set.add("dog", 1, 0..10).await;
        let of = set.train("pets", &["cat", "dog"]).await;
        let (done, _) = set.evaluate(&of, NewEvaluation::default()).await;
        let open = create(&set.app, (&of.0, &of.1), NewEvaluation::default()).await.unwrap();
        let same = evaluate_again(&set.app, (&of.0, &of.1), JsonMap::new()).await.unwrap();
        assert_eq!(same.id, open.id, "one that is under way is not begun again");
        delete(&set.app, &open.id).await.unwrap();
        let waiting = create(&set.app, (&of.0, &of.1), NewEvaluation::default()).await.unwrap();
        user_models::delete_version(&set.app, &of.0.id, &of.1.id).await.unwrap();
        for id in [&done.id, &open.id, &waiting.id] {
            assert_eq!(get(&set.app, id, None).await.unwrap_err().kind, Kind::NotFound);
        }
        test.settle().await;
        assert_eq!(test.platform.count_open_jobs().await.unwrap(), 1, "the blobs are looked at later");
    }
}

#[tokio::test]
async fn evaluations_are_listed_by_their_numbers() {
    for test in TestPlatform::all().await {
        let set = Setting::new(&test).await;
        set.add("cat", 0, 0..10).await;
        set.add("dog", 1, 0..10).await;
        let of = set.train("pets", &["cat", "dog"]).await;
        set.add("cat", 1, 50..57).await;
        set.add("dog", 1, 50..57).await;
        let ids: Vec<String> = (50..57).flat_map(|n| [format!("cat-{n}"), format!("dog-{n}")]).collect();
        set.dataset("hard", &ids).await;
        let own = set.evaluate(&of, NewEvaluation::default()).await.0;
        let hard = set.evaluate(&of, on("hard", json!({}))).await.0;
        let listed = async |wanted: Wanted| -> Vec<String> {
            let found = list(&set.app, wanted, Page::first(10)).await.unwrap();
            found.into_iter().map(|(_, one)| one.id).collect()
        };
        let (own, hard) = (own.id, hard.id);
        assert_eq!(listed(Wanted::default()).await, [hard.clone(), own.clone()]);
        let by_area = Wanted { sort_by: SortBy::RocAuc, ..Wanted::default() };
        assert_eq!(listed(by_area.clone()).await, [own.clone(), hard.clone()]);
        assert_eq!(listed(Wanted { ascending: true, ..by_area }).await, [hard.clone(), own.clone()]);
        let on_hard = Wanted { test_dataset_ids: vec!["hard".to_owned()], ..Wanted::default() };
        assert_eq!(listed(on_hard).await, std::slice::from_ref(&hard));
        let of_version = Wanted { version: Some((of.0.uid.clone(), of.1.id.clone())), ..Wanted::default() };
        assert_eq!(listed(of_version).await.len(), 2);
        let birds = Wanted { concept_ids: vec!["bird".to_owned()], ..Wanted::default() };
        assert_eq!(listed(birds).await.len(), 0);
        let account = test.account().await;
        let all = list_of_account(&account, Wanted::default(), Page::first(10)).await.unwrap();
        assert_eq!(all.len(), 2);
    }
}
