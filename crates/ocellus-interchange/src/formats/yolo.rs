//! YOLO v5/v8: `data.yaml`, `images/<split>/`, `labels/<split>/*.txt` with boxes or polygons in fractions. Also
//! the other usual order, `<split>/images/` and `<split>/labels/`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read;

use crate::error::{Error, Place, Result};
use crate::formats::coco_writer::{Numbering, single};
use crate::formats::yolo_yaml::{self, DataYaml};
use crate::media::{UniqueNames, base_name, export_name, is_media, is_noise, stem};
use crate::model::{Concept, ConceptValue, Content, Item, Point, Region, Shape, is_split_word, split_name};
use crate::reading::Reading;
use crate::writing::{FormatWriter, Output, WriteOptions};

/// Rounding in other tools' labels reaches this far outside of the picture.
const SLACK: f64 = 0.01;

/// One collection: a `data.yaml` and what it names.
struct Layout {
    /// Folder of the file, with `/` at the end unless empty.
    root: String,
    yaml: DataYaml,
}

pub(crate) fn read(reading: &mut Reading<'_>) -> Result<()> {
    let files = reading.files;
    let is_data = |path: &str| {
        let name = base_name(path);
        (name.ends_with(".yaml") || name.ends_with(".yml")) && !name.contains("hyp") && !name.contains("args")
    };
    let path = reading.annotation_files(is_data).into_iter().min_by_key(|path| path.matches('/').count());
    let yaml = match &path {
        Some(path) => {
            let text = String::from_utf8_lossy(&files.read_small(path)?).into_owned();
            DataYaml::parse(&text).map_err(|e| Error::format(Place::file(path), e))?
        }
        None => DataYaml { names: classes_txt(reading)?, ..DataYaml::default() },
    };
    for (_, name) in &yaml.names {
        reading.declare(Concept::named(name));
    }
    let root = path.as_deref().and_then(|path| path.rsplit_once('/')).map(|(root, _)| format!("{root}/"));
    let layout = Layout { root: root.unwrap_or_default(), yaml };
    let class_names: HashMap<usize, String> = layout.yaml.names.iter().cloned().collect();
    let listed = listed_files(reading, &layout)?;
    let mut names = UniqueNames::default();
    let mut used = HashSet::new();
    for path in
        files.entries().iter().map(|e| e.path.as_str()).filter(|path| is_media(path) && !is_noise(path))
    {
        let Some(split) = layout.split_of(path, &listed) else {
            reading.report.skip(Place::file(path), "a picture outside of the folders that data.yaml names");
            continue;
        };
        let label = label_path(path);
        let mut item = Item {
            id: names.id_of(path),
            file_name: base_name(path).to_owned(),
            content: Content::File(path.to_owned()),
            split,
            ..Item::default()
        };
        if files.find(&label).is_some() {
            item.regions = labels(reading, &label, &class_names)?;
            used.insert(label);
        }
        reading.item(item)?;
    }
    labels_alone(reading, &used, &class_names, &mut names)
}

/// `classes.txt`, where there is no `data.yaml`.
fn classes_txt(reading: &mut Reading<'_>) -> Result<Vec<(usize, String)>> {
    let entries = reading.files.entries().iter();
    let path = entries
        .map(|entry| entry.path.clone())
        .find(|path| matches!(base_name(path), "classes.txt" | "obj.names"));
    let mut names = Vec::new();
    if let Some(path) = path {
        reading.lines(&path, &mut |_, _, line| {
            names.push((names.len(), line.to_owned()));
            Ok(())
        })?;
    }
    Ok(names)
}

/// The picture's path with the last `images` as `labels`, and `.txt`.
fn label_path(path: &str) -> String {
    let mut parts: Vec<&str> = stem(path).split('/').collect();
    let n = parts.len();
    if let Some(at) = parts[..n - 1].iter().rposition(|part| *part == "images") {
        parts[at] = "labels";
    }
    format!("{}.txt", parts.join("/"))
}

