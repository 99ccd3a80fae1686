//! CVAT for images 1.1, read image by image.

use crate::error::{Place, Result};
use crate::mask::Bitmap;
use crate::media::{Locator, base_name};
use crate::model::{Concept, ConceptValue, Item, Point, Region, Shape, split_name};
use crate::reading::Reading;
use crate::xml::{Element, for_each_named};

pub(crate) fn read(reading: &mut Reading<'_>) -> Result<()> {
    let files = reading.files;
    let locator = Locator::new(files);
    for path in reading.annotation_files(|path| path.ends_with(".xml")) {
        let bounds = (path.as_str(), files.limits().max_record_bytes);
        let mut is_cvat = false;
        for_each_named(files.open(&path)?, bounds, &["labels", "image", "track"], &mut |n, element| {
            match element.name.as_str() {
                "labels" => {
                    is_cvat = true;
                    let names = element.all("label").map(|label| label.text_of("name"));
                    names
                        .filter(|name| !name.is_empty())
                        .for_each(|name| reading.declare(Concept::named(name)));
                    Ok(())
                }
                "track" => {
                    is_cvat = true;
                    let id = element.attribute("id").map_or(n.to_string(), str::to_owned);
                    let reason = "a track of CVAT for video; this reader takes CVAT for images";
                    reading.report.skip(Place::entry(&path, format!("track {id}")), reason);
                    Ok(())
                }
                _ => {
                    is_cvat = true;
                    let item = read_image(reading, &path, n, &element, &locator);
                    reading.item(item)
                }
            }
        })?;
        if !is_cvat {
            reading.report.skip(Place::file(&path), "no <image> of CVAT in it");
        }
    }
    Ok(())
}

fn read_image(reading: &mut Reading<'_>, path: &str, n: u64, image: &Element, locator: &Locator) -> Item {
    let name = image.attribute("name").unwrap_or_default();
    let subset = image.attribute("subset").filter(|subset| !subset.is_empty() && *subset != "default");
    let side = |name| image.number(name).ok().map(|n| n as u32).filter(|n| *n > 0);
    let mut item = Item {
        id: image.attribute("id").map_or(n.to_string(), str::to_owned),
        file_name: base_name(name).to_owned(),
        content: locator.content(name, subset),
        width: side("width"),
        height: side("height"),
        split: subset.map(split_name),
        ..Item::default()
    };
    for (n, shape) in image.children.iter().enumerate() {
        let concept = ConceptValue::positive(shape.attribute("label").unwrap_or_default());
        if shape.name == "tag" {
            item.concepts.push(concept);
            continue;
        }
        match read_shape(shape, &item) {
            Ok(shapes) => {
                for found in shapes {
                    let mut region = Region::new(found, vec![concept.clone()]);
                    read_attributes(shape, &mut region);
                    item.regions.push(region);
                }
            }
            Err(reason) => {
                let place = Place::entry(path, format!("image {}, <{}> {n}", item.id, shape.name));
                reading.report.skip(place, reason);
            }
        }
    }
    item
}

fn read_attributes(shape: &Element, region: &mut Region) {
    for attribute in shape.all("attribute") {
        if let Some(name) = attribute.attribute("name") {
            region.metadata.insert(name.to_owned(), attribute.text.as_str().into());
        }
    }
    // Written for every shape; only what differs from the default says something.
    for (name, default) in [("occluded", "0"), ("z_order", "0"), ("group_id", "0")] {
        if let Some(value) = shape.attribute(name).filter(|value| *value != default) {
            region.metadata.insert(name.to_owned(), value.into());
        }
    }
}

/// A shape; `<points>` with several points gives several.
fn read_shape(shape: &Element, item: &Item) -> std::result::Result<Vec<Shape>, String> {
    let (w, h) = item.size().ok_or("the width and height of its image are not known")?;
    match shape.name.as_str() {
        "box" => {
            let number = |name| shape.number(name);
            let [left, top] = [number("xtl")? / w, number("ytl")? / h];
            let [right, bottom] = [number("xbr")? / w, number("ybr")? / h];
            match shape.number("rotation").unwrap_or(0.0) {
                0.0 => Ok(vec![Shape::Box { left, top, right, bottom }]),
                degrees => {
                    let corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
                    let center = [(left + right) / 2.0 * w, (top + bottom) / 2.0 * h];
                    let ring = corners.map(|[x, y]| turned([x * w, y * h], center, degrees));
                    let ring = ring.map(|[x, y]| Point { x: x / w, y: y / h });
                    Ok(vec![Shape::Polygon { rings: vec![ring.to_vec()] }])
                }
            }
        }
        "polygon" => {
            let ring = points(shape, w, h)?;
            if ring.len() < 3 {
                return Err(format!("a polygon of {} points", ring.len()));
            }
            Ok(vec![Shape::Polygon { rings: vec![ring] }])
        }
        "points" => Ok(points(shape, w, h)?.iter().map(|p| Shape::Point { x: p.x, y: p.y }).collect()),
        "mask" => read_mask(shape, item).map(|mask| vec![mask]),
        other => Err(format!("shapes of the kind <{other}> are not known here")),
    }
}

/// A point turned clockwise (y points down) around another.
pub(crate) fn turned([x, y]: [f64; 2], [cx, cy]: [f64; 2], degrees: f64) -> [f64; 2] {
    let (sin, cos) = degrees.to_radians().sin_cos();
    [cx + (x - cx) * cos - (y - cy) * sin, cy + (x - cx) * sin + (y - cy) * cos]
}

fn points(shape: &Element, w: f64, h: f64) -> std::result::Result<Vec<Point>, String> {
    let parse = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
    let pair = |text: &str| {
        text.split_once(',').and_then(|(x, y)| Some(Point { x: parse(x)? / w, y: parse(y)? / h }))
    };
    let text = shape.attribute("points").ok_or("it has no points")?;
    text.split(';').map(|text| pair(text).ok_or_else(|| format!("{text:?} is not a point"))).collect()
}

/// Runs row by row over the mask's own box.
fn read_mask(shape: &Element, item: &Item) -> std::result::Result<Shape, String> {
    let (Some(width), Some(height)) = (item.width, item.height) else {
        return Err("the width and height of its image are not known".to_owned());
    };
    let side = |name| shape.number(name).map(|n| n as u32);
    let (left, top, w, h) = (side("left")?, side("top")?, side("width")?, side("height")?);
    if u64::from(left) + u64::from(w) > u64::from(width) || u64::from(top) + u64::from(h) > u64::from(height)
    {
        return Err("the mask reaches outside of its image".to_owned());
    }
    let runs = shape.attribute("rle").ok_or("the mask has no rle")?;
    let runs =
        runs.split(',').map(|run| run.trim().parse::<u32>().map_err(|_| format!("{run:?} is not a run")));
    let part = Bitmap::from_rows(w, h, &runs.collect::<std::result::Result<Vec<u32>, String>>()?)?;
    let whole = u64::from(width) * u64::from(height);
    let mut mask =
        Bitmap::from_rows(width, height, &[u32::try_from(whole).map_err(|_| "the image is too large")?])?;
    for y in 0..h as usize {
        let to = (y + top as usize) * width as usize + left as usize;
        mask.inside[to..to + w as usize].copy_from_slice(&part.inside[y * w as usize..(y + 1) * w as usize]);
    }
    Ok(mask.into_shape())
}
