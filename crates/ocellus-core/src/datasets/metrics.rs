//! What a version holds, counted: in all, by concept, by kind and by state.

use std::collections::{BTreeMap, BTreeSet};

use ocellus_interchange::{ConceptValue, Item, Region, Shape};
use serde::{Deserialize, Serialize};

use super::frozen::Frozen;

/// Counts over some inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names say what is counted")]
pub struct Metrics {
    pub inputs: u64,
    /// Inputs about which nothing is said, neither as a whole nor of a part.
    pub unlabeled_inputs: u64,
    pub inputs_with_metadata: u64,
    pub inputs_with_geo: u64,
    pub region_inputs: u64,
    pub regions: u64,
    pub boxes: u64,
    pub polygons: u64,
    pub points: u64,
    pub masks: u64,
    /// Spans of texts.
    pub spans: u64,
    pub frame_inputs: u64,
    pub frames: u64,
    /// Positive concepts of whole inputs.
    pub positive_input_tags: u64,
    /// Negative concepts of whole inputs.
    pub negative_input_tags: u64,
    /// Positive concepts of regions and spans.
    pub positive_region_tags: u64,
}

/// All counts of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Over all inputs.
    pub total: Metrics,
    /// Over the inputs of each kind.
    pub by_kind: BTreeMap<String, Metrics>,
    /// What each concept was used for.
    pub by_concept: BTreeMap<String, Metrics>,
    /// Inputs in each state of description.
    pub by_state: BTreeMap<String, u64>,
}

impl Counts {
    /// Counts an input.
    pub(crate) fn add(&mut self, frozen: &Frozen) {
        let item = &frozen.item;
        let all = |_: &[ConceptValue]| true;
        let of_all = metrics(item, &all, &|_| true);
        self.by_kind.entry(frozen.kind.clone()).or_default().plus(&of_all);
        self.total.plus(&of_all);
        *self.by_state.entry(frozen.state.clone()).or_default() += 1;
        let of_parts = item.regions.iter().flat_map(|region| &region.concepts);
        let of_spans = item.spans.iter().flat_map(|span| &span.concepts);
        let concepts = item.concepts.iter().chain(of_parts).chain(of_spans);
        let ids: BTreeSet<&str> = concepts.map(|concept| concept.id.as_str()).collect();
        for id in ids {
            let with = |concepts: &[ConceptValue]| concepts.iter().any(|concept| concept.id == id);
            let of_concept = metrics(item, &with, &|concept| concept.id == id);
            self.by_concept.entry(id.to_owned()).or_default().plus(&of_concept);
        }
    }
}

impl Metrics {
    fn plus(&mut self, other: &Self) {
        for (sum, n) in self.fields_mut().into_iter().zip(other.clone().fields_mut()) {
            *sum += *n;
        }
    }

    fn fields_mut(&mut self) -> [&mut u64; 16] {
        [
            &mut self.inputs,
            &mut self.unlabeled_inputs,
            &mut self.inputs_with_metadata,
            &mut self.inputs_with_geo,
            &mut self.region_inputs,
            &mut self.regions,
            &mut self.boxes,
            &mut self.polygons,
            &mut self.points,
            &mut self.masks,
            &mut self.spans,
            &mut self.frame_inputs,
            &mut self.frames,
            &mut self.positive_input_tags,
            &mut self.negative_input_tags,
            &mut self.positive_region_tags,
        ]
    }
}

/// Counts one input, looking only at regions whose concepts `of_part` accepts and at concepts that `counts` accepts.
fn metrics(
    item: &Item,
    of_part: &dyn Fn(&[ConceptValue]) -> bool,
    counts: &dyn Fn(&ConceptValue) -> bool,
) -> Metrics {
    let regions: Vec<&Region> = item.regions.iter().filter(|region| of_part(&region.concepts)).collect();
    let number = |n: usize| n as u64;
    let shapes =
        |fits: fn(&Shape) -> bool| number(regions.iter().filter(|region| fits(&region.shape)).count());
    let tags = |concepts: &[ConceptValue], positive: bool| {
        number(concepts.iter().filter(|tag| counts(tag) && tag.is_positive() == positive).count())
    };
    let frames: BTreeSet<u64> =
        regions.iter().filter_map(|region| Some(region.track.as_ref()?.frame)).collect();
    let spans = item.spans.iter().filter(|span| of_part(&span.concepts));
    Metrics {
        inputs: 1,
        unlabeled_inputs: u64::from(
            item.concepts.is_empty() && item.regions.is_empty() && item.spans.is_empty(),
        ),
        inputs_with_metadata: u64::from(!item.metadata.is_empty()),
        inputs_with_geo: u64::from(item.geo.is_some()),
        region_inputs: u64::from(!regions.is_empty()),
        regions: number(regions.len()),
        boxes: shapes(|shape| matches!(shape, Shape::Box { .. })),
        polygons: shapes(|shape| matches!(shape, Shape::Polygon { .. })),
        points: shapes(|shape| matches!(shape, Shape::Point { .. })),
        masks: shapes(|shape| matches!(shape, Shape::MaskRle { .. } | Shape::MaskPng { .. })),
        spans: number(spans.clone().count()),
        frame_inputs: u64::from(!frames.is_empty()),
        frames: number(frames.len()),
        positive_input_tags: tags(&item.concepts, true),
        negative_input_tags: tags(&item.concepts, false),
        positive_region_tags: regions.iter().map(|region| tags(&region.concepts, true)).sum::<u64>()
            + spans.map(|span| tags(&span.concepts, true)).sum::<u64>(),
    }
}
