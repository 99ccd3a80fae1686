//! Datasets and the inputs in them: RPCs and wire forms.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ocellus_core::datasets::{self, Dataset as CoreDataset, DatasetPatch};
use ocellus_core::inputs::MAX_PER_CALL;
use ocellus_core::resources::{New, Stored};
use ocellus_core::{AppCtx, Error, Page, PatchAction, Result};
use prost::Message;

use crate::error::WireError;
use crate::modules::check_private;
use crate::pb::list_datasets_request::SortBy;
use crate::pb::status::{BaseResponse, Status, StatusCode as Code};
use crate::pb::visibility::Gettable;
use crate::pb::*;
use crate::queries::Of;
use crate::rpc::Cx;
use crate::{annotation_filters, documents, inputs, paging, saved_searches, searches, status};

pub async fn post_datasets(cx: Cx, req: PostDatasetsRequest) -> Result<MultiDatasetResponse> {
    let app = cx.app(req.user_app_id).await?;
    let mut new = Vec::with_capacity(req.datasets.len());
    for (i, dataset) in req.datasets.into_iter().enumerate() {
        new.push(new_dataset(&app, i, dataset).await?);
    }
    let made = datasets::create(&app, new).await?;
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
    let mut patches = Vec::with_capacity(req.datasets.len());
    for (i, dataset) in req.datasets.into_iter().enumerate() {
        patches.push(patch(&app, i, dataset).await?);
    }
    let changed = datasets::patch(&app, patches, action).await?;
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
        add_found(&app, &req.dataset_id, search, req.dataset_inputs.is_empty()).await?;
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

/// Adds all that a search finds, given or saved. The inputs of other datasets are added in any state, processed or not:
/// the way to merge datasets.
async fn add_found(app: &AppCtx, dataset_id: &str, search: Search, alone: bool) -> Result<()> {
    if !alone {
        return Err(Error::invalid("search", "and dataset_inputs exclude each other"));
    }
    let search = match search.query {
        None if !search.id.is_empty() => saved_searches::find(app, &search.id).await?,
        None => return Err(Error::invalid("search.query", "must be given, or the id of a saved search")),
        Some(_) => search,
    };
    if let Some(sources) = sources(&search) {
        for source in sources {
            datasets::add_all_of(app, dataset_id, source).await?;
        }
        return Ok(());
    }
    let query = searches::read_search(app, search, Of::Inputs, Page::default())?;
    let found = ocellus_core::search::all(app, query, usize::MAX - 1).await?;
    datasets::add_many(app, dataset_id, &found).await?;
    Ok(())
}

/// The datasets that a search asks for and nothing else.
fn sources(search: &Search) -> Option<&[String]> {
    let query = search.query.as_ref()?;
    let [filter] = &query.filters[..] else { return None };
    let input = filter.input.as_ref()?;
    let alone = Input { dataset_ids: input.dataset_ids.clone(), ..Input::default() };
    let only = Filter { input: Some(alone), ..Filter::default() };
    let is_only = query.ranks.is_empty() && query.ands.is_empty() && *filter == only;
    (is_only && !input.dataset_ids.is_empty()).then_some(&input.dataset_ids)
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

/// Refuses what nothing here acts on.
fn check(field: &str, dataset: &Dataset) -> Result<()> {
    check_private(&format!("{field}.visibility"), dataset.visibility.as_ref())?;
    let processing = dataset.default_processing_info.is_some();
    paging::refuse_fields(field, &[("default_processing_info", processing)])
}

/// The filter that versions are made by unless they say otherwise, as it is kept: one that is only named follows the
/// stored filter of that id. It is read first, so that one that could not be used is not kept.
async fn default_filter(
    app: &AppCtx,
    field: &str,
    given: Option<AnnotationFilter>,
) -> Result<Option<String>> {
    let Some(given) = given else { return Ok(None) };
    let kept = STANDARD.encode(given.encode_to_vec());
    annotation_filters::resolve(app, given, &format!("{field}.default_annotation_filter")).await?;
    Ok(Some(kept))
}

/// The filter of a dataset as it was given.
pub fn filter_of(dataset: &CoreDataset) -> Option<AnnotationFilter> {
    let bytes = STANDARD.decode(&dataset.default_filter).ok().filter(|bytes| !bytes.is_empty())?;
    AnnotationFilter::decode(&bytes[..]).ok()
}

fn image_url(field: &str, image: Option<Image>) -> Result<Option<String>> {
    match image {
        Some(image) if !image.base64.is_empty() => {
            Err(Error::invalid(format!("{field}.image"), "must be given by its url"))
        }
        image => Ok(image.map(|image| image.url)),
    }
}

async fn new_dataset(app: &AppCtx, i: usize, dataset: Dataset) -> Result<New<CoreDataset>> {
    let field = format!("datasets[{i}]");
    check(&field, &dataset)?;
    let mut doc = CoreDataset::default();
    doc.default_filter =
        default_filter(app, &field, dataset.default_annotation_filter).await?.unwrap_or_default();
    doc.image_url = image_url(&field, dataset.image)?.unwrap_or_default();
    doc.description = dataset.description;
    doc.notes = dataset.notes;
    doc.metadata = dataset.metadata.map(documents::from_struct).unwrap_or_default();
    doc.visibility = dataset.visibility.map(|v| v.gettable).unwrap_or_default();
    Ok(New { id: (!dataset.id.is_empty()).then_some(dataset.id), doc })
}

/// Empty strings mean "leave alone", since protobuf cannot tell them from absent.
async fn patch(app: &AppCtx, i: usize, dataset: Dataset) -> Result<DatasetPatch> {
    let field = format!("datasets[{i}]");
    check(&field, &dataset)?;
    let given = |s: String| (!s.is_empty()).then_some(s);
    Ok(DatasetPatch {
        id: dataset.id,
        description: given(dataset.description),
        notes: given(dataset.notes),
        metadata: dataset.metadata.map(documents::from_struct),
        visibility: dataset.visibility.map(|v| v.gettable),
        default_filter: default_filter(app, &field, dataset.default_annotation_filter).await?,
        image_url: image_url(&field, dataset.image)?,
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
        default_annotation_filter: filter_of(&dataset.doc),
        image: (!dataset.doc.image_url.is_empty())
            .then(|| Image { url: dataset.doc.image_url.clone(), ..Default::default() }),
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
