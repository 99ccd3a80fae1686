//! Detectors of an app's own things: boxes that people drew are learned on the proposals of a pretrained detector, which is
//! not changed. How good the result is, is told by judging every picture by a head that has not seen it nor its likes.

mod drawn;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use ocellus_algo::agreement::{self, Agreement, Claim};
use ocellus_algo::detect::learn::{self, CELLS, Drawn};
use ocellus_algo::detect::{self, Detection, DetectorHead, FeatureMap};
use ocellus_algo::groups;
use ocellus_algo::image::RgbImage;
use ocellus_algo::learn::{
    ClassifierSpec, Label, Labels, Method, Rows, TrainedClassifier, fold_of_groups, train_classifier,
};
use ocellus_algo::preprocess;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::artefact::{Artefact, HeldOut};
use super::make::{Made, Outset, names, on_a_thread};
use super::run::Unmade;
use crate::catalog::ModelSpec;
use crate::predict::regions::raw;
use crate::predict::{open_image, run_weights, spec_of};
use crate::user_models::{BackboneRef, FailureReason, TrainedConcept, TrainedOn};
use crate::{Error, Platform, Result};
use drawn::Picture;

/// The most boxes of one picture that show nothing of what was drawn.
const MAX_OTHERS: usize = 48;
/// The most boxes of all pictures together that show nothing: half a gigabyte of numbers.
const MAX_ALL_OTHERS: usize = 60_000;
/// How many pictures are looked at at once.
const AT_ONCE: usize = 4;

/// What the pretrained detector gave for a picture.
pub(crate) struct Proposed {
    boxes: Vec<[f32; 4]>,
    map: FeatureMap,
}

/// The pretrained detector that proposes boxes.
pub(crate) fn proposer(platform: &Platform) -> Result<Arc<ModelSpec>> {
    let found = platform.catalog().detector().cloned();
    found.ok_or_else(|| Error::unsupported("there is no detector here that could propose boxes"))
}

/// Proposals for a picture, and what the network saw in it.
pub(crate) async fn propose(
    platform: &Platform,
    spec: &ModelSpec,
    open: impl FnOnce() -> Result<RgbImage> + Send + 'static,
) -> Result<Proposed> {
    let how = spec_of(spec)?.clone();
    let input = platform.engine().cpu(move || open().map(|image| preprocess::apply(&how, &image))).await??;
    let outputs = run_weights(platform, spec, input).await?;
    let n_classes = spec.labels.n_outputs();
    let read = move || {
        let boxes = detect::proposals(raw(n_classes, &outputs)?, detect::MAX_PROPOSALS)?;
        let none = || Error::internal(anyhow::anyhow!("the detector gives no features"));
        let features = outputs.get(FEATURES).ok_or_else(none)?;
        Ok(Proposed { boxes, map: FeatureMap::new(&features.shape, &features.data)? })
    };
    platform.engine().cpu(read).await?
}

/// The place of the feature maps among the outputs of the detector.
const FEATURES: usize = 2;

/// What an own detector finds in a picture.
pub(crate) async fn find(
    platform: &Platform,
    spec: &ModelSpec,
    artefact: &Arc<Artefact>,
    open: impl FnOnce() -> Result<RgbImage> + Send + 'static,
) -> Result<Vec<Detection>> {
    let (proposed, artefact) = (propose(platform, spec, open).await?, Arc::clone(artefact));
    let look = move || {
        let Artefact::Detector(head) = &*artefact else {
            return Err(Error::internal(anyhow::anyhow!("only a detector finds boxes")));
        };
        Ok(head.find(&proposed.map, &proposed.boxes)?)
    };
    platform.engine().cpu(look).await?
}

/// Boxes with their numbers and labels, as many rows as boxes, and the picture of each row.
#[derive(Default)]
struct Lesson {
    values: Vec<f32>,
    labels: Vec<Label>,
    pictures: Vec<usize>,
    dim: usize,
    n_classes: usize,
}

