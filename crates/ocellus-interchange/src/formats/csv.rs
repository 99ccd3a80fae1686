//! CSV: the layout of the vendor's Python SDK (`inputid,input,concepts,metadata,geopoints`), and any other header
//! through a mapping of columns, guessed from the usual names.
//!
//! In the vendor's layout concepts are names separated by commas, metadata is JSON in which single quotes stand
//! for double ones, and geopoints is `longitude,latitude`. With a box mapping each row is one region, and rows of
//! the same item that follow each other become one item.

use crate::error::{Error, Place, Result};
use crate::media::{Locator, UniqueNames, base_name};
use crate::model::{ConceptValue, Content, Geo, Item, JsonMap, Region, Shape, split_name};
use crate::reading::Reading;

/// Which column holds what; names as in the header, without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CsvColumns {
    /// Id of the item.
    pub id: Option<String>,
    /// Path, address or text.
    pub input: Option<String>,
    /// Names of concepts.
    pub concepts: Option<String>,
    /// Value of the row's concepts, 0..1.
    pub value: Option<String>,
    /// A JSON object.
    pub metadata: Option<String>,
    /// `longitude,latitude`.
    pub geopoints: Option<String>,
    /// Degrees.
    pub longitude: Option<String>,
    /// Degrees.
    pub latitude: Option<String>,
    /// Split.
    pub split: Option<String>,
    /// Width of the image in pixels.
    pub width: Option<String>,
    /// Height of the image in pixels.
    pub height: Option<String>,
    /// Left, top, right, bottom of a box: pixels if any is above 1.5 and the image's size is known, else fractions.
    pub corners: Option<[String; 4]>,
    /// Every other column as a text of the metadata.
    pub rest_to_metadata: bool,
}

/// How CSV is read.
#[derive(Clone, Debug, Default)]
pub struct CsvOptions {
    /// The mapping; none = the vendor's header, else guessed from the header.
    pub columns: Option<CsvColumns>,
    /// Delimiter; none = a comma, or for `.tsv` a tab.
    pub delimiter: Option<u8>,
    /// Between concepts in one cell; none = a comma.
    pub concept_separator: Option<char>,
    /// Inputs that are neither addresses nor files of the collection are texts, not missing files.
    pub inputs_are_texts: bool,
}

/// The header of the vendor's layout.
pub(crate) const VENDOR: [&str; 5] = ["inputid", "input", "concepts", "metadata", "geopoints"];

impl CsvColumns {
    /// The mapping of the vendor's header, or a guess from the usual names.
    pub fn from_header(header: &[&str]) -> CsvColumns {
        let find = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| header.iter().find(|column| column.trim().eq_ignore_ascii_case(name)))
        };
        let text = |names: &[&str]| find(names).map(|column| (*column).to_owned());
        let corners = [
            ["xmin", "left", "x_min", "x1", "xtl"],
            ["ymin", "top", "y_min", "y1", "ytl"],
            ["xmax", "right", "x_max", "x2", "xbr"],
            ["ymax", "bottom", "y_max", "y2", "ybr"],
        ];
        let corners: Vec<String> = corners.iter().filter_map(|names| text(names)).collect();
        CsvColumns {
            id: text(&["inputid", "input_id", "id", "image_id"]),
            input: text(&[
                "input",
                "url",
                "image_url",
                "path",
                "file_path",
                "filepath",
                "filename",
                "file_name",
                "file",
                "image",
                "text",
                "uri",
            ]),
            concepts: text(&[
                "concepts", "concept", "labels", "label", "class", "classes", "category", "tags",
            ]),
            value: text(&["value", "confidence", "score", "probability"]),
            metadata: text(&["metadata"]),
            geopoints: text(&["geopoints", "geopoint"]),
            longitude: text(&["longitude", "lon", "lng", "long"]),
            latitude: text(&["latitude", "lat"]),
            split: text(&["split", "subset", "set", "ml_use"]),
            width: text(&["width", "image_width"]),
            height: text(&["height", "image_height"]),
            corners: corners.try_into().ok(),
            rest_to_metadata: !header.iter().all(|column| VENDOR.contains(column)),
        }
    }
}

/// The mapping with the columns' numbers.
struct Mapping {
    id: Option<usize>,
    input: Option<usize>,
    concepts: Option<usize>,
    value: Option<usize>,
    metadata: Option<usize>,
    geopoints: Option<usize>,
    place: Option<[usize; 2]>,
    split: Option<usize>,
    size: Option<[usize; 2]>,
    corners: Option<[usize; 4]>,
    rest: Vec<(usize, String)>,
    separator: char,
}

