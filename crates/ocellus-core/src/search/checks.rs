//! The conditions of a search looked at for some inputs at a time, so that a search can stop at the end of its page
//! instead of finding everything that fits. They mean what they mean in `select.rs`.

use std::collections::{HashMap, HashSet};

use ocellus_store::{InputFacts, Tx};

use super::filter::{Conditions, RowTest, SetTest, shown_from};
use super::geo::GeoBounds;
use super::select::{added_by_workflows, concept_ids};
use crate::annotations::{self, AnnotationTerm};
use crate::inputs::STATE_READY;
use crate::{Error, Result, datasets};

/// The most inputs given by id that are looked up instead of being met on the way.
const MANY_IDS: usize = 10_000;

/// All conditions, with the names in them looked up.
pub(super) struct Checks {
    /// Whether each is negated.
    pub checks: Vec<(bool, Check)>,
    rows: Vec<(bool, RowTest)>,
    /// The states that are asked for.
    pub states: Vec<i64>,
    /// The place of a check that holds of everything that is looked at.
    pub held: Option<usize>,
}

/// A condition whose answer the database knows.
#[expect(clippy::large_enum_variant, reason = "a search holds a handful of them")]
pub(super) enum Check {
    /// Any of these concepts was said to be there, or with `false` not to be there.
    Labelled(Vec<(Vec<String>, bool)>),
    Predicted {
        version_id: String,
        there: Vec<String>,
        absent: Vec<String>,
        min: f32,
    },
    Ids(HashSet<String>),
    Annotated(AnnotationTerm),
    /// By the datasets' internal ids.
    Datasets(Vec<String>),
    Fact(Fact),
    Any(Vec<Check>),
}

/// A condition on an input's row.
pub(super) enum Fact {
    Within(GeoBounds),
    SourceUrl(String),
    Blob(String),
    Changed(i64, i64),
}

impl Fact {
    fn holds(&self, facts: &InputFacts) -> bool {
        match self {
            Self::Within(bounds) => facts.lat.zip(facts.lon).is_some_and(|(lat, lon)| bounds.holds(lat, lon)),
            Self::SourceUrl(url) => facts.source_url.as_ref() == Some(url),
            Self::Blob(blob) => facts.blob.as_ref() == Some(blob),
            Self::Changed(from_us, to_us) => (*from_us..=*to_us).contains(&facts.modified_at_us),
        }
    }
}

impl Checks {
    /// `NotFound` if a dataset that is asked for does not exist.
    pub fn new(tx: &Tx<'_>, uid: &str, conditions: &Conditions) -> Result<Self> {
        let mut checks = Vec::new();
        for (negate, test) in &conditions.sets {
            // The states stand in the conditions too.
            if !matches!(test, SetTest::States(_)) {
                checks.push((*negate, Check::new(tx, uid, test)?));
            }
        }
        let states = conditions.states.clone().unwrap_or_else(|| vec![STATE_READY]);
        Ok(Self { checks, rows: conditions.rows.clone(), states, held: None })
    }

    /// Whether the rows of inputs must be looked at.
    pub fn need_facts(&self) -> bool {
        !self.rows.is_empty() || self.checks.iter().any(|(_, check)| check.needs_facts())
    }

    /// Those of some inputs for which all conditions hold, the states apart. The facts are those of all these inputs, if
    /// they are needed at all.
    pub fn passing(
        &self,
        tx: &Tx<'_>,
        uid: &str,
        mut ids: Vec<String>,
        facts: &HashMap<String, InputFacts>,
    ) -> Result<HashSet<String>> {
        let fits = |id: &String| match facts.get(id) {
            Some(facts) => self.rows.iter().all(|(negate, test)| test.holds(facts) != *negate),
            None => self.rows.is_empty(),
        };
        ids.retain(fits);
        for (place, (negate, check)) in self.checks.iter().enumerate() {
            if ids.is_empty() {
                break;
            }
            if self.held == Some(place) {
                continue;
            }
            let holding = check.holding(tx, uid, &ids, facts)?;
            ids.retain(|id| holding.contains(id) != *negate);
        }
        Ok(ids.into_iter().collect())
    }
}

