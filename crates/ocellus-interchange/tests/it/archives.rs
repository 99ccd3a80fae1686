//! Archives: what comes back from them, and what they are refused for.

use std::io::{Cursor, Write as _};
use std::sync::Arc;

use ocellus_interchange::*;

use crate::{bytes_of, read_all};

fn open(bytes: Vec<u8>, limits: Limits) -> Result<Box<dyn Files + Send>> {
    open_archive(Arc::new(bytes), limits, &Scratch::Memory)
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A tar with one entry of any name and kind, which a proper writer would refuse to make.
fn raw_tar(name: &str, kind: tar::EntryType, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(content.len() as u64);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    if kind == tar::EntryType::Symlink {
        header.set_link_name("target").unwrap();
    }
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, content).unwrap();
    builder.into_inner().unwrap()
}

fn raw_zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_collection_comes_back_from_every_kind_of_archive() {
    let mut zip = ZipSink::new(Cursor::new(Vec::new()));
    let mut tar = TarSink::new(Vec::new(), Scratch::Memory);
    for sink in [&mut zip as &mut dyn Sink, &mut tar] {
        let mut writer = Writer::new(Format::Folder, sink, WriteOptions::default()).unwrap();
        for (id, bytes) in [("a", &b"first"[..]), ("b", &[7; 300_000])] {
            let concepts = vec![ConceptValue::positive("dög")];
            let item =
                Item { id: id.to_owned(), file_name: format!("{id}.bmp"), concepts, ..Item::default() };
            writer.item(&item, Some(&mut &*bytes)).unwrap();
        }
        writer.finish().unwrap();
    }
    let tar = tar.finish().unwrap();
    for bytes in [zip.finish().unwrap().into_inner(), gz(&tar), tar] {
        let files = open(bytes, Limits::default()).unwrap();
        let (items, summary) = read_all(Format::Folder, files.as_ref(), &ReadOptions::default());
        assert_eq!(summary.concepts, [Concept::named("dög")]);
        assert_eq!(items.len(), 2);
        assert_eq!(bytes_of(files.as_ref(), "dög/a.bmp"), b"first");
        assert_eq!(bytes_of(files.as_ref(), "dög/b.bmp"), [7; 300_000]);
        // Two files of one archive can be read side by side.
        let (mut a, mut b) = (files.open("dög/a.bmp").unwrap(), files.open("dög/b.bmp").unwrap());
        let (mut x, mut y) = ([0; 1], [0; 1]);
        a.read_exact(&mut x).unwrap();
        b.read_exact(&mut y).unwrap();
        assert_eq!((x, y), ([b'f'], [7]));
    }
}

#[test]
fn paths_that_leave_the_archive_are_refused() {
    for name in ["../x.jpg", "a/../../x.jpg", "/etc/x.jpg", "..\\x.jpg", "C:\\x.jpg", "a\nb.jpg"] {
        let in_tar = open(raw_tar(name, tar::EntryType::Regular, b"x"), Limits::default());
        assert!(matches!(in_tar, Err(Error::Unsafe { .. })), "{name}");
        assert!(matches!(safe_path(name, &Limits::default()), Err(Error::Unsafe { .. })), "{name}");
        // The zip writer may clean a name on its own; whatever it wrote must not lead outside.
        if let Ok(files) = open(raw_zip(&[(name, b"x")]), Limits::default()) {
            assert!(
                files
                    .entries()
                    .iter()
                    .all(|entry| !entry.path.contains("..") && !entry.path.starts_with('/'))
            );
        }
    }
    // Names of the same length, put into the finished bytes, as an attacker would.
    for (made, put) in [("aa/x.jpg", "../x.jpg"), ("aetc/p.j", "/etc/p.j")] {
        let mut bytes = raw_zip(&[(made, b"x")]);
        let mut at = 0;
        while let Some(found) = bytes[at..].windows(made.len()).position(|window| window == made.as_bytes()) {
            bytes[at + found..at + found + made.len()].copy_from_slice(put.as_bytes());
            at += found + 1;
        }
        let message = open(bytes, Limits::default()).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains("archive refused"), "{put}: {message}");
    }
}

