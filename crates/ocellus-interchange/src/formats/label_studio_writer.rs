//! Writes Label Studio's JSON: `tasks.json`, the labelling interface in `label_config.xml`, and `images/`.

use std::collections::HashSet;
use std::io::Read;

use serde_json::{Value, json};

use crate::brush_rle;
use crate::error::{Place, Result};
use crate::formats::coco_writer::{Numbering, whole_id};
use crate::mask::Bitmap;
use crate::media::{UniqueNames, export_name, extension, reference};
use crate::model::{ConceptValue, Content, Item, Region, Shape};
use crate::writing::{FormatWriter, Output, Spool, WriteOptions};
use crate::xml::escaped;

/// The controls of the labelling interface: type of the result, and tag.
const CONTROLS: [(&str, &str); 7] = [
    ("choices", "Choices"),
    ("rectanglelabels", "RectangleLabels"),
    ("polygonlabels", "PolygonLabels"),
    ("keypointlabels", "KeyPointLabels"),
    ("brushlabels", "BrushLabels"),
    ("labels", "Labels"),
    ("videorectangle", "VideoRectangle"),
];

/// The writer.
pub(crate) struct LabelStudioWriter {
    tasks: Spool,
    names: UniqueNames,
    concepts: Numbering,
    media: HashSet<&'static str>,
    /// Types of the results, with the media they are on.
    used: HashSet<(String, &'static str)>,
    used_ids: HashSet<u64>,
    next_id: u64,
    n_tasks: u64,
}

impl LabelStudioWriter {
    pub fn new(options: &WriteOptions) -> Result<LabelStudioWriter> {
        Ok(LabelStudioWriter {
            tasks: Spool::new(&options.scratch)?,
            names: UniqueNames::default(),
            concepts: Numbering::new(&options.concepts),
            media: HashSet::new(),
            used: HashSet::new(),
            used_ids: HashSet::new(),
            next_id: 1,
            n_tasks: 0,
        })
    }

    /// Names of the positive concepts; the rest is counted as lost.
    fn names_of(&mut self, out: &mut Output<'_>, concepts: &[ConceptValue]) -> Vec<String> {
        let positives: Vec<&ConceptValue> = concepts.iter().filter(|concept| concept.is_positive()).collect();
        out.report.lose_n("concepts that are not positive", concepts.len() - positives.len());
        out.report.lose_n("probabilities", positives.iter().filter(|concept| concept.value != 1.0).count());
        positives
            .into_iter()
            .map(|concept| {
                self.concepts.number(&concept.name);
                concept.name.clone()
            })
            .collect()
    }

    /// The results of an item, in the order choices, regions, spans.
    fn results(&mut self, out: &mut Output<'_>, item: &Item, media: &'static str) -> Vec<Value> {
        let mut results = Vec::new();
        if !item.concepts.is_empty() {
            let names = self.names_of(out, &item.concepts);
            let mut result = result("choices", "choices", media, json!({"choices": names}));
            sized(&mut result, item);
            results.push(result);
        }
        let mut sequences: Vec<(String, Vec<String>, Vec<Value>)> = Vec::new();
        for (n, region) in item.regions.iter().enumerate() {
            let names = self.names_of(out, &region.concepts);
            if let (Some(track), Shape::Box { left, top, right, bottom }) = (&region.track, &region.shape) {
                let frame = json!({
                    "frame": track.frame + 1, "enabled": true, "rotation": 0, "x": left * 100.0, "y": top * 100.0,
                    "width": (right - left) * 100.0, "height": (bottom - top) * 100.0,
                });
                match sequences.iter_mut().find(|(id, labels, _)| *id == track.id && *labels == names) {
                    Some((_, _, frames)) => frames.push(frame),
                    None => sequences.push((track.id.clone(), names, vec![frame])),
                }
                continue;
            }
            match region_results(region, &names, item, n) {
                Ok(found) => results.extend(found),
                Err(reason) => out.report.skip(Place::entry("", format!("{}, region {n}", item.id)), reason),
            }
        }
        for (id, labels, frames) in sequences {
            let n_frames = frames.len();
            let value = json!({"sequence": frames, "framesCount": n_frames, "labels": labels});
            results.push(result(&id, "videorectangle", media, value));
        }
        for (n, span) in item.spans.iter().enumerate() {
            let names = self.names_of(out, &span.concepts);
            let id = span.id.clone().unwrap_or_else(|| format!("s{n}"));
            let text: String = match &item.content {
                Content::Text(text) => {
                    let n_chars = span.end.saturating_sub(span.start);
                    text.chars().skip(span.start as usize).take(n_chars as usize).collect()
                }
                Content::Absent | Content::File(_) | Content::Url(_) => String::new(),
            };
            let value = json!({"start": span.start, "end": span.end, "text": text, "labels": names});
            results.push(result(&id, "labels", media, value));
        }
        results
    }
}

fn result(id: &str, kind: &str, media: &str, value: Value) -> Value {
    json!({"id": id, "from_name": kind, "to_name": media, "type": kind, "value": value, "origin": "manual"})
}

fn sized(result: &mut Value, item: &Item) {
    if let (Some(width), Some(height)) = (item.width, item.height) {
        result["original_width"] = width.into();
        result["original_height"] = height.into();
        result["image_rotation"] = 0.into();
    }
}

fn region_results(
    region: &Region,
    names: &[String],
    item: &Item,
    n: usize,
) -> std::result::Result<Vec<Value>, String> {
    let id = region.id.clone().unwrap_or_else(|| format!("r{n}"));
    let mut values = Vec::new();
    match &region.shape {
        Shape::Box { left, top, right, bottom } => values.push((
            "rectanglelabels",
            json!({
                "x": left * 100.0, "y": top * 100.0, "width": (right - left) * 100.0,
                "height": (bottom - top) * 100.0, "rotation": 0, "rectanglelabels": names,
            }),
        )),
        Shape::Polygon { rings } => {
            for ring in rings {
                let points: Vec<[f64; 2]> = ring.iter().map(|p| [p.x * 100.0, p.y * 100.0]).collect();
                values.push((
                    "polygonlabels",
                    json!({"points": points, "closed": true, "polygonlabels": names}),
                ));
            }
        }
        Shape::Point { x, y } => values.push((
            "keypointlabels",
            json!({"x": x * 100.0, "y": y * 100.0, "width": 0.5, "keypointlabels": names}),
        )),
        Shape::MaskRle { .. } | Shape::MaskPng { .. } => {
            let mask = Bitmap::of(&region.shape).ok_or("not a mask")??;
            if (Some(mask.width), Some(mask.height)) != (item.width, item.height) {
                return Err("the mask has not the size of its picture".to_owned());
            }
            let rle = brush_rle::encode(&mask);
            values.push(("brushlabels", json!({"format": "rle", "rle": rle, "brushlabels": names})));
        }
    }
    let n_values = values.len();
    let results = values.into_iter().enumerate().map(|(part, (kind, value))| {
        let id = if n_values > 1 { format!("{id}-{part}") } else { id.clone() };
        let mut result = result(&id, kind, "image", value);
        sized(&mut result, item);
        result
    });
    Ok(results.collect())
}

fn media_of(item: &Item) -> &'static str {
    let is_video = matches!(extension(export_name(item)).as_str(), "mp4" | "mov" | "avi" | "mkv" | "webm");
    match &item.content {
        Content::Text(_) => "text",
        Content::Absent | Content::File(_) | Content::Url(_) if is_video => "video",
        Content::Absent | Content::File(_) | Content::Url(_) => "image",
    }
}

