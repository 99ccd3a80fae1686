//! Amazon SageMaker Ground Truth's augmented manifest: one JSON object a line, with `source-ref` (or `source`) and
//! for each labelling job an attribute and its `-metadata`.

use std::io::Read;

use serde_json::{Map, Value, json};

use crate::error::{Place, Result};
use crate::formats::coco_writer::{Numbering, single};
use crate::media::{Locator, UniqueNames, base_name, export_name, reference};
use crate::model::{ConceptValue, Content, Item, JsonMap, Region, Shape};
use crate::reading::Reading;
use crate::writing::{FormatWriter, Output, Spool, WriteOptions};

pub(crate) fn read(reading: &mut Reading<'_>) -> Result<()> {
    let locator = Locator::new(reading.files);
    let mut names = UniqueNames::default();
    let is_manifest = |path: &str| path.ends_with(".manifest") || path.ends_with(".jsonl");
    for path in reading.annotation_files(is_manifest) {
        reading.lines(&path, &mut |reading, number, line| {
            let object: JsonMap = match serde_json::from_str(line) {
                Ok(object) => object,
                Err(e) => {
                    reading.report.skip(Place::line(&path, number), e);
                    return Ok(());
                }
            };
            match start_item(&object, number, &locator, &mut names) {
                Ok(mut item) => {
                    for (key, metadata) in &object {
                        let Some(key) = key.strip_suffix("-metadata") else { continue };
                        if let Err(reason) = read_job(&object, key, metadata, &mut item) {
                            reading.report.skip(Place::line(&path, number), format!("{key}: {reason}"));
                        }
                    }
                    reading.item(item)
                }
                Err(reason) => {
                    reading.report.skip(Place::line(&path, number), reason);
                    Ok(())
                }
            }
        })?;
    }
    Ok(())
}

fn start_item(
    object: &JsonMap,
    line: u64,
    locator: &Locator,
    names: &mut UniqueNames,
) -> std::result::Result<Item, String> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    match (text("source-ref"), text("source")) {
        (Some(named), _) => Ok(Item {
            id: names.id_of(base_name(named)),
            file_name: base_name(named).to_owned(),
            content: locator.content(named, None),
            ..Item::default()
        }),
        (None, Some(source)) => Ok(Item {
            id: names.id_of(&format!("line-{line}")),
            content: Content::Text(source.to_owned()),
            ..Item::default()
        }),
        (None, None) => Err("neither source-ref nor source".to_owned()),
    }
}

/// Values of a job's metadata.
fn read_job(
    object: &JsonMap,
    key: &str,
    metadata: &Value,
    item: &mut Item,
) -> std::result::Result<(), String> {
    let kind = metadata.get("type").and_then(Value::as_str).unwrap_or_default();
    let label = object.get(key);
    let confidence = |value: Option<&Value>| value.and_then(Value::as_f64).unwrap_or(1.0) as f32;
    let name_of = |class: &Value| {
        let class = class.as_str().map_or_else(|| class.to_string(), str::to_owned);
        let name = metadata.get("class-map").and_then(|map| map.get(&class)).and_then(Value::as_str);
        name.map(str::to_owned).ok_or(format!("class {class} is not in the class-map"))
    };
    match kind.strip_prefix("groundtruth/").unwrap_or(kind) {
        "image-classification" | "text-classification" => {
            let name = metadata.get("class-name").and_then(Value::as_str).ok_or("no class-name")?;
            let value = confidence(metadata.get("confidence"));
            item.concepts.push(ConceptValue { value, ..ConceptValue::positive(name) });
        }
        "image-classification-multilabel" | "text-classification-multilabel" => {
            for class in label.and_then(Value::as_array).ok_or("the label is not a list")? {
                let id = class.as_str().map_or_else(|| class.to_string(), str::to_owned);
                let value = confidence(metadata.get("confidence-map").and_then(|map| map.get(&id)));
                item.concepts.push(ConceptValue { value, ..ConceptValue::positive(&name_of(class)?) });
            }
        }
        "object-detection" => {
            let label = label.ok_or("the label is missing")?;
            let size = label.get("image_size").and_then(|sizes| sizes.get(0)).ok_or("no image_size")?;
            let side = |key| size.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
            (item.width, item.height) = (side("width").filter(|n| *n > 0), side("height").filter(|n| *n > 0));
            let (w, h) = item.size().ok_or("image_size has no width and height")?;
            let boxes = label.get("annotations").and_then(Value::as_array).ok_or("no annotations")?;
            for (n, found) in boxes.iter().enumerate() {
                let of = |key| found.get(key).and_then(Value::as_f64).ok_or(format!("box {n} has no {key}"));
                let (left, top, width, height) = (of("left")?, of("top")?, of("width")?, of("height")?);
                let name = name_of(found.get("class_id").unwrap_or(&Value::Null))?;
                let value = confidence(
                    metadata.get("objects").and_then(|all| all.get(n)).and_then(|one| one.get("confidence")),
                );
                let shape = Shape::Box {
                    left: left / w,
                    top: top / h,
                    right: (left + width) / w,
                    bottom: (top + height) / h,
                };
                item.regions
                    .push(Region::new(shape, vec![ConceptValue { value, ..ConceptValue::positive(&name) }]));
            }
        }
        other => return Err(format!("jobs of the type {other:?} are not known here")),
    }
    Ok(())
}

