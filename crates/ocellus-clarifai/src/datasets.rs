//! Datasets and the inputs in them: RPCs and wire forms.

use ocellus_core::datasets::{self, Dataset as CoreDataset, DatasetPatch};
use ocellus_core::inputs::MAX_PER_CALL;
use ocellus_core::resources::{New, Stored};
use ocellus_core::{AppCtx, Error, PatchAction, Result};

use crate::error::WireError;
use crate::modules::check_private;
use crate::pb::list_datasets_request::SortBy;
use crate::pb::status::{BaseResponse, Status, StatusCode as Code};
use crate::pb::visibility::Gettable;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, inputs, paging, status};

pub async fn post_datasets(cx: Cx, req: PostDatasetsRequest) -> Result<MultiDatasetResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.datasets.into_iter().enumerate().map(|(i, dataset)| new_dataset(i, dataset));
    let made = datasets::create(&app, new.collect::<Result<_>>()?).await?;
    Ok(many(&app, &made))
}

pub async fn get_dataset(cx: Cx, req: GetDatasetRequest) -> Result<SingleDatasetResponse> {
    let app = cx.app(req.user_app_id).await?;
    let dataset = datasets::get(&app, &req.dataset_id).await?;
    Ok(SingleDatasetResponse { status: status::success(), dataset: Some(to_wire(&app, &dataset)) })
}

pub async fn list_datasets(cx: Cx, req: ListDatasetsRequest) -> Result<MultiDatasetResponse> {
    let app = cx.app(req.user_app_id).await?;
    let by_age = matches!(req.sort_by, None | Some(SortBy::SortByCreatedAt(_)));
    let words = if req.search.is_empty() { req.id } else { req.search };
    paging::refuse(&[("starred_only", req.starred_only), ("bookmark", req.bookmark), ("sort_by", !by_age)])?;
    // Sorted by age and not told which way, the vendor puts the newest first.
    let newest_first = req.sort_by.is_some() && !req.sort_ascending;
    let page = paging::page(req.page, req.per_page)?;
    let found = datasets::list(&app, page, newest_first, &words).await?;
    Ok(many(&app, &found))
}

pub async fn patch_datasets(cx: Cx, req: PatchDatasetsRequest) -> Result<MultiDatasetResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.datasets.into_iter().enumerate().map(|(i, dataset)| patch(i, dataset));
    let changed = datasets::patch(&app, patches.collect::<Result<_>>()?, action).await?;
    Ok(many(&app, &changed))
}

pub async fn delete_datasets(cx: Cx, req: DeleteDatasetsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    datasets::delete(&app, &req.dataset_ids).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn list_dataset_inputs(cx: Cx, req: ListDatasetInputsRequest) -> Result<MultiDatasetInputResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = datasets::inputs(&app, &req.dataset_id, page).await?;
    let dataset_inputs = found.iter().map(|item| input_to_wire(&cx, &app, item)).collect();
    Ok(MultiDatasetInputResponse { status: status::success(), dataset_inputs, ..Default::default() })
}

pub async fn get_dataset_input(cx: Cx, req: GetDatasetInputRequest) -> Result<SingleDatasetInputResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = datasets::input(&app, &req.dataset_id, &req.input_id).await?;
    let dataset_input = Some(input_to_wire(&cx, &app, &found));
    Ok(SingleDatasetInputResponse { status: status::success(), dataset_input })
}

/// Each input is added on its own, and its status says how that went. With a search in place of inputs, all that it finds
/// is added before the answer.
pub async fn post_dataset_inputs(cx: Cx, req: PostDatasetInputsRequest) -> Result<MultiDatasetInputResponse> {
    let app = cx.app(req.user_app_id).await?;
    if let Some(search) = req.search {
        add_found(&app, &req.dataset_id, &search, req.dataset_inputs.is_empty()).await?;
        return Ok(MultiDatasetInputResponse { status: status::success(), ..Default::default() });
    }
    let ids: Vec<String> =
        req.dataset_inputs.into_iter().map(|item| item.input.unwrap_or_default().id).collect();
    let results = datasets::add(&app, &req.dataset_id, ids.clone()).await?;
    let dataset_inputs: Vec<DatasetInput> = results
        .into_iter()
        .zip(ids)
        .map(|(result, id)| match result {
            Ok(item) => {
                let mut wire = input_to_wire(&cx, &app, &item);
                set_status(&mut wire, cx.status(Code::DatasetInputSuccess));
                wire
            }
            Err(error) => {
                let mut wire =
                    DatasetInput { input: Some(Input { id, ..Default::default() }), created_at: None };
                set_status(&mut wire, WireError::of(&error, cx.era).status(cx.era));
                wire
            }
        })
        .collect();
    let statuses =
        dataset_inputs.iter().map(|item| item.input.as_ref().and_then(|input| input.status.as_ref()));
    let status = status::of_items(cx.era, statuses, &[Code::DatasetInputSuccess]);
    Ok(MultiDatasetInputResponse { status: Some(status), dataset_inputs, ..Default::default() })
}

