//! Usage: what is counted, what is refused, and what it costs.

use std::collections::BTreeMap;

use ocellus_store::testing::TestStore;

use super::calendar::HOUR_US;
use super::*;
use crate::testing::TestPlatform;
use crate::{AccountCtx, Kind, Page, accounts};

/// Both databases under the same quotas.
async fn platforms(quotas: &[&str]) -> Vec<TestPlatform> {
    let plans = ["basic".to_owned(), "pro letmein".to_owned()];
    let quotas: Vec<String> = quotas.iter().map(|quota| (*quota).to_owned()).collect();
    let prices = ["predict 0.5".to_owned(), "pro: predict 0.25".to_owned()];
    let config = UsageConfig::read(&plans, &prices, &quotas).unwrap();
    let mut found = Vec::new();
    for store in TestStore::all().await {
        found.push(TestPlatform::on(store, |platform| platform.usage = config.clone()).await);
    }
    found
}

fn predict(n_operations: u64) -> Call {
    Call {
        operation: "PostModelOutputs".to_owned(),
        kind: OperationKind::Predict,
        n_operations,
        free: false,
        is_part: false,
    }
}

fn other(operation: &str) -> Call {
    Call {
        operation: operation.to_owned(),
        kind: OperationKind::Other,
        n_operations: 1,
        free: false,
        is_part: false,
    }
}

/// A call that works out.
async fn use_up(platform: &Platform, caller: &Caller, call: Call) -> Result<()> {
    let n_operations = call.n_operations;
    let begun = begin(platform, caller, call).await?;
    begun.end(Done { app_id: "demo".to_owned(), n_operations, ..Done::default() }).await;
    Ok(())
}

