//! Which inputs are in a dataset.

use std::collections::{BTreeSet, HashMap};

use ocellus_store as store;

use super::{Dataset, find, read_doc};
use crate::inputs::{self, Input};
use crate::resources::Document;
use crate::{AppCtx, Error, Page, Resource, Result};

/// An input in a dataset.
#[derive(Clone, Debug)]
pub struct DatasetInput {
    /// The input.
    pub input: Input,
    /// When it was put into the dataset, in microseconds since the epoch.
    pub added_at_us: i64,
}

/// Puts inputs into a dataset, each on its own, and gives one result for each, in order. An input that is in it already
/// stays in it. `NotFound` about an input that does not exist; about the dataset, nothing is done.
pub async fn add(
    app: &AppCtx,
    dataset_id: &str,
    input_ids: Vec<String>,
) -> Result<Vec<Result<DatasetInput>>> {
    app.check_writable()?;
    if input_ids.is_empty() || input_ids.len() > inputs::MAX_PER_CALL {
        let message = format!("must hold 1 to {} items, not {}", inputs::MAX_PER_CALL, input_ids.len());
        return Err(Error::invalid("dataset_inputs", message));
    }
    let by = Adder::new(app);
    let dataset_id = dataset_id.to_owned();
    app.platform()
        .store()
        .write(move |tx| {
            let dataset = find(tx, &by.app_uid, &dataset_id)?;
            let found = inputs::load(tx, &by.app_uid, &input_ids)?;
            let known: BTreeSet<&str> = found.iter().map(|input| input.id.as_str()).collect();
            by.add(tx, &dataset_id, &dataset, known.iter().copied())?;
            let added = read(tx, &by.app_uid, &dataset, &input_ids)?;
            let mut added: HashMap<String, DatasetInput> =
                added.into_iter().map(|item| (item.input.id.clone(), item)).collect();
            let missing = |id: &String| Error::not_found(Resource::Input(id.clone()));
            Ok(input_ids.iter().map(|id| added.remove(id).ok_or_else(|| missing(id))).collect())
        })
        .await
}

/// Who puts inputs into datasets, and when.
struct Adder {
    app_uid: String,
    account_id: String,
    key_id: String,
    now_us: i64,
}

impl Adder {
    fn new(app: &AppCtx) -> Self {
        Self {
            app_uid: app.uid().to_owned(),
            account_id: app.caller().account_id.clone(),
            key_id: app.caller().key_id.clone(),
            now_us: app.platform().clock().now_us(),
        }
    }

    fn add<'a>(
        &self,
        tx: &store::Tx<'_>,
        dataset_id: &str,
        dataset: &Dataset,
        input_ids: impl Iterator<Item = &'a str>,
    ) -> Result<u64> {
        let rows: Vec<_> = input_ids
            .map(|input_id| store::DatasetInput {
                app_uid: self.app_uid.clone(),
                dataset_uid: dataset.uid.clone(),
                input_id: input_id.to_owned(),
                seq: 0,
                dataset_id: dataset_id.to_owned(),
                account_id: self.account_id.clone(),
                key_id: self.key_id.clone(),
                created_at_us: self.now_us,
            })
            .collect();
        Ok(tx.put_dataset_inputs(&rows)?)
    }
}

/// Puts a new input into the datasets it was added with, in the transaction that adds it.
pub(crate) fn add_in(
    tx: &store::Tx<'_>,
    (app_uid, account_id, key_id): (&str, &str, &str),
    input_id: &str,
    dataset_ids: &[String],
    now_us: i64,
) -> Result<()> {
    let by = Adder {
        app_uid: app_uid.to_owned(),
        account_id: account_id.to_owned(),
        key_id: key_id.to_owned(),
        now_us,
    };
    for id in dataset_ids {
        let dataset = find(tx, app_uid, id)?;
        by.add(tx, id, &dataset, std::iter::once(input_id))?;
    }
    Ok(())
}

/// Puts everything of one dataset into another; returns how many inputs were not in it before.
pub async fn add_all_of(app: &AppCtx, dataset_id: &str, from: &str) -> Result<u64> {
    const BATCH: i64 = 500;
    app.check_writable()?;
    let (mut after, mut n_added) = (0, 0);
    loop {
        let by = Adder::new(app);
        let (to, source_id) = (dataset_id.to_owned(), from.to_owned());
        let (n_new, last) = app
            .platform()
            .store()
            .write(move |tx| {
                let dataset = find(tx, &by.app_uid, &to)?;
                let source = find(tx, &by.app_uid, &source_id)?;
                let rows = tx.dataset_inputs_page(&by.app_uid, &source.uid, after, (BATCH, 0))?;
                let ids = rows.iter().map(|row| row.input_id.as_str());
                let n_new = by.add(tx, &to, &dataset, ids)?;
                Ok::<_, Error>((n_new, rows.last().map(|row| row.seq)))
            })
            .await?;
        n_added += n_new;
        match last {
            // A dataset put into itself would otherwise never end.
            Some(seq) if dataset_id != from => after = seq,
            _ => return Ok(n_added),
        }
    }
}

