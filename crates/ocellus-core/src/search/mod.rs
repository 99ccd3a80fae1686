//! Finds inputs of an app: by what they look like, what they show, what was said about them and where they were made.

mod all;
pub(crate) mod anchors;
pub(crate) mod annotations;
mod checks;
mod filter;
mod geo;
mod parts;
pub(crate) mod plan;
mod rank;
mod recall;
pub mod saved;
mod select;
mod selection;
mod streams;
#[cfg(test)]
mod tests;
mod walk;
pub(crate) mod wording;
mod words;

use std::collections::HashMap;

use ocellus_store::{InputQuery, Tx};

use crate::annotations::AnnotationTerm;
use crate::inputs::{self, Input, STATE_READY, StateFilter};
use crate::{AppCtx, CropBox, Error, GeoPoint, JsonMap, Kind, MediaKind, Page, Resource, Result, Source};
use anchors::Seen;
use filter::Conditions;
use rank::Order;
use walk::By;

pub use all::all;
pub(crate) use filter::contains_all;
pub use recall::{RecallReport, recall};
pub(crate) use selection::Selection;

/// How deep anyone may page.
const MAX_DEPTH: u32 = 10_000;

/// What to find and in which order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// All must hold.
    pub filters: Vec<Filter>,
    /// What orders the hits; none means the order of creation.
    pub ranks: Vec<Rank>,
    /// Hits below this score are left out; 0 to 1.
    pub min_score: f32,
    /// `page * per_page` is at most 10000.
    pub page: Page,
    /// What likeness is measured by.
    pub metric: Metric,
    /// Only inputs created up to this time, in microseconds since the epoch. Without it, later pages of a query show
    /// what was there when the same key asked for its first page, for a quarter of an hour from then.
    pub as_of_us: Option<i64>,
    /// The language of concepts named by name and of texts; English and the concepts' own if absent.
    pub language: Option<String>,
    /// Whether the total is wanted even where it takes looking at everything.
    pub counted: bool,
}

/// How likeness becomes a score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// `(1 + cosine) / 2`.
    #[default]
    Cosine,
    /// One minus half the distance of the two vectors, both of length 1. The order is the same.
    Euclidean,
}

