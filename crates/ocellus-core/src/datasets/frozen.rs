//! An input with everything that people said about it, as one record: what versions keep and exports are made of, and
//! the way from a record of a collection to an input and its annotations.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ocellus_interchange::{Bitmap, ConceptValue, Content, Geo, Item, Point, Region, Shape, Span, Track};
use ocellus_store as store;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::annotations::{self, Annotation, Data, Frame, Said, Status};
use crate::inputs::{Input, InputState};
use crate::{AppCtx, CropBox, Error, JsonMap, Result};

/// The key of an input's metadata that holds its file's name.
pub const FILE_NAME: &str = "filename";
/// The key of an input's metadata that holds its part of a collection, such as "train".
pub const SPLIT: &str = "split";

/// An input as it was at some moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// What a collection would say about it.
    pub item: Item,
    /// "image", "video", "text" or "audio".
    pub kind: String,
    /// "pending", "processing", "ready" or "failed".
    pub state: String,
    /// SHA-256 of its bytes, if they are held here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Whether there is a thumbnail of it.
    #[serde(default)]
    pub has_thumb: bool,
    /// The media type of its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// The part that is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<CropBox>,
    /// Its own data, file name and split included.
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub metadata: JsonMap,
    /// When it was added, in microseconds since the epoch.
    pub created_at_us: i64,
    /// When it was last changed, in microseconds since the epoch.
    pub modified_at_us: i64,
    /// Its vector by the embedding model, in archives that hold vectors; not kept with the version.
    #[serde(skip)]
    pub vector: Option<Vec<f32>>,
}

/// Reads inputs of an app with what people said about them and what counts; missing ones are left out.
pub async fn of_inputs(app: &AppCtx, input_ids: Vec<String>) -> Result<Vec<Frozen>> {
    let app_uid = app.uid().to_owned();
    app.platform().store().read(move |tx| freeze(tx, &app_uid, &input_ids)).await
}

/// The same within a transaction, in the order of the ids.
pub(crate) fn freeze<S: AsRef<str>>(tx: &store::Tx<'_>, app_uid: &str, ids: &[S]) -> Result<Vec<Frozen>> {
    let inputs = crate::inputs::load(tx, app_uid, ids)?;
    let rows = tx.annotations_of_inputs(app_uid, ids)?;
    let mut said: HashMap<String, Vec<Annotation>> = HashMap::new();
    for annotation in annotations::read_rows(tx, app_uid, rows)? {
        if annotation.status == Status::Success && annotation.is_by_person() {
            said.entry(annotation.input_id.clone()).or_default().push(annotation);
        }
    }
    let freeze = |input: Input| {
        let annotations = said.remove(&input.id).unwrap_or_default();
        Frozen::new(input, annotations)
    };
    Ok(inputs.into_iter().map(freeze).collect())
}

/// Which annotations a version is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Only {
    /// These count, and no others.
    pub annotation_ids: BTreeSet<String>,
    /// Inputs without any of them are left out.
    pub without_empty: bool,
}

/// Like [`freeze`], with what only some annotations say.
pub(crate) fn freeze_only<S: AsRef<str>>(
    tx: &store::Tx<'_>,
    app_uid: &str,
    ids: &[S],
    only: &Only,
) -> Result<Vec<Frozen>> {
    let rows = tx.annotations_of_inputs(app_uid, ids)?;
    let rows = rows.into_iter().filter(|row| only.annotation_ids.contains(&row.id)).collect();
    let mut said: HashMap<String, Vec<Annotation>> = HashMap::new();
    for annotation in annotations::read_rows(tx, app_uid, rows)? {
        said.entry(annotation.input_id.clone()).or_default().push(annotation);
    }
    let mut all = Vec::new();
    for mut input in crate::inputs::load(tx, app_uid, ids)? {
        let annotations = said.remove(&input.id).unwrap_or_default();
        if annotations.is_empty() && only.without_empty {
            continue;
        }
        input.labels.clear();
        let whole: Vec<Said> = annotations.iter().flat_map(|one| one.data.concepts.clone()).collect();
        let mut frozen = Frozen::new(input, annotations);
        for concept in whole.into_iter().map(concept) {
            // The last of several equal concepts counts, at the place of the first.
            match frozen.item.concepts.iter_mut().find(|earlier| earlier.id == concept.id) {
                Some(earlier) => earlier.value = concept.value,
                None => frozen.item.concepts.push(concept),
            }
        }
        all.push(frozen);
    }
    Ok(all)
}

