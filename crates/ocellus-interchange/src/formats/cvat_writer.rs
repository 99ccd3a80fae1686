//! Writes CVAT for images 1.1: `annotations.xml` and `images/`.

use std::collections::HashSet;
use std::io::Read;

use serde_json::Value;

use crate::error::{Place, Result};
use crate::formats::coco_writer::{Numbering, single, whole_id};
use crate::mask::{Bitmap, runs_of};
use crate::media::{UniqueNames, export_name, reference};
use crate::model::{Item, Region, Shape};
use crate::writing::{FormatWriter, Output, Spool, WriteOptions};
use crate::xml::escaped;

/// The writer.
pub(crate) struct CvatWriter {
    labels: Numbering,
    images: Spool,
    names: UniqueNames,
    used_ids: HashSet<u64>,
    next_id: u64,
    n_images: u64,
}

impl CvatWriter {
    pub fn new(options: &WriteOptions) -> Result<CvatWriter> {
        Ok(CvatWriter {
            labels: Numbering::new(&options.concepts),
            images: Spool::new(&options.scratch)?,
            names: UniqueNames::default(),
            used_ids: HashSet::new(),
            next_id: 0,
            n_images: 0,
        })
    }
}

impl FormatWriter for CvatWriter {
    fn item(&mut self, out: &mut Output<'_>, item: &Item, content: Option<&mut dyn Read>) -> Result<()> {
        let (Some(width), Some(height)) = (item.width, item.height) else {
            out.report.skip(Place::entry("", &item.id), "its width and height are not known");
            return Ok(());
        };
        let id = whole_id(&mut self.used_ids, &mut self.next_id, item, out);
        let name = self.names.file_name(export_name(item));
        let has_bytes = content.is_some();
        out.content(&format!("images/{name}"), content)?;
        let subset =
            item.split.as_deref().map_or(String::new(), |split| format!(" subset=\"{}\"", escaped(split)));
        let mut xml = format!(
            "  <image id=\"{id}\" name=\"{}\"{subset} width=\"{width}\" height=\"{height}\">\n",
            escaped(&reference(item, has_bytes, &name))
        );
        for concept in &item.concepts {
            if !concept.is_positive() {
                out.report.lose("concepts that are not positive");
                continue;
            }
            out.report.lose_n("probabilities", usize::from(concept.value != 1.0));
            self.labels.number(&concept.name);
            xml.push_str(&format!(
                "    <tag label=\"{}\" source=\"manual\">\n    </tag>\n",
                escaped(&concept.name)
            ));
        }
        for (n, region) in item.regions.iter().enumerate() {
            let place = || Place::entry("", format!("{}, region {n}", item.id));
            let Some(concept) = single(out, &region.concepts) else {
                out.report.skip(place(), "it has no positive concept");
                continue;
            };
            self.labels.number(&concept.name);
            match shape_xml(region, &concept.name, [width, height]) {
                Ok(shape) => xml.push_str(&shape),
                Err(reason) => out.report.skip(place(), reason),
            }
        }
        xml.push_str("  </image>\n");
        self.n_images += 1;
        self.images.write(xml.as_bytes())
    }

    fn finish(&mut self, out: &mut Output<'_>) -> Result<()> {
        let labels: String = self
            .labels
            .names()
            .iter()
            .map(|name| format!("        <label>\n          <name>{}</name>\n          <attributes>\n          </attributes>\n        </label>\n", escaped(name)))
            .collect();
        let head = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n      <size>{}</size>\n      <mode>annotation</mode>\n      <labels>\n{labels}      </labels>\n    </task>\n  </meta>\n",
            self.n_images
        );
        let mut whole = head.as_bytes().chain(self.images.reader()?).chain(&b"</annotations>\n"[..]);
        out.sink.put("annotations.xml", &mut whole)
    }
}

/// Pixels as CVAT writes them.
fn px(fraction: f64, side: u32) -> String {
    format!("{:.2}", fraction * f64::from(side))
}

fn shape_xml(region: &Region, label: &str, [w, h]: [u32; 2]) -> std::result::Result<String, String> {
    let of = |key: &str| region.metadata.get(key).map(text_of).unwrap_or_else(|| "0".to_owned());
    let occluded = if matches!(of("occluded").as_str(), "1" | "true") { "1" } else { "0" };
    let common = format!("label=\"{}\" source=\"manual\" occluded=\"{occluded}\"", escaped(label));
    let z_order = escaped(&of("z_order"));
    let group = match of("group_id").as_str() {
        "0" => String::new(),
        group => format!(" group_id=\"{}\"", escaped(group)),
    };
    let mut elements: Vec<(&str, String)> = Vec::new();
    match &region.shape {
        Shape::Box { left, top, right, bottom } => elements.push((
            "box",
            format!(
                "xtl=\"{}\" ytl=\"{}\" xbr=\"{}\" ybr=\"{}\"",
                px(*left, w),
                px(*top, h),
                px(*right, w),
                px(*bottom, h)
            ),
        )),
        Shape::Polygon { rings } => {
            for ring in rings {
                let points: Vec<String> =
                    ring.iter().map(|p| format!("{},{}", px(p.x, w), px(p.y, h))).collect();
                elements.push(("polygon", format!("points=\"{}\"", points.join(";"))));
            }
        }
        Shape::Point { x, y } => elements.push(("points", format!("points=\"{},{}\"", px(*x, w), px(*y, h)))),
        Shape::MaskRle { .. } | Shape::MaskPng { .. } => {
            elements.push(("mask", mask_xml(&region.shape, [w, h])?))
        }
    }
    let mut xml = String::new();
    for (element, place) in elements {
        xml.push_str(&format!("    <{element} {common} {place} z_order=\"{z_order}\"{group}>\n"));
        for (key, value) in &region.metadata {
            if !matches!(key.as_str(), "occluded" | "z_order" | "group_id") {
                let (key, value) = (escaped(key), escaped(&text_of(value)));
                xml.push_str(&format!("      <attribute name=\"{key}\">{value}</attribute>\n"));
            }
        }
        xml.push_str(&format!("    </{element}>\n"));
    }
    Ok(xml)
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn mask_xml(shape: &Shape, [w, h]: [u32; 2]) -> std::result::Result<String, String> {
    let mask = Bitmap::of(shape).ok_or("not a mask")??;
    if [mask.width, mask.height] != [w, h] {
        return Err(format!("the mask has {} x {} pixels, its picture {w} x {h}", mask.width, mask.height));
    }
    let [left, top, right, bottom] = mask.bounds().ok_or("the mask is empty")?;
    let pixels = (top..bottom).flat_map(|y| (left..right).map(move |x| (y * w + x) as usize));
    let runs: Vec<String> = runs_of(pixels.map(|i| mask.inside[i])).iter().map(u32::to_string).collect();
    let (width, height) = (right - left, bottom - top);
    let rle = runs.join(", ");
    Ok(format!("rle=\"{rle}\" left=\"{left}\" top=\"{top}\" width=\"{width}\" height=\"{height}\""))
}
