//! Walking through what fits in the order of the answer, and no further than the page goes.
//!
//! If one of the conditions leaves few inputs, those are looked at. Otherwise an index is followed that has the order of
//! the answer: that of a concept that is asked for, that of its probability if that orders, or that of creation. Each
//! input on the way is looked at for the other conditions.

use std::collections::{HashMap, HashSet, VecDeque};

use ocellus_store::{InputFacts, Tx};

use super::checks::{Check, Checks, n_labelled, named};
use super::filter::{Conditions, SetTest};
use super::select::concept_ids;
use super::streams::{Candidate, Source, Stream, scores};
use super::{ConceptTerm, Ranked};
use crate::annotations::AnnotationTerm;
use crate::inputs::STATE_READY;
use crate::workflows::default::predicting_versions;
use crate::{AppCtx, Result};

/// Up to this many inputs are looked at one by one, whatever the order. Tests have few inputs and walk all the same.
const FEW: usize = if cfg!(test) { 8 } else { 2_000 };
/// If not more inputs than this are in other states than those asked for, they are known by id.
const FEW_OTHERS: i64 = 1_000;
/// The most indexes that are followed at once.
const MAX_SOURCES: usize = 16;
/// Inputs looked at at once, at first and at most.
const FIRST_BATCH: usize = if cfg!(test) { 3 } else { 64 };
const MAX_BATCH: usize = 2_048;

/// What orders the answer.
#[derive(Clone)]
pub(super) enum By {
    Creation,
    /// The best of these, each with what it counts for; then creation. Inputs with none of them are not found.
    Concepts {
        any: Vec<(f32, Concept)>,
        min_score: f32,
    },
}

/// A concept that orders.
#[derive(Clone)]
pub(super) enum Concept {
    Predicted { version_id: String, id: String },
    Labelled(ConceptTerm),
}

/// A walk that has come to some place.
pub(super) struct Walk {
    uid: String,
    checks: Checks,
    streams: Vec<Stream>,
    /// The inputs in other states than those asked for, where they are few.
    others: Option<HashSet<String>>,
    /// The numbers of what was looked at.
    known: HashSet<i64>,
    min_score: f32,
    batch: usize,
}

/// The first `depth` inputs that fit, and how many there are if that is wanted or happens to be known.
pub(super) async fn search(
    app: &AppCtx,
    conditions: Conditions,
    by: By,
    depth: usize,
    counted: bool,
) -> Result<Ranked> {
    let uid = app.uid().to_owned();
    let read = move |tx: &mut Tx<'_>| {
        let mut total = if counted { kept_total(tx, &uid, &conditions, &by)? } else { None };
        let depth = if counted && total.is_none() { usize::MAX } else { depth };
        let mut walk = Walk::new(tx, &uid, &conditions, &[], &by)?;
        let mut scored = Vec::new();
        while scored.len() < depth {
            match walk.next(tx)? {
                Some(found) => scored.extend(found),
                None => {
                    total = Some(scored.len() as u64);
                    break;
                }
            }
        }
        Ok(Ranked { scored, n_skipped: 0, total })
    };
    app.platform().store().read(read).await
}

/// How many inputs fit, where one of the counts that are kept says so.
fn kept_total(tx: &Tx<'_>, uid: &str, conditions: &Conditions, by: &By) -> Result<Option<u64>> {
    let (By::Creation, [(false, SetTest::Labelled(any))]) = (by, &conditions.sets[..]) else {
        return Ok(None);
    };
    let [term] = &any[..] else { return Ok(None) };
    let concepts = concept_ids(tx, uid, term)?;
    if concepts.len() != 1 || !conditions.rows.is_empty() || conditions.states.is_some() {
        return Ok(None);
    }
    let counts = tx.concept_counts(uid, &concepts)?.into_iter();
    let counts = counts.filter(|count| count.positive == (term.value > 0.0) && count.state == STATE_READY);
    Ok(u64::try_from(counts.map(|count| count.n).sum::<i64>()).ok())
}

impl Walk {
    /// Begins a walk. Only inputs matter that have annotations for which all of `said` may hold; whether it does is not
    /// looked at.
    pub fn new(
        tx: &Tx<'_>,
        uid: &str,
        conditions: &Conditions,
        said: &[AnnotationTerm],
        by: &By,
    ) -> Result<Self> {
        let checks = Checks::new(tx, uid, conditions)?;
        let min_score = match by {
            By::Creation => 0.0,
            By::Concepts { min_score, .. } => *min_score,
        };
        let mut walk = Self {
            uid: uid.to_owned(),
            checks,
            streams: Vec::new(),
            others: None,
            known: HashSet::new(),
            min_score,
            batch: FIRST_BATCH,
        };
        if walk.checks.states.is_empty() {
            return Ok(walk);
        }
        let said: Vec<Check> = said.iter().cloned().map(Check::Annotated).collect();
        let ranks = walk.ranks(tx, by)?;
        let labelled = if ranks.is_none() { walk.labelled(tx)? } else { None };
        if let Some(few) = walk.few(tx, &said, by, labelled.is_some())?
            && labelled.is_none_or(|(n, _)| few.len() <= n)
        {
            let candidates = walk.in_order(tx, few, ranks.as_deref())?;
            walk.streams = vec![Stream::of(candidates)];
            return Ok(walk);
        }
        walk.checks.held = match &ranks {
            Some(ranks) => walk.held_by(ranks),
            None => labelled.map(|(_, place)| place),
        };
        walk.streams = match ranks {
            Some(ranks) => ranks,
            None => walk.in_order_of_creation(tx, &said)?,
        };
        if !walk.checks.need_facts() {
            walk.others = walk.others(tx)?;
        }
        Ok(walk)
    }

