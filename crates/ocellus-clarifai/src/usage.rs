//! Usage and billing: what an account has used, by kind and by day, and what that costs.

use ocellus_core::Result;
use ocellus_core::usage::{self, Cycle, History, Item, Series};
use prost_types::Duration;

use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, paging, status};

pub async fn get_realtime_usage(cx: Cx, req: GetRealtimeUsageRequest) -> Result<GetRealtimeUsageResponse> {
    let app_id = app_id(req.user_app_id.as_ref());
    let account = cx.account(req.user_app_id).await?;
    let counts = usage::realtime(&account, app_id.as_deref()).await?;
    let count = |(kind, n): (usage::OperationKind, u64)| RealtimeCount {
        op_type: kind.name().to_owned(),
        count: i64::try_from(n).unwrap_or(i64::MAX),
    };
    let realtime_usage = counts.into_iter().map(count).collect();
    Ok(GetRealtimeUsageResponse { status: status::success(), realtime_usage })
}

pub async fn post_historical_usage(
    cx: Cx,
    req: PostHistoricalUsageRequest,
) -> Result<PostHistoricalUsageResponse> {
    let app_id = app_id(req.user_app_id.as_ref());
    let account = cx.account(req.user_app_id).await?;
    let History { start_us, end_us, series } = usage::history(&account, app_id.as_deref()).await?;
    let usage = series.into_iter().map(|series| DimensionList {
        start_date: documents::time(start_us),
        end_date: documents::time(end_us),
        ..dimensions(series)
    });
    let interval = Some(Duration { seconds: History::INTERVAL_S, nanos: 0 });
    Ok(PostHistoricalUsageResponse { status: status::success(), interval, usage: usage.collect() })
}

/// The history is told by the day; there is no other interval.
#[expect(clippy::unused_async, reason = "handlers are async")]
pub async fn list_usage_intervals(
    _cx: Cx,
    _req: ListUsageIntervalsRequest,
) -> Result<ListUsageIntervalsResponse> {
    let days = UsageInterval {
        interval: UsageIntervalType::Day.as_str_name().to_owned(),
        range: i32::try_from(History::N_DAYS).unwrap_or(i32::MAX),
    };
    Ok(ListUsageIntervalsResponse { status: status::success(), usage_intervals: vec![days] })
}

pub async fn get_billing_usage(cx: Cx, _req: GetBillingUsageRequest) -> Result<GetBillingUsageResponse> {
    let account = cx.account(None).await?;
    let bill = usage::bill(&account).await?;
    let invoice_items = bill.items.into_iter().map(invoice_item).collect();
    let billing_cycle = Some(billing_cycle(bill.cycle));
    Ok(GetBillingUsageResponse { status: status::success(), invoice_items, billing_cycle })
}

pub async fn list_user_billing_cycles(
    cx: Cx,
    req: ListUserBillingCyclesRequest,
) -> Result<ListUserBillingCyclesResponse> {
    let page = paging::page(req.page, req.per_page)?;
    let account = cx.account(req.user_app_id).await?;
    let cycles = usage::cycles(&account, page).await?;
    let billing_cycles = cycles.into_iter().map(billing_cycle).collect();
    Ok(ListUserBillingCyclesResponse { status: status::success(), billing_cycles })
}

pub async fn get_subscription(cx: Cx, _req: GetSubscriptionRequest) -> Result<SingleSubscriptionResponse> {
    let account = cx.account(None).await?;
    let (plan, signup_code) = usage::subscription(&account).await?;
    let plan = Some(Plan { name: plan.name });
    Ok(SingleSubscriptionResponse { status: status::success(), plan, signup_code })
}

pub async fn post_subscription(cx: Cx, req: PostSubscriptionRequest) -> Result<SingleSubscriptionResponse> {
    let account = cx.account(None).await?;
    let wanted = req.plan.unwrap_or_default().name;
    let plan = usage::subscribe(&account, &wanted, &req.signup_code).await?;
    let plan = Some(Plan { name: plan.name });
    Ok(SingleSubscriptionResponse { status: status::success(), plan, signup_code: req.signup_code })
}

/// The one app that is asked about, if one is named.
fn app_id(ids: Option<&UserAppIdSet>) -> Option<String> {
    ids.map(|ids| ids.app_id.clone()).filter(|id| !id.is_empty())
}

fn dimensions(series: Series) -> DimensionList {
    let used = series.used;
    let named = [
        ("op_type", used.kind),
        ("operation", used.operation),
        ("app_user_id", used.app_owner_id),
        ("app_id", used.app_id),
        ("key_id", used.key_id),
        ("model_id", used.model_id),
    ];
    let named = named.into_iter().filter(|(_, value)| !value.is_empty());
    DimensionList {
        dimension: named.map(|(name, value)| (name.to_owned(), value)).collect(),
        int_value_list: series.n_operations,
        ..Default::default()
    }
}

fn invoice_item(item: Item) -> InvoiceItem {
    InvoiceItem {
        op_type: item.kind.name().to_owned(),
        bill_type: "per_operation".to_owned(),
        price_per_op: item.price,
        count: item.n_operations as f64,
        dollars: item.dollars(),
        notes: String::new(),
    }
}

fn billing_cycle(cycle: Cycle) -> BillingCycle {
    BillingCycle {
        start_date: documents::time(cycle.start_us),
        end_date: documents::time(cycle.end_us),
        cycle_id: cycle.number,
    }
}
