//! Versions of datasets: RPCs, wire forms, counts and differences.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ocellus_core::datasets::exports::{self, Export, VersionRef};
use ocellus_core::datasets::frozen::Frozen;
use ocellus_core::datasets::versions::{
    self, NewVersion, Version, VersionFilter, VersionPatch, VersionState,
};
use ocellus_core::datasets::{self, Change, Metrics};
use ocellus_core::resources::Stored;
use ocellus_core::{AppCtx, Error, PatchAction, Result};
use prost::Message;
use prost_types::Value;
use prost_types::value::Kind;

use crate::modules::check_private;
use crate::pb::dataset_version::DataConfig;
use crate::pb::status::{BaseResponse, Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::Cx;
use crate::{annotation_filters, dataset_exports, datasets as wire, documents, frozen, paging, status};

pub async fn post_dataset_versions(
    cx: Cx,
    req: PostDatasetVersionsRequest,
) -> Result<MultiDatasetVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let dataset = datasets::get(&app, &req.dataset_id).await?.doc;
    let mut new = Vec::with_capacity(req.dataset_versions.len());
    for (i, mut version) in req.dataset_versions.into_iter().enumerate() {
        let usual = || wire::filter_of(&dataset).map(of_filter);
        version.data_config = version.data_config.or_else(usual);
        new.push(new_version(&app, i, version).await?);
    }
    let made = versions::create(&app, &req.dataset_id, new).await?;
    many(&cx, &app, &req.dataset_id, &made).await
}

pub async fn get_dataset_version(
    cx: Cx,
    req: GetDatasetVersionRequest,
) -> Result<SingleDatasetVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let version = versions::get(&app, &req.dataset_id, &req.dataset_version_id).await?;
    let answer = many(&cx, &app, &req.dataset_id, std::slice::from_ref(&version)).await?;
    let dataset_version = answer.dataset_versions.into_iter().next();
    Ok(SingleDatasetVersionResponse { status: status::success(), dataset_version })
}

pub async fn list_dataset_versions(
    cx: Cx,
    req: ListDatasetVersionsRequest,
) -> Result<MultiDatasetVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = versions::list(&app, &req.dataset_id, req.request_origins, page).await?;
    many(&cx, &app, &req.dataset_id, &found).await
}

pub async fn patch_dataset_versions(
    cx: Cx,
    req: PatchDatasetVersionsRequest,
) -> Result<MultiDatasetVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.dataset_versions.into_iter().enumerate().map(|(i, version)| patch(i, version));
    let patches = patches.collect::<Result<_>>()?;
    let changed = versions::patch(&app, &req.dataset_id, patches, action).await?;
    many(&cx, &app, &req.dataset_id, &changed).await
}

pub async fn delete_dataset_versions(cx: Cx, req: DeleteDatasetVersionsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    versions::delete(&app, &req.dataset_id, &req.dataset_version_ids).await?;
    Ok(BaseResponse { status: status::success() })
}

/// What a version holds by kind of input, in all, and by concept; nothing until the version is ready, which is how clients
/// see that they have to wait.
pub async fn list_dataset_version_metrics_groups(
    cx: Cx,
    req: ListDatasetVersionMetricsGroupsRequest,
) -> Result<MultiDatasetVersionMetricsGroupResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let version = versions::get(&app, &req.dataset_id, &req.dataset_version_id).await?.doc;
    paging::refuse(&[("parent_paths", !req.parent_paths.is_empty())])?;
    let mut groups = match version.state {
        VersionState::Ready => groups(&version),
        VersionState::Pending | VersionState::InProgress | VersionState::Failed => Vec::new(),
    };
    groups.retain(|group| {
        let of_type = req.types.is_empty() || req.types.contains(&group.r#type);
        let of_value = req.values.is_empty() || group.value.as_ref().is_some_and(|v| req.values.contains(v));
        of_type && of_value
    });
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let groups = groups.into_iter().skip(skip).take(page.per_page as usize).collect();
    Ok(MultiDatasetVersionMetricsGroupResponse {
        status: status::success(),
        dataset_version_metrics_groups: groups,
    })
}

