//! Documents of many kinds that behave alike: made, found, listed, changed and deleted within an app or an account.
//!
//! A kind is a serde type with [`Document`] implemented for it; everything else is here. Ids are unique within a
//! [`Shelf`]: an app or account, or a parent in it, such as the module of a module version.

mod change;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ocellus_store as store;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use change::{change, delete, delete_all, patch};
pub(crate) use change::{change_with, delete_with};

use crate::accounts::check_id;
use crate::{AccountCtx, AppCtx, Error, JsonMap, Page, PatchAction, Platform, Resource, Result};

/// A kind of stored document.
pub trait Document: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the kind in the store; never changed once released.
    const KIND: &'static str;
    /// What people call one of them, such as "module version".
    const NOUN: &'static str;
    /// The list of them in a request, such as "module_versions": the start of the fields in errors.
    const FIELD: &'static str;

    /// What it is about, to list by.
    fn about(&self) -> String {
        String::new()
    }

    /// Where it stands, to list by.
    fn state(&self) -> i64 {
        0
    }

    /// The key of its content in the blob store, if it has such; kept there as long as the document says so.
    fn blob(&self) -> Option<String> {
        None
    }

    /// Refuses a document that makes no sense, before it is written.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// A document with what the platform knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<D> {
    /// Unique within its shelf.
    pub id: String,
    /// The thing of the same owner that it belongs to, if it belongs to one.
    pub parent: String,
    /// Its place in the order of creation among the owner's things of this kind.
    pub seq: i64,
    /// The content.
    pub doc: D,
    /// The user id of the account that made it.
    pub account_id: String,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
    /// Microseconds since the epoch.
    pub modified_at_us: i64,
}

/// A document to make.
#[derive(Clone, Debug)]
pub struct New<D> {
    /// Chosen by the user; made up if absent or empty.
    pub id: Option<String>,
    /// The content.
    pub doc: D,
}

/// Which documents of a shelf to list.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Only those about this.
    pub about: Option<String>,
    /// Only those in this state.
    pub state: Option<i64>,
    /// The last made first.
    pub newest_first: bool,
    /// Those of every parent in the owner, not only of the shelf's.
    pub every_parent: bool,
}

/// Where documents stand, and who acts on them: an app or account that the caller may use, or a parent in it.
#[derive(Clone)]
pub struct Shelf {
    platform: Platform,
    owner_uid: String,
    parent: String,
    account_id: String,
    key_id: String,
    /// Why nothing may be written here, if so.
    locked: Option<Error>,
}

impl From<&AppCtx> for Shelf {
    fn from(app: &AppCtx) -> Self {
        Self {
            platform: app.platform().clone(),
            owner_uid: app.uid().to_owned(),
            parent: String::new(),
            account_id: app.caller().account_id.clone(),
            key_id: app.caller().key_id.clone(),
            locked: app.check_writable().err(),
        }
    }
}

impl From<&AccountCtx> for Shelf {
    /// A key of one app may look at the account's things but not change them.
    fn from(account: &AccountCtx) -> Self {
        let caller = account.caller();
        let about = || Resource::Account(account.account().id.clone());
        let locked = match (account.is_public(), &caller.app_uid) {
            (true, _) => Some(Error::forbidden(about(), "the public account is read only")),
            (false, Some(_)) => {
                let message = "the key belongs to one app; this needs a personal access token";
                Some(Error::forbidden(Resource::Key(caller.key_id.clone()), message))
            }
            (false, None) => None,
        };
        Self {
            platform: account.platform().clone(),
            owner_uid: account_uid(&account.account().id),
            parent: String::new(),
            account_id: caller.account_id.clone(),
            key_id: caller.key_id.clone(),
            locked,
        }
    }
}

/// The owner's uid of what belongs to an account. That of an app is hexadecimal, so the two never meet.
pub(crate) fn account_uid(account_id: &str) -> String {
    format!("@{account_id}")
}

impl Shelf {
    /// The shelf of what belongs to one thing of this owner. The thing itself is not looked for.
    #[must_use]
    pub fn within(&self, parent: &str) -> Self {
        Self { parent: parent.to_owned(), ..self.clone() }
    }

    /// The platform.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    fn check_writable(&self) -> Result<()> {
        self.locked.clone().map_or(Ok(()), Err)
    }

    fn changed_by(&self) -> String {
        format!("{}/{}", self.account_id, self.key_id)
    }
}

/// The error for a document that is not there.
pub fn missing<D: Document>(id: &str) -> Error {
    Error::not_found(Resource::Other(D::NOUN, id.to_owned()))
}

fn taken<D: Document>(id: &str) -> Error {
    let message = format!("{} '{id}' exists already", D::NOUN);
    Error::conflict(Resource::Other(D::NOUN, id.to_owned()), message)
}