    /// The condition on what was said that the fewest inputs fit, and how many may: its index has the order of creation.
    fn labelled(&self, tx: &Tx<'_>) -> Result<Option<(usize, usize)>> {
        let mut best: Option<(usize, usize)> = None;
        for (place, (negate, check)) in self.checks.checks.iter().enumerate() {
            if let Check::Labelled(any) = check
                && !negate
                && any.iter().map(|(concepts, _)| concepts.len()).sum::<usize>() <= MAX_SOURCES
            {
                let n = n_labelled(tx, &self.uid, any)?;
                if best.is_none_or(|(least, _)| n < least) {
                    best = Some((n, place));
                }
            }
        }
        Ok(best)
    }

    /// The place of the condition that holds of all that a rank comes across.
    fn held_by(&self, ranks: &[Stream]) -> Option<usize> {
        let [Stream { source: Source::Predicted { version_id, id, least, .. }, .. }] = ranks else {
            return None;
        };
        let holds = |(negate, check): &(bool, Check)| match check {
            Check::Predicted { version_id: version, there, absent, min } => {
                !negate
                    && version == version_id
                    && absent.is_empty()
                    && there[..] == [id.as_str()]
                    && f64::from(*min) <= *least
            }
            Check::Labelled(_)
            | Check::Ids(_)
            | Check::Annotated(_)
            | Check::Datasets(_)
            | Check::Fact(_)
            | Check::Any(_) => false,
        };
        self.checks.checks.iter().position(holds)
    }

    /// The inputs that the narrowest condition leaves, if they are few; perhaps apart from what was said.
    fn few(
        &self,
        tx: &Tx<'_>,
        said: &[Check],
        by: &By,
        without_labels: bool,
    ) -> Result<Option<HashSet<String>>> {
        let mut best: Option<HashSet<String>> = None;
        let positive = self.checks.checks.iter().filter(|(negate, _)| !negate).map(|(_, check)| check);
        for check in positive.chain(said) {
            if is_order(check, by) || (without_labels && matches!(check, Check::Labelled(_))) {
                continue;
            }
            if let Some(few) = check.few(tx, &self.uid, FEW)?
                && best.as_ref().is_none_or(|best| few.len() < best.len())
            {
                best = Some(few);
            }
        }
        Ok(best)
    }

    /// What the ranks follow; `None` for the order of creation.
    fn ranks(&self, tx: &Tx<'_>, by: &By) -> Result<Option<Vec<Stream>>> {
        let By::Concepts { any, min_score } = by else { return Ok(None) };
        let mut streams = Vec::new();
        for (weight, concept) in any {
            match concept {
                Concept::Predicted { version_id, id } => {
                    // A hair less, so that rounding never loses what the score would accept.
                    let by_score = f64::from(min_score / weight) - 1e-6;
                    let least = self.least(id).max(by_score).max(0.0);
                    let mut versions = predicting_versions(tx, &self.uid)?;
                    versions.push(version_id.clone());
                    for version_id in versions {
                        let source = Source::Predicted { version_id, id: id.clone(), weight: *weight, least };
                        streams.push(Stream::new(source, 0.0));
                    }
                }
                Concept::Labelled(term) => {
                    for id in concept_ids(tx, &self.uid, term)? {
                        streams.push(Stream::new(Source::Labelled(id, true), *weight));
                    }
                }
            }
        }
        Ok(Some(streams))
    }

    /// The probability of a concept that all hits must have, by the version that is surest of it.
    fn least(&self, concept: &str) -> f64 {
        let positive = self.checks.checks.iter().filter(|(negate, _)| !negate);
        positive.filter_map(|(_, check)| least_of(check, concept)).fold(0.0, f64::max)
    }

    /// What to follow in the order of creation.
    fn in_order_of_creation(&self, tx: &Tx<'_>, said: &[Check]) -> Result<Vec<Stream>> {
        let mut sources = Vec::new();
        if let Some((_, Check::Labelled(any))) = self.checks.held.and_then(|at| self.checks.checks.get(at)) {
            for (concepts, positive) in any {
                sources.extend(concepts.iter().map(|id| Source::Labelled(id.clone(), *positive)));
            }
        } else {
            let positive = self.checks.checks.iter().filter(|(negate, _)| !negate).map(|(_, check)| check);
            for check in said.iter().chain(positive) {
                if let Check::Annotated(term) = check
                    && let Some(concepts) = named(tx, &self.uid, term)?
                {
                    sources.extend(concepts.into_iter().map(Source::Annotated));
                    break;
                }
            }
            if sources.is_empty() || sources.len() > MAX_SOURCES {
                sources = vec![Source::Creation];
            }
        }
        Ok(sources.into_iter().map(|source| Stream::new(source, 1.0)).collect())
    }