/// Reads the drawn boxes and learns.
pub(super) async fn make(outset: Outset<'_>) -> Result<Made, Unmade> {
    let recipe = &outset.target.recipe;
    let (platform, spec) = (outset.platform, proposer(outset.platform)?);
    let pictures =
        drawn::read(platform, &outset.target.app_uid, &recipe.concept_ids, recipe.source()).await?;
    let names = names(outset, &recipe.concept_ids).await?;
    let mut trained_on = provenance(outset, &spec, &pictures);
    for concept in &mut trained_on.concepts {
        concept.name = names.get(&concept.id).unwrap_or(&concept.id).clone();
    }
    objection(outset, &pictures, &trained_on).map_or(Ok(()), Err)?;
    outset.told.step("looking at the pictures");
    let n_classes = recipe.concept_ids.len();
    let n_others = MAX_OTHERS.min(MAX_ALL_OTHERS / pictures.len().max(1)).max(8);
    let (lesson, kept) = lesson(outset, &spec, &pictures, (n_classes, n_others)).await?;
    trained_on.n_without_vector = (pictures.len() - kept.len()) as u64;
    outset.told.step("learning");
    let fitted = fit(outset, lesson, &kept).await?;
    outset.told.step("judging");
    let claims = judge(outset, &spec, &kept, &fitted).await?;
    let report = agreement::of_boxes(n_classes, &truth(&kept), &claims);
    put_report(&mut trained_on, &fitted.trained, &report);
    let held_out = held_out(&kept, &recipe.concept_ids, &claims, &fitted.folds);
    let artefact = Artefact::Detector(DetectorHead::new(fitted.trained.head));
    Ok(Made { bytes: artefact.to_bytes(), artefact, held_out: Some(held_out), trained_on })
}

/// Why these boxes cannot teach these concepts, if so.
fn objection(outset: Outset<'_>, pictures: &[Picture], trained_on: &TrainedOn) -> Option<Unmade> {
    let settings = &outset.target.recipe.settings;
    if pictures.is_empty() || trained_on.concepts.iter().all(|concept| concept.n_positive == 0) {
        let message = "no input has a box with any of the concepts".to_owned();
        return Some(Unmade::Failed(FailureReason::NoData, message));
    }
    let missing: Vec<&str> =
        trained_on.concepts.iter().filter(|one| one.n_positive == 0).map(|one| one.id.as_str()).collect();
    if !missing.is_empty() && settings.is_on("fail_on_missing_positive_examples") {
        let message = format!("there are no boxes with {}", missing.join(", "));
        return Some(Unmade::Failed(FailureReason::NoPositives, message));
    }
    None
}

fn provenance(outset: Outset<'_>, spec: &ModelSpec, pictures: &[Picture]) -> TrainedOn {
    let recipe = &outset.target.recipe;
    let boxes = || pictures.iter().flat_map(|picture| &picture.drawn);
    let concept = |(class, id): (usize, &String)| {
        let n =
            |is_one: bool| boxes().filter(|one| one.class == class && one.is_one == is_one).count() as u64;
        TrainedConcept { id: id.clone(), name: id.clone(), n_positive: n(true), n_negative: n(false) }
    };
    let mut hash = Sha256::new();
    for picture in pictures {
        hash.update((picture.input_id.len() as u64).to_le_bytes());
        hash.update(&picture.input_id);
        hash.update(&picture.blob);
        for one in &picture.drawn {
            hash.update((one.class as u64).to_le_bytes());
            hash.update([u8::from(one.is_one)]);
            one.sides.iter().for_each(|side| hash.update(side.to_le_bytes()));
        }
    }
    TrainedOn {
        dataset_id: recipe.settings.text("dataset_id").to_owned(),
        dataset_version_id: recipe.settings.text("dataset_version_id").to_owned(),
        content_hash: hex::encode(hash.finalize()),
        n_inputs: pictures.len() as u64,
        concepts: recipe.concept_ids.iter().enumerate().map(concept).collect(),
        parameters: recipe.settings.all().clone(),
        seed: recipe.settings.whole("seed").unwrap_or(0) as u64,
        backbone: BackboneRef {
            model_id: spec.id.clone(),
            version_id: spec.version_id().to_owned(),
            weights_sha256: spec.file_sha256.clone().unwrap_or_default(),
            preprocessing: spec.preprocess.as_ref().map(|how| format!("{how:?}")).unwrap_or_default(),
            ..BackboneRef::default()
        },
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..TrainedOn::default()
    }
}