impl Metric {
    /// The score in this metric for one by cosine.
    fn of(self, score: f32) -> f32 {
        match self {
            Self::Cosine => score,
            Self::Euclidean => 1.0 - (1.0 - score).max(0.0).sqrt(),
        }
    }
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
#[expect(clippy::large_enum_variant, reason = "a query has a few of them")]
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
    /// Its own text has all of these words.
    Words {
        /// The words, in any case and order.
        text: String,
        /// Whether it is enough that an annotation that counts has them.
        said_too: bool,
    },
    /// It was created from this address.
    SourceUrl(String),
    /// It is of one of these kinds.
    Kinds(Vec<MediaKind>),
    /// It is in one of these datasets.
    InDatasets(Vec<String>),
    /// It has the same bytes.
    SameImage(Source),
    /// It was last changed in this span, both ends included, in microseconds since the epoch.
    Changed {
        /// No earlier.
        from_us: i64,
        /// No later.
        to_us: i64,
    },
    /// It is in one of these states; without such a filter only inputs that are ready are found.
    InState(Vec<StateFilter>),
    /// It has an annotation like this. If that must mark parts, likeness is that of the best part that fits.
    Annotated(AnnotationTerm),
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
    /// Likeness to a part of an input of the app.
    PartOfInput {
        /// The input.
        input_id: String,
        /// The part.
        part: CropBox,
    },
    /// Likeness to the first part of an image that an annotation marks, or else to its input.
    Annotation(String),
    /// Likeness to a vector of the embedding model.
    Vector(Vec<f32>),
    /// Probability of a concept by the general model.
    Predicted {
        /// The concept.
        concept: ConceptTerm,
    },
    /// How well the concepts that a text speaks of fit: by their names and other words for them, or else by meaning;
    /// what users said counts as much as what the general model saw.
    Text(String),
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

/// Finds the inputs that pass every filter, ordered by the ranks. Only inputs that were processed are found. The score of
/// a visual rank is `(1 + cosine) / 2`, that of a concept its probability or value; a negated rank scores 1 minus that,
/// and several ranks score their mean. Ranked by concepts alone, and by none of them negated, only inputs that have one
/// are found. Pages beyond the end are empty.
#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is treated alike, whatever is added")]
pub async fn run(app: &AppCtx, query: Query) -> Result<Hits> {
    let page = check(&query)?;
    let seen = anchors::seen(app, &query, "inputs").await?;
    let language = query.language.as_deref();
    let of_parts = terms_of_parts(app, &query.filters, language).await?;
    let mut conditions = filter::prepare(app, query.filters, language).await?;
    let counted = query.counted;
    let depth = if counted { usize::MAX } else { depth(page) };
    let ranked = match rank::prepare(app, query.ranks, language, query.metric, query.min_score).await? {
        Order::Creation if conditions.is_empty() && seen.is_in_order() => {
            everything(app, page, &seen).await?
        }
        Order::Likeness(likeness) if !of_parts.is_empty() && likeness.knows_parts(app) => {
            seen.restrict(&mut conditions);
            let scope = parts::Scope { conditions: &conditions, terms: &of_parts, seen: &seen };
            parts::rank_inputs(app, &likeness, scope, depth).await?
        }
        order => {
            seen.restrict(&mut conditions);
            ordered(app, order, conditions, (depth.min(self::depth(page)), counted)).await?
        }
    };
    cut_out(app, page, ranked).await
}

/// What is asked of annotations that must mark parts.
async fn terms_of_parts(
    app: &AppCtx,
    filters: &[Filter],
    language: Option<&str>,
) -> Result<Vec<(bool, AnnotationTerm)>> {
    let mut terms = Vec::new();
    for filter in filters.iter().filter(|filter| !filter.negate) {
        if let Test::Annotated(term) = &filter.test
            && term.of_parts
        {
            let concepts = words::own_terms(app, term.concepts.clone(), language).await?;
            terms.push((false, AnnotationTerm { concepts, ..term.clone() }));
        }
    }
    Ok(terms)
}

async fn ordered(
    app: &AppCtx,
    order: Order,
    conditions: Conditions,
    (depth, counted): (usize, bool),
) -> Result<Ranked> {
    match order {
        Order::Creation => walk::search(app, conditions, By::Creation, depth, counted).await,
        Order::Likeness(likeness) => {
            likeness.search(app, conditions, if counted { usize::MAX } else { depth }).await
        }
        Order::Mean(mean) => match mean.by_one() {
            Some(by) => walk::search(app, conditions, by, depth, counted).await,
            None => mean.search(app, conditions).await,
        },
    }
}

/// The hits of a page.
async fn cut_out(app: &AppCtx, page: Page, ranked: Ranked) -> Result<Hits> {
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX) - ranked.n_skipped;
    let wanted: Vec<(String, f32)> =
        ranked.scored.into_iter().skip(skip).take(page.per_page as usize).collect();
    let ids: Vec<String> = wanted.iter().map(|(id, _)| id.clone()).collect();
    let mut scores: HashMap<String, f32> = wanted.into_iter().collect();
    // An input deleted since is left out.
    let found = inputs::get_many(app, &ids).await?;
    let hits =
        found.into_iter().filter_map(|input| Some(Hit { score: scores.remove(&input.id)?, input })).collect();
    Ok(Hits { hits, total: ranked.total })
}

/// All processed inputs that pass every filter, in the order of creation.
pub(crate) async fn all_ids(app: &AppCtx, filters: Vec<Filter>) -> Result<Vec<String>> {
    select::list(app, filter::prepare(app, filters, None).await?).await
}

/// Hits before they are cut to a page.
struct Ranked {
    /// Ids with scores, best first.
    scored: Vec<(String, f32)>,
    /// How many better ones were left out already.
    n_skipped: usize,
    /// How many there are in all, where that is known.
    total: Option<u64>,
}

fn check(query: &Query) -> Result<Page> {
    let page = query.page.check()?;
    if depth(page) > MAX_DEPTH as usize {
        let message = format!("page * perPage cannot exceed {MAX_DEPTH}");
        return Err(Error::new(Kind::Invalid, message).about(Resource::Field("pagination".to_owned())));
    }
    if !(0.0..=1.0).contains(&query.min_score) {
        return Err(Error::invalid("min_score", "must be 0 to 1"));
    }
    Ok(page)
}

/// How many hits come up to the end of the page.
fn depth(page: Page) -> usize {
    page.page as usize * page.per_page as usize
}

/// A page of all processed inputs, which the database cuts out.
async fn everything(app: &AppCtx, page: Page, seen: &Seen) -> Result<Ranked> {
    let uid = app.uid().to_owned();
    let query = InputQuery {
        states: vec![STATE_READY],
        limit: page.limit(),
        offset: page.offset(),
        ..InputQuery::default()
    };
    let read = move |tx: &mut Tx<'_>| {
        let total = tx.count_inputs(&uid)?.get(&STATE_READY).copied().unwrap_or(0);
        Ok::<_, Error>((tx.inputs_page(&uid, &query)?, total))
    };
    let (rows, total) = app.platform().store().read(read).await?;
    Ok(Ranked {
        scored: rows.into_iter().filter(|row| seen.reaches(row.seq)).map(|row| (row.id, 1.0)).collect(),
        n_skipped: usize::try_from(page.offset()).unwrap_or(usize::MAX),
        total: u64::try_from(total).ok().filter(|_| seen.is_everything()),
    })
}
