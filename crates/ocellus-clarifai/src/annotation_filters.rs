//! Annotation filters: RPCs and the wire form. The search of a filter is kept as the message it came in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ocellus_core::annotation_filters::AnnotationFilter as CoreFilter;
use ocellus_core::resources::{self, Listing, New, Shelf, Stored};
use ocellus_core::search::Filter as Test;
use ocellus_core::{AppCtx, Error, JsonMap, Page, PatchAction, Result};
use prost::Message;

use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::queries::Of;
use crate::rpc::Cx;
use crate::{documents, paging, queries, searches, status};

pub async fn post_annotation_filters(
    cx: Cx,
    req: PostAnnotationFiltersRequest,
) -> Result<MultiAnnotationFilterResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.annotation_filters.into_iter().map(read).collect::<Result<_>>()?;
    let made = resources::create(&Shelf::from(&app), new).await?;
    Ok(many(&app, &made))
}

pub async fn get_annotation_filter(
    cx: Cx,
    req: GetAnnotationFilterRequest,
) -> Result<SingleAnnotationFilterResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = resources::get(&Shelf::from(&app), &req.annotation_filter_id).await?;
    let annotation_filter = Some(to_wire(&app, &found));
    Ok(SingleAnnotationFilterResponse { status: status::success(), annotation_filter })
}

pub async fn list_annotation_filters(
    cx: Cx,
    req: ListAnnotationFiltersRequest,
) -> Result<MultiAnnotationFilterResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = resources::list(&Shelf::from(&app), &Listing::default(), page).await?;
    Ok(many(&app, &found))
}

pub async fn patch_annotation_filters(
    cx: Cx,
    req: PatchAnnotationFiltersRequest,
) -> Result<MultiAnnotationFilterResponse> {
    let app = cx.app(req.user_app_id).await?;
    if paging::action(&req.action, PatchAction::Overwrite)? != PatchAction::Overwrite {
        return Err(Error::invalid("action", "must be overwrite"));
    }
    let patches = req.annotation_filters.into_iter().map(patch).collect::<Result<_>>()?;
    let changed = resources::patch(&Shelf::from(&app), patches, PatchAction::Overwrite).await?;
    Ok(many(&app, &changed))
}

pub async fn delete_annotation_filters(cx: Cx, req: DeleteAnnotationFiltersRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    resources::delete::<CoreFilter>(&Shelf::from(&app), &req.annotation_filter_ids).await?;
    Ok(BaseResponse { status: status::success() })
}

/// Reads a search to see that it makes sense; searches that rank are no filters.
fn search(search: &Search) -> Result<String> {
    let field = "annotation_filters.search";
    let query = search.query.clone().ok_or_else(|| Error::invalid(field, "must have a query"))?;
    let read = queries::read_of(Of::Annotations, query, search.min_value, Page::first(1))?;
    match read.ranks.is_empty() {
        true => Ok(STANDARD.encode(search.encode_to_vec())),
        false => Err(Error::invalid(format!("{field}.query"), "must have filters and no ranks")),
    }
}

/// What a filter asks for, and the filter as it is now: one that comes with its search, or a stored one by its id.
pub async fn resolve(
    app: &AppCtx,
    given: AnnotationFilter,
    field: &str,
) -> Result<(Vec<Test>, AnnotationFilter)> {
    let filter = match given.search.is_none() && !given.id.is_empty() {
        true => to_wire(app, &resources::get(&Shelf::from(app), &given.id).await?),
        false => given,
    };
    let asked = filter.search.clone().unwrap_or_default();
    let query = searches::read_search(app, asked, Of::Annotations, Page::first(1))?;
    match query.ranks.is_empty() {
        true => Ok((query.filters, filter)),
        false => Err(Error::invalid(format!("{field}.search.query"), "must have filters and no ranks")),
    }
}

fn read(wire: AnnotationFilter) -> Result<New<CoreFilter>> {
    let given = wire.search.ok_or_else(|| Error::invalid("annotation_filters.search", "must be given"))?;
    Ok(New { id: (!wire.id.is_empty()).then_some(wire.id), doc: CoreFilter { search: search(&given)? } })
}

fn patch(wire: AnnotationFilter) -> Result<(String, JsonMap)> {
    let mut fields = JsonMap::new();
    if let Some(given) = &wire.search {
        fields.insert("search".to_owned(), search(given)?.into());
    }
    Ok((wire.id, fields))
}

fn many(app: &AppCtx, found: &[Stored<CoreFilter>]) -> MultiAnnotationFilterResponse {
    let annotation_filters = found.iter().map(|filter| to_wire(app, filter)).collect();
    MultiAnnotationFilterResponse { status: status::success(), annotation_filters }
}

fn to_wire(app: &AppCtx, filter: &Stored<CoreFilter>) -> AnnotationFilter {
    // What was stored was encoded by `search`.
    let bytes = STANDARD.decode(&filter.doc.search).unwrap_or_default();
    AnnotationFilter {
        id: filter.id.clone(),
        created_at: documents::time(filter.created_at_us),
        modified_at: documents::time(filter.modified_at_us),
        user_id: app.app().user_id.clone(),
        app_id: app.app().id.clone(),
        search: Some(Search::decode(&bytes[..]).unwrap_or_default()),
    }
}
