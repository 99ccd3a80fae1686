//! The audit log: who changed what, when, from where, and whether it worked. Only ever added to.

use std::sync::atomic::{AtomicU64, Ordering};

use ocellus_store as store;

use crate::{AccountCtx, Error, Page, Platform, Resource, Result};

/// A call that changed something, or tried to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Microseconds since the epoch; set when it is recorded.
    pub at_us: i64,
    /// The user id of who did it; empty where nobody was signed in.
    pub actor_id: String,
    /// The public id of the key with which it was done.
    pub key_id: String,
    /// The name of the call.
    pub operation: String,
    /// The app it was done in; empty for none.
    pub app_id: String,
    /// What was touched, in words such as `concepts: dog, cat`.
    pub subjects: Vec<String>,
    /// Whether it worked.
    pub success: bool,
    /// The dialect's status code.
    pub code: i64,
    /// The id of the request.
    pub request_id: String,
    /// The network address it came from; empty where that is unknown.
    pub address: String,
}

/// Which entries to look for; an empty list means any.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Not before, microseconds since the epoch.
    pub from_us: Option<i64>,
    /// Before, microseconds since the epoch.
    pub to_us: Option<i64>,
    /// By one of these users.
    pub actors: Vec<String>,
    /// One of these calls.
    pub operations: Vec<String>,
    /// In one of these apps.
    pub apps: Vec<String>,
    /// Those that worked, or those that did not.
    pub success: Option<bool>,
    /// From one of these network addresses.
    pub addresses: Vec<String>,
    /// The oldest first.
    pub ascending: bool,
}

impl Query {
    fn fits(&self, entry: &Entry) -> bool {
        let one_of = |list: &[String], value: &String| list.is_empty() || list.contains(value);
        one_of(&self.actors, &entry.actor_id)
            && one_of(&self.operations, &entry.operation)
            && one_of(&self.apps, &entry.app_id)
            && one_of(&self.addresses, &entry.address)
            && self.success.is_none_or(|success| success == entry.success)
    }
}

/// Keeps the order of what this process did in the same microsecond.
static ORDER: AtomicU64 = AtomicU64::new(0);

/// Adds an entry to the log of the owner of what was touched. What was done is done by then, so a failure is only
/// logged.
pub async fn record(platform: &Platform, owner_id: &str, entry: Entry) {
    let row = store::AuditEntry {
        account_id: owner_id.to_owned(),
        at_us: platform.clock().now_us(),
        id: format!("{:016x}-{}", ORDER.fetch_add(1, Ordering::Relaxed), platform.ids().id()),
        actor_id: entry.actor_id,
        key_id: entry.key_id,
        operation: entry.operation,
        app_id: entry.app_id,
        subjects: entry.subjects,
        success: entry.success,
        code: entry.code,
        request_id: entry.request_id,
        address: entry.address,
    };
    let write = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.insert_audit_entry(&row)?);
    if let Err(error) = platform.store().write(write).await {
        tracing::error!(%error, "a change could not be written to the audit log");
    }
}

/// The account's log.
pub async fn search(account: &AccountCtx, query: Query, page: Page) -> Result<Vec<Entry>> {
    const BATCH: i64 = 500;
    let page = page.check()?;
    let owner_id = account.account().id.clone();
    if account.is_public() || account.caller().app_uid.is_some() {
        return Err(Error::forbidden(Resource::Account(owner_id), "only its owner can read an audit log"));
    }
    let range = (query.from_us.unwrap_or(i64::MIN), query.to_us.unwrap_or(i64::MAX));
    let n_wanted = usize::try_from(page.offset() + page.limit()).unwrap_or(usize::MAX);
    let read = move |tx: &mut store::Tx<'_>| {
        let (mut found, mut offset) = (Vec::new(), 0);
        loop {
            let rows = tx.audit_page(&owner_id, range, query.ascending, BATCH, offset)?;
            let n_rows = rows.len();
            found.extend(rows.into_iter().map(Entry::from).filter(|entry| query.fits(entry)));
            offset += BATCH;
            if n_rows < BATCH as usize || found.len() >= n_wanted {
                return Ok::<_, Error>(found);
            }
        }
    };
    let found = account.platform().store().read(read).await?;
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    Ok(found.into_iter().skip(skip).take(page.per_page as usize).collect())
}

impl From<store::AuditEntry> for Entry {
    fn from(row: store::AuditEntry) -> Self {
        Self {
            at_us: row.at_us,
            actor_id: row.actor_id,
            key_id: row.key_id,
            operation: row.operation,
            app_id: row.app_id,
            subjects: row.subjects,
            success: row.success,
            code: row.code,
            request_id: row.request_id,
            address: row.address,
        }
    }
}
