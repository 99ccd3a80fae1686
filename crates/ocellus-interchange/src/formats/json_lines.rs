//! Our own format: JSON lines that hold everything, bit for bit.
//!
//! The file is `collection.jsonl` (a reader takes any `*.jsonl` whose first line is the header), UTF-8, one JSON
//! object a line. The first line is the header:
//!
//! ```json
//! {"format":"ocellus-collection","version":1,"concepts":[{"id":"dog","name":"Dog"}]}
//! ```
//!
//! Every other line is an item, with these fields, all but `id` optional:
//!
//! | field | value |
//! | --- | --- |
//! | `id` | text, unique in the file |
//! | `file_name` | text |
//! | `content` | `{"file":"images/a.jpg"}` (a path beside the JSON lines), `{"url":"..."}` or `{"text":"..."}` |
//! | `width`, `height` | pixels |
//! | `concepts` | list of `{"id","name","value"}`; `value` 0..1, absent = 1 |
//! | `regions` | list of `{"shape", ..., "id","concepts","track","metadata"}`, see below |
//! | `spans` | list of `{"start","end","concepts","id"}`, in characters, end past the last one |
//! | `metadata` | any JSON object |
//! | `geo` | `{"longitude","latitude"}` in degrees |
//! | `split` | text |
//!
//! Shapes, in fractions of the image's sides: `box` with `left`, `top`, `right`, `bottom`; `polygon` with `rings`,
//! lists of `[x,y]`; `point` with `x`, `y`; `mask_rle` with `width`, `height` and `runs` (lengths row by row, the
//! first one outside); `mask_png` with `png` in base64. A `track` is `{"id","frame"}`. Unknown fields are ignored.

use std::io::Read;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Place, Result};
use crate::media::{UniqueNames, export_name};
use crate::model::{Concept, Content, Item};
use crate::reading::Reading;
use crate::writing::{FormatWriter, Output, Spool, WriteOptions};

/// The header's `format`.
pub(crate) const FORMAT: &str = "ocellus-collection";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
    #[serde(default)]
    concepts: Vec<Concept>,
}

pub(crate) fn read(reading: &mut Reading<'_>) -> Result<()> {
    for path in reading.annotation_files(|path| path.ends_with(".jsonl")) {
        let folder = path.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
        let mut is_first = true;
        reading.lines(&path, &mut |reading, number, line| {
            if std::mem::take(&mut is_first) {
                return header(reading, &path, line);
            }
            match serde_json::from_str::<Item>(line) {
                Ok(mut item) => {
                    if let Content::File(file) = &mut item.content {
                        file.insert_str(0, &folder);
                    }
                    reading.item(item)
                }
                Err(e) => {
                    reading.report.skip(Place::line(&path, number), e);
                    Ok(())
                }
            }
        })?;
    }
    Ok(())
}

fn header(reading: &mut Reading<'_>, path: &str, line: &str) -> Result<()> {
    let header: Header =
        serde_json::from_str(line).ok().filter(|header: &Header| header.format == FORMAT).ok_or_else(
            || Error::format(Place::line(path, 1), format!("the header of an {FORMAT} is missing")),
        )?;
    if header.version > VERSION {
        let reason = format!("version {} is newer than this program, which knows {VERSION}", header.version);
        return Err(Error::format(Place::line(path, 1), reason));
    }
    header.concepts.into_iter().for_each(|concept| reading.declare(concept));
    Ok(())
}

/// Writes `collection.jsonl` and `images/`.
pub(crate) struct JsonLinesWriter {
    lines: Spool,
    names: UniqueNames,
}

impl JsonLinesWriter {
    pub fn new(options: &WriteOptions) -> Result<JsonLinesWriter> {
        let mut lines = Spool::new(&options.scratch)?;
        let concepts = options.concepts.clone();
        lines.json(&Header { format: FORMAT.to_owned(), version: VERSION, concepts })?;
        lines.write(b"\n")?;
        Ok(JsonLinesWriter { lines, names: UniqueNames::default() })
    }
}

impl FormatWriter for JsonLinesWriter {
    fn item(&mut self, out: &mut Output<'_>, item: &Item, content: Option<&mut dyn Read>) -> Result<()> {
        let mut item = item.clone();
        if content.is_some() {
            let path = format!("images/{}", self.names.file_name(export_name(&item)));
            out.content(&path, content)?;
            item.content = Content::File(path);
        }
        self.lines.json(&item)?;
        self.lines.write(b"\n")
    }

    fn finish(&mut self, out: &mut Output<'_>) -> Result<()> {
        out.sink.put("collection.jsonl", self.lines.reader()?)
    }
}
