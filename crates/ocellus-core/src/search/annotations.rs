//! Finds annotations: those that fit, of the inputs that a query finds.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use ocellus_store::{AnnotationRegion, Tx};

use super::anchors::{self, Seen};
use super::filter::{self, Conditions, SetTest};
use super::parts::{self, Group, Scope, fits};
use super::rank::{self, Likeness, Order};
use super::walk::{By, Walk};
use super::{Filter, Query, Test, check, depth, select, words};
use crate::annotations::{Annotation, AnnotationHit, AnnotationTerm, read_rows};
use crate::inputs::{self, Input};
use crate::{AppCtx, Error, Result};

/// Inputs whose annotations are read at once.
const BATCH: usize = 500;

/// Finds annotations that pass every [`Test::Annotated`] of a query, of the inputs that pass its other filters, all of an
/// annotation's conditions together. Ordered by nothing, they come in the order of their inputs and then of creation. By
/// likeness alone, an annotation that marks parts of an image has the score of its best part, another one that of its
/// input; ordered by concepts or texts too, all have the score of their inputs.
pub async fn search(app: &AppCtx, query: Query) -> Result<Vec<AnnotationHit>> {
    let page = check(&query)?;
    let seen = anchors::seen(app, &query, "annotations").await?;
    let language = query.language.as_deref();
    let (terms, about_inputs) = split(app, query.filters, language).await?;
    let mut about_inputs = filter::prepare(app, about_inputs, language).await?;
    seen.restrict(&mut about_inputs);
    let mut conditions = about_inputs.clone();
    for (_, term) in terms.iter().filter(|(negate, _)| !negate) {
        conditions.sets.push((false, SetTest::Annotated(term.clone())));
    }
    let search = Search { app, terms, seen, n_wanted: depth(page) };
    let found = match rank::prepare(app, query.ranks, language, query.metric, query.min_score).await? {
        Order::Creation => search.walk(about_inputs, By::Creation).await?,
        Order::Mean(mean) => match mean.by_one() {
            Some(by) => search.walk(about_inputs, by).await?,
            None => search.of_inputs(mean.search(app, conditions).await?.scored, false).await?,
        },
        Order::Likeness(likeness) if !likeness.knows_parts(app) => {
            search.of_inputs(likeness.search(app, conditions, usize::MAX).await?.scored, false).await?
        }
        Order::Likeness(likeness) => search.by_likeness(&likeness, &conditions).await?,
    };
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    hits(app, found.into_iter().skip(skip).take(page.per_page as usize).collect()).await
}

/// The ids of all annotations that pass the filters, however many, in the order of their inputs and then of creation.
pub(crate) async fn all_ids(app: &AppCtx, filters: Vec<Filter>) -> Result<Vec<String>> {
    let (terms, about_inputs) = split(app, filters, None).await?;
    let mut conditions = filter::prepare(app, about_inputs, None).await?;
    for (_, term) in terms.iter().filter(|(negate, _)| !negate) {
        conditions.sets.push((false, SetTest::Annotated(term.clone())));
    }
    let inputs = select::list(app, conditions).await?;
    let search = Search { app, terms, seen: Seen::default(), n_wanted: usize::MAX };
    let mut ids = Vec::new();
    for batch in inputs.chunks(BATCH) {
        let found = search.of_inputs(batch.iter().map(|id| (id.clone(), 1.0)).collect(), false).await?;
        ids.extend(found.into_iter().filter_map(|found| Some(found.annotation?.id)));
    }
    Ok(ids)
}

/// What is asked of annotations, and the rest.
async fn split(
    app: &AppCtx,
    filters: Vec<Filter>,
    language: Option<&str>,
) -> Result<(Vec<(bool, AnnotationTerm)>, Vec<Filter>)> {
    let (mut terms, mut rest) = (Vec::new(), Vec::new());
    for filter in filters {
        if let Test::Annotated(term) = filter.test {
            let concepts = words::own_terms(app, term.concepts, language).await?;
            terms.push((filter.negate, AnnotationTerm { concepts, ..term }));
        } else {
            rest.push(filter);
        }
    }
    Ok((terms, rest))
}

/// An annotation with its score, or an input without one.
struct Found {
    score: f32,
    input_id: String,
    annotation: Option<Annotation>,
}

struct Search<'a> {
    app: &'a AppCtx,
    terms: Vec<(bool, AnnotationTerm)>,
    seen: Seen,
    /// Up to the end of the page.
    n_wanted: usize,
}

