//! Finds inputs of an app: by what they look like, what they show, what was said about them and where they were made.

mod filter;
mod plan;
mod rank;
mod recall;

use crate::inputs::Input;
use crate::{AppCtx, CropBox, GeoPoint, JsonMap, Page, Result, Source};

pub use recall::{RecallReport, recall};

/// What to find and in which order.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// All must hold.
    pub filters: Vec<Filter>,
    /// What orders the hits; none means the order of creation.
    pub ranks: Vec<Rank>,
    /// Hits below this score are left out; 0 to 1.
    pub min_score: f32,
    /// `page * per_page` is at most 10000.
    pub page: Page,
}

/// A condition on an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// Whether the test must fail.
    pub negate: bool,
    /// The test.
    pub test: Test,
}

/// What an input is tested for.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A user put one of these concepts on it.
    Labelled {
        /// One is enough.
        any: Vec<ConceptTerm>,
    },
    /// The general model saw one of these concepts in it.
    Predicted {
        /// One is enough; `value` 0 asks for its absence.
        any: Vec<ConceptTerm>,
        /// Least probability, 0 to 1.
        min: f32,
    },
    /// Its metadata contains this, at any depth: objects by key, lists by member, the rest by equality.
    Metadata(JsonMap),
    /// Its place is near a point.
    GeoWithin {
        /// The point.
        center: GeoPoint,
        /// Great-circle distance in kilometres.
        limit_km: f64,
    },
    /// Its place lies in a box, given by two opposite corners.
    GeoBox {
        /// One corner.
        a: GeoPoint,
        /// The other.
        b: GeoPoint,
    },
    /// It is one of these.
    Ids(Vec<String>),
    /// It was created from this address.
    SourceUrl(String),
    /// It has the same bytes.
    SameImage(Source),
}

/// A concept, by id or name, and whether it should be there.
#[derive(Clone, Debug, PartialEq)]
pub struct ConceptTerm {
    /// Concept id, or empty.
    pub id: String,
    /// Concept name, in any case, or empty.
    pub name: String,
    /// Above 0: there; 0: said not to be there.
    pub value: f32,
}

/// Something that orders the hits; several are averaged.
#[derive(Clone, Debug, PartialEq)]
pub struct Rank {
    /// Turns the order round: a score becomes 1 minus the score.
    pub negate: bool,
    /// What gives the score.
    pub by: RankBy,
}

/// What gives a score.
#[derive(Clone, Debug, PartialEq)]
pub enum RankBy {
    /// Likeness to an image.
    Image {
        /// The image.
        source: Source,
        /// The part of it that counts.
        crop: Option<CropBox>,
    },
    /// Likeness to an input of the app.
    InputId(String),
    /// Likeness to a vector of the embedding model.
    Vector(Vec<f32>),
    /// Probability of a concept by the general model.
    Predicted {
        /// The concept.
        concept: ConceptTerm,
    },
    /// Value of a concept that a user put on the input.
    Labelled {
        /// The concept.
        concept: ConceptTerm,
    },
}

/// One found input.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// 0 to 1; 1 when nothing ranks.
    pub score: f32,
    /// The input.
    pub input: Input,
}

/// A page of found inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Hits {
    /// Best first.
    pub hits: Vec<Hit>,
    /// How many match on all pages, where that is known.
    pub total: Option<u64>,
}

/// Finds the inputs that pass every filter, ordered by the ranks.
pub async fn run(_app: &AppCtx, _query: Query) -> Result<Hits> {
    todo!()
}
