//! Filters made ready for the store: pictures hashed, concepts of the public models resolved, the rest as it came.

use ocellus_store::InputFacts;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::geo::{GeoBounds, distance_km};
use super::wording::{self, Wording};
use super::{ConceptTerm, Filter, Test, words};
use crate::annotations::{AnnotationTerm, Status};
use crate::inputs::{STATE_READY, StateFilter};
use crate::{AppCtx, Error, GeoPoint, JsonMap, MediaKind, Result, predict};

/// From this probability on an image counts as showing a concept when the filter does not say.
const SHOWN_FROM: f32 = 0.5;

/// All conditions of a search. All must hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    /// Answered by the database with a set of inputs; whether it is negated.
    pub sets: Vec<(bool, SetTest)>,
    /// Answered by looking at every input that is left.
    pub rows: Vec<(bool, RowTest)>,
    /// The states that are asked for; the ready ones if absent.
    pub states: Option<Vec<i64>>,
}

impl Conditions {
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.rows.is_empty() && self.states.is_none()
    }

    /// Whether inputs in this state are looked for.
    pub fn allow(&self, state: i64) -> bool {
        self.states.as_ref().map_or(state == STATE_READY, |states| states.contains(&state))
    }

    fn restrict_states(&mut self, negate: bool, wanted: &[StateFilter]) {
        let all = [StateFilter::Pending, StateFilter::Processing, StateFilter::Ready, StateFilter::Failed];
        let fits = all.into_iter().filter(|state| wanted.contains(state) != negate).map(StateFilter::number);
        let fits = fits.filter(|state| self.states.as_ref().is_none_or(|states| states.contains(state)));
        self.states = Some(fits.collect());
    }
}

/// A condition that the database answers with a set of inputs.
#[derive(Clone, Debug)]
pub(super) enum SetTest {
    /// Any of the terms, by what users said.
    Labelled(Vec<ConceptTerm>),
    /// Any of the concepts with at least `min`, or the absence of any of the others; `named` are meant by their names,
    /// as the app's own.
    Predicted {
        version_id: String,
        there: Vec<String>,
        named: Vec<ConceptTerm>,
        absent: Vec<String>,
        min: f32,
    },
    /// In a box.
    Within(GeoBounds),
    /// One of these.
    Ids(Vec<String>),
    /// From this address.
    SourceUrl(String),
    /// With these bytes, given by their hash.
    Blob(String),
    /// Last changed in this span.
    Changed(i64, i64),
    /// In any of these states.
    States(Vec<i64>),
    /// With an annotation like this.
    Annotated(AnnotationTerm),
    /// Any of these.
    Any(Vec<SetTest>),
    /// In any of these datasets.
    Datasets(Vec<String>),
}

/// A condition on what is written in an input's row.
#[derive(Clone, Debug)]
pub(super) enum RowTest {
    /// It is of one of these kinds.
    Kinds(Vec<MediaKind>),
    /// Its metadata contains this.
    Metadata(JsonMap),
    /// Its place is within this many kilometres of a point.
    Near(GeoPoint, f64),
}

impl RowTest {
    pub fn holds(&self, facts: &InputFacts) -> bool {
        match self {
            Self::Kinds(kinds) => kinds.iter().any(|kind| facts.kind == kind.name()),
            Self::Metadata(wanted) => contains_all(&facts.metadata, wanted),
            Self::Near(center, limit_km) => facts.lat.zip(facts.lon).is_some_and(|(latitude, longitude)| {
                distance_km(*center, GeoPoint { longitude, latitude }) <= *limit_km
            }),
        }
    }
}

/// Whether a document has every key of another, with a value that contains the other's.
pub(crate) fn contains_all(have: &JsonMap, wanted: &JsonMap) -> bool {
    wanted.iter().all(|(key, value)| have.get(key).is_some_and(|own| contains(own, value)))
}

fn contains(have: &Value, wanted: &Value) -> bool {
    match (have, wanted) {
        (Value::Object(have), Value::Object(wanted)) => contains_all(have, wanted),
        (Value::Array(have), Value::Array(wanted)) => {
            wanted.iter().all(|item| have.iter().any(|own| contains(own, item)))
        }
        // 1 and 1.0 are the same number on the wire, and so they are here.
        (Value::Number(have), Value::Number(wanted)) => have == wanted || have.as_f64() == wanted.as_f64(),
        (have, wanted) => have == wanted,
    }
}

