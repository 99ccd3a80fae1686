//! Everything that a search finds, for what is done with all of it.

use super::rank::Order;
use super::{Query, filter, ordered, parts, rank, terms_of_parts};
use crate::search::anchors::Seen;
use crate::{AppCtx, Error, Result};

/// The ids of all inputs that a query finds, best first; pages do not matter. `Invalid` for a query that only orders and
/// says no least score, since that finds everything, and if there are more than `most`.
pub async fn all(app: &AppCtx, query: Query, most: usize) -> Result<Vec<String>> {
    if !(0.0..=1.0).contains(&query.min_score) {
        return Err(Error::invalid("search.min_value", "must be 0 to 1"));
    }
    if query.filters.is_empty() && !query.ranks.is_empty() && query.min_score == 0.0 {
        let message = "must be above 0 for a search that only orders: otherwise it finds every input";
        return Err(Error::invalid("search.min_value", message));
    }
    let language = query.language.as_deref();
    let of_parts = terms_of_parts(app, &query.filters, language).await?;
    let conditions = filter::prepare(app, query.filters, language).await?;
    let order = rank::prepare(app, query.ranks, language, query.metric, query.min_score).await?;
    let depth = most.saturating_add(1);
    let ranked = match order {
        Order::Likeness(likeness) if !of_parts.is_empty() && likeness.knows_parts(app) => {
            let seen = Seen::default();
            let scope = parts::Scope { conditions: &conditions, terms: &of_parts, seen: &seen };
            parts::rank_inputs(app, &likeness, scope, depth).await?
        }
        order @ (Order::Creation | Order::Likeness(_) | Order::Mean(_)) => {
            ordered(app, order, conditions, (depth, false)).await?
        }
    };
    if ranked.scored.len() > most {
        return Err(Error::invalid("search", format!("finds more than {most} inputs; narrow it")));
    }
    Ok(ranked.scored.into_iter().map(|(id, _)| id).collect())
}
