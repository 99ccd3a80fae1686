//! The queue of a labelling task.

use std::collections::{BTreeMap, BTreeSet};

use super::assign::{PORTION, put_as};
use super::*;
use crate::annotations::{self, Data, NewAnnotation, Said, Status};
use crate::inputs::{self, NewInput};
use crate::resources::New;
use crate::testing::TestPlatform;
use crate::{AppCtx, Kind, MediaKind, PatchAction, Source, accounts};

fn text(id: String) -> NewInput {
    NewInput {
        id: Some(id),
        source: Source::Text("a text".to_owned()),
        kind: MediaKind::Text,
        allow_duplicate_url: true,
        crop: None,
        labels: Vec::new(),
        metadata: JsonMap::new(),
        geo: None,
        parts: Data::default(),
    }
}

/// An app with inputs, and accounts for workers.
async fn app_with(test: &TestPlatform, n_inputs: usize, people: &[&str]) -> AppCtx {
    let app = test.app().await;
    for chunk in (0..n_inputs).collect::<Vec<_>>().chunks(100) {
        let new = chunk.iter().map(|n| text(format!("i{n:04}"))).collect();
        inputs::create(&app, new).await.unwrap();
    }
    for name in people {
        accounts::create(&test.platform, name, name).await.unwrap();
    }
    app
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

fn task(workers: &[&str], strategy: Strategy) -> Task {
    Task { name: "label".to_owned(), workers: words(workers), strategy, ..Task::default() }
}

async fn make(app: &AppCtx, id: &str, task: Task) {
    create(app, vec![New { id: Some(id.to_owned()), doc: task }]).await.unwrap();
}

fn ids(rows: &[Assignment]) -> Vec<String> {
    rows.iter().map(|row| row.id.clone()).collect()
}

fn submit(rows: &[Assignment]) -> Action {
    Action::LabelSubmit { ids: ids(rows), input_id: String::new() }
}

fn partitioned(workers_per_input: u32, weights: &[(&str, f64)]) -> Strategy {
    let weights = weights.iter().map(|(id, weight)| ((*id).to_owned(), *weight)).collect();
    Strategy::Partitioned { workers_per_input, weights }
}

/// Says a concept of an assignment's input in a worker's name, pending in the task.
async fn say(app: &AppCtx, worker: &str, task_id: &str, row: &Assignment, concept: &str) -> String {
    let said = Said { concept_id: concept.to_owned(), name: String::new(), value: 1.0 };
    let new = NewAnnotation {
        input_id: row.input.id.clone(),
        task_id: task_id.to_owned(),
        data: Data { concepts: vec![said], ..Data::default() },
        ..NewAnnotation::default()
    };
    let made = annotations::create(app, vec![new]).await.unwrap().remove(0).unwrap();
    let (uid, id, worker) = (app.uid().to_owned(), made.id.clone(), worker.to_owned());
    // Until apps are shared, a test gives the annotation to its worker by hand.
    let write = move |tx: &mut ocellus_store::Tx<'_>| {
        let mut row = tx.annotation(&uid, &id)?.expect("it was just made");
        tx.delete_annotations(&uid, &[&id])?;
        row.account_id.clone_from(&worker);
        Ok::<_, Error>(tx.insert_annotation(&row)?)
    };
    app.platform().store().write(write).await.unwrap();
    made.id
}

#[tokio::test]
async fn inputs_are_shared_out_by_weight_and_each_goes_to_as_many_as_asked() {
    for test in TestPlatform::all().await {
        let app = app_with(&test, 20, &["ann", "bob", "cid"]).await;
        let all = ["ann", "bob", "cid"];
        for (id, strategy, expected) in [
            ("even", partitioned(1, &[]), [7, 7, 6]),
            ("twice", partitioned(2, &[]), [14, 13, 13]),
            ("weighted", partitioned(1, &[("ann", 2.0), ("bob", 1.0), ("cid", 1.0)]), [10, 5, 5]),
            ("full", Strategy::Full, [20, 20, 20]),
        ] {
            make(&app, id, task(&all, strategy)).await;
            let counts = input_counts(&app, id).await.unwrap();
            let mut pending: Vec<u64> = counts.iter().map(|counts| counts.pending).collect();
            pending.sort_unstable();
            pending.reverse();
            assert_eq!(pending, expected, "{id}");
        }
        make(&app, "queue", task(&all, Strategy::Dynamic)).await;
        assert_eq!(input_counts(&app, "queue").await.unwrap(), []);
        for wrong in [
            partitioned(0, &[]),
            partitioned(4, &[]),
            partitioned(1, &[("ann", 1.0)]),
            partitioned(2, &[("ann", 8.0), ("bob", 1.0), ("cid", 1.0)]),
        ] {
            let refused = create(&app, vec![New { id: None, doc: task(&all, wrong) }]).await.unwrap_err();
            assert_eq!(refused.kind, Kind::Invalid);
        }
        let nobody = create(&app, vec![New { id: None, doc: task(&["nobody"], Strategy::Full) }]).await;
        assert_eq!(nobody.unwrap_err().kind, Kind::Invalid);
    }
}