/// Looks at every picture and takes the boxes that are worth learning from. Pictures that cannot be looked at are left out.
async fn lesson(
    outset: Outset<'_>,
    spec: &Arc<ModelSpec>,
    pictures: &[Picture],
    (n_classes, n_others): (usize, usize),
) -> Result<(Lesson, Vec<Picture>), Unmade> {
    // Handed over one by one: a future that borrows from a list is not told to be safe to send.
    let looked = stream::iter(pictures.to_vec()).map(|picture| async move {
        let Some(proposed) = proposals_of(outset.platform, spec, &picture).await? else { return Ok(None) };
        let drawn = picture.drawn.clone();
        let describe = move || {
            let found = learn::examples(&proposed.boxes, &drawn, n_classes, n_others);
            let mut values = Vec::new();
            found.boxes.iter().for_each(|sides| proposed.map.describe(*sides, CELLS, &mut values));
            (values, found.labels, proposed.map.dim(CELLS))
        };
        Ok::<_, Error>(Some((picture, outset.platform.engine().cpu(describe).await?)))
    });
    let mut looked = looked.buffered(AT_ONCE);
    let (mut lesson, mut kept) = (Lesson { n_classes, ..Lesson::default() }, Vec::new());
    let mut n_seen = 0;
    while let Some(one) = looked.next().await {
        n_seen += 1;
        outset.told.done(0.05 + 0.35 * n_seen as f32 / pictures.len() as f32);
        let Some((picture, (values, labels, dim))) = one? else { continue };
        lesson.pictures.extend(vec![kept.len(); labels.len() / n_classes.max(1)]);
        lesson.values.extend(values);
        lesson.labels.extend(labels);
        lesson.dim = dim;
        kept.push(picture);
    }
    if kept.is_empty() {
        let message = format!("none of the {} inputs with boxes could be looked at", pictures.len());
        return Err(Unmade::Failed(FailureReason::NoData, message));
    }
    Ok((lesson, kept))
}

/// Proposals for an input; nothing if it cannot be looked at. What fails now but may work later is an error.
async fn proposals_of(platform: &Platform, spec: &ModelSpec, picture: &Picture) -> Result<Option<Proposed>> {
    let Some(bytes) = platform.store().blobs().get(&picture.blob).await? else { return Ok(None) };
    let limits = *platform.decode_limits();
    let crops: Vec<crate::CropBox> = picture.crop.into_iter().collect();
    match propose(platform, spec, move || open_image(&bytes, &limits, &crops)).await {
        Ok(proposed) => Ok(Some(proposed)),
        Err(error) if error.is_transient() => Err(error),
        Err(_) => Ok(None),
    }
}

/// The head, and for each fold one that has seen none of it.
struct Fitted {
    trained: TrainedClassifier,
    blind: Arc<Vec<DetectorHead>>,
    /// The fold of each picture.
    folds: Vec<u32>,
}

async fn fit(outset: Outset<'_>, lesson: Lesson, kept: &[Picture]) -> Result<Fitted, Unmade> {
    let n_classes = lesson.n_classes;
    let settings = &outset.target.recipe.settings;
    let usual = ClassifierSpec::default();
    let spec = ClassifierSpec {
        method: Some(Method::Linear),
        closed: true,
        regularisation: settings.number("regularisation"),
        n_folds: settings.whole("n_folds").unwrap_or(usual.n_folds),
        max_iterations: settings.whole("max_iterations").unwrap_or(usual.max_iterations),
        seed: settings.whole("seed").unwrap_or(0) as u64,
        ..usual
    };
    let items: Vec<groups::Item<'_>> =
        kept.iter().map(|picture| groups::Item { hash: picture.phash, ..groups::Item::default() }).collect();
    let groups = groups::of(&items)?;
    let mut shown = vec![Label::Negative; kept.len() * n_classes];
    for (n, picture) in kept.iter().enumerate() {
        let is_one = |one: &&Drawn| one.is_one;
        picture
            .drawn
            .iter()
            .filter(is_one)
            .for_each(|one| shown[n * n_classes + one.class] = Label::Positive);
    }
    let told = outset.told.clone();
    on_a_thread(move || {
        let shown = Labels { values: &shown, n_concepts: n_classes };
        let folds = fold_of_groups(&groups, shown, spec.n_folds, spec.seed);
        let n_folds = folds.iter().max().map_or(0, |last| last + 1);
        let trained = fit_rows(&lesson, &groups, &spec, |_| true, &mut |part| told.done(0.4 + 0.2 * part))?;
        // The strength that was found is not looked for again: it depends little on a fifth of the pictures.
        let again =
            ClassifierSpec { regularisation: trained.choice.regularisation.or(spec.regularisation), ..spec };
        let mut blind = Vec::new();
        for fold in 0..n_folds {
            let from = 0.6 + 0.25 * fold as f32 / n_folds as f32;
            let mut progress = |part: f32| told.done(from + 0.25 / n_folds as f32 * part);
            let seen = |picture: usize| n_folds < 2 || folds[picture] != fold;
            let fitted = fit_rows(&lesson, &groups, &again, seen, &mut progress)?;
            blind.push(DetectorHead::new(fitted.head));
        }
        Ok(Fitted { trained, blind: Arc::new(blind), folds })
    })
    .await
}

