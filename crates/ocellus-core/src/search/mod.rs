//! Finds inputs of an app: by what they look like, what they show, what was said about them and where they were made.

mod filter;
mod geo;
pub(crate) mod plan;
mod rank;
mod recall;
mod select;
mod selection;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use ocellus_store::{InputQuery, Tx};

use crate::inputs::{self, Input, STATE_READY};
use crate::{AppCtx, CropBox, Error, GeoPoint, JsonMap, Kind, Page, Resource, Result, Source};
use rank::Order;

pub use recall::{RecallReport, recall};
pub(crate) use selection::Selection;

/// How deep anyone may page.
const MAX_DEPTH: u32 = 10_000;

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

/// Finds the inputs that pass every filter, ordered by the ranks. Only inputs that were processed are found. The score of
/// a visual rank is `(1 + cosine) / 2`, that of a concept its probability or value; a negated rank scores 1 minus that,
/// and several ranks score their mean. Ranked by concepts alone, and by none of them negated, only inputs that have one
/// are found. Pages beyond the end are empty.
pub async fn run(app: &AppCtx, query: Query) -> Result<Hits> {
    let page = check(&query)?;
    let conditions = filter::prepare(app, query.filters).await?;
    let ranked = match rank::prepare(app, query.ranks, query.min_score).await? {
        Order::Creation if conditions.is_empty() => everything(app, page).await?,
        Order::Creation => Ranked::unordered(select::list(app, conditions).await?),
        Order::Likeness(likeness) => likeness.search(app, conditions, depth(page)).await?,
        Order::Mean(mean) => mean.search(app, conditions).await?,
    };
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

/// Hits before they are cut to a page.
struct Ranked {
    /// Ids with scores, best first.
    scored: Vec<(String, f32)>,
    /// How many better ones were left out already.
    n_skipped: usize,
    /// How many there are in all, where that is known.
    total: Option<u64>,
}

impl Ranked {
    fn unordered(ids: Vec<String>) -> Self {
        let total = Some(ids.len() as u64);
        Self { scored: ids.into_iter().map(|id| (id, 1.0)).collect(), n_skipped: 0, total }
    }
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
async fn everything(app: &AppCtx, page: Page) -> Result<Ranked> {
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
        scored: rows.into_iter().map(|row| (row.id, 1.0)).collect(),
        n_skipped: usize::try_from(page.offset()).unwrap_or(usize::MAX),
        total: u64::try_from(total).ok(),
    })
}
