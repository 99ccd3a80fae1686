//! Searches for annotations: inputs are searched as by `searches.rs`, and the annotations that fit are the hits.

use ocellus_core::annotations::{self as core, AnnotationHit};
use ocellus_core::{AppCtx, Page, Result};

use crate::pb::status::StatusCode as Code;
use crate::pb::*;
use crate::queries::Of;
use crate::rpc::Cx;
use crate::saved_searches;
use crate::{annotations, documents, inputs, searches, status};

pub async fn post_annotations_searches(
    cx: Cx,
    req: PostAnnotationsSearchesRequest,
) -> Result<MultiSearchResponse> {
    let app = cx.app(req.user_app_id).await?;
    if saved_searches::wants_saving(&req.searches)? {
        return saved_searches::save(&app, req.searches, Of::Annotations).await;
    }
    let page = searches::page(req.pagination.as_ref())?;
    run(&cx, &app, searches::only(req.searches)?, page).await
}

/// Runs a search for annotations.
pub async fn run(cx: &Cx, app: &AppCtx, search: Search, page: Page) -> Result<MultiSearchResponse> {
    let query = searches::read_search(app, search, Of::Annotations, page)?;
    let found = core::search(app, query).await?;
    Ok(MultiSearchResponse {
        status: status::success(),
        id: cx.platform.ids().id(),
        hits: found.iter().map(|hit| to_wire(cx, app, hit)).collect(),
        ..Default::default()
    })
}

/// An input about which nothing was said has an empty annotation of the whole of it, with the input's id.
fn to_wire(cx: &Cx, app: &AppCtx, hit: &AnnotationHit) -> Hit {
    let annotation = match &hit.annotation {
        Some(annotation) => annotations::to_wire(cx, app, annotation),
        None => Annotation {
            id: hit.input.id.clone(),
            input_id: hit.input.id.clone(),
            user_id: app.app().user_id.clone(),
            input_level: true,
            status: Some(cx.status(Code::AnnotationSuccess)),
            created_at: documents::time(hit.input.created_at_us),
            modified_at: documents::time(hit.input.modified_at_us),
            data: Some(Data::default()),
            ..Default::default()
        },
    };
    Hit {
        score: hit.score,
        annotation: Some(annotation),
        input: Some(inputs::to_wire(cx, app, &hit.input)),
        user_id: app.app().user_id.clone(),
        app_id: app.app().id.clone(),
    }
}