impl Mapping {
    fn new(
        path: &str,
        columns: &CsvColumns,
        header: &csv::StringRecord,
        options: &CsvOptions,
    ) -> Result<Mapping> {
        let mut used = Vec::new();
        let mut number = |column: &Option<String>| -> Result<Option<usize>> {
            let Some(column) = column else { return Ok(None) };
            let found = header.iter().position(|name| name.trim().eq_ignore_ascii_case(column));
            let found = found.ok_or_else(|| {
                Error::format(Place::line(path, 1), format!("there is no column {column:?}"))
            })?;
            used.push(found);
            Ok(Some(found))
        };
        let mut corners = None;
        if let Some(names) = &columns.corners {
            let mut numbers = [0; 4];
            for (to, name) in numbers.iter_mut().zip(names) {
                *to = number(&Some(name.clone()))?.unwrap_or_default();
            }
            corners = Some(numbers);
        }
        let mut mapping = Mapping {
            id: number(&columns.id)?,
            input: number(&columns.input)?,
            concepts: number(&columns.concepts)?,
            value: number(&columns.value)?,
            metadata: number(&columns.metadata)?,
            geopoints: number(&columns.geopoints)?,
            place: number(&columns.longitude)?.zip(number(&columns.latitude)?).map(Into::into),
            split: number(&columns.split)?,
            size: number(&columns.width)?.zip(number(&columns.height)?).map(Into::into),
            corners,
            rest: Vec::new(),
            separator: options.concept_separator.unwrap_or(','),
        };
        if mapping.id.is_none() && mapping.input.is_none() {
            let reason = "no column is the id or the input; name them in the mapping";
            return Err(Error::format(Place::line(path, 1), reason));
        }
        if columns.rest_to_metadata {
            let rest = header.iter().enumerate().filter(|(i, _)| !used.contains(i));
            mapping.rest = rest.map(|(i, name)| (i, name.trim().to_owned())).collect();
        }
        Ok(mapping)
    }
}

pub(crate) fn read(reading: &mut Reading<'_>) -> Result<()> {
    let locator = Locator::new(reading.files);
    let mut names = UniqueNames::default();
    for path in reading.annotation_files(|path| path.ends_with(".csv") || path.ends_with(".tsv")) {
        read_file(reading, &path, &locator, &mut names)?;
    }
    Ok(())
}

fn read_file(
    reading: &mut Reading<'_>,
    path: &str,
    locator: &Locator,
    names: &mut UniqueNames,
) -> Result<()> {
    let files = reading.files;
    let options = &reading.options.csv;
    let by_name = if path.ends_with(".tsv") { b'\t' } else { b',' };
    let limit = files.limits().max_record_bytes as u64;
    let mut table = csv::ReaderBuilder::new()
        .delimiter(options.delimiter.unwrap_or(by_name))
        .flexible(true)
        .from_reader(files.open(path)?);
    let header = table.headers().map_err(|e| Error::format(Place::line(path, 1), e))?.clone();
    let header: csv::StringRecord = header.iter().map(|name| name.trim_start_matches('\u{feff}')).collect();
    let guessed = CsvColumns::from_header(&header.iter().collect::<Vec<_>>());
    let mapping = Mapping::new(path, options.columns.as_ref().unwrap_or(&guessed), &header, options)?;
    let mut pending: Option<(String, Item)> = None;
    let mut row = csv::StringRecord::new();
    loop {
        let line = table.position().line();
        match table.read_record(&mut row) {
            Ok(false) => break,
            Ok(true) if row.as_slice().len() as u64 > limit => {
                reading.report.skip(Place::line(path, line), format!("the row is longer than {limit} bytes"));
                continue;
            }
            Ok(true) => {}
            Err(e) if e.is_io_error() => return Err(Error::format(Place::file(path), e)),
            Err(e) => {
                reading.report.skip(Place::line(path, line), e);
                continue;
            }
        }
        let (key, item) = match parse_row(&mapping, &row, locator, options.inputs_are_texts) {
            Ok(parsed) => parsed,
            Err(reason) => {
                reading.report.skip(Place::line(path, line), reason);
                continue;
            }
        };
        match &mut pending {
            Some((same, before)) if *same == key && mapping.corners.is_some() => {
                before.regions.extend(item.regions);
            }
            _ => {
                if let Some((_, done)) = pending.replace((key, item)) {
                    hand_over(reading, done, names)?;
                }
            }
        }
    }
    pending.map_or(Ok(()), |(_, done)| hand_over(reading, done, names))
}