impl FormatWriter for LabelStudioWriter {
    fn item(&mut self, out: &mut Output<'_>, item: &Item, content: Option<&mut dyn Read>) -> Result<()> {
        let id = whole_id(&mut self.used_ids, &mut self.next_id, item, out);
        let media = media_of(item);
        self.media.insert(media);
        let named = match &item.content {
            Content::Text(text) => text.clone(),
            Content::Absent | Content::File(_) | Content::Url(_) => {
                let path = format!("images/{}", self.names.file_name(export_name(item)));
                let named = reference(item, content.is_some(), &path);
                out.content(&path, content)?;
                named
            }
        };
        let results = self.results(out, item, media);
        for kind in results.iter().filter_map(|result| result["type"].as_str()) {
            self.used.insert((kind.to_owned(), media));
        }
        let annotations = match results.is_empty() {
            true => json!([]),
            false => json!([{"id": id, "result": results, "was_cancelled": false, "ground_truth": false}]),
        };
        let task = json!({
            "id": id, "data": {media: named}, "annotations": annotations, "predictions": [], "meta": item.metadata,
        });
        self.tasks.write(if self.n_tasks == 0 { b"[\n" } else { b",\n" })?;
        self.n_tasks += 1;
        self.tasks.json(&task)
    }

    fn finish(&mut self, out: &mut Output<'_>) -> Result<()> {
        self.tasks.write(if self.n_tasks == 0 { b"[]\n" } else { b"\n]\n" })?;
        out.sink.put("tasks.json", self.tasks.reader()?)?;
        out.text("label_config.xml", &self.config())
    }
}

impl LabelStudioWriter {
    fn config(&self) -> String {
        let mut xml = String::from("<View>\n");
        for (media, tag) in [("image", "Image"), ("text", "Text"), ("video", "Video")] {
            if self.media.contains(media) {
                xml.push_str(&format!("  <{tag} name=\"{media}\" value=\"${media}\"/>\n"));
            }
        }
        // Only what is used: some readers treat every shape differently when there is a control for key points.
        for (kind, tag) in CONTROLS {
            let on = ["image", "text", "video"]
                .into_iter()
                .find(|media| self.used.contains(&(kind.to_owned(), media)));
            let Some(media) = on else { continue };
            let (name, tag) = if kind == "videorectangle" {
                xml.push_str("  <VideoRectangle name=\"videorectangle\" toName=\"video\"/>\n");
                ("videolabels", "Labels")
            } else {
                (kind, tag)
            };
            let (item, choice) =
                if kind == "choices" { ("Choice", " choice=\"multiple\"") } else { ("Label", "") };
            xml.push_str(&format!("  <{tag} name=\"{name}\" toName=\"{media}\"{choice}>\n"));
            for name in self.concepts.names() {
                xml.push_str(&format!("    <{item} value=\"{}\"/>\n", escaped(name)));
            }
            xml.push_str(&format!("  </{tag}>\n"));
        }
        xml.push_str("</View>\n");
        xml
    }
}
