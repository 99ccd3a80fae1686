//! Label orders: RPCs and the wire form.

use ocellus_core::label_orders::{self, LabelOrder as CoreOrder, OrderStatus};
use ocellus_core::resources::{self, Listing, New, Shelf, Stored};
use ocellus_core::tasks as core_tasks;
use ocellus_core::{AppCtx, Error, JsonMap, PatchAction, Result};

use crate::pb::status::{BaseResponse, StatusCode as Code};
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, paging, status, task_answers, tasks};

pub async fn post_label_orders(cx: Cx, req: PostLabelOrdersRequest) -> Result<MultiLabelOrderResponse> {
    let app = cx.app(req.user_app_id).await?;
    let mut new = req.label_orders.into_iter().map(|order| read(&app, order)).collect::<Result<Vec<_>>>()?;
    for task in new.iter_mut().filter_map(|(_, task)| task.as_mut()) {
        tasks::find(&app, &mut task.doc).await?;
    }
    let made = label_orders::create(&app, new).await?;
    many(&cx, &app, &made).await
}

pub async fn get_label_order(cx: Cx, req: GetLabelOrderRequest) -> Result<SingleLabelOrderResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = resources::get(&Shelf::from(&app), &req.label_order_id).await?;
    let label_order = Some(to_wire(&cx, &app, &found).await?);
    Ok(SingleLabelOrderResponse { status: status::success(), label_order })
}

pub async fn list_label_orders(cx: Cx, req: ListLabelOrdersRequest) -> Result<MultiLabelOrderResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = resources::list(&Shelf::from(&app), &Listing::default(), page).await?;
    many(&cx, &app, &found).await
}

pub async fn patch_label_orders(cx: Cx, req: PatchLabelOrdersRequest) -> Result<MultiLabelOrderResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.label_orders.into_iter().map(patch).collect::<Result<_>>()?;
    let changed = resources::patch(&Shelf::from(&app), patches, action).await?;
    many(&cx, &app, &changed).await
}

pub async fn delete_label_orders(cx: Cx, req: DeleteLabelOrdersRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    label_orders::delete(&app, &req.ids).await?;
    Ok(BaseResponse { status: status::success() })
}

fn read(app: &AppCtx, order: LabelOrder) -> Result<(New<CoreOrder>, Option<New<core_tasks::Task>>)> {
    let task = order.task.map(|task| tasks::read(app, task)).transpose()?;
    let status = order.status.filter(|status| status.code != 0);
    let doc = CoreOrder {
        name: order.name,
        status: status.map(|status| read_status(status.code)).transpose()?.unwrap_or_default(),
        auto_release: order.auto_release,
        allow_empty: order.allow_empty_tag,
        desired_at_us: order.desired_fulfill_time.as_ref().map(documents::micros),
        expected_at_us: order.estimate_fulfill_time.as_ref().map(documents::micros),
        task_id: String::new(),
    };
    Ok((New { id: (!order.id.is_empty()).then_some(order.id), doc }, task))
}

/// The fields that are given; flags can only be set, since protobuf cannot tell false from absent.
fn patch(order: LabelOrder) -> Result<(String, JsonMap)> {
    if order.task.is_some() {
        return Err(Error::invalid("label_orders.task", "cannot be changed; patch the task itself"));
    }
    let mut fields = JsonMap::new();
    let mut set = |name: &str, value: serde_json::Value| fields.insert(name.to_owned(), value);
    if !order.name.is_empty() {
        set("name", order.name.into());
    }
    if let Some(status) = order.status.filter(|status| status.code != 0) {
        set("status", serde_json::to_value(read_status(status.code)?).map_err(Error::internal)?);
    }
    if order.auto_release {
        set("auto_release", true.into());
    }
    if order.allow_empty_tag {
        set("allow_empty", true.into());
    }
    if let Some(time) = &order.desired_fulfill_time {
        set("desired_at_us", documents::micros(time).into());
    }
    if let Some(time) = &order.estimate_fulfill_time {
        set("expected_at_us", documents::micros(time).into());
    }
    Ok((order.id, fields))
}

fn read_status(code: i32) -> Result<OrderStatus> {
    match Code::try_from(code) {
        Ok(Code::LabelOrderPending) => Ok(OrderStatus::Pending),
        Ok(Code::LabelOrderInProgress) => Ok(OrderStatus::InProgress),
        Ok(Code::LabelOrderSuccess) => Ok(OrderStatus::Success),
        Ok(Code::LabelOrderCanceled) => Ok(OrderStatus::Cancelled),
        Ok(_) | Err(_) => Err(Error::invalid("label_orders.status.code", "must be 55001 to 55004")),
    }
}

async fn many(cx: &Cx, app: &AppCtx, found: &[Stored<CoreOrder>]) -> Result<MultiLabelOrderResponse> {
    let mut label_orders = Vec::with_capacity(found.len());
    for order in found {
        label_orders.push(to_wire(cx, app, order).await?);
    }
    Ok(MultiLabelOrderResponse { status: status::success(), label_orders })
}

async fn to_wire(cx: &Cx, app: &AppCtx, order: &Stored<CoreOrder>) -> Result<LabelOrder> {
    let doc = &order.doc;
    let code = match doc.status {
        OrderStatus::Pending => Code::LabelOrderPending,
        OrderStatus::InProgress => Code::LabelOrderInProgress,
        OrderStatus::Success => Code::LabelOrderSuccess,
        OrderStatus::Cancelled => Code::LabelOrderCanceled,
    };
    let ids = [doc.task_id.as_str()];
    let found: Vec<Stored<core_tasks::Task>> = resources::get_many(&Shelf::from(app), &ids).await?;
    Ok(LabelOrder {
        id: order.id.clone(),
        name: doc.name.clone(),
        status: Some(cx.status(code)),
        auto_release: doc.auto_release,
        allow_empty_tag: doc.allow_empty,
        desired_fulfill_time: doc.desired_at_us.and_then(documents::time),
        estimate_fulfill_time: doc.expected_at_us.and_then(documents::time),
        task: found.first().map(|task| task_answers::to_wire(cx, app, task)),
        created_at: documents::time(order.created_at_us),
        modified_at: documents::time(order.modified_at_us),
    })
}