impl Frozen {
    fn new(input: Input, annotations: Vec<Annotation>) -> Self {
        let mut item = Item { id: input.id, width: input.width, height: input.height, ..Item::default() };
        let mut metadata = input.metadata.clone();
        let mut take = |key: &str| match metadata.get(key).and_then(|value| value.as_str()) {
            Some(text) if !text.is_empty() => {
                let text = text.to_owned();
                metadata.shift_remove(key);
                Some(text)
            }
            _ => None,
        };
        item.file_name = take(FILE_NAME).unwrap_or_default();
        item.split = take(SPLIT);
        item.metadata = metadata;
        item.geo = input.geo.map(|at| Geo { longitude: at.longitude, latitude: at.latitude });
        item.concepts = input
            .labels
            .into_iter()
            .map(|label| ConceptValue { id: label.concept_id, name: label.name, value: label.value })
            .collect();
        item.content = match (input.text, input.url) {
            (Some(text), _) => Content::Text(text),
            (None, Some(url)) => Content::Url(url),
            (None, None) => Content::Absent,
        };
        annotations.into_iter().for_each(|annotation| put_parts(&mut item, annotation));
        let hosted = input.hosted;
        Self {
            item,
            kind: input.kind.name().to_owned(),
            state: state_name(&input.state).to_owned(),
            has_thumb: hosted.as_ref().is_some_and(|hosted| hosted.thumb.is_some()),
            mime: hosted.as_ref().and_then(|hosted| hosted.mime.clone()),
            hash: hosted.map(|hosted| hosted.hash),
            crop: input.crop,
            metadata: input.metadata,
            created_at_us: input.created_at_us,
            modified_at_us: input.modified_at_us,
            vector: None,
        }
    }

    /// SHA-256 of what the input shows: of its kind and its bytes, or its words, or its address.
    pub fn content_digest(&self) -> String {
        let source = match (&self.hash, &self.item.content) {
            (Some(hash), _) => format!("blob {hash}"),
            (None, Content::Text(text)) => format!("text {text}"),
            (None, Content::Url(url)) => format!("url {url}"),
            (None, Content::File(_) | Content::Absent) => "nothing".to_owned(),
        };
        hex::encode(Sha256::digest(format!("{}\n{source}", self.kind)))
    }

    /// SHA-256 of what is said about the input, whatever the order in which it was said.
    pub fn labels_digest(&self) -> String {
        let concepts: BTreeMap<&str, String> =
            self.item.concepts.iter().map(|tag| (tag.id.as_str(), tag.value.to_string())).collect();
        let regions = self.item.regions.iter().map(|region| line(&Region { id: None, ..region.clone() }));
        let spans = self.item.spans.iter().map(|span| line(&Span { id: None, ..span.clone() }));
        let mut parts: Vec<String> = regions.chain(spans).collect();
        parts.sort_unstable();
        let said = format!("{}\n{}", line(&concepts), parts.join("\n"));
        hex::encode(Sha256::digest(said))
    }

