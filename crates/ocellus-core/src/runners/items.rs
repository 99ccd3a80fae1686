//! The work of runners: a prediction puts an item into the store and waits, a runner takes it under a lease and answers.
//!
//! An item whose runner dies is handed out once more when the lease ends, and fails when that one dies too. The first
//! answer counts, whoever gives it. Request and answer are bytes here: what is in them is the affair of the dialect.

use std::time::Duration;

use ocellus_store as store;
use store::RunnerItem as Item;

use super::Runner;
use crate::resources::{self, Stored, account_uid};
use crate::user_models::UserModel;
use crate::{AccountCtx, AppCtx, Error, Kind, Platform, Resource, Result};

/// How often an item is handed out.
pub const MAX_DELIVERIES: i64 = 2;
/// The largest request, in bytes.
const MAX_REQUEST_BYTES: usize = 64 << 20;
/// How long ended items are known after their deadline, so that late answers are told what became of them.
const KEEP_US: i64 = 600_000_000;
/// What people call an item, in errors.
pub const NOUN: &str = "runner item";

/// A prediction to be made by a runner.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// The version that is asked for; empty for any.
    pub version_id: String,
    /// What the runner is to be told.
    pub request: Vec<u8>,
    /// How many inputs it has.
    pub n_inputs: usize,
}

/// An item in the hands of a runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The id of the item.
    pub id: String,
    /// What is asked.
    pub request: Vec<u8>,
    /// Who has it, and for which time it was handed out, to tell this delivery from another of the same item.
    runner_id: String,
    attempts: i64,
}

/// What a runner says to an item.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What the asker is to be told.
    pub outputs: Vec<u8>,
    /// For how many inputs there is an output; `None` when the whole item failed.
    pub n_outputs: Option<usize>,
}

/// Has a runner predict, and returns its answer. `Unavailable` when too many wait for this model already, `Timeout` when
/// no runner answers in time.
pub async fn predict(app: &AppCtx, model: &UserModel, new: NewItem) -> Result<Vec<u8>> {
    let platform = app.platform();
    let id = enqueue(app, model, new).await?;
    platform.runner_items_changed().notify_waiters();
    match tokio::time::timeout(platform.runners_config().predict_timeout, answered(platform, &id)).await {
        Ok(result) => result,
        Err(_) => give_up(platform, &id, &model.id).await,
    }
}

async fn enqueue(app: &AppCtx, model: &UserModel, new: NewItem) -> Result<String> {
    if new.request.len() > MAX_REQUEST_BYTES {
        let message = format!("the request is larger than {MAX_REQUEST_BYTES} bytes, too much for a runner");
        return Err(Error::too_large(message));
    }
    let platform = app.platform();
    let (config, now_us) = (platform.runners_config(), platform.clock().now_us());
    let row = Item {
        id: platform.ids().id(),
        account_id: app.app().user_id.clone(),
        app_uid: app.uid().to_owned(),
        model_uid: model.uid.clone(),
        model_id: model.id.clone(),
        model_version_id: new.version_id,
        request: new.request,
        n_inputs: i64::try_from(new.n_inputs).unwrap_or(i64::MAX),
        due_at_us: now_us,
        deadline_us: now_us.saturating_add(micros(config.predict_timeout)),
        created_at_us: now_us,
        ..Item::default()
    };
    let (id, queue_len) = (row.id.clone(), i64::try_from(config.queue_len).unwrap_or(i64::MAX));
    let write = move |tx: &mut store::Tx<'_>| {
        tx.purge_runner_items(now_us.saturating_sub(KEEP_US))?;
        if tx.app_by_uid(&row.app_uid)?.is_none_or(|app| app.deleted_at_us.is_some()) {
            return Err(Error::not_found(Resource::Model(row.model_id.clone())));
        }
        if tx.count_open_runner_items(&row.account_id, &row.model_uid, now_us)? >= queue_len {
            let message = "too many predictions wait for the runners of this model";
            return Err(Error::unavailable(message).about(Resource::Model(row.model_id.clone())));
        }
        Ok(tx.insert_runner_item(&row)?)
    };
    platform.store().write(write).await?;
    Ok(id)
}

/// Waits until an item has ended.
async fn answered(platform: &Platform, id: &str) -> Result<Vec<u8>> {
    loop {
        let changed = platform.runner_items_changed().notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if let Some(answer) = look(platform, id).await? {
            return Ok(answer);
        }
        look_again(platform, changed).await;
    }
}

