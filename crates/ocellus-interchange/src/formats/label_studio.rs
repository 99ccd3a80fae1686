//! Label Studio's JSON export, read task by task: rectangles, polygons, key points, brush masks, choices, spans of
//! text and rectangles of a video.

use serde::Deserialize;
use serde_json::Value;

use crate::brush_rle;
use crate::error::{Place, Result};
use crate::formats::cvat::turned;
use crate::json_elements::{Array, for_each_element};
use crate::media::{Locator, base_name, is_media, is_url};
use crate::model::{ConceptValue, Content, Item, JsonMap, Point, Region, Shape, Span, Track};
use crate::reading::Reading;

#[derive(Deserialize)]
struct Task {
    id: Option<Value>,
    #[serde(default)]
    data: JsonMap,
    #[serde(default)]
    annotations: Vec<Annotation>,
    #[serde(default)]
    predictions: Vec<Annotation>,
    #[serde(default)]
    meta: Option<JsonMap>,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    result: Vec<Outcome>,
    #[serde(default)]
    was_cancelled: bool,
}

/// One entry of an annotation's result.
#[derive(Deserialize)]
struct Outcome {
    id: Option<String>,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    value: JsonMap,
    original_width: Option<u32>,
    original_height: Option<u32>,
    score: Option<f32>,
}

pub(crate) fn read(reading: &mut Reading<'_>) -> Result<()> {
    let files = reading.files;
    let locator = Locator::new(files);
    for path in reading.annotation_files(|path| path.ends_with(".json")) {
        let bounds = (path.as_str(), files.limits().max_record_bytes);
        let is_list = for_each_element(files.open(&path)?, bounds, Array::Root, &mut |n, text| {
            match serde_json::from_slice::<Task>(text) {
                Ok(task) => {
                    let item = read_task(reading, &path, n, task, &locator);
                    reading.item(item)
                }
                Err(e) => {
                    reading.report.skip(Place::entry(&path, format!("task {n}")), e);
                    Ok(())
                }
            }
        })?;
        if !is_list {
            reading.report.skip(Place::file(&path), "not a list of tasks");
        }
    }
    Ok(())
}

/// The media of a task: the first value of `data` that is an address, a path or a text, by the usual keys first.
fn media(data: &JsonMap) -> Option<(String, String)> {
    let usual = ["image", "img", "video", "audio", "text"].into_iter();
    let keys = usual.chain(data.keys().map(String::as_str));
    let mut texts = keys.filter_map(|key| Some((key.to_owned(), data.get(key)?.as_str()?.to_owned())));
    texts.find(|(key, value)| {
        key == "text" || is_media(value) || is_url(value) || key == "image" || key == "video"
    })
}

fn read_task(reading: &mut Reading<'_>, path: &str, n: u64, task: Task, locator: &Locator) -> Item {
    let id = task.id.as_ref().map_or(n.to_string(), |id| id.as_str().map_or(id.to_string(), str::to_owned));
    let mut item = Item { id, metadata: task.meta.unwrap_or_default(), ..Item::default() };
    let media = media(&task.data);
    match &media {
        Some((key, text)) if key == "text" && !is_url(text) => item.content = Content::Text(text.clone()),
        Some((_, named)) => {
            // Local files are served below `/data/`, with the path as a parameter.
            let local = named.rsplit("?d=").next().unwrap_or(named);
            item.file_name = base_name(local).to_owned();
            item.content = locator.content(local, None);
        }
        None => {}
    }
    for (key, value) in task.data {
        if media.as_ref().is_none_or(|(media, _)| *media != key) {
            item.metadata.insert(key, value);
        }
    }
    let by_people = task.annotations.iter().filter(|annotation| !annotation.was_cancelled);
    let mut chosen: Vec<&Annotation> = by_people.collect();
    if chosen.is_empty() {
        chosen = task.predictions.iter().take(1).collect();
    }
    // Several people's work on one task is a question for a reviewer, not one answer.
    reading.report.lose_n("further annotations of the same task", chosen.len().saturating_sub(1));
    for outcome in chosen.first().map(|annotation| annotation.result.as_slice()).unwrap_or_default() {
        if let Err(reason) = read_outcome(outcome, &mut item) {
            let region = outcome.id.as_deref().unwrap_or("without id");
            reading.report.skip(Place::entry(path, format!("task {}, result {region}", item.id)), reason);
        }
    }
    item
}