impl Check {
    fn new(tx: &Tx<'_>, uid: &str, test: &SetTest) -> Result<Self> {
        Ok(match test {
            SetTest::Labelled(any) => {
                let ids = |term| Ok::<_, Error>((concept_ids(tx, uid, term)?, term.value > 0.0));
                Self::Labelled(any.iter().map(ids).collect::<Result<_>>()?)
            }
            SetTest::Predicted { version_id, there, named, absent, min } => {
                let plain = |version_id: &str, there: &[String], absent: &[String]| Self::Predicted {
                    version_id: version_id.to_owned(),
                    there: there.to_vec(),
                    absent: absent.to_vec(),
                    min: *min,
                };
                let added = added_by_workflows(tx, uid, there, named)?;
                let first = plain(version_id, there, absent);
                if added.is_empty() {
                    return Ok(first);
                }
                let others = added.iter().map(|(version_id, ids)| plain(version_id, ids, &[]));
                Self::Any(std::iter::once(first).chain(others).collect())
            }
            SetTest::Within(bounds) => Self::Fact(Fact::Within(*bounds)),
            SetTest::Ids(ids) => Self::Ids(ids.iter().cloned().collect()),
            SetTest::SourceUrl(url) => Self::Fact(Fact::SourceUrl(url.clone())),
            SetTest::Blob(blob) => Self::Fact(Fact::Blob(blob.clone())),
            SetTest::Changed(from_us, to_us) => Self::Fact(Fact::Changed(*from_us, *to_us)),
            SetTest::States(states) => Self::Ids(tx.input_ids_by_state(uid, states)?.into_iter().collect()),
            SetTest::Annotated(term) => Self::Annotated(term.clone()),
            SetTest::Any(tests) => {
                Self::Any(tests.iter().map(|test| Self::new(tx, uid, test)).collect::<Result<_>>()?)
            }
            SetTest::Datasets(ids) => {
                let uid_of = |id: &String| datasets::find(tx, uid, id).map(|dataset| dataset.uid);
                Self::Datasets(ids.iter().map(uid_of).collect::<Result<_>>()?)
            }
        })
    }

    fn needs_facts(&self) -> bool {
        match self {
            Self::Fact(_) => true,
            Self::Any(checks) => checks.iter().any(Self::needs_facts),
            Self::Labelled(_)
            | Self::Predicted { .. }
            | Self::Ids(_)
            | Self::Annotated(_)
            | Self::Datasets(_) => false,
        }
    }

    /// Those of some inputs for which it holds.
    fn holding(
        &self,
        tx: &Tx<'_>,
        uid: &str,
        ids: &[String],
        facts: &HashMap<String, InputFacts>,
    ) -> Result<HashSet<String>> {
        let mut found = HashSet::new();
        match self {
            Self::Labelled(any) => {
                for (input_id, concept_id, there) in tx.said_of_inputs(uid, ids)? {
                    if any
                        .iter()
                        .any(|(concepts, positive)| *positive == there && concepts.contains(&concept_id))
                    {
                        found.insert(input_id);
                    }
                }
            }
            Self::Predicted { version_id, there, absent, min } => {
                found = predicted(tx, uid, version_id, (there, absent, *min), ids)?;
            }
            Self::Ids(wanted) => found.extend(ids.iter().filter(|id| wanted.contains(*id)).cloned()),
            Self::Annotated(term) => {
                let all = annotations::read_rows(tx, uid, tx.annotations_of_inputs(uid, ids)?)?;
                found.extend(all.into_iter().filter(|one| term.holds(one)).map(|one| one.input_id));
            }
            Self::Datasets(uids) => {
                for dataset_uid in uids {
                    let members = tx.dataset_inputs_by_ids(uid, dataset_uid, ids)?;
                    found.extend(members.into_iter().map(|member| member.input_id));
                }
            }
            Self::Fact(fact) => {
                let holds = |id: &&String| facts.get(*id).is_some_and(|facts| fact.holds(facts));
                found.extend(ids.iter().filter(holds).cloned());
            }
            Self::Any(checks) => {
                for check in checks {
                    found.extend(check.holding(tx, uid, ids, facts)?);
                }
            }
        }
        Ok(found)
    }

