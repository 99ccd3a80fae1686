//! Runners: RPCs and the wire form. What they work on is in `runner_items.rs`.

use ocellus_core::resources::{Stored, missing};
use ocellus_core::runners::{self, Handling, ModelRef, NewRunner, Runner as CoreRunner, ServedModel};
use ocellus_core::{AccountCtx, Error, JsonMap, Resource, Result};
use serde_json::{Value, json};

use crate::pb::status::BaseResponse;
use crate::pb::worker::Worker as Served;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, paging, status};

pub async fn post_runners(cx: Cx, req: PostRunnersRequest) -> Result<MultiRunnerResponse> {
    let account = cx.account(req.user_app_id).await?;
    let place = (req.nodepool_id, req.compute_cluster_id);
    let new = req.runners.into_iter().map(|runner| new_runner(&account, &place, runner));
    let made = runners::create(&account, new.collect::<Result<_>>()?).await?;
    Ok(many(&account, &made))
}

pub async fn get_runner(cx: Cx, req: GetRunnerRequest) -> Result<SingleRunnerResponse> {
    let account = cx.account(req.user_app_id).await?;
    let found = runners::get(&account, &req.runner_id).await?;
    if !req.nodepool_id.is_empty() && req.nodepool_id != found.doc.nodepool_id {
        return Err(missing::<CoreRunner>(&req.runner_id));
    }
    Ok(SingleRunnerResponse { status: status::success(), runner: Some(to_wire(&account, &found)) })
}