/// Joins and resolves `.` and `..`; what would lead above the collection stays inside.
fn joined(parts: &[&str]) -> String {
    let mut path: Vec<&str> = Vec::new();
    for part in parts.iter().flat_map(|part| part.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(path.pop()),
            _ => path.push(part),
        }
    }
    path.join("/")
}

/// The pictures that text files named by `data.yaml` list, with their split.
fn listed_files(reading: &mut Reading<'_>, layout: &Layout) -> Result<HashMap<String, String>> {
    let mut listed = HashMap::new();
    for (split, paths) in &layout.yaml.splits {
        for path in paths.iter().filter(|path| path.ends_with(".txt")) {
            for base in [layout.yaml.path.as_str(), ""] {
                let list = joined(&[&layout.root, base, path]);
                if reading.files.find(&list).is_none() {
                    continue;
                }
                reading.lines(&list, &mut |_, _, line| {
                    listed.insert(joined(&[&layout.root, base, line]), split.clone());
                    Ok(())
                })?;
                break;
            }
        }
    }
    Ok(listed)
}

/// Whether a path is below a folder; the empty folder is the collection itself.
fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

impl Layout {
    /// Whether a picture belongs to the collection, and to which split.
    fn split_of(&self, path: &str, listed: &HashMap<String, String>) -> Option<Option<String>> {
        if self.yaml.splits.is_empty() {
            let split = path.split('/').find(|part| is_split_word(part)).map(split_name);
            return Some(split);
        }
        if let Some(split) = listed.get(path) {
            return Some(Some(split.clone()));
        }
        for (split, folders) in &self.yaml.splits {
            for folder in folders {
                // Paths in the wild are relative to `path`, to the file, or to a sibling that was not packed.
                let bases = [
                    joined(&[&self.root, &self.yaml.path, folder]),
                    joined(&[&self.root, folder]),
                    joined(&[&self.root, folder.trim_start_matches("../")]),
                ];
                if bases.iter().any(|base| is_below(path, base)) {
                    return Some(Some(split.clone()));
                }
            }
        }
        None
    }
}

fn labels(reading: &mut Reading<'_>, path: &str, names: &HashMap<usize, String>) -> Result<Vec<Region>> {
    let mut regions = Vec::new();
    reading.lines(path, &mut |reading, number, line| {
        match label(line, names) {
            Ok(region) => regions.push(region),
            Err(reason) => reading.report.skip(Place::line(path, number), reason),
        }
        Ok(())
    })?;
    Ok(regions)
}

fn label(line: &str, names: &HashMap<usize, String>) -> std::result::Result<Region, String> {
    let mut words = line.split_whitespace();
    let class = words.next().unwrap_or_default();
    let class: usize = class
        .parse()
        .or_else(|_| class.parse::<f64>().map(|n| n as usize))
        .map_err(|_| format!("{class:?} is not a class number"))?;
    let numbers = words
        .map(|word| {
            word.parse::<f64>().ok().filter(|n| n.is_finite()).ok_or(format!("{word:?} is not a number"))
        })
        .collect::<std::result::Result<Vec<f64>, String>>()?;
    let name = names.get(&class).ok_or_else(|| format!("class {class} has no name"))?;
    let mut concept = ConceptValue::positive(name);
    let (shape, coordinates) = match numbers.as_slice() {
        [x, y, w, h] | [x, y, w, h, _] => {
            if let Some(confidence) = numbers.get(4) {
                concept.value = *confidence as f32;
            }
            let corners = [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0];
            let [left, top, right, bottom] = corners;
            (Shape::Box { left, top, right, bottom }, corners.to_vec())
        }
        points if points.len() >= 6 && points.len().is_multiple_of(2) => {
            let ring = points.chunks_exact(2).map(|p| Point { x: p[0], y: p[1] }).collect();
            (Shape::Polygon { rings: vec![ring] }, points.to_vec())
        }
        _ => return Err(format!("{} numbers are neither a box nor a polygon", numbers.len())),
    };
    if coordinates.iter().any(|n| !(-SLACK..=1.0 + SLACK).contains(n)) {
        return Err("the coordinates are no fractions of the picture".to_owned());
    }
    Ok(Region::new(shape, vec![concept]))
}

