//! Stats: what is recorded and how it is summed up.

use super::*;
use crate::testing::{START_US, TestPlatform};

fn new(at_us: i64, value: f32, tags: &[&str]) -> NewStatValue {
    NewStatValue { at_us: Some(at_us), value, tags: tags.iter().map(|tag| (*tag).to_owned()).collect() }
}

fn query(tags: &[&str], groups: &[&str]) -> StatQuery {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    StatQuery {
        tags: texts(tags),
        groups: texts(groups),
        aggregation: Aggregation::Sum,
        step: None,
        from_us: None,
        to_us: None,
    }
}

fn found(aggregates: &[Aggregate]) -> Vec<(Option<i64>, f64, u64, String)> {
    let one = |a: &Aggregate| (a.at_us, a.value, a.n_values, a.tags.join(" "));
    aggregates.iter().map(one).collect()
}

#[tokio::test]
async fn numbers_are_summed_up_by_tag_and_time() {
    const MINUTE_US: i64 = 60_000_000;
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let values = vec![
            new(START_US, 1.0, &["camera:1", "good"]),
            new(START_US + 1, 2.0, &["camera:1"]),
            new(START_US + MINUTE_US, 4.0, &["camera:2", "good"]),
            new(START_US + DAY_US, 8.0, &["camera:20", "good"]),
        ];
        record(&app, values).await.unwrap();

        let all = aggregate(&app, &query(&[], &[])).await.unwrap();
        assert_eq!(found(&all), [(None, 15.0, 4, String::new())]);
        let good = aggregate(&app, &query(&["good"], &["camera"])).await.unwrap();
        let expected = [("camera:1", 1.0), ("camera:2", 4.0), ("camera:20", 8.0)];
        assert_eq!(found(&good), expected.map(|(tag, sum)| (None, sum, 1, tag.to_owned())));
        let minutes = StatQuery {
            step: Some(Step::Minute),
            aggregation: Aggregation::Average,
            to_us: Some(START_US + DAY_US),
            ..query(&[], &[])
        };
        let minutes = aggregate(&app, &minutes).await.unwrap();
        let expected =
            [(Some(START_US), 1.5, 2, String::new()), (Some(START_US + MINUTE_US), 4.0, 1, String::new())];
        assert_eq!(found(&minutes), expected);
        assert_eq!(aggregate(&app, &query(&["nothing"], &[])).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_number_that_cannot_be_kept_is_refused_with_all_that_came_with_it() {
    let test = TestPlatform::new().await;
    let app = test.app().await;
    for bad in [
        new(START_US, f32::NAN, &[]),
        new(i64::MAX, 1.0, &[]),
        new(START_US, 1.0, &[""]),
        new(START_US, 1.0, &["usage"]),
        new(START_US, 1.0, &["x"; 65]),
    ] {
        let values = vec![new(START_US, 1.0, &[]), bad];
        assert_eq!(record(&app, values).await.unwrap_err().kind, crate::Kind::Invalid);
    }
    assert_eq!(record(&app, Vec::new()).await.unwrap_err().kind, crate::Kind::Invalid);
    assert_eq!(aggregate(&app, &query(&[], &[])).await.unwrap(), []);
}
