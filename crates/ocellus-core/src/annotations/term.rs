//! What a search asks of annotations.

use ocellus_store as store;

use super::{Annotation, Said, Status};
use crate::JsonMap;
use crate::inputs::Input;
use crate::search::wording::Wording;
use crate::search::{ConceptTerm, contains_all};

/// A condition on an annotation. All that is given must hold of it; what is empty asks for nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnnotationTerm {
    /// Its id.
    pub id: String,
    /// Where it stands: one of these.
    pub statuses: Vec<Status>,
    /// Who made it, by user id; without a model or workflow version a person's own.
    pub account_id: String,
    /// Which model version made it.
    pub model_version_id: String,
    /// Which workflow version made it.
    pub workflow_version_id: String,
    /// The task it was made in.
    pub task_id: String,
    /// When it was last changed: from and to, both included, in microseconds since the epoch.
    pub changed_us: Option<(i64, i64)>,
    /// Whether it must be what its maker says through the input itself.
    pub input_level: bool,
    /// Whether it must mark a part of an image or text, and speak of that.
    pub of_parts: bool,
    /// Its maker's remarks contain this.
    pub info: JsonMap,
    /// What it says in words, of the whole or of a part, has all of these.
    pub words: String,
    /// What it speaks of: one of these.
    pub concepts: Vec<ConceptTerm>,
}

impl AnnotationTerm {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it says who made the annotation, where it stands or anything else but what it speaks of.
    pub fn is_about_more_than_concepts(&self) -> bool {
        *self != Self { concepts: self.concepts.clone(), ..Self::default() }
    }

    /// The part of it that the store answers by itself.
    pub(crate) fn columns(&self) -> store::AnnotationTest {
        store::AnnotationTest {
            id: self.id.clone(),
            account_id: self.account_id.clone(),
            model_version_id: self.model_version_id.clone(),
            workflow_version_id: self.workflow_version_id.clone(),
            task_id: self.task_id.clone(),
            statuses: self.statuses.iter().map(|status| status.name().to_owned()).collect(),
            changed_us: self.changed_us,
            by_person: self.by_person(),
            whole: self.input_level,
        }
    }

    /// Whether the document must be looked at too.
    pub(crate) fn asks_for_more_than_columns(&self) -> bool {
        self.of_parts || !self.info.is_empty() || !self.concepts.is_empty() || !self.words.is_empty()
    }

    fn by_person(&self) -> bool {
        !self.account_id.is_empty() && self.model_version_id.is_empty() && self.workflow_version_id.is_empty()
    }

    /// Whether all of it holds.
    pub(crate) fn holds(&self, annotation: &Annotation) -> bool {
        let is = |wanted: &String, have: &String| wanted.is_empty() || wanted == have;
        let changed = |(from_us, to_us)| (from_us..=to_us).contains(&annotation.modified_at_us);
        is(&self.id, &annotation.id)
            && is(&self.account_id, &annotation.account_id)
            && (!self.by_person() || annotation.is_by_person())
            && is(&self.model_version_id, &annotation.model_version_id)
            && is(&self.workflow_version_id, &annotation.workflow_version_id)
            && is(&self.task_id, &annotation.task_id)
            && (self.statuses.is_empty() || self.statuses.contains(&annotation.status))
            && self.changed_us.is_none_or(changed)
            && (!self.input_level || annotation.input_level)
            && (!self.of_parts || annotation.data.all_regions().next().is_some())
            && contains_all(&annotation.info, &self.info)
            && self.speaks(annotation)
            && (self.words.is_empty() || self.worded(annotation))
    }

    /// Whether any text of it has all the words.
    fn worded(&self, annotation: &Annotation) -> bool {
        let Ok(wording) = Wording::new(&self.words) else { return false };
        let of_parts = annotation.data.all_regions().filter_map(|region| region.text.as_ref());
        annotation.data.text.iter().chain(of_parts).any(|text| wording.is_in(text))
    }

    fn speaks(&self, annotation: &Annotation) -> bool {
        let whole = annotation.data.concepts.iter().filter(|_| !self.of_parts);
        let mut said = whole.chain(annotation.data.said_of_parts());
        self.concepts.is_empty() || said.any(|said| self.concepts.iter().any(|term| means(term, said)))
    }
}

fn means(term: &ConceptTerm, said: &Said) -> bool {
    let named = match term.id.is_empty() {
        true => said.name.to_lowercase() == term.name.to_lowercase(),
        false => said.concept_id == term.id,
    };
    named && (said.value >= 0.5) == (term.value > 0.0)
}

/// A found annotation with its input.
#[derive(Clone, Debug, PartialEq)]
pub struct AnnotationHit {
    /// 0 to 1; 1 when nothing ranks.
    pub score: f32,
    /// The input.
    pub input: Input,
    /// The annotation; absent for an input about which nothing was said, where nothing was asked of annotations.
    pub annotation: Option<Annotation>,
}
