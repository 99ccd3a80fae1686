//! Letters, against a mail server of a few lines.

use base64::Engine as _;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::testing::TestPlatform;

/// Takes one letter as a mail server does; returns every line that it was told.
async fn take_letter(listener: TcpListener, refuse: bool) -> Vec<String> {
    take_one(&listener, refuse).await
}

async fn take_one(listener: &TcpListener, refuse: bool) -> Vec<String> {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut told = Vec::new();
    say(&mut stream, "220 mail.test ESMTP").await;
    let mut is_text = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap() == 0 {
            return told;
        }
        let line = line.trim_end().to_owned();
        let verb = line.split(' ').next().unwrap_or_default().to_uppercase();
        told.push(line.clone());
        let answer = match verb.as_str() {
            _ if is_text && line != "." => continue,
            _ if is_text => "250 taken",
            "EHLO" => "250-mail.test\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "RCPT" if refuse => "550 nobody of that name",
            "DATA" => "354 go on",
            "QUIT" => {
                say(&mut stream, "221 bye").await;
                return told;
            }
            _ => "250 ok",
        };
        is_text = verb == "DATA";
        say(&mut stream, answer).await;
        if answer == "250 taken" {
            return told;
        }
    }
}

async fn say(stream: &mut BufReader<TcpStream>, line: &str) {
    stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
}

async fn server() -> (TcpListener, SmtpConfig) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = SmtpConfig {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
        security: SmtpSecurity::None,
        login: None,
        from: "Images <images@example.org>".to_owned(),
    };
    (listener, config)
}

fn letter() -> Letter {
    Letter {
        to: "reader@example.org".to_owned(),
        subject: "verify your e-mail address".to_owned(),
        text: "4f1d".to_owned(),
    }
}

#[tokio::test]
async fn a_letter_reaches_the_mail_server_with_its_code() {
    let (listener, config) = server().await;
    let config = SmtpConfig { login: Some(("sender".to_owned(), "open sesame".to_owned())), ..config };
    let mailer = Mailer::smtp(&config).unwrap();
    let (sent, told) = tokio::join!(mailer.send(letter()), take_letter(listener, false));
    sent.unwrap();
    let has = |wanted: &str| told.iter().any(|line| line.contains(wanted));
    let login = base64::engine::general_purpose::STANDARD.encode("\0sender\0open sesame");
    let lines = [
        &format!("AUTH PLAIN {login}"),
        "MAIL FROM:<images@example.org>",
        "RCPT TO:<reader@example.org>",
        "From: Images <images@example.org>",
        "To: reader@example.org",
        "Subject: verify your e-mail address",
        "4f1d",
    ];
    for wanted in lines {
        assert!(has(wanted), "{wanted}: {told:?}");
    }
}

#[tokio::test]
async fn a_letter_that_is_refused_is_an_error_for_the_log() {
    let (listener, config) = server().await;
    let Mailer(Way::Smtp(smtp)) = Mailer::smtp(&config).unwrap() else {
        panic!("a mail server is configured")
    };
    let taking = tokio::spawn(take_letter(listener, true));
    let error = smtp.hand_over(&letter()).await.unwrap_err();
    assert!(error.to_string().contains("nobody of that name"), "{error}");
    drop(smtp);
    taking.abort();
}

#[tokio::test]
async fn nothing_is_said_to_a_server_that_cannot_speak_tls_when_tls_is_asked_for() {
    let (listener, config) = server().await;
    let config = SmtpConfig { security: SmtpSecurity::StartTls, ..config };
    let mailer = Mailer::smtp(&config).unwrap();
    let (sent, told) = tokio::join!(mailer.send(letter()), take_letter(listener, false));
    assert!(sent.is_err());
    assert!(told.iter().all(|line| !line.contains("reader@example.org")), "{told:?}");
}

#[test]
fn a_sender_that_is_no_address_is_refused() {
    let config = SmtpConfig {
        host: "mail.example.org".to_owned(),
        port: 587,
        security: SmtpSecurity::StartTls,
        login: None,
        from: "nobody".to_owned(),
    };
    assert!(Mailer::smtp(&config).unwrap_err().to_string().contains("address"));
}

#[tokio::test]
async fn a_letter_that_is_refused_is_tried_again_until_it_is_taken() {
    for store in ocellus_store::testing::TestStore::all().await {
        let (listener, config) = server().await;
        let mailer = Mailer::smtp(&config).unwrap();
        let test = TestPlatform::on(store, |platform| platform.accounts.mailer = mailer.clone()).await;
        let taking = tokio::spawn(async move {
            let refused = take_one(&listener, true).await;
            (refused, take_one(&listener, false).await)
        });
        let mut added = std::pin::pin!(test.platform.job_added().notified());
        added.as_mut().enable();
        deliver(&test.platform, &test.first.account_id, letter()).await;
        added.await;
        assert_eq!(test.platform.count_open_jobs().await.unwrap(), 1);
        test.settle().await;
        let (refused, taken) = taking.await.unwrap();
        assert!(!refused.iter().any(|line| line.contains("4f1d")));
        assert!(taken.iter().any(|line| line.contains("4f1d")), "{taken:?}");
        assert_eq!(test.platform.count_open_jobs().await.unwrap(), 0);
        let query = ocellus_store::JobQuery::default();
        let account_id = test.first.account_id.clone();
        let read = move |tx: &mut ocellus_store::Tx<'_>| Ok::<_, Error>(tx.jobs_of(&account_id, &query)?);
        let jobs = test.platform.store().read(read).await.unwrap();
        assert!(jobs.iter().all(|job| job.payload.is_empty()), "the code is not kept");
    }
}
