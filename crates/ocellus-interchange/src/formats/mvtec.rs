//! MVTec AD: `[category/]train/good`, `[category/]test/<defect>` and `[category/]ground_truth/<defect>/*_mask.png`.

use std::io::Read;

use crate::error::{Place, Result};
use crate::formats::folder::folder_name;
use crate::mask::Bitmap;
use crate::media::{UniqueNames, base_name, export_name, is_media, is_noise, stem};
use crate::model::{ConceptValue, Content, Item, JsonMap, Region, Shape};
use crate::reading::Reading;
use crate::writing::{FormatWriter, Output};

/// The concept of a picture without a defect.
const GOOD: &str = "good";

/// A path in its parts: prefix up to and with the category's `/`, `train` or `test`, the defect, the file's name.
fn parse(path: &str) -> Option<(&str, &str, &str, &str)> {
    let (above, name) = path.rsplit_once('/')?;
    let (above, defect) = above.rsplit_once('/')?;
    let split = base_name(above);
    Some((&above[..above.len() - split.len()], split, defect, name))
}

pub(crate) fn read(reading: &mut Reading<'_>) -> Result<()> {
    let files = reading.files;
    let mut names = UniqueNames::default();
    for path in files.entries().iter().map(|entry| entry.path.as_str()).filter(|path| !is_noise(path)) {
        let Some((prefix, split, defect, name)) = parse(path).filter(|_| is_media(path)) else {
            if is_media(path) {
                reading.report.skip(Place::file(path), "a picture outside of train, test and ground_truth");
            }
            continue;
        };
        match split {
            "train" | "test" => {}
            "ground_truth" => {
                if !has_picture(reading, path) {
                    reading.report.skip(Place::file(path), "a mask without its picture");
                }
                continue;
            }
            _ => {
                reading.report.skip(Place::file(path), "a picture outside of train, test and ground_truth");
                continue;
            }
        }
        let mut item = Item {
            id: names.id_of(path),
            file_name: name.to_owned(),
            content: Content::File(path.to_owned()),
            concepts: vec![ConceptValue::positive(defect)],
            split: Some(split.to_owned()),
            ..Item::default()
        };
        if let Some(category) =
            prefix.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty())
        {
            item.metadata.insert("category".to_owned(), category.into());
        }
        let mask = format!("{prefix}ground_truth/{defect}/{}_mask.png", stem(name));
        if files.find(&mask).is_some() {
            let png = files.read_small(&mask)?;
            item.regions.push(Region {
                metadata: JsonMap::new(),
                ..Region::new(Shape::MaskPng { png }, vec![ConceptValue::positive(defect)])
            });
        } else if split == "test" && defect != GOOD {
            reading.report.lose("masks that the collection does not have");
        }
        reading.item(item)?;
    }
    Ok(())
}

/// Whether the picture of a mask is there, with any of the usual extensions.
fn has_picture(reading: &Reading<'_>, mask: &str) -> bool {
    parse(mask).is_some_and(|(prefix, _, defect, name)| {
        let name = stem(name).trim_end_matches("_mask");
        let is_there = |split: &str, extension: &str| {
            reading.files.find(&format!("{prefix}{split}/{defect}/{name}.{extension}")).is_some()
        };
        let mut extensions = ["png", "jpg", "jpeg", "bmp", "tif", "tiff"].into_iter();
        extensions.any(|extension| is_there("test", extension) || is_there("train", extension))
    })
}

/// Writes one category.
pub(crate) struct MvtecWriter {
    names: UniqueNames,
}

impl MvtecWriter {
    pub fn new() -> MvtecWriter {
        MvtecWriter { names: UniqueNames::default() }
    }
}

/// All masks of an item in one, as a PNG; a single PNG is passed through untouched.
fn united_mask(out: &mut Output<'_>, item: &Item) -> Option<Vec<u8>> {
    let mut united: Option<Bitmap> = None;
    let masks: Vec<&Region> =
        item.regions.iter().filter(|region| Bitmap::of(&region.shape).is_some()).collect();
    if let [Region { shape: Shape::MaskPng { png }, .. }] = masks.as_slice() {
        return Some(png.clone());
    }
    for (i, region) in masks.iter().enumerate() {
        match Bitmap::of(&region.shape)? {
            Err(reason) => out.report.skip(Place::entry("", &item.id), reason),
            Ok(mask) => match &mut united {
                None => united = Some(mask),
                Some(all) if (all.width, all.height) == (mask.width, mask.height) => {
                    all.inside.iter_mut().zip(mask.inside).for_each(|(a, b)| *a |= b);
                    out.report.lose("borders between masks of one item");
                }
                Some(_) => out.report.skip(
                    Place::entry("", format!("{}, region {i}", item.id)),
                    "the mask has another size than the first one",
                ),
            },
        }
    }
    match united?.to_png() {
        Ok(png) => Some(png),
        Err(reason) => {
            out.report.skip(Place::entry("", &item.id), reason);
            None
        }
    }
}

impl FormatWriter for MvtecWriter {
    fn item(&mut self, out: &mut Output<'_>, item: &Item, content: Option<&mut dyn Read>) -> Result<()> {
        if content.is_none() {
            out.report
                .skip(Place::entry("", &item.id), "the format holds nothing but bytes, and there are none");
            return Ok(());
        }
        let region_concepts = item.regions.iter().flat_map(|region| &region.concepts);
        let defect = item.concepts.iter().chain(region_concepts).find(|concept| concept.is_positive());
        let n_lost = item.concepts.len().saturating_sub(1);
        out.report.lose_n("concepts beside the first positive one", n_lost);
        let defect = folder_name(defect.map_or(GOOD, |concept| &concept.name));
        let split = if item.split.as_deref() == Some("train") { "train" } else { "test" };
        let name = self.names.file_name(export_name(item));
        out.content(&format!("{split}/{defect}/{name}"), content)?;
        if let Some(png) = united_mask(out, item) {
            out.sink.put(&format!("ground_truth/{defect}/{}_mask.png", stem(&name)), &mut png.as_slice())?;
        }
        Ok(())
    }

    fn finish(&mut self, _out: &mut Output<'_>) -> Result<()> {
        Ok(())
    }
}
