//! Listing and counting models.

use ocellus_store as store;

use super::{Place, UserModel, with_newest};
use crate::{AppCtx, Error, Platform, Result};

/// The apps in which to look.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// One app, by uid.
    App(String, Place),
    /// All apps of an account, by user id; or of those the one with this uid, if a key reaches only one.
    Account(String, Option<String>),
}

/// Models in order of creation, app by app: those that `fits` accepts, until there are `n_wanted`; all of them if it is
/// not given.
pub(crate) async fn list(
    platform: &Platform,
    wanted: Wanted,
    n_wanted: Option<usize>,
    fits: impl Fn(&UserModel) -> bool + Send + Sync + 'static,
) -> Result<Vec<UserModel>> {
    let batch = n_wanted.map_or(500, |n| n.clamp(1, 500) as i64);
    let read = move |tx: &mut store::Tx<'_>| {
        let mut found = Vec::new();
        let enough = |found: &Vec<UserModel>| n_wanted.is_some_and(|n| found.len() >= n);
        for (uid, place) in apps(tx, &wanted)? {
            let mut after_seq = 0;
            while !enough(&found) {
                let rows = tx.models_page(&uid, after_seq, batch)?;
                let Some(last) = rows.last() else { break };
                after_seq = last.seq;
                found.extend(with_newest(tx, &uid, rows, &place)?.into_iter().filter(&fits));
            }
        }
        Ok::<_, Error>(found)
    };
    platform.store().read(read).await
}

fn apps(tx: &store::Tx<'_>, wanted: &Wanted) -> Result<Vec<(String, Place)>> {
    match wanted {
        Wanted::App(uid, place) => Ok(vec![(uid.clone(), place.clone())]),
        Wanted::Account(account_id, only) => {
            let apps = tx.apps_of(account_id, i64::MAX, 0, None)?;
            let apps = apps.iter().filter(|app| only.as_ref().is_none_or(|uid| *uid == app.uid));
            Ok(apps.map(|app| (app.uid.clone(), Place::of_row(app))).collect())
        }
    }
}

/// How many models an app's users have made there.
pub async fn count(app: &AppCtx) -> Result<u64> {
    let uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.count_models(&uid)?);
    Ok(u64::try_from(app.platform().store().read(read).await?).unwrap_or_default())
}