/// The answer, if there is one. An item that was handed out as often as allowed fails when its last lease ends.
async fn look(platform: &Platform, id: &str) -> Result<Option<Vec<u8>>> {
    let wanted = id.to_owned();
    let row = platform.store().read(move |tx| Ok::<_, Error>(tx.runner_item(&wanted)?)).await?;
    let Some(row) = row else { return Err(gone(id)) };
    match row.state {
        Item::ANSWERED => return Ok(Some(row.outputs)),
        Item::WAITING => return Ok(None),
        Item::RUNNING if row.attempts < MAX_DELIVERIES || platform.clock().now_us() < row.due_at_us => {
            return Ok(None);
        }
        _ => {}
    }
    let wanted = id.to_owned();
    let end = move |tx: &mut store::Tx<'_>| {
        tx.end_runner_item(&wanted, Item::FAILED, &[])?;
        Ok::<_, Error>(tx.runner_item(&wanted)?)
    };
    match platform.store().write(end).await? {
        Some(row) if row.state == Item::ANSWERED => Ok(Some(row.outputs)),
        _ => {
            let message = "the runners that took this prediction ended without an answer";
            Err(Error::unavailable(message).about(about(id)))
        }
    }
}

/// The time is over: nobody shall work on the item any more, unless it was answered at the last moment.
async fn give_up(platform: &Platform, id: &str, model_id: &str) -> Result<Vec<u8>> {
    let wanted = id.to_owned();
    let end = move |tx: &mut store::Tx<'_>| {
        tx.end_runner_item(&wanted, Item::CANCELLED, &[])?;
        Ok::<_, Error>(tx.runner_item(&wanted)?)
    };
    match platform.store().write(end).await? {
        Some(row) if row.state == Item::ANSWERED => Ok(row.outputs),
        _ => {
            let message = format!("no runner of model '{model_id}' answered in time");
            Err(Error::timeout(message).about(Resource::Model(model_id.to_owned())))
        }
    }
}

/// What came first for a runner that waits for work.
pub enum Next<T> {
    /// An item.
    Item(Delivery),
    /// What it was not to wait any longer for.
    Stop(T),
}

/// The next item for a runner, after some time at most; `None` when there was none. `NotFound` when there is no such
/// runner, also when it is deleted meanwhile.
pub async fn next(account: &AccountCtx, runner_id: &str) -> Result<Option<Delivery>> {
    let poll = tokio::time::sleep(account.platform().runners_config().poll);
    match next_until(account, runner_id, poll).await? {
        Next::Item(delivery) => Ok(Some(delivery)),
        Next::Stop(()) => Ok(None),
    }
}

/// Like [`next`], until `stop` is ready. That is only looked at while no item is being taken, so that none gets lost.
pub async fn next_until<T>(
    account: &AccountCtx,
    runner_id: &str,
    stop: impl Future<Output = T>,
) -> Result<Next<T>> {
    let platform = account.platform();
    tokio::pin!(stop);
    loop {
        let changed = platform.runner_items_changed().notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if let Some(delivery) = take(account, runner_id).await? {
            return Ok(Next::Item(delivery));
        }
        tokio::select! {
            () = look_again(platform, changed) => {}
            stopped = &mut stop => return Ok(Next::Stop(stopped)),
        }
    }
}

/// Until something changed here, or may have changed in another process.
async fn look_again(platform: &Platform, changed: impl Future<Output = ()>) {
    let look = Duration::from_millis(platform.jobs_config().poll_ms.max(1));
    // Either is a reason.
    let _ = tokio::time::timeout(look, changed).await;
}

/// Hands the runner the item that has waited longest, if there is one now.
pub async fn take(account: &AccountCtx, runner_id: &str) -> Result<Option<Delivery>> {
    own(account, runner_id)?;
    let platform = account.platform();
    let now_us = platform.clock().now_us();
    let claim = store::RunnerClaim {
        now_us,
        lease_until_us: now_us.saturating_add(micros(platform.runners_config().lease)),
        max_attempts: MAX_DELIVERIES,
    };
    let (account_id, runner_id) = (account.account().id.clone(), runner_id.to_owned());
    let write = move |tx: &mut store::Tx<'_>| {
        let runner = runner(tx, &account_id, &runner_id)?.doc;
        let of = match &runner.model {
            Some(model) => vec![store::RunnerItemsOf::Model(&model.model_uid, &model.version_id)],
            None => runner.labels.iter().map(|label| store::RunnerItemsOf::ModelId(label)).collect(),
        };
        for of in of {
            if let Some(row) = tx.claim_runner_item(&account_id, &runner_id, of, claim)? {
                return Ok::<_, Error>(Some(row));
            }
        }
        Ok(None)
    };
    let taken = platform.store().write(write).await?;
    Ok(taken.map(|row| Delivery {
        id: row.id,
        request: row.request,
        runner_id: row.runner_id,
        attempts: row.attempts,
    }))
}