#[test]
fn links_and_devices_are_refused() {
    use tar::EntryType;
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Fifo] {
        let result = open(raw_tar("a.jpg", kind, b""), Limits::default());
        assert!(matches!(result, Err(Error::Unsafe { .. })), "{kind:?}");
    }
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("a.jpg", "/etc/passwd", zip::write::SimpleFileOptions::default()).unwrap();
    let result = open(writer.finish().unwrap().into_inner(), Limits::default());
    assert!(matches!(result, Err(Error::Unsafe { .. })));
}

#[test]
fn bombs_are_refused_before_they_are_unpacked() {
    let zeros = vec![0; 8 << 20];
    let zip = raw_zip(&[("a.bmp", &zeros)]);
    let tar = raw_tar("a.bmp", tar::EntryType::Regular, &zeros);
    for bytes in [zip.clone(), gz(&tar)] {
        let message = open(bytes, Limits::default()).err().unwrap().to_string();
        assert!(message.contains("ratio"), "{message}");
    }
    let patient = Limits { max_ratio: u64::MAX, ..Limits::default() };
    for (limits, what) in [
        (Limits { max_total_bytes: 1 << 20, ..patient.clone() }, "all files"),
        (Limits { max_entry_bytes: 1 << 20, ..patient.clone() }, "one file"),
    ] {
        for bytes in [zip.clone(), tar.clone()] {
            let message = open(bytes, limits.clone()).err().unwrap().to_string();
            assert!(message.contains(what), "{message}");
        }
    }
    let many = raw_zip(&[("a.jpg", b"1"), ("b.jpg", b"2"), ("c.jpg", b"3")]);
    let message = open(many, Limits { max_entries: 2, ..patient }).err().unwrap().to_string();
    assert!(message.contains("number of files"), "{message}");
}

#[test]
fn an_entry_longer_than_it_says_is_cut_with_an_error() {
    // The unpacked size stands in the directory; make it smaller than the truth.
    let content = vec![b'x'; 5000];
    let mut bytes = raw_zip(&[("a.bmp", &content)]);
    let size = 5000u32.to_le_bytes();
    let last = bytes.windows(4).rposition(|window| window == size).unwrap();
    bytes[last..last + 4].copy_from_slice(&100u32.to_le_bytes());
    let files = open(bytes, Limits::default()).unwrap();
    let mut out = Vec::new();
    let error = files.open("a.bmp").unwrap().read_to_end(&mut out).unwrap_err();
    assert!(error.to_string().contains("declared size"), "{error}");
    assert!(out.len() <= 100);
}

#[test]
fn damage_is_found_and_garbage_is_no_panic() {
    let mut bytes = raw_zip(&[("a.jpg", b"some bytes that matter")]);
    let files = open(bytes.clone(), Limits::default()).unwrap();
    assert_eq!(bytes_of(files.as_ref(), "a.jpg"), b"some bytes that matter");
    bytes[40] ^= 0xff;
    if let Ok(files) = open(bytes, Limits::default()) {
        let mut out = Vec::new();
        assert!(
            files.open("a.jpg").map(|mut file| file.read_to_end(&mut out)).is_ok_and(|read| read.is_err())
        );
    }
    for garbage in [&b""[..], b"PK\x03\x04 nothing", b"\x1f\x8bnothing", b"no archive at all"] {
        assert!(open(garbage.to_vec(), Limits::default()).is_err());
    }
}

#[test]
fn an_archive_inside_is_reported_and_not_opened() {
    let inner = raw_zip(&[("x/a.jpg", b"1")]);
    let files = open(raw_zip(&[("x/inner.zip", &inner), ("x/b.jpg", b"2")]), Limits::default()).unwrap();
    let (items, summary) = read_all(Format::Folder, files.as_ref(), &ReadOptions::default());
    assert_eq!(items.len(), 1);
    assert!(summary.report.skipped[0].reason.contains("archive inside"));
}