impl Search<'_> {
    /// The annotations of some inputs, in the order of the inputs and then of creation, as many as are wanted; perhaps
    /// without those of which a part is described by a vector of its own.
    async fn of_inputs(&self, scored: Vec<(String, f32)>, without_parts: bool) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for batch in scored.chunks(BATCH) {
            let (uid, seen, terms) = (self.app.uid().to_owned(), self.seen.clone(), self.terms.clone());
            let batch = batch.to_vec();
            let read = move |tx: &mut Tx<'_>| said_of(tx, &uid, (&terms, &seen), &batch, without_parts);
            found.extend(self.app.platform().store().read(read).await?);
            if found.len() >= self.n_wanted {
                break;
            }
        }
        Ok(found)
    }

    /// The annotations of the inputs that fit some conditions, read only as far as they are wanted.
    async fn walk(&self, about_inputs: Conditions, by: By) -> Result<Vec<Found>> {
        let (uid, seen, terms) = (self.app.uid().to_owned(), self.seen.clone(), self.terms.clone());
        let n_wanted = self.n_wanted;
        let positive = terms.iter().filter(|(negate, _)| !negate);
        let said: Vec<AnnotationTerm> = positive.map(|(_, term)| term.clone()).collect();
        let read = move |tx: &mut Tx<'_>| {
            let mut walk = Walk::new(tx, &uid, &about_inputs, &said, &by)?;
            let mut found = Vec::new();
            while found.len() < n_wanted
                && let Some(batch) = walk.next(tx)?
            {
                found.extend(said_of(tx, &uid, (&terms, &seen), &batch, false)?);
            }
            Ok::<_, Error>(found)
        };
        self.app.platform().store().read(read).await
    }

    async fn by_likeness(&self, likeness: &Likeness, conditions: &Conditions) -> Result<Vec<Found>> {
        let mut found = self.wholes(likeness, conditions).await?;
        let scope = Scope { conditions, terms: &self.terms, seen: &self.seen };
        let (best, _) = parts::best(self.app, likeness, scope, self.n_wanted, Group::Annotation).await?;
        found.extend(self.named(best).await?);
        // Stable: equals stay in the order of likeness of their inputs, those of parts after those of whole inputs.
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(found)
    }

    /// The annotations that have the scores of their inputs.
    async fn wholes(&self, likeness: &Likeness, conditions: &Conditions) -> Result<Vec<Found>> {
        let mut depth = self.n_wanted.max(BATCH);
        loop {
            let ranked = likeness.clone().search(self.app, conditions.clone(), depth).await?;
            let is_all = ranked.scored.len() < depth;
            let found = self.of_inputs(ranked.scored, true).await?;
            if is_all || found.len() >= self.n_wanted {
                return Ok(found);
            }
            depth = depth.saturating_mul(8);
        }
    }

    /// The annotations with these ids, with their scores.
    async fn named(&self, scored: Vec<(String, f32)>) -> Result<Vec<Found>> {
        let uid = self.app.uid().to_owned();
        let ids: Vec<String> = scored.iter().map(|(id, _)| id.clone()).collect();
        let read = move |tx: &mut Tx<'_>| read_rows(tx, &uid, tx.annotations_by_ids(&uid, &ids)?);
        let all = self.app.platform().store().read(read).await?;
        let mut by_id: HashMap<String, Annotation> =
            all.into_iter().map(|annotation| (annotation.id.clone(), annotation)).collect();
        let found = scored.into_iter().filter_map(|(id, score)| {
            let annotation = by_id.remove(&id)?;
            Some(Found { score, input_id: annotation.input_id.clone(), annotation: Some(annotation) })
        });
        Ok(found.collect())
    }
}

/// What was said of some inputs and fits, in the order of the inputs and then of creation; perhaps without what has a
/// described part. An input about which nothing was said comes by itself where nothing is asked of annotations.
fn said_of(
    tx: &Tx<'_>,
    uid: &str,
    (terms, seen): (&[(bool, AnnotationTerm)], &Seen),
    batch: &[(String, f32)],
    without_parts: bool,
) -> Result<Vec<Found>> {
    let ids: Vec<&str> = batch.iter().map(|(id, _)| id.as_str()).collect();
    let read = read_rows(tx, uid, tx.annotations_of_inputs(uid, &ids)?)?;
    let mut by_input: HashMap<String, Vec<Annotation>> = HashMap::new();
    for annotation in read.into_iter().filter(|annotation| seen.sees(annotation)) {
        by_input.entry(annotation.input_id.clone()).or_default().push(annotation);
    }
    let wanted: Vec<&str> =
        by_input.values().flatten().filter(|_| without_parts).map(|one| one.id.as_str()).collect();
    let described = tx.described_regions_of(uid, &wanted)?;
    let described = described.into_iter().filter(|row| !seen.fresh_parts.contains(&row.key()));
    let in_parts: HashSet<String> =
        described.map(|AnnotationRegion { annotation_id, .. }| annotation_id).collect();
    let mut found = Vec::new();
    for (input_id, score) in batch {
        let all = by_input.remove(input_id).unwrap_or_default();
        let hit = |annotation| Found { score: *score, input_id: input_id.clone(), annotation };
        if all.is_empty() && terms.is_empty() {
            found.push(hit(None));
        }
        let fitting = all
            .into_iter()
            .filter(|annotation| !in_parts.contains(&annotation.id) && fits(terms, annotation));
        found.extend(fitting.map(|annotation| hit(Some(annotation))));
    }
    Ok(found)
}

/// Adds the inputs. What was deleted meanwhile is left out.
async fn hits(app: &AppCtx, found: Vec<Found>) -> Result<Vec<AnnotationHit>> {
    let mut ids: Vec<String> = found.iter().map(|found| found.input_id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let inputs: HashMap<String, Input> =
        inputs::get_many(app, &ids).await?.into_iter().map(|input| (input.id.clone(), input)).collect();
    let hit = |Found { score, input_id, annotation }| {
        Some(AnnotationHit { score, input: inputs.get(&input_id)?.clone(), annotation })
    };
    Ok(found.into_iter().filter_map(hit).collect())
}
