//! What nodes find in an input, and how the findings of several nodes are put together.

use serde::{Deserialize, Serialize};

use crate::CropBox;
use crate::predict::{Appearance, Prediction, RegionPrediction, Scored};

/// What was found in an input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// Concepts of the whole, most probable first.
    pub concepts: Vec<Scored>,
    /// Everything else about the whole: vectors, colours, frames and so on.
    pub other: Vec<Prediction>,
    /// Parts of the picture with what was found there.
    pub parts: Vec<Part>,
    /// How many parts were counted, if they were.
    pub count: Option<u64>,
}

/// A part of the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Unique within the input; it stays when a part is cut out and looked at.
    pub id: String,
    /// Where it is.
    pub place: CropBox,
    /// How sure it is that there is something, 0 to 1.
    pub value: f32,
    /// Most probable first.
    pub concepts: Vec<Scored>,
    /// How a face looks, if it is one.
    pub appearance: Option<Appearance>,
    /// Everything else that was found there.
    pub other: Vec<Prediction>,
}

/// A concept by id and name, with its probability.
type KnownConcept = (String, String, f32);

/// Concepts and parts that are known of an input beforehand, in a form that can be kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// Concepts of the whole: id, name and probability.
    pub concepts: Vec<KnownConcept>,
    /// Parts: place, value, and concepts like above.
    pub parts: Vec<(CropBox, f32, Vec<KnownConcept>)>,
}

impl Findings {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.concepts.is_empty() && self.other.is_empty() && self.parts.is_empty() && self.count.is_none()
    }

    /// What a model said of a picture.
    pub fn of(prediction: Prediction) -> Self {
        let mut found = Self::default();
        match prediction {
            Prediction::Concepts(concepts) => found.concepts = concepts,
            Prediction::Regions(regions) => found.parts = regions.into_iter().map(Part::from).collect(),
            Prediction::Embedding(_)
            | Prediction::Colors(_)
            | Prediction::Focus(_)
            | Prediction::Fingerprint(_)
            | Prediction::Frames(_) => found.other.push(prediction),
        }
        found
    }

    /// Adds what another node found: concepts and parts that both have are one, with the greater value.
    pub(crate) fn absorb(&mut self, more: Self) {
        union(&mut self.concepts, more.concepts);
        for one in more.other {
            if !self.other.contains(&one) {
                self.other.push(one);
            }
        }
        for part in more.parts {
            match self.parts.iter_mut().find(|known| known.id == part.id) {
                Some(known) => known.absorb(part),
                None => self.parts.push(part),
            }
        }
        self.count = self.count.max(more.count);
    }

    /// Every concept list in it, those of parts and frames too.
    pub(crate) fn each_concepts(&mut self, change: &mut impl FnMut(&mut Vec<Scored>)) {
        change(&mut self.concepts);
        self.other.iter_mut().for_each(|one| in_prediction(one, change));
        for part in &mut self.parts {
            change(&mut part.concepts);
            part.other.iter_mut().for_each(|one| in_prediction(one, change));
        }
    }

    /// The greatest probability of every concept, in the whole, its parts and its frames; most probable first.
    pub fn best(&self) -> Vec<Scored> {
        let mut best = Vec::new();
        self.clone().each_concepts(&mut |concepts| union(&mut best, concepts.clone()));
        best
    }

    /// Takes out what has become empty: frames and other answers without a concept stay.
    pub(crate) fn drop_empty_parts(&mut self) {
        self.parts.retain(|part| !part.concepts.is_empty());
    }
}

fn in_prediction(prediction: &mut Prediction, change: &mut impl FnMut(&mut Vec<Scored>)) {
    match prediction {
        Prediction::Concepts(concepts) => change(concepts),
        Prediction::Frames(frames) => {
            frames.iter_mut().for_each(|frame| in_prediction(&mut frame.prediction, change));
        }
        Prediction::Regions(regions) => regions.iter_mut().for_each(|region| change(&mut region.concepts)),
        Prediction::Embedding(_)
        | Prediction::Colors(_)
        | Prediction::Focus(_)
        | Prediction::Fingerprint(_) => {}
    }
}

impl From<RegionPrediction> for Part {
    fn from(region: RegionPrediction) -> Self {
        Self {
            id: region.id,
            place: region.bbox,
            value: region.probability,
            concepts: region.concepts,
            appearance: region.appearance,
            other: region.embedding.map(Prediction::Embedding).into_iter().collect(),
        }
    }
}

impl Part {
    fn absorb(&mut self, more: Self) {
        union(&mut self.concepts, more.concepts);
        self.other.extend(more.other.into_iter().filter(|one| !matches!(one, Prediction::Frames(_))));
        self.value = self.value.max(more.value);
        self.appearance = self.appearance.take().or(more.appearance);
    }
}

/// Adds concepts; of one that is there twice the greater probability counts.
pub(crate) fn union(concepts: &mut Vec<Scored>, more: Vec<Scored>) {
    for scored in more {
        match concepts.iter_mut().find(|known| known.concept_id == scored.concept_id) {
            Some(known) => known.probability = known.probability.max(scored.probability),
            None => concepts.push(scored),
        }
    }
    by_probability(concepts);
}

/// Most probable first, ties by id.
pub(crate) fn by_probability(concepts: &mut [Scored]) {
    concepts.sort_by(|a, b| {
        b.probability.total_cmp(&a.probability).then_with(|| a.concept_id.cmp(&b.concept_id))
    });
}

impl Known {
    /// As findings. `new_id` makes ids for the parts.
    pub fn findings(self, new_id: impl Fn() -> String) -> Findings {
        let concepts = |given: Vec<KnownConcept>| {
            let scored = |(concept_id, name, probability)| Scored {
                concept_id,
                name,
                language: crate::catalog::OWN_LANGUAGE.to_owned(),
                probability,
            };
            let mut concepts: Vec<Scored> = given.into_iter().map(scored).collect();
            by_probability(&mut concepts);
            concepts
        };
        let part = |(place, value, given)| Part {
            id: new_id(),
            place,
            value,
            concepts: concepts(given),
            appearance: None,
            other: Vec::new(),
        };
        Findings {
            parts: self.parts.into_iter().map(part).collect(),
            concepts: concepts(self.concepts),
            ..Findings::default()
        }
    }
}

impl From<&Findings> for Known {
    fn from(found: &Findings) -> Self {
        let triples = |concepts: &[Scored]| {
            concepts.iter().map(|c| (c.concept_id.clone(), c.name.clone(), c.probability)).collect()
        };
        let part = |part: &Part| (part.place, part.value, triples(&part.concepts));
        Self { concepts: triples(&found.concepts), parts: found.parts.iter().map(part).collect() }
    }
}