    fn others(&self, tx: &Tx<'_>) -> Result<Option<HashSet<String>>> {
        let mut others = tx.count_inputs(&self.uid)?;
        others.retain(|state, _| !self.checks.states.contains(state));
        if others.values().sum::<i64>() > FEW_OTHERS {
            return Ok(None);
        }
        let states: Vec<i64> = others.into_keys().collect();
        Ok(Some(tx.input_ids_by_state(&self.uid, &states)?.into_iter().collect()))
    }

    /// A few inputs with their scores, in the order of the answer.
    fn in_order(
        &self,
        tx: &Tx<'_>,
        few: HashSet<String>,
        ranks: Option<&[Stream]>,
    ) -> Result<VecDeque<Candidate>> {
        let ids: Vec<String> = few.into_iter().collect();
        let mut scores = ranks.map(|ranks| scores(tx, &self.uid, &ids, ranks)).transpose()?;
        let mut candidates = Vec::with_capacity(ids.len());
        for facts in tx.facts_of_inputs(&self.uid, &ids)? {
            let score = match &mut scores {
                Some(scores) => scores.remove(&facts.id),
                None => Some(1.0),
            };
            if let Some(score) = score {
                candidates.push(Candidate {
                    id: facts.id.clone(),
                    seq: facts.seq,
                    score,
                    facts: Some(facts),
                });
            }
        }
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.seq.cmp(&b.seq)));
        Ok(candidates.into())
    }

    /// The next inputs that fit, with their scores, in order; perhaps none of those that were looked at. `None` at the
    /// end.
    pub fn next(&mut self, tx: &Tx<'_>) -> Result<Option<Vec<(String, f32)>>> {
        let mut batch = Vec::with_capacity(self.batch);
        while batch.len() < self.batch
            && let Some(candidate) = self.step(tx)?
        {
            if candidate.score >= self.min_score && candidate.seq > 0 && self.known.insert(candidate.seq) {
                batch.push(candidate);
            }
        }
        if batch.is_empty() {
            return Ok(None);
        }
        self.batch = (self.batch * 2).min(MAX_BATCH);
        let mut facts: HashMap<String, InputFacts> = HashMap::new();
        for candidate in &mut batch {
            facts.extend(candidate.facts.take().map(|facts| (facts.id.clone(), facts)));
        }
        if self.others.is_none() {
            let missing: Vec<&String> =
                batch.iter().map(|candidate| &candidate.id).filter(|id| !facts.contains_key(*id)).collect();
            let read = tx.facts_of_inputs(&self.uid, &missing)?;
            facts.extend(read.into_iter().map(|facts| (facts.id.clone(), facts)));
        }
        let in_state = |id: &String| match &self.others {
            Some(others) => !others.contains(id),
            None => facts.get(id).is_some_and(|facts| self.checks.states.contains(&facts.state)),
        };
        let ids = batch.iter().map(|candidate| candidate.id.clone()).filter(in_state).collect();
        let passing = self.checks.passing(tx, &self.uid, ids, &facts)?;
        let hits = batch.into_iter().filter(|candidate| passing.contains(&candidate.id));
        Ok(Some(hits.map(|candidate| (candidate.id, candidate.score)).collect()))
    }

    /// The best of what comes next on any stream.
    fn step(&mut self, tx: &Tx<'_>) -> Result<Option<Candidate>> {
        let (batch, states) = (self.batch as i64, &self.checks.states);
        for stream in &mut self.streams {
            stream.fill(tx, &self.uid, states, batch)?;
        }
        let order = |stream: &Stream| stream.read.front().map(|next| (next.score, next.seq));
        let first = |a: &&mut Stream, b: &&mut Stream| match (order(a), order(b)) {
            (Some(a), Some(b)) => b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        Ok(self.streams.iter_mut().min_by(first).and_then(|stream| stream.read.pop_front()))
    }
}

/// The probability of a concept that a condition asks of some version, if it asks for nothing else.
fn least_of(check: &Check, concept: &str) -> Option<f64> {
    match check {
        Check::Predicted { there, absent, min, .. } => {
            (absent.is_empty() && there.iter().all(|id| id == concept)).then_some(f64::from(*min))
        }
        Check::Any(checks) => {
            let least: Option<Vec<f64>> = checks.iter().map(|check| least_of(check, concept)).collect();
            least?.into_iter().reduce(f64::min)
        }
        Check::Labelled(_) | Check::Ids(_) | Check::Annotated(_) | Check::Datasets(_) | Check::Fact(_) => {
            None
        }
    }
}

/// Whether a condition says what the order says too, so that nothing is gained by looking at it first.
fn is_order(check: &Check, by: &By) -> bool {
    let By::Concepts { any, .. } = by else { return false };
    let Check::Predicted { there, .. } = check else { return false };
    let is = |(_, concept): &(f32, Concept)| matches!(concept, Concept::Predicted { id, .. } if there.contains(id));
    any.iter().any(is)
}