    /// The inputs for which it may hold, among them all for which it does, if they are not more than `limit`.
    pub fn few(&self, tx: &Tx<'_>, uid: &str, limit: usize) -> Result<Option<HashSet<String>>> {
        let one_more = limit as i64 + 1;
        let mut found: HashSet<String> = HashSet::new();
        match self {
            Self::Labelled(any) => {
                if n_labelled(tx, uid, any)? > limit {
                    return Ok(None);
                }
                for (concepts, positive) in any {
                    found.extend(tx.inputs_with_label(uid, concepts, *positive)?);
                }
            }
            Self::Predicted { absent, .. } if !absent.is_empty() => return Ok(None),
            Self::Predicted { version_id, there, min, .. } => {
                for concept in there {
                    let of = (version_id.as_str(), concept.as_str());
                    let hits = tx.predicted_in_order(uid, of, f64::from(*min), (f64::MAX, 0), one_more)?;
                    if hits.len() > limit {
                        return Ok(None);
                    }
                    found.extend(hits.into_iter().map(|(id, _, _)| id));
                }
            }
            Self::Ids(ids) => return Ok((ids.len() <= MANY_IDS).then(|| ids.clone())),
            Self::Annotated(term) => match annotated(tx, uid, term, one_more)? {
                Some(some) => found.extend(some),
                None => return Ok(None),
            },
            Self::Datasets(uids) => {
                for dataset_uid in uids {
                    if tx.count_dataset_inputs(uid, dataset_uid)? + found.len() as i64 >= one_more {
                        return Ok(None);
                    }
                    found.extend(tx.dataset_input_ids(uid, dataset_uid)?);
                }
            }
            Self::Fact(Fact::Within(GeoBounds { south, north, west, east })) => {
                found.extend(tx.some_inputs_by_geo_box(uid, (*south, *north), (*west, *east), one_more)?);
            }
            Self::Fact(Fact::Changed(from_us, to_us)) => {
                found.extend(tx.some_inputs_by_change(uid, (*from_us, *to_us), one_more)?);
            }
            Self::Fact(Fact::SourceUrl(url)) => {
                found.extend(tx.inputs_by_url(uid, url)?.into_iter().map(|input| input.id));
            }
            Self::Fact(Fact::Blob(blob)) => {
                found.extend(tx.inputs_by_blob(uid, blob)?.into_iter().map(|input| input.id));
            }
            Self::Any(checks) => {
                for check in checks {
                    match check.few(tx, uid, limit)? {
                        Some(some) => found.extend(some),
                        None => return Ok(None),
                    }
                }
            }
        }
        Ok((found.len() <= limit).then_some(found))
    }
}

/// Those of some inputs in which a version found any of some concepts with at least a probability, or did not find any of
/// the absent ones.
fn predicted(
    tx: &Tx<'_>,
    uid: &str,
    version_id: &str,
    (there, absent, min): (&[String], &[String], f32),
    ids: &[String],
) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    let concepts: Vec<String> = there.iter().chain(absent).cloned().collect();
    // Of each concept, the inputs that show it.
    let mut showing: HashMap<String, HashSet<String>> = HashMap::new();
    for (input_id, concept_id, value) in tx.predicted_of_inputs(uid, version_id, &concepts, ids)? {
        if there.contains(&concept_id) && value >= f64::from(min) {
            found.insert(input_id.clone());
        }
        if value >= f64::from(shown_from(min)) {
            showing.entry(concept_id).or_default().insert(input_id);
        }
    }
    for concept in absent {
        let showing = showing.remove(concept).unwrap_or_default();
        found.extend(ids.iter().filter(|id| !showing.contains(*id)).cloned());
    }
    Ok(found)
}

/// How many inputs at most were labelled so.
pub(super) fn n_labelled(tx: &Tx<'_>, uid: &str, any: &[(Vec<String>, bool)]) -> Result<usize> {
    let mut n = 0;
    for (concepts, positive) in any {
        let counts = tx.concept_counts(uid, concepts)?;
        n += counts.iter().filter(|count| count.positive == *positive).map(|count| count.n).sum::<i64>();
    }
    Ok(usize::try_from(n).unwrap_or(0))
}

/// The inputs with annotations for which a term may hold, if fewer than `limit` annotations come into question.
fn annotated(tx: &Tx<'_>, uid: &str, term: &AnnotationTerm, limit: i64) -> Result<Option<Vec<String>>> {
    let Some(concepts) = named(tx, uid, term)? else {
        let found = tx.some_inputs_with_annotation(uid, &term.columns(), limit)?;
        return Ok(((found.len() as i64) < limit).then_some(found));
    };
    let mut found = Vec::new();
    for concept in &concepts {
        let some = tx.inputs_of_annotations_with(uid, concept, 0, limit)?;
        if some.len() as i64 >= limit {
            return Ok(None);
        }
        found.extend(some.into_iter().map(|(id, _)| id));
    }
    Ok(Some(found))
}

/// The ids of the concepts of which an annotation must name one, if the term asks for any.
pub(super) fn named(tx: &Tx<'_>, uid: &str, term: &AnnotationTerm) -> Result<Option<Vec<String>>> {
    if term.concepts.is_empty() {
        return Ok(None);
    }
    let mut ids = Vec::new();
    for concept in &term.concepts {
        ids.extend(concept_ids(tx, uid, concept)?);
        if concept.id.is_empty() {
            // A concept that was deleted goes by its id.
            ids.extend([concept.name.clone(), concept.name.to_lowercase()]);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(Some(ids))
}
