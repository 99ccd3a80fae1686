//! Lists of evaluations, in an order of their numbers.

use std::cmp::Ordering;

use ocellus_store as store;

use super::{Evaluation, EvaluationState, TestSet, about};
use crate::resources::{Document, Stored, stored};
use crate::{AccountCtx, AppCtx, Error, Page, Platform, Result};

/// The most evaluations that are looked at for one list.
const MAX_LOOKED_AT: usize = 20_000;

/// Which evaluations.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only of this version: the model's key and the version's id.
    pub version: Option<(String, String)>,
    /// Only of models of this type.
    pub model_type_id: Option<String>,
    /// Only on any of these datasets; empty means all.
    pub test_dataset_ids: Vec<String>,
    /// Only of versions trained on any of these datasets; empty means all.
    pub train_dataset_ids: Vec<String>,
    /// Only of versions that tell all of these concepts.
    pub concept_ids: Vec<String>,
    /// Those that failed too.
    pub with_failed: bool,
    /// In which order; equal ones by time of creation, the newest first.
    pub sort_by: SortBy,
    /// The smallest first.
    pub ascending: bool,
}

/// An order of evaluations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// By the time of creation.
    #[default]
    CreatedAt,
    /// By the app.
    App,
    /// By the model.
    Model,
    /// By the dataset judged on.
    TestDataset,
    /// By the dataset trained on.
    TrainDataset,
    /// By the mean area under the receiver operating characteristic.
    RocAuc,
    /// By the mean F1.
    F1,
    /// By the mean average precision.
    AveragePrecision,
    /// By the mean precision.
    Precision,
    /// By the mean recall.
    Recall,
}

/// An evaluation with the id of its app.
pub type InApp = (String, Stored<Evaluation>);

/// Evaluations of an app.
pub async fn list(app: &AppCtx, wanted: Wanted, page: Page) -> Result<Vec<InApp>> {
    if app.is_public() {
        return Ok(Vec::new());
    }
    let apps = Apps::One(app.uid().to_owned(), app.app().id.clone());
    found(app.platform(), apps, wanted, page).await
}

/// Evaluations in all apps of an account that the key reaches.
pub async fn list_of_account(account: &AccountCtx, wanted: Wanted, page: Page) -> Result<Vec<InApp>> {
    if account.is_public() {
        return Ok(Vec::new());
    }
    let apps = Apps::Of(account.account().id.clone(), account.caller().app_uid.clone());
    found(account.platform(), apps, wanted, page).await
}

enum Apps {
    One(String, String),
    /// Of an account; of those the one with this uid, if a key reaches only one.
    Of(String, Option<String>),
}

impl Apps {
    /// Uids and ids.
    fn read(&self, tx: &store::Tx<'_>) -> Result<Vec<(String, String)>> {
        match self {
            Self::One(uid, id) => Ok(vec![(uid.clone(), id.clone())]),
            Self::Of(account_id, only) => {
                let apps = tx.apps_of(account_id, i64::MAX, 0, None)?.into_iter();
                let reached = apps.filter(|app| only.as_ref().is_none_or(|uid| *uid == app.uid));
                Ok(reached.map(|app| (app.uid, app.id)).collect())
            }
        }
    }
}

async fn found(platform: &Platform, apps: Apps, wanted: Wanted, page: Page) -> Result<Vec<InApp>> {
    let page = page.check()?;
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let read = move |tx: &mut store::Tx<'_>| {
        let mut all = Vec::new();
        for (uid, id) in apps.read(tx)? {
            read_app(tx, (&uid, &id), &wanted, &mut all)?;
        }
        all.sort_by(|a, b| compare(&wanted, a, b));
        Ok::<_, Error>(all.into_iter().skip(skip).take(page.per_page as usize).collect())
    };
    platform.store().read(read).await
}

fn read_app(
    tx: &store::Tx<'_>,
    (uid, app_id): (&str, &str),
    wanted: &Wanted,
    all: &mut Vec<InApp>,
) -> Result<()> {
    const BATCH: i64 = 500;
    let mut query = store::ResourceQuery {
        about: wanted.version.as_ref().map(|(model_uid, id)| about(model_uid, id)),
        newest_first: true,
        limit: BATCH,
        ..store::ResourceQuery::default()
    };
    loop {
        let rows = tx.resources_page(uid, Evaluation::KIND, &query)?;
        let n_rows = rows.len();
        query.after_seq = rows.last().map(|row| row.seq);
        for row in rows {
            let one = stored::<Evaluation>(row)?;
            if fits(wanted, &one.doc) {
                all.push((app_id.to_owned(), one));
            }
        }
        if n_rows < BATCH as usize {
            return Ok(());
        }
        if all.len() > MAX_LOOKED_AT {
            return Err(Error::too_large(format!("there are more than {MAX_LOOKED_AT} evaluations to sort")));
        }
    }
}

fn test_dataset(doc: &Evaluation) -> &str {
    match &doc.test {
        TestSet::HeldOut => &doc.train_dataset_id,
        TestSet::Dataset { dataset_id, .. } => dataset_id,
    }
}

fn fits(wanted: &Wanted, doc: &Evaluation) -> bool {
    let any = |list: &[String], id: &str| list.is_empty() || list.iter().any(|one| one == id);
    (wanted.with_failed || doc.state != EvaluationState::Failed)
        && wanted.model_type_id.as_ref().is_none_or(|id| *id == doc.model_type_id)
        && any(&wanted.test_dataset_ids, test_dataset(doc))
        && any(&wanted.train_dataset_ids, &doc.train_dataset_id)
        && wanted.concept_ids.iter().all(|id| doc.concept_ids.contains(id))
}

fn compare(wanted: &Wanted, a: &InApp, b: &InApp) -> Ordering {
    let (x, y) = (&a.1.doc, &b.1.doc);
    let number = |of: fn(&Evaluation) -> Option<f64>| {
        // Those without a number come last either way.
        match (of(x), of(y)) {
            (Some(x), Some(y)) if wanted.ascending => x.total_cmp(&y),
            (Some(x), Some(y)) => y.total_cmp(&x),
            (x, y) => y.is_some().cmp(&x.is_some()),
        }
    };
    let text = |x: &str, y: &str| if wanted.ascending { x.cmp(y) } else { y.cmp(x) };
    let by_time = b.1.created_at_us.cmp(&a.1.created_at_us).then(b.1.seq.cmp(&a.1.seq));
    let order = match wanted.sort_by {
        SortBy::CreatedAt if wanted.ascending => return by_time.reverse(),
        SortBy::CreatedAt => Ordering::Equal,
        SortBy::App => text(&a.0, &b.0),
        SortBy::Model => text(&x.model_id, &y.model_id),
        SortBy::TestDataset => text(test_dataset(x), test_dataset(y)),
        SortBy::TrainDataset => text(&x.train_dataset_id, &y.train_dataset_id),
        SortBy::RocAuc => number(|doc| doc.numbers.macro_roc_auc),
        SortBy::F1 => number(|doc| doc.numbers.macro_f1),
        SortBy::AveragePrecision => number(|doc| doc.numbers.mean_average_precision),
        SortBy::Precision => number(|doc| doc.numbers.macro_precision),
        SortBy::Recall => number(|doc| doc.numbers.macro_recall),
    };
    order.then(by_time)
}
