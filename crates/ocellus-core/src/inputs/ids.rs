//! The id under which a new input is added, where the app or the same call may have one with its id or address already.

use std::collections::HashSet;

use ocellus_store as store;

use super::IdConflict;
use super::create::Candidate;
use crate::{Error, Resource, Result};

/// Ids have at most so many characters.
const MAX_ID_CHARS: usize = 128;

/// The ids and addresses of one call so far.
#[derive(Default)]
pub(crate) struct Seen {
    ids: HashSet<String>,
    urls: HashSet<String>,
}

/// What becomes of a candidate.
pub(crate) enum Admitted {
    /// It is added under this id.
    New(String),
    /// The input with this id is there and stays as it is.
    Old(String),
}

/// Decides on a candidate: the inner error is why it is refused.
pub(crate) fn admit(
    tx: &store::Tx<'_>,
    candidate: &Candidate,
    on_conflict: IdConflict,
    seen: &mut Seen,
) -> Result<Result<Admitted>> {
    let row = &candidate.row;
    let is_taken = |id: &str| Ok::<_, Error>(seen.ids.contains(id) || tx.input(&row.app_uid, id)?.is_some());
    let id = match (is_taken(&row.id)?, on_conflict) {
        (false, _) => row.id.clone(),
        (true, IdConflict::Suffix) => suffixed(&row.id, is_taken)?,
        (true, IdConflict::Skip) => return Ok(Ok(Admitted::Old(row.id.clone()))),
        (true, IdConflict::Refuse) => {
            let message = format!("input '{}' exists already", row.id);
            return Ok(Err(Error::conflict(Resource::Input(row.id.clone()), message)));
        }
    };
    if let Some(url) = row.source_url.as_deref() {
        if candidate.unique_url && (seen.urls.contains(url) || tx.input_by_url(&row.app_uid, url)?.is_some())
        {
            let message = format!("an input with the url '{url}' exists already");
            return Ok(Err(Error::conflict(Resource::Url(url.to_owned()), message)));
        }
        seen.urls.insert(url.to_owned());
    }
    seen.ids.insert(id.clone());
    Ok(Ok(Admitted::New(id)))
}

/// The id with a number that makes it free. Numbers are given without gaps, so halving finds the first free one.
fn suffixed(id: &str, is_taken: impl Fn(&str) -> Result<bool>) -> Result<String> {
    let numbered = |n: u64| {
        let suffix = format!("_{n}");
        let kept: String = id.chars().take(MAX_ID_CHARS - suffix.len()).collect();
        format!("{kept}{suffix}")
    };
    let (mut taken, mut free) = (0, 1);
    while is_taken(&numbered(free))? {
        (taken, free) = (free, free * 2);
    }
    while free - taken > 1 {
        let middle = taken + (free - taken) / 2;
        match is_taken(&numbered(middle))? {
            true => taken = middle,
            false => free = middle,
        }
    }
    Ok(numbered(free))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_number_is_found_and_the_id_stays_short_enough() {
        for n_taken in [0_u64, 1, 2, 3, 7, 8, 1000] {
            let is_taken = |id: &str| {
                let (_, n) = id.rsplit_once('_').unwrap();
                Ok(n.parse::<u64>().unwrap() <= n_taken)
            };
            assert_eq!(suffixed("a", is_taken).unwrap(), format!("a_{}", n_taken + 1));
        }
        let long = suffixed(&"ä".repeat(128), |_| Ok(false)).unwrap();
        assert_eq!((long.chars().count(), long.ends_with("_1")), (128, true));
    }
}
