//! Searches: RPCs and the wire form of hits. How queries are read is in `queries.rs`.

use ocellus_core::search::{self, Hit as CoreHit, Hits, Metric as CoreMetric, Query as CoreQuery};
use ocellus_core::{AppCtx, Error, Page, Result};

use crate::pb::search::Metric;
use crate::pb::*;
use crate::queries::Of;
use crate::rpc::Cx;
use crate::{documents, inputs, paging, queries, saved_searches, status};

/// The most hits that paging reaches; clients look for the vendor's words.
const MAX_REACH: u32 = 10_000;

pub async fn post_searches(cx: Cx, req: PostSearchesRequest) -> Result<MultiSearchResponse> {
    let app = cx.app(req.user_app_id).await?;
    if saved_searches::wants_saving(&req.searches)? {
        return saved_searches::save(&app, req.searches, Of::Inputs).await;
    }
    let page = page(req.pagination.as_ref())?;
    let query = match (req.query, req.searches.into_iter().next()) {
        (_, Some(search)) => read_search(&app, search, Of::Inputs, page)?,
        (Some(query), None) => queries::as_caller(&app, queries::read(query, 0.0, page)?),
        (None, None) => queries::everything(page),
    };
    let hits = search::run(&app, query).await?;
    Ok(answer(&cx, &app, hits))
}

pub async fn post_inputs_searches(cx: Cx, req: PostInputsSearchesRequest) -> Result<MultiSearchResponse> {
    let app = cx.app(req.user_app_id).await?;
    if saved_searches::wants_saving(&req.searches)? {
        return saved_searches::save(&app, req.searches, Of::Inputs).await;
    }
    let page = page(req.pagination.as_ref())?;
    let query = CoreQuery { counted: req.only_count, ..only_search(&app, req.searches, page)? };
    let hits = search::run(&app, query).await?;
    let total = hits.total;
    let mut answer = answer(&cx, &app, hits);
    if req.only_count {
        answer.hits.clear();
        answer.hit_counts = total.map(|n| HitCount { estimated_total: n }).into_iter().collect();
    }
    Ok(answer)
}

pub fn page(pagination: Option<&Pagination>) -> Result<Page> {
    let page = paging::of(pagination)?;
    if page.page.saturating_mul(page.per_page) > MAX_REACH {
        return Err(Error::invalid("searches", format!("page * perPage cannot exceed {MAX_REACH}")));
    }
    Ok(page)
}

fn only_search(app: &AppCtx, searches: Vec<Search>, page: Page) -> Result<CoreQuery> {
    read_search(app, only(searches)?, Of::Inputs, page)
}

/// The one search of a request; none finds everything.
pub fn only(searches: Vec<Search>) -> Result<Search> {
    let n = searches.len();
    match searches.into_iter().next() {
        Some(search) if n == 1 => Ok(search),
        Some(_) => Err(Error::invalid("searches", "must hold one search")),
        None => Ok(Search::default()),
    }
}

/// A search in the core's terms.
pub fn read_search(app: &AppCtx, search: Search, of: Of, page: Page) -> Result<CoreQuery> {
    let metric = match Metric::try_from(search.metric) {
        Ok(Metric::NotSet | Metric::CosineDistance) => CoreMetric::Cosine,
        Ok(Metric::EuclideanDistance) => CoreMetric::Euclidean,
        Err(_) => {
            return Err(Error::invalid("searches.metric", "must be EUCLIDEAN_DISTANCE or COSINE_DISTANCE"));
        }
    };
    let as_of_us = search.as_of.as_ref().map(documents::micros);
    let query = queries::read_of(of, search.query.unwrap_or_default(), search.min_value, page)?;
    Ok(queries::as_caller(app, CoreQuery { metric, as_of_us, ..query }))
}

pub fn answer(cx: &Cx, app: &AppCtx, hits: Hits) -> MultiSearchResponse {
    MultiSearchResponse {
        status: status::success(),
        id: cx.platform.ids().id(),
        hits: hits.hits.iter().map(|hit| to_wire(cx, app, hit)).collect(),
        ..Default::default()
    }
}

fn to_wire(cx: &Cx, app: &AppCtx, hit: &CoreHit) -> Hit {
    Hit {
        score: hit.score,
        annotation: None,
        input: Some(inputs::to_wire(cx, app, &hit.input)),
        user_id: app.app().user_id.clone(),
        app_id: app.app().id.clone(),
    }
}
