//! Reading inputs: one, several, a page, a stream, their number.

use ocellus_store::InputQuery;

use super::rows::{self, STATE_FAILED, STATE_PENDING, STATE_PROCESSING, STATE_READY};
use super::{Input, InputCounts, InputListing, StateFilter, StreamOrder};
use crate::{AppCtx, Error, Resource, Result};

/// One input. `NotFound` if it does not exist.
pub async fn get(app: &AppCtx, id: &str) -> Result<Input> {
    let found = get_many(app, &[id.to_owned()]).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found(Resource::Input(id.to_owned())))
}

/// The inputs with these ids, in their order; missing ones are left out.
pub async fn get_many(app: &AppCtx, ids: &[String]) -> Result<Vec<Input>> {
    if app.is_guest() {
        return Ok(Vec::new());
    }
    let (uid, ids) = (app.uid().to_owned(), ids.to_vec());
    app.platform().store().read(move |tx| rows::load(tx, &uid, &ids)).await
}

/// Those of `get_many` that are in one of these states; all if none is given.
pub async fn get_many_in(app: &AppCtx, ids: &[String], states: &[StateFilter]) -> Result<Vec<Input>> {
    let mut found = get_many(app, ids).await?;
    found.retain(|input| states.is_empty() || states.contains(&StateFilter::of(&input.state)));
    Ok(found)
}

/// A page of the app's inputs in order of creation; empty beyond the end.
pub async fn list(app: &AppCtx, listing: InputListing) -> Result<Vec<Input>> {
    let page = listing.page.check()?;
    let query = InputQuery {
        states: listing.states.iter().copied().map(StateFilter::number).collect(),
        newest_first: listing.newest_first,
        after_seq: None,
        limit: page.limit(),
        offset: page.offset(),
    };
    read_page(app, query).await
}

/// Up to `per_page` (1 to 1000) inputs created after the one named, or from the start. Unlike pages, a stream misses and
/// repeats nothing while inputs are added or deleted.
pub async fn stream(app: &AppCtx, last_id: Option<&str>, per_page: u32) -> Result<Vec<Input>> {
    let limit = crate::Page::first(per_page).check()?.limit();
    let after_seq = match last_id.filter(|id| !id.is_empty()) {
        Some(id) => Some(get(app, id).await?.seq),
        None => None,
    };
    read_page(app, InputQuery { after_seq, limit, ..InputQuery::default() }).await
}

/// Like [`stream`] in any order. By id, the one named need not exist.
pub async fn stream_by(
    app: &AppCtx,
    last_id: Option<&str>,
    per_page: u32,
    order: StreamOrder,
) -> Result<Vec<Input>> {
    let descending = match order {
        StreamOrder::Oldest => return stream(app, last_id, per_page).await,
        StreamOrder::Newest => return newest(app, last_id, per_page).await,
        StreamOrder::Id => false,
        StreamOrder::IdDescending => true,
    };
    let limit = crate::Page::first(per_page).check()?.limit();
    let (uid, last_id) = (app.uid().to_owned(), last_id.filter(|id| !id.is_empty()).map(str::to_owned));
    let read = move |tx: &mut ocellus_store::Tx<'_>| {
        let found = tx.inputs_by_id_order(&uid, last_id.as_deref(), descending, limit)?;
        rows::assemble(tx, &uid, found)
    };
    app.platform().store().read(read).await
}

async fn newest(app: &AppCtx, last_id: Option<&str>, per_page: u32) -> Result<Vec<Input>> {
    let limit = crate::Page::first(per_page).check()?.limit();
    let after_seq = match last_id.filter(|id| !id.is_empty()) {
        Some(id) => Some(get(app, id).await?.seq),
        None => None,
    };
    read_page(app, InputQuery { after_seq, limit, newest_first: true, ..InputQuery::default() }).await
}

async fn read_page(app: &AppCtx, query: InputQuery) -> Result<Vec<Input>> {
    let uid = app.uid().to_owned();
    let read = move |tx: &mut ocellus_store::Tx<'_>| {
        let found = tx.inputs_page(&uid, &query)?;
        rows::assemble(tx, &uid, found)
    };
    app.platform().store().read(read).await
}

/// How many inputs the app has, by state.
pub async fn count(app: &AppCtx) -> Result<InputCounts> {
    let uid = app.uid().to_owned();
    let by_state = app.platform().store().read(move |tx| Ok::<_, Error>(tx.count_inputs(&uid)?)).await?;
    let of = |state: i64| by_state.get(&state).and_then(|n| u64::try_from(*n).ok()).unwrap_or(0);
    Ok(InputCounts {
        pending: of(STATE_PENDING),
        processing: of(STATE_PROCESSING),
        ready: of(STATE_READY),
        failed: of(STATE_FAILED),
    })
}