/// Items of which only the labels are in the collection.
fn labels_alone(
    reading: &mut Reading<'_>,
    used: &HashSet<String>,
    class_names: &HashMap<usize, String>,
    names: &mut UniqueNames,
) -> Result<()> {
    let files = reading.files;
    for path in files.entries().iter().map(|entry| entry.path.as_str()) {
        let folders: Vec<&str> = path.split('/').collect();
        let is_label = path.ends_with(".txt") && folders.contains(&"labels") && !used.contains(path);
        if !is_label || is_noise(path) || base_name(path) == "classes.txt" {
            continue;
        }
        let below =
            folders.iter().skip_while(|part| **part != "labels").nth(1).filter(|part| !part.contains('.'));
        let split = folders.iter().find(|part| is_split_word(part)).or(below).map(|part| split_name(part));
        let regions = labels(reading, path, class_names)?;
        reading.item(Item {
            id: names.id_of(&path.replacen("labels", "images", 1)),
            file_name: base_name(stem(path)).to_owned(),
            regions,
            split,
            ..Item::default()
        })?;
    }
    Ok(())
}

/// The writer.
pub(crate) struct YoloWriter {
    classes: Numbering,
    names: UniqueNames,
    splits: BTreeSet<String>,
}

impl YoloWriter {
    pub fn new(options: &WriteOptions) -> YoloWriter {
        YoloWriter {
            classes: Numbering::new(&options.concepts),
            names: UniqueNames::default(),
            splits: BTreeSet::new(),
        }
    }
}

impl FormatWriter for YoloWriter {
    fn item(&mut self, out: &mut Output<'_>, item: &Item, content: Option<&mut dyn Read>) -> Result<()> {
        let wanted = item.split.as_deref().map_or("train".to_owned(), split_name);
        // data.yaml has keys for three splits only.
        let split = if is_split_word(&wanted) { wanted } else { "train".to_owned() };
        let is_kept = item.split.as_deref().is_none_or(|wanted| split_name(wanted) == split);
        out.report.lose_n("splits other than train, val and test", usize::from(!is_kept));
        let name = self.names.file_name(export_name(item));
        out.content(&format!("images/{split}/{name}"), content)?;
        let mut text = String::new();
        for (n, region) in item.regions.iter().enumerate() {
            if !matches!(region.shape, Shape::Box { .. } | Shape::Polygon { .. }) {
                continue;
            }
            let Some(concept) = single(out, &region.concepts) else {
                let place = Place::entry("", format!("{}, region {n}", item.id));
                out.report.skip(place, "it has no positive concept");
                continue;
            };
            let class = self.classes.number(&concept.name);
            match &region.shape {
                Shape::Box { left, top, right, bottom } => {
                    let (x, y) = ((left + right) / 2.0, (top + bottom) / 2.0);
                    text.push_str(&format!("{class} {x} {y} {} {}\n", right - left, bottom - top));
                }
                Shape::Polygon { rings } => {
                    out.report
                        .lose_n("outlines beside the first of a polygon", rings.len().saturating_sub(1));
                    for ring in rings {
                        text.push_str(&class.to_string());
                        ring.iter().for_each(|p| text.push_str(&format!(" {} {}", p.x, p.y)));
                        text.push('\n');
                    }
                }
                Shape::Point { .. } | Shape::MaskRle { .. } | Shape::MaskPng { .. } => {}
            }
        }
        out.text(&format!("labels/{split}/{}.txt", stem(&name)), &text)?;
        self.splits.insert(split);
        Ok(())
    }

    fn finish(&mut self, out: &mut Output<'_>) -> Result<()> {
        let splits: Vec<String> = self.splits.iter().cloned().collect();
        out.text("data.yaml", &yolo_yaml::write(&splits, self.classes.names()))
    }
}
