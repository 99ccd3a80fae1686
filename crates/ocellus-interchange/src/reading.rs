//! Reading a collection: options, the stream of items, and the account of it.

use std::collections::HashSet;

use crate::error::Result;
use crate::files::Files;
use crate::formats::csv::CsvOptions;
use crate::model::{Concept, ConceptValue, Item};
use crate::report::Report;
use crate::scratch::Scratch;
use crate::{Format, formats};

/// How a collection is read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Only these annotation files (paths in the collection); empty = all that look right.
    pub annotation_files: Vec<String>,
    /// Where temporary bytes go.
    pub scratch: Scratch,
    /// For CSV only.
    pub csv: CsvOptions,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// All concepts, declared ones first, then in order of appearance.
    pub concepts: Vec<Concept>,
    /// What was skipped, and why.
    pub report: Report,
}

/// The state of one reading, for the formats.
pub(crate) struct Reading<'a> {
    pub files: &'a dyn Files,
    pub options: &'a ReadOptions,
    pub report: Report,
    each: &'a mut dyn FnMut(Item) -> Result<()>,
    concepts: Vec<Concept>,
    known: HashSet<String>,
}

impl Reading<'_> {
    /// Hands an item over.
    pub fn item(&mut self, item: Item) -> Result<()> {
        let region_concepts = item.regions.iter().flat_map(|region| &region.concepts);
        let span_concepts = item.spans.iter().flat_map(|span| &span.concepts);
        for ConceptValue { id, name, .. } in item.concepts.iter().chain(region_concepts).chain(span_concepts)
        {
            if !self.known.contains(id) {
                self.known.insert(id.clone());
                self.concepts.push(Concept { id: id.clone(), name: name.clone() });
            }
        }
        self.report.n_items += 1;
        self.report.n_regions += item.regions.len() as u64;
        (self.each)(item)
    }

    /// Notes a concept that the collection declares.
    pub fn declare(&mut self, concept: Concept) {
        if self.known.insert(concept.id.clone()) {
            self.concepts.push(concept);
        }
    }

    /// Annotation files: those of the options, else all for which `is_one` holds.
    pub fn annotation_files(&self, is_one: impl Fn(&str) -> bool) -> Vec<String> {
        if !self.options.annotation_files.is_empty() {
            return self.options.annotation_files.clone();
        }
        let paths = self.files.entries().iter().map(|entry| entry.path.as_str());
        paths.filter(|path| !crate::media::is_noise(path) && is_one(path)).map(str::to_owned).collect()
    }
}

/// Reads a collection and calls `each` with every item in turn. An error of `each` stops the reading; broken
/// entries do not: they are in the report.
pub fn read(
    format: Format,
    files: &dyn Files,
    options: &ReadOptions,
    each: &mut dyn FnMut(Item) -> Result<()>,
) -> Result<Summary> {
    let mut reading = Reading {
        files,
        options,
        report: Report::default(),
        each,
        concepts: Vec::new(),
        known: HashSet::new(),
    };
    match format {
        Format::Folder => formats::folder::read(&mut reading),
        Format::Coco => formats::coco::read(&mut reading),
        Format::Voc => formats::voc::read(&mut reading),
        Format::Yolo => formats::yolo::read(&mut reading),
        Format::Csv => formats::csv::read(&mut reading),
        Format::JsonLines => formats::json_lines::read(&mut reading),
        Format::Mvtec => formats::mvtec::read(&mut reading),
        Format::LabelStudio => formats::label_studio::read(&mut reading),
        Format::Cvat => formats::cvat::read(&mut reading),
        Format::GroundTruth => formats::ground_truth::read(&mut reading),
        Format::Vertex => formats::vertex::read(&mut reading),
    }?;
    Ok(Summary { concepts: reading.concepts, report: reading.report })
}
