//! The kept counts against a recount of the rows, after random changes of every kind, one by one and at once.

use std::collections::BTreeMap;

use super::*;
use crate::testing::TestStore;
use crate::{Annotation, Concept, DatasetInput, Error, Input, InputQuery, JsonMap, Label, Store};

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn name(&mut self, what: &str, n: u64) -> String {
        format!("{what}{}", self.below(n))
    }

    fn names(&mut self, what: &str, n: u64) -> Vec<String> {
        (0..=self.below(3)).map(|_| self.name(what, n)).collect()
    }
}

fn input(app_uid: &str, id: &str, state: i64) -> Input {
    Input {
        app_uid: app_uid.to_owned(),
        id: id.to_owned(),
        seq: 0,
        state,
        failure_code: String::new(),
        failure: String::new(),
        kind: "image".to_owned(),
        source_url: None,
        blob: None,
        thumb: None,
        content_hash: None,
        phash: None,
        width: None,
        height: None,
        mime: None,
        lat: None,
        lon: None,
        metadata: JsonMap::new(),
        doc: JsonMap::new(),
        created_at_us: 1,
        modified_at_us: 1,
    }
}

fn annotation(app_uid: &str, id: &str, input_id: &str) -> Annotation {
    Annotation {
        app_uid: app_uid.to_owned(),
        id: id.to_owned(),
        input_id: input_id.to_owned(),
        ..Annotation::default()
    }
}

fn labels(app_uid: &str, annotation_id: &str, dice: &mut Dice) -> Vec<Label> {
    let label = |input_id: String| Label {
        app_uid: app_uid.to_owned(),
        input_id,
        annotation_id: annotation_id.to_owned(),
        concept_id: dice.name("c", 3),
        value: dice.below(3) as f64 / 2.0,
        account_id: String::new(),
        created_at_us: 1,
    };
    (0..3).map(|_| format!("i{}", 0)).map(label).collect()
}

fn members(app_uid: &str, dice: &mut Dice) -> Vec<DatasetInput> {
    let inputs = dice.names("i", 12);
    let member = |input_id: String| DatasetInput {
        app_uid: app_uid.to_owned(),
        dataset_uid: dice.name("d", 2),
        input_id,
        seq: 0,
        dataset_id: "d".to_owned(),
        account_id: String::new(),
        key_id: String::new(),
        created_at_us: 1,
    };
    inputs.into_iter().map(member).collect()
}

fn concept(app_uid: &str, id: &str) -> Concept {
    Concept {
        app_uid: app_uid.to_owned(),
        id: id.to_owned(),
        name: id.to_owned(),
        language: "en".to_owned(),
        definition: String::new(),
        metadata: JsonMap::new(),
        created_at_us: 1,
        modified_at_us: 1,
    }
}

/// One change of some kind.
fn change(tx: &Tx<'_>, app: &str, dice: &mut Dice) -> Result<()> {
    let (id, state) = (dice.name("i", 12), dice.below(4) as i64);
    match dice.below(16) {
        0..4 => match tx.insert_input(&input(app, &id, state)) {
            Ok(_) => tx.set_add_job(app, &[id], &dice.name("job", 2))?,
            Err(Error::Conflict(_)) => {}
            Err(error) => return Err(error),
        },
        4 => drop(tx.set_input_state(app, &id, state, ("", ""), 2)?),
        5 => drop(tx.update_input(&input(app, &id, state))?),
        6 | 7 => {
            let annotation_id = dice.name("a", 8);
            if tx.input(app, &id)?.is_some() {
                let mut all = labels(app, &annotation_id, dice);
                all.iter_mut().for_each(|label| label.input_id.clone_from(&id));
                match tx.annotation(app, &annotation_id)? {
                    Some(other) if other.input_id != id => {}
                    Some(_) => tx.put_region_labels(&all)?,
                    None => {
                        tx.insert_annotation(&annotation(app, &annotation_id, &id))?;
                        tx.put_labels(&all)?;
                    }
                }
            }
        }
        8 => drop(tx.delete_labels_of_annotation(app, &dice.name("a", 8), &dice.names("c", 3))?),
        9 => drop(tx.delete_annotations(app, &dice.names("a", 8))?),
        10 => match dice.below(2) {
            0 => drop(tx.delete_labels(app, &id, Some(&dice.names("c", 3)))?),
            _ => drop(tx.delete_labels::<&str>(app, &id, None)?),
        },
        11 => match dice.below(3) {
            0 => drop(tx.delete_concepts(app, &[dice.name("c", 3)])?),
            _ => drop(tx.upsert_concept_if_missing(&concept(app, &dice.name("c", 3)))?),
        },
        12 => drop(tx.put_dataset_inputs(&members(app, dice))?),
        13 => match dice.below(4) {
            0 => while tx.purge_dataset_inputs(app, &dice.name("d", 1), 2)? > 0 {},
            _ => drop(tx.delete_dataset_inputs(app, &dice.name("d", 2), &dice.names("i", 12))?),
        },
        14 => match dice.below(12) {
            0 => drop(tx.delete_all_inputs(app)?),
            1 | 2 => drop(tx.copy_inputs((app, "copy"), 0, 5, true)?),
            3 => drop(tx.give_up_inputs_of_add_job((app, "job0"), 0, 3, ("", ""), 3)?),
            _ => drop(tx.delete_inputs(app, &dice.names("i", 12))?),
        },
        // What is read in between must be up to date too.
        _ => assert_eq!(kept(tx, app)?, recounted(tx, app)?),
    }
    Ok(())
}

