//! The fetcher against a small server on the loopback interface, which only the allow list opens.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers every request according to its path; lives as long as the test's runtime.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut chunk = [0_u8; 1024];
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match socket.read(&mut chunk).await {
                        Ok(n) if n > 0 => request.extend_from_slice(&chunk[..n]),
                        _ => return,
                    }
                }
                let line = String::from_utf8_lossy(&request).into_owned();
                let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
                let _ = socket.write_all(answer(&path, address).as_bytes()).await;
                if path == "/hang" {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    address
}

fn answer(path: &str, me: SocketAddr) -> String {
    let head = |status: &str, extra: &str| format!("HTTP/1.1 {status}\r\nconnection: close\r\n{extra}\r\n");
    let to = |place: &str| head("302 Found", &format!("location: {place}\r\ncontent-length: 0\r\n"));
    match path {
        "/ok" => head("200 OK", "content-type: text/plain\r\ncontent-length: 5\r\n") + "hello",
        "/chunked" => {
            head("200 OK", "transfer-encoding: chunked\r\n") + "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"
        }
        "/cut" => head("200 OK", "content-length: 50\r\n") + "short",
        "/hang" => head("200 OK", "content-length: 50\r\n"),
        "/to-ok" => to("/ok"),
        "/loop" => to("/loop"),
        "/to-private" => to(&format!("http://127.0.0.2:{}/ok", me.port())),
        "/to-file" => to("file:///etc/passwd"),
        "/500" => head("500 Internal Server Error", "content-length: 0\r\n"),
        _ => head("404 Not Found", "content-length: 0\r\n"),
    }
}

fn fetcher(allow: &[&str]) -> Fetcher {
    let allow = allow.iter().map(|entry| (*entry).to_owned()).collect();
    Fetcher::new(FetchConfig { allow, timeout_ms: 10_000, ..FetchConfig::default() }).unwrap()
}

#[tokio::test]
async fn content_arrives_whole_through_redirects_and_chunks() {
    let me = server().await;
    let fetcher = fetcher(&["127.0.0.1"]);
    for (path, expected, end) in
        [("/ok", "hello", "/ok"), ("/to-ok", "hello", "/ok"), ("/chunked", "helloworld", "/chunked")]
    {
        let got = fetcher.get(&format!("http://{me}{path}"), 10).await.unwrap();
        assert_eq!(got.bytes, expected.as_bytes(), "{path}");
        assert_eq!(got.final_url, format!("http://{me}{end}"));
    }
}

#[tokio::test]
async fn what_cannot_be_fetched_is_said_in_words_and_kind() {
    let me = server().await;
    let fetcher = fetcher(&["127.0.0.1"]);
    let table = [
        ("/gone", 99, Kind::Invalid, "404 Client Error: Not Found for url: http://ME/gone"),
        ("/500", 99, Kind::Invalid, "500 Server Error: Internal Server Error for url: http://ME/500"),
        ("/ok", 4, Kind::TooLarge, "The content is larger than 4 bytes for url: http://ME/ok"),
        ("/chunked", 9, Kind::TooLarge, "The content is larger than 9 bytes for url: http://ME/chunked"),
        ("/cut", 99, Kind::Invalid, "The connection broke for url: http://ME/cut"),
        ("/loop", 99, Kind::Invalid, "Exceeded 5 redirects for url: http://ME/loop"),
    ];
    for (path, max_bytes, kind, message) in table {
        let err = fetcher.get(&format!("http://{me}{path}"), max_bytes).await.unwrap_err();
        assert_eq!((err.kind, err.message), (kind, message.replace("ME", &me.to_string())));
    }
}

#[tokio::test]
async fn private_addresses_are_refused_also_behind_names_and_redirects() {
    let me = server().await;
    let port = me.port();
    let table = [
        (vec![], format!("http://127.0.0.1:{port}/ok")),
        (vec![], format!("http://localhost:{port}/ok")),
        (vec![], format!("http://[::1]:{port}/ok")),
        (vec![], format!("http://[::ffff:127.0.0.1]:{port}/ok")),
        (vec![], format!("http://2130706433:{port}/ok")),
        (vec![], "http://169.254.169.254/latest/meta-data".to_owned()),
        (vec!["127.0.0.1"], format!("http://127.0.0.1:{port}/to-private")),
    ];
    for (allow, url) in table {
        let err = fetcher(&allow).get(&url, 99).await.unwrap_err();
        assert_eq!(err.kind, Kind::Forbidden, "{url}: {err}");
    }
}

#[tokio::test]
async fn an_allowed_host_name_is_reached_although_it_is_private() {
    let me = server().await;
    let got = fetcher(&["localhost"]).get(&format!("http://localhost:{}/ok", me.port()), 99).await;
    // Where localhost is ::1 first, the connector falls back to 127.0.0.1, which this server listens on.
    assert_eq!(got.unwrap().bytes, "hello".as_bytes());
}

#[tokio::test]
async fn only_http_and_https_are_spoken() {
    let me = server().await;
    let fetcher = fetcher(&["127.0.0.1"]);
    for url in
        ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "not a url", "data:text/plain,hi"]
    {
        assert_eq!(fetcher.get(url, 99).await.unwrap_err().kind, Kind::Invalid, "{url}");
    }
    let err = fetcher.get(&format!("http://{me}/to-file"), 99).await.unwrap_err();
    assert_eq!(err.kind, Kind::Invalid);
}

#[tokio::test]
async fn a_server_that_hangs_ends_in_a_timeout() {
    let me = server().await;
    let config = FetchConfig { allow: vec!["127.0.0.1".into()], timeout_ms: 300, ..FetchConfig::default() };
    let err = Fetcher::new(config).unwrap().get(&format!("http://{me}/hang"), 99).await.unwrap_err();
    assert_eq!(err.kind, Kind::Timeout, "{err}");
}

#[tokio::test]
async fn errors_do_not_repeat_a_password() {
    let me = server().await;
    let err = fetcher(&["127.0.0.1"]).get(&format!("http://ann:secret@{me}/gone"), 99).await.unwrap_err();
    assert!(!format!("{err:?}").contains("secret"), "{err:?}");
}