/// Puts inputs into a dataset, however many; those that are deleted meanwhile are left out. Returns how many were not in
/// it before.
pub async fn add_many(app: &AppCtx, dataset_id: &str, input_ids: &[String]) -> Result<u64> {
    const BATCH: usize = 500;
    app.check_writable()?;
    let mut n_added = 0;
    // The dataset is looked for even if there is nothing to add.
    for batch in input_ids.chunks(BATCH).chain(input_ids.is_empty().then_some(&[][..])) {
        let by = Adder::new(app);
        let (to, ids) = (dataset_id.to_owned(), batch.to_vec());
        let write = move |tx: &mut store::Tx<'_>| {
            let dataset = find(tx, &by.app_uid, &to)?;
            let there = tx.inputs_by_ids(&by.app_uid, &ids)?;
            by.add(tx, &to, &dataset, there.iter().map(|input| input.id.as_str()))
        };
        n_added += app.platform().store().write(write).await?;
    }
    Ok(n_added)
}

/// A dataset's inputs in the order of adding.
pub async fn inputs(app: &AppCtx, dataset_id: &str, page: Page) -> Result<Vec<DatasetInput>> {
    let page = page.check()?;
    let (app_uid, dataset_id) = (app.uid().to_owned(), dataset_id.to_owned());
    app.platform()
        .store()
        .read(move |tx| {
            let dataset = find(tx, &app_uid, &dataset_id)?;
            let rows = tx.dataset_inputs_page(&app_uid, &dataset.uid, 0, (page.limit(), page.offset()))?;
            assemble(tx, &app_uid, rows)
        })
        .await
}

/// One input of a dataset. `NotFound` if it is not in it.
pub async fn input(app: &AppCtx, dataset_id: &str, input_id: &str) -> Result<DatasetInput> {
    let (app_uid, dataset_id, input_id) = (app.uid().to_owned(), dataset_id.to_owned(), input_id.to_owned());
    app.platform()
        .store()
        .read(move |tx| {
            let dataset = find(tx, &app_uid, &dataset_id)?;
            let found = read(tx, &app_uid, &dataset, &[&input_id])?.into_iter().next();
            found.ok_or_else(|| Error::not_found(Resource::Input(input_id.clone())))
        })
        .await
}

/// How many inputs a dataset has.
pub async fn count(app: &AppCtx, dataset_id: &str) -> Result<u64> {
    let (app_uid, dataset_id) = (app.uid().to_owned(), dataset_id.to_owned());
    let read = move |tx: &mut store::Tx<'_>| {
        let dataset = find(tx, &app_uid, &dataset_id)?;
        Ok::<_, Error>(tx.count_dataset_inputs(&app_uid, &dataset.uid)?)
    };
    Ok(u64::try_from(app.platform().store().read(read).await?).unwrap_or(0))
}

/// Takes inputs out of a dataset; they stay in the app. `NotFound` if any is not in it; then none is taken out.
pub async fn remove(app: &AppCtx, dataset_id: &str, input_ids: &[String]) -> Result<()> {
    app.check_writable()?;
    if input_ids.is_empty() || input_ids.len() > Page::MAX_PER_PAGE as usize {
        return Err(Error::invalid("input_ids", format!("must hold 1 to {} items", Page::MAX_PER_PAGE)));
    }
    let ids: BTreeSet<String> = input_ids.iter().cloned().collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let (app_uid, dataset_id) = (app.uid().to_owned(), dataset_id.to_owned());
    app.platform()
        .store()
        .write(move |tx| {
            let dataset = find(tx, &app_uid, &dataset_id)?;
            let there = tx.dataset_inputs_by_ids(&app_uid, &dataset.uid, &ids)?;
            if let Some(missing) = ids.iter().find(|id| !there.iter().any(|row| row.input_id == **id)) {
                return Err(Error::not_found(Resource::Input(missing.clone())));
            }
            tx.delete_dataset_inputs(&app_uid, &dataset.uid, &ids)?;
            Ok(())
        })
        .await
}

fn read<S: AsRef<str>>(
    tx: &store::Tx<'_>,
    app_uid: &str,
    dataset: &Dataset,
    input_ids: &[S],
) -> Result<Vec<DatasetInput>> {
    let rows = tx.dataset_inputs_by_ids(app_uid, &dataset.uid, input_ids)?;
    assemble(tx, app_uid, rows)
}

fn assemble(tx: &store::Tx<'_>, app_uid: &str, rows: Vec<store::DatasetInput>) -> Result<Vec<DatasetInput>> {
    let ids: Vec<&str> = rows.iter().map(|row| row.input_id.as_str()).collect();
    let times: HashMap<&str, i64> =
        rows.iter().map(|row| (row.input_id.as_str(), row.created_at_us)).collect();
    let found = inputs::load(tx, app_uid, &ids)?;
    let with_time = found.into_iter().map(|input| {
        let added_at_us = times.get(input.id.as_str()).copied().unwrap_or_default();
        DatasetInput { input, added_at_us }
    });
    Ok(with_time.collect())
}

/// The datasets that each of these inputs is in, by input id.
pub(crate) fn ids_of_inputs<S: AsRef<str>>(
    tx: &store::Tx<'_>,
    app_uid: &str,
    input_ids: &[S],
) -> Result<HashMap<String, Vec<String>>> {
    let rows = tx.datasets_of_inputs(app_uid, input_ids)?;
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.dataset_id.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut live = BTreeSet::new();
    for row in tx.resources_by_ids(app_uid, Dataset::KIND, "", &ids)? {
        live.insert(read_doc::<Dataset>(row)?.uid);
    }
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    for row in rows.into_iter().filter(|row| live.contains(&row.dataset_uid)) {
        found.entry(row.input_id).or_default().push(row.dataset_id);
    }
    Ok(found)
}
