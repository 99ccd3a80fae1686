//! `ocellus serve`: the first start, the second, refusals, the pages, and the end.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use crate::support::{Place, Server};

#[test]
fn the_first_start_makes_keys_that_work_and_the_second_start_shows_none() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let key = place.first_key("data");
    for name in ["user_id", "app_id", "api_key", "pat", "client_id", "client_secret", "account_id"] {
        assert!(key[name].as_str().is_some_and(|value| !value.is_empty()), "{name}");
    }
    let mode = std::fs::metadata(place.path("data/first-key.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let secret = key["api_key"].as_str().unwrap();
    assert!(server.banner.contains(secret) && server.banner.contains("Three commands"), "{}", server.banner);
    let authorization = format!("Key {secret}");
    let (status, answer) = server.send("GET", "/v2/inputs", &[("authorization", &authorization)]);
    assert_eq!(status, 200, "{answer}");
    assert!(server.stop("-TERM"), "SIGTERM must end it well");

    let again = Server::start(&place, &[]);
    assert!(!again.banner.contains(secret) && !again.banner.contains("Three commands"), "{}", again.banner);
    assert!(again.banner.contains("Data:"), "{}", again.banner);
    // A debug build on a busy machine; the optimised one is measured by the benchmarks.
    assert!(again.started_in < Duration::from_secs(5), "{:?}", again.started_in);
    assert!(again.stop("-INT"), "SIGINT must end it well");

    let log = std::fs::read_to_string(place.path("server.log")).unwrap();
    assert!(!log.contains(secret), "a secret stands in the log");
}

#[test]
fn each_request_is_logged_once_without_path_query_or_key() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let secret = place.first_key("data")["api_key"].as_str().unwrap().to_owned();
    let authorization = format!("Key {secret}");
    let headers = [("authorization", authorization.as_str()), ("x-request-id", "find-me")];
    server.send("GET", "/v2/inputs?page=1&token=hush", &headers);
    server.stop("-TERM");
    let log = std::fs::read_to_string(place.path("server.log")).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("find-me")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    let line: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(line["status"], 200);
    assert_eq!(line["method"], "GET");
    assert!(line["caller"].as_str().unwrap().len() > 3, "{line}");
    assert!(line["ms"].is_number() && line["route"].is_string(), "{line}");
    assert!(!log.contains("hush") && !log.contains(&secret), "{log}");
}

#[test]
fn health_metrics_and_unknown_paths_are_answered() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let cases = [
        ("/livez", 200, "ok"),
        ("/version", 200, "\"Version\""),
        ("/", 200, "/docs"),
        ("/docs", 200, "/v2/inputs"),
        ("/metrics", 401, "a key of the first account"),
        ("/nowhere", 404, "there is no such path"),
        ("/2/tasks", 403, "\"error_code\":11036"),
        ("/api/v1/items", 401, "No permission to access this resource"),
        ("/healthcheck", 200, "execution_time"),
    ];
    for (path, status, part) in cases {
        let (found, answer) = server.get(path);
        assert_eq!(found, status, "{path}: {answer}");
        assert!(answer.contains(part), "{path}: {answer}");
    }
    let key = place.first_key("data")["api_key"].as_str().unwrap().to_owned();
    for scheme in ["Bearer", "Key"] {
        let (status, answer) =
            server.send("GET", "/metrics", &[("authorization", &format!("{scheme} {key}"))]);
        assert_eq!(status, 200, "{answer}");
        assert!(answer.contains("ocellus_http_requests_total"), "{answer}");
    }
    let (status, answer) = server.get("/readyz");
    assert_eq!(status == 200, answer.contains("\"ready\":true"), "{answer}");
    assert!(answer.contains("\"database\":true"), "{answer}");
}

#[test]
fn missing_models_make_the_server_alive_but_not_ready() {
    let place = Place::new();
    let server = Server::start(&place, &["--set", "models.dir=empty", "--set", "models.runtime=none.so"]);
    assert_eq!(server.get("/livez").0, 200);
    let (status, answer) = server.get("/readyz");
    assert_eq!(status, 503, "{answer}");
    assert!(answer.contains("\"runtime\":false"), "{answer}");
}

#[test]
fn a_busy_port_and_a_busy_data_folder_are_told_apart() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let complaint = place.err(&["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"]);
    let holder = format!("`ocellus serve` (process {})", server.pid());
    assert!(complaint.contains("is in use") && complaint.contains(&holder), "{complaint}");
    let address = server.url.strip_prefix("http://").unwrap();
    let complaint = place.err(&["serve", "--data-dir", "other", "--listen", address]);
    assert!(complaint.contains("the port is in use by another program"), "{complaint}");
    assert!(!place.path("other/first-key.json").exists(), "a failed start must not make keys");
}

#[test]
fn a_self_signed_certificate_is_made_once_and_kept() {
    let place = Place::new();
    let flags = ["--tls-self-signed", "--tls-listen", "127.0.0.1:0"];
    let server = Server::start(&place, &flags);
    assert!(server.banner.contains("https://127.0.0.1:"), "{}", server.banner);
    let made = std::fs::read(place.path("data/cert.pem")).unwrap();
    let mode = std::fs::metadata(place.path("data/key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.stop("-TERM");
    let again = Server::start(&place, &flags);
    assert_eq!(std::fs::read(place.path("data/cert.pem")).unwrap(), made);
    drop(again);
}

#[test]
fn an_idle_server_is_small() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kilobytes < 150_000, "{kilobytes} kB");
}

/// Runs only where the tests were given a PostgreSQL.
#[tokio::test]
async fn a_server_on_postgresql_starts_twice_and_masks_the_password() {
    let Some(test) = ocellus_store::testing::TestStore::postgres().await else { return };
    let url = test.config.url.replacen("ocellus@", "ocellus:hush@", 1);
    let place = Place::new();
    let server = Server::start(&place, &["--database", &url]);
    assert!(server.banner.contains("Database:") && !server.banner.contains("hush"), "{}", server.banner);
    let authorization = format!("Key {}", place.first_key("data")["pat"].as_str().unwrap());
    let headers = [("authorization", authorization.as_str())];
    let answer = server.send("GET", "/v2/users/me/apps", &headers);
    assert_eq!(answer.0, 200, "{}", answer.1);
    assert!(server.stop("-TERM"));
    assert!(!place.path("data/ocellus.db").exists());
    let again = Server::start(&place, &["--database", &url]);
    assert_eq!(again.send("GET", "/v2/users/me/apps", &headers).0, 200);
}
