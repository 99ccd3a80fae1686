//! Items for runners: handed out under a lease, a limited number of times, and answered once.

use ocellus_store::testing::TestStore;
use ocellus_store::{Error, RunnerClaim, RunnerItem, RunnerItemsOf};

fn item(id: &str, model_uid: &str, version: &str, due_at_us: i64) -> RunnerItem {
    RunnerItem {
        id: id.to_owned(),
        account_id: "me".to_owned(),
        app_uid: "a".to_owned(),
        model_uid: model_uid.to_owned(),
        model_id: format!("id of {model_uid}"),
        model_version_id: version.to_owned(),
        request: vec![1, 0, 2],
        n_inputs: 1,
        due_at_us,
        deadline_us: 1000,
        ..RunnerItem::default()
    }
}

fn at(now_us: i64) -> RunnerClaim {
    RunnerClaim { now_us, lease_until_us: now_us + 100, max_attempts: 2 }
}

#[tokio::test]
async fn an_item_is_handed_out_under_a_lease_and_twice_at_most() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            tx.insert_runner_item(&item("late", "m", "", 20))?;
            tx.insert_runner_item(&item("early", "m", "", 10))?;
            let of = RunnerItemsOf::Model("m", "");
            assert_eq!(tx.claim_runner_item("me", "r", of, at(9))?, None);
            assert_eq!(tx.claim_runner_item("you", "r", of, at(50))?, None);
            assert_eq!(tx.claim_runner_item("me", "r", RunnerItemsOf::Model("n", ""), at(50))?, None);
            let first = tx.claim_runner_item("me", "r", of, at(50))?.unwrap();
            assert_eq!((first.id.as_str(), first.attempts, first.due_at_us), ("early", 1, 150));
            assert_eq!((first.runner_id.as_str(), &first.request[..]), ("r", &[1, 0, 2][..]));
            assert_eq!(
                tx.claim_runner_item("me", "r", of, at(50))?.map(|item| item.id),
                Some("late".to_owned())
            );
            assert_eq!(tx.claim_runner_item("me", "r", of, at(149))?, None);
            assert!(tx.extend_runner_item("early", "r", first.attempts, 300)?);
            let again = tx.claim_runner_item("me", "s", of, at(150))?.unwrap();
            assert_eq!((again.id.as_str(), again.attempts), ("late", 2));
            let again = tx.claim_runner_item("me", "s", of, at(300))?.unwrap();
            assert_eq!((again.id.as_str(), again.attempts), ("early", 2));
            // The first holder's lease is gone for good.
            assert!(!tx.extend_runner_item("early", "r", first.attempts, 900)?);
            assert_eq!(tx.claim_runner_item("me", "s", of, at(900))?, None);
            assert_eq!(tx.count_open_runner_items("me", "m", 900)?, 2);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn an_item_ends_once_and_is_forgotten_after_its_deadline() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            tx.insert_runner_item(&item("i", "m", "v", 10))?;
            assert!(matches!(tx.insert_runner_item(&item("i", "m", "", 10)), Err(Error::Conflict(_))));
            assert!(tx.end_runner_item("i", RunnerItem::ANSWERED, &[7, 0])?);
            assert!(!tx.end_runner_item("i", RunnerItem::CANCELLED, &[])?);
            let ended = tx.runner_item("i")?.unwrap();
            assert_eq!((ended.state, &ended.outputs[..]), (RunnerItem::ANSWERED, &[7, 0][..]));
            assert!(ended.request.is_empty());
            assert_eq!(tx.count_open_runner_items("me", "m", 20)?, 0);
            assert_eq!(tx.claim_runner_item("me", "r", RunnerItemsOf::Model("m", ""), at(500))?, None);
            // Nobody waits for an item after its deadline.
            tx.insert_runner_item(&item("j", "m", "", 10))?;
            assert_eq!(tx.claim_runner_item("me", "r", RunnerItemsOf::Model("m", ""), at(1000))?, None);
            assert_eq!((tx.purge_runner_items(1000)?, tx.purge_runner_items(1001)?), (0, 2));
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn items_are_found_by_version_and_by_the_models_id() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            tx.insert_runner_item(&item("i", "m", "v", 10))?;
            tx.insert_runner_item(&item("j", "m", "", 20))?;
            let w = RunnerItemsOf::Model("m", "w");
            assert_eq!(tx.claim_runner_item("me", "r", w, at(30))?.map(|item| item.id), Some("j".to_owned()));
            assert_eq!(tx.claim_runner_item("me", "r", w, at(30))?, None);
            let by_id = RunnerItemsOf::ModelId("id of m");
            assert_eq!(
                tx.claim_runner_item("me", "r", by_id, at(30))?.map(|item| item.id),
                Some("i".to_owned())
            );
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}
