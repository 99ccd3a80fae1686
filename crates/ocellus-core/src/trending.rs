//! Trending metrics: how often people looked at apps, models, modules and datasets lately, as interfaces report it.

use ocellus_store as store;

use crate::datasets::Dataset;
use crate::modules::Module;
use crate::resources::{self, Document, Shelf};
use crate::usage::day;
use crate::{AccountCtx, AppCtx, Error, Page, Resource, Result, models};

/// How many days a view counts.
const TREND_DAYS: i64 = 30;

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ViewType {
    Apps,
    Models,
    Modules,
    Datasets,
}

impl ViewType {
    const ALL: [Self; 4] = [Self::Apps, Self::Models, Self::Modules, Self::Datasets];

    /// The name in paths and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apps => "apps",
            Self::Models => "models",
            Self::Modules => "modules",
            Self::Datasets => "datasets",
        }
    }

    /// The type with this name; `Invalid` for another.
    pub fn from_name(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|view_type| view_type.name() == name);
        found.ok_or_else(|| Error::invalid("view_type", "must be apps, models, modules or datasets"))
    }
}

/// How often something was looked at.
pub use store::Views;

/// Counts that the caller looked at something. `NotFound` when it is not in the app.
pub async fn view(app: &AppCtx, view_type: ViewType, object_id: &str) -> Result<()> {
    check_exists(app, view_type, object_id).await?;
    let (uid, id) = (app.uid().to_owned(), object_id.to_owned());
    let today = day(app.platform().clock().now_us());
    let write =
        move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.count_view(&uid, view_type.name(), &id, today)?);
    app.platform().store().write(write).await
}

async fn check_exists(app: &AppCtx, view_type: ViewType, object_id: &str) -> Result<()> {
    async fn found<D: Document>(app: &AppCtx, id: &str) -> Result<()> {
        resources::get::<D>(&Shelf::from(app), id).await.map(|_| ())
    }
    match view_type {
        ViewType::Apps if object_id == app.app().id => Ok(()),
        ViewType::Apps => Err(Error::not_found(Resource::App(object_id.to_owned()))),
        ViewType::Models => models::get(app.platform(), object_id, None).map(|_| ()),
        ViewType::Modules => found::<Module>(app, object_id).await,
        ViewType::Datasets => found::<Dataset>(app, object_id).await,
    }
}

/// What in an app was looked at most lately, the most viewed first.
pub async fn list(app: &AppCtx, view_type: ViewType, page: Page) -> Result<Vec<Views>> {
    let page = page.check()?;
    let (uid, from_day) = (app.uid().to_owned(), first_day(app.platform()));
    let read = move |tx: &mut store::Tx<'_>| {
        Ok::<_, Error>(tx.most_viewed(&uid, view_type.name(), from_day, page.limit(), page.offset())?)
    };
    app.platform().store().read(read).await
}

/// What in all apps of an account was looked at most lately, the most viewed first.
pub async fn list_of_account(account: &AccountCtx, view_type: ViewType, page: Page) -> Result<Vec<Views>> {
    let page = page.check()?;
    let (id, from_day) = (account.account().id.clone(), first_day(account.platform()));
    let read = move |tx: &mut store::Tx<'_>| {
        let (limit, offset) = (page.limit(), page.offset());
        Ok::<_, Error>(tx.most_viewed_of_account(&id, view_type.name(), from_day, limit, offset)?)
    };
    account.platform().store().read(read).await
}

fn first_day(platform: &crate::Platform) -> i64 {
    day(platform.clock().now_us()) - TREND_DAYS + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::testing::TestPlatform;
    use crate::usage::DAY_US;

    #[tokio::test]
    async fn what_was_looked_at_most_in_thirty_days_comes_first() {
        for test in TestPlatform::all().await {
            let app = test.app().await;
            let id = app.app().id.clone();
            view(&app, ViewType::Apps, &id).await.unwrap();
            test.clock.advance_us(29 * DAY_US);
            view(&app, ViewType::Apps, &id).await.unwrap();
            let views = |found: Vec<Views>| {
                found.into_iter().map(|v| (v.app_id, v.object_id, v.n_views)).collect::<Vec<_>>()
            };
            let found = list(&app, ViewType::Apps, Page::default()).await.unwrap();
            assert_eq!(views(found), [(id.clone(), id.clone(), 2)]);
            test.clock.advance_us(DAY_US);
            let found =
                list_of_account(&test.account().await, ViewType::Apps, Page::default()).await.unwrap();
            assert_eq!(views(found), [(id.clone(), id.clone(), 1)]);
            assert_eq!(list(&app, ViewType::Models, Page::default()).await.unwrap(), []);
            for view_type in ViewType::ALL {
                assert_eq!(view(&app, view_type, "nothing").await.unwrap_err().kind, Kind::NotFound);
            }
        }
    }
}
