//! Copying the workflows of an app into another one.

use ocellus_store as store;

use super::change::to_map;
use super::{Workflow, WorkflowVersion};
use crate::Result;
use crate::resources::{Document, stored};

/// Copies all workflows with their versions: how many, and how many were left out, because the other app has one with
/// the same id. What was public is not; models of the one app are those of the other.
pub(crate) fn copy(
    tx: &store::Tx<'_>,
    (from, to): (&str, &str),
    (from_id, to_id): (&str, &str),
) -> Result<(u64, u64)> {
    let (mut n_copied, mut n_skipped) = (0, 0);
    let query = store::ResourceQuery { limit: i64::MAX, ..store::ResourceQuery::default() };
    for row in tx.resources_page(from, Workflow::KIND, &query)? {
        let workflow = stored::<Workflow>(row.clone())?.doc;
        match tx.insert_resource(&store::Resource { owner_uid: to.to_owned(), ..row }) {
            Ok(_) => n_copied += 1,
            Err(store::Error::Conflict(_)) => {
                n_skipped += 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        let versions = store::ResourceQuery { parent: Some(workflow.uid), ..query.clone() };
        for row in tx.resources_page(from, WorkflowVersion::KIND, &versions)? {
            let mut doc = stored::<WorkflowVersion>(row.clone())?.doc;
            doc.is_public = false;
            for node in doc.nodes.iter_mut().filter(|node| node.model.app_id == from_id) {
                to_id.clone_into(&mut node.model.app_id);
            }
            let (owner_uid, doc) = (to.to_owned(), to_map(&doc)?);
            tx.insert_resource(&store::Resource { owner_uid, doc, ..row })?;
        }
    }
    Ok((n_copied, n_skipped))
}
