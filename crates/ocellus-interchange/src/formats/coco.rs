//! COCO detection and instances, read in three passes: categories, annotations (put aside, with an index by
//! image), images. Memory grows by 24 bytes for each annotation and by nothing for an image.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Seek, SeekFrom, Write};

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Place, Result};
use crate::json_elements::{Array, for_each_element};
use crate::mask::{Bitmap, coco_runs};
use crate::media::{Locator, base_name, stem};
use crate::model::{
    Concept, ConceptValue, Content, Item, JsonMap, Point, Region, Shape, is_split_word, split_name,
};
use crate::reading::Reading;
use crate::scratch::ScratchFile;

#[derive(Deserialize)]
struct Category {
    id: Value,
    name: String,
}

#[derive(Deserialize)]
struct Image {
    id: Value,
    #[serde(default)]
    file_name: String,
    width: Option<u32>,
    height: Option<u32>,
    coco_url: Option<String>,
}

#[derive(Deserialize)]
struct Annotation {
    id: Option<Value>,
    image_id: Value,
    category_id: Option<Value>,
    bbox: Option<Vec<f64>>,
    segmentation: Option<Value>,
    #[serde(default)]
    iscrowd: Value,
    score: Option<f32>,
    #[serde(default)]
    attributes: JsonMap,
}

/// Annotations put aside, findable by the image they belong to.
struct Aside {
    file: ScratchFile,
    /// Hash of the image's id, place and length in the file; sorted.
    index: Vec<(u64, u64, u32)>,
}

fn hash_of(id: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    id_text(id).hash(&mut hasher);
    hasher.finish()
}

/// Ids are numbers by the format and texts in the wild.
fn id_text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

pub(crate) fn read(reading: &mut Reading<'_>) -> Result<()> {
    let locator = Locator::new(reading.files);
    let mut paths = reading.annotation_files(|path| path.ends_with(".json"));
    // Captions and key points of the same pictures come in files of their own.
    let instances: Vec<_> =
        paths.iter().filter(|path| base_name(path).contains("instances")).cloned().collect();
    if reading.options.annotation_files.is_empty() && !instances.is_empty() {
        for other in paths.iter().filter(|path| !instances.contains(path)) {
            reading.report.skip(Place::file(other), "not a file of instances");
        }
        paths = instances;
    }
    for path in paths {
        read_file(reading, &path, &locator)?;
    }
    Ok(())
}

/// The split in `instances_train2017.json` or in `train/_annotations.coco.json`.
fn split_of(path: &str) -> Option<String> {
    let name = stem(base_name(path));
    let last_word =
        name.rsplit(['_', '-']).next().unwrap_or(name).trim_end_matches(|c: char| c.is_ascii_digit());
    let folder = path.rsplit('/').nth(1).unwrap_or_default();
    if is_split_word(last_word) {
        Some(split_name(last_word))
    } else if is_split_word(folder) {
        Some(split_name(folder))
    } else {
        // Our own writer's files of other splits.
        name.strip_prefix("instances_").map(str::to_owned).filter(|split| split != "default")
    }
}

fn read_file(reading: &mut Reading<'_>, path: &str, locator: &Locator) -> Result<()> {
    let files = reading.files;
    let bounds = (path, files.limits().max_record_bytes);
    let mut categories: Vec<(Value, String)> = Vec::new();
    for_each_element(files.open(path)?, bounds, Array::Key("categories"), &mut |n, text| {
        match serde_json::from_slice::<Category>(text) {
            Ok(category) => {
                reading.declare(Concept::named(&category.name));
                categories.push((category.id, category.name));
            }
            Err(e) => reading.report.skip(Place::entry(path, format!("category {n}")), e),
        }
        Ok(())
    })?;
    let mut aside = Aside { file: reading.options.scratch.open()?, index: Vec::new() };
    for_each_element(files.open(path)?, bounds, Array::Key("annotations"), &mut |n, text| {
        aside.add(reading, Place::entry(path, format!("annotation {n}")), text)
    })?;
    aside.index.sort_unstable();
    let mut used = vec![false; aside.index.len()];
    let split = split_of(path);
    let has_images = for_each_element(files.open(path)?, bounds, Array::Key("images"), &mut |n, text| {
        let image: Image = match serde_json::from_slice(text) {
            Ok(image) => image,
            Err(e) => {
                reading.report.skip(Place::entry(path, format!("image {n}")), e);
                return Ok(());
            }
        };
        let mut item = start_item(&image, locator, split.as_deref());
        aside.regions(&image.id, &mut used, &mut |annotation| {
            let id = annotation.id.as_ref().map_or("without id".to_owned(), id_text);
            match region(annotation, &categories, &item) {
                Ok(region) => item.regions.push(region),
                Err(reason) => reading.report.skip(Place::entry(path, format!("annotation {id}")), reason),
            }
        })?;
        reading.item(item)
    })?;
    if !has_images {
        reading.report.skip(Place::file(path), "not a COCO file: it has no images");
    }
    let unused: Vec<_> =
        aside.index.iter().zip(&used).filter(|(_, used)| !**used).map(|(at, _)| *at).collect();
    for (_, offset, len) in unused {
        let annotation: Option<Annotation> = serde_json::from_slice(&aside.load(offset, len)?).ok();
        let id = annotation
            .and_then(|annotation| annotation.id)
            .map_or("without id".to_owned(), |id| id_text(&id));
        reading.report.skip(Place::entry(path, format!("annotation {id}")), "its image is not in the file");
    }
    Ok(())
}

