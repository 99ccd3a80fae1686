//! Extractions from beginning to end, on every database: good archives, hostile ones, and those that are stopped.

use std::io::{Cursor, Write};

use bytes::Bytes;
use ocellus_interchange::{Limits, TarSink, ZipSink};
use ocellus_interchange::{Scratch, Sink};
use serde_json::json;

use super::contents::Contents;
use super::*;
use crate::add_jobs::{self, State as JobState};
use crate::datasets;
use crate::inputs::{self, InputState};
use crate::testing::TestPlatform;
use crate::uploads::{self, Part, Upload};
use crate::{Kind, MediaKind};

const PICTURE: &[u8] = include_bytes!("../../../../fixtures/photos/coffee-224.png");

/// Files, each with its content, put into an archive of a kind.
fn archive(kind: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    fn fill(sink: &mut dyn Sink, files: &[(&str, &[u8])]) {
        for (path, content) in files {
            sink.put(path, &mut &content[..]).unwrap();
        }
    }
    if kind == "zip" {
        let mut sink = ZipSink::new(Cursor::new(Vec::new()));
        fill(&mut sink, files);
        return sink.finish().unwrap().into_inner();
    }
    let mut sink = TarSink::new(Vec::new(), Scratch::Memory);
    fill(&mut sink, files);
    let tar = sink.finish().unwrap();
    if kind == "tar" { tar } else { gz(&tar) }
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Uploads bytes whole, under an id.
async fn upload(app: &AppCtx, id: &str, bytes: &[u8]) {
    let doc = Upload { content_name: format!("{id}.zip"), content_length: bytes.len() as u64 };
    uploads::create(app, vec![resources::New { id: Some(id.to_owned()), doc }]).await.unwrap();
    put(app, id, bytes).await;
}

/// Sends the pieces of an upload, the second half first.
async fn put(app: &AppCtx, id: &str, bytes: &[u8]) {
    let half = bytes.len() / 2;
    let part = |range_start: usize, data: &[u8]| Part {
        range_start: range_start as u64,
        part_number: 0,
        data: Bytes::copy_from_slice(data),
    };
    uploads::put_parts(app, id, vec![part(half, &bytes[half..])]).await.unwrap();
    uploads::put_parts(app, id, vec![part(0, &bytes[..half])]).await.unwrap();
}

fn of_upload(id: &str) -> NewExtraction {
    NewExtraction {
        add_job_id: None,
        source: NewSource::Upload { id: Some(id.to_owned()), upload: Upload::default() },
        on_conflict: IdConflict::Refuse,
        template: Template::default(),
        call_back_url: String::new(),
    }
}

/// Uploads bytes, has them extracted and gives what came of it.
async fn extracted(test: &TestPlatform, app: &AppCtx, id: &str, bytes: &[u8]) -> Extraction {
    upload(app, id, bytes).await;
    let job = create(app, vec![of_upload(id)]).await.unwrap().remove(0);
    assert_eq!(job.state(), JobState::Queued);
    test.settle().await;
    get(app, &job.extractions[0].id).await.unwrap().doc
}

async fn ids(app: &AppCtx) -> Vec<String> {
    let all = inputs::stream(app, None, 1000).await.unwrap();
    all.into_iter().map(|input| input.id).collect()
}

#[tokio::test]
async fn every_kind_of_archive_becomes_inputs_with_what_the_template_says() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        datasets::create(&app, vec![resources::New { id: Some("d".to_owned()), doc: Default::default() }])
            .await
            .unwrap();
        let inner = archive("zip", &[("x.txt", b"x")]);
        let files: [(&str, &[u8]); 6] = [
            ("__MACOSX/._a.txt", b"noise"),
            ("broken.jpg", b"no picture"),
            ("inner.zip", &inner),
            ("pictures/coffee.png", PICTURE),
            ("texts/a.txt", b"some words"),
            ("unknown.bin", b"\0\x01"),
        ];
        for kind in ["zip", "tar", "tar.gz"] {
            upload(&app, kind, &archive(kind, &files)).await;
            let template = Template {
                concepts: vec![TemplateConcept { id: "c".to_owned(), name: "C".to_owned(), value: 1.0 }],
                metadata: json!({"from": kind}).as_object().unwrap().clone(),
                geo: Some(GeoPoint { longitude: 1.0, latitude: 2.0 }),
                dataset_ids: vec!["d".to_owned()],
                echo: String::new(),
            };
            let new = NewExtraction { add_job_id: Some(format!("job {kind}")), template, ..of_upload(kind) };
            let job = create(&app, vec![new]).await.unwrap().remove(0);
            assert_eq!((job.state(), job.uploads.len()), (JobState::Queued, 1));
            test.settle().await;
            let job = add_jobs::get(&app, &format!("job {kind}")).await.unwrap();
            let done = &job.extractions[0].doc;
            assert_eq!((done.state, done.failure.as_str(), done.is_archive), (State::Done, "", true));
            assert_eq!(done.made, Made { images: 1, texts: 1, ..Made::default() }, "{kind}");
            let refused: Vec<&str> = done.refused.iter().map(|refused| refused.entry.as_str()).collect();
            assert_eq!(refused, ["broken.jpg", "inner.zip", "unknown.bin"]);
            assert_eq!(done.n_refused, 3);
            assert!(done.refused[1].reason.contains("not opened"), "{:?}", done.refused[1]);
            let counts = add_jobs::Counts { pending: 0, processing: 0, ready: 2, failed: 3 };
            assert_eq!((job.counts, job.state()), (counts, JobState::Done));
            assert_eq!(ids(&app).await, ["pictures-coffee", "texts-a"]);
            let picture = inputs::get(&app, "pictures-coffee").await.unwrap();
            assert_eq!((picture.state, picture.kind), (InputState::Ready, MediaKind::Image));
            assert_eq!((picture.dataset_ids, picture.labels[0].name.as_str()), (vec!["d".to_owned()], "C"));
            assert_eq!(picture.metadata, json!({"from": kind}).as_object().unwrap().clone());
            assert_eq!(picture.geo.map(|geo| geo.latitude), Some(2.0));
            inputs::delete_all(&app).await.unwrap();
        }
    }
}