async fn counted(account: &AccountCtx) -> BTreeMap<&'static str, u64> {
    let counts = realtime(account, None).await.unwrap();
    counts.into_iter().filter(|(_, n)| *n > 0).map(|(kind, n)| (kind.name(), n)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_is_counted_once_by_all_that_is_known_of_it() {
    for test in TestPlatform::all().await {
        let (caller, account) = (test.caller().await, test.account().await);
        let mut calls = Vec::new();
        for i in 0..200_u64 {
            let (platform, caller) = (test.platform.clone(), caller.clone());
            calls.push(tokio::spawn(async move {
                let call = if i % 2 == 0 { predict(1 + i % 3) } else { other("ListInputs") };
                use_up(&platform, &caller, call).await.unwrap();
            }));
        }
        for call in calls {
            call.await.unwrap();
        }
        let n_predicted: u64 = (0..200).filter(|i| i % 2 == 0).map(|i| 1 + i % 3).sum();
        assert_eq!(counted(&account).await, BTreeMap::from([("predict", n_predicted), ("other", 100)]));

        test.clock.advance_us(DAY_US);
        use_up(&test.platform, &caller, other("ListInputs")).await.unwrap();
        let history = history(&account, Some("demo")).await.unwrap();
        let series = history.series.iter().map(|series| {
            let n = series.n_operations.len();
            (
                series.used.operation.as_str(),
                series.used.key_id == caller.key_id,
                &series.n_operations[n - 2..],
            )
        });
        let expected =
            [("ListInputs", true, &[100, 1][..]), ("PostModelOutputs", true, &[n_predicted as i64, 0])];
        assert_eq!(series.collect::<Vec<_>>(), expected);
        assert_eq!(history.series[0].n_operations.len() as i64, History::N_DAYS);
        assert_eq!(super::history(&account, Some("elsewhere")).await.unwrap().series, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_as_many_calls_get_through_as_there_are() {
    for test in platforms(&["predict 10/month", "calls 1000/day"]).await {
        let caller = test.caller().await;
        let mut calls = Vec::new();
        for _ in 0..50 {
            let (platform, caller) = (test.platform.clone(), caller.clone());
            calls.push(tokio::spawn(async move { use_up(&platform, &caller, predict(1)).await }));
        }
        let mut n_good = 0;
        for call in calls {
            match call.await.unwrap() {
                Ok(()) => n_good += 1,
                Err(error) => assert_eq!(error.kind, Kind::Exhausted),
            }
        }
        assert_eq!(n_good, 10);
        assert_eq!(counted(&test.account().await).await, BTreeMap::from([("predict", 10)]));
        // Another process begins with what was counted.
        let error = use_up(&test.another(), &caller, predict(1)).await.unwrap_err();
        assert_eq!(error.about, Some(crate::Resource::Other("quota", "month".to_owned())));
        assert!(error.message.contains("10 predict operations per month"), "{error}");
        // The clock of a test begins with January.
        assert_eq!(error.retry_after_s, Some(31 * 86_400 + 1));
        use_up(&test.platform, &caller, other("ListInputs")).await.unwrap();
        test.clock.advance_us(31 * DAY_US);
        use_up(&test.platform, &caller, predict(10)).await.unwrap();
    }
}

#[tokio::test]
async fn a_call_that_comes_to_nothing_uses_nothing_but_tries() {
    for test in platforms(&["predict 5/day", "calls 4/minute"]).await {
        let (platform, caller) = (&test.platform, test.caller().await);
        drop(begin(platform, &caller, predict(5)).await.unwrap());
        // Only two of the five could be predicted.
        let begun = begin(platform, &caller, predict(5)).await.unwrap();
        begun.end(Done { n_operations: 2, ..Done::default() }).await;
        let error = use_up(platform, &caller, predict(4)).await.unwrap_err();
        assert!(error.message.contains("5 predict operations per day"), "{error}");
        use_up(platform, &caller, predict(3)).await.unwrap();
        let free = Call { free: true, ..other("GetSubscription") };
        use_up(platform, &caller, free.clone()).await.unwrap();
        let error = use_up(platform, &caller, other("ListInputs")).await.unwrap_err();
        assert!(error.message.contains("4 requests per minute"), "{error}");
        assert_eq!(error.retry_after_s, Some(61));
        use_up(platform, &caller, free).await.unwrap();
        test.clock.advance_us(60_000_000);
        use_up(platform, &caller, other("ListInputs")).await.unwrap();
    }
}

#[tokio::test]
async fn quotas_of_hour_and_day_outlive_the_process_and_are_each_accounts_own() {
    for test in platforms(&["calls 3/hour", "calls 5/day"]).await {
        let caller = test.caller().await;
        accounts::create(&test.platform, "second", "Second").await.unwrap();
        let second = Caller::operator("second");
        for _ in 0..3 {
            use_up(&test.platform, &caller, other("ListInputs")).await.unwrap();
        }
        let next = test.another();
        let error = use_up(&next, &caller, other("ListInputs")).await.unwrap_err();
        assert!(error.message.contains("3 requests per hour"), "{error}");
        use_up(&next, &second, other("ListInputs")).await.unwrap();
        test.clock.advance_us(HOUR_US);
        for _ in 0..2 {
            use_up(&next, &caller, other("ListInputs")).await.unwrap();
        }
        let error = use_up(&test.another(), &caller, other("ListInputs")).await.unwrap_err();
        assert!(error.message.contains("5 requests per day"), "{error}");
        assert_eq!(counted(&test.account().await).await, BTreeMap::from([("other", 5)]));
    }
}

#[tokio::test]
async fn a_plan_decides_prices_and_quotas_from_the_next_call_on() {
    for test in platforms(&["predict 2/month", "pro: predict 4/month"]).await {
        let (caller, account) = (test.caller().await, test.account().await);
        use_up(&test.platform, &caller, predict(2)).await.unwrap();
        assert_eq!(use_up(&test.platform, &caller, predict(1)).await.unwrap_err().kind, Kind::Exhausted);
        let dollars = |bill: Bill| bill.items.iter().map(Item::dollars).sum::<f64>();
        assert_eq!(dollars(bill(&account).await.unwrap()), 1.0);

        assert_eq!(subscribe(&account, "max", "").await.unwrap_err().kind, Kind::NotFound);
        assert_eq!(subscribe(&account, "pro", "guess").await.unwrap_err().kind, Kind::Invalid);
        assert_eq!(subscription(&account).await.unwrap().0.name, "basic");
        subscribe(&account, "pro", "letmein").await.unwrap();
        let (plan, code) = subscription(&account).await.unwrap();
        assert_eq!((plan.name.as_str(), code.as_str()), ("pro", "letmein"));
        use_up(&test.platform, &caller, predict(2)).await.unwrap();
        assert_eq!(use_up(&test.platform, &caller, predict(1)).await.unwrap_err().kind, Kind::Exhausted);
        assert_eq!(use_up(&test.another(), &caller, predict(1)).await.unwrap_err().kind, Kind::Exhausted);
        let bill = bill(&account).await.unwrap();
        assert_eq!((bill.cycle.number, dollars(bill)), (203_001, 1.0));
    }
}

#[tokio::test]
async fn there_is_a_cycle_for_every_month_of_the_account() {
    let test = TestPlatform::new().await;
    test.clock.advance_us(70 * DAY_US);
    let account = test.account().await;
    let found = cycles(&account, Page::default()).await.unwrap();
    assert_eq!(found.iter().map(|cycle| cycle.number).collect::<Vec<_>>(), [203_003, 203_002, 203_001]);
    assert!(found.windows(2).all(|two| two[0].start_us == two[1].end_us));
    let second = cycles(&account, Page { page: 2, per_page: 2 }).await.unwrap();
    assert_eq!(second, found[2..]);
}