fn hand_over(reading: &mut Reading<'_>, mut item: Item, names: &mut UniqueNames) -> Result<()> {
    if item.id.is_empty() {
        let n = reading.report.n_items + 1;
        item.id = match &item.content {
            Content::Absent if !item.file_name.is_empty() => names.id_of(&item.file_name),
            Content::Text(_) | Content::Absent => names.id_of(&format!("row-{n}")),
            Content::File(path) => names.id_of(path),
            Content::Url(url) => names.id_of(base_name(url)),
        };
    }
    reading.item(item)
}

fn parse_row(
    mapping: &Mapping,
    row: &csv::StringRecord,
    locator: &Locator,
    inputs_are_texts: bool,
) -> std::result::Result<(String, Item), String> {
    let cell = |column: Option<usize>| column.and_then(|i| row.get(i)).map(str::trim).unwrap_or_default();
    let number = |column: usize| {
        let text = cell(Some(column));
        text.parse::<f64>().ok().filter(|n| n.is_finite()).ok_or(format!("{text:?} is not a number"))
    };
    let input = mapping.input.and_then(|i| row.get(i)).unwrap_or_default();
    let mut item = Item { id: cell(mapping.id).to_owned(), ..Item::default() };
    if item.id.is_empty() && input.is_empty() {
        return Err("neither an id nor an input".to_owned());
    }
    item.content = locator.content(input.trim(), None);
    if item.content == Content::Absent && inputs_are_texts && !input.is_empty() {
        item.content = Content::Text(input.to_owned());
    }
    if !matches!(item.content, Content::Text(_)) {
        item.file_name = base_name(input.trim()).to_owned();
    }
    let value = match cell(mapping.value) {
        "" => 1.0,
        _ => number(mapping.value.unwrap_or_default())? as f32,
    };
    let concepts: Vec<ConceptValue> = cell(mapping.concepts)
        .split(mapping.separator)
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| ConceptValue { value, ..ConceptValue::positive(name) })
        .collect();
    if let Some([width, height]) = mapping.size {
        item.width = cell(Some(width)).parse().ok();
        item.height = cell(Some(height)).parse().ok();
    }
    match mapping.corners {
        Some(corners) if corners.iter().all(|column| !cell(Some(*column)).is_empty()) => {
            let mut numbers = [0.0; 4];
            for (to, column) in numbers.iter_mut().zip(corners) {
                *to = number(column)?;
            }
            item.regions.push(Region::new(corner_box(numbers, &item)?, concepts));
        }
        _ => item.concepts = concepts,
    }
    item.metadata = metadata(cell(mapping.metadata))?;
    for (column, name) in &mapping.rest {
        if !cell(Some(*column)).is_empty() {
            item.metadata.insert(name.clone(), cell(Some(*column)).into());
        }
    }
    item.geo = match (mapping.place, cell(mapping.geopoints)) {
        (Some([longitude, latitude]), _) if !cell(Some(longitude)).is_empty() => {
            Some(Geo { longitude: number(longitude)?, latitude: number(latitude)? })
        }
        (_, "") => None,
        (_, text) => Some(geopoint(text)?),
    };
    item.split = Some(cell(mapping.split)).filter(|split| !split.is_empty()).map(split_name);
    let key = if item.id.is_empty() { input.to_owned() } else { item.id.clone() };
    Ok((key, item))
}

fn corner_box([left, top, right, bottom]: [f64; 4], item: &Item) -> std::result::Result<Shape, String> {
    let is_pixels = [left, top, right, bottom].iter().any(|n| *n > 1.5);
    let (w, h) = match item.size() {
        Some(size) if is_pixels => size,
        None if is_pixels => {
            return Err("a box in pixels, but the size of the image is not in the row".to_owned());
        }
        _ => (1.0, 1.0),
    };
    Ok(Shape::Box { left: left / w, top: top / h, right: right / w, bottom: bottom / h })
}

fn metadata(text: &str) -> std::result::Result<JsonMap, String> {
    if text.is_empty() {
        return Ok(JsonMap::new());
    }
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&text.replace('\'', "\"")))
        .map_err(|e| format!("the metadata is no JSON object: {e}"))
}

fn geopoint(text: &str) -> std::result::Result<Geo, String> {
    let wrong = || format!("{text:?} is not longitude,latitude");
    let (longitude, latitude) = text.split_once(',').ok_or_else(wrong)?;
    let parse = |part: &str| part.trim().parse::<f64>().ok().filter(|n| n.is_finite()).ok_or_else(wrong);
    Ok(Geo { longitude: parse(longitude)?, latitude: parse(latitude)? })
}