type Counts = BTreeMap<(String, String, i64), i64>;

fn kept(tx: &Tx<'_>, app: &str) -> Result<Counts> {
    let mut counts = Counts::new();
    for (state, n) in tx.count_inputs(app)? {
        counts.insert((INPUTS.to_owned(), String::new(), state), n);
    }
    for count in tx.concept_counts(app, &["c0", "c1", "c2"])? {
        let kind = if count.positive { POSITIVE } else { NEGATIVE };
        counts.insert((kind.to_owned(), count.concept_id, count.state), count.n);
    }
    for dataset in ["d0", "d1"] {
        counts.insert((DATASET.to_owned(), dataset.to_owned(), 0), tx.count_dataset_inputs(app, dataset)?);
    }
    counts.retain(|_, n| *n != 0);
    Ok(counts)
}

fn recounted(tx: &Tx<'_>, app: &str) -> Result<Counts> {
    let sql = "SELECT 'inputs', '', state, COUNT(*) FROM inputs WHERE app_uid = ?1 GROUP BY state \
               UNION ALL SELECT CASE WHEN l.value >= 0.5 THEN 'positive' ELSE 'negative' END, l.concept_id, i.state, \
               COUNT(DISTINCT l.input_id) FROM labels l JOIN inputs i ON i.app_uid = l.app_uid AND i.id = l.input_id \
               WHERE l.app_uid = ?1 GROUP BY l.value >= 0.5, l.concept_id, i.state \
               UNION ALL SELECT 'dataset', dataset_uid, CAST(0 AS BIGINT), COUNT(*) FROM dataset_inputs \
               WHERE app_uid = ?1 GROUP BY dataset_uid";
    let mut counts = Counts::new();
    for row in tx.raw(sql, &[app.into()])? {
        let mut row = row;
        let read = |row: &mut Row| {
            Ok::<_, crate::db::BadColumn>(((row.text()?, row.text()?, row.int()?), row.int()?))
        };
        let (key, n) = read(&mut row).map_err(|_| Error::Sql("a count".to_owned()))?;
        counts.insert(key, n);
    }
    Ok(counts)
}

async fn check(store: &Store, at: &str) {
    for app in ["app", "copy"] {
        let (kept, recounted) =
            store.read(move |tx| Ok::<_, Error>((kept(tx, app)?, recounted(tx, app)?))).await.unwrap();
        assert_eq!(kept, recounted, "{app}, {at}");
    }
}