/// Keeps an item with its runner for another while; false when it has ended or went to another.
pub async fn keep(account: &AccountCtx, delivery: &Delivery) -> Result<bool> {
    let platform = account.platform();
    let until_us = platform.clock().now_us().saturating_add(micros(platform.runners_config().lease));
    set_lease(account, delivery, until_us).await
}

/// Gives an item back unanswered, so that another runner may take it at once.
pub async fn give_back(account: &AccountCtx, delivery: &Delivery) -> Result<bool> {
    let given_back = set_lease(account, delivery, account.platform().clock().now_us()).await;
    account.platform().runner_items_changed().notify_waiters();
    given_back
}

async fn set_lease(account: &AccountCtx, delivery: &Delivery, until_us: i64) -> Result<bool> {
    let Delivery { id, runner_id, attempts, .. } = delivery;
    let (id, runner_id, attempts) = (id.clone(), runner_id.clone(), *attempts);
    let write = move |tx: &mut store::Tx<'_>| {
        Ok::<_, Error>(tx.extend_runner_item(&id, &runner_id, attempts, until_us)?)
    };
    account.platform().store().write(write).await
}

/// Takes a runner's answer, once. `NotFound` unless the runner has the item, `Conflict` when there is an answer already,
/// `Cancelled` when nobody waits for it any more.
pub async fn answer(account: &AccountCtx, runner_id: &str, item_id: &str, answer: Answer) -> Result<()> {
    own(account, runner_id)?;
    let now_us = account.platform().clock().now_us();
    let (account_id, runner_id, id) =
        (account.account().id.clone(), runner_id.to_owned(), item_id.to_owned());
    let write = move |tx: &mut store::Tx<'_>| {
        runner(tx, &account_id, &runner_id)?;
        let row = tx.runner_item(&id)?;
        let row = row.filter(|row| row.account_id == account_id && row.runner_id == runner_id);
        let row = row.ok_or_else(|| Error::not_found(about(&id)))?;
        check_open(&row, now_us)?;
        match answer.n_outputs {
            Some(n) if i64::try_from(n) != Ok(row.n_inputs) => {
                let message = format!("must hold an output for each of the {} inputs, not {n}", row.n_inputs);
                return Err(Error::invalid("runner_item_outputs", message));
            }
            _ => tx.end_runner_item(&id, Item::ANSWERED, &answer.outputs)?,
        };
        Ok(())
    };
    account.platform().store().write(write).await?;
    account.platform().runner_items_changed().notify_waiters();
    Ok(())
}

fn check_open(row: &Item, now_us: i64) -> Result<()> {
    match row.state {
        Item::ANSWERED => Err(Error::conflict(about(&row.id), "the item has been answered already")),
        Item::FAILED => {
            Err(Error::conflict(about(&row.id), "the item has failed, because its runners took too long"))
        }
        Item::CANCELLED => Err(cancelled(&row.id)),
        _ if row.deadline_us <= now_us => Err(cancelled(&row.id)),
        _ => Ok(()),
    }
}

fn cancelled(id: &str) -> Error {
    Error::cancelled("nobody waits for the item any more").about(about(id))
}

fn gone(id: &str) -> Error {
    Error::cancelled("the model was deleted while the prediction was waiting").about(about(id))
}

fn about(id: &str) -> Resource {
    Resource::Other(NOUN, id.to_owned())
}

fn runner(tx: &store::Tx<'_>, account_id: &str, id: &str) -> Result<Stored<Runner>> {
    let found = resources::find(tx, &account_uid(account_id), "", id)?;
    found.ok_or_else(|| resources::missing::<Runner>(id))
}

/// Runners work for their account only, and with keys that reach all its apps.
fn own(account: &AccountCtx, runner_id: &str) -> Result<()> {
    if account.is_public() {
        return Err(resources::missing::<Runner>(runner_id));
    }
    if account.caller().app_uid.is_some() {
        let message = "the key belongs to one app; this needs a personal access token";
        return Err(
            Error::new(Kind::Forbidden, message).about(Resource::Key(account.caller().key_id.clone()))
        );
    }
    Ok(())
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
