//! Bulk operations: RPCs and the wire form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ocellus_core::bulk::{self, AnnotationSource, Bulk, BulkConcept, BulkState, Change, NewBulk, Targets};
use ocellus_core::search::Filter as CoreFilter;
use ocellus_core::{AppCtx, Error, Page, Result};
use prost::Message;

use crate::pb::bulk_operation::{AnnotationSource as WireAnnotations, InputSource};
use crate::pb::dataset_split::MethodInfo;
use crate::pb::operation::{AnnotationOperation, Operation as Wanted};
use crate::pb::status::{BaseResponse, Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::Cx;
use crate::{annotations, documents, input_data, paging, queries, status};

const FIELD: &str = "bulk_operations";

pub async fn post_bulk_operations(
    cx: Cx,
    req: PostBulkOperationsRequest,
) -> Result<MultiBulkOperationsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.bulk_operations.into_iter().map(|wire| read(&app, wire)).collect::<Result<_>>()?;
    let made = bulk::create(&app, new).await?;
    Ok(many(&cx, &app, &made))
}

pub async fn list_bulk_operations(
    cx: Cx,
    req: ListBulkOperationsRequest,
) -> Result<MultiBulkOperationsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = bulk::list(&app, paging::page(req.page, req.per_page)?).await?;
    Ok(many(&cx, &app, &found))
}

pub async fn get_bulk_operation(
    cx: Cx,
    req: GetBulkOperationRequest,
) -> Result<SingleBulkOperationsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = bulk::get(&app, &req.id).await?;
    let bulk_operation = Some(to_wire(&cx, &app, &found));
    Ok(SingleBulkOperationsResponse { status: status::success(), bulk_operation })
}

pub async fn cancel_bulk_operations(
    cx: Cx,
    req: CancelBulkOperationRequest,
) -> Result<MultiBulkOperationsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = bulk::cancel(&app, &req.ids).await?;
    Ok(many(&cx, &app, &found))
}

pub async fn delete_bulk_operations(cx: Cx, req: DeleteBulkOperationRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    bulk::delete(&app, &req.ids).await?;
    Ok(BaseResponse { status: status::success() })
}

fn many(cx: &Cx, app: &AppCtx, found: &[Bulk]) -> MultiBulkOperationsResponse {
    let bulk_operation = found.iter().map(|bulk| to_wire(cx, app, bulk)).collect();
    MultiBulkOperationsResponse { status: status::success(), bulk_operation }
}

fn read(app: &AppCtx, wire: BulkOperation) -> Result<NewBulk> {
    let echo = BulkOperation {
        input_source: wire.input_source.clone(),
        annotation_source: wire.annotation_source.clone(),
        operation: wire.operation.clone(),
        ..Default::default()
    };
    let operation = wire.operation.unwrap_or_default();
    Ok(NewBulk {
        targets: targets(app, wire.input_source, wire.annotation_source)?,
        change: change(app, operation)?,
        echo: STANDARD.encode(echo.encode_to_vec()),
    })
}

fn targets(
    app: &AppCtx,
    inputs: Option<InputSource>,
    annotations: Option<WireAnnotations>,
) -> Result<Targets> {
    match (inputs, annotations) {
        (Some(InputSource::InputIds(ids)), None) => Ok(Targets::Inputs(ids.input_ids)),
        (Some(InputSource::Search(search)), None) => Ok(Targets::Search(filters(app, search)?)),
        (Some(InputSource::Dataset(dataset)), None) => Ok(Targets::Dataset(dataset.id)),
        (None, Some(WireAnnotations::AnnotationSearch(search))) => {
            Ok(Targets::Annotations(annotation_source(app, search)?))
        }
        (Some(_), Some(_)) | (None, None) => {
            Err(Error::invalid(FIELD, "must have one input_source or annotation_source"))
        }
    }
}

/// A bulk operation changes everything that a search finds, so the search must only filter.
fn filters(app: &AppCtx, search: Search) -> Result<Vec<CoreFilter>> {
    if search.query.is_none() && !search.id.is_empty() {
        return Err(Error::invalid(format!("{FIELD}.search"), "must have a query"));
    }
    let query = queries::read(search.query.unwrap_or_default(), 0.0, Page::first(1))?;
    let query = queries::as_caller(app, query);
    match query.ranks.is_empty() && search.min_value == 0.0 {
        true => Ok(query.filters),
        false => Err(Error::invalid(format!("{FIELD}.search.query"), "must have filters and no ranks")),
    }
}

