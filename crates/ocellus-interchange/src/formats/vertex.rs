//! Google Vertex AI's import lines: one JSON object a line, for images (classification, boxes) and texts
//! (classification, spans).

use std::io::Read;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::{Place, Result};
use crate::formats::coco_writer::single;
use crate::media::{Locator, UniqueNames, base_name, export_name, reference};
use crate::model::{ConceptValue, Content, Item, Region, Shape, Span, split_name};
use crate::reading::Reading;
use crate::writing::{FormatWriter, Output, Spool, WriteOptions};

/// The label that holds the split.
const ML_USE: &str = "aiplatform.googleapis.com/ml_use";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    image_gcs_uri: Option<String>,
    text_gcs_uri: Option<String>,
    text_content: Option<String>,
    classification_annotation: Option<Named>,
    #[serde(default)]
    classification_annotations: Vec<Named>,
    #[serde(default)]
    bounding_box_annotations: Vec<BoundingBox>,
    #[serde(default)]
    text_segment_annotations: Vec<Segment>,
    #[serde(default)]
    data_item_resource_labels: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    display_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BoundingBox {
    display_name: String,
    x_min: f64,
    y_min: f64,
    x_max: f64,
    y_max: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Segment {
    #[serde(default)]
    start_offset: u64,
    end_offset: u64,
    display_name: String,
}

pub(crate) fn read(reading: &mut Reading<'_>) -> Result<()> {
    let locator = Locator::new(reading.files);
    let mut names = UniqueNames::default();
    for path in reading.annotation_files(|path| path.ends_with(".jsonl")) {
        reading.lines(&path, &mut |reading, number, line| {
            let read = serde_json::from_str::<Line>(line).map_err(|e| e.to_string());
            match read.and_then(|line| item(line, number, &locator, &mut names)) {
                Ok(item) => reading.item(item),
                Err(reason) => {
                    reading.report.skip(Place::line(&path, number), reason);
                    Ok(())
                }
            }
        })?;
    }
    Ok(())
}

fn item(
    line: Line,
    number: u64,
    locator: &Locator,
    names: &mut UniqueNames,
) -> std::result::Result<Item, String> {
    let mut item = match (line.image_gcs_uri.or(line.text_gcs_uri), line.text_content) {
        (Some(named), _) => Item {
            id: names.id_of(base_name(&named)),
            file_name: base_name(&named).to_owned(),
            content: locator.content(&named, None),
            ..Item::default()
        },
        (None, Some(text)) => Item {
            id: names.id_of(&format!("line-{number}")),
            content: Content::Text(text),
            ..Item::default()
        },
        (None, None) => return Err("neither imageGcsUri, textGcsUri nor textContent".to_owned()),
    };
    let named = line.classification_annotation.into_iter().chain(line.classification_annotations);
    item.concepts = named.map(|named| ConceptValue::positive(&named.display_name)).collect();
    for found in line.bounding_box_annotations {
        let shape =
            Shape::Box { left: found.x_min, top: found.y_min, right: found.x_max, bottom: found.y_max };
        item.regions.push(Region::new(shape, vec![ConceptValue::positive(&found.display_name)]));
    }
    for found in line.text_segment_annotations {
        item.spans.push(Span {
            id: None,
            start: found.start_offset,
            end: found.end_offset,
            concepts: vec![ConceptValue::positive(&found.display_name)],
        });
    }
    item.split = line.data_item_resource_labels.get(ML_USE).and_then(Value::as_str).map(split_name);
    Ok(item)
}

/// Writes `import.jsonl` and `images/`.
pub(crate) struct VertexWriter {
    lines: Spool,
    names: UniqueNames,
}

impl VertexWriter {
    pub fn new(options: &WriteOptions) -> Result<VertexWriter> {
        Ok(VertexWriter { lines: Spool::new(&options.scratch)?, names: UniqueNames::default() })
    }
}

fn boxes(out: &mut Output<'_>, item: &Item) -> Vec<Value> {
    let mut boxes = Vec::new();
    for (n, region) in item.regions.iter().enumerate() {
        let Shape::Box { left, top, right, bottom } = region.shape else { continue };
        match single(out, &region.concepts) {
            Some(concept) => boxes.push(json!({
                "displayName": concept.name, "xMin": left, "yMin": top, "xMax": right, "yMax": bottom,
            })),
            None => {
                let place = Place::entry("", format!("{}, region {n}", item.id));
                out.report.skip(place, "it has no positive concept");
            }
        }
    }
    boxes
}

impl FormatWriter for VertexWriter {
    fn item(&mut self, out: &mut Output<'_>, item: &Item, content: Option<&mut dyn Read>) -> Result<()> {
        let mut line = Map::new();
        match &item.content {
            Content::Text(text) => drop(line.insert("textContent".to_owned(), text.clone().into())),
            Content::Absent | Content::File(_) | Content::Url(_) => {
                let path = format!("images/{}", self.names.file_name(export_name(item)));
                line.insert("imageGcsUri".to_owned(), reference(item, content.is_some(), &path).into());
                out.content(&path, content)?;
            }
        }
        let positives: Vec<&ConceptValue> =
            item.concepts.iter().filter(|concept| concept.is_positive()).collect();
        out.report.lose_n("concepts that are not positive", item.concepts.len() - positives.len());
        out.report.lose_n("probabilities", positives.iter().filter(|concept| concept.value != 1.0).count());
        let named: Vec<Value> =
            positives.iter().map(|concept| json!({"displayName": concept.name})).collect();
        if named.len() == 1 {
            line.insert("classificationAnnotation".to_owned(), named[0].clone());
        } else if !named.is_empty() {
            line.insert("classificationAnnotations".to_owned(), named.into());
        }
        let boxes = boxes(out, item);
        if !boxes.is_empty() {
            line.insert("boundingBoxAnnotations".to_owned(), boxes.into());
        }
        let mut segments = Vec::new();
        for span in &item.spans {
            if let Some(concept) = single(out, &span.concepts) {
                segments.push(json!({
                    "startOffset": span.start, "endOffset": span.end, "displayName": concept.name,
                }));
            }
        }
        if !segments.is_empty() {
            line.insert("textSegmentAnnotations".to_owned(), segments.into());
        }
        if let Some(split) = &item.split {
            let word = match split.as_str() {
                "train" => "training",
                "val" => "validation",
                other => other,
            };
            line.insert("dataItemResourceLabels".to_owned(), json!({ML_USE: word}));
        }
        self.lines.json(&line)?;
        self.lines.write(b"\n")
    }

    fn finish(&mut self, out: &mut Output<'_>) -> Result<()> {
        out.sink.put("import.jsonl", self.lines.reader()?)
    }
}
