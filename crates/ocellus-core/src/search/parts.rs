//! Likeness to the parts of images and frames that annotations mark, each of which has a vector of its own.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ocellus_store::{AnnotationRegion, Tx};

use super::anchors::Seen;
use super::filter::Conditions;
use super::rank::Likeness;
use super::{Ranked, Selection, select};
use crate::annotations::parts::space_of_parts;
use crate::annotations::{Annotation, AnnotationTerm, read_rows};
use crate::indexes::Space;
use crate::{AppCtx, Error, Result};

/// Rows read at once.
const ROWS_AT_ONCE: i64 = 2_000;

/// Which parts may be found: those of annotations that fit, on inputs that fit.
pub(super) struct Scope<'a> {
    pub conditions: &'a Conditions,
    /// What annotations must fit; whether it is negated.
    pub terms: &'a [(bool, AnnotationTerm)],
    pub seen: &'a Seen,
}

/// Whether an annotation fits all terms.
pub(super) fn fits(terms: &[(bool, AnnotationTerm)], annotation: &Annotation) -> bool {
    terms.iter().all(|(negate, term)| term.holds(annotation) != *negate)
}

/// What the best parts are grouped by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Annotation,
    Input,
}

/// The annotations or inputs with the best parts, best first, and whether that is all there are.
pub(super) async fn best(
    app: &AppCtx,
    likeness: &Likeness,
    scope: Scope<'_>,
    n_wanted: usize,
    group: Group,
) -> Result<(Vec<(String, f32)>, bool)> {
    let allowed = allowed(app, &scope, group).await?;
    let selection = match &allowed {
        Some(allowed) => Selection::only(allowed.keys().cloned()),
        None => Selection::Except(scope.seen.fresh_parts.clone()),
    };
    let platform = app.platform();
    let space = space_of_parts(likeness.space());
    let index: Arc<Space> = platform.indexes().current(platform.store(), app.uid(), &space).await?;
    let (selection, mut k) = (Arc::new(selection), n_wanted.max(1));
    loop {
        let (index, selection, wanted) = (Arc::clone(&index), Arc::clone(&selection), likeness.clone());
        let scan = move || index.search(wanted.vector(), k, &selection);
        let hits = platform.engine().cpu(scan).await??.hits;
        let is_all = hits.len() < k;
        let mut known = HashSet::new();
        let scored = hits.into_iter().filter_map(|(key, cosine)| {
            let name = match (&allowed, group) {
                (Some(allowed), Group::Input) => allowed.get(&key)?.clone(),
                (_, Group::Annotation) | (None, Group::Input) => key.split_once('\n')?.0.to_owned(),
            };
            // The first part of each is its best.
            known.insert(name.clone()).then(|| (name, likeness.score_of(cosine)))
        });
        let mut found: Vec<(String, f32)> = scored.collect();
        if is_all || found.len() >= n_wanted {
            found.retain(|(_, score)| *score >= likeness.min_score());
            return Ok((found, is_all));
        }
        k = k.saturating_mul(4);
    }
}

/// The keys of the parts that may be found, each with its input; `None` for all parts of the app.
async fn allowed(app: &AppCtx, scope: &Scope<'_>, group: Group) -> Result<Option<HashMap<String, String>>> {
    let is_free = scope.terms.is_empty() && scope.conditions.is_empty() && scope.seen.is_open();
    if is_free && group == Group::Annotation {
        return Ok(None);
    }
    let inputs = select::select(app, scope.conditions.clone()).await?;
    let (uid, terms, seen) = (app.uid().to_owned(), scope.terms.to_vec(), scope.seen.clone());
    let read = move |tx: &mut Tx<'_>| {
        let mut allowed = HashMap::new();
        let mut after = (String::new(), String::new());
        loop {
            let rows = tx.described_regions(&uid, (&after.0, &after.1), ROWS_AT_ONCE)?;
            let n_rows = rows.len() as i64;
            if let Some(last) = rows.last() {
                after = (last.annotation_id.clone(), last.region_id.clone());
            }
            let mut rows: Vec<AnnotationRegion> = rows
                .into_iter()
                .filter(|row| inputs.contains(&row.input_id) && !seen.fresh_parts.contains(&row.key()))
                .collect();
            let mut ids: Vec<String> = rows.iter().map(|row| row.annotation_id.clone()).collect();
            ids.dedup();
            let found = read_rows(tx, &uid, tx.annotations_by_ids(&uid, &ids)?)?;
            let good = found.into_iter().filter(|one| seen.sees(one) && fits(&terms, one));
            let good: HashSet<String> = good.map(|annotation| annotation.id).collect();
            rows.retain(|row| good.contains(&row.annotation_id));
            allowed.extend(rows.into_iter().map(|row| (row.key(), row.input_id)));
            if n_rows < ROWS_AT_ONCE {
                return Ok::<_, Error>(allowed);
            }
        }
    };
    app.platform().store().read(read).await.map(Some)
}

/// The inputs that fit by the best of their parts.
pub(super) async fn rank_inputs(
    app: &AppCtx,
    likeness: &Likeness,
    scope: Scope<'_>,
    depth: usize,
) -> Result<Ranked> {
    let (scored, is_all) = best(app, likeness, scope, depth, Group::Input).await?;
    let total = is_all.then_some(scored.len() as u64);
    Ok(Ranked { scored, n_skipped: 0, total })
}
