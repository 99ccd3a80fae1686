//! Listing workflows and their versions.

use ocellus_store as store;

use super::{FoundWorkflow, Workflow, missing, placed, public, versions_of};
use crate::resources::{self, Document, Listing, Shelf, Stored};
use crate::{AccountCtx, AppCtx, Error, Page, Result};

/// By what workflows are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// When they were made.
    #[default]
    CreatedAt,
    /// When they were last changed.
    ModifiedAt,
    /// Their ids.
    Id,
}

/// Which workflows to list, and how.
#[derive(Clone, Debug, Default)]
pub struct WorkflowListing {
    /// Only those with this in their id, description or notes, in any case; all if empty.
    pub search: String,
    /// Only public ones, or only others.
    pub public: Option<bool>,
    /// The order.
    pub sort_by: SortBy,
    /// The last in that order first.
    pub descending: bool,
}

/// The workflows of an app, each in its current version.
pub async fn list(app: &AppCtx, listing: WorkflowListing, page: Page) -> Result<Vec<FoundWorkflow>> {
    let page = page.check()?;
    if app.is_public() {
        return list_public(app.platform(), &listing, page).await;
    }
    let place = (app.uid().to_owned(), app.app().user_id.clone(), app.app().id.clone());
    let read = move |tx: &mut store::Tx<'_>| of_app(tx, (&place.0, &place.1, &place.2));
    let all = app.platform().store().read(read).await?;
    Ok(sorted(all, &listing, page))
}

/// The workflows of all apps of an account that the caller's key reaches.
pub async fn list_of_account(
    account: &AccountCtx,
    listing: WorkflowListing,
    page: Page,
) -> Result<Vec<FoundWorkflow>> {
    const BATCH: i64 = 500;
    let page = page.check()?;
    if account.is_public() {
        return list_public(account.platform(), &listing, page).await;
    }
    let (user_id, only) = (account.account().id.clone(), account.caller().app_uid.clone());
    let read = move |tx: &mut store::Tx<'_>| {
        let (mut all, mut offset) = (Vec::new(), 0);
        loop {
            let apps = tx.apps_of(&user_id, BATCH, offset, None)?;
            for app in apps.iter().filter(|app| only.as_ref().is_none_or(|uid| *uid == app.uid)) {
                all.extend(of_app(tx, (&app.uid, &user_id, &app.id))?);
            }
            offset += BATCH;
            if apps.len() < BATCH as usize {
                return Ok::<_, Error>(all);
            }
        }
    };
    let all = account.platform().store().read(read).await?;
    Ok(sorted(all, &listing, page))
}

/// The workflows that everybody may use: those that come with the server, then what users have published.
pub async fn list_public(
    platform: &crate::Platform,
    listing: &WorkflowListing,
    page: Page,
) -> Result<Vec<FoundWorkflow>> {
    let page = page.check()?;
    Ok(sorted(public::all(platform).await?, listing, page))
}

fn of_app(tx: &store::Tx<'_>, (uid, user_id, app_id): (&str, &str, &str)) -> Result<Vec<FoundWorkflow>> {
    let query = store::ResourceQuery { limit: i64::MAX, ..store::ResourceQuery::default() };
    let mut found = Vec::new();
    for row in tx.resources_page(uid, Workflow::KIND, &query)? {
        let workflow: Stored<Workflow> = resources::stored(row)?;
        let version = resources::find(tx, uid, &workflow.doc.uid, &workflow.doc.version_id)?;
        if let Some(version) = version {
            let (user_id, app_id) = (user_id.to_owned(), app_id.to_owned());
            found.push(FoundWorkflow { user_id, app_id, workflow, version });
        }
    }
    Ok(found)
}

fn sorted(mut all: Vec<FoundWorkflow>, listing: &WorkflowListing, page: Page) -> Vec<FoundWorkflow> {
    let words = listing.search.to_lowercase();
    all.retain(|found| {
        let doc = &found.workflow.doc;
        let texts = [&found.workflow.id, &doc.description, &doc.notes];
        let is_public = found.version.doc.is_public;
        texts.iter().any(|text| text.to_lowercase().contains(&words))
            && listing.public.is_none_or(|wanted| wanted == is_public)
    });
    match listing.sort_by {
        // As they were read: by their age, app by app.
        SortBy::CreatedAt => {}
        SortBy::ModifiedAt => all.sort_by_key(|found| found.workflow.modified_at_us),
        SortBy::Id => all.sort_by(|a, b| a.workflow.id.cmp(&b.workflow.id)),
    }
    if listing.descending {
        all.reverse();
    }
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    all.into_iter().skip(skip).take(page.per_page as usize).collect()
}

/// The versions of a workflow of the app, the newest first.
pub async fn versions(app: &AppCtx, id: &str, page: Page) -> Result<Vec<FoundWorkflow>> {
    let page = page.check()?;
    if app.is_public() {
        let found = public::find(app.platform(), id, None).await?.ok_or_else(|| missing(id))?;
        return Ok(if page.page == 1 { vec![found] } else { Vec::new() });
    }
    let workflow: Stored<Workflow> = resources::get(&Shelf::from(app), id).await?;
    let newest = Listing { newest_first: true, ..Listing::default() };
    let found = resources::list(&versions_of(app, &workflow.doc.uid), &newest, page).await?;
    Ok(found.into_iter().map(|version| placed(app, workflow.clone(), version)).collect())
}