#[tokio::test]
async fn kept_counts_are_those_of_a_recount_after_any_changes() {
    for db in TestStore::all().await {
        for round in 0..150 {
            let done = db.store.write(move |tx| {
                let mut dice = Dice(round * 977 + 5);
                for _ in 0..=dice.below(6) {
                    let app = if dice.below(8) == 0 { "copy" } else { "app" };
                    change(tx, app, &mut dice)?;
                }
                // Some transactions come to nothing, and so must what they have counted.
                if dice.below(7) == 0 { Err(Error::Unstorable("given up".to_owned())) } else { Ok(()) }
            });
            assert!(matches!(done.await, Ok(()) | Err(Error::Unstorable(_))), "round {round}");
            check(&db.store, &format!("round {round} on {}", db.name)).await;
        }
        while db.store.write(|tx| tx.purge_app_rows("app", 7)).await.unwrap() > 0 {}
        let left = db.store.read(|tx| Ok::<_, Error>(kept(tx, "app")?.len())).await.unwrap();
        assert_eq!(left, 0, "nothing is left of an app that was deleted");
        check(&db.store, "after the deletion").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_at_once_are_all_counted_and_none_fails() {
    for db in TestStore::all().await {
        let tasks = (0..6_u64).map(|t| {
            let store = db.store.clone();
            tokio::spawn(async move {
                for i in 0..12 {
                    let write = move |tx: &mut Tx<'_>| {
                        let mut dice = Dice(t * 1_000 + i);
                        (0..3).try_for_each(|_| change(tx, "app", &mut dice))
                    };
                    store.write(write).await.unwrap();
                }
            })
        });
        for task in futures_util::future::join_all(tasks).await {
            task.unwrap();
        }
        check(&db.store, db.name).await;
    }
}

/// Takes a database back to before there were kept counts.
const BACK: &str = "DROP TABLE kept_counts; DROP TABLE annotation_concepts; \
                    DROP INDEX labels_in_order; DROP INDEX predictions_in_order; \
                    ALTER TABLE labels DROP COLUMN input_seq; ALTER TABLE labels DROP COLUMN positive; \
                    ALTER TABLE predictions DROP COLUMN input_seq; \
                    CREATE INDEX labels_by_concept ON labels (app_uid, concept_id, value, input_id); \
                    CREATE INDEX predictions_by_concept \
                    ON predictions (concept_id, app_uid, model_version_id, value, input_id); \
                    DELETE FROM schema_migrations WHERE version = 16;";

#[tokio::test]
async fn an_older_database_is_counted_once_when_it_is_brought_up_to_date() {
    for db in TestStore::all().await {
        let fill = |tx: &mut Tx<'_>| {
            let mut dice = Dice(8);
            for app in ["app", "copy"] {
                for i in 0..12 {
                    tx.insert_input(&input(app, &format!("i{i}"), i % 4))?;
                    tx.put_predictions(app, &format!("i{i}"), "m", &[("c0".to_owned(), 0.5)])?;
                    let doc = serde_json::from_str(r#"{"data":{"concepts":[{"concept_id":"c1"}]}}"#);
                    let doc = doc.expect("a document");
                    let (id, input_id) = (format!("a{i}"), format!("i{i}"));
                    tx.insert_annotation(&Annotation { doc, ..annotation(app, &id, &input_id) })?;
                    let mut all = labels(app, &id, &mut dice);
                    all.iter_mut().for_each(|label| label.input_id.clone_from(&input_id));
                    tx.put_labels(&all)?;
                    tx.put_dataset_inputs(&members(app, &mut dice))?;
                }
            }
            Ok::<_, Error>(())
        };
        db.store.write(fill).await.unwrap();
        let seen = |tx: &mut Tx<'_>| {
            let counts = (kept(tx, "app")?, kept(tx, "copy")?);
            let labelled = tx.labelled_in_order(("app", "c1"), true, 0, 100)?;
            let annotated = tx.inputs_of_annotations_with("app", "c1", 0, 100)?;
            let predicted = tx.predicted_in_order("app", ("m", "c0"), 0.0, (1.0, 0), 100)?;
            Ok::<_, Error>((counts, labelled, annotated, predicted))
        };
        let before = db.store.read(seen).await.unwrap();
        assert_eq!((before.2.len(), before.3.len()), (12, 12));
        db.store.write(|tx| tx.batch(BACK)).await.unwrap();
        db.store.write(crate::migrate::run).await.unwrap();
        assert_eq!(db.store.read(seen).await.unwrap(), before, "{}", db.name);
        check(&db.store, db.name).await;
    }
}

#[tokio::test]
async fn a_page_far_from_the_start_begins_where_walking_there_ends() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            for i in 0..40 {
                // Numbers with gaps, so that forty inputs lie at ten places.
                tx.take_numbers("app", "inputs", 1_000)?;
                tx.insert_input(&input("app", &format!("i{i}"), i % 3))?;
            }
            tx.delete_inputs("app", &["i5", "i6", "i30"])?;
            for (states, newest_first) in
                [(vec![], false), (vec![], true), (vec![1], false), (vec![0, 2], true)]
            {
                let query = |after_seq, offset| InputQuery {
                    states: states.clone(),
                    newest_first,
                    after_seq,
                    limit: 3,
                    offset,
                };
                let ids = |inputs: Vec<Input>| inputs.into_iter().map(|row| row.id).collect::<Vec<_>>();
                for offset in 0..45 {
                    let start = tx.far_page_start("app", &states, newest_first, offset)?;
                    let near = ids(tx.inputs_page("app", &query(None, offset))?);
                    assert!(start.offset <= 5 || near.is_empty(), "{offset}");
                    let after = start.after_seq.or(newest_first.then_some(i64::MAX)).or(Some(0));
                    assert_eq!(ids(tx.inputs_page("app", &query(after, start.offset))?), near, "{offset}");
                }
            }
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}
