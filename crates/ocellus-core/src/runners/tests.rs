//! Runners and their work: who may serve what, and how an item gets from the asker to a runner and back.

#![expect(clippy::large_futures, reason = "each test has a stack of its own")]

use ocellus_store::testing::TestStore;
use tokio::task::JoinHandle;

use super::items::{Answer, Delivery, NewItem, answer, give_back, keep, next, predict, take};
use super::*;
use crate::apps::{self, NewApp};
use crate::testing::TestPlatform;
use crate::user_models::NewModel;
use crate::{Caller, Kind, accounts};

const LEASE_US: i64 = 20_000_000;

/// On every database, with a model "m" in the first app and runners "r" and "s" that serve it.
async fn all(adjust: impl Fn(&mut RunnersConfig)) -> Vec<(TestPlatform, AppCtx, UserModel, AccountCtx)> {
    let mut found = Vec::new();
    for store in TestStore::all().await {
        let test = TestPlatform::on(store, |config| {
            config.jobs.poll_ms = 10;
            config.runners.predict_timeout = Duration::from_secs(60);
            config.runners.poll = Duration::from_secs(30);
            adjust(&mut config.runners);
        })
        .await;
        let app = test.app().await;
        let account = test.account().await;
        let model = model(&app, "m").await;
        create(&account, vec![serving(&app, "r", "m"), serving(&app, "s", "m")]).await.unwrap();
        found.push((test, app, model, account));
    }
    found
}

async fn model(app: &AppCtx, id: &str) -> UserModel {
    let new =
        NewModel { id: id.to_owned(), model_type_id: "visual-classifier".to_owned(), ..NewModel::default() };
    user_models::create(app, new).await.unwrap()
}

fn serving(app: &AppCtx, id: &str, model_id: &str) -> NewRunner {
    let model =
        ModelRef { app_id: app.app().id.clone(), model_id: model_id.to_owned(), version_id: String::new() };
    NewRunner { id: id.to_owned(), model: Some(model), ..NewRunner::default() }
}

fn labelled(id: &str, label: &str) -> NewRunner {
    let doc = Runner { labels: vec![label.to_owned()], ..Runner::default() };
    NewRunner { id: id.to_owned(), doc, ..NewRunner::default() }
}

fn asked() -> NewItem {
    NewItem { version_id: String::new(), request: b"asked".to_vec(), n_inputs: 2 }
}

fn said(text: &str) -> Answer {
    Answer { outputs: text.as_bytes().to_vec(), n_outputs: Some(2) }
}

fn begin(app: &AppCtx, model: &UserModel) -> JoinHandle<Result<Vec<u8>>> {
    let (app, model) = (app.clone(), model.clone());
    tokio::spawn(async move { predict(&app, &model, asked()).await })
}

async fn waited(account: &AccountCtx, runner_id: &str) -> Delivery {
    next(account, runner_id).await.unwrap().unwrap()
}

/// Another account with an app "theirs".
async fn others(test: &TestPlatform) -> (AccountCtx, AppCtx) {
    accounts::create(&test.platform, "other", "Other").await.unwrap();
    let caller = Caller::operator("other");
    let account = test.platform.account(&caller, "me", &[]).await.unwrap();
    apps::create(&account, vec![NewApp { id: Some("theirs".to_owned()), ..NewApp::default() }])
        .await
        .unwrap();
    let app = test.platform.app(&caller, "me", "theirs", &[]).await.unwrap();
    (account, app)
}

#[tokio::test]
async fn a_prediction_waits_for_a_runner_and_gets_its_answer() {
    for (_test, app, model, account) in all(|_| {}).await {
        assert!(serve(&app, &model, "").await.unwrap());
        let asking = begin(&app, &model);
        let delivery = waited(&account, "r").await;
        assert_eq!(delivery.request, b"asked");
        // An answer for other inputs than were asked about is refused, and the item stays with its runner.
        let short = Answer { n_outputs: Some(1), ..said("short") };
        assert_eq!(answer(&account, "r", &delivery.id, short).await.unwrap_err().kind, Kind::Invalid);
        answer(&account, "r", &delivery.id, said("first")).await.unwrap();
        assert_eq!(asking.await.unwrap().unwrap(), b"first");
        let again = answer(&account, "r", &delivery.id, said("second")).await;
        assert_eq!(again.unwrap_err().kind, Kind::Conflict);
    }
}