/// The most documents one call may make, change or delete.
pub const MAX_PER_CALL: usize = 128;

fn check_number<D: Document>(n_items: usize) -> Result<()> {
    if n_items == 0 || n_items > MAX_PER_CALL {
        let message = format!("must hold 1 to {MAX_PER_CALL} items, not {n_items}");
        return Err(Error::invalid(D::FIELD, message));
    }
    Ok(())
}

/// Adds documents. `Conflict` if any id exists; then none is written.
pub async fn create<D: Document>(shelf: &Shelf, new: Vec<New<D>>) -> Result<Vec<Stored<D>>> {
    create_if(shelf, new, |_, _| Ok(())).await
}

/// Adds documents if `allowed`, called in the same transaction with the owner's uid, has nothing against it.
#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is treated alike, whatever is added")]
pub(crate) async fn create_if<D: Document>(
    shelf: &Shelf,
    new: Vec<New<D>>,
    allowed: impl Fn(&store::Tx<'_>, &str) -> Result<()> + Send + Sync + 'static,
) -> Result<Vec<Stored<D>>> {
    shelf.check_writable()?;
    check_number::<D>(new.len())?;
    let rows = new.into_iter().map(|new| row_of(shelf, new)).collect::<Result<Vec<_>>>()?;
    let owner_uid = shelf.owner_uid.clone();
    let rows = shelf
        .platform
        .store()
        .write(move |tx| {
            check_alive(tx, &owner_uid)?;
            allowed(tx, &owner_uid)?;
            let mut made = Vec::with_capacity(rows.len());
            for row in &rows {
                let seq = tx.insert_resource(row).map_err(|error| match error {
                    store::Error::Conflict(_) => taken::<D>(&row.id),
                    error => error.into(),
                })?;
                made.push(store::Resource { seq, ..row.clone() });
            }
            Ok::<_, Error>(made)
        })
        .await?;
    rows.into_iter().map(stored).collect()
}

/// A document as a row that is not yet written.
pub(crate) fn row_of<D: Document>(shelf: &Shelf, new: New<D>) -> Result<store::Resource> {
    let id = new.id.filter(|id| !id.is_empty()).unwrap_or_else(|| shelf.platform.ids().id());
    check_id(&format!("{}.id", D::FIELD), &id)?;
    new.doc.check()?;
    let now_us = shelf.platform.clock().now_us();
    Ok(store::Resource {
        owner_uid: shelf.owner_uid.clone(),
        kind: D::KIND.to_owned(),
        parent: shelf.parent.clone(),
        id,
        seq: 0,
        about: new.doc.about(),
        state: new.doc.state(),
        doc: to_json(&new.doc)?,
        blob: new.doc.blob(),
        account_id: shelf.account_id.clone(),
        key_id: shelf.key_id.clone(),
        modified_by: shelf.changed_by(),
        created_at_us: now_us,
        modified_at_us: now_us,
    })
}

/// An app that was deleted since the door opened takes nothing more.
fn check_alive(tx: &store::Tx<'_>, owner_uid: &str) -> Result<()> {
    if owner_uid.starts_with('@') {
        return Ok(());
    }
    match tx.app_by_uid(owner_uid)? {
        Some(app) if app.deleted_at_us.is_none() => Ok(()),
        app => Err(Error::not_found(Resource::App(app.map(|app| app.id).unwrap_or_default()))),
    }
}

/// One document.
pub async fn get<D: Document>(shelf: &Shelf, id: &str) -> Result<Stored<D>> {
    let found = get_many(shelf, &[id]).await?;
    found.into_iter().next().ok_or_else(|| missing::<D>(id))
}

/// The documents with these ids, in their order; missing ones are left out.
pub async fn get_many<D: Document>(shelf: &Shelf, ids: &[impl AsRef<str>]) -> Result<Vec<Stored<D>>> {
    let (owner_uid, parent) = (shelf.owner_uid.clone(), shelf.parent.clone());
    let ids: Vec<String> = ids.iter().map(|id| id.as_ref().to_owned()).collect();
    let read = move |tx: &mut store::Tx<'_>| {
        Ok::<_, Error>(tx.resources_by_ids(&owner_uid, D::KIND, &parent, &ids)?)
    };
    let rows = shelf.platform.store().read(read).await?;
    rows.into_iter().map(stored).collect()
}

/// The shelf's documents of this kind in order of creation.
pub async fn list<D: Document>(shelf: &Shelf, listing: &Listing, page: Page) -> Result<Vec<Stored<D>>> {
    let page = page.check()?;
    let mut query = query(shelf, listing);
    (query.limit, query.offset) = (page.limit(), page.offset());
    let owner_uid = shelf.owner_uid.clone();
    let read =
        move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.resources_page(&owner_uid, D::KIND, &query)?);
    let rows = shelf.platform.store().read(read).await?;
    rows.into_iter().map(stored).collect()
}