fn read_outcome(outcome: &Outcome, item: &mut Item) -> std::result::Result<(), String> {
    item.width = item.width.or(outcome.original_width).filter(|n| *n > 0);
    item.height = item.height.or(outcome.original_height).filter(|n| *n > 0);
    let names: Vec<String> = match outcome.kind.as_str() {
        "hypertextlabels" | "timeserieslabels" => outcome.value.get("labels"),
        kind => outcome.value.get(kind).or_else(|| outcome.value.get("labels")),
    }
    .and_then(|names| serde_json::from_value(names.clone()).ok())
    .unwrap_or_default();
    let value = outcome.score.unwrap_or(1.0);
    let concepts: Vec<ConceptValue> =
        names.iter().map(|name| ConceptValue { value, ..ConceptValue::positive(name) }).collect();
    match outcome.kind.as_str() {
        "choices" => item.concepts.extend(concepts),
        "labels" => {
            let whole =
                |key| outcome.value.get(key).and_then(Value::as_u64).ok_or(format!("it has no {key}"));
            let (start, end) = (whole("start")?, whole("end")?);
            item.spans.push(Span { id: outcome.id.clone(), start, end, concepts });
        }
        "videorectangle" => read_sequence(outcome, &concepts, item)?,
        _ => {
            let mut region = Region::new(read_shape(outcome)?, concepts);
            region.id = outcome.id.clone();
            item.regions.push(region);
        }
    }
    Ok(())
}

fn number(value: &JsonMap, key: &str) -> std::result::Result<f64, String> {
    value.get(key).and_then(Value::as_f64).ok_or(format!("it has no {key}"))
}

fn read_shape(outcome: &Outcome) -> std::result::Result<Shape, String> {
    let value = &outcome.value;
    let percent = |key| number(value, key).map(|n| n / 100.0);
    match outcome.kind.as_str() {
        "rectanglelabels" | "rectangle" => rectangle(outcome),
        "polygonlabels" | "polygon" => {
            let points: Vec<[f64; 2]> = value
                .get("points")
                .and_then(|points| serde_json::from_value(points.clone()).ok())
                .ok_or("its points are no list of pairs")?;
            if points.len() < 3 {
                return Err(format!("a polygon of {} points", points.len()));
            }
            let ring = points.iter().map(|[x, y]| Point { x: x / 100.0, y: y / 100.0 }).collect();
            Ok(Shape::Polygon { rings: vec![ring] })
        }
        "keypointlabels" | "keypoint" => Ok(Shape::Point { x: percent("x")?, y: percent("y")? }),
        "brushlabels" | "brush" => {
            let bytes: Vec<u8> = value
                .get("rle")
                .and_then(|rle| serde_json::from_value(rle.clone()).ok())
                .ok_or("the brush mask has no list of bytes")?;
            let (Some(width), Some(height)) = (outcome.original_width, outcome.original_height) else {
                return Err("the brush mask has no size".to_owned());
            };
            brush_rle::decode(&bytes, width, height).map(crate::Bitmap::into_shape)
        }
        other => Err(format!("results of the kind {other:?} are not known here")),
    }
}

fn rectangle(outcome: &Outcome) -> std::result::Result<Shape, String> {
    let value = &outcome.value;
    let percent = |key| number(value, key).map(|n| n / 100.0);
    let (x, y, width, height) = (percent("x")?, percent("y")?, percent("width")?, percent("height")?);
    let degrees = number(value, "rotation").unwrap_or(0.0);
    if degrees == 0.0 {
        return Ok(Shape::Box { left: x, top: y, right: x + width, bottom: y + height });
    }
    let (Some(w), Some(h)) = (outcome.original_width, outcome.original_height) else {
        return Err("a turned rectangle of an image of unknown size".to_owned());
    };
    // Turned around its own top left corner, in pixels.
    let (w, h) = (f64::from(w), f64::from(h));
    let corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]];
    let ring = corners.map(|[cx, cy]| turned([cx * w, cy * h], [x * w, y * h], degrees));
    Ok(Shape::Polygon { rings: vec![ring.map(|[cx, cy]| Point { x: cx / w, y: cy / h }).to_vec()] })
}

/// The key frames of an object in a video; Label Studio counts frames from 1.
fn read_sequence(
    outcome: &Outcome,
    concepts: &[ConceptValue],
    item: &mut Item,
) -> std::result::Result<(), String> {
    let frames: Vec<JsonMap> = outcome
        .value
        .get("sequence")
        .and_then(|frames| serde_json::from_value(frames.clone()).ok())
        .ok_or("it has no sequence of frames")?;
    for frame in frames {
        let number = frame.get("frame").and_then(Value::as_u64).ok_or("a frame without a number")?;
        let of = |key| number_of(&frame, key);
        let (x, y, width, height) = (of("x")?, of("y")?, of("width")?, of("height")?);
        let shape = Shape::Box { left: x, top: y, right: x + width, bottom: y + height };
        let track = Track { id: outcome.id.clone().unwrap_or_default(), frame: number.saturating_sub(1) };
        item.regions.push(Region { track: Some(track), ..Region::new(shape, concepts.to_vec()) });
    }
    Ok(())
}

fn number_of(frame: &JsonMap, key: &str) -> std::result::Result<f64, String> {
    number(frame, key).map(|n| n / 100.0)
}
