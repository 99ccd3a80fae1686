//! Apps, concepts, and the removal of an app.

use ocellus_store::testing::TestStore;
use ocellus_store::{Error, Vector};

use crate::{app, concept, input, json, label};

#[tokio::test]
async fn an_app_is_found_listed_and_changed_by_the_version_that_was_read() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            let first = app("u1", "me", "demo");
            let mut second = app("u2", "me", "Zoo_x");
            second.created_at_us = 5;
            tx.insert_app(&first)?;
            tx.insert_app(&second)?;
            tx.insert_app(&app("u3", "you", "demo"))?;
            assert_eq!(tx.insert_app(&app("u4", "me", "demo")), Err(Error::Conflict("apps".to_owned())));
            assert_eq!(tx.app("me", "demo")?.as_ref(), Some(&first));
            assert_eq!(tx.app("me", "none")?, None);
            assert_eq!(tx.apps_of("me", 10, 0, None)?, [second.clone(), first.clone()]);
            assert_eq!(tx.apps_of("me", 10, 0, Some("zoo*"))?, [second.clone()]);
            assert_eq!(tx.apps_of("me", 10, 0, Some("zoo%x"))?, []);
            assert_eq!(tx.apps_of("me", 1, 1, None)?, std::slice::from_ref(&first));

            let mut changed = first.clone();
            changed.name = "New".to_owned();
            changed.doc = json(r#"{"y":[]}"#);
            assert_eq!(tx.update_app(&changed)?, 2);
            assert_eq!(tx.update_app(&changed), Err(Error::Conflict("apps".to_owned())));
            changed.version = 2;
            assert_eq!(tx.app("me", "demo")?, Some(changed.clone()));
            changed.id = "Zoo_x".to_owned();
            assert_eq!(tx.update_app(&changed), Err(Error::Conflict("apps".to_owned())));
            assert_eq!(tx.apps_of("me", 10, 0, Some("new"))?.len(), 1);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn a_deleted_app_is_gone_at_once_and_its_id_is_free_again() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            tx.insert_app(&app("u1", "me", "demo"))?;
            assert!(tx.mark_app_deleted("u1", 77)?);
            assert!(!tx.mark_app_deleted("u1", 78)?);
            assert_eq!(tx.app("me", "demo")?, None);
            assert_eq!(tx.apps_of("me", 10, 0, None)?, []);
            assert_eq!(tx.app_by_uid("u1")?.and_then(|app| app.deleted_at_us), Some(77));
            tx.insert_app(&app("u2", "me", "demo"))?;
            assert!(tx.mark_app_deleted("u2", 79)?);
            tx.insert_app(&app("u3", "me", "demo"))
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn purging_removes_all_of_one_app_in_portions_and_nothing_of_another() {
    for db in TestStore::all().await {
        let fill = db.store.write(|tx| {
            for uid in ["u1", "u2"] {
                tx.insert_app(&app(uid, "me", uid))?;
                for i in 0..7 {
                    let id = format!("i{i}");
                    tx.insert_input(&input(uid, &id))?;
                    tx.insert_concept(&concept(uid, &id, "c"))?;
                    tx.put_labels(&[label(uid, &id, "c", 1.0)])?;
                    tx.put_predictions(uid, &id, "m", &[("c".to_owned(), 0.5)])?;
                    tx.put_vectors(&[vector(uid, &id)])?;
                }
            }
            tx.mark_app_deleted("u1", 1)
        });
        fill.await.unwrap();
        let mut n_removed = 0;
        loop {
            let n = db.store.write(|tx| tx.purge_app_rows("u1", 10)).await.unwrap();
            assert!(n <= 10);
            if n == 0 {
                break;
            }
            n_removed += n;
        }
        // 5 kinds of rows, 2 counts (of inputs and of the concept), 4 counters (concepts, inputs, labels, vectors), and the
        // app.
        assert_eq!(n_removed, 7 * 5 + 2 + 4 + 1, "{}", db.name);
        let checks = db.store.read(|tx| {
            assert_eq!(tx.app_by_uid("u1")?, None);
            assert!(tx.app_by_uid("u2")?.is_some());
            assert_eq!(tx.count_inputs("u1")?.len(), 0);
            assert_eq!(tx.count_inputs("u2")?.get(&0), Some(&7));
            assert_eq!(tx.count_concepts("u2")?, 7);
            assert_eq!(tx.count_vectors("u2", "s")?, 7);
            assert_eq!(tx.labels_of_inputs("u2", &["i0"])?.len(), 1);
            assert_eq!(tx.predictions_of("u2", "i0", "m")?.len(), 1);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

fn vector(app_uid: &str, input_id: &str) -> Vector {
    Vector {
        app_uid: app_uid.to_owned(),
        space: "s".to_owned(),
        input_id: input_id.to_owned(),
        seq: 0,
        deleted: false,
        data: vec![1.0],
    }
}

#[tokio::test]
async fn concepts_are_found_by_id_page_and_wildcard_within_their_app() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            for (id, name, created_at_us) in
                [("dog", "Dog", 3), ("cat", "Cat", 1), ("hot", "hot dog", 2), ("pct", "100% Élan", 4)]
            {
                let mut concept = concept("a", id, name);
                concept.created_at_us = created_at_us;
                tx.insert_concept(&concept)?;
            }
            tx.insert_concept(&concept("b", "dog", "Dog"))?;
            let again = tx.insert_concept(&concept("a", "dog", "x"));
            assert_eq!(again, Err(Error::Conflict("concepts".to_owned())));
            assert!(!tx.upsert_concept_if_missing(&concept("a", "dog", "x"))?);
            assert_eq!(tx.concept("a", "dog")?.map(|concept| concept.name).as_deref(), Some("Dog"));
            assert!(tx.upsert_concept_if_missing(&concept("c", "dog", "x"))?);

            let ids = |found: Vec<ocellus_store::Concept>| {
                found.into_iter().map(|concept| concept.id).collect::<Vec<_>>().join(" ")
            };
            for (wildcard, expected) in [
                ("dog", "dog"),
                ("DOG*", "dog"),
                ("*dog", "dog hot"),
                ("*", "pct cat dog hot"),
                ("100%*", "pct"),
                ("1_0*", ""),
                ("*éLAN", "pct"),
            ] {
                assert_eq!(ids(tx.search_concepts("a", wildcard, 10, 0)?), expected, "{wildcard}");
            }
            assert_eq!(ids(tx.concepts_page("a", 10, 0)?), "cat hot dog pct");
            assert_eq!(ids(tx.concepts_page("a", 2, 1)?), "hot dog");
            assert_eq!(ids(tx.concepts_by_ids("a", &["hot", "none", "cat", "hot"])?), "hot cat hot");
            assert_eq!(tx.count_concepts("a")?, 4);

            let mut changed = concept("a", "dog", "Hound");
            changed.metadata = json(r#"{"z":1}"#);
            changed.created_at_us = 3;
            assert!(tx.update_concept(&changed)?);
            assert_eq!(tx.concept("a", "dog")?, Some(changed));
            assert_eq!(ids(tx.search_concepts("a", "hound", 10, 0)?), "dog");
            assert!(!tx.update_concept(&concept("a", "none", "x"))?);
            assert_eq!(tx.delete_concepts("a", &["dog", "none"])?, 1);
            assert_eq!(tx.concept("a", "dog")?, None);
            assert!(tx.concept("b", "dog")?.is_some());
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}
