//! Operators at work on what flows to them.

use std::collections::BTreeMap;

use ocellus_store as store;
use sha2::{Digest, Sha256};

use super::Node;
use super::findings::Findings;
use super::operators::{self, Mapping, Operator};
use super::run::{Flowing, MAX_PARTS, Pictures, Run, RunInput};
use crate::predict::{self, PredictInput, Subject};
use crate::{AppCtx, CropBox, Error, Resource, Result, inputs};

/// Which concepts, by id and name, stand for a concept.
type Table = BTreeMap<String, Vec<(String, String)>>;

pub(super) async fn run(
    run: &Run<'_>,
    node: &Node,
    operator: &Operator,
    coming: Vec<Result<Flowing>>,
) -> Vec<Result<Flowing>> {
    let mut table = Ok(Table::new());
    if let Operator::ConceptMap(mapping) = operator {
        table = self::table(run.app, mapping, &coming).await;
    }
    let mut going = Vec::with_capacity(coming.len());
    for (flowing, input) in coming.into_iter().zip(run.inputs) {
        going.push(match (flowing, input) {
            (Ok(flowing), Ok(input)) => one(run, (node, operator), flowing, input, &table).await,
            (Err(error), _) => Err(error),
            (Ok(_), Err(error)) => Err(error.clone()),
        });
    }
    going
}

async fn one(
    run: &Run<'_>,
    (node, operator): (&Node, &Operator),
    coming: Flowing,
    input: &RunInput,
    table: &Result<Table>,
) -> Result<Flowing> {
    match operator {
        Operator::ConceptMap(_) => {
            let table = table.as_ref().map_err(Clone::clone)?;
            Ok(Flowing { pictures: Pictures::Nothing, found: operators::mapped(coming.found, table) })
        }
        Operator::Tile { size, overlap } => match &input.input {
            Some(input) if coming.pictures == Pictures::Whole => tiled(run, input, *size, *overlap).await,
            _ => Ok(Flowing::default()),
        },
        Operator::ConceptThreshold(_)
        | Operator::RegionThreshold(_)
        | Operator::Crop { .. }
        | Operator::Sample { .. }
        | Operator::CountRegions
        | Operator::Merge(_) => Ok(plain(operator, coming, &format!("{}/{}", input.lot, node.id))),
    }
}

/// Operators that need nothing but what comes.
fn plain(operator: &Operator, coming: Flowing, lot: &str) -> Flowing {
    let only = |found: Findings| Flowing { pictures: Pictures::Nothing, found };
    match operator {
        Operator::ConceptThreshold(threshold) => only(threshold.of_concepts(coming.found)),
        Operator::RegionThreshold(threshold) => only(threshold.of_regions(coming.found)),
        Operator::Crop { margin } => {
            let mut parts = coming.found.parts;
            for part in &mut parts {
                part.place = operators::with_margin(part.place, *margin);
            }
            Flowing { pictures: Pictures::Parts, found: Findings { parts, ..Findings::default() } }
        }
        Operator::CountRegions => {
            only(Findings { count: Some(coming.found.parts.len() as u64), ..Findings::default() })
        }
        Operator::Merge(Some(lift)) => only(operators::lifted(coming.found, *lift)),
        Operator::Merge(None) => only(coming.found),
        Operator::Sample { keep } => match drawn(lot) < *keep {
            true => coming,
            false => Flowing::default(),
        },
        Operator::Tile { .. } | Operator::ConceptMap(_) => Flowing::default(),
    }
}

/// A number from 0 to 1, 1 not included, that looks like chance and is always the same for the same lot.
pub(crate) fn drawn(lot: &str) -> f64 {
    let hash = Sha256::digest(lot.as_bytes());
    let number = hash.iter().take(6).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    number as f64 / (1_u64 << 48) as f64
}

async fn tiled(run: &Run<'_>, input: &PredictInput, size: u32, overlap: u32) -> Result<Flowing> {
    let (width, height) = picture_size(run.app, input).await?;
    let step = u64::from(size - overlap);
    let along = |length: u32| u64::from(length).div_ceil(step);
    if along(width) * along(height) > MAX_PARTS as u64 * 4 {
        let message = format!("an image of {width} x {height} pixels has too many tiles of {size}");
        return Err(Error::unsupported(message).about(Resource::Image(String::new())));
    }
    let places = operators::tiles((width, height), size, overlap);
    let parts = operators::tile_parts(places, || run.new_id());
    Ok(Flowing { pictures: Pictures::Parts, found: Findings { parts, ..Findings::default() } })
}

/// Width and height of what is looked at.
async fn picture_size(app: &AppCtx, input: &PredictInput) -> Result<(u32, u32)> {
    let mut crops: Vec<CropBox> = input.crop.into_iter().collect();
    let no_image = || Error::unsupported("only images can be cut into tiles");
    let bytes = match &input.subject {
        Subject::Source(source) => predict::bytes_of(app.platform(), source).await?,
        Subject::Picture(picture) => {
            let cut = predict::cut((**picture).clone(), &crops)?;
            return Ok(cut.dimensions());
        }
        Subject::Video(_) => return Err(no_image().about(Resource::Image(String::new()))),
        Subject::Input(id) => {
            let stored = inputs::get(app, id).await?;
            let about = || Resource::Input(id.clone());
            let hosted = stored.hosted.ok_or_else(|| no_image().about(about()))?;
            crops.splice(0..0, stored.crop);
            let bytes = app.platform().store().blobs().get(&hosted.hash).await?;
            bytes.ok_or_else(|| Error::not_found(about()))?
        }
    };
    let limits = *app.platform().decode_limits();
    let size = move || Ok::<_, Error>(predict::open_image(&bytes, &limits, &crops)?.dimensions());
    app.platform().engine().cpu(size).await?
}

/// What the concepts that come stand for.
async fn table(app: &AppCtx, mapping: &Mapping, coming: &[Result<Flowing>]) -> Result<Table> {
    let graph = match mapping {
        Mapping::Written(written) => {
            let pair = |(from, to): (&String, &String)| (from.clone(), vec![(to.clone(), name_of(app, to))]);
            return Ok(written.iter().map(pair).collect());
        }
        Mapping::Synonyms(graph) => graph.clone(),
    };
    let mut ids = Vec::new();
    for flowing in coming.iter().flatten() {
        ids.extend(flowing.found.best().into_iter().map(|scored| scored.concept_id));
    }
    ids.sort_unstable();
    ids.dedup();
    let uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| {
        let mut table = Table::new();
        for relation in tx.concept_relations_of(&uid, &ids)? {
            let counts = relation.predicate == "synonym"
                && graph.as_ref().is_none_or(|graph| *graph == relation.graph_id);
            if !counts {
                continue;
            }
            let pairs =
                [(&relation.subject_id, &relation.object_id), (&relation.object_id, &relation.subject_id)];
            for (from, to) in pairs {
                if ids.contains(from)
                    && let Some(concept) = tx.concept(&uid, to)?
                {
                    table.entry(from.clone()).or_default().push((concept.id, concept.name));
                }
            }
        }
        Ok::<_, Error>(table)
    };
    app.platform().store().read(read).await
}

/// The public name of a concept, or its id where there is none.
fn name_of(app: &AppCtx, id: &str) -> String {
    let labels = &app.platform().catalog().general().labels;
    labels.by_id(id).map_or_else(|| id.to_owned(), |concept| concept.name.clone())
}
