//! Inputs: order, pages, states, places, deletion.

use ocellus_store::testing::TestStore;
use ocellus_store::{Annotation, AnnotationQuery, Error, Input, InputQuery, Vector};

use crate::{input, json, label};

fn ids(inputs: Vec<Input>) -> String {
    inputs.into_iter().map(|input| input.id).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn pages_follow_the_order_of_creation_both_ways() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            for (i, id) in ["c", "a", "e", "b", "d"].iter().enumerate() {
                let mut input = input("app", id);
                input.state = i as i64 % 2;
                assert_eq!(tx.insert_input(&input)?, i as i64 + 1);
            }
            tx.insert_input(&input("other", "x"))?;
            let page = |states: &[i64], newest_first, after_seq, limit, offset| {
                let states = states.to_vec();
                let query = InputQuery { states, newest_first, after_seq, limit, offset };
                Ok::<_, Error>(ids(tx.inputs_page("app", &query)?))
            };
            assert_eq!(page(&[], false, None, 10, 0)?, "c a e b d");
            assert_eq!(page(&[], true, None, 10, 0)?, "d b e a c");
            assert_eq!(page(&[], false, None, 2, 2)?, "e b");
            assert_eq!(page(&[], false, Some(2), 2, 0)?, "e b");
            assert_eq!(page(&[], true, Some(4), 2, 0)?, "e a");
            assert_eq!(page(&[1], false, None, 10, 0)?, "a b");
            assert_eq!(page(&[0, 1], false, None, 10, 4)?, "d");
            assert_eq!(page(&[3], false, None, 10, 0)?, "");
            assert_eq!(ids(tx.inputs_by_ids("app", &["e", "x", "c"])?), "e c");
            assert_eq!(tx.count_inputs("app")?.into_iter().collect::<Vec<_>>(), [(0, 3), (1, 2)]);
            let facts = tx.inputs_for_filter("app", 3, 1)?;
            assert_eq!((facts[0].id.as_str(), facts[0].seq, facts.len()), ("b", 4, 1));
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn a_number_is_never_given_twice_even_after_deletion() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            tx.insert_input(&input("a", "1"))?;
            tx.insert_input(&input("a", "2"))?;
            tx.delete_inputs("a", &["2"])?;
            assert_eq!(tx.insert_input(&input("a", "2"))?, 3);
            assert_eq!(tx.insert_input(&input("b", "1"))?, 1);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn an_input_is_rewritten_whole_but_keeps_its_place() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            tx.insert_input(&input("a", "1"))?;
            let changed = Input {
                seq: 999,
                state: 2,
                failure_code: "code".to_owned(),
                failure: "words".to_owned(),
                kind: "video".to_owned(),
                source_url: Some("http://u".to_owned()),
                blob: Some("b".to_owned()),
                thumb: Some("t".to_owned()),
                content_hash: Some("h".to_owned()),
                phash: Some(-5),
                width: Some(640),
                height: Some(480),
                mime: Some("image/png".to_owned()),
                lat: Some(1.5),
                lon: Some(-2.5),
                metadata: json(r#"{"m":1}"#),
                doc: json(r#"{"d":2}"#),
                created_at_us: 999,
                modified_at_us: 22,
                ..input("a", "1")
            };
            assert!(tx.update_input(&changed)?);
            let kept = Input { seq: 1, created_at_us: 20, ..changed.clone() };
            assert_eq!(tx.input("a", "1")?.as_ref(), Some(&kept));
            assert_eq!(tx.input_by_url("a", "http://u")?.as_ref(), Some(&kept));
            assert_eq!(tx.input_by_url("b", "http://u")?, None);
            assert_eq!(ids(tx.inputs_by_blob("a", "b")?), "1");
            assert_eq!(ids(tx.inputs_by_content_hash("a", "h")?), "1");
            assert!(!tx.update_input(&input("b", "1"))?);

            assert!(tx.set_input_state("a", "1", 3, ("bad", "is no image"), 50)?);
            let failed = tx.input("a", "1")?.unwrap();
            assert_eq!((failed.state, failed.failure_code.as_str()), (3, "bad"));
            assert_eq!((failed.failure.as_str(), failed.modified_at_us), ("is no image", 50));
            assert!(!tx.set_input_state("a", "2", 3, ("", ""), 50)?);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn a_box_finds_the_inputs_inside_also_across_the_180th_meridian() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            for (id, lat, lon) in [
                ("berlin", 52.5, 13.4),
                ("paris", 48.9, 2.35),
                ("suva", -18.1, 178.4),
                ("apia", -13.8, -171.8),
            ] {
                let mut input = input("a", id);
                (input.lat, input.lon) = (Some(lat), Some(lon));
                tx.insert_input(&input)?;
            }
            tx.insert_input(&input("a", "nowhere"))?;
            let find = |lats, lons| Ok::<_, Error>(tx.input_ids_by_geo_box("a", lats, lons)?.join(" "));
            assert_eq!(find((40.0, 60.0), (0.0, 20.0))?, "berlin paris");
            assert_eq!(find((50.0, 60.0), (0.0, 20.0))?, "berlin");
            assert_eq!(find((-20.0, 0.0), (170.0, -170.0))?, "suva apia");
            assert_eq!(find((-90.0, 90.0), (-180.0, 180.0))?, "berlin paris suva apia");
            assert_eq!(tx.input_ids_by_geo_box("b", (-90.0, 90.0), (-180.0, 180.0))?.len(), 0);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn deleting_inputs_takes_all_that_hangs_on_them_and_nothing_else() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            for app_uid in ["a", "b"] {
                for id in ["1", "2"] {
                    let mut given = input(app_uid, id);
                    given.blob = Some(format!("blob-{id}"));
                    given.thumb = Some(format!("thumb-{app_uid}-{id}"));
                    tx.insert_input(&given)?;
                    tx.put_labels(&[label(app_uid, id, "c", 1.0)])?;
                    tx.put_predictions(app_uid, id, "m", &[("c".to_owned(), 0.5)])?;
                    tx.put_vectors(&[Vector {
                        app_uid: app_uid.to_owned(),
                        space: "s".to_owned(),
                        input_id: id.to_owned(),
                        seq: 0,
                        deleted: false,
                        data: vec![1.0, 2.0],
                    }])?;
                    tx.insert_annotation(&annotation(app_uid, &format!("n{id}"), id))?;
                }
            }
            assert_eq!(tx.delete_inputs("a", &["1", "none"])?, 1);
            for (app_uid, id, there) in [("a", "1", 0), ("a", "2", 1), ("b", "1", 1)] {
                assert_eq!(tx.inputs_by_ids(app_uid, &[id])?.len(), there);
                assert_eq!(tx.labels_of_inputs(app_uid, &[id])?.len(), there);
                assert_eq!(tx.predictions_of(app_uid, id, "m")?.len(), there);
                assert_eq!(tx.annotations_of_inputs(app_uid, &[id])?.len(), there);
                assert_eq!(usize::from(tx.vector(app_uid, "s", id)?.is_some()), there);
            }
            // The blob is shared with the other app, the thumbnail is not.
            assert!(tx.blob_in_use("blob-1")?);
            assert!(!tx.blob_in_use("thumb-a-1")?);
            assert!(tx.blob_in_use("thumb-a-2")?);
            assert_eq!(tx.delete_all_inputs("a")?, 1);
            assert_eq!(tx.count_inputs("a")?.len(), 0);
            assert_eq!(tx.count_vectors("a", "s")?, 0);
            assert_eq!(tx.count_inputs("b")?.get(&0), Some(&2));
            assert_eq!(tx.delete_all_inputs("a")?, 0);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

fn annotation(app_uid: &str, id: &str, input_id: &str) -> Annotation {
    Annotation {
        app_uid: app_uid.to_owned(),
        id: id.to_owned(),
        input_id: input_id.to_owned(),
        account_id: "me".to_owned(),
        model_version_id: String::new(),
        status: "SUCCESS".to_owned(),
        doc: json(r#"{"r":[]}"#),
        created_at_us: 1,
        modified_at_us: 2,
        ..Annotation::default()
    }
}

#[tokio::test]
async fn annotations_are_unique_found_changed_and_deleted_with_their_labels() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            tx.insert_annotation(&annotation("a", "n1", "1"))?;
            tx.insert_annotation(&annotation("a", "n2", "1"))?;
            let again = tx.insert_annotation(&annotation("a", "n1", "2"));
            assert_eq!(again, Err(Error::Conflict("annotations".to_owned())));
            let mut changed = annotation("a", "n1", "1");
            changed.status = "REVIEW".to_owned();
            assert!(tx.update_annotation(&changed)?);
            assert_eq!(tx.annotation("a", "n1")?, Some(changed));
            assert!(!tx.update_annotation(&annotation("b", "n1", "1"))?);
            let second = AnnotationQuery { limit: 1, offset: 1, ..AnnotationQuery::default() };
            assert_eq!(tx.annotations_page("a", &second)?, [annotation("a", "n2", "1")]);
            let mut label = label("a", "1", "c", 1.0);
            label.annotation_id = "n1".to_owned();
            tx.put_labels(&[label])?;
            assert_eq!(tx.delete_annotations("a", &["n1"])?, 1);
            assert_eq!(tx.labels_of_inputs("a", &["1"])?.len(), 0);
            assert_eq!(tx.annotation("a", "n1")?, None);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}
