//! Saved searches: queries with a name, to be run again.
//!
//! The core keeps the query as the dialect wrote it; it is read again each time the search is run.

use serde::{Deserialize, Serialize};

use crate::resources::Document;
use crate::{Error, JsonMap, Result};

/// A saved search.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedSearch {
    /// A readable name.
    pub name: String,
    /// The encoded query, in hexadecimal.
    pub query: String,
    /// Hits below this score are left out; 0 to 1.
    #[serde(default)]
    pub min_score: f32,
    /// The number of the metric in the dialect.
    #[serde(default)]
    pub metric: i32,
    /// Only what was created up to this time, in microseconds since the epoch.
    #[serde(default)]
    pub as_of_us: Option<i64>,
    /// Who may see it, in the dialect's numbers.
    #[serde(default)]
    pub visibility: i32,
    /// The kind of search: 0 for searches that find inputs, 1 for those that find annotations.
    #[serde(default)]
    pub kind: i32,
    /// Free for the dialect.
    #[serde(default)]
    pub more: JsonMap,
}

/// An encoded query as it is kept.
pub fn written(query: &[u8]) -> String {
    hex::encode(query)
}

impl SavedSearch {
    /// The query as the dialect encoded it.
    pub fn encoded_query(&self) -> Result<Vec<u8>> {
        hex::decode(&self.query).map_err(Error::internal)
    }
}

impl Document for SavedSearch {
    const KIND: &'static str = "search";
    const NOUN: &'static str = "search";
    const FIELD: &'static str = "searches";
}