#[tokio::test]
async fn a_long_queue_is_filled_by_a_job_that_leaves_nothing_out() {
    for test in TestPlatform::all().await {
        let app = app_with(&test, 1_203, &["ann", "bob"]).await;
        make(&app, "t", task(&["ann", "bob"], partitioned(1, &[]))).await;
        test.settle().await;
        let counts = input_counts(&app, "t").await.unwrap();
        let pending: BTreeSet<u64> = counts.iter().map(|counts| counts.pending).collect();
        assert_eq!(pending, BTreeSet::from([601, 602]));
        assert_eq!(get(&app, "t").await.unwrap().doc.filled_to, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_who_ask_at_once_never_get_the_same_input() {
    for test in TestPlatform::all().await {
        let people = ["ann", "bob", "cid", "dan", "eve", "fay"];
        let app = app_with(&test, 50, &people).await;
        make(&app, "t", task(&people, Strategy::Dynamic)).await;
        let mut asking = tokio::task::JoinSet::new();
        for name in people {
            let app = app.clone();
            asking.spawn(async move { put_as(&app, name, "t", Action::LabelStart).await.unwrap() });
        }
        let mut given = BTreeMap::new();
        while let Some(rows) = asking.join_next().await {
            for row in rows.unwrap() {
                let earlier = given.insert(row.input.id.clone(), row.worker_id.clone());
                assert_eq!(earlier, None, "{} was given twice", row.input.id);
            }
        }
        assert_eq!(given.len(), 50);
        // Asked again, the same work comes back.
        let first = put_as(&app, "ann", "t", Action::LabelStart).await.unwrap();
        let again = put_as(&app, "ann", "t", Action::LabelStart).await.unwrap();
        assert_eq!(first, again);
        assert!(first.len() <= PORTION as usize);
    }
}

#[tokio::test]
async fn work_counts_after_review_and_can_be_sent_back_or_refused() {
    for test in TestPlatform::all().await {
        let app = app_with(&test, 3, &["ann", "rex"]).await;
        let doc = Task {
            review: Review::Manual,
            reviewers: words(&["rex"]),
            ..task(&["ann"], partitioned(1, &[]))
        };
        make(&app, "t", doc).await;
        let rows = put_as(&app, "ann", "t", Action::LabelStart).await.unwrap();
        assert_eq!(rows.len(), 3);
        let mut said = Vec::new();
        for row in &rows {
            said.push(say(&app, "ann", "t", row, "dog").await);
        }
        let status = async |id: &str| annotations::get(&app, "", id).await.unwrap().status;
        assert_eq!(status(&said[0]).await, Status::Pending);
        let handed_in = put_as(&app, "ann", "t", submit(&rows)).await.unwrap();
        assert!(handed_in.iter().all(|row| row.status == AssignmentStatus::AwaitingReview));
        assert_eq!(status(&said[0]).await, Status::AwaitingReview);
        assert_eq!(inputs::get(&app, "i0000").await.unwrap().labels, []);

        let to_review = put_as(&app, "rex", "t", Action::ReviewStart { worker_ids: vec![] }).await.unwrap();
        assert_eq!(ids(&to_review), ids(&rows));
        let decide = |row: &Assignment, decision| Action::Review {
            ids: vec![row.id.clone()],
            worker_ids: Vec::new(),
            decision,
        };
        for (row, said, decision, then) in [
            (&rows[0], &said[0], AssignmentStatus::Success, Status::Success),
            (&rows[1], &said[1], AssignmentStatus::Pending, Status::Pending),
            (&rows[2], &said[2], AssignmentStatus::Rejected, Status::Denied),
        ] {
            let decided = put_as(&app, "rex", "t", decide(row, decision)).await.unwrap();
            assert_eq!(decided[0].status, decision);
            assert_eq!(status(said).await, then);
        }
        assert_eq!(inputs::get(&app, "i0000").await.unwrap().labels.len(), 1);
        let counts = input_counts(&app, "t").await.unwrap().remove(0);
        assert_eq!((counts.success, counts.pending, counts.denied), (1, 1, 1));
        let counts = annotation_counts(&app, "t").await.unwrap().remove(0);
        assert_eq!((counts.success, counts.pending, counts.denied), (1, 1, 1));
        let metrics = metrics(&app, &get(&app, "t").await.unwrap()).await.unwrap();
        assert_eq!((metrics.inputs, metrics.worked, metrics.reviewed), (3, 2, 2));
        assert_eq!((metrics.reviewed_by.clone(), metrics.percent(metrics.reviewed)), (vec![2], 66));

        // The work sent back is approved with everything else of its worker.
        let again = put_as(&app, "ann", "t", Action::LabelStart).await.unwrap();
        assert_eq!(ids(&again), ids(&rows[1..2]));
        put_as(&app, "ann", "t", submit(&again)).await.unwrap();
        let all_of = Action::Review {
            ids: Vec::new(),
            worker_ids: words(&["ann"]),
            decision: AssignmentStatus::Success,
        };
        assert_eq!(put_as(&app, "rex", "t", all_of).await.unwrap().len(), 1);
        assert_eq!(status(&said[1]).await, Status::Success);
    }
}

#[tokio::test]
async fn only_workers_label_only_reviewers_review_and_only_while_the_task_goes_on() {
    for test in TestPlatform::all().await {
        let app = app_with(&test, 2, &["ann", "bob", "rex"]).await;
        let doc = Task {
            review: Review::Manual,
            reviewers: words(&["rex"]),
            ..task(&["ann", "bob"], partitioned(1, &[]))
        };
        make(&app, "t", doc).await;
        let refused = async |who: &str, action| put_as(&app, who, "t", action).await.unwrap_err().kind;
        assert_eq!(refused("rex", Action::LabelStart).await, Kind::Forbidden);
        assert_eq!(refused("ann", Action::ReviewStart { worker_ids: vec![] }).await, Kind::Forbidden);
        let of_ann = put_as(&app, "ann", "t", Action::LabelStart).await.unwrap();
        assert_eq!(refused("bob", submit(&of_ann)).await, Kind::Forbidden);
        let unknown = Action::LabelSubmit { ids: words(&["nothing"]), input_id: String::new() };
        assert_eq!(refused("ann", unknown).await, Kind::NotFound);
        assert_eq!(refused("ann", submit(&[])).await, Kind::Invalid);
        assert_eq!(put_as(&app, "ann", "x", Action::LabelStart).await.unwrap_err().kind, Kind::NotFound);
        let done = serde_json::json!({"status": "done"}).as_object().unwrap().clone();
        patch(&app, vec![("t".to_owned(), done)], PatchAction::Overwrite).await.unwrap();
        assert_eq!(refused("ann", Action::LabelStart).await, Kind::Conflict);
        let other = serde_json::json!({"workers": ["ann"]}).as_object().unwrap().clone();
        let fixed = patch(&app, vec![("t".to_owned(), other)], PatchAction::Overwrite).await.unwrap_err();
        assert_eq!(fixed.kind, Kind::Conflict);
        delete(&app, &words(&["t"])).await.unwrap();
        assert_eq!(get(&app, "t").await.unwrap_err().kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn work_that_enough_workers_agree_on_counts_without_review() {
    for test in TestPlatform::all().await {
        let app = app_with(&test, 2, &["ann", "bob", "cid"]).await;
        let review = Review::Consensus { labelers: 2, every_reviewer: false };
        let kind = TaskKind::Classification;
        make(&app, "t", Task { review, kind, ..task(&["ann", "bob", "cid"], Strategy::Full) }).await;
        let mut last = BTreeMap::new();
        for (worker, first, second) in [("ann", "dog", "x"), ("bob", "dog", "y"), ("cid", "cat", "z")] {
            let rows = put_as(&app, worker, "t", Action::LabelStart).await.unwrap();
            for (row, concept) in rows.iter().zip([first, second]) {
                say(&app, worker, "t", row, concept).await;
            }
            put_as(&app, worker, "t", submit(&rows)).await.unwrap();
            last.insert(worker, ids(&rows));
        }
        let counts = input_counts(&app, "t").await.unwrap();
        let of = |name: usize| (counts[name].success, counts[name].awaiting_review);
        // Two said dog of the first input; of the second each said something else.
        assert_eq!([of(0), of(1), of(2)], [(1, 1), (1, 1), (0, 2)]);
        let shown = inputs::get(&app, "i0000").await.unwrap().labels;
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].concept_id, "dog");
    }
}
