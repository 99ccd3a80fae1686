//! Page numbers of requests: zero means the default, since protobuf cannot tell it from absent.

use ocellus_core::{Error, Page, PatchAction, Result};

use crate::pb::Pagination;

/// Items on a page where a request does not say.
const DEFAULT_PER_PAGE: u32 = 128;
/// Hits on a page where a search does not say.
const DEFAULT_HITS: u32 = 20;

/// The page of a list.
pub fn page(page: u32, per_page: u32) -> Result<Page> {
    or_default(page, per_page, DEFAULT_PER_PAGE)
}

/// The page of a search.
pub fn of(pagination: Option<&Pagination>) -> Result<Page> {
    let (page, per_page) = pagination.map_or((0, 0), |p| (p.page, p.per_page));
    or_default(page, per_page, DEFAULT_HITS)
}

fn or_default(page: u32, per_page: u32, default: u32) -> Result<Page> {
    let page = if page == 0 { 1 } else { page };
    let per_page = if per_page == 0 { default } else { per_page };
    Page { page, per_page }.check()
}

/// Refuses filters that a request sets and nothing here can apply: a wrong list is worse than none.
pub fn refuse(filters: &[(&str, bool)]) -> Result<()> {
    match filters.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Error::invalid(*name, "is a filter that this server does not have")),
        None => Ok(()),
    }
}

/// Refuses fields of a thing that a request sets and nothing here acts on; `field` names the thing.
pub fn refuse_fields(field: &str, given: &[(&str, bool)]) -> Result<()> {
    match given.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Error::invalid(format!("{field}.{name}"), "is not supported by this server")),
        None => Ok(()),
    }
}

/// The action of a patch; `default` where the request does not say.
pub fn action(name: &str, default: PatchAction) -> Result<PatchAction> {
    match name {
        "" => Ok(default),
        "merge" => Ok(PatchAction::Merge),
        "overwrite" => Ok(PatchAction::Overwrite),
        "remove" => Ok(PatchAction::Remove),
        _ => Err(Error::invalid("action", "must be merge, overwrite or remove")),
    }
}
