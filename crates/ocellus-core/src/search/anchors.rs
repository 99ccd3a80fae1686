//! What a query may see, so that its pages fit together while inputs are being added.
//!
//! When a key asks for the first page of a query, the place up to which rows were written is kept for a while. Later
//! pages of the same query by the same key leave out what was written after it: nothing moves from one page to the next
//! or is shown twice. What is deleted meanwhile is missing, and what was described anew is left out.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use ocellus_store::Tx;
use parking_lot::Mutex;

use super::filter::{Conditions, SetTest};
use super::{Query, RankBy, Test};
use crate::annotations::Annotation;
use crate::annotations::parts::space_of_parts;
use crate::{AppCtx, Error, Result, Source};

/// How long the first page of a query is remembered, in microseconds.
const KEPT_US: i64 = 15 * 60 * 1_000_000;
/// The most queries remembered.
const MAX_KEPT: usize = 10_000;
/// Rows read at once.
const ROWS_AT_ONCE: i64 = 1_000;

/// The first pages that were asked for lately, by query.
#[derive(Default)]
pub(crate) struct Anchors(Mutex<HashMap<u64, Anchor>>);

/// Up to where rows were written when a first page was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Anchor {
    input_seq: i64,
    vector_seq: i64,
    /// The same for the vectors of parts.
    part_seq: i64,
    at_us: i64,
}

impl Anchors {
    fn get(&self, key: u64, now_us: i64) -> Option<Anchor> {
        self.0.lock().get(&key).copied().filter(|anchor| anchor.at_us + KEPT_US > now_us)
    }

    fn put(&self, key: u64, anchor: Anchor) {
        let mut kept = self.0.lock();
        if kept.len() >= MAX_KEPT {
            kept.retain(|_, old| old.at_us + KEPT_US > anchor.at_us);
        }
        if kept.len() >= MAX_KEPT
            && let Some(oldest) = kept.iter().min_by_key(|(_, old)| old.at_us).map(|(key, _)| *key)
        {
            kept.remove(&oldest);
        }
        kept.insert(key, anchor);
    }
}

/// What a query may see.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Written too late.
    hidden: Vec<String>,
    /// The last input of those that were created in time.
    until_seq: Option<i64>,
    /// Whether something hidden stands among what was created in time.
    is_mixed: bool,
    /// Annotations that were made later are hidden, in microseconds since the epoch.
    annotations_until_us: Option<i64>,
    /// The keys of parts that were described too late.
    pub fresh_parts: HashSet<String>,
}

impl Seen {
    /// Whether what is hidden stands at the end of the order of creation.
    pub fn is_in_order(&self) -> bool {
        !self.is_mixed
    }

    /// Whether nothing is hidden.
    pub fn is_everything(&self) -> bool {
        self.hidden.is_empty()
    }

    /// Whether no annotation is hidden.
    pub fn is_open(&self) -> bool {
        self.annotations_until_us.is_none()
    }

    /// Whether an annotation was made in time.
    pub fn sees(&self, annotation: &Annotation) -> bool {
        self.annotations_until_us.is_none_or(|last_us| annotation.created_at_us <= last_us)
    }

    /// Whether an input with this number was created in time.
    pub fn reaches(&self, seq: i64) -> bool {
        self.until_seq.is_none_or(|last| seq <= last)
    }

    /// Leaves out what is hidden.
    pub fn restrict(&self, conditions: &mut Conditions) {
        if !self.hidden.is_empty() {
            conditions.sets.push((true, SetTest::Ids(self.hidden.clone())));
        }
    }
}

/// What this query may see now; queries for different things are told apart by `what`.
pub(super) async fn seen(app: &AppCtx, query: &Query, what: &str) -> Result<Seen> {
    if let Some(as_of_us) = query.as_of_us {
        return created_until(app, as_of_us).await;
    }
    let (anchors, now_us) = (app.platform().search_anchors(), app.platform().clock().now_us());
    let key = key_of(app, query, what);
    if query.page.page <= 1 {
        anchors.put(key, now(app, now_us).await?);
        return Ok(Seen::default());
    }
    match anchors.get(key, now_us) {
        Some(anchor) => written_until(app, anchor).await,
        None => Ok(Seen::default()),
    }
}

