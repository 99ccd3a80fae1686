//! Annotations by worker, status, task, track and frame; labels of parts; tracks; the queue of tasks.

use ocellus_store::testing::TestStore;
use ocellus_store::{
    Annotation, AnnotationQuery, AnnotationRegion, AnnotationTest, AnnotationTrack, Error, JsonMap,
    TaskAssignment, Tx, Vector,
};

use crate::label;

fn annotation(id: &str, account_id: &str, model: &str, status: &str) -> Annotation {
    Annotation {
        app_uid: "a".to_owned(),
        id: id.to_owned(),
        input_id: "1".to_owned(),
        account_id: account_id.to_owned(),
        model_version_id: model.to_owned(),
        status: status.to_owned(),
        ..Annotation::default()
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

#[tokio::test]
async fn a_query_finds_the_annotations_that_fit_all_of_it_and_one_of_its_workers() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            tx.insert_annotation(&annotation("ann-success", "ann", "", "success"))?;
            tx.insert_annotation(&annotation("bob-pending", "bob", "", "pending"))?;
            tx.insert_annotation(&annotation("model-success", "ann", "m1", "success"))?;
            let on_track = Annotation {
                track_id: "t".to_owned(),
                task_id: "k".to_owned(),
                frame: 7,
                frame_ms: 280,
                ..annotation("on-track", "bob", "", "success")
            };
            tx.insert_annotation(&on_track)?;
            let all = AnnotationQuery { limit: 100, ..AnnotationQuery::default() };
            let task = Some("k".to_owned());
            for (query, expected) in [
                (all.clone(), vec!["ann-success", "bob-pending", "model-success", "on-track"]),
                (AnnotationQuery { account_ids: words(&["ann"]), ..all.clone() }, vec!["ann-success"]),
                (AnnotationQuery { model_version_ids: words(&["m1"]), ..all.clone() }, vec!["model-success"]),
                (
                    AnnotationQuery {
                        account_ids: words(&["bob"]),
                        model_version_ids: words(&["m1"]),
                        statuses: words(&["success"]),
                        ..all.clone()
                    },
                    vec!["model-success", "on-track"],
                ),
                (AnnotationQuery { by_people: true, ids: words(&["model-success"]), ..all.clone() }, vec![]),
                (AnnotationQuery { task_id: task, ..all.clone() }, vec!["on-track"]),
                (AnnotationQuery { from_frame: Some(8), ..all.clone() }, vec![]),
                (AnnotationQuery { from_ms: Some(280), by_frame: true, ..all.clone() }, vec!["on-track"]),
                (AnnotationQuery { input_ids: words(&["2"]), ..all.clone() }, vec![]),
                (AnnotationQuery { limit: 1, offset: 2, ..all.clone() }, vec!["model-success"]),
            ] {
                let found = tx.annotations_page("a", &query)?;
                let ids: Vec<&str> = found.iter().map(|row| row.id.as_str()).collect();
                assert_eq!(ids, expected, "{query:?}");
            }
            assert_eq!(tx.annotations_page("b", &all)?, []);
            let workers = tx.annotation_workers("a", 10, 0)?;
            assert_eq!(workers.len(), 3);
            assert_eq!(workers[1].model_version_id, "m1");
            assert_eq!(tx.count_annotations_of_task("a", "k")?.len(), 1);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn labels_of_parts_count_for_searches_and_not_for_the_whole_input() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            let of = |concept: &str| {
                let mut label = label("a", "1", concept, 1.0);
                label.annotation_id = "n".to_owned();
                label
            };
            tx.put_labels(&[of("whole")])?;
            tx.put_region_labels(&[of("part"), of("other")])?;
            assert_eq!(tx.whole_labels_of_inputs("a", &["1"])?.len(), 1);
            assert_eq!(tx.labels_of_inputs("a", &["1"])?.len(), 3);
            assert_eq!(tx.inputs_with_label("a", &["part"], true)?, ["1"]);
            assert_eq!(tx.delete_labels_of_annotation("a", "n", &["part"])?, 2);
            assert_eq!(tx.inputs_with_label("a", &["part"], true)?, ["1"]);
            assert_eq!(tx.delete_labels_of_annotation::<&str>("a", "n", &[])?, 1);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

fn assignment(id: &str, input_id: &str, worker_id: &str) -> TaskAssignment {
    TaskAssignment {
        app_uid: "a".to_owned(),
        id: id.to_owned(),
        task_id: "k".to_owned(),
        input_id: input_id.to_owned(),
        worker_id: worker_id.to_owned(),
        status: "pending".to_owned(),
        ..TaskAssignment::default()
    }
}

fn counts(tx: &Tx<'_>) -> Result<(i64, i64, i64), Error> {
    tx.count_task_inputs("a", "k", ["success", "rejected"], "pending")
}

#[tokio::test]
async fn a_worker_has_an_input_of_a_task_once_and_work_is_counted_by_input() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            assert_eq!(counts(tx)?, (0, 0, 0));
            let rows = [assignment("1", "x", "ann"), assignment("2", "x", "bob"), assignment("3", "y", "")];
            assert_eq!(tx.insert_task_assignments(&rows)?, 3);
            assert_eq!(tx.insert_task_assignments(&[assignment("4", "x", "ann")])?, 0);
            assert_eq!(counts(tx)?, (2, 0, 0));
            let mut done = tx.task_assignments_of_worker("a", "k", "ann", "pending", 9)?.remove(0);
            done.status = "success".to_owned();
            assert!(tx.update_task_assignment(&done)?);
            assert_eq!(counts(tx)?, (2, 0, 0));
            let mut done = tx.task_assignments_by_ids("a", "k", &["2"])?.remove(0);
            done.status = "rejected".to_owned();
            assert!(tx.update_task_assignment(&done)?);
            assert_eq!(counts(tx)?, (2, 1, 1));
            assert_eq!(tx.task_assignments_by_ids("a", "another task", &["2"])?, []);
            assert_eq!(tx.task_assignments_of_input("a", "k", "x")?.len(), 2);
            assert_eq!(tx.task_assignments_with_status("a", "k", "pending", 0, 9)?[0].id, "3");
            assert_eq!(tx.count_task_assignments("a", "k")?.len(), 3);
            assert_eq!(tx.delete_task_assignments("a", "k")?, 3);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn tracks_and_work_go_with_their_input_and_their_app() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            let track = |id: &str| AnnotationTrack {
                app_uid: "a".to_owned(),
                id: id.to_owned(),
                input_id: "x".to_owned(),
                concept_id: "dog".to_owned(),
                status: "idle".to_owned(),
                doc: JsonMap::new(),
                account_id: "me".to_owned(),
                modified_by: String::new(),
                created_at_us: 1,
                modified_at_us: 1,
            };
            tx.insert_annotation_track(&track("1"))?;
            assert_eq!(
                tx.insert_annotation_track(&track("1")),
                Err(Error::Conflict("annotation_tracks".to_owned()))
            );
            assert_eq!(tx.annotation_tracks_of("a", "x", 9, 0)?, [track("1")]);
            let moved = AnnotationTrack { status: "approved".to_owned(), ..track("1") };
            assert!(tx.update_annotation_track(&moved)?);
            assert_eq!(tx.annotation_track("a", "1")?, Some(moved));
            tx.insert_task_assignments(&[assignment("1", "x", "ann"), assignment("2", "y", "ann")])?;
            tx.delete_inputs("a", &["x"])?;
            assert_eq!(tx.annotation_tracks_of("a", "x", 9, 0)?, []);
            assert_eq!(tx.task_assignments_of_worker("a", "k", "ann", "pending", 9)?.len(), 1);
            tx.insert_annotation_track(&track("2"))?;
            while tx.purge_app_rows("a", 100)? > 0 {}
            assert_eq!(tx.annotation_track("a", "2")?, None);
            assert_eq!(tx.task_assignments_of_worker("a", "k", "ann", "pending", 9)?, []);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn the_parts_that_annotations_mark_go_with_them_and_so_do_their_vectors() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            let part = |annotation: &str, region: &str, input: &str| AnnotationRegion {
                app_uid: "a".to_owned(),
                annotation_id: annotation.to_owned(),
                region_id: region.to_owned(),
                input_id: input.to_owned(),
                outline: "box".to_owned(),
            };
            let parts =
                [part("x", "1", "in"), part("x", "2", "in"), part("y", "1", "in"), part("z", "1", "other")];
            tx.put_annotation_regions(&parts)?;
            assert_eq!(tx.waiting_regions("a", "in", 10)?.len(), 3);
            let describe = |tx: &Tx<'_>| {
                for part in &parts {
                    assert!(tx.end_region(part, true)?);
                    tx.put_vectors(&[Vector {
                        app_uid: "a".to_owned(),
                        space: "s".to_owned(),
                        input_id: part.key(),
                        seq: 0,
                        deleted: false,
                        data: vec![1.0],
                    }])?;
                }
                Ok::<_, Error>(())
            };
            describe(tx)?;
            assert_eq!(tx.described_regions("a", ("x", "1"), 2)?, parts[1..3]);
            assert_eq!(tx.described_regions_of("a", &["x"])?.len(), 2);
            // Another outline: the vector goes at once, and what was made for the old one is not taken.
            let moved = AnnotationRegion { outline: "other box".to_owned(), ..parts[0].clone() };
            tx.put_annotation_regions(std::slice::from_ref(&moved))?;
            assert!(!tx.end_region(&parts[0], true)?);
            assert_eq!(tx.waiting_regions("a", "in", 10)?, [moved]);
            assert_eq!(tx.count_vectors("a", "s")?, 3);
            tx.delete_annotations("a", &["x"])?;
            assert_eq!((tx.regions_of_annotation("a", "x")?.len(), tx.count_vectors("a", "s")?), (0, 2));
            tx.delete_inputs("a", &["in"])?;
            assert_eq!((tx.regions_of_inputs("a", &["in"])?.len(), tx.count_vectors("a", "s")?), (0, 1));
            tx.delete_all_inputs("a")?;
            assert_eq!((tx.regions_of_inputs("a", &["other"])?.len(), tx.count_vectors("a", "s")?), (0, 0));
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn tests_on_columns_hold_together() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            let task = Annotation {
                task_id: "k".to_owned(),
                modified_at_us: 5,
                ..annotation("task", "ann", "", "pending")
            };
            let whole = Annotation {
                whole: true,
                input_id: "2".to_owned(),
                ..annotation("whole", "bob", "", "success")
            };
            for row in [task, whole, annotation("model", "ann", "m1", "success")] {
                tx.insert_annotation(&row)?;
            }
            let any = AnnotationTest::default();
            let by = |account_id: &str| AnnotationTest { account_id: account_id.to_owned(), ..any.clone() };
            for (test, expected) in [
                (any.clone(), vec!["model", "task", "whole"]),
                (by("ann"), vec!["model", "task"]),
                (AnnotationTest { by_person: true, ..by("ann") }, vec!["task"]),
                (AnnotationTest { model_version_id: "m1".to_owned(), ..any.clone() }, vec!["model"]),
                (AnnotationTest { statuses: words(&["pending", "denied"]), ..any.clone() }, vec!["task"]),
                (AnnotationTest { task_id: "k".to_owned(), ..by("bob") }, vec![]),
                (AnnotationTest { changed_us: Some((5, 9)), ..any.clone() }, vec!["task"]),
                (AnnotationTest { whole: true, ..any.clone() }, vec!["whole"]),
                (AnnotationTest { id: "task".to_owned(), ..any.clone() }, vec!["task"]),
            ] {
                let found = tx.annotations_passing("a", &test, "", 10)?;
                assert_eq!(found.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), expected, "{test:?}");
                assert_eq!(tx.inputs_with_annotation("a", &test)?.len(), expected.len());
            }
            assert_eq!(tx.annotations_passing("a", &any, "model", 1)?[0].id, "task");
            assert_eq!(tx.annotations_by_ids("a", &["whole", "none"])?.len(), 1);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn annotations_lead_from_concepts_to_inputs_wherever_they_stand() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            for id in ["1", "2", "3"] {
                tx.insert_input(&crate::input("a", id))?;
            }
            let speaking = |id: &str, input_id: &str, concepts: &str| Annotation {
                app_uid: "a".to_owned(),
                id: id.to_owned(),
                input_id: input_id.to_owned(),
                status: "denied".to_owned(),
                doc: crate::json(&format!(r#"{{"data":{{"concepts":[{concepts}]}}}}"#)),
                ..Annotation::default()
            };
            let (dog, cat) = (r#"{"concept_id":"dog","value":1}"#, r#"{"concept_id":"cat","value":0}"#);
            tx.insert_annotation(&speaking("p", "3", dog))?;
            tx.insert_annotation(&speaking("q", "1", &format!("{dog},{cat}")))?;
            tx.insert_annotation(&speaking("r", "2", dog))?;
            let found = |concept: &str, after, limit| {
                let found = tx.inputs_of_annotations_with("a", concept, after, limit)?;
                Ok::<_, Error>(found.into_iter().map(|(id, _)| id).collect::<Vec<_>>().join(" "))
            };
            assert_eq!(found("dog", 0, 10)?, "1 2 3");
            assert_eq!(found("dog", 1, 1)?, "2");
            assert_eq!(found("cat", 0, 10)?, "1");
            assert!(tx.update_annotation(&speaking("q", "1", cat))?);
            assert!(tx.update_annotation(&speaking("r", "2", &format!("{cat},{dog}")))?);
            assert_eq!((found("dog", 0, 10)?.as_str(), found("cat", 0, 10)?.as_str()), ("2 3", "1 2"));
            tx.copy_inputs(("a", "b"), 1, 1, true)?;
            assert_eq!(tx.inputs_of_annotations_with("b", "cat", 0, 10)?, [("2".to_owned(), 1)]);
            tx.delete_annotations("a", &["p"])?;
            tx.delete_inputs("a", &["2"])?;
            assert_eq!((found("dog", 0, 10)?.as_str(), found("cat", 0, 10)?.as_str()), ("", "1"));
            tx.delete_all_inputs("a")?;
            assert_eq!(found("cat", 0, 10)?, "");
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}
