//! Writes the CSV of the vendor's SDK: `inputs.csv` and `images/`.

use std::io::Read;

use crate::error::{Error, Result};
use crate::formats::csv::VENDOR;
use crate::media::{UniqueNames, export_name, is_url, reference};
use crate::model::{Content, Item};
use crate::writing::{FormatWriter, Output, Spool, WriteOptions};

/// The writer.
pub(crate) struct CsvWriter {
    rows: Spool,
    names: UniqueNames,
}

impl CsvWriter {
    pub fn new(options: &WriteOptions) -> Result<CsvWriter> {
        let mut writer = CsvWriter { rows: Spool::new(&options.scratch)?, names: UniqueNames::default() };
        writer.row(&VENDOR)?;
        Ok(writer)
    }

    fn row(&mut self, cells: &[&str]) -> Result<()> {
        let mut row = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
        let written = row.write_record(cells).map_err(std::io::Error::from);
        written.map_err(|e| Error::io("inputs.csv", e))?;
        let bytes = row.into_inner().map_err(|e| Error::io("inputs.csv", e.into_error()))?;
        self.rows.write(&bytes)
    }
}

impl FormatWriter for CsvWriter {
    fn item(&mut self, out: &mut Output<'_>, item: &Item, content: Option<&mut dyn Read>) -> Result<()> {
        let (positives, others): (Vec<_>, Vec<_>) =
            item.concepts.iter().partition(|concept| concept.value == 1.0);
        out.report.lose_n("concepts that are not positive", others.len());
        let is_plain = |name: &str| !name.contains(',') && name.trim() == name && !name.is_empty();
        let (names, commas): (Vec<_>, Vec<_>) =
            positives.iter().map(|concept| concept.name.as_str()).partition(|name| is_plain(name));
        out.report.lose_n("concepts whose name a cell cannot hold", commas.len());
        let input = match &item.content {
            Content::Text(text) => text.clone(),
            Content::Absent | Content::File(_) | Content::Url(_) => {
                let path = format!("images/{}", self.names.file_name(export_name(item)));
                let named = reference(item, content.is_some(), &path);
                out.content(&path, content)?;
                named
            }
        };
        out.report.lose_n(
            "file names of addresses",
            usize::from(is_url(&input) && !input.ends_with(&item.file_name)),
        );
        // The vendor's reader turns every single quote into a double one, so none may stand in the values.
        let metadata = match item.metadata.is_empty() {
            true => String::new(),
            false => serde_json::Value::Object(item.metadata.clone()).to_string().replace('\'', "\\u0027"),
        };
        let geopoints = item.geo.map_or(String::new(), |geo| format!("{},{}", geo.longitude, geo.latitude));
        self.row(&[&item.id, &input, &names.join(","), &metadata, &geopoints])
    }

    fn finish(&mut self, out: &mut Output<'_>) -> Result<()> {
        out.sink.put("inputs.csv", self.rows.reader()?)
    }
}