/// A tar with one entry of any name and kind, which a proper writer would refuse to make.
fn raw_tar(name: &str, kind: tar::EntryType, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(content.len() as u64);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    if matches!(kind, tar::EntryType::Symlink | tar::EntryType::Link) {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, content).unwrap();
    builder.into_inner().unwrap()
}

/// A zip with one entry, renamed in the finished bytes to a name of the same length, as an attacker would.
fn renamed_zip(made: &str, put: &str) -> Vec<u8> {
    let mut bytes = archive("zip", &[(made, b"x")]);
    let places: Vec<usize> =
        (0..bytes.len() - made.len()).filter(|&at| &bytes[at..at + made.len()] == made.as_bytes()).collect();
    assert_eq!(places.len(), 2);
    for at in places {
        bytes[at..at + put.len()].copy_from_slice(put.as_bytes());
    }
    bytes
}

fn zip_with_a_link() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("link.jpg", "/etc/passwd", zip::write::SimpleFileOptions::default()).unwrap();
    writer.finish().unwrap().into_inner()
}

/// An empty zip whose end says that there are a million entries.
fn zip_that_claims_a_million() -> Vec<u8> {
    let mut bytes = b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff".to_vec();
    bytes.extend_from_slice(&[0; 10]);
    let mut sixty_four = b"PK\x06\x06".to_vec();
    sixty_four.extend_from_slice(&44_u64.to_le_bytes());
    sixty_four.extend_from_slice(&[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    sixty_four.extend_from_slice(&1_000_000_u64.to_le_bytes());
    sixty_four.extend_from_slice(&1_000_000_u64.to_le_bytes());
    sixty_four.extend_from_slice(&0_u64.to_le_bytes());
    sixty_four.extend_from_slice(&0_u64.to_le_bytes());
    let mut locator = b"PK\x06\x07\0\0\0\0".to_vec();
    locator.extend_from_slice(&4_u64.to_le_bytes());
    locator.extend_from_slice(&1_u32.to_le_bytes());
    // A first entry makes it look like a zip.
    let mut all = b"PK\x03\x04".to_vec();
    all.extend(sixty_four);
    all.extend(locator);
    all.extend(bytes);
    all
}

/// Archives that must be refused whole, each with what the refusal must say.
fn hostile() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    use tar::EntryType;
    let zeros = vec![0; 8 << 20];
    let whole = archive("zip", &[("a.txt", b"some words"), ("b.txt", b"more words")]);
    let tar = raw_tar("cut.txt", EntryType::Regular, &[b'x'; 2000]);
    let twice = {
        let mut builder = tar::Builder::new(Vec::new());
        for _ in 0..2 {
            let mut header = tar::Header::new_gnu();
            header.set_size(1);
            builder.append_data(&mut header, "same.txt", &b"x"[..]).unwrap();
        }
        builder.into_inner().unwrap()
    };
    vec![
        ("bomb.zip", archive("zip", &[("zeros.bin", &zeros)]), "zeros.bin"),
        ("bomb.tar.gz", gz(&raw_tar("zeros.bin", EntryType::Regular, &zeros)), "ratio"),
        ("up.tar", raw_tar("../x.txt", EntryType::Regular, b"x"), "../x.txt"),
        ("up.tgz", gz(&raw_tar("a/../../x.txt", EntryType::Regular, b"x")), "a/../../x.txt"),
        ("up.zip", renamed_zip("aa/x.txt", "../x.txt"), "../x.txt"),
        ("root.tar", raw_tar("/etc/x.txt", EntryType::Regular, b"x"), "/etc/x.txt"),
        ("root.zip", renamed_zip("aetc/p.txt", "/etc/p.txt"), "/etc/p.txt"),
        ("link.tar", raw_tar("link.jpg", EntryType::Symlink, b""), "link.jpg"),
        ("hard.tar", raw_tar("hard.jpg", EntryType::Link, b""), "hard.jpg"),
        ("device.tar", raw_tar("device.jpg", EntryType::Char, b""), "device.jpg"),
        ("link.zip", zip_with_a_link(), "link.jpg"),
        ("million.zip", zip_that_claims_a_million(), "zip archive"),
        ("twice.tar", twice, "same.txt"),
        ("cut.zip", whole[..whole.len() - 30].to_vec(), "zip archive"),
        ("cut.tar", tar[..1024].to_vec(), "cut.txt"),
        ("no.tar.gz", gz(b"words and no tar"), "tar archive"),
        ("cut.tar.gz", gz(&tar)[..40].to_vec(), "gzip"),
    ]
}

#[tokio::test]
async fn hostile_archives_are_refused_by_name_and_leave_nothing_behind() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        for (name, bytes, said) in hostile() {
            let doc = extracted(&test, &app, name, &bytes).await;
            assert_eq!(doc.state, State::Failed, "{name}: {doc:?}");
            assert!(doc.failure.contains(said), "{name}: {}", doc.failure);
            assert!(doc.failure.starts_with("the archive cannot be read"), "{name}: {}", doc.failure);
            let job = add_jobs::get(&app, &doc.add_job_id).await.unwrap();
            assert_eq!(job.state(), JobState::Failed, "{name}");
        }
        assert!(ids(&app).await.is_empty());
    }
}