#[test]
fn a_folder_on_disk_is_written_and_read_without_following_links() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = FolderSink::create(folder.path()).unwrap();
    sink.put("cat/a.jpg", &mut &b"1"[..]).unwrap();
    assert!(sink.put("../a.jpg", &mut &b"1"[..]).is_err());
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("cat/link.jpg")).unwrap();
    let files = Folder::open(folder.path(), Limits::default()).unwrap();
    assert_eq!(files.entries(), [Entry { path: "cat/a.jpg".to_owned(), size_bytes: 1 }]);
    #[cfg(unix)]
    assert_eq!(files.passed_over(), ["cat/link.jpg"]);
    assert_eq!(bytes_of(&files, "cat/a.jpg"), b"1");
}

/// Writes segments one by one, each to a place of its own, and joins them.
fn joined(segments: &[&[(&str, &[u8])]]) -> Vec<u8> {
    let (mut bytes, mut directory, mut records) = (Vec::new(), Directory::default(), Vec::new());
    for files in segments {
        let mut segment = Segment::new(Cursor::new(Vec::new())).unwrap();
        for (path, content) in *files {
            segment.put(path, &mut &**content).unwrap();
        }
        let (to, members) = segment.finish().unwrap();
        directory.add(&mut records, bytes.len() as u64, &members).unwrap();
        bytes.extend(to.into_inner());
    }
    let at = bytes.len() as u64;
    bytes.extend(records);
    directory.finish(&mut bytes, at).unwrap();
    bytes
}

#[test]
fn segments_joined_are_the_archive_that_is_written_at_once() {
    let files: [(&str, &[u8]); 4] =
        [("dög/a.txt", &[b'a'; 5000]), ("b.jpg", b"not packed again"), ("empty", b""), ("c.txt", b"c")];
    let mut whole = ZipSink::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        whole.put(path, &mut &*content).unwrap();
    }
    let whole = whole.finish().unwrap().into_inner();
    for cut in 0..=files.len() {
        assert_eq!(joined(&[&files[..cut], &files[cut..]]), whole, "cut at {cut}");
    }
    let found = open(whole.clone(), Limits::default()).unwrap();
    for (path, content) in files {
        assert_eq!(bytes_of(found.as_ref(), path), content);
    }
    // The other reader of this crate's tests, which looks at the local headers too.
    let mut reader = zip::read::ZipArchive::new(Cursor::new(whole)).unwrap();
    assert_eq!(reader.len(), files.len());
    let mut text = String::new();
    std::io::Read::read_to_string(&mut reader.by_name("c.txt").unwrap(), &mut text).unwrap();
    assert_eq!(text, "c");
    assert_eq!(open(joined(&[]), Limits::default()).unwrap().entries(), []);
}

#[test]
fn archives_of_many_files_and_of_many_bytes_have_wide_fields() {
    let mut many = ZipSink::new(Cursor::new(Vec::new()));
    for n in 0..70_000 {
        many.put(&format!("{n}.txt"), &mut &b"x"[..]).unwrap();
    }
    let bytes = many.finish().unwrap().into_inner();
    let found = open(bytes, Limits { max_entries: 100_000, ..Limits::default() }).unwrap();
    assert_eq!(found.entries().len(), 70_000);
    assert_eq!(bytes_of(found.as_ref(), "69999.txt"), b"x");

    // A hole in the file stands for five gigabytes of other files.
    let mut file = tempfile::tempfile().unwrap();
    let far = 5 << 30;
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(far)).unwrap();
    let mut segment = Segment::new(file).unwrap();
    segment.put("far.txt", &mut &b"far away"[..]).unwrap();
    let directory_at = far + segment.size_bytes();
    let (mut file, members) = segment.finish().unwrap();
    let mut directory = Directory::default();
    directory.add(&mut file, far, &members).unwrap();
    directory.finish(&mut file, directory_at).unwrap();
    let files = ZipFiles::open(Arc::new(file), Limits::default()).unwrap();
    assert_eq!(bytes_of(&files, "far.txt"), b"far away");
}
