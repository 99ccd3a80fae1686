//! Labels and predictions.

use ocellus_store::Error;
use ocellus_store::testing::TestStore;

use crate::label;

#[tokio::test]
async fn labels_keep_their_first_place_while_their_value_changes() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            tx.put_labels(&[])?;
            let first = [label("a", "1", "z", 1.0), label("a", "1", "m", 0.0), label("a", "1", "a", 1.0)];
            tx.put_labels(&first)?;
            // Twice in one call: the last value wins.
            tx.put_labels(&[
                label("a", "1", "z", 1.0),
                label("a", "1", "z", 0.0),
                label("a", "2", "b", 1.0),
            ])?;
            let found = tx.labels_of_inputs("a", &["2", "1"])?;
            let found: Vec<_> =
                found.iter().map(|l| (l.input_id.as_str(), l.concept_id.as_str(), l.value)).collect();
            assert_eq!(found, [("1", "z", 0.0), ("1", "m", 0.0), ("1", "a", 1.0), ("2", "b", 1.0)]);
            assert_eq!(tx.labels_of_inputs("b", &["1"])?, []);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn inputs_are_found_by_labels_that_say_yes_or_no() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            tx.put_labels(&[
                label("a", "1", "dog", 1.0),
                label("a", "2", "dog", 0.0),
                label("a", "3", "cat", 1.0),
                label("a", "3", "dog", 1.0),
            ])?;
            tx.put_labels(&[label("b", "9", "dog", 1.0)])?;
            for (concepts, positive, expected) in [
                (&["dog"][..], true, "1 3"),
                (&["dog"], false, "2"),
                (&["cat", "dog"], true, "1 3"),
                (&["cat"], false, ""),
                (&["none"], true, ""),
                (&[], true, ""),
            ] {
                let found = tx.inputs_with_label("a", concepts, positive)?.join(" ");
                assert_eq!(found, expected, "{concepts:?} {positive}");
            }
            assert_eq!(tx.delete_labels("a", "3", Some(&["dog", "none"]))?, 1);
            assert_eq!(tx.inputs_with_label("a", &["dog"], true)?, ["1"]);
            assert_eq!(tx.delete_labels::<&str>("a", "3", None)?, 1);
            assert_eq!(tx.inputs_with_label("a", &["cat"], true)?.len(), 0);
            assert_eq!(tx.inputs_with_label("b", &["dog"], true)?, ["9"]);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn predictions_are_replaced_per_model_and_found_by_probability() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            let pairs = |list: &[(&str, f64)]| {
                list.iter().map(|&(id, value)| (id.to_owned(), value)).collect::<Vec<_>>()
            };
            tx.put_predictions("a", "1", "m", &pairs(&[("dog", 0.9), ("cat", 0.2)]))?;
            tx.put_predictions("a", "1", "n", &pairs(&[("dog", 0.1)]))?;
            tx.put_predictions("a", "2", "m", &pairs(&[("dog", 0.5), ("cat", 0.95)]))?;
            tx.put_predictions("a", "3", "m", &pairs(&[("dog", 0.3)]))?;
            let ids = |list: Vec<(String, f64)>| {
                list.into_iter().map(|(id, value)| format!("{id}={value}")).collect::<Vec<_>>().join(" ")
            };
            let find = |concepts: &[&str], min, limit| {
                Ok::<_, Error>(ids(tx.inputs_with_prediction("a", "m", concepts, min, limit)?))
            };
            assert_eq!(find(&["dog"], 0.4, 10)?, "1=0.9 2=0.5");
            assert_eq!(find(&["dog"], 0.0, 1)?, "1=0.9");
            assert_eq!(find(&["dog", "cat"], 0.0, 10)?, "2=0.95 1=0.9 3=0.3");
            assert_eq!(find(&["none"], 0.0, 10)?, "");
            assert_eq!(find(&[], 0.0, 10)?, "");

            tx.put_predictions("a", "1", "m", &pairs(&[("hen", 0.4), ("ox", 0.6), ("hen", 0.1)]))?;
            let found = tx.predictions_of("a", "1", "m")?;
            let found: Vec<_> = found.iter().map(|p| (p.concept_id.as_str(), p.value)).collect();
            assert_eq!(found, [("ox", 0.6), ("hen", 0.4)]);
            assert_eq!(tx.predictions_of("a", "1", "n")?.len(), 1);
            // More concepts than one statement takes.
            let many: Vec<String> =
                (0..700).map(|i| if i == 650 { "ox".into() } else { format!("c{i}") }).collect();
            assert_eq!(ids(tx.inputs_with_prediction("a", "m", &many, 0.0, 10)?), "1=0.6");
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn concepts_lead_to_inputs_in_the_order_of_the_answer() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            for (id, dog) in [("z", 0.5), ("y", 0.9), ("x", 0.5), ("w", 0.1)] {
                tx.insert_input(&crate::input("a", id))?;
                tx.put_predictions("a", id, "m", &[("dog".to_owned(), dog), ("cat".to_owned(), 0.3)])?;
                tx.put_labels(&[label("a", id, "red", f64::from(u8::from(id != "y")))])?;
            }
            let labelled = |positive, after, limit| {
                let found = tx.labelled_in_order(("a", "red"), positive, after, limit)?;
                Ok::<_, Error>(found.into_iter().map(|(id, seq)| format!("{id}{seq}")).collect::<Vec<_>>())
            };
            assert_eq!(labelled(true, 0, 2)?, ["z1", "x3"]);
            assert_eq!(labelled(true, 3, 2)?, ["w4"]);
            assert_eq!(labelled(false, 0, 2)?, ["y2"]);
            let predicted = |least, after, limit| {
                let found = tx.predicted_in_order("a", ("m", "dog"), least, after, limit)?;
                Ok::<_, Error>(found.into_iter().map(|(id, _, _)| id).collect::<Vec<_>>().join(" "))
            };
            assert_eq!(predicted(0.0, (f64::MAX, 0), 10)?, "y z x w");
            assert_eq!(predicted(0.2, (0.9, 2), 1)?, "z");
            assert_eq!(predicted(0.2, (0.5, 1), 10)?, "x");
            let found = tx.predicted_of_inputs("a", "m", &["dog".into(), "cow".into()], &["w", "none"])?;
            assert_eq!(found, [("w".to_owned(), "dog".to_owned(), 0.1)]);
            let mut said = tx.said_of_inputs("a", &["y", "z"])?;
            said.sort();
            assert_eq!(said[0], ("y".to_owned(), "red".to_owned(), false));
            // A copy has its own numbers.
            tx.insert_input(&crate::input("b", "first"))?;
            tx.copy_inputs(("a", "b"), 0, 10, true)?;
            assert_eq!(tx.labelled_in_order(("b", "red"), true, 0, 1)?, [("z".to_owned(), 2)]);
            assert_eq!(tx.predicted_in_order("b", ("m", "dog"), 0.0, (f64::MAX, 0), 1)?[0].1, 3);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}
