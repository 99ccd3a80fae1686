//! Pascal VOC: `Annotations/*.xml`, `JPEGImages/`, and the splits in `ImageSets/Main/*.txt`.
//!
//! Corners are pixels counted from 1, right and bottom inclusive, as the development kit defines them: a box over
//! the whole of a 100 x 50 picture is 1, 1, 100, 50.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use serde_json::Value;

use crate::error::{Place, Result};
use crate::formats::coco_writer::single;
use crate::formats::folder::split_folder;
use crate::media::{Locator, UniqueNames, base_name, export_name, is_url, reference, stem};
use crate::model::{ConceptValue, Content, Item, Region, Shape, is_split_word, split_name};
use crate::reading::Reading;
use crate::writing::{FormatWriter, Output};
use crate::xml::{Element, escaped, for_each_named};

/// Fields of an object that are no place and no name.
const FLAGS: [&str; 3] = ["truncated", "difficult", "occluded"];

/// The split of every stem, from the lists; `trainval` says nothing that the other two do not.
fn splits(reading: &mut Reading<'_>) -> Result<HashMap<String, String>> {
    let lists: Vec<String> = reading
        .files
        .entries()
        .iter()
        .map(|entry| &entry.path)
        .filter(|path| path.contains("ImageSets/Main/") && path.ends_with(".txt"))
        .filter(|path| base_name(path) != "trainval.txt")
        .cloned()
        .collect();
    let mut split_of = HashMap::new();
    for list in lists {
        let split = split_name(stem(base_name(&list)));
        reading.lines(&list, &mut |_, _, line| {
            // `dog_train.txt` holds the labels of one class, as 1, 0 or -1.
            let is_label = line.rsplit_once(' ').is_some_and(|(_, last)| matches!(last, "1" | "0" | "-1"));
            if !is_label || is_split_word(&split) {
                split_of.entry(line.to_owned()).or_insert_with(|| split.clone());
            }
            Ok(())
        })?;
    }
    Ok(split_of)
}

pub(crate) fn read(reading: &mut Reading<'_>) -> Result<()> {
    let files = reading.files;
    let locator = Locator::new(files);
    let split_of = splits(reading)?;
    let mut names = UniqueNames::default();
    for path in reading.annotation_files(|path| path.ends_with(".xml")) {
        let mut found = None;
        let bounds = (path.as_str(), files.limits().max_record_bytes);
        let read = for_each_named(files.open(&path)?, bounds, &["annotation"], &mut |_, element| {
            found = Some(element);
            Ok(())
        });
        match (read, found) {
            (Err(e), _) => reading.report.skip(Place::file(&path), e),
            (Ok(()), None) => reading.report.skip(Place::file(&path), "no <annotation> in it"),
            (Ok(()), Some(annotation)) => {
                let mut item = read_annotation(reading, &path, &annotation, &locator);
                let name = stem(base_name(&path));
                item.id = names.id_of(&format!("{name}.xml"));
                item.split = split_of.get(name).cloned();
                reading.item(item)?;
            }
        }
    }
    Ok(())
}

fn read_annotation(reading: &mut Reading<'_>, path: &str, annotation: &Element, locator: &Locator) -> Item {
    let named = annotation.text_of("filename");
    let mut content = locator.content(named, None);
    if content == Content::Absent {
        // Many tools write the picture's name without its extension, or an old one.
        let guess = ["jpg", "jpeg", "png"]
            .iter()
            .find_map(|extension| locator.find(&format!("{}.{extension}", stem(base_name(path))), None));
        content = guess.map_or(Content::Absent, |file| Content::File(file.to_owned()));
    }
    if content == Content::Absent && is_url(annotation.text_of("path")) {
        content = Content::Url(annotation.text_of("path").to_owned());
    }
    let side = |name| annotation.child("size").and_then(|size| size.number(name).ok()).map(|n| n as u32);
    let mut item = Item {
        file_name: base_name(named).to_owned(),
        content,
        width: side("width").filter(|n| *n > 0),
        height: side("height").filter(|n| *n > 0),
        ..Item::default()
    };
    for (n, object) in annotation.all("object").enumerate() {
        match read_object(object, &item) {
            Ok(region) => item.regions.push(region),
            Err(reason) => reading.report.skip(Place::entry(path, format!("object {n}")), reason),
        }
    }
    item
}

fn read_object(object: &Element, item: &Item) -> std::result::Result<Region, String> {
    let name = object.text_of("name");
    if name.is_empty() {
        return Err("it has no name".to_owned());
    }
    let corners = object.child("bndbox").ok_or("it has no <bndbox>")?;
    let (w, h) = item.size().ok_or("the width and height of its picture are not known")?;
    let shape = Shape::Box {
        left: (corners.number("xmin")? - 1.0) / w,
        top: (corners.number("ymin")? - 1.0) / h,
        right: corners.number("xmax")? / w,
        bottom: corners.number("ymax")? / h,
    };
    let mut region = Region::new(shape, vec![ConceptValue::positive(name)]);
    for flag in FLAGS {
        if object.text_of(flag) == "1" {
            region.metadata.insert(flag.to_owned(), true.into());
        }
    }
    let pose = object.text_of("pose");
    if !pose.is_empty() && pose != "Unspecified" {
        region.metadata.insert("pose".to_owned(), pose.into());
    }
    Ok(region)
}

