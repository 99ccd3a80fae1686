//! From conditions to inputs: sets from the database, and a look at the rows of what is left.

use std::collections::HashSet;

use ocellus_store::{Input, InputFacts, Tx};

use super::ConceptTerm;
use super::Selection;
use super::filter::{Conditions, SetTest, shown_from};
use super::geo::GeoBounds;
use crate::annotations::{self, AnnotationTerm};
use crate::workflows::default::predicting_versions;
use crate::{AppCtx, Error, Result, datasets};

/// Up to this many inputs are looked up one by one; more are found by reading all.
const LOOKED_UP: usize = 2_000;
/// Rows read at once.
const ROWS_AT_ONCE: i64 = 5_000;
/// Annotations read at once.
const ANNOTATIONS_AT_ONCE: i64 = 1_000;

/// The inputs that fit, as a set. What is not processed may be in it.
pub(super) async fn select(app: &AppCtx, conditions: Conditions) -> Result<Selection> {
    if conditions.is_empty() {
        return Ok(Selection::all());
    }
    let uid = app.uid().to_owned();
    let read = move |tx: &mut Tx<'_>| {
        let selection = sets(tx, &uid, &conditions)?;
        if conditions.rows.is_empty() {
            return Ok(selection);
        }
        Ok(Selection::only(rows(tx, &uid, &selection, &conditions)?))
    };
    app.platform().store().read(read).await
}

/// The processed inputs that fit, in the order of creation.
pub(super) async fn list(app: &AppCtx, conditions: Conditions) -> Result<Vec<String>> {
    let uid = app.uid().to_owned();
    let read = move |tx: &mut Tx<'_>| {
        let selection = sets(tx, &uid, &conditions)?;
        rows(tx, &uid, &selection, &conditions)
    };
    app.platform().store().read(read).await
}

/// What fits all conditions that the database answers.
fn sets(tx: &Tx<'_>, uid: &str, conditions: &Conditions) -> Result<Selection> {
    let mut selection = Selection::all();
    for (negate, test) in &conditions.sets {
        let set = set(tx, uid, test)?;
        selection = selection.and(if *negate { set.negated() } else { set });
    }
    Ok(selection)
}

fn set(tx: &Tx<'_>, uid: &str, test: &SetTest) -> Result<Selection> {
    Ok(match test {
        SetTest::Labelled(any) => labelled(tx, uid, any)?,
        SetTest::Predicted { version_id, there, named, absent, min } => {
            // What every input is described by, and what the app's workflows have added.
            let shows = |version_id: &String, ids: &[String], min: f32| {
                let found = tx.inputs_with_prediction(uid, version_id, ids, f64::from(min), i64::MAX)?;
                Ok::<_, Error>(Selection::only(found.into_iter().map(|(id, _)| id)))
            };
            let mut selection = shows(version_id, there, *min)?;
            for (version_id, ids) in added_by_workflows(tx, uid, there, named)? {
                selection = selection.or(shows(&version_id, &ids, *min)?);
            }
            for id in absent {
                selection =
                    selection.or(shows(version_id, std::slice::from_ref(id), shown_from(*min))?.negated());
            }
            selection
        }
        SetTest::Within(GeoBounds { south, north, west, east }) => {
            Selection::only(tx.input_ids_by_geo_box(uid, (*south, *north), (*west, *east))?)
        }
        SetTest::Ids(ids) => Selection::only(ids.iter().cloned()),
        SetTest::SourceUrl(url) => {
            Selection::only(tx.inputs_by_url(uid, url)?.into_iter().map(|input| input.id))
        }
        SetTest::Changed(from_us, to_us) => Selection::only(tx.input_ids_by_change(uid, *from_us, *to_us)?),
        SetTest::States(states) => Selection::only(tx.input_ids_by_state(uid, states)?),
        SetTest::Annotated(term) => annotated(tx, uid, term)?,
        SetTest::Any(tests) => tests
            .iter()
            .try_fold(Selection::none(), |found, test| Ok::<_, Error>(found.or(set(tx, uid, test)?)))?,
        SetTest::Datasets(ids) => {
            let mut selection = Selection::none();
            for id in ids {
                let dataset = datasets::find(tx, uid, id)?;
                selection = selection.or(Selection::only(tx.dataset_input_ids(uid, &dataset.uid)?));
            }
            selection
        }
        SetTest::Blob(hash) => {
            Selection::only(tx.inputs_by_blob(uid, hash)?.into_iter().map(|input| input.id))
        }
    })
}

