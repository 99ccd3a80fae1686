//! Detectors learned from boxes: mean average precision beside scikit-learn on the same proposals, numbers and folds.
//! The pictures are composed; `peer/detect.py` says how.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ocellus_algo::agreement::{self, Claim, iou};
use ocellus_algo::detect::learn::{self, CELLS, Drawn};
use ocellus_algo::detect::{self, DetectorHead, FeatureMap, Raw};
use ocellus_algo::image::{self, DecodeLimits};
use ocellus_algo::learn::{
    ClassifierSpec, Label, Labels, Method, Rows, TrainedClassifier, fold_of_groups, train_classifier,
};
use ocellus_algo::nn::{Runtime, Session, SessionOptions};
use ocellus_algo::preprocess;
use ocellus_core::catalog::ModelSpec;
use serde::Deserialize;

const N_CLASSES: usize = 3;
/// Boxes of one picture that show nothing of what is to be found.
const N_OTHERS: usize = 48;

#[derive(Deserialize)]
struct Composed {
    file: String,
    photograph: u32,
    boxes: Vec<Pasted>,
}

#[derive(Deserialize)]
struct Pasted {
    class: usize,
    sides: [f32; 4],
}

/// One picture as the detector sees it.
struct Seen {
    drawn: Vec<Drawn>,
    proposals: Vec<[f32; 4]>,
    map: FeatureMap,
}

/// Boxes to learn from.
#[derive(Default)]
struct Lesson {
    values: Vec<f32>,
    labels: Vec<Label>,
    pictures: Vec<usize>,
    dim: usize,
}

/// Where things lie.
pub struct Setting<'a> {
    pub python: &'a Path,
    pub script: &'a Path,
    pub photographs: &'a Path,
    pub folder: &'a Path,
    pub library: &'a Path,
    pub detector: &'a ModelSpec,
    pub n_pictures: usize,
}

/// Composes, learns on both sides, and compares.
pub fn run(at: &Setting<'_>) -> Result<String> {
    let n = at.n_pictures.to_string();
    peer(at, &[Path::new("compose"), at.photographs, at.folder, Path::new(&n)])?;
    let composed: Vec<Composed> = serde_json::from_slice(&std::fs::read(at.folder.join("boxes.json"))?)?;
    let seen = see(at, &composed)?;
    let groups: Vec<u32> = composed.iter().map(|one| one.photograph).collect();
    let mut shown = vec![Label::Negative; seen.len() * N_CLASSES];
    for (picture, one) in seen.iter().enumerate() {
        one.drawn.iter().for_each(|one| shown[picture * N_CLASSES + one.class] = Label::Positive);
    }
    let folds = fold_of_groups(&groups, Labels { values: &shown, n_concepts: N_CLASSES }, 5, 0);
    let lesson = lesson(&seen);
    let begun = Instant::now();
    let spec = ClassifierSpec { method: Some(Method::Linear), closed: true, ..ClassifierSpec::default() };
    let whole = fit(&lesson, &groups, &spec, |_| true)?;
    let took_s = begun.elapsed().as_secs_f64();
    let again = ClassifierSpec { regularisation: whole.choice.regularisation, ..spec };
    let mut ours = Vec::new();
    for fold in 0..=folds.iter().copied().max().unwrap_or(0) {
        let head = DetectorHead::new(fit(&lesson, &groups, &again, |picture| folds[picture] != fold)?.head);
        for (item, one) in seen.iter().enumerate().filter(|(item, _)| folds[*item] == fold) {
            ours.extend(claims(item, head.find(&one.map, &one.proposals)?));
        }
    }
    write_for_peer(at, &seen, &lesson, (&groups, &folds))?;
    let told: serde_json::Value = serde_json::from_str(&peer(at, &[Path::new("learn"), at.folder])?)?;
    let theirs = read_from_peer(at, &seen)?;
    Ok(report(&seen, &lesson, (&ours, took_s), (&theirs, told["seconds"].as_f64().unwrap_or_default())))
}

fn peer(at: &Setting<'_>, arguments: &[&Path]) -> Result<String> {
    let said = Command::new(at.python).arg(at.script).args(arguments).output()?;
    ensure!(said.status.success(), "the peer failed: {}", String::from_utf8_lossy(&said.stderr));
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}

fn see(at: &Setting<'_>, composed: &[Composed]) -> Result<Vec<Seen>> {
    let file = at.detector.file.as_ref().context("the detector has no weights")?;
    let spec = at.detector.preprocess.as_ref().context("the detector has no preprocessing")?;
    let mut session =
        Session::open(&Runtime::load(at.library)?, &file.path, &SessionOptions { intra_threads: 2 })?;
    let mut seen = Vec::new();
    for one in composed {
        let bytes = std::fs::read(at.folder.join(&one.file))?;
        let picture = image::decode(&bytes, &DecodeLimits::default())?.image;
        let outputs = session.run(&preprocess::apply(spec, &picture))?;
        let [scores, boxes, features] = outputs.as_slice() else {
            anyhow::bail!("other outputs than expected")
        };
        let n_classes = at.detector.labels.n_outputs();
        let raw = Raw { scores: &scores.data, n_classes, boxes: &boxes.data };
        let drawn =
            one.boxes.iter().map(|b| Drawn { class: b.class, sides: b.sides, is_one: true }).collect();
        seen.push(Seen {
            drawn,
            proposals: detect::proposals(raw, detect::MAX_PROPOSALS)?,
            map: FeatureMap::new(&features.shape, &features.data)?,
        });
    }
    Ok(seen)
}

