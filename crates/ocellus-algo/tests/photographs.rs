//! Real photographs through decoding, preprocessing and the real network: the right concept, the right neighbours.

mod installed;

use installed::{cache, efficientnet, repository, spec};
use ocellus_algo::embed::{cosine, l2_normalize, softmax};
use ocellus_algo::image::{DecodeLimits, Exif, decode};
use ocellus_algo::nn::Session;
use ocellus_algo::preprocess::{self, Resize};

/// A photograph of `fixtures/photos.tsv` and what the network says about it.
struct Photo {
    file: String,
    concepts: Vec<String>,
    group: String,
    place: Option<(f64, f64)>,
    exif: Exif,
    logits: Vec<f32>,
    embedding: Vec<f32>,
}

/// Rows of a tab-separated table below its header and comments.
fn rows(path: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(repository().join(path)).expect("the table is committed");
    let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn photo(session: &mut Session, row: &[String]) -> Photo {
    let bytes = std::fs::read(cache().join("photos").join(&row[0])).expect("`setup.py --group test` has run");
    let decoded = decode(&bytes, &DecodeLimits::default()).unwrap_or_else(|e| panic!("{}: {e}", row[0]));
    let input = preprocess::apply(&spec(Resize::CenterCrop { resize_short: 256 }), &decoded.image);
    let [logits, embedding]: [_; 2] =
        session.run(&input).expect("a picture goes through").try_into().expect("two outputs");
    let mut embedding = embedding.data;
    l2_normalize(&mut embedding);
    Photo {
        file: row[0].clone(),
        concepts: row[6].split('|').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        group: row[7].clone(),
        place: row[8].parse().ok().zip(row[9].parse().ok()),
        exif: decoded.exif,
        logits: logits.data,
        embedding,
    }
}

fn photos() -> Vec<Photo> {
    let mut session = efficientnet();
    rows("fixtures/photos.tsv").iter().map(|row| photo(&mut session, row)).collect()
}

/// The names of the five most probable concepts, classes and groups together.
fn first_five(logits: &[f32]) -> Vec<String> {
    let probabilities = softmax(logits);
    let mut scored: Vec<(f32, String)> = rows("models/labels/general.tsv")
        .iter()
        .zip(&probabilities)
        .map(|(row, p)| (*p, row[2].clone()))
        .collect();
    for row in rows("models/labels/groups.tsv") {
        let members = row[2].split(',').map(|idx| probabilities[idx.parse::<usize>().expect("an index")]);
        scored.push((members.sum::<f32>() * row[3].parse::<f32>().expect("a weight"), row[1].clone()));
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(5).map(|(_, name)| name).collect()
}

#[test]
fn recognisable_photographs_get_the_right_concept_among_the_first_five() {
    let photos = photos();
    let known: Vec<&Photo> = photos.iter().filter(|photo| !photo.concepts.is_empty()).collect();
    assert!(known.len() >= 40, "the table lists {}", known.len());
    for photo in known {
        let found = first_five(&photo.logits);
        assert!(found.iter().any(|name| photo.concepts.contains(name)), "{}: {found:?}", photo.file);
    }
}

#[test]
fn pictures_of_the_same_thing_are_nearer_than_all_others() {
    let photos = photos();
    for photo in photos.iter().filter(|photo| !photo.group.is_empty()) {
        let others = || photos.iter().filter(|other| other.file != photo.file);
        let similarity = |other: &Photo| cosine(&photo.embedding, &other.embedding);
        let (mates, rest): (Vec<&Photo>, Vec<&Photo>) = others().partition(|o| o.group == photo.group);
        let worst = mates.iter().map(|o| similarity(o)).fold(f32::INFINITY, f32::min);
        let best = rest.iter().map(|o| similarity(o)).fold(f32::NEG_INFINITY, f32::max);
        assert!(worst > best, "{}: {worst} within {}, {best} outside", photo.file, photo.group);
    }
}

#[test]
fn places_are_read_from_the_photographs_that_have_one() {
    for photo in photos() {
        let found = photo.exif.latitude.zip(photo.exif.longitude);
        let Some((latitude, longitude)) = photo.place else {
            assert_eq!(found, None, "{}", photo.file);
            continue;
        };
        let (found_latitude, found_longitude) =
            found.unwrap_or_else(|| panic!("{} has no place", photo.file));
        // A millionth of a degree is 11 cm.
        assert!((found_latitude - latitude).abs() < 2e-6, "{}: {found_latitude}", photo.file);
        assert!((found_longitude - longitude).abs() < 2e-6, "{}: {found_longitude}", photo.file);
    }
}