    /// A name for its file in an export.
    pub fn export_name(&self) -> String {
        if !self.item.file_name.is_empty() {
            return self.item.file_name.clone();
        }
        let mime = self.mime.as_deref().map(|mime| mime.split(';').next().unwrap_or(mime).trim());
        let extension = match mime {
            Some("image/jpeg") => "jpg",
            Some("image/svg+xml" | "application/octet-stream") | None => "",
            Some("text/plain") => "txt",
            Some("audio/mpeg") => "mp3",
            Some(mime) => mime.rsplit('/').next().unwrap_or_default(),
        };
        let known = !extension.is_empty() && !self.item.id.to_lowercase().ends_with(&format!(".{extension}"));
        if known { format!("{}.{extension}", self.item.id) } else { self.item.id.clone() }
    }
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn state_name(state: &InputState) -> &'static str {
    match state {
        InputState::Pending => "pending",
        InputState::Processing => "processing",
        InputState::Ready => "ready",
        InputState::Failed { .. } => "failed",
    }
}

/// Adds what an annotation says of parts of the input. What it says of the whole input is among the input's concepts.
fn put_parts(item: &mut Item, annotation: Annotation) {
    let Data { regions, frames, metadata, .. } = annotation.data;
    let mut found: Vec<Region> = Vec::new();
    let all = regions.into_iter().map(|region| (region, None));
    let of_frames = frames.into_iter().flat_map(|frame| {
        let number = u64::from(frame.number);
        frame.regions.into_iter().map(move |region| (region, Some(number)))
    });
    for (region, frame) in all.chain(of_frames) {
        let concepts: Vec<ConceptValue> = region.concepts.into_iter().map(concept).collect();
        match region.shape {
            Some(annotations::Shape::Span(span) | annotations::Shape::Token(span)) => {
                let (start, end) = (u64::from(span.start), u64::from(span.end));
                item.spans.push(Span { id: Some(region.id), start, end, concepts });
            }
            Some(shape) => {
                let track = frame.map(|frame| Track { id: region.track_id.clone(), frame });
                for shape in to_shapes(shape) {
                    // An object of several outlines was stored as one annotation with a region for each.
                    if let (Some(last), Shape::Polygon { rings }) = (found.last_mut(), &shape)
                        && let Shape::Polygon { rings: earlier } = &mut last.shape
                        && last.concepts == concepts
                        && last.track == track
                    {
                        earlier.extend(rings.iter().cloned());
                        continue;
                    }
                    let id = Some(region.id.clone());
                    let metadata = JsonMap::new();
                    found.push(Region {
                        id,
                        shape,
                        concepts: concepts.clone(),
                        track: track.clone(),
                        metadata,
                    });
                }
            }
            None => {}
        }
    }
    if let [only] = &mut found[..] {
        only.metadata = metadata;
    }
    item.regions.append(&mut found);
}

fn concept(said: Said) -> ConceptValue {
    ConceptValue { id: said.concept_id, name: said.name, value: said.value }
}

/// Single precision becomes the shortest decimal that means the same, so that 0.1 stays 0.1.
fn exact(n: f32) -> f64 {
    n.to_string().parse().unwrap_or(f64::from(n))
}

fn to_shapes(shape: annotations::Shape) -> Vec<Shape> {
    let point = |point: &annotations::Point| Point { x: exact(point.col), y: exact(point.row) };
    match shape {
        annotations::Shape::Box(sides) => vec![Shape::Box {
            left: exact(sides.left),
            top: exact(sides.top),
            right: exact(sides.right),
            bottom: exact(sides.bottom),
        }],
        annotations::Shape::Polygon { points } => {
            vec![Shape::Polygon { rings: vec![points.iter().map(point).collect()] }]
        }
        annotations::Shape::Point(at) => vec![Shape::Point { x: exact(at.col), y: exact(at.row) }],
        annotations::Shape::Keypoints { points } => {
            points.iter().map(point).map(|Point { x, y }| Shape::Point { x, y }).collect()
        }
        annotations::Shape::Mask { base64, .. } => {
            let png = STANDARD.decode(base64).unwrap_or_default();
            if png.is_empty() { Vec::new() } else { vec![Shape::MaskPng { png }] }
        }
        annotations::Shape::Span(_) | annotations::Shape::Token(_) => Vec::new(),
    }
}

