//! Calls back, against a server of a few lines.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::extractions::{self, NewExtraction, NewSource, Template};
use crate::inputs::IdConflict;
use crate::testing::TestPlatform;

/// Answers so many requests with these statuses, one after the other; returns what each said.
async fn listen(listener: TcpListener, statuses: &[&str]) -> Vec<String> {
    let mut told = Vec::new();
    for status in statuses {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"}") && !said.starts_with(b"GET") {
            let mut buffer = [0; 4096];
            let n = stream.read(&mut buffer).await.unwrap();
            said.extend_from_slice(&buffer[..n]);
        }
        told.push(String::from_utf8(said).unwrap());
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    told
}

#[tokio::test]
async fn the_end_of_an_extraction_is_told_until_it_is_heard() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        test.platform.call_backs().register(Arc::new(|extraction| {
            format!("{{\"id\": \"{}\", \"state\": \"{:?}\"}}", extraction.id, extraction.doc.state)
                .into_bytes()
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let new = NewExtraction {
            add_job_id: None,
            source: NewSource::Url(format!("{base}/list.txt")),
            on_conflict: IdConflict::Refuse,
            template: Template::default(),
            call_back_url: format!("{base}/done"),
        };
        let made = extractions::create(&app, vec![new]).await.unwrap().remove(0).extractions.remove(0);
        let statuses = ["404 Not Found", "503 Service Unavailable", "204 No Content"];
        let listening = tokio::spawn(async move { listen(listener, &statuses).await });
        test.settle().await;
        test.clock.advance_us(60_000_000);
        test.settle().await;
        let told = listening.await.unwrap();
        assert!(told[0].starts_with("GET /list.txt"), "{told:?}");
        for said in &told[1..] {
            assert!(said.starts_with("POST /done") && said.contains("application/json"), "{said}");
            assert!(said.ends_with(&format!("{{\"id\": \"{}\", \"state\": \"Failed\"}}", made.id)), "{said}");
        }
        assert_eq!(test.platform.count_open_jobs().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn private_addresses_are_not_told() {
    let test = TestPlatform::with(|config| config.fetch.allow.clear()).await;
    let error = test.platform.fetcher().post("http://127.0.0.1:9/", Bytes::new(), "application/json").await;
    assert_eq!(error.unwrap_err().kind, crate::Kind::Forbidden);
}
