//! Searching annotations: inputs are searched as always, and of those found the annotations that fit are the hits.

use std::collections::HashMap;

use super::{Annotation, Status, of_inputs};
use crate::inputs::Input;
use crate::search::{self, Query};
use crate::{AppCtx, Page, Result};

/// Inputs searched at once.
const BATCH: u32 = 200;
/// How deep anyone may page through inputs.
const MAX_DEPTH: u32 = 10_000;

/// A condition on an annotation, apart from what the search of inputs tests. All that is given must hold of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnnotationTerm {
    /// Whether it must not hold.
    pub negate: bool,
    /// Where it stands; empty means anywhere.
    pub statuses: Vec<Status>,
    /// Who made it, by user id; empty means anybody.
    pub account_id: String,
    /// Which model version made it; empty means any or none.
    pub model_version_id: String,
    /// The task it was made in; empty means any or none.
    pub task_id: String,
    /// What it speaks of, by concept id or name and whether that is there; one is enough, and empty means anything.
    pub concepts: Vec<(String, String, bool)>,
}

impl AnnotationTerm {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self { negate: self.negate, ..Self::default() }
    }

    fn holds(&self, annotation: &Annotation) -> bool {
        let is = |wanted: &String, have: &String| wanted.is_empty() || wanted == have;
        let by = self.account_id.is_empty()
            || (annotation.is_by_person() && annotation.account_id == self.account_id);
        by && is(&self.model_version_id, &annotation.model_version_id)
            && is(&self.task_id, &annotation.task_id)
            && (self.statuses.is_empty() || self.statuses.contains(&annotation.status))
            && self.speaks(annotation)
    }

    fn speaks(&self, annotation: &Annotation) -> bool {
        let mut said = annotation.data.concepts.iter().chain(annotation.data.said_of_parts());
        self.concepts.is_empty()
            || said.any(|said| {
                self.concepts.iter().any(|(id, name, there)| {
                    let named = match id.is_empty() {
                        true => said.name.eq_ignore_ascii_case(name),
                        false => said.concept_id == *id,
                    };
                    named && (said.value >= 0.5) == *there
                })
            })
    }
}

/// A found annotation with its input.
#[derive(Clone, Debug, PartialEq)]
pub struct AnnotationHit {
    /// The score of the input.
    pub score: f32,
    /// The input.
    pub input: Input,
    /// The annotation; absent for an input about which nothing was said, where nothing was asked of annotations.
    pub annotation: Option<Annotation>,
}

/// Finds annotations of the inputs that a query finds, in the order of the inputs and then of creation. All terms must
/// hold of the same annotation.
pub async fn search(
    app: &AppCtx,
    query: Query,
    terms: Vec<AnnotationTerm>,
    page: Page,
) -> Result<Vec<AnnotationHit>> {
    let page = page.check()?;
    let terms: Vec<AnnotationTerm> = terms.into_iter().filter(|term| !term.is_empty()).collect();
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let n_wanted = skip.saturating_add(page.per_page as usize);
    let mut found = Vec::new();
    for number in 1..=MAX_DEPTH / BATCH {
        let query = Query { page: Page { page: number, per_page: BATCH }, ..query.clone() };
        let hits = search::run(app, query).await?.hits;
        let n_hits = hits.len();
        let ids: Vec<String> = hits.iter().map(|hit| hit.input.id.clone()).collect();
        let mut by_input: HashMap<String, Vec<Annotation>> = HashMap::new();
        for annotation in of_inputs(app, &ids).await? {
            by_input.entry(annotation.input_id.clone()).or_default().push(annotation);
        }
        for hit in hits {
            let all = by_input.remove(&hit.input.id).unwrap_or_default();
            if all.is_empty() && terms.is_empty() {
                found.push(AnnotationHit { score: hit.score, input: hit.input, annotation: None });
                continue;
            }
            let fits =
                |annotation: &Annotation| terms.iter().all(|term| term.holds(annotation) != term.negate);
            let hit_of = |annotation| AnnotationHit {
                score: hit.score,
                input: hit.input.clone(),
                annotation: Some(annotation),
            };
            found.extend(all.into_iter().filter(fits).map(hit_of));
        }
        if n_hits < BATCH as usize || found.len() >= n_wanted {
            break;
        }
    }
    Ok(found.into_iter().skip(skip).take(page.per_page as usize).collect())
}
