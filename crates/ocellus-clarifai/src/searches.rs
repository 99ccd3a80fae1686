//! Searches: RPCs and the wire form of hits. How queries are read is in `queries.rs`.

use ocellus_core::search::{self, Hit as CoreHit, Hits, Query as CoreQuery};
use ocellus_core::{AppCtx, Error, Page, Result};

use crate::pb::status::StatusCode as Code;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, inputs, paging, queries, status};

/// The most hits that paging reaches; clients look for the vendor's words.
const MAX_REACH: u32 = 10_000;

pub async fn post_searches(cx: Cx, req: PostSearchesRequest) -> Result<MultiSearchResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = page(req.pagination.as_ref())?;
    let query = match (req.query, req.searches.into_iter().next()) {
        (_, Some(search)) => read_search(search, page)?,
        (Some(query), None) => queries::read(query, 0.0, page)?,
        (None, None) => queries::everything(page),
    };
    let hits = search::run(&app, query).await?;
    Ok(answer(&cx, &app, hits, false))
}

pub async fn post_inputs_searches(cx: Cx, req: PostInputsSearchesRequest) -> Result<MultiSearchResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = page(req.pagination.as_ref())?;
    let hits = search::run(&app, only_search(req.searches, page)?).await?;
    let total = hits.total;
    let mut answer = answer(&cx, &app, hits, false);
    if req.only_count {
        answer.hits.clear();
        answer.hit_counts = total.map(|n| HitCount { estimated_total: n }).into_iter().collect();
    }
    Ok(answer)
}

/// Every input has one annotation, the one of the whole image; its id is the input's.
pub async fn post_annotations_searches(
    cx: Cx,
    req: PostAnnotationsSearchesRequest,
) -> Result<MultiSearchResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = page(req.pagination.as_ref())?;
    let hits = search::run(&app, only_search(req.searches, page)?).await?;
    Ok(answer(&cx, &app, hits, true))
}

fn page(pagination: Option<&Pagination>) -> Result<Page> {
    let page = paging::of(pagination)?;
    if page.page.saturating_mul(page.per_page) > MAX_REACH {
        return Err(Error::invalid("searches", format!("page * perPage cannot exceed {MAX_REACH}")));
    }
    Ok(page)
}

fn only_search(searches: Vec<Search>, page: Page) -> Result<CoreQuery> {
    let n = searches.len();
    match searches.into_iter().next() {
        Some(search) if n == 1 => read_search(search, page),
        Some(_) => Err(Error::invalid("searches", "must hold one search")),
        None => Ok(queries::everything(page)),
    }
}

fn read_search(search: Search, page: Page) -> Result<CoreQuery> {
    if search.save {
        return Err(Error::unsupported("saved searches are not implemented by this server"));
    }
    queries::read(search.query.unwrap_or_default(), search.min_value, page)
}

fn answer(cx: &Cx, app: &AppCtx, hits: Hits, with_annotations: bool) -> MultiSearchResponse {
    MultiSearchResponse {
        status: status::success(),
        id: cx.platform.ids().id(),
        hits: hits.hits.iter().map(|hit| to_wire(cx, app, hit, with_annotations)).collect(),
        ..Default::default()
    }
}

fn to_wire(cx: &Cx, app: &AppCtx, hit: &CoreHit, with_annotation: bool) -> Hit {
    let input = inputs::to_wire(cx, app, &hit.input);
    let annotation = with_annotation.then(|| Annotation {
        id: hit.input.id.clone(),
        input_id: hit.input.id.clone(),
        user_id: app.app().user_id.clone(),
        input_level: true,
        status: Some(cx.status(Code::AnnotationSuccess)),
        created_at: documents::time(hit.input.created_at_us),
        modified_at: documents::time(hit.input.modified_at_us),
        data: Some(Data {
            concepts: input.data.as_ref().map(|d| d.concepts.clone()).unwrap_or_default(),
            ..Default::default()
        }),
        ..Default::default()
    });
    Hit {
        score: hit.score,
        annotation,
        input: Some(input),
        user_id: app.app().user_id.clone(),
        app_id: app.app().id.clone(),
    }
}
