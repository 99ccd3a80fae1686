//! How much of everything an app has.

use ocellus_core::datasets::Dataset;
use ocellus_core::modules::Module;
use ocellus_core::resources::{self, Document, Listing, Shelf};
use ocellus_core::{AppCtx, Result, inputs, user_models, workflows};

use crate::pb::*;
use crate::rpc::Cx;
use crate::status;

/// Pipelines do not exist on this server, so there are none of them.
pub async fn get_resource_counts(cx: Cx, req: GetResourceCountsRequest) -> Result<GetResourceCountsResponse> {
    let app = cx.app(req.user_app_id).await?;
    let n = inputs::count(&app).await?;
    let n_models = match app.is_public() {
        true => app.platform().catalog().list().len() as u64,
        false => user_models::count(&app).await?,
    };
    Ok(GetResourceCountsResponse {
        status: status::success(),
        datasets: count::<Dataset>(&app).await?,
        inputs: number(n.ready + n.pending + n.processing + n.failed),
        modules: count::<Module>(&app).await?,
        models: number(n_models),
        workflows: number(workflows::count(&app).await?),
        ..Default::default()
    })
}

async fn count<D: Document>(app: &AppCtx) -> Result<i64> {
    Ok(number(resources::count::<D>(&Shelf::from(app), &Listing::default()).await?))
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
