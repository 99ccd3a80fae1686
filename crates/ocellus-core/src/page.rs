//! Paging and patching vocabulary shared by all nouns.

use crate::{Error, Result};

/// A page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Counted from 1.
    pub page: u32,
    /// 1 to 1000.
    pub per_page: u32,
}

impl Page {
    /// The largest page.
    pub const MAX_PER_PAGE: u32 = 1000;

    /// The first page of the given size.
    pub fn first(per_page: u32) -> Self {
        Self { page: 1, per_page }
    }

    /// Checks the ranges.
    pub fn check(self) -> Result<Self> {
        if self.page == 0 {
            return Err(Error::invalid("page", "must be 1 or more"));
        }
        if self.per_page == 0 || self.per_page > Self::MAX_PER_PAGE {
            return Err(Error::invalid("per_page", "must be 1 to 1000"));
        }
        Ok(self)
    }

    /// How many items a page holds.
    pub fn limit(self) -> i64 {
        i64::from(self.per_page)
    }

    /// How many items come before the page.
    pub fn offset(self) -> i64 {
        i64::from(self.page.saturating_sub(1)) * i64::from(self.per_page)
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::first(20)
    }
}

/// How a patch changes what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchAction {
    /// Adds list items, merging those with the same id; sets the given fields.
    Merge,
    /// Replaces the given fields whole.
    Overwrite,
    /// Takes away list items by id, and metadata keys whose value in the patch is true.
    Remove,
}