/// Names a query of a key apart from its page. Pictures count by their bytes.
#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is treated alike, whatever is added")]
fn key_of(app: &AppCtx, query: &Query, what: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    (app.uid(), &app.caller().key_id, query.page.per_page).hash(&mut hasher);
    (query.min_score.to_bits(), query.counted, &query.language).hash(&mut hasher);
    for filter in &query.filters {
        filter.negate.hash(&mut hasher);
        match &filter.test {
            Test::SameImage(Source::Bytes(bytes)) => bytes.hash(&mut hasher),
            test => format!("{test:?}").hash(&mut hasher),
        }
    }
    for rank in &query.ranks {
        rank.negate.hash(&mut hasher);
        match &rank.by {
            RankBy::Image { source: Source::Bytes(bytes), crop } => {
                bytes.hash(&mut hasher);
                format!("{crop:?}").hash(&mut hasher);
            }
            RankBy::Vector(vector) => vector.iter().for_each(|x| x.to_bits().hash(&mut hasher)),
            by => format!("{by:?}").hash(&mut hasher),
        }
    }
    hasher.finish()
}

async fn now(app: &AppCtx, at_us: i64) -> Result<Anchor> {
    let (uid, space) = (app.uid().to_owned(), app.platform().catalog().embedding().version_id().to_owned());
    let read = move |tx: &mut Tx<'_>| {
        let newest = tx.newest_inputs(&uid, i64::MAX, 1)?;
        let input_seq = newest.first().map_or(0, |(_, seq, _)| *seq);
        let vector_seq = tx.last_vector_seq(&uid, &space)?;
        let part_seq = tx.last_vector_seq(&uid, &space_of_parts(&space))?;
        Ok::<_, Error>(Anchor { input_seq, vector_seq, part_seq, at_us })
    };
    app.platform().store().read(read).await
}

/// Leaves out what was created or described after an anchor was taken.
async fn written_until(app: &AppCtx, anchor: Anchor) -> Result<Seen> {
    let (uid, space) = (app.uid().to_owned(), app.platform().catalog().embedding().version_id().to_owned());
    let read = move |tx: &mut Tx<'_>| {
        let described = tx.inputs_with_vector_since(&uid, &space, anchor.vector_seq)?;
        let created = newer(tx, &uid, |seq, _| seq > anchor.input_seq)?;
        let fresh = tx.inputs_with_vector_since(&uid, &space_of_parts(&space), anchor.part_seq)?;
        let is_mixed = described.iter().any(|id| !created.contains(id));
        let mut hidden = created;
        hidden.extend(described);
        Ok::<_, Error>(Seen {
            hidden: hidden.into_iter().collect(),
            until_seq: Some(anchor.input_seq),
            is_mixed,
            annotations_until_us: Some(anchor.at_us),
            fresh_parts: fresh.into_iter().collect(),
        })
    };
    app.platform().store().read(read).await
}

/// Leaves out what was created after a time.
async fn created_until(app: &AppCtx, as_of_us: i64) -> Result<Seen> {
    let uid = app.uid().to_owned();
    let read = move |tx: &mut Tx<'_>| {
        let hidden: Vec<String> =
            newer(tx, &uid, |_, created_us| created_us > as_of_us)?.into_iter().collect();
        // The total must not count them, so they are taken out one by one.
        let is_mixed = !hidden.is_empty();
        Ok::<_, Error>(Seen { is_mixed, hidden, annotations_until_us: Some(as_of_us), ..Seen::default() })
    };
    app.platform().store().read(read).await
}

/// The newest inputs as long as they are newer, given their number and time of creation.
fn newer(tx: &Tx<'_>, uid: &str, is_newer: impl Fn(i64, i64) -> bool) -> Result<HashSet<String>> {
    let (mut found, mut before_seq) = (HashSet::new(), i64::MAX);
    loop {
        let rows = tx.newest_inputs(uid, before_seq, ROWS_AT_ONCE)?;
        let n_rows = rows.len() as i64;
        before_seq = rows.last().map_or(before_seq, |(_, seq, _)| *seq);
        for (id, seq, created_us) in rows {
            if !is_newer(seq, created_us) {
                return Ok(found);
            }
            found.insert(id);
        }
        if n_rows < ROWS_AT_ONCE {
            return Ok(found);
        }
    }
}