/// Reads filters of annotations: by input, worker, status, task and concepts. All must hold, so of each kind one is taken.
pub fn annotation_source(app: &AppCtx, search: Search) -> Result<AnnotationSource> {
    let query = search.query.unwrap_or_default();
    let field = format!("{FIELD}.annotation_search.query");
    let mut source = AnnotationSource::default();
    let only = |list: &mut Vec<String>, id: String, name: &str| match (id.is_empty(), list.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => {
            list.push(id);
            Ok(())
        }
        (false, false) => Err(Error::invalid(format!("{field}.filters"), format!("must have one {name}"))),
    };
    if !query.ands.is_empty() || !query.ranks.is_empty() {
        return Err(Error::invalid(field, "must have filters only"));
    }
    for filter in query.filters {
        if filter.negate || filter.input.is_some() || filter.last_updated_time_range.is_some() {
            return Err(Error::invalid(
                format!("{field}.filters"),
                "must be of annotations, and not negated",
            ));
        }
        let wanted = filter.annotation.unwrap_or_default();
        only(&mut source.input_ids, wanted.input_id, "input_id")?;
        only(&mut source.account_ids, annotations::own_name(app, wanted.user_id), "user_id")?;
        only(&mut source.model_version_ids, wanted.model_version_id, "model_version_id")?;
        if !wanted.task_id.is_empty() {
            source.task_id = Some(wanted.task_id);
        }
        if let Some(status) = wanted.status.filter(|status| status.code != 0) {
            source.statuses.push(annotations::read_status(status.code, &format!("{field}.status"))?);
        }
        let concepts = wanted.data.unwrap_or_default().concepts;
        if !concepts.is_empty() && !source.concept_ids.is_empty() {
            return Err(Error::invalid(format!("{field}.filters"), "must have one list of concepts"));
        }
        source.concept_ids.extend(concepts.into_iter().map(|concept| concept.id));
    }
    Ok(source)
}

fn change(app: &AppCtx, operation: Operation) -> Result<Change> {
    let field = format!("{FIELD}.operation");
    match (operation.operation, operation.annotation_operation) {
        (None, Some(AnnotationOperation::DeleteAnnotations(_))) => Ok(Change::DeleteAnnotations),
        (Some(wanted), None) => change_of_inputs(app, wanted, &field),
        (Some(_), Some(_)) | (None, None) => Err(Error::invalid(field, "must be one operation")),
    }
}

fn change_of_inputs(app: &AppCtx, wanted: Wanted, field: &str) -> Result<Change> {
    let metadata = |given: Option<prost_types::Struct>| given.map(documents::from_struct).unwrap_or_default();
    Ok(match wanted {
        Wanted::AddConcepts(given) => Change::AddConcepts { concepts: concepts(given.concepts) },
        Wanted::DeleteConcepts(given) => Change::DeleteConcepts {
            concepts: concepts(given.concepts),
            account_ids: given.user_ids.into_iter().map(|id| annotations::own_name(app, id)).collect(),
        },
        Wanted::AddMetadata(given) => Change::AddMetadata { metadata: metadata(given.metadata) },
        Wanted::DeleteMetadata(given) => Change::DeleteMetadata { metadata: metadata(given.metadata) },
        Wanted::OverwriteGeo(given) => {
            let geo = given.geo.as_ref().and_then(input_data::geo_point);
            let missing = || Error::invalid(format!("{field}.overwrite_geo.geo.geo_point"), "must be given");
            Change::OverwriteGeo { geo: geo.ok_or_else(missing)? }
        }
        Wanted::DeleteGeo(_) => Change::DeleteGeo,
        Wanted::AddToDataset(given) => Change::AddToDataset { dataset_id: given.dataset_id },
        Wanted::DeleteFromDataset(given) => Change::DeleteFromDataset { dataset_id: given.dataset_id },
        Wanted::SplitIntoDatasets(given) => {
            let splits = given.dataset_splits.into_iter().map(|split| {
                let id = split.dataset.unwrap_or_default().id;
                match split.method_info {
                    Some(MethodInfo::Percentage(percent)) => Ok((id, percent)),
                    None => Err(Error::invalid(format!("{field}.dataset_splits"), "must have percentages")),
                }
            });
            Change::SplitIntoDatasets { splits: splits.collect::<Result<_>>()? }
        }
    })
}

fn concepts(list: Vec<Concept>) -> Vec<BulkConcept> {
    list.into_iter().map(|c| BulkConcept { id: c.id, name: c.name, value: c.value }).collect()
}

fn to_wire(cx: &Cx, app: &AppCtx, bulk: &Bulk) -> BulkOperation {
    // What was stored was encoded by `read`.
    let bytes = STANDARD.decode(&bulk.echo).unwrap_or_default();
    let echo = BulkOperation::decode(&bytes[..]).unwrap_or_default();
    let code = match bulk.state {
        BulkState::Pending => Code::BulkOperationPending,
        BulkState::InProgress => Code::BulkOperationInProgress,
        BulkState::Success => Code::BulkOperationSuccess,
        BulkState::Failed => Code::BulkOperationFailed,
        BulkState::Cancelled => Code::BulkOperationCancelled,
    };
    BulkOperation {
        id: bulk.id.clone(),
        app_id: app.app().id.clone(),
        status: Some(Status { details: bulk.error.clone(), ..cx.status(code) }),
        progress: Some(Progress {
            processed: u32::try_from(bulk.processed).unwrap_or(u32::MAX),
            last_processed_id: bulk.last_id.clone(),
        }),
        created_by: bulk.account_id.clone(),
        created_at: documents::time(bulk.created_at_us),
        last_modified_at: documents::time(bulk.modified_at_us),
        ..echo
    }
}