#[test]
fn an_archive_over_a_limit_is_refused() {
    let open = |bytes: &[u8], limits: Limits| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Contents::open(file, "x", limits, 1 << 20).map(|contents| contents.len())
    };
    let limits = contents::LIMITS;
    let three = archive("zip", &[("a.txt", b"one"), ("b.txt", b"two"), ("c.txt", b"three")]);
    assert_eq!(open(&three, limits.clone()).unwrap(), 3);
    for (limits, said) in [
        (Limits { max_entries: 2, ..limits.clone() }, "number of files"),
        (Limits { max_total_bytes: 10, ..limits.clone() }, "all files"),
        (Limits { max_entry_bytes: 4, ..limits.clone() }, "c.txt"),
    ] {
        let error = open(&three, limits).unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.message.contains(said), "{}", error.message);
    }
    let error = open(&vec![b'x'; 2 << 20], limits).unwrap_err();
    assert_eq!(error.kind, Kind::TooLarge);
}

#[tokio::test]
async fn an_upload_that_is_announced_with_its_extraction_is_extracted_once_it_is_whole() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let bytes = archive("zip", &[("a.txt", b"words")]);
        let upload = Upload { content_name: "a.zip".to_owned(), content_length: bytes.len() as u64 };
        let new = NewExtraction { source: NewSource::Upload { id: None, upload }, ..of_upload("unused") };
        let job = create(&app, vec![new]).await.unwrap().remove(0);
        let upload_id = job.uploads[0].upload.id.clone();
        assert_eq!(job.extractions[0].doc.state, State::Waiting);
        test.settle().await;
        assert!(ids(&app).await.is_empty());
        put(&app, &upload_id, &bytes).await;
        test.settle().await;
        assert_eq!(ids(&app).await, ["a"]);
        // Nothing happens a second time when a piece is sent again.
        put(&app, &upload_id, &bytes).await;
        test.settle().await;
        let job = add_jobs::get(&app, &job.job.id).await.unwrap();
        assert_eq!((job.state(), job.extractions[0].doc.state), (JobState::Done, State::Done));
        let missing = create(&app, vec![of_upload("nobody")]).await.unwrap_err();
        assert_eq!(missing.kind, Kind::NotFound);
        let empty = NewSource::Upload { id: None, upload: Upload::default() };
        let empty = create(&app, vec![NewExtraction { source: empty, ..of_upload("x") }]).await.unwrap_err();
        assert_eq!(empty.kind, Kind::Invalid);
    }
}

