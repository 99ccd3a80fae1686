//! What operators do to findings.

use std::collections::BTreeMap;

use super::{Comparator, Lift, Threshold};
use crate::CropBox;
use crate::predict::Scored;
use crate::workflows::findings::{Findings, Part, by_probability, union};

impl Threshold {
    fn lets_pass(&self, scored: &Scored) -> bool {
        let name = scored.name.to_lowercase();
        let limit = match self.concepts.is_empty() {
            true => Some(self.of_all),
            false => {
                let found = self.concepts.iter().find(|(key, _)| *key == scored.concept_id || *key == name);
                found.map(|(_, limit)| *limit)
            }
        };
        limit.is_some_and(|limit| match self.comparator {
            Comparator::Greater => scored.probability > limit,
            Comparator::GreaterOrEqual => scored.probability >= limit,
            Comparator::Less => scored.probability < limit,
            Comparator::LessOrEqual => scored.probability <= limit,
            Comparator::Equal => (scored.probability - limit).abs() < 1e-6,
        })
    }

    /// Lets concepts pass, in the whole, in regions and in frames.
    pub(in crate::workflows) fn of_concepts(&self, mut found: Findings) -> Findings {
        found.each_concepts(&mut |concepts| concepts.retain(|scored| self.lets_pass(scored)));
        found.drop_empty_parts();
        found
    }

    /// Lets regions pass, with those of their concepts that do.
    pub(in crate::workflows) fn of_regions(&self, found: Findings) -> Findings {
        let mut parts = found.parts;
        for part in &mut parts {
            part.concepts.retain(|scored| self.lets_pass(scored));
        }
        parts.retain(|part| !part.concepts.is_empty());
        Findings { parts, ..Findings::default() }
    }
}

/// Puts other concepts in the place of concepts, by a table of what each stands for; what is not in it is left out.
pub(in crate::workflows) fn mapped(
    mut found: Findings,
    table: &BTreeMap<String, Vec<(String, String)>>,
) -> Findings {
    found.each_concepts(&mut |concepts| {
        let mut to = Vec::new();
        for scored in concepts.iter() {
            for (id, name) in table.get(&scored.concept_id).into_iter().flatten() {
                let (concept_id, name) = (id.clone(), name.clone());
                union(&mut to, vec![Scored { concept_id, name, ..scored.clone() }]);
            }
        }
        *concepts = to;
    });
    found.drop_empty_parts();
    found
}

/// Gives the whole the concepts of its parts.
pub(in crate::workflows) fn lifted(mut found: Findings, lift: Lift) -> Findings {
    let mut sums: Vec<(Scored, u32)> = Vec::new();
    for scored in found.parts.iter().flat_map(|part| &part.concepts) {
        match sums.iter_mut().find(|(known, _)| known.concept_id == scored.concept_id) {
            Some((known, n)) => {
                *n += 1;
                known.probability = match lift {
                    Lift::Max => known.probability.max(scored.probability),
                    Lift::Mean => known.probability + scored.probability,
                };
            }
            None => sums.push((scored.clone(), 1)),
        }
    }
    let mut whole: Vec<Scored> = sums
        .into_iter()
        .map(|(mut scored, n)| {
            if lift == Lift::Mean {
                scored.probability /= n as f32;
            }
            scored
        })
        .collect();
    by_probability(&mut whole);
    union(&mut found.concepts, whole);
    found
}

/// A region with its sides multiplied around its middle, as far as the image goes.
pub(in crate::workflows) fn with_margin(place: CropBox, margin: f32) -> CropBox {
    let grown = |from: f32, to: f32| {
        let (middle, half) = ((from + to) / 2.0, (to - from) / 2.0 * margin);
        ((middle - half).max(0.0), (middle + half).min(1.0))
    };
    let ((top, bottom), (left, right)) = (grown(place.top, place.bottom), grown(place.left, place.right));
    CropBox { top, left, bottom, right }
}

/// The places of tiles of an image of this many pixels; the last ones are moved back to its edge.
pub(in crate::workflows) fn tiles((width, height): (u32, u32), size: u32, overlap: u32) -> Vec<CropBox> {
    let starts = |length: u32| {
        let (mut starts, mut at) = (vec![0], 0);
        while at + size < length {
            at = (at + size - overlap).min(length - size);
            starts.push(at);
        }
        starts
    };
    let share = |at: u32, of: u32| (at as f32 / of as f32).min(1.0);
    let mut places = Vec::new();
    for top in starts(height) {
        for left in starts(width) {
            places.push(CropBox {
                top: share(top, height),
                left: share(left, width),
                bottom: share(top + size, height),
                right: share(left + size, width),
            });
        }
    }
    places
}

/// Tiles as parts of the image.
pub(in crate::workflows) fn tile_parts(places: Vec<CropBox>, new_id: impl Fn() -> String) -> Vec<Part> {
    let part = |place| Part {
        id: new_id(),
        place,
        value: 1.0,
        concepts: Vec::new(),
        appearance: None,
        other: Vec::new(),
    };
    places.into_iter().map(part).collect()
}
