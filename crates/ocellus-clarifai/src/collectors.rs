//! Collectors: RPCs and the wire form.

use ocellus_core::collectors::{self, Collector as CoreCollector, Counts, Source};
use ocellus_core::resources::{self, Listing, New, Shelf, Stored};
use ocellus_core::{JsonMap, PatchAction, Result};

use crate::patches::{Deletion, Fields, deletion};
use crate::pb::status::{BaseResponse, Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, paging, status};

pub async fn post_collectors(cx: Cx, req: PostCollectorsRequest) -> Result<MultiCollectorResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.collectors.into_iter().map(new_collector).collect();
    let made = collectors::create(&app, new).await?;
    Ok(many(&cx, &made))
}

pub async fn get_collector(cx: Cx, req: GetCollectorRequest) -> Result<SingleCollectorResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = resources::get(&Shelf::from(&app), &req.collector_id).await?;
    Ok(SingleCollectorResponse { status: status::success(), collector: Some(to_wire(&cx, &found)) })
}

pub async fn list_collectors(cx: Cx, req: ListCollectorsRequest) -> Result<MultiCollectorResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = resources::list(&Shelf::from(&app), &Listing::default(), page).await?;
    Ok(many(&cx, &found))
}

pub async fn patch_collectors(cx: Cx, req: PatchCollectorsRequest) -> Result<MultiCollectorResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.collectors.into_iter().map(patch).collect();
    let changed = collectors::patch(&app, patches, action).await?;
    Ok(many(&cx, &changed))
}

pub async fn delete_collectors(cx: Cx, req: DeleteCollectorsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    let shelf = Shelf::from(&app);
    match deletion(req.ids, req.delete_all)? {
        Deletion::Ids(ids) => resources::delete::<CoreCollector>(&shelf, &ids).await?,
        Deletion::All => {
            resources::delete_all::<CoreCollector>(&shelf).await?;
        }
    }
    Ok(BaseResponse { status: status::success() })
}

fn many(cx: &Cx, found: &[Stored<CoreCollector>]) -> MultiCollectorResponse {
    let collectors = found.iter().map(|collector| to_wire(cx, collector)).collect();
    MultiCollectorResponse { status: status::success(), collectors }
}

fn new_collector(collector: Collector) -> New<CoreCollector> {
    let doc = CoreCollector {
        description: collector.description,
        pre_queue_workflow_id: collector.pre_queue_workflow_id,
        pre_queue_random_sample: collector.pre_queue_random_sample,
        post_queue_workflow_id: collector.post_queue_workflow_id,
        source: collector.collector_source.and_then(source).unwrap_or_default(),
        ..CoreCollector::default()
    };
    New { id: Some(collector.id), doc }
}

fn patch(collector: Collector) -> (String, JsonMap, Option<Source>) {
    let fields = Fields::default()
        .text("description", collector.description)
        .text("pre_queue_workflow_id", collector.pre_queue_workflow_id)
        .number("pre_queue_random_sample", collector.pre_queue_random_sample.into())
        .text("post_queue_workflow_id", collector.post_queue_workflow_id);
    let (id, fields) = fields.of(collector.id);
    (id, fields, collector.collector_source.and_then(source))
}

fn source(wire: CollectorSource) -> Option<Source> {
    wire.api_post_model_outputs_collector_source.map(|from| Source {
        model_user_id: from.model_user_id,
        model_app_id: from.model_app_id,
        model_id: from.model_id,
        model_version_id: from.model_version_id,
        post_inputs_key_id: from.post_inputs_key_id,
        caller_user_id: from.caller_user_id,
    })
}

fn to_wire(cx: &Cx, collector: &Stored<CoreCollector>) -> Collector {
    let doc = &collector.doc;
    let from = ApiPostModelOutputsCollectorSource {
        model_user_id: doc.source.model_user_id.clone(),
        model_app_id: doc.source.model_app_id.clone(),
        model_id: doc.source.model_id.clone(),
        model_version_id: doc.source.model_version_id.clone(),
        post_inputs_key_id: doc.source.post_inputs_key_id.clone(),
        caller_user_id: doc.source.caller_user_id.clone(),
    };
    Collector {
        id: collector.id.clone(),
        description: doc.description.clone(),
        created_at: documents::time(collector.created_at_us),
        pre_queue_workflow_id: doc.pre_queue_workflow_id.clone(),
        pre_queue_random_sample: doc.pre_queue_random_sample,
        post_queue_workflow_id: doc.post_queue_workflow_id.clone(),
        collector_source: Some(CollectorSource { api_post_model_outputs_collector_source: Some(from) }),
        status: Some(Status { details: told(&doc.counts), ..cx.status(Code::Success) }),
    }
}

/// What became of what a collector heard, in words.
fn told(counts: &Counts) -> String {
    let Counts { n_taken, n_filtered, n_failed, last_failure } = counts;
    let failure = if last_failure.is_empty() { String::new() } else { format!(": {last_failure}") };
    format!("collected {n_taken} inputs, kept out {n_filtered}, could not collect {n_failed}{failure}")
}
