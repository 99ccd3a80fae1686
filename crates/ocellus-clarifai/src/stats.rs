//! Stats of an app: numbers recorded by its users, and what was counted, summed up.

use ocellus_core::stats::{self, Aggregate, Aggregation, NewStatValue, StatQuery, Step};
use ocellus_core::{Error, Result};

use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, status};

/// The most queries in a request.
const MAX_QUERIES: usize = 32;

pub async fn post_stat_values(cx: Cx, req: PostStatValuesRequest) -> Result<MultiStatValueResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.stat_values.into_iter().map(|value| NewStatValue {
        at_us: value.time.as_ref().map(documents::micros),
        value: value.value,
        tags: value.tags,
    });
    let stored = stats::record(&app, new.collect()).await?;
    let stat_values = stored.into_iter().map(|value| StatValue {
        time: documents::time(value.at_us),
        value: value.value,
        tags: value.tags,
    });
    Ok(MultiStatValueResponse { status: status::success(), stat_values: stat_values.collect() })
}

pub async fn post_stat_values_aggregate(
    cx: Cx,
    req: PostStatValuesAggregateRequest,
) -> Result<MultiStatValueAggregateResponse> {
    let app = cx.app(req.user_app_id).await?;
    let queries = req.stat_value_aggregate_queries;
    if queries.is_empty() || queries.len() > MAX_QUERIES {
        return Err(Error::invalid("stat_value_aggregate_queries", format!("must be 1 to {MAX_QUERIES}")));
    }
    let mut results = Vec::with_capacity(queries.len());
    for query in queries {
        let found = stats::aggregate(&app, &read(&query)?).await?;
        results.push(StatValueAggregateResult {
            stat_value_aggregates: found.into_iter().map(to_wire).collect(),
            stat_value_aggregate_query: Some(query),
        });
    }
    Ok(MultiStatValueAggregateResponse { status: status::success(), stat_value_aggregate_results: results })
}

fn read(query: &StatValueAggregateQuery) -> Result<StatQuery> {
    let unknown =
        |field: &str| Error::invalid(format!("stat_value_aggregate_queries.{field}"), "is not known");
    let aggregation = match StatValueAggType::try_from(query.stat_value_agg_type) {
        Ok(StatValueAggType::Sum) => Aggregation::Sum,
        Ok(StatValueAggType::Avg) => Aggregation::Average,
        Err(_) => return Err(unknown("stat_value_agg_type")),
    };
    let step = match StatTimeAggType::try_from(query.stat_time_agg_type) {
        Ok(StatTimeAggType::NoTimeAgg) => None,
        Ok(StatTimeAggType::Year) => Some(Step::Year),
        Ok(StatTimeAggType::Month) => Some(Step::Month),
        Ok(StatTimeAggType::Week) => Some(Step::Week),
        Ok(StatTimeAggType::Day) => Some(Step::Day),
        Ok(StatTimeAggType::Hour) => Some(Step::Hour),
        Ok(StatTimeAggType::Minute) => Some(Step::Minute),
        Err(_) => return Err(unknown("stat_time_agg_type")),
    };
    Ok(StatQuery {
        tags: query.tags.clone(),
        groups: query.tag_groups.clone(),
        aggregation,
        step,
        from_us: query.start_time.as_ref().map(documents::micros),
        to_us: query.end_time.as_ref().map(documents::micros),
    })
}

fn to_wire(aggregate: Aggregate) -> StatValueAggregate {
    StatValueAggregate {
        time: aggregate.at_us.and_then(documents::time),
        aggregate_value: aggregate.value as f32,
        count: aggregate.n_values,
        tags: aggregate.tags,
    }
}