fn groups(version: &Version) -> Vec<DatasetVersionMetricsGroup> {
    use DatasetVersionMetricsGroupType as Type;
    let group = |kind: Type, value: &str, of: &Metrics| DatasetVersionMetricsGroup {
        parent_path: String::new(),
        r#type: kind as i32,
        value: Some(Value { kind: Some(Kind::StringValue(value.to_owned())) }),
        metrics: Some(metrics(of)),
    };
    let counts = &version.counts;
    // Clients of today look for the counts over all inputs under this name, in a group of no type.
    let total = group(Type::NotSet, "total", &counts.total);
    let by_kind = counts.by_kind.iter().map(|(kind, of)| group(Type::InputType, kind, of));
    let by_concept = counts.by_concept.iter().map(|(id, of)| group(Type::ConceptId, id, of));
    std::iter::once(total).chain(by_kind).chain(by_concept).collect()
}

/// Which inputs differ between two versions, and in what.
pub async fn get_dataset_version_diff(
    cx: Cx,
    req: GetDatasetVersionDiffRequest,
) -> Result<SingleDatasetVersionDiffResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let (from, to) = (&req.dataset_version_id, &req.other_dataset_version_id);
    let diff = datasets::diff(&app, &req.dataset_id, from, to, page).await?;
    let concepts = |side: &Option<Frozen>| side.as_ref().map(frozen::concepts).unwrap_or_default();
    let regions = |side: &Option<Frozen>| side.as_ref().map(frozen::regions).unwrap_or_default();
    let inputs = diff.entries.iter().map(|entry| DatasetInputDiff {
        input_id: entry.input_id.clone(),
        change: match entry.change {
            Change::Added => "added".to_owned(),
            Change::Removed => "removed".to_owned(),
            Change::Changed => "changed".to_owned(),
        },
        content_changed: entry.content_changed,
        concepts_before: concepts(&entry.before),
        concepts_after: concepts(&entry.after),
        regions_before: regions(&entry.before),
        regions_after: regions(&entry.after),
    });
    Ok(SingleDatasetVersionDiffResponse {
        status: status::success(),
        added_count: diff.n_added,
        removed_count: diff.n_removed,
        changed_count: diff.n_changed,
        inputs: inputs.collect(),
    })
}

async fn many(
    cx: &Cx,
    app: &AppCtx,
    dataset_id: &str,
    found: &[Stored<Version>],
) -> Result<MultiDatasetVersionResponse> {
    let refs = found.iter().map(|version| VersionRef::from(&version.doc)).collect();
    let of_each = exports::of_versions(app, refs).await?;
    let versions =
        found.iter().zip(&of_each).map(|(version, exports)| to_wire(cx, app, dataset_id, version, exports));
    Ok(MultiDatasetVersionResponse { status: status::success(), dataset_versions: versions.collect() })
}

/// Refuses what a version cannot be made by here.
fn check(field: &str, version: &DatasetVersion) -> Result<()> {
    check_private(&format!("{field}.visibility"), version.visibility.as_ref())?;
    paging::refuse_fields(
        field,
        &[
            ("processing_info", version.processing_info.is_some()),
            ("embed_model_version_ids", !version.embed_model_version_ids.is_empty()),
        ],
    )
}

async fn new_version(app: &AppCtx, i: usize, version: DatasetVersion) -> Result<NewVersion> {
    check(&format!("dataset_versions[{i}]"), &version)?;
    let filter = match version.data_config {
        Some(DataConfig::AnnotationFilterConfig(config)) => Some(filter(app, i, config).await?),
        Some(DataConfig::ModelPredictConfig(_)) => {
            let field = format!("dataset_versions[{i}].data_config");
            return Err(Error::invalid(
                field,
                "must be an annotation filter: predictions make no versions here",
            ));
        }
        None => None,
    };
    let manual = DatasetVersionRequestOrigin::Manual as i32;
    if ![0, manual].contains(&version.request_origin) {
        let field = format!("dataset_versions[{i}].request_origin");
        return Err(Error::invalid(field, "must be MANUAL: the others are for the platform's own versions"));
    }
    Ok(NewVersion {
        id: (!version.id.is_empty()).then_some(version.id),
        description: version.description,
        metadata: version.metadata.map(documents::from_struct).unwrap_or_default(),
        visibility: version.visibility.map(|v| v.gettable).unwrap_or_default(),
        origin: manual,
        filter,
    })
}

fn of_filter(filter: AnnotationFilter) -> DataConfig {
    let annotation_filter = Some(filter);
    DataConfig::AnnotationFilterConfig(AnnotationFilterConfig { annotation_filter, ..Default::default() })
}

