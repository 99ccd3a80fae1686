//! Feedback: what users say of a model's answer or do with a search's hits. What they say of an input of the app is
//! proposed as its labels.

mod proposals;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::inputs::MAX_PER_CALL;
use crate::models::{self, Found};
use crate::resources::{self, Document, Listing, New, Shelf, Stored};
use crate::{AppCtx, Error, Page, Result};

/// What a user says of a model's answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelFeedback {
    /// The model.
    pub model_id: String,
    /// Its version; the current one if empty.
    pub model_version_id: String,
    /// The answer, if known.
    pub output_id: String,
    /// What was looked at.
    pub subject: Subject,
    /// Who said it.
    pub session: Session,
    /// What the image shows (value 1) and what it does not (value 0).
    pub concepts: Vec<Judged>,
    /// What is where, and how good the model's boxes are.
    pub regions: Vec<JudgedRegion>,
}

/// A hit that a user picked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchFeedback {
    /// The search, as named by whoever asked.
    pub search_id: String,
    /// The hit.
    pub subject: Subject,
    /// Who picked it.
    pub session: Session,
}

/// The input or address that feedback is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// An input's id, in the app or elsewhere; empty if not known.
    pub input_id: String,
    /// An address; empty if not known.
    pub url: String,
}

/// Whoever gave feedback, in the words of the caller's own system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The person.
    pub end_user_id: String,
    /// The visit.
    pub session_id: String,
}

/// A concept with a verdict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The concept's id, or its name where it has none.
    pub concept_id: String,
    /// A readable name; may be empty.
    pub name: String,
    /// 1 for "is there", 0 for "is not".
    pub value: f32,
}

/// A part of an image with a verdict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JudgedRegion {
    /// Top, left, bottom, right as fractions of the image.
    pub area: [f32; 4],
    /// How good the model's box is.
    pub verdict: Verdict,
    /// What is in it.
    pub concepts: Vec<Judged>,
}

/// How good a box is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Right.
    #[default]
    Accurate,
    /// The thing is there, the box is not around it.
    Misplaced,
    /// The model missed it.
    NotDetected,
    /// Nothing is there.
    FalsePositive,
}

impl Document for ModelFeedback {
    const KIND: &'static str = "model_feedback";
    const NOUN: &'static str = "feedback";
    const FIELD: &'static str = "input";

    fn about(&self) -> String {
        self.model_id.clone()
    }

    fn check(&self) -> Result<()> {
        self.subject.check()?;
        let judged = self.concepts.iter().chain(self.regions.iter().flat_map(|region| &region.concepts));
        for concept in judged {
            if concept.concept_id.is_empty() && concept.name.is_empty() {
                return Err(Error::invalid("input.data.concepts", "need an id or a name"));
            }
            if !(0.0..=1.0).contains(&concept.value) {
                return Err(Error::invalid("input.data.concepts.value", "must be 0 to 1"));
            }
        }
        for region in &self.regions {
            let [top, left, bottom, right] = region.area;
            let inside = region.area.iter().all(|side| (0.0..=1.0).contains(side));
            if !inside || top > bottom || left > right {
                let message = "must lie in the image: 0 to 1, top above bottom, left before right";
                return Err(Error::invalid("input.data.regions.region_info.bounding_box", message));
            }
        }
        if self.regions.len() > MAX_PER_CALL {
            return Err(Error::invalid("input.data.regions", format!("must be {MAX_PER_CALL} at most")));
        }
        Ok(())
    }
}

impl Document for SearchFeedback {
    const KIND: &'static str = "search_feedback";
    const NOUN: &'static str = "feedback";
    const FIELD: &'static str = "input";

    fn about(&self) -> String {
        self.search_id.clone()
    }

    fn check(&self) -> Result<()> {
        self.subject.check()
    }
}

impl Subject {
    fn check(&self) -> Result<()> {
        if self.input_id.is_empty() && self.url.is_empty() {
            return Err(Error::invalid("input", "must name an input by id or an address"));
        }
        Ok(())
    }
}

/// Keeps what a user says of a model's answer, and proposes it as labels: a pending annotation of the input, if it is one of
/// the app's. `NotFound` if there is no such model or version.
pub async fn add_for_model(app: &AppCtx, feedback: ModelFeedback) -> Result<()> {
    let version = Some(feedback.model_version_id.as_str());
    // A public model has several names; the feedback is found by the one that it is listed under.
    let model_id = match models::find(app, &feedback.model_id, version).await? {
        Found::Own(model, _) => model.id,
        Found::Public(model) => model.id.clone(),
    };
    let feedback = ModelFeedback { model_id, ..feedback };
    let id = app.platform().ids().id();
    let new = New { id: Some(id.clone()), doc: feedback.clone() };
    resources::create(&Shelf::from(app), vec![new]).await?;
    proposals::propose(app, &id, &feedback).await
}

/// Keeps that a user picked a hit.
pub async fn add_for_search(app: &AppCtx, feedback: SearchFeedback) -> Result<()> {
    resources::create(&Shelf::from(app), vec![New { id: None, doc: feedback }]).await?;
    Ok(())
}

/// What users said of a model's answers, or of all models', the latest first.
pub async fn of_models(
    app: &AppCtx,
    model_id: Option<&str>,
    page: Page,
) -> Result<Vec<Stored<ModelFeedback>>> {
    let listing = Listing { about: model_id.map(str::to_owned), newest_first: true, ..Listing::default() };
    resources::list(&Shelf::from(app), &listing, page).await
}

/// What users picked from a search's hits, or from all searches', the latest first.
pub async fn of_searches(
    app: &AppCtx,
    search_id: Option<&str>,
    page: Page,
) -> Result<Vec<Stored<SearchFeedback>>> {
    let listing = Listing { about: search_id.map(str::to_owned), newest_first: true, ..Listing::default() };
    resources::list(&Shelf::from(app), &listing, page).await
}