/// Makes filters ready. Fetches and hashes pictures.
pub(super) async fn prepare(
    app: &AppCtx,
    filters: Vec<Filter>,
    language: Option<&str>,
) -> Result<Conditions> {
    let mut conditions = Conditions::default();
    for Filter { negate, test } in filters {
        match test {
            Test::Labelled { any } => {
                let any = words::own_terms(app, any, language).await?;
                conditions.sets.push((negate, SetTest::Labelled(any)));
            }
            Test::Predicted { any, min } => {
                conditions.sets.push((negate, predicted(app, &any, min, language)?));
            }
            Test::Changed { from_us, to_us } => {
                conditions.sets.push((negate, SetTest::Changed(from_us, to_us)));
            }
            Test::InState(states) => conditions.restrict_states(negate, &states),
            Test::Annotated(term) => conditions.sets.push((negate, annotated(app, term, language).await?)),
            Test::Kinds(kinds) => conditions.rows.push((negate, RowTest::Kinds(kinds))),
            Test::InDatasets(ids) => conditions.sets.push((negate, SetTest::Datasets(ids))),
            Test::Metadata(wanted) => conditions.rows.push((negate, RowTest::Metadata(wanted))),
            Test::GeoWithin { center, limit_km } => {
                let center = center.check("geo_point")?;
                if !limit_km.is_finite() || limit_km < 0.0 {
                    return Err(Error::invalid("geo_limit", "must be a distance"));
                }
                if !negate {
                    conditions.sets.push((false, SetTest::Within(GeoBounds::around(center, limit_km))));
                }
                conditions.rows.push((negate, RowTest::Near(center, limit_km)));
            }
            Test::GeoBox { a, b } => {
                let bounds = GeoBounds::between(a.check("geo_box")?, b.check("geo_box")?);
                conditions.sets.push((negate, SetTest::Within(bounds)));
            }
            Test::Ids(ids) => conditions.sets.push((negate, SetTest::Ids(ids))),
            Test::Words { text, said_too } => {
                conditions.sets.push((negate, worded(app, text, said_too).await?));
            }
            Test::SourceUrl(url) => conditions.sets.push((negate, SetTest::SourceUrl(url))),
            Test::SameImage(source) => {
                let bytes = predict::bytes_of(app.platform(), &source).await?;
                conditions.sets.push((negate, SetTest::Blob(hex::encode(Sha256::digest(&bytes)))));
            }
        }
    }
    if let Some(states) = &conditions.states {
        conditions.sets.push((false, SetTest::States(states.clone())));
    }
    Ok(conditions)
}

/// The texts that have all the words, and if that is enough the inputs of which an annotation that counts has them.
async fn worded(app: &AppCtx, text: String, said_too: bool) -> Result<SetTest> {
    let own = SetTest::Ids(wording::inputs_with(app, &Wording::new(&text)?).await?);
    let said = AnnotationTerm { words: text, statuses: vec![Status::Success], ..AnnotationTerm::default() };
    Ok(if said_too { SetTest::Any(vec![own, SetTest::Annotated(said)]) } else { own })
}

/// A condition on annotations. What the general model saw is not kept as annotations, but counts as such.
async fn annotated(app: &AppCtx, term: AnnotationTerm, language: Option<&str>) -> Result<SetTest> {
    let concepts = words::own_terms(app, term.concepts.clone(), language).await?;
    let asked = AnnotationTerm {
        model_version_id: term.model_version_id.clone(),
        concepts: term.concepts.clone(),
        statuses: vec![Status::Success],
        ..AnnotationTerm::default()
    };
    let of_general = app.platform().catalog().general().version_ids.contains(&term.model_version_id);
    let seen = of_general && term == asked && !concepts.is_empty();
    let seen = seen.then(|| predicted(app, &term.concepts, SHOWN_FROM, language)).transpose()?;
    let said = SetTest::Annotated(AnnotationTerm { concepts, ..term });
    Ok(match seen {
        Some(seen) => SetTest::Any(vec![said, seen]),
        None => said,
    })
}

/// A condition on what the general model saw. A concept that it does not know was never seen.
fn predicted(app: &AppCtx, any: &[ConceptTerm], min: f32, language: Option<&str>) -> Result<SetTest> {
    if !(0.0..=1.0).contains(&min) {
        return Err(Error::invalid("value", "must be 0 to 1"));
    }
    let catalog = app.platform().catalog();
    let mut test = (Vec::new(), Vec::new());
    // An app's own model may have seen an own concept of that name.
    let named = any.iter().filter(|term| term.id.is_empty() && term.value > 0.0).cloned().collect();
    for term in any {
        let known = catalog.concept(&term.id, &term.name, language).map(|concept| concept.id.clone());
        let id = known.unwrap_or_else(|| term.id.clone());
        if term.value > 0.0 { test.0.push(id) } else { test.1.push(id) }
    }
    let (there, absent) = test;
    let version_id = catalog.general().version_id().to_owned();
    Ok(SetTest::Predicted { version_id, there, named, absent, min })
}

/// From which probability on a concept counts as there when its absence is asked for.
pub(super) fn shown_from(min: f32) -> f32 {
    if min > 0.0 { min } else { SHOWN_FROM }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_contains_what_is_part_of_it_at_any_depth() {
        let have = json!({"a": 1, "b": {"c": "x", "d": [1, {"e": true, "f": 2}, "y"]}, "n": null});
        let table = [
            (json!({}), true),
            (json!({"a": 1}), true),
            (json!({"a": 1.0}), true),
            (json!({"a": "1"}), false),
            (json!({"a": 2}), false),
            (json!({"z": 1}), false),
            (json!({"b": {}}), true),
            (json!({"b": {"c": "x"}}), true),
            (json!({"b": {"c": "X"}}), false),
            (json!({"c": "x"}), false),
            (json!({"b": {"d": ["y", 1]}}), true),
            (json!({"b": {"d": [{"e": true}]}}), true),
            (json!({"b": {"d": [{"e": false}]}}), false),
            (json!({"b": {"d": "y"}}), false),
            (json!({"n": null}), true),
            (json!({"m": null}), false),
        ];
        for (wanted, expected) in table {
            let (Value::Object(have), Value::Object(wanted)) = (&have, &wanted) else {
                unreachable!("both are objects")
            };
            assert_eq!(contains_all(have, wanted), expected, "{wanted:?}");
        }
    }
}