/// Writes one XML file per item, and the lists at the end.
pub(crate) struct VocWriter {
    names: UniqueNames,
    lists: BTreeMap<String, String>,
}

impl VocWriter {
    pub fn new() -> VocWriter {
        VocWriter { names: UniqueNames::default(), lists: BTreeMap::new() }
    }
}

impl FormatWriter for VocWriter {
    fn item(&mut self, out: &mut Output<'_>, item: &Item, content: Option<&mut dyn Read>) -> Result<()> {
        let Some((w, h)) = item.size() else {
            out.report.skip(Place::entry("", &item.id), "its width and height are not known");
            return Ok(());
        };
        let name = self.names.file_name(export_name(item));
        let image_path = format!("JPEGImages/{name}");
        let mut xml = format!(
            "<annotation>\n\t<folder>JPEGImages</folder>\n\t<filename>{}</filename>\n",
            escaped(&name)
        );
        let url = reference(item, content.is_some(), "");
        if !url.is_empty() {
            xml.push_str(&format!("\t<path>{}</path>\n", escaped(&url)));
        }
        xml.push_str("\t<source>\n\t\t<database>Unknown</database>\n\t</source>\n");
        xml.push_str(&format!(
            "\t<size>\n\t\t<width>{w}</width>\n\t\t<height>{h}</height>\n\t\t<depth>3</depth>\n\t</size>\n\t<segmented>0</segmented>\n"
        ));
        for (n, region) in item.regions.iter().enumerate() {
            let Shape::Box { left, top, right, bottom } = region.shape else { continue };
            let Some(concept) = single(out, &region.concepts) else {
                let place = Place::entry("", format!("{}, region {n}", item.id));
                out.report.skip(place, "it has no positive concept");
                continue;
            };
            let corners = pixels([left * w, top * h, right * w, bottom * h], [w, h]);
            xml.push_str(&object_xml(out, &concept.name, region, corners));
        }
        xml.push_str("</annotation>\n");
        out.content(&image_path, content)?;
        if let Some(split) = &item.split {
            self.lists.entry(split_folder(split)).or_default().push_str(&format!("{}\n", stem(&name)));
        }
        out.text(&format!("Annotations/{}.xml", stem(&name)), &xml)
    }

    fn finish(&mut self, out: &mut Output<'_>) -> Result<()> {
        for (split, list) in &self.lists {
            out.text(&format!("ImageSets/Main/{split}.txt"), list)?;
        }
        Ok(())
    }
}

/// Whole pixels inside of the picture, counted from 1, at least one wide and high.
fn pixels([left, top, right, bottom]: [f64; 4], [w, h]: [f64; 2]) -> [f64; 4] {
    let along = |from: f64, to: f64, side: f64| {
        let first = (from.round() + 1.0).clamp(1.0, side);
        (first, to.round().clamp(first, side))
    };
    let ((xmin, xmax), (ymin, ymax)) = (along(left, right, w), along(top, bottom, h));
    [xmin, ymin, xmax, ymax]
}

fn object_xml(out: &mut Output<'_>, name: &str, region: &Region, corners: [f64; 4]) -> String {
    let pose = region.metadata.get("pose").and_then(Value::as_str).unwrap_or("Unspecified");
    let mut xml =
        format!("\t<object>\n\t\t<name>{}</name>\n\t\t<pose>{}</pose>\n", escaped(name), escaped(pose));
    for flag in FLAGS {
        let is_set = region.metadata.get(flag).is_some_and(|value| *value == true || *value == 1);
        // `occluded` came later; readers of the first years do not expect it.
        if is_set || flag != "occluded" {
            xml.push_str(&format!("\t\t<{flag}>{}</{flag}>\n", u8::from(is_set)));
        }
    }
    let is_known = |key: &str| key == "pose" || FLAGS.contains(&key);
    out.report.lose_n("metadata of regions", region.metadata.keys().filter(|key| !is_known(key)).count());
    let [xmin, ymin, xmax, ymax] = corners;
    xml.push_str(&format!(
        "\t\t<bndbox>\n\t\t\t<xmin>{xmin}</xmin>\n\t\t\t<ymin>{ymin}</ymin>\n\t\t\t<xmax>{xmax}</xmax>\n\t\t\t<ymax>{ymax}</ymax>\n\t\t</bndbox>\n\t</object>\n"
    ));
    xml
}