#[tokio::test]
async fn entries_whose_ids_are_taken_are_refused_skipped_or_given_a_number() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let bytes = archive("zip", &[("a.md", b"one"), ("a.txt", b"two"), ("b.txt", b"three")]);
        upload(&app, "u", &bytes).await;
        for (on_conflict, made, skipped, refused, then) in [
            (IdConflict::Refuse, 2, 0, 1, "a b"),
            (IdConflict::Skip, 0, 3, 0, "a b"),
            (IdConflict::Suffix, 3, 0, 0, "a b a_1 a_2 b_1"),
            (IdConflict::Suffix, 3, 0, 0, "a b a_1 a_2 b_1 a_3 a_4 b_2"),
        ] {
            let new = NewExtraction { on_conflict, ..of_upload("u") };
            let job = create(&app, vec![new]).await.unwrap().remove(0);
            test.settle().await;
            let doc = get(&app, &job.extractions[0].id).await.unwrap().doc;
            let came = (doc.made.texts, doc.n_skipped, doc.n_refused);
            assert_eq!(came, (made, skipped, refused), "{on_conflict:?}");
            assert_eq!(ids(&app).await.join(" "), then);
        }
    }
}

#[tokio::test]
async fn a_cancelled_job_makes_no_inputs_and_gives_up_those_that_wait() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        upload(&app, "u", &archive("zip", &[("a.txt", b"words")])).await;
        let one = NewExtraction { add_job_id: Some("j".to_owned()), ..of_upload("u") };
        let job = create(&app, vec![one.clone(), one.clone()]).await.unwrap();
        assert_eq!((job.len(), job[0].extractions.len()), (1, 2));
        let waiting = inputs::NewInput {
            id: Some("w".to_owned()),
            source: crate::Source::Bytes(Bytes::from_static(PICTURE)),
            kind: MediaKind::Image,
            allow_duplicate_url: false,
            crop: None,
            labels: Vec::new(),
            metadata: JsonMap::new(),
            geo: None,
            parts: Default::default(),
        };
        let adding = inputs::Adding { add_job_id: Some("j".to_owned()), ..Default::default() };
        inputs::create_with(&app, vec![waiting], adding).await.unwrap();
        let stopped = cancel(&app, &[job[0].extractions[0].id.clone()]).await.unwrap().remove(0);
        assert_eq!(stopped.doc.state, State::Cancelled);
        assert_eq!(add_jobs::get(&app, "j").await.unwrap().state(), JobState::Queued);
        let job = add_jobs::cancel(&app, "j").await.unwrap();
        assert_eq!(job.state(), JobState::Cancelled);
        assert!(job.extractions.iter().all(|extraction| extraction.doc.state == State::Cancelled));
        test.settle().await;
        assert_eq!(ids(&app).await, ["w"]);
        let given_up = inputs::get(&app, "w").await.unwrap().state;
        assert!(matches!(given_up, InputState::Failed { code: inputs::FailureCode::Cancelled, .. }));
        assert_eq!(test.platform.count_open_jobs().await.unwrap(), 0);
        // What was cancelled takes nothing more, and cancelling twice is no fault.
        assert_eq!(create(&app, vec![one]).await.unwrap_err().kind, Kind::Invalid);
        assert_eq!(add_jobs::cancel(&app, "j").await.unwrap().state(), JobState::Cancelled);
        assert_eq!(cancel(&app, &["nobody".to_owned()]).await.unwrap_err().kind, Kind::NotFound);
        assert_eq!(add_jobs::cancel(&app, "nobody").await.unwrap_err().kind, Kind::NotFound);
    }
}

