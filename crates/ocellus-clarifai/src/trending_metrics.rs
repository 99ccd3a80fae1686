//! Trending metrics: views of things in apps, and what was viewed most lately.

use ocellus_core::Result;
use ocellus_core::trending::{self, ViewType, Views};

use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{paging, status};

pub async fn post_trending_metrics_view(cx: Cx, req: PostTrendingMetricsViewRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    trending::view(&app, ViewType::from_name(&req.view_type)?, &req.object_id).await?;
    Ok(BaseResponse { status: status::success() })
}

/// Of an app, or of all apps of the account where neither request nor key names one.
pub async fn list_trending_metrics_views(
    cx: Cx,
    req: ListTrendingMetricsViewsRequest,
) -> Result<MultiTrendingMetricsViewResponse> {
    let page = paging::page(req.page, req.per_page)?;
    let view_type = ViewType::from_name(&req.view_type)?;
    let names_app = req.user_app_id.as_ref().is_some_and(|ids| !ids.app_id.is_empty());
    let found = if names_app || cx.caller()?.app_uid.is_some() {
        let app = cx.app(req.user_app_id).await?;
        trending::list(&app, view_type, page).await?
    } else {
        let account = cx.account(req.user_app_id).await?;
        trending::list_of_account(&account, view_type, page).await?
    };
    let metrics = found.into_iter().map(to_wire).collect();
    Ok(MultiTrendingMetricsViewResponse { status: status::success(), metrics })
}

fn to_wire(views: Views) -> TrendingMetric {
    TrendingMetric {
        user_id: views.account_id,
        app_id: views.app_id,
        object_id: views.object_id,
        view_count: u64::try_from(views.n_views).unwrap_or(0),
    }
}