/// The annotations that a version is made of; a filter that is only named is kept as it is now.
async fn filter(app: &AppCtx, i: usize, config: AnnotationFilterConfig) -> Result<VersionFilter> {
    let field = format!("dataset_versions[{i}].annotation_filter_config.annotation_filter");
    let given = config.annotation_filter.ok_or_else(|| Error::invalid(&field, "must be given"))?;
    let (filters, annotation_filter) = annotation_filters::resolve(app, given, &field).await?;
    let without_empty = config.ignore_empty_inputs;
    let kept = AnnotationFilterConfig {
        annotation_filter: Some(annotation_filter),
        ignore_empty_inputs: without_empty,
    };
    Ok(VersionFilter { filters, without_empty, doc: STANDARD.encode(kept.encode_to_vec()) })
}

/// What a version is made of, as it was asked for.
fn data_config(doc: &Version) -> Option<DataConfig> {
    let bytes = STANDARD.decode(&doc.filter).ok().filter(|bytes| !bytes.is_empty())?;
    AnnotationFilterConfig::decode(&bytes[..]).ok().map(DataConfig::AnnotationFilterConfig)
}

/// Empty strings mean "leave alone", since protobuf cannot tell them from absent.
fn patch(i: usize, version: DatasetVersion) -> Result<VersionPatch> {
    let field = format!("dataset_versions[{i}]");
    check(&field, &version)?;
    paging::refuse_fields(&field, &[("data_config", version.data_config.is_some())])?;
    Ok(VersionPatch {
        id: version.id,
        description: (!version.description.is_empty()).then_some(version.description),
        metadata: version.metadata.map(documents::from_struct),
        visibility: version.visibility.map(|v| v.gettable),
    })
}

fn to_wire(
    cx: &Cx,
    app: &AppCtx,
    dataset_id: &str,
    version: &Stored<Version>,
    exports: &[Export],
) -> DatasetVersion {
    let doc = &version.doc;
    let is_ready = doc.state == VersionState::Ready;
    let total = is_ready.then(|| ("total".to_owned(), metrics(&doc.counts.total)));
    let place = (dataset_id, version.id.as_str());
    DatasetVersion {
        id: version.id.clone(),
        created_at: documents::time(version.created_at_us),
        modified_at: documents::time(version.modified_at_us),
        app_id: app.app().id.clone(),
        user_id: app.app().user_id.clone(),
        dataset_id: dataset_id.to_owned(),
        status: Some(state(cx, doc)),
        description: doc.description.clone(),
        metadata: documents::to_struct(&doc.metadata),
        visibility: wire::private(),
        request_origin: doc.origin,
        metrics: total.into_iter().collect(),
        export_info: dataset_exports::info(cx, app, place, exports),
        content_hash: doc.content_hash.clone(),
        status_counts: doc.counts.by_state.clone().into_iter().collect(),
        data_config: data_config(doc),
        ..Default::default()
    }
}

fn state(cx: &Cx, version: &Version) -> Status {
    let code = match version.state {
        VersionState::Pending => Code::DatasetVersionPending,
        VersionState::InProgress => Code::DatasetVersionInProgress,
        VersionState::Ready => Code::DatasetVersionReady,
        VersionState::Failed => Code::DatasetVersionFailure,
    };
    let (n_done, n_items) = version.progress;
    Status { details: version.error.clone(), percent_completed: percent(n_done, n_items), ..cx.status(code) }
}

/// How much is done, 0 to 100.
pub fn percent(n_done: u64, n_items: u64) -> u32 {
    let done = n_done.saturating_mul(100).checked_div(n_items).unwrap_or(0);
    u32::try_from(done.min(100)).unwrap_or(100)
}

/// Every count is there, also at zero: clients add them up without asking.
fn metrics(of: &Metrics) -> DatasetVersionMetrics {
    let n = Some;
    DatasetVersionMetrics {
        inputs_count: n(of.inputs),
        unlabeled_inputs_count: n(of.unlabeled_inputs),
        inputs_with_metadata_count: n(of.inputs_with_metadata),
        inputs_with_geo_count: n(of.inputs_with_geo),
        regions_count: n(of.regions),
        bounding_boxes_count: n(of.boxes),
        polygons_count: n(of.polygons),
        points_count: n(of.points),
        masks_count: n(of.masks),
        region_inputs_count: n(of.region_inputs),
        frames_count: n(of.frames),
        frame_inputs_count: n(of.frame_inputs),
        positive_input_tags_count: n(of.positive_input_tags),
        positive_region_tags_count: n(of.positive_region_tags),
        ..Default::default()
    }
}