/// Trains on the rows of some pictures.
fn fit_rows(
    lesson: &Lesson,
    groups: &[u32],
    spec: &ClassifierSpec,
    seen: impl Fn(usize) -> bool,
    progress: &mut dyn FnMut(f32) -> bool,
) -> ocellus_algo::Result<TrainedClassifier> {
    let n_classes = lesson.n_classes;
    let (mut values, mut labels, mut rows_groups) = (Vec::new(), Vec::new(), Vec::new());
    for (row, picture) in lesson.pictures.iter().enumerate().filter(|(_, picture)| seen(**picture)) {
        values.extend_from_slice(&lesson.values[row * lesson.dim..(row + 1) * lesson.dim]);
        labels.extend_from_slice(&lesson.labels[row * n_classes..(row + 1) * n_classes]);
        rows_groups.push(groups[*picture]);
    }
    let rows = Rows { values: &values, dim: lesson.dim };
    let labels = Labels { values: &labels, n_concepts: n_classes };
    train_classifier(rows, labels, &rows_groups, Rows::none(lesson.dim), spec, progress)
}

/// What the blind heads find, picture by picture.
async fn judge(
    outset: Outset<'_>,
    spec: &Arc<ModelSpec>,
    kept: &[Picture],
    fitted: &Fitted,
) -> Result<Vec<Claim>, Unmade> {
    let looked = stream::iter(kept.iter().cloned().enumerate()).map(|(item, picture)| async move {
        let Some(proposed) = proposals_of(outset.platform, spec, &picture).await? else {
            return Ok(Vec::new());
        };
        let (heads, fold) = (Arc::clone(&fitted.blind), fitted.folds[item] as usize);
        let find = move || heads[fold].find(&proposed.map, &proposed.boxes);
        let found = outset.platform.engine().cpu(find).await??;
        let claim = |one: Detection| Claim { item, class: one.class, score: one.score, sides: one.sides };
        Ok::<_, Error>(found.into_iter().map(claim).collect())
    });
    let mut looked = looked.buffered(AT_ONCE);
    let (mut claims, mut n_seen) = (Vec::new(), 0);
    while let Some(found) = looked.next().await {
        n_seen += 1;
        outset.told.done(0.85 + 0.14 * n_seen as f32 / kept.len() as f32);
        claims.extend(found?);
    }
    Ok(claims)
}

fn truth(kept: &[Picture]) -> Vec<Claim> {
    let of = |(item, picture): (usize, &Picture)| {
        let shown = picture.drawn.iter().filter(|one| one.is_one).copied().collect::<Vec<Drawn>>();
        shown.into_iter().map(move |one| Claim { item, class: one.class, score: 1.0, sides: one.sides })
    };
    kept.iter().enumerate().flat_map(of).collect()
}

fn put_report(trained_on: &mut TrainedOn, trained: &TrainedClassifier, report: &Agreement) {
    trained_on.method = "linear-on-proposals".to_owned();
    trained_on.why = format!("boxes proposed by {}; {}", trained_on.backbone.model_id, trained.choice.why);
    let found = &mut trained_on.found;
    found.insert("n_folds".to_owned(), trained.choice.n_folds.into());
    if let Some(strength) = trained.choice.regularisation {
        found.insert("regularisation".to_owned(), strength.into());
    }
    if let Some((at_half, over_range)) = report.mean_average_precision {
        found.insert("mean_average_precision".to_owned(), f64::from(at_half).into());
        found.insert("mean_average_precision_50_95".to_owned(), f64::from(over_range).into());
    }
    let by_concept = trained_on.concepts.iter().zip(&report.classes).map(|(concept, class)| {
        json!({
            "id": concept.id, "average_precision": class.average_precision,
            "precision": class.precision, "recall": class.recall, "n_boxes": class.n_positive,
        })
    });
    found.insert("concepts".to_owned(), by_concept.collect());
}

/// Of whole inputs: how surely the surest box shows a concept.
fn held_out(kept: &[Picture], concept_ids: &[String], claims: &[Claim], folds: &[u32]) -> HeldOut {
    let n_classes = concept_ids.len();
    let mut labels = vec![Label::Negative; kept.len() * n_classes];
    truth(kept).iter().for_each(|one| labels[one.item * n_classes + one.class] = Label::Positive);
    let mut probabilities = vec![0.0_f32; labels.len()];
    for one in claims {
        let place = &mut probabilities[one.item * n_classes + one.class];
        *place = place.max(one.score);
    }
    HeldOut {
        input_ids: kept.iter().map(|picture| picture.input_id.clone()).collect(),
        concept_ids: concept_ids.to_vec(),
        labels,
        raw: probabilities.clone(),
        probabilities,
        folds: folds.to_vec(),
    }
}