fn set_status(item: &mut DatasetInput, status: Status) {
    if let Some(input) = &mut item.input {
        input.status = Some(status);
    }
}

/// Of searches, only that for the inputs of other datasets can be added from: the way to merge datasets.
async fn add_found(app: &AppCtx, dataset_id: &str, search: &Search, alone: bool) -> Result<()> {
    if !alone {
        return Err(Error::invalid("search", "and dataset_inputs exclude each other"));
    }
    let sources =
        search.query.as_ref().and_then(|query| match (&query.filters[..], query.ranks.is_empty()) {
            ([filter], true) if !filter.negate => {
                filter.input.as_ref().map(|input| &input.dataset_ids).filter(|ids| !ids.is_empty())
            }
            _ => None,
        });
    let message = "must be one filter by input.dataset_ids; add what other searches find by input ids";
    for source in sources.ok_or_else(|| Error::invalid("search.query", message))? {
        datasets::add_all_of(app, dataset_id, source).await?;
    }
    Ok(())
}

pub async fn delete_dataset_inputs(cx: Cx, req: DeleteDatasetInputsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    if req.input_ids.len() > MAX_PER_CALL {
        return Err(Error::invalid("input_ids", format!("must hold 1 to {MAX_PER_CALL} items")));
    }
    datasets::remove(&app, &req.dataset_id, &req.input_ids).await?;
    Ok(BaseResponse { status: status::success() })
}

fn many(app: &AppCtx, found: &[Stored<CoreDataset>]) -> MultiDatasetResponse {
    let datasets = found.iter().map(|dataset| to_wire(app, dataset)).collect();
    MultiDatasetResponse { status: status::success(), datasets }
}

/// Refuses what would change how versions are made, since nothing here acts on it.
fn check(field: &str, dataset: &Dataset) -> Result<()> {
    check_private(&format!("{field}.visibility"), dataset.visibility.as_ref())?;
    paging::refuse_fields(
        field,
        &[
            ("default_annotation_filter", dataset.default_annotation_filter.is_some()),
            ("default_processing_info", dataset.default_processing_info.is_some()),
            ("image", dataset.image.is_some()),
        ],
    )
}

fn new_dataset(i: usize, dataset: Dataset) -> Result<New<CoreDataset>> {
    check(&format!("datasets[{i}]"), &dataset)?;
    let mut doc = CoreDataset::default();
    doc.description = dataset.description;
    doc.notes = dataset.notes;
    doc.metadata = dataset.metadata.map(documents::from_struct).unwrap_or_default();
    doc.visibility = dataset.visibility.map(|v| v.gettable).unwrap_or_default();
    Ok(New { id: (!dataset.id.is_empty()).then_some(dataset.id), doc })
}

/// Empty strings mean "leave alone", since protobuf cannot tell them from absent.
fn patch(i: usize, dataset: Dataset) -> Result<DatasetPatch> {
    check(&format!("datasets[{i}]"), &dataset)?;
    let given = |s: String| (!s.is_empty()).then_some(s);
    Ok(DatasetPatch {
        id: dataset.id,
        description: given(dataset.description),
        notes: given(dataset.notes),
        metadata: dataset.metadata.map(documents::from_struct),
        visibility: dataset.visibility.map(|v| v.gettable),
    })
}

fn to_wire(app: &AppCtx, dataset: &Stored<CoreDataset>) -> Dataset {
    Dataset {
        id: dataset.id.clone(),
        created_at: documents::time(dataset.created_at_us),
        modified_at: documents::time(dataset.modified_at_us),
        app_id: app.app().id.clone(),
        user_id: app.app().user_id.clone(),
        description: dataset.doc.description.clone(),
        notes: dataset.doc.notes.clone(),
        metadata: documents::to_struct(&dataset.doc.metadata),
        visibility: private(),
        ..Default::default()
    }
}

/// How far everything of an account can be seen.
#[expect(clippy::unnecessary_wraps, reason = "message fields are options")]
pub fn private() -> Option<Visibility> {
    Some(Visibility { gettable: Gettable::Private as i32 })
}

fn input_to_wire(cx: &Cx, app: &AppCtx, item: &datasets::DatasetInput) -> DatasetInput {
    DatasetInput {
        created_at: documents::time(item.added_at_us),
        input: Some(inputs::to_wire(cx, app, &item.input)),
    }
}