#[tokio::test]
async fn an_item_whose_runner_dies_goes_to_another_when_the_lease_ends() {
    for (test, app, model, account) in all(|_| {}).await {
        let asking = begin(&app, &model);
        let first = waited(&account, "r").await;
        test.clock.advance_us(LEASE_US - 1);
        assert_eq!(take(&account, "s").await.unwrap(), None);
        assert!(keep(&account, &first).await.unwrap());
        test.clock.advance_us(LEASE_US - 1);
        assert_eq!(take(&account, "s").await.unwrap(), None);
        test.clock.advance_us(1);
        let second = take(&account, "s").await.unwrap().unwrap();
        assert_eq!((&second.id, &second.request), (&first.id, &first.request));
        // The first has lost it for good.
        assert!(!keep(&account, &first).await.unwrap());
        let late = answer(&account, "r", &first.id, said("late")).await;
        assert_eq!(late.unwrap_err().kind, Kind::NotFound);
        answer(&account, "s", &second.id, said("done")).await.unwrap();
        assert_eq!(asking.await.unwrap().unwrap(), b"done");
        test.clock.advance_us(LEASE_US);
        assert_eq!(take(&account, "r").await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_item_that_two_deliveries_did_not_answer_fails() {
    for (test, app, model, account) in all(|_| {}).await {
        let asking = begin(&app, &model);
        let first = waited(&account, "r").await;
        test.clock.advance_us(LEASE_US);
        take(&account, "r").await.unwrap().unwrap();
        test.clock.advance_us(LEASE_US);
        assert_eq!(take(&account, "r").await.unwrap(), None);
        let failed = asking.await.unwrap().unwrap_err();
        assert_eq!(
            (failed.kind, failed.about.map(|about| about.noun())),
            (Kind::Unavailable, Some(items::NOUN))
        );
        let late = answer(&account, "r", &first.id, said("late")).await;
        assert_eq!(late.unwrap_err().kind, Kind::Conflict);
    }
}

#[tokio::test]
async fn an_item_given_back_is_handed_out_at_once() {
    for (_test, app, model, account) in all(|_| {}).await {
        let asking = begin(&app, &model);
        let first = waited(&account, "r").await;
        assert!(give_back(&account, &first).await.unwrap());
        let second = waited(&account, "s").await;
        answer(&account, "s", &second.id, said("done")).await.unwrap();
        assert_eq!(asking.await.unwrap().unwrap(), b"done");
    }
}

#[tokio::test]
async fn a_prediction_that_nobody_answers_ends_with_its_time() {
    for (_test, app, model, account) in
        all(|config| config.predict_timeout = Duration::from_millis(300)).await
    {
        let (refused, taken) = tokio::join!(predict(&app, &model, asked()), waited(&account, "r"));
        assert_eq!(refused.unwrap_err().kind, Kind::Timeout);
        let late = answer(&account, "r", &taken.id, said("late")).await;
        assert_eq!(late.unwrap_err().kind, Kind::Cancelled);
        assert_eq!(take(&account, "s").await.unwrap(), None);
    }
}

#[tokio::test]
async fn no_more_than_the_queue_holds_may_wait() {
    let short = |config: &mut RunnersConfig| config.queue_len = 1;
    for (_test, app, model, account) in all(short).await {
        let asking = begin(&app, &model);
        let taken = waited(&account, "r").await;
        let refused = predict(&app, &model, asked()).await.unwrap_err();
        assert_eq!((refused.kind, refused.retry_after_s), (Kind::Unavailable, Some(1)));
        answer(&account, "r", &taken.id, said("done")).await.unwrap();
        asking.await.unwrap().unwrap();
        let large = NewItem { request: vec![0; (64 << 20) + 1], ..asked() };
        assert_eq!(predict(&app, &model, large).await.unwrap_err().kind, Kind::TooLarge);
    }
}

#[tokio::test]
async fn runners_work_for_their_own_account_alone() {
    for (test, app, model, account) in all(|_| {}).await {
        let (theirs, their_app) = others(&test).await;
        // Nor can somebody else's model be served, and an id may be used once in each account.
        let stolen = NewRunner { model: serving(&app, "r", "m").model, ..NewRunner::default() };
        assert_eq!(create(&theirs, vec![stolen]).await.unwrap_err().kind, Kind::NotFound);
        create(&theirs, vec![labelled("r", "m")]).await.unwrap();
        assert_eq!(create(&theirs, vec![labelled("r", "m")]).await.unwrap_err().kind, Kind::Conflict);

        let asking = begin(&app, &model);
        let delivery = waited(&account, "r").await;
        assert!(give_back(&account, &delivery).await.unwrap());
        assert_eq!(take(&theirs, "r").await.unwrap(), None);
        let delivery = waited(&account, "r").await;
        for runner_id in ["r", "s"] {
            let foreign = answer(&theirs, runner_id, &delivery.id, said("wrong")).await;
            assert_eq!(foreign.unwrap_err().kind, Kind::NotFound);
        }
        let idle = answer(&account, "s", &delivery.id, said("wrong")).await;
        assert_eq!(idle.unwrap_err().kind, Kind::NotFound);
        answer(&account, "r", &delivery.id, said("right")).await.unwrap();
        assert_eq!(asking.await.unwrap().unwrap(), b"right");

        // A label serves every model of the account with that id, and none of another account.
        let own = self::model(&their_app, "m").await;
        assert!(serve(&their_app, &own, "").await.unwrap());
        let asking = begin(&their_app, &own);
        let delivery = waited(&theirs, "r").await;
        assert_eq!(take(&account, "r").await.unwrap(), None);
        answer(&theirs, "r", &delivery.id, said("theirs")).await.unwrap();
        assert_eq!(asking.await.unwrap().unwrap(), b"theirs");
    }
}

#[tokio::test]
async fn a_deleted_runner_gets_nothing_and_its_item_goes_to_another() {
    for (test, app, model, account) in all(|_| {}).await {
        let asking = begin(&app, &model);
        let delivery = waited(&account, "r").await;
        delete(&account, &["r".to_owned()]).await.unwrap();
        assert_eq!(take(&account, "r").await.unwrap_err().kind, Kind::NotFound);
        assert_eq!(answer(&account, "r", &delivery.id, said("no")).await.unwrap_err().kind, Kind::NotFound);
        test.clock.advance_us(LEASE_US);
        let delivery = waited(&account, "s").await;
        answer(&account, "s", &delivery.id, said("done")).await.unwrap();
        assert_eq!(asking.await.unwrap().unwrap(), b"done");
        delete(&account, &["s".to_owned()]).await.unwrap();
        assert!(!serve(&app, &model, "").await.unwrap());
        assert_eq!(delete(&account, &["s".to_owned()]).await.unwrap_err().kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn a_runner_names_a_model_that_is_there() {
    for (_test, app, model, account) in all(|_| {}).await {
        let with = |change: fn(&mut ModelRef)| {
            let mut new = serving(&app, "x", "m");
            new.model.as_mut().map(change).unwrap();
            new
        };
        for (bad, kind) in [
            (NewRunner::default(), Kind::Invalid),
            (labelled("x", ""), Kind::Invalid),
            (with(|model| model.app_id.clear()), Kind::Invalid),
            (with(|model| model.app_id = "nothing".to_owned()), Kind::NotFound),
            (with(|model| model.model_id = "nothing".to_owned()), Kind::NotFound),
            (with(|model| model.version_id = "nothing".to_owned()), Kind::NotFound),
        ] {
            assert_eq!(create(&account, vec![bad.clone()]).await.unwrap_err().kind, kind, "{bad:?}");
        }
        let mut of_version = serving(&app, "v", "m");
        of_version.model.as_mut().unwrap().version_id.clone_from(&model.newest.id);
        of_version.doc.nodepool_id = "pool".to_owned();
        create(&account, vec![of_version]).await.unwrap();
        assert_eq!(get(&account, "v").await.unwrap().doc.model.unwrap().model_id, "m");
        let ids = |found: Vec<Stored<Runner>>| found.into_iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(ids(list(&account, "", Page::default()).await.unwrap()), ["r", "s", "v"]);
        assert_eq!(ids(list(&account, "pool", Page::default()).await.unwrap()), ["v"]);
        delete(&account, &["r".to_owned(), "s".to_owned()]).await.unwrap();
        for (version_id, served) in [("", true), (model.newest.id.as_str(), true), ("another", false)] {
            assert_eq!(serve(&app, &model, version_id).await.unwrap(), served, "{version_id}");
        }
    }
}
