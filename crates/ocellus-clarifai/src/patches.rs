//! Patches of stored documents: the fields that a message gives, as JSON. Empty texts mean "leave alone", since protobuf
//! cannot tell them from absent.

use ocellus_core::{Error, JsonMap, Result};
use prost_types::Struct;

use crate::documents;
use crate::pb::Visibility;

/// Collects the fields that are given.
#[derive(Default)]
pub struct Fields(JsonMap);

impl Fields {
    #[must_use]
    pub fn text(mut self, name: &str, value: String) -> Self {
        if !value.is_empty() {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    #[must_use]
    pub fn document(mut self, name: &str, value: Option<Struct>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), documents::from_struct(value).into());
        }
        self
    }

    #[must_use]
    pub fn number(mut self, name: &str, value: f64) -> Self {
        if value != 0.0 {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    #[must_use]
    pub fn visibility(mut self, name: &str, value: Option<Visibility>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.gettable.into());
        }
        self
    }

    pub fn of(self, id: String) -> (String, JsonMap) {
        (id, self.0)
    }
}

/// What a deletion of several is to delete: some ids, or everything.
pub enum Deletion {
    Ids(Vec<String>),
    All,
}

pub fn deletion(ids: Vec<String>, delete_all: bool) -> Result<Deletion> {
    match (delete_all, ids.is_empty()) {
        (true, true) => Ok(Deletion::All),
        (true, false) => Err(Error::invalid("delete_all", "and ids exclude each other")),
        (false, true) => Err(Error::invalid("ids", "must name what to delete")),
        (false, false) => Ok(Deletion::Ids(ids)),
    }
}
