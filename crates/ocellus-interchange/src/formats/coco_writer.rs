//! Writes COCO instances: `annotations/instances_<split>.json` and `images/`, streamed.

use std::collections::HashSet;
use std::io::Read;

use serde_json::{Map, Value, json};

use crate::error::{Place, Result};
use crate::formats::folder::split_folder;
use crate::mask::{Bitmap, coco_text};
use crate::media::{UniqueNames, export_name, reference};
use crate::model::{Concept, ConceptValue, Item, Point, Region, Shape, bounds};
use crate::scratch::Scratch;
use crate::writing::{FormatWriter, Output, Spool, WriteOptions};

/// The concepts of a collection in the order in which a format numbers them.
#[derive(Default)]
pub(crate) struct Numbering {
    names: Vec<String>,
    index_of: std::collections::HashMap<String, usize>,
}

impl Numbering {
    pub fn new(concepts: &[Concept]) -> Numbering {
        let mut numbering = Numbering::default();
        for concept in concepts {
            numbering.number(&concept.name);
        }
        numbering
    }

    /// From 0; a new name gets the next number.
    pub fn number(&mut self, name: &str) -> usize {
        if let Some(number) = self.index_of.get(name) {
            return *number;
        }
        self.index_of.insert(name.to_owned(), self.names.len());
        self.names.push(name.to_owned());
        self.names.len() - 1
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// The one concept of a region that formats with a single class keep; the others are counted as lost.
pub(crate) fn single<'a>(out: &mut Output<'_>, concepts: &'a [ConceptValue]) -> Option<&'a ConceptValue> {
    let concept = concepts.iter().find(|concept| concept.is_positive());
    out.report
        .lose_n("concepts beside the first positive one", concepts.len() - usize::from(concept.is_some()));
    if concept.is_some_and(|concept| concept.value != 1.0) {
        out.report.lose("probabilities");
    }
    concept
}

struct SplitFiles {
    split: Option<String>,
    images: Spool,
    annotations: Spool,
    n_images: u64,
    n_annotations: u64,
}

/// The writer.
pub(crate) struct CocoWriter {
    categories: Numbering,
    splits: Vec<SplitFiles>,
    scratch: Scratch,
    names: UniqueNames,
    used_ids: HashSet<u64>,
    next_id: u64,
}

/// Ids of formats that only know whole numbers: the item's own if it is one, else the next free one.
pub(crate) fn whole_id(used: &mut HashSet<u64>, next: &mut u64, item: &Item, out: &mut Output<'_>) -> u64 {
    if let Ok(id) = item.id.parse::<u64>()
        && id.to_string() == item.id
        && id <= 1 << 53
        && used.insert(id)
    {
        return id;
    }
    out.report.lose("ids that are not whole numbers");
    while !used.insert(*next) {
        *next += 1;
    }
    *next
}

impl CocoWriter {
    pub fn new(options: &WriteOptions) -> CocoWriter {
        CocoWriter {
            categories: Numbering::new(&options.concepts),
            splits: Vec::new(),
            scratch: options.scratch.clone(),
            names: UniqueNames::default(),
            used_ids: HashSet::new(),
            next_id: 1,
        }
    }

    fn split(&mut self, split: Option<&str>) -> Result<usize> {
        if let Some(at) = self.splits.iter().position(|files| files.split.as_deref() == split) {
            return Ok(at);
        }
        self.splits.push(SplitFiles {
            split: split.map(str::to_owned),
            images: Spool::new(&self.scratch)?,
            annotations: Spool::new(&self.scratch)?,
            n_images: 0,
            n_annotations: 0,
        });
        Ok(self.splits.len() - 1)
    }
}

fn comma(spool: &mut Spool, n: &mut u64) -> Result<()> {
    *n += 1;
    spool.write(if *n == 1 { b"\n" } else { b",\n" })
}

impl FormatWriter for CocoWriter {
    fn item(&mut self, out: &mut Output<'_>, item: &Item, content: Option<&mut dyn Read>) -> Result<()> {
        let Some(size) = item.size() else {
            out.report.skip(Place::entry("", &item.id), "its width and height are not known");
            return Ok(());
        };
        let split = item.split.as_deref().map(split_folder);
        let at = self.split(split.as_deref())?;
        let image_id = whole_id(&mut self.used_ids, &mut self.next_id, item, out);
        let name = self.names.file_name(export_name(item));
        let folder = split.map_or("images".to_owned(), |split| format!("images/{split}"));
        let path = format!("{folder}/{name}");
        let mut image =
            json!({"id": image_id, "file_name": name, "width": item.width, "height": item.height});
        let url = reference(item, content.is_some(), "");
        if !url.is_empty() {
            image["coco_url"] = url.into();
        }
        out.content(&path, content)?;
        let files = &mut self.splits[at];
        comma(&mut files.images, &mut files.n_images)?;
        files.images.json(&image)?;
        for (n, region) in item.regions.iter().enumerate() {
            let place = || Place::entry("", format!("{}, region {n}", item.id));
            let Some(concept) = single(out, &region.concepts) else {
                out.report.skip(place(), "it has no positive concept");
                continue;
            };
            match annotation(region, size) {
                Ok(None) => {}
                Ok(Some(mut annotation)) => {
                    let category = self.categories.number(&concept.name) + 1;
                    let files = &mut self.splits[at];
                    comma(&mut files.annotations, &mut files.n_annotations)?;
                    annotation.insert("id".to_owned(), files.n_annotations.into());
                    annotation.insert("image_id".to_owned(), image_id.into());
                    annotation.insert("category_id".to_owned(), category.into());
                    files.annotations.json(&annotation)?;
                }
                Err(reason) => out.report.skip(place(), reason),
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Output<'_>) -> Result<()> {
        // A collection without an item is still a readable one.
        if self.splits.is_empty() {
            self.split(None)?;
        }
        let categories: Vec<Value> = (1..)
            .zip(self.categories.names())
            .map(|(id, name)| json!({"id": id, "name": name, "supercategory": ""}))
            .collect();
        for files in &mut self.splits {
            let name = files.split.as_deref().unwrap_or("default");
            let head = format!(
                "{{\"info\":{{}},\"licenses\":[],\"categories\":{},\"images\":[",
                Value::from(categories.clone())
            );
            let mut whole = head
                .as_bytes()
                .chain(files.images.reader()?)
                .chain(&b"],\"annotations\":["[..])
                .chain(files.annotations.reader()?)
                .chain(&b"]}\n"[..]);
            out.sink.put(&format!("annotations/instances_{name}.json"), &mut whole)?;
        }
        Ok(())
    }
}

/// The annotation without its ids; `None` for shapes that the format does not have.
fn annotation(
    region: &Region,
    (w, h): (f64, f64),
) -> std::result::Result<Option<Map<String, Value>>, String> {
    let mut attributes = region.metadata.clone();
    let is_crowd = attributes.remove("iscrowd").is_some_and(|crowd| crowd == true || crowd == 1);
    let (segmentation, area, bbox) = match &region.shape {
        Shape::Point { .. } => return Ok(None),
        Shape::Box { left, top, right, bottom } => {
            let bbox = [left * w, top * h, (right - left) * w, (bottom - top) * h];
            (json!([]), bbox[2] * bbox[3], bbox)
        }
        Shape::Polygon { rings } => {
            let outlines: Vec<Vec<f64>> =
                rings.iter().map(|ring| ring.iter().flat_map(|p| [p.x * w, p.y * h]).collect()).collect();
            let [left, top, right, bottom] = bounds(&region.shape).ok_or("the polygon has no point")?;
            let area = rings.iter().map(|ring| ring_area(ring)).sum::<f64>() * w * h;
            (json!(outlines), area, [left * w, top * h, (right - left) * w, (bottom - top) * h])
        }
        Shape::MaskRle { .. } | Shape::MaskPng { .. } => {
            let mask = Bitmap::of(&region.shape).ok_or("not a mask")??;
            let [left, top, right, bottom] = mask.bounds().unwrap_or_default().map(f64::from);
            // The grid of a mask may be coarser than the picture.
            let (sx, sy) = (w / f64::from(mask.width.max(1)), h / f64::from(mask.height.max(1)));
            let segmentation =
                json!({"size": [mask.height, mask.width], "counts": coco_text(&mask.columns())});
            let bbox = [left * sx, top * sy, (right - left) * sx, (bottom - top) * sy];
            (segmentation, mask.area() as f64 * sx * sy, bbox)
        }
    };
    let mut annotation = Map::new();
    annotation.insert("bbox".to_owned(), json!(bbox));
    annotation.insert("area".to_owned(), json!(area));
    annotation.insert("segmentation".to_owned(), segmentation);
    annotation.insert("iscrowd".to_owned(), u8::from(is_crowd).into());
    if !attributes.is_empty() {
        annotation.insert("attributes".to_owned(), Value::Object(attributes));
    }
    Ok(Some(annotation))
}

/// Gauss's area formula, in units of the whole image.
fn ring_area(ring: &[Point]) -> f64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).map(|(a, b)| a.x * b.y - b.x * a.y).sum::<f64>().abs() / 2.0
}
