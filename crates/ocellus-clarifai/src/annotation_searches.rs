//! Searches for annotations: inputs are searched as by `searches.rs`, and the annotations that fit are the hits.

use ocellus_core::annotations::{self as core, AnnotationHit, AnnotationTerm};
use ocellus_core::{AppCtx, Page, Result};

use crate::pb::status::StatusCode as Code;
use crate::pb::*;
use crate::rpc::Cx;
use crate::saved_searches::{self, Kind};
use crate::{annotations, documents, inputs, searches, status};

pub async fn post_annotations_searches(
    cx: Cx,
    req: PostAnnotationsSearchesRequest,
) -> Result<MultiSearchResponse> {
    let app = cx.app(req.user_app_id).await?;
    if saved_searches::wants_saving(&req.searches)? {
        return saved_searches::save(&app, req.searches, Kind::Annotations).await;
    }
    let page = searches::page(req.pagination.as_ref())?;
    run(&cx, &app, searches::only(req.searches)?, page).await
}

/// Runs a search for annotations.
pub async fn run(cx: &Cx, app: &AppCtx, search: Search, page: Page) -> Result<MultiSearchResponse> {
    let terms = terms(app, &search)?;
    let query = searches::read_search(search, page)?;
    let found = core::search(app, query, terms, page).await?;
    Ok(MultiSearchResponse {
        status: status::success(),
        id: cx.platform.ids().id(),
        hits: found.iter().map(|hit| to_wire(cx, app, hit)).collect(),
        ..Default::default()
    })
}

/// What a search asks of annotations themselves; the rest it asks of their inputs.
fn terms(app: &AppCtx, search: &Search) -> Result<Vec<AnnotationTerm>> {
    let filters = search.query.iter().flat_map(|query| &query.filters);
    let of_annotations = filters.filter_map(|filter| Some((filter.negate, filter.annotation.as_ref()?)));
    of_annotations
        .map(|(negate, wanted)| {
            let status = wanted.status.as_ref().filter(|status| status.code != 0);
            let statuses =
                status.map(|status| annotations::read_status(status.code, "searches.query.filters"));
            let concepts = wanted.data.iter().flat_map(|data| &data.concepts);
            Ok(AnnotationTerm {
                negate,
                statuses: statuses.transpose()?.into_iter().collect(),
                account_id: annotations::own_name(app, wanted.user_id.clone()),
                model_version_id: wanted.model_version_id.clone(),
                task_id: wanted.task_id.clone(),
                concepts: concepts.map(|c| (c.id.clone(), c.name.clone(), c.value > 0.0)).collect(),
            })
        })
        .collect()
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
