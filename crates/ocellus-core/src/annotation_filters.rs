//! Annotation filters: searches for annotations with a name, to make dataset versions of.

use serde::{Deserialize, Serialize};

use crate::resources::Document;
use crate::{Error, Result};

/// An annotation filter as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnnotationFilter {
    /// The search in the words of the dialect that it came in, which has checked it.
    pub search: String,
}

impl Document for AnnotationFilter {
    const KIND: &'static str = "annotation_filter";
    const NOUN: &'static str = "annotation filter";
    const FIELD: &'static str = "annotation_filters";

    fn check(&self) -> Result<()> {
        match self.search.is_empty() {
            true => Err(Error::invalid("annotation_filters.search", "must be given")),
            false => Ok(()),
        }
    }
}
