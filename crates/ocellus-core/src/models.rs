//! Models as a caller sees them: the public ones, to be listed, looked up and searched by name.

use std::sync::Arc;

use crate::catalog::ModelSpec;
use crate::{Page, Platform, Result};

/// What to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelQuery {
    /// Name, id or alias, case-insensitive, `*` stands for anything.
    pub name: Option<String>,
    /// Model type ids, any of them; empty means all.
    pub model_type_ids: Vec<String>,
}

/// A page of the public models that match, in the order of the manifest.
pub fn list(_platform: &Platform, _query: &ModelQuery, _page: Page) -> Result<Vec<Arc<ModelSpec>>> {
    todo!()
}

/// The model with this id, alias or name; `NotFound` otherwise, also when `version_id` is given and is none of its versions.
pub fn get(_platform: &Platform, _model_id: &str, _version_id: Option<&str>) -> Result<Arc<ModelSpec>> {
    todo!()
}