/// What an annotation is to say for each part of a record of a collection: one for each region and span.
pub fn parts(item: &Item) -> Result<Vec<Data>> {
    let regions = item.regions.iter().map(|region| {
        let said = region.concepts.iter().map(to_said).collect::<Vec<_>>();
        let id = region.id.clone().filter(|id| !id.is_empty() && id.chars().count() <= 128);
        let track_id = region.track.as_ref().map(|track| track.id.clone()).unwrap_or_default();
        let shapes = from_shape(&region.shape)?;
        let several = shapes.len() > 1;
        let regions: Vec<annotations::Region> = shapes
            .into_iter()
            .enumerate()
            .map(|(n, shape)| annotations::Region {
                id: match &id {
                    Some(id) if several && n > 0 => format!("{id}-{n}"),
                    Some(id) => id.clone(),
                    None => String::new(),
                },
                shape: Some(shape),
                concepts: said.clone(),
                track_id: track_id.clone(),
                ..annotations::Region::default()
            })
            .collect();
        let mut data = Data { metadata: region.metadata.clone(), ..Data::default() };
        match &region.track {
            None => data.regions = regions,
            Some(track) => {
                let number = u32::try_from(track.frame).unwrap_or(u32::MAX);
                data.frames = vec![Frame { number, index: number, regions, ..Frame::default() }];
            }
        }
        Ok(data)
    });
    let spans = item.spans.iter().map(|span| {
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let raw = words(item, span);
        let shape = annotations::Span { start: number(span.start), end: number(span.end), raw };
        let region = annotations::Region {
            id: span.id.clone().unwrap_or_default(),
            shape: Some(annotations::Shape::Span(shape)),
            concepts: span.concepts.iter().map(to_said).collect(),
            ..annotations::Region::default()
        };
        Ok(Data { regions: vec![region], ..Data::default() })
    });
    regions.chain(spans).collect()
}

fn words(item: &Item, span: &Span) -> String {
    let Content::Text(text) = &item.content else { return String::new() };
    let skip = usize::try_from(span.start).unwrap_or(usize::MAX);
    let n_chars = usize::try_from(span.end.saturating_sub(span.start)).unwrap_or(usize::MAX);
    text.chars().skip(skip).take(n_chars).collect()
}

fn to_said(tag: &ConceptValue) -> Said {
    Said { concept_id: tag.id.clone(), name: tag.name.clone(), value: tag.value }
}

/// One shape, or one for each outline of an object that has several.
fn from_shape(shape: &Shape) -> Result<Vec<annotations::Shape>> {
    let side = |n: f64| (n as f32).clamp(0.0, 1.0);
    let point =
        |x: f64, y: f64| annotations::Point { row: side(y), col: side(x), ..annotations::Point::default() };
    Ok(match shape {
        Shape::Box { left, top, right, bottom } => vec![annotations::Shape::Box(CropBox {
            top: side(*top),
            left: side(*left),
            bottom: side(*bottom),
            right: side(*right),
        })],
        Shape::Polygon { rings } => rings
            .iter()
            .map(|ring| annotations::Shape::Polygon {
                points: ring.iter().map(|p| point(p.x, p.y)).collect(),
            })
            .collect(),
        Shape::Point { x, y } => vec![annotations::Shape::Point(point(*x, *y))],
        Shape::MaskPng { png } => vec![mask(png)],
        Shape::MaskRle { width, height, runs } => {
            let bitmap = Bitmap::from_rows(*width, *height, runs);
            let png = bitmap.and_then(|bitmap| bitmap.to_png());
            vec![mask(&png.map_err(|reason| Error::invalid("mask", reason))?)]
        }
    })
}

fn mask(png: &[u8]) -> annotations::Shape {
    annotations::Shape::Mask { base64: STANDARD.encode(png), url: String::new(), color: String::new() }
}