/// Answers `/all.zip` with an archive, `/list.txt` with a list of addresses, `/coffee.png` with a picture and anything else
/// with 404, until the runtime ends; gives its address.
async fn serve() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let list = format!("# pictures\n{address}/coffee.png\n{address}/coffee.png\n{address}/b/coffee.png\n");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let list = list.clone();
            tokio::spawn(async move {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let mut request = vec![0; 4096];
                let n = stream.read(&mut request).await.unwrap_or(0);
                let path = String::from_utf8_lossy(&request[..n]).split(' ').nth(1).unwrap_or("").to_owned();
                let body = match path.as_str() {
                    "/all.zip" => archive("zip", &[("zipped.txt", b"words")]),
                    "/list.txt" => list.into_bytes(),
                    "/coffee.png" | "/b/coffee.png" => PICTURE.to_vec(),
                    _ => Vec::new(),
                };
                let status = if body.is_empty() { "404 Not Found" } else { "200 OK" };
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(&body).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn archives_files_and_lists_behind_addresses_become_inputs() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let server = serve().await;
        let new = |path: &str| NewExtraction {
            source: NewSource::Url(format!("{server}{path}")),
            on_conflict: IdConflict::Suffix,
            ..of_upload("")
        };
        for (path, made, refused, then) in [
            ("/all.zip", Made { texts: 1, ..Made::default() }, "", "zipped"),
            ("/coffee.png", Made { images: 1, ..Made::default() }, "", "zipped coffee"),
            // The same address twice is one input.
            (
                "/list.txt",
                Made { images: 2, ..Made::default() },
                "exists already",
                "zipped coffee coffee_1 coffee_2",
            ),
        ] {
            let job = create(&app, vec![new(path)]).await.unwrap().remove(0);
            test.settle().await;
            let doc = get(&app, &job.extractions[0].id).await.unwrap().doc;
            assert_eq!((doc.state, doc.made), (State::Done, made), "{path}: {doc:?}");
            let reasons: Vec<&str> = doc.refused.iter().map(|refused| refused.reason.as_str()).collect();
            assert!(reasons.join(" ").contains(refused) && reasons.is_empty() == refused.is_empty());
            assert_eq!(ids(&app).await.join(" "), then);
        }
        let all = inputs::stream(&app, None, 10).await.unwrap();
        assert!(all.iter().all(|input| input.state == InputState::Ready), "{all:?}");
        for (path, said) in [("/nothing.zip", "404"), ("/nothing", "404")] {
            let job = create(&app, vec![new(path)]).await.unwrap().remove(0);
            test.settle().await;
            let doc = get(&app, &job.extractions[0].id).await.unwrap().doc;
            assert!(doc.state == State::Failed && doc.failure.contains(said), "{doc:?}");
        }
        for url in ["s3://bucket/key", "gs://bucket/key", "file:///etc/passwd", "no address"] {
            let new = NewExtraction { source: NewSource::Url(url.to_owned()), ..of_upload("") };
            assert_eq!(create(&app, vec![new]).await.unwrap_err().kind, Kind::Invalid, "{url}");
        }
    }
}

#[tokio::test]
async fn a_private_address_is_not_read() {
    let test = TestPlatform::with(|config| config.fetch.allow.clear()).await;
    let app = test.app().await;
    let new = NewExtraction { source: NewSource::Url(format!("{}/all.zip", serve().await)), ..of_upload("") };
    let job = create(&app, vec![new]).await.unwrap().remove(0);
    test.settle().await;
    let doc = get(&app, &job.extractions[0].id).await.unwrap().doc;
    assert!(doc.state == State::Failed && doc.failure.contains("private"), "{doc:?}");
    assert!(ids(&app).await.is_empty());
}
