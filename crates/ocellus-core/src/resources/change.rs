//! Changing and deleting documents.

use ocellus_store as store;

use super::*;

/// Changes the named fields of documents, each patch being the id and part of the document as JSON, and returns them as
/// they are then, in order. `NotFound` if any does not exist; then none is changed.
pub async fn patch<D: Document>(
    shelf: &Shelf,
    patches: Vec<(String, JsonMap)>,
    action: PatchAction,
) -> Result<Vec<Stored<D>>> {
    check_number::<D>(patches.len())?;
    let (ids, patches): (Vec<_>, Vec<_>) = patches.into_iter().unzip();
    let change = move |_: &store::Tx<'_>, at: usize, doc: &mut D| {
        let mut json = to_json(doc)?;
        action.apply_to_fields(&mut json, &patches[at]);
        *doc = serde_json::from_value(Value::Object(json)).map_err(|error| {
            Error::invalid(format!("{}[{at}]", D::FIELD), format!("is no {}: {error}", D::NOUN))
        })?;
        Ok(())
    };
    change_each(shelf, ids, change).await
}

/// Changes one document by a function, which may be run again on a fresh state.
pub async fn change<D: Document>(
    shelf: &Shelf,
    id: &str,
    change: impl Fn(&mut D) -> Result<()> + Send + Sync + 'static,
) -> Result<Stored<D>> {
    change_with(shelf, id, move |_, doc| change(doc)).await
}

/// Like [`change()`], by a function that may write more in the same transaction.
pub(crate) async fn change_with<D: Document>(
    shelf: &Shelf,
    id: &str,
    change: impl Fn(&store::Tx<'_>, &mut D) -> Result<()> + Send + Sync + 'static,
) -> Result<Stored<D>> {
    let changed = change_each(shelf, vec![id.to_owned()], move |tx, _, doc| change(tx, doc)).await?;
    changed.into_iter().next().ok_or_else(|| missing::<D>(id))
}

async fn change_each<D: Document>(
    shelf: &Shelf,
    ids: Vec<String>,
    change: impl Fn(&store::Tx<'_>, usize, &mut D) -> Result<()> + Send + Sync + 'static,
) -> Result<Vec<Stored<D>>> {
    shelf.check_writable()?;
    let shelf = Arc::new(shelf.clone());
    let now_us = shelf.platform.clock().now_us();
    let by = Arc::clone(&shelf);
    let write = move |tx: &mut store::Tx<'_>| {
        let mut changed = Vec::with_capacity(ids.len());
        for (at, id) in ids.iter().enumerate() {
            let row = tx.resource(&by.owner_uid, D::KIND, &by.parent, id)?;
            let mut thing = stored::<D>(row.clone().ok_or_else(|| missing::<D>(id))?)?;
            change(tx, at, &mut thing.doc)?;
            thing.doc.check()?;
            thing.modified_at_us = now_us;
            if let Some(mut row) = row {
                (row.about, row.state, row.doc) =
                    (thing.doc.about(), thing.doc.state(), to_json(&thing.doc)?);
                (row.modified_by, row.modified_at_us) = (by.changed_by(), now_us);
                row.blob = thing.doc.blob();
                tx.update_resource(&row)?;
            }
            changed.push(thing);
        }
        Ok::<_, Error>(changed)
    };
    shelf.platform.store().write(write).await
}

/// Deletes documents. `NotFound` if any does not exist; then none is deleted.
pub async fn delete<D: Document>(shelf: &Shelf, ids: &[impl AsRef<str>]) -> Result<()> {
    delete_with::<D>(shelf, ids, |_, _, _| Ok(())).await
}

/// Deletes documents and, in the same transaction, whatever `along` deletes for each, given the owner's uid.
pub(crate) async fn delete_with<D: Document>(
    shelf: &Shelf,
    ids: &[impl AsRef<str>],
    along: impl Fn(&store::Tx<'_>, &str, &Stored<D>) -> Result<()> + Send + Sync + 'static,
) -> Result<()> {
    shelf.check_writable()?;
    check_number::<D>(ids.len())?;
    let (owner_uid, parent) = (shelf.owner_uid.clone(), shelf.parent.clone());
    let ids: Vec<String> = ids.iter().map(|id| id.as_ref().to_owned()).collect();
    let write = move |tx: &mut store::Tx<'_>| {
        for id in &ids {
            let row = tx.resource(&owner_uid, D::KIND, &parent, id)?;
            let gone = stored::<D>(row.ok_or_else(|| missing::<D>(id))?)?;
            tx.delete_resources(&owner_uid, D::KIND, &parent, &[id])?;
            along(tx, &owner_uid, &gone)?;
        }
        Ok::<_, Error>(())
    };
    shelf.platform.store().write(write).await
}

/// Deletes all documents of this kind on the shelf; returns how many there were.
pub async fn delete_all<D: Document>(shelf: &Shelf) -> Result<u64> {
    shelf.check_writable()?;
    let (owner_uid, parent) = (shelf.owner_uid.clone(), shelf.parent.clone());
    let write = move |tx: &mut store::Tx<'_>| {
        Ok::<_, Error>(tx.delete_resources_within(&owner_uid, D::KIND, &parent)?)
    };
    shelf.platform.store().write(write).await
}
