//! What a job that writes an archive reads: the inputs of a version, page by page, and their vectors.

use std::collections::HashMap;

use ocellus_store as store;
use serde_json::Value;

use super::{BATCH, Target};
use crate::datasets::frozen::Frozen;
use crate::jobs::JobCtx;
use crate::{Error, Result};

/// The inputs of a version, read page by page from a thread that may wait.
pub(super) struct Work {
    pub cx: JobCtx,
    pub target: Target,
    pub handle: tokio::runtime::Handle,
}

pub(super) fn no_longer_wanted() -> Error {
    Error::cancelled("the version was deleted")
}

impl Work {
    fn after(&self, seq: i64) -> Result<Vec<store::DatasetItem>> {
        self.cx.checkpoint()?;
        let target = self.target.clone();
        let store = self.cx.platform.store();
        self.handle.block_on(store.read(move |tx| {
            Ok::<_, Error>(tx.dataset_items_page(&target.about.app_uid, &target.version_uid, seq, BATCH)?)
        }))
    }

    pub fn note(&self, n_done: i64) -> Result<()> {
        let (target, now_us) = (self.target.clone(), self.cx.platform.clock().now_us());
        let write = move |tx: &mut store::Tx<'_>| {
            Ok::<_, Error>(tx.set_dataset_export_progress(target.key(), n_done, now_us)?)
        };
        match self.handle.block_on(self.cx.platform.store().write(write))? {
            true => Ok(()),
            false => Err(no_longer_wanted()),
        }
    }

    /// Gives inputs the vectors that they have now, unless the app has something else under their ids by now.
    pub fn add_vectors(&self, page: &mut [Frozen]) -> Result<()> {
        let platform = &self.cx.platform;
        let space = platform.catalog().embedding().version_id().to_owned();
        let (uid, ids) = (self.target.about.app_uid.clone(), ids_of(page));
        let read = move |tx: &mut store::Tx<'_>| {
            Ok::<_, Error>((tx.inputs_by_ids(&uid, &ids)?, tx.vectors_in(&uid, &space, &ids)?))
        };
        let (inputs, vectors) = self.handle.block_on(platform.store().read(read))?;
        let hashes: HashMap<String, Option<String>> =
            inputs.into_iter().map(|input| (input.id, input.blob)).collect();
        let mut by_id: HashMap<String, Vec<f32>> =
            vectors.into_iter().map(|vector| (vector.input_id, vector.data)).collect();
        for frozen in page {
            if hashes.get(&frozen.item.id) == Some(&frozen.hash) {
                frozen.vector = by_id.remove(&frozen.item.id);
            }
        }
        Ok(())
    }

    /// Hands every page of inputs after one over, each input with its number.
    pub fn each(
        &self,
        mut after: i64,
        mut visit: impl FnMut(Vec<(i64, Frozen)>) -> Result<()>,
    ) -> Result<()> {
        loop {
            let rows = self.after(after)?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.seq;
            let read = |row: store::DatasetItem| {
                let frozen = serde_json::from_value(Value::Object(row.doc)).map_err(Error::internal)?;
                Ok((row.seq, frozen))
            };
            visit(rows.into_iter().map(read).collect::<Result<Vec<_>>>()?)?;
        }
    }
}

fn ids_of(page: &[Frozen]) -> Vec<String> {
    page.iter().map(|frozen| frozen.item.id.clone()).collect()
}
