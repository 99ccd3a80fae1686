//! Indexes that a walk follows: inputs one after another, the best first and equals in the order of creation.

use std::collections::{HashMap, VecDeque};

use ocellus_store::{InputFacts, Tx};

use crate::Result;

/// An index that is followed.
pub(super) enum Source {
    Creation,
    /// Of a concept; whether it is said to be there.
    Labelled(String, bool),
    /// Of a concept that annotations name.
    Annotated(String),
    Predicted {
        version_id: String,
        id: String,
        weight: f32,
        least: f64,
    },
    /// What was found beforehand.
    Nothing,
}

pub(super) struct Stream {
    pub source: Source,
    /// What all of it scores; that of predictions follows from their values.
    score: f32,
    pub read: VecDeque<Candidate>,
    /// Where to read on.
    after: (f64, i64),
    ended: bool,
}

pub(super) struct Candidate {
    pub id: String,
    pub seq: i64,
    pub score: f32,
    pub facts: Option<InputFacts>,
}

/// The best score of each of a few inputs that has any.
pub(super) fn scores(
    tx: &Tx<'_>,
    uid: &str,
    ids: &[String],
    ranks: &[Stream],
) -> Result<HashMap<String, f32>> {
    let mut best: HashMap<String, f32> = HashMap::new();
    let mut put = |id: String, score: f32| {
        let known = best.entry(id).or_insert(score);
        *known = known.max(score);
    };
    let mut said = None;
    for stream in ranks {
        match &stream.source {
            Source::Predicted { version_id, id, weight, least } => {
                let wanted = std::slice::from_ref(id);
                for (input_id, _, value) in tx.predicted_of_inputs(uid, version_id, wanted, ids)? {
                    if value >= *least {
                        put(input_id, weight * value as f32);
                    }
                }
            }
            Source::Labelled(concept, there) => {
                if said.is_none() {
                    said = Some(tx.said_of_inputs(uid, ids)?);
                }
                for (input_id, concept_id, positive) in said.iter().flatten() {
                    if concept_id == concept && positive == there {
                        put(input_id.clone(), stream.score);
                    }
                }
            }
            Source::Creation | Source::Annotated(_) | Source::Nothing => {}
        }
    }
    Ok(best)
}

impl Stream {
    pub fn new(source: Source, score: f32) -> Self {
        Self { source, score, read: VecDeque::new(), after: (f64::MAX, 0), ended: false }
    }

    /// What was found beforehand.
    pub fn of(read: VecDeque<Candidate>) -> Self {
        Self { source: Source::Nothing, score: 1.0, read, after: (f64::MAX, 0), ended: true }
    }

    /// Reads on where nothing is left.
    pub fn fill(&mut self, tx: &Tx<'_>, uid: &str, states: &[i64], limit: i64) -> Result<()> {
        if self.ended || !self.read.is_empty() {
            return Ok(());
        }
        let (score, after) = (self.score, self.after);
        let plain = |(id, seq)| Candidate { id, seq, score, facts: None };
        match &self.source {
            Source::Creation => {
                let found = tx.inputs_for_filter_in(uid, states, after.1, limit)?.into_iter();
                let with_facts = |facts: InputFacts| Candidate {
                    id: facts.id.clone(),
                    seq: facts.seq,
                    score,
                    facts: Some(facts),
                };
                self.read.extend(found.map(with_facts));
            }
            Source::Labelled(concept, there) => {
                let found = tx.labelled_in_order((uid, concept), *there, after.1, limit)?;
                self.read.extend(found.into_iter().map(plain));
            }
            Source::Annotated(concept) => {
                let found = tx.inputs_of_annotations_with(uid, concept, after.1, limit)?;
                self.read.extend(found.into_iter().map(plain));
            }
            Source::Predicted { version_id, id, weight, least } => {
                let found = tx.predicted_in_order(uid, (version_id, id), *least, after, limit)?;
                if let Some((_, _, value)) = found.last() {
                    self.after.0 = *value;
                }
                self.read.extend(found.into_iter().map(|(id, seq, value)| Candidate {
                    id,
                    seq,
                    score: weight * value as f32,
                    facts: None,
                }));
            }
            Source::Nothing => {}
        }
        self.ended = (self.read.len() as i64) < limit;
        self.after.1 = self.read.back().map_or(self.after.1, |last| last.seq);
        Ok(())
    }
}