fn start_item(image: &Image, locator: &Locator, split: Option<&str>) -> Item {
    let content = match (locator.content(&image.file_name, split), &image.coco_url) {
        (Content::Absent, Some(url)) if !url.is_empty() => Content::Url(url.clone()),
        (found, _) => found,
    };
    Item {
        id: id_text(&image.id),
        file_name: base_name(&image.file_name).to_owned(),
        content,
        width: image.width,
        height: image.height,
        split: split.map(str::to_owned),
        ..Item::default()
    }
}

impl Aside {
    fn add(&mut self, reading: &mut Reading<'_>, place: Place, text: &[u8]) -> Result<()> {
        let annotation = match serde_json::from_slice::<Annotation>(text) {
            Ok(annotation) => annotation,
            Err(e) => {
                reading.report.skip(place, e);
                return Ok(());
            }
        };
        let about = |e| Error::io("temporary file", e);
        let offset = self.index.last().map_or(0, |(_, offset, len)| offset + u64::from(*len));
        self.file.write_all(text).map_err(about)?;
        let len =
            u32::try_from(text.len()).map_err(|_| Error::format(place, "the annotation is too long"))?;
        self.index.push((hash_of(&annotation.image_id), offset, len));
        Ok(())
    }

    fn load(&mut self, offset: u64, len: u32) -> Result<Vec<u8>> {
        let mut text = vec![0; len as usize];
        let file = &mut self.file;
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(&mut text))
            .map_err(|e| Error::io("temporary file", e))?;
        Ok(text)
    }

    fn regions(&mut self, id: &Value, used: &mut [bool], each: &mut dyn FnMut(&Annotation)) -> Result<()> {
        let hash = hash_of(id);
        let first = self.index.partition_point(|(other, ..)| *other < hash);
        let n = self.index[first..].iter().take_while(|(other, ..)| *other == hash).count();
        for (at, is_used) in (first..).zip(&mut used[first..first + n]) {
            let (_, offset, len) = self.index[at];
            let text = self.load(offset, len)?;
            // Two ids may share a hash.
            if let Ok(annotation) = serde_json::from_slice::<Annotation>(&text)
                && id_text(&annotation.image_id) == id_text(id)
            {
                *is_used = true;
                each(&annotation);
            }
        }
        Ok(())
    }
}

fn region(
    annotation: &Annotation,
    categories: &[(Value, String)],
    item: &Item,
) -> std::result::Result<Region, String> {
    let category = annotation.category_id.as_ref().ok_or("it has no category")?;
    let name = categories.iter().find(|(id, _)| id == category).map(|(_, name)| name);
    let name = name.ok_or_else(|| format!("category {category} is not declared"))?;
    let concept = ConceptValue { value: annotation.score.unwrap_or(1.0), ..ConceptValue::positive(name) };
    let mut region = Region::new(shape(annotation, item)?, vec![concept]);
    region.id = annotation.id.as_ref().map(id_text);
    region.metadata = annotation.attributes.clone();
    if annotation.iscrowd == 1 || annotation.iscrowd == true {
        region.metadata.insert("iscrowd".to_owned(), true.into());
    }
    Ok(region)
}

fn shape(annotation: &Annotation, item: &Item) -> std::result::Result<Shape, String> {
    let size = || item.size().ok_or("the width and height of its image are not known");
    match &annotation.segmentation {
        Some(Value::Array(outlines)) if !outlines.is_empty() => {
            let (w, h) = size()?;
            let rings =
                outlines.iter().map(|outline| ring(outline, w, h)).collect::<std::result::Result<_, _>>()?;
            return Ok(Shape::Polygon { rings });
        }
        Some(Value::Object(mask)) => {
            let sides: [u32; 2] = mask
                .get("size")
                .and_then(|size| serde_json::from_value(size.clone()).ok())
                .ok_or("the mask has no size")?;
            let runs = match mask.get("counts") {
                Some(Value::String(text)) => coco_runs(text)?,
                Some(list) => {
                    serde_json::from_value(list.clone()).map_err(|e| format!("runs of the mask: {e}"))?
                }
                None => return Err("the mask has no runs".to_owned()),
            };
            return Bitmap::from_columns(sides[1], sides[0], &runs).map(Bitmap::into_shape);
        }
        _ => {}
    }
    match annotation.bbox.as_deref() {
        Some([x, y, width, height]) if *width >= 0.0 && *height >= 0.0 => {
            let (w, h) = size()?;
            Ok(Shape::Box { left: x / w, top: y / h, right: (x + width) / w, bottom: (y + height) / h })
        }
        Some(_) => Err("its box is not [x, y, width, height]".to_owned()),
        None => Err("it has neither an outline nor a box".to_owned()),
    }
}

fn ring(outline: &Value, w: f64, h: f64) -> std::result::Result<Vec<Point>, String> {
    let numbers: Vec<f64> =
        serde_json::from_value(outline.clone()).map_err(|_| "an outline is not a list of numbers")?;
    if numbers.len() < 6 || !numbers.len().is_multiple_of(2) {
        return Err(format!("an outline of {} numbers is not three points or more", numbers.len()));
    }
    Ok(numbers.chunks_exact(2).map(|p| Point { x: p[0] / w, y: p[1] / h }).collect())
}