pub async fn list_runners(cx: Cx, req: ListRunnersRequest) -> Result<MultiRunnerResponse> {
    paging::refuse(&[
        ("min_replicas", req.min_replicas != 0),
        ("model_version_ids", !req.model_version_ids.is_empty()),
    ])?;
    let account = cx.account(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = runners::list(&account, &req.nodepool_id, page).await?;
    Ok(many(&account, &found))
}

pub async fn delete_runners(cx: Cx, req: DeleteRunnersRequest) -> Result<BaseResponse> {
    let account = cx.account(req.user_app_id).await?;
    runners::delete(&account, &req.ids).await?;
    Ok(BaseResponse { status: status::success() })
}

/// `place`: the group of machines and the cluster of the path, which are only names to this server.
fn new_runner(account: &AccountCtx, place: &(String, String), runner: Runner) -> Result<NewRunner> {
    let model = runner.worker.map(|worker| served(account, worker)).transpose()?;
    let nodepool = runner.nodepool.unwrap_or_default();
    let cluster = nodepool.compute_cluster.unwrap_or_default();
    let or = |of_path: &String, own: String| if of_path.is_empty() { own } else { of_path.clone() };
    let doc = CoreRunner {
        description: runner.description,
        labels: runner.labels,
        model: None,
        compute: runner.compute_info.map(compute).unwrap_or_default(),
        nodepool_id: or(&place.0, nodepool.id),
        compute_cluster_id: or(&place.1, cluster.id),
        n_replicas: runner.num_replicas,
        min_replicas: runner.min_replicas,
        priority: runner.priority,
        special_handling: runner.special_handling.into_iter().map(handling).collect(),
        metadata: runner.metadata.map(documents::from_struct).unwrap_or_default(),
    };
    Ok(NewRunner { id: runner.id, doc, model })
}

fn handling(wire: SpecialHandling) -> Handling {
    Handling { id: wire.id, reason: wire.reason, done: wire.done }
}

/// Runners of this server serve models of their own account.
fn served(account: &AccountCtx, worker: Worker) -> Result<ModelRef> {
    let model = match worker.worker {
        Some(Served::Model(model)) => model,
        None => return Err(Error::invalid("runners.worker", "must name a model")),
        Some(Served::User(_) | Served::Workflow(_)) => {
            return Err(Error::invalid("runners.worker", "can only be a model on this server"));
        }
    };
    let own = ["", "me", account.account().id.as_str()];
    if !own.contains(&model.user_id.as_str()) {
        return Err(Error::not_found(Resource::Model(model.id)));
    }
    let version_id = model.model_version.map(|version| version.id).unwrap_or_default();
    Ok(ModelRef { app_id: model.app_id, model_id: model.id, version_id })
}

fn compute(info: ComputeInfo) -> JsonMap {
    let fields = [
        ("cpu_limit", json!(info.cpu_limit)),
        ("cpu_memory", json!(info.cpu_memory)),
        ("cpu_requests", json!(info.cpu_requests)),
        ("cpu_memory_requests", json!(info.cpu_memory_requests)),
        ("num_accelerators", json!(info.num_accelerators)),
        ("accelerator_memory", json!(info.accelerator_memory)),
        ("accelerator_type", json!(info.accelerator_type)),
        ("accelerator_topology", json!(info.accelerator_topology)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn compute_to_wire(info: &JsonMap) -> ComputeInfo {
    let text = |name| info.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let texts = |name| {
        let list = info.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let number = info.get("num_accelerators").and_then(Value::as_u64).unwrap_or_default();
    ComputeInfo {
        cpu_limit: text("cpu_limit"),
        cpu_memory: text("cpu_memory"),
        cpu_requests: text("cpu_requests"),
        cpu_memory_requests: text("cpu_memory_requests"),
        num_accelerators: u32::try_from(number).unwrap_or(u32::MAX),
        accelerator_memory: text("accelerator_memory"),
        accelerator_type: texts("accelerator_type"),
        accelerator_topology: texts("accelerator_topology"),
    }
}

fn many(account: &AccountCtx, found: &[Stored<CoreRunner>]) -> MultiRunnerResponse {
    let runners = found.iter().map(|runner| to_wire(account, runner)).collect();
    MultiRunnerResponse { status: status::success(), runners }
}

fn to_wire(account: &AccountCtx, runner: &Stored<CoreRunner>) -> Runner {
    let (doc, user_id) = (&runner.doc, &account.account().id);
    let cluster = (!doc.compute_cluster_id.is_empty())
        .then(|| ComputeCluster { id: doc.compute_cluster_id.clone(), ..Default::default() });
    let nodepool = (!doc.nodepool_id.is_empty() || cluster.is_some()).then(|| Nodepool {
        id: doc.nodepool_id.clone(),
        compute_cluster: cluster,
        ..Default::default()
    });
    Runner {
        id: runner.id.clone(),
        description: doc.description.clone(),
        created_at: documents::time(runner.created_at_us),
        modified_at: documents::time(runner.modified_at_us),
        metadata: documents::to_struct(&doc.metadata),
        user_id: user_id.clone(),
        labels: doc.labels.clone(),
        worker: doc.model.as_ref().map(|model| worker(user_id, model)),
        nodepool,
        compute_info: (!doc.compute.is_empty()).then(|| compute_to_wire(&doc.compute)),
        num_replicas: doc.n_replicas,
        min_replicas: doc.min_replicas,
        priority: doc.priority,
        special_handling: doc
            .special_handling
            .iter()
            .map(|known| SpecialHandling { id: known.id.clone(), reason: known.reason, done: known.done })
            .collect(),
        ..Default::default()
    }
}

fn worker(user_id: &str, served: &ServedModel) -> Worker {
    let version = (!served.version_id.is_empty())
        .then(|| Box::new(ModelVersion { id: served.version_id.clone(), ..Default::default() }));
    let model = Model {
        id: served.model_id.clone(),
        app_id: served.app_id.clone(),
        user_id: user_id.to_owned(),
        model_version: version,
        ..Default::default()
    };
    Worker { worker: Some(Served::Model(Box::new(model))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_is_like_survives_the_way_there_and_back() {
        let info = ComputeInfo {
            cpu_limit: "500m".to_owned(),
            num_accelerators: 2,
            accelerator_type: vec!["NVIDIA-A10G".to_owned()],
            ..Default::default()
        };
        assert_eq!(compute_to_wire(&compute(info.clone())), info);
        assert_eq!(compute_to_wire(&JsonMap::new()), ComputeInfo::default());
    }
}