fn lesson(seen: &[Seen]) -> Lesson {
    let mut lesson = Lesson::default();
    for (picture, one) in seen.iter().enumerate() {
        let found = learn::examples(&one.proposals, &one.drawn, N_CLASSES, N_OTHERS);
        found.boxes.iter().for_each(|sides| one.map.describe(*sides, CELLS, &mut lesson.values));
        lesson.labels.extend(&found.labels);
        lesson.pictures.extend(vec![picture; found.boxes.len()]);
        lesson.dim = one.map.dim(CELLS);
    }
    lesson
}

fn fit(
    lesson: &Lesson,
    groups: &[u32],
    spec: &ClassifierSpec,
    wanted: impl Fn(usize) -> bool,
) -> Result<TrainedClassifier> {
    let (mut values, mut labels, mut row_groups) = (Vec::new(), Vec::new(), Vec::new());
    for (row, picture) in lesson.pictures.iter().enumerate().filter(|(_, picture)| wanted(**picture)) {
        values.extend_from_slice(&lesson.values[row * lesson.dim..(row + 1) * lesson.dim]);
        labels.extend_from_slice(&lesson.labels[row * N_CLASSES..(row + 1) * N_CLASSES]);
        row_groups.push(groups[*picture]);
    }
    let rows = Rows { values: &values, dim: lesson.dim };
    let labels = Labels { values: &labels, n_concepts: N_CLASSES };
    Ok(train_classifier(rows, labels, &row_groups, Rows::none(lesson.dim), spec, &mut |_| true)?)
}

fn claims(item: usize, found: Vec<detect::Detection>) -> impl Iterator<Item = Claim> {
    found.into_iter().map(move |one| Claim { item, class: one.class, score: one.score, sides: one.sides })
}

fn write_for_peer(
    at: &Setting<'_>,
    seen: &[Seen],
    lesson: &Lesson,
    (groups, folds): (&[u32], &[u32]),
) -> Result<()> {
    let about = serde_json::json!({"dim": lesson.dim, "n_classes": N_CLASSES});
    std::fs::write(at.folder.join("about.json"), about.to_string())?;
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(at.folder.join(name), bytes);
    write("rows.f32", lesson.values.iter().flat_map(|x| x.to_le_bytes()).collect())?;
    write("labels.u8", lesson.labels.iter().map(|label| u8::from(*label == Label::Positive)).collect())?;
    let of_rows = |of: &[u32]| lesson.pictures.iter().flat_map(|p| of[*p].to_le_bytes()).collect::<Vec<u8>>();
    write("groups.u32", of_rows(groups))?;
    write("folds.u32", of_rows(folds))?;
    let mut boxes = std::io::BufWriter::new(std::fs::File::create(at.folder.join("boxes.f32"))?);
    let mut box_folds = Vec::new();
    for (picture, one) in seen.iter().enumerate() {
        let mut values = Vec::new();
        one.proposals.iter().for_each(|sides| one.map.describe(*sides, CELLS, &mut values));
        boxes.write_all(&values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())?;
        one.proposals.iter().for_each(|_| box_folds.extend(folds[picture].to_le_bytes()));
    }
    boxes.flush()?;
    write("box_folds.u32", box_folds)?;
    Ok(())
}

fn read_from_peer(at: &Setting<'_>, seen: &[Seen]) -> Result<Vec<Claim>> {
    let bytes = std::fs::read(at.folder.join("probabilities.f32"))?;
    let all: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect();
    let (mut said, mut from) = (Vec::new(), 0);
    for (item, one) in seen.iter().enumerate() {
        let to = from + one.proposals.len() * N_CLASSES;
        said.extend(claims(item, learn::of_probabilities(&one.proposals, &all[from..to], N_CLASSES)));
        from = to;
    }
    Ok(said)
}

fn report(
    seen: &[Seen],
    lesson: &Lesson,
    (ours, our_s): (&[Claim], f64),
    (theirs, their_s): (&[Claim], f64),
) -> String {
    let truth: Vec<Claim> = seen
        .iter()
        .enumerate()
        .flat_map(|(item, one)| {
            let claim = move |d: &Drawn| Claim { item, class: d.class, score: 1.0, sides: d.sides };
            one.drawn.iter().map(claim)
        })
        .collect();
    let proposed = |one: &Claim| seen[one.item].proposals.iter().any(|sides| iou(*sides, one.sides) >= 0.5);
    let recall = truth.iter().filter(|one| proposed(one)).count() as f64 / truth.len().max(1) as f64;
    let mut table = format!(
        "{} pictures, {} boxes of {N_CLASSES} digits; {} boxes to learn from, {} numbers each. {:.1} % of the boxes are \
         among the proposals.\n\n| who | mean average precision at 0.5 | at 0.5 to 0.95 | by digit | learning, s |\n\
         | --- | --: | --: | --- | --: |\n",
        seen.len(),
        truth.len(),
        lesson.pictures.len(),
        lesson.dim,
        recall * 100.0
    );
    for (who, said, took_s) in [("Ocellus", ours, our_s), ("scikit-learn", theirs, their_s)] {
        let found = agreement::of_boxes(N_CLASSES, &truth, said);
        let (at_half, over_range) = found.mean_average_precision.unwrap_or_default();
        let by: Vec<String> =
            found.classes.iter().map(|one| format!("{:.3}", one.average_precision)).collect();
        table += &format!("| {who} | {at_half:.3} | {over_range:.3} | {} | {took_s:.1} |\n", by.join(", "));
    }
    table
}