/// The shelf's documents that `fits` accepts, in order of creation: every one before the page is looked at.
pub async fn search<D: Document>(
    shelf: &Shelf,
    listing: &Listing,
    page: Page,
    fits: impl Fn(&Stored<D>) -> bool + Send + Sync + 'static,
) -> Result<Vec<Stored<D>>> {
    const BATCH: i64 = 500;
    let page = page.check()?;
    let query = store::ResourceQuery { limit: BATCH, ..query(shelf, listing) };
    let owner_uid = shelf.owner_uid.clone();
    let n_wanted = usize::try_from(page.offset() + page.limit()).unwrap_or(usize::MAX);
    let read = move |tx: &mut store::Tx<'_>| {
        let (mut found, mut query) = (Vec::new(), query.clone());
        loop {
            let rows = tx.resources_page(&owner_uid, D::KIND, &query)?;
            let (n_rows, last) = (rows.len(), rows.last().map(|row| row.seq));
            for row in rows {
                let thing = stored::<D>(row)?;
                if fits(&thing) {
                    found.push(thing);
                }
            }
            if n_rows < BATCH as usize || found.len() >= n_wanted {
                return Ok::<_, Error>(found);
            }
            query.after_seq = last;
        }
    };
    let found = shelf.platform.store().read(read).await?;
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    Ok(found.into_iter().skip(skip).take(page.per_page as usize).collect())
}

/// How many documents of this kind a listing has.
pub async fn count<D: Document>(shelf: &Shelf, listing: &Listing) -> Result<u64> {
    let (owner_uid, query) = (shelf.owner_uid.clone(), query(shelf, listing));
    let read =
        move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.count_resources(&owner_uid, D::KIND, &query)?);
    Ok(u64::try_from(shelf.platform.store().read(read).await?).unwrap_or(0))
}

fn query(shelf: &Shelf, listing: &Listing) -> store::ResourceQuery {
    store::ResourceQuery {
        parent: (!listing.every_parent).then(|| shelf.parent.clone()),
        about: listing.about.clone(),
        state: listing.state,
        newest_first: listing.newest_first,
        ..store::ResourceQuery::default()
    }
}

/// Whether an owner has a document, for checks within a transaction.
pub(crate) fn exists<D: Document>(tx: &store::Tx<'_>, owner_uid: &str, id: &str) -> Result<()> {
    match tx.resource(owner_uid, D::KIND, "", id)? {
        Some(_) => Ok(()),
        None => Err(missing::<D>(id)),
    }
}

/// The owner's document with this id, for use within a transaction.
pub(crate) fn find<D: Document>(
    tx: &store::Tx<'_>,
    owner_uid: &str,
    parent: &str,
    id: &str,
) -> Result<Option<Stored<D>>> {
    tx.resource(owner_uid, D::KIND, parent, id)?.map(stored).transpose()
}

/// Changes the owner's document with this id within a transaction, on the platform's own account; does nothing if it is
/// gone.
pub(crate) fn rewrite<D: Document>(
    tx: &store::Tx<'_>,
    owner_uid: &str,
    id: &str,
    now_us: i64,
    change: impl FnOnce(&mut D) -> Result<()>,
) -> Result<()> {
    let Some(mut row) = tx.resource(owner_uid, D::KIND, "", id)? else { return Ok(()) };
    let mut doc = stored::<D>(row.clone())?.doc;
    change(&mut doc)?;
    (row.about, row.state, row.doc, row.modified_at_us) = (doc.about(), doc.state(), to_json(&doc)?, now_us);
    row.blob = doc.blob();
    tx.update_resource(&row)?;
    Ok(())
}

/// A row read by the store's own methods as a document.
pub(crate) fn stored<D: Document>(row: store::Resource) -> Result<Stored<D>> {
    let doc = serde_json::from_value(Value::Object(row.doc)).map_err(|error| {
        Error::internal(anyhow::anyhow!("{} '{}' cannot be read: {error}", D::NOUN, row.id))
    })?;
    Ok(Stored {
        id: row.id,
        parent: row.parent,
        seq: row.seq,
        doc,
        account_id: row.account_id,
        created_at_us: row.created_at_us,
        modified_at_us: row.modified_at_us,
    })
}

fn to_json<D: Document>(doc: &D) -> Result<JsonMap> {
    match serde_json::to_value(doc) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Error::internal(anyhow::anyhow!("a {} is no JSON object", D::NOUN))),
        Err(error) => Err(Error::internal(error)),
    }
}
