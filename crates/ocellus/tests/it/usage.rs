//! Counting survives `kill -9`: what a server says was used is what its own log of requests says, line by line.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Place, Server, request_with_body, text};

const N_CALLS: usize = 1_000;
const N_CALLERS: usize = 16;
const COLOR: &str = "/v2/models/eeed0b6733a644cea07cf4c60f87ebb7/outputs";
/// A picture of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// Operations by key and operation.
type Counts = BTreeMap<(String, String), i64>;

/// Method, path, body and key of one of the mixed calls.
fn mixed(i: usize, key: &Value) -> (&'static str, String, Value, String) {
    let (api_key, pat) = (key["api_key"].as_str().unwrap(), key["pat"].as_str().unwrap());
    let concept = json!({"concepts": [{"id": format!("c{i}")}]});
    let inputs = json!({"inputs": [{"id": format!("a{i}"), "data": {"image": {"base64": "YWJj"}}},
        {"id": format!("b{i}"), "data": {"image": {"base64": "YWJj"}}}]});
    let outputs = json!({"inputs": vec![json!({"data": {"image": {"base64": PIXEL}}}); 1 + i % 3]});
    let (method, path, body) = match i % 10 {
        0..=2 => ("GET", "/v2/concepts".to_owned(), Value::Null),
        3 => ("POST", "/v2/concepts".to_owned(), concept),
        4 => ("POST", "/v2/inputs".to_owned(), inputs),
        5 => ("POST", COLOR.to_owned(), outputs),
        6 => ("GET", format!("/v2/inputs/missing{i}"), Value::Null),
        7 => ("POST", "/v2/concepts".to_owned(), json!({"concepts": "nonsense"})),
        8 => return ("GET", "/v2/users/me/apps".to_owned(), Value::Null, pat.to_owned()),
        _ => return ("GET", "/v2/concepts".to_owned(), Value::Null, "0".repeat(32)),
    };
    (method, path, body, api_key.to_owned())
}

/// Sends calls `from..to` from several threads; each answer is handed to `seen`. Ends early when the server is gone.
fn send(url: &str, key: &Value, range: std::ops::Range<usize>, seen: impl Fn() + Sync) -> usize {
    let (next, answered) = (AtomicUsize::new(range.start), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..N_CALLERS {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= range.end {
                        return;
                    }
                    let (method, path, body, key) = mixed(i, key);
                    let authorization = format!("Key {key}");
                    let headers = [("authorization", authorization.as_str())];
                    let body = if body.is_null() { String::new() } else { body.to_string() };
                    if request_with_body(&format!("{url}{path}"), method, &headers, &body).is_none() {
                        return;
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                    seen();
                }
            });
        }
    });
    answered.into_inner()
}

/// What the log says: every request of a known key whose outcome was success, in whole or in part. Predictions and inputs
/// count as many operations as the line says.
fn recount(log: &str) -> Counts {
    let mut counts = Counts::new();
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let caller = line["caller"].as_str().and_then(|caller| caller.split_once('/'));
        let (Some((_, key_id)), true) = (caller, line["target"] == "access") else { continue };
        let worked = line["outcome"] == 10000 || line["outcome"] == 10010;
        assert_eq!(worked, line["operations"].is_number(), "{line}");
        if worked {
            let operation = line["route"].as_str().unwrap().to_owned();
            *counts.entry((key_id.to_owned(), operation)).or_default() +=
                line["operations"].as_i64().unwrap();
        }
    }
    counts
}

/// What the server says.
fn counted(server: &Server, key: &Value) -> Counts {
    let authorization = format!("Key {}", key["pat"].as_str().unwrap());
    let url = format!("{}/v2/users/me/historical_usage", server.url);
    let answer = request_with_body(&url, "POST", &[("authorization", &authorization)], "{}").unwrap();
    let body: Value = serde_json::from_str(answer.1.split_once("\r\n\r\n").unwrap().1).unwrap();
    let mut counts = Counts::new();
    for series in body["usage"].as_array().into_iter().flatten() {
        let name = |dimension: &str| series["dimension"][dimension].as_str().unwrap().to_owned();
        let days = series["int_value_list"].as_array().unwrap();
        let n: i64 = days.iter().map(|n| n.as_str().unwrap().parse::<i64>().unwrap()).sum();
        *counts.entry((name("key_id"), name("operation"))).or_default() += n;
    }
    counts
}

#[test]
fn counters_equal_a_recount_of_the_log_after_a_thousand_calls_and_a_kill() {
    let place = Place::new();
    let mut server = Server::start(&place, &[]);
    let key = place.first_key("data");
    assert_eq!(send(&server.url, &key, 0..N_CALLS, || {}), N_CALLS);
    server.kill();
    let log = text(&std::fs::read(place.path("server.log")).unwrap());
    let expected = recount(&log);
    let n_predicted: usize = (0..N_CALLS).filter(|i| i % 10 == 5).map(|i| 1 + i % 3).sum();
    let predictions = expected.iter().find(|((_, operation), _)| operation == "PostModelOutputs");
    assert_eq!(predictions.map(|(_, n)| *n as usize), Some(n_predicted));

    let server = Server::start(&place, &[]);
    assert_eq!(counted(&server, &key), expected);
}

/// A line is written when the count is on the disk and before the answer leaves: what was answered was logged, and what was
/// logged was counted. Only calls that the kill interrupted in between, one of each caller at most, may be counted without
/// a line.
#[test]
fn a_kill_in_the_middle_of_calls_loses_no_count_of_a_call_that_was_answered() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let key = place.first_key("data");
    let n_seen = AtomicUsize::new(0);
    let pid = server.pid().to_string();
    let kill = || {
        if n_seen.fetch_add(1, Ordering::Relaxed) == N_CALLS / 3 {
            std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
        }
    };
    let n_answered = send(&server.url, &key, 0..N_CALLS, kill);
    assert!(n_answered < N_CALLS, "the server was not killed in the middle");
    drop(server);
    let logged = recount(&text(&std::fs::read(place.path("server.log")).unwrap()));

    let server = Server::start(&place, &[]);
    let mut counted = counted(&server, &key);
    let mut n_more = 0;
    for (used, n_logged) in logged {
        let n_counted = counted.remove(&used).unwrap_or(0);
        assert!(n_counted >= n_logged, "{used:?}: {n_counted} counted, {n_logged} logged");
        n_more += n_counted - n_logged;
    }
    n_more += counted.values().sum::<i64>();
    // A call counts as three operations at most.
    assert!(n_more <= 3 * N_CALLERS as i64, "{n_more} operations more than in the log");
}