/// For each version that the app's workflows predict with, the concepts to look for: those given by id, and the app's own
/// by name.
pub(super) fn added_by_workflows(
    tx: &Tx<'_>,
    uid: &str,
    there: &[String],
    named: &[ConceptTerm],
) -> Result<Vec<(String, Vec<String>)>> {
    let versions = predicting_versions(tx, uid)?;
    if versions.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids = there.to_vec();
    for term in named {
        ids.extend(concept_ids(tx, uid, term)?);
    }
    Ok(versions.into_iter().map(|version_id| (version_id, ids.clone())).collect())
}

fn labelled(tx: &Tx<'_>, uid: &str, any: &[ConceptTerm]) -> Result<Selection> {
    let mut selection = Selection::none();
    for term in any {
        let ids = concept_ids(tx, uid, term)?;
        selection = selection.or(Selection::only(tx.inputs_with_label(uid, &ids, term.value > 0.0)?));
    }
    Ok(selection)
}

/// The inputs with an annotation of which all of a term holds.
fn annotated(tx: &Tx<'_>, uid: &str, term: &AnnotationTerm) -> Result<Selection> {
    let test = term.columns();
    if !term.asks_for_more_than_columns() {
        return Ok(Selection::only(tx.inputs_with_annotation(uid, &test)?));
    }
    let (mut ids, mut after) = (HashSet::new(), String::new());
    loop {
        let rows = tx.annotations_passing(uid, &test, &after, ANNOTATIONS_AT_ONCE)?;
        let n_rows = rows.len() as i64;
        if let Some(last) = rows.last() {
            after.clone_from(&last.id);
        }
        let found = annotations::read_rows(tx, uid, rows)?;
        ids.extend(found.into_iter().filter(|found| term.holds(found)).map(|found| found.input_id));
        if n_rows < ANNOTATIONS_AT_ONCE {
            return Ok(Selection::Only(ids));
        }
    }
}

/// The app's concepts that a term means: the one with its id, or all with its name.
pub(super) fn concept_ids(tx: &Tx<'_>, uid: &str, term: &ConceptTerm) -> Result<Vec<String>> {
    if !term.id.is_empty() {
        return Ok(vec![term.id.clone()]);
    }
    let name = term.name.to_lowercase();
    let found = tx.search_concepts(uid, &term.name, i64::from(crate::Page::MAX_PER_PAGE), 0)?;
    Ok(found
        .into_iter()
        .filter(|concept| concept.name.to_lowercase() == name)
        .map(|concept| concept.id)
        .collect())
}

/// The processed inputs of the selection whose rows fit, in the order of creation.
fn rows(tx: &Tx<'_>, uid: &str, selection: &Selection, conditions: &Conditions) -> Result<Vec<String>> {
    let fits = |facts: &InputFacts| {
        conditions.allow(facts.state)
            && selection.contains(&facts.id)
            && conditions.rows.iter().all(|(negate, test)| test.holds(facts) != *negate)
    };
    let mut found: Vec<(i64, String)> = Vec::new();
    let mut look = |facts: InputFacts| {
        if fits(&facts) {
            found.push((facts.seq, facts.id));
        }
    };
    match selection {
        Selection::Only(ids) if ids.len() <= LOOKED_UP => {
            let ids: Vec<&String> = ids.iter().collect();
            tx.inputs_by_ids(uid, &ids)?.into_iter().map(facts_of).for_each(&mut look);
        }
        Selection::Only(_) | Selection::Except(_) => {
            let mut after_seq = 0;
            loop {
                let facts = tx.inputs_for_filter(uid, after_seq, ROWS_AT_ONCE)?;
                let n = facts.len() as i64;
                after_seq = facts.last().map_or(after_seq, |facts| facts.seq);
                facts.into_iter().for_each(&mut look);
                if n < ROWS_AT_ONCE {
                    break;
                }
            }
        }
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

fn facts_of(input: Input) -> InputFacts {
    InputFacts {
        id: input.id,
        seq: input.seq,
        state: input.state,
        kind: input.kind,
        metadata: input.metadata,
        lat: input.lat,
        lon: input.lon,
        source_url: input.source_url,
        blob: input.blob,
        modified_at_us: input.modified_at_us,
    }
}
