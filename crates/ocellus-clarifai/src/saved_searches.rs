//! Saved searches: RPCs and the wire form of a search.

use ocellus_core::resources::{self, Listing, New, Shelf, Stored};
use ocellus_core::search;
use ocellus_core::search::saved::{self, SavedSearch};
use ocellus_core::{AppCtx, Error, Page, PatchAction, Result};
use prost::Message;

use crate::patches::Fields;
use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::queries::Of;
use crate::rpc::Cx;
use crate::{annotation_searches, documents, paging, queries, searches, status};

pub async fn get_search(cx: Cx, req: GetSearchRequest) -> Result<SingleSearchResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = resources::get(&Shelf::from(&app), &req.id).await?;
    Ok(SingleSearchResponse { status: status::success(), search: Some(to_wire(&app, &found)?) })
}

pub async fn list_searches(cx: Cx, req: ListSearchesRequest) -> Result<MultiSearchResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = resources::list(&Shelf::from(&app), &Listing::default(), page).await?;
    many(&app, &found)
}

pub async fn patch_searches(cx: Cx, req: PatchSearchesRequest) -> Result<MultiSearchResponse> {
    let app = cx.app(req.user_app_id).await?;
    change(&app, req.searches, &req.action).await
}

pub async fn patch_inputs_searches(cx: Cx, req: PatchInputsSearchesRequest) -> Result<MultiSearchResponse> {
    let app = cx.app(req.user_app_id).await?;
    change(&app, req.searches, &req.action).await
}

pub async fn patch_annotations_searches(
    cx: Cx,
    req: PatchAnnotationsSearchesRequest,
) -> Result<MultiSearchResponse> {
    let app = cx.app(req.user_app_id).await?;
    change(&app, req.searches, &req.action).await
}

pub async fn delete_search(cx: Cx, req: DeleteSearchRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    resources::delete::<SavedSearch>(&Shelf::from(&app), &[req.id]).await?;
    Ok(BaseResponse { status: status::success() })
}

/// Runs a saved search.
pub async fn post_searches_by_id(cx: Cx, req: PostSearchesByIdRequest) -> Result<MultiSearchResponse> {
    let app = cx.app(req.user_app_id).await?;
    let saved = resources::get(&Shelf::from(&app), &req.id).await?;
    let search = to_wire(&app, &saved)?;
    let query = search.query.clone();
    let of_annotations = saved.doc.kind == kind_of(Of::Annotations);
    let page = searches::page(req.pagination.as_ref())?;
    let found = if of_annotations {
        annotation_searches::run(&cx, &app, search, page).await?
    } else {
        let query = searches::read_search(&app, search, Of::Inputs, page)?;
        searches::answer(&cx, &app, search::run(&app, query).await?)
    };
    Ok(MultiSearchResponse { id: saved.id, query, ..found })
}

/// A saved search by its id.
pub async fn find(app: &AppCtx, id: &str) -> Result<Search> {
    to_wire(app, &resources::get(&Shelf::from(app), id).await?)
}

/// Whether searches are to be saved instead of run: all of them or none.
pub fn wants_saving(searches: &[Search]) -> Result<bool> {
    let n_saved = searches.iter().filter(|search| search.save).count();
    if n_saved != 0 && n_saved != searches.len() {
        return Err(Error::invalid("searches.save", "must be the same for all searches of a request"));
    }
    Ok(n_saved > 0)
}

/// Saves searches. They are read first, so that one that could not be run is not saved.
pub async fn save(app: &AppCtx, searches: Vec<Search>, of: Of) -> Result<MultiSearchResponse> {
    let mut new = Vec::with_capacity(searches.len());
    for search in searches {
        searches::read_search(app, search.clone(), of, Page::default())?;
        new.push(New { id: Some(search.id.clone()), doc: from_wire(search, of) });
    }
    let made = resources::create(&Shelf::from(app), new).await?;
    many(app, &made)
}

async fn change(app: &AppCtx, searches: Vec<Search>, action: &str) -> Result<MultiSearchResponse> {
    let action = paging::action(action, PatchAction::Overwrite)?;
    let patches = searches.into_iter().map(patch).collect::<Result<_>>()?;
    let changed = resources::patch(&Shelf::from(app), patches, action).await?;
    many(app, &changed)
}

fn patch(search: Search) -> Result<(String, ocellus_core::JsonMap)> {
    if let Some(query) = &search.query {
        queries::read(query.clone(), search.min_value, Page::default())?;
    }
    let query = search.query.map(|query| saved::written(&query.encode_to_vec())).unwrap_or_default();
    let fields = Fields::default()
        .text("name", search.name)
        .text("query", query)
        .number("min_score", f64::from(search.min_value))
        .visibility("visibility", search.visibility);
    let (id, mut fields) = fields.of(search.id);
    if search.metric != 0 {
        fields.insert("metric".to_owned(), search.metric.into());
    }
    if let Some(as_of) = &search.as_of {
        fields.insert("as_of_us".to_owned(), documents::micros(as_of).into());
    }
    Ok((id, fields))
}

fn many(app: &AppCtx, found: &[Stored<SavedSearch>]) -> Result<MultiSearchResponse> {
    let searches = found.iter().map(|search| to_wire(app, search)).collect::<Result<_>>()?;
    Ok(MultiSearchResponse { status: status::success(), searches, ..Default::default() })
}

/// How what a search finds is written down.
fn kind_of(of: Of) -> i32 {
    match of {
        Of::Inputs => 0,
        Of::Annotations => 1,
    }
}

fn from_wire(search: Search, of: Of) -> SavedSearch {
    SavedSearch {
        name: search.name,
        query: saved::written(&search.query.unwrap_or_default().encode_to_vec()),
        min_score: search.min_value,
        metric: search.metric,
        as_of_us: search.as_of.as_ref().map(documents::micros),
        visibility: search.visibility.map_or(0, |visibility| visibility.gettable),
        kind: kind_of(of),
        ..SavedSearch::default()
    }
}

fn to_wire(app: &AppCtx, saved: &Stored<SavedSearch>) -> Result<Search> {
    let query = Query::decode(saved.doc.encoded_query()?.as_slice()).map_err(Error::internal)?;
    Ok(Search {
        query: Some(query),
        id: saved.id.clone(),
        application_id: app.app().id.clone(),
        name: saved.doc.name.clone(),
        as_of: saved.doc.as_of_us.and_then(documents::time),
        created_at: documents::time(saved.created_at_us),
        modified_at: documents::time(saved.modified_at_us),
        save: true,
        min_value: saved.doc.min_score,
        metric: saved.doc.metric,
        visibility: (saved.doc.visibility != 0).then_some(Visibility { gettable: saved.doc.visibility }),
        ..Default::default()
    })
}