/// Writes `output.manifest` with the jobs `labels` (classes of the item) and `boxes`, and `images/`.
pub(crate) struct GroundTruthWriter {
    lines: Spool,
    names: UniqueNames,
    classes: Numbering,
}

impl GroundTruthWriter {
    pub fn new(options: &WriteOptions) -> Result<GroundTruthWriter> {
        let (names, classes) = (UniqueNames::default(), Numbering::new(&options.concepts));
        Ok(GroundTruthWriter { lines: Spool::new(&options.scratch)?, names, classes })
    }

    fn labels(&mut self, out: &mut Output<'_>, item: &Item, line: &mut Map<String, Value>) {
        let positives: Vec<&ConceptValue> =
            item.concepts.iter().filter(|concept| concept.is_positive()).collect();
        out.report.lose_n("concepts that are not positive", item.concepts.len() - positives.len());
        if positives.is_empty() {
            return;
        }
        let (mut classes, mut class_map, mut confidence_map) = (Vec::new(), Map::new(), Map::new());
        for concept in positives {
            let class = self.classes.number(&concept.name);
            classes.push(class);
            class_map.insert(class.to_string(), concept.name.clone().into());
            confidence_map.insert(class.to_string(), json!(concept.value));
        }
        let kind = if matches!(item.content, Content::Text(_)) { "text" } else { "image" };
        let metadata = json!({
            "class-map": class_map, "confidence-map": confidence_map, "human-annotated": "yes",
            "type": format!("groundtruth/{kind}-classification-multilabel"),
        });
        line.insert("labels".to_owned(), json!(classes));
        line.insert("labels-metadata".to_owned(), metadata);
    }

    fn boxes(&mut self, out: &mut Output<'_>, item: &Item, line: &mut Map<String, Value>) {
        let Some((w, h)) = item.size() else {
            if !item.regions.is_empty() {
                out.report
                    .skip(Place::entry("", &item.id), "boxes, because its width and height are not known");
            }
            return;
        };
        let (mut boxes, mut objects, mut class_map) = (Vec::new(), Vec::new(), Map::new());
        for (n, region) in item.regions.iter().enumerate() {
            let Shape::Box { left, top, right, bottom } = region.shape else { continue };
            let Some(concept) = region.concepts.iter().find(|concept| concept.is_positive()) else {
                let place = Place::entry("", format!("{}, region {n}", item.id));
                out.report.skip(place, "it has no positive concept");
                continue;
            };
            single(out, &[ConceptValue { value: 1.0, ..concept.clone() }]);
            out.report.lose_n("concepts beside the first positive one", region.concepts.len() - 1);
            let class = self.classes.number(&concept.name);
            class_map.insert(class.to_string(), concept.name.clone().into());
            objects.push(json!({"confidence": concept.value}));
            let [left, top] = [(left * w).round() as i64, (top * h).round() as i64];
            let [right, bottom] = [(right * w).round() as i64, (bottom * h).round() as i64];
            boxes.push(json!({
                "class_id": class, "left": left, "top": top, "width": right - left, "height": bottom - top,
            }));
        }
        let size = json!([{"width": item.width, "height": item.height, "depth": 3}]);
        line.insert("boxes".to_owned(), json!({"image_size": size, "annotations": boxes}));
        let metadata = json!({
            "objects": objects, "class-map": class_map, "human-annotated": "yes",
            "type": "groundtruth/object-detection",
        });
        line.insert("boxes-metadata".to_owned(), metadata);
    }
}

impl FormatWriter for GroundTruthWriter {
    fn item(&mut self, out: &mut Output<'_>, item: &Item, content: Option<&mut dyn Read>) -> Result<()> {
        let mut line = Map::new();
        match &item.content {
            Content::Text(text) => drop(line.insert("source".to_owned(), text.clone().into())),
            Content::Absent | Content::File(_) | Content::Url(_) => {
                let path = format!("images/{}", self.names.file_name(export_name(item)));
                line.insert("source-ref".to_owned(), reference(item, content.is_some(), &path).into());
                out.content(&path, content)?;
            }
        }
        self.labels(out, item, &mut line);
        self.boxes(out, item, &mut line);
        self.lines.json(&line)?;
        self.lines.write(b"\n")
    }

    fn finish(&mut self, out: &mut Output<'_>) -> Result<()> {
        out.sink.put("output.manifest", self.lines.reader()?)
    }
}
