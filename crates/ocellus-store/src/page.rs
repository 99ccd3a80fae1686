//! Pieces of SQL text whose length depends on data: lists of ids and wildcard patterns.

use crate::db::Val;

/// Most ids in one statement.
const MAX_IDS: usize = 256;

/// Cuts ids into chunks for `IN (…)`, with placeholders counted from `?first`.
///
/// Each chunk is padded with its last id up to a power of two, so that at most nine different
/// statements exist per query and the databases' statement caches keep them all.
pub(crate) fn id_chunks<S: AsRef<str>>(
    ids: &[S],
    first: usize,
) -> impl Iterator<Item = (String, Vec<Val<'_>>)> {
    ids.chunks(MAX_IDS).map(move |chunk| {
        let n = chunk.len().next_power_of_two();
        let list = (first..first + n).map(|i| format!("?{i}")).collect::<Vec<_>>().join(",");
        let vals = (0..n).map(|i| Val::from(chunk[i.min(chunk.len() - 1)].as_ref())).collect();
        (list, vals)
    })
}

/// Turns a user's wildcard text (`*` stands for any run of characters) into a pattern for
/// `LIKE … ESCAPE '!'` over a lower-cased column.
pub(crate) fn like_pattern(wildcard: &str) -> String {
    let mut pattern = String::with_capacity(wildcard.len());
    for c in wildcard.to_lowercase().chars() {
        match c {
            '*' => pattern.push('%'),
            '%' | '_' | '!' => {
                pattern.push('!');
                pattern.push(c);
            }
            c => pattern.push(c),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_in_padded_chunks_that_cover_each_id() {
        for n in [1, 2, 3, 5, 255, 256, 257, 600] {
            let ids: Vec<String> = (0..n).map(|i| i.to_string()).collect();
            let mut seen = std::collections::BTreeSet::new();
            for (list, vals) in id_chunks(&ids, 3) {
                assert!(vals.len().is_power_of_two() && vals.len() <= MAX_IDS);
                assert!(list.starts_with("?3"));
                assert_eq!(list.split(',').count(), vals.len());
                seen.extend(vals.iter().map(|v| format!("{v:?}")));
            }
            assert_eq!(seen.len(), n);
        }
        assert_eq!(id_chunks::<&str>(&[], 1).count(), 0);
    }

    #[test]
    fn only_the_star_is_a_wildcard() {
        for (given, expected) in [("Do*", "do%"), ("50%_!", "50!%!_!!"), ("É*É", "é%é"), ("", "")] {
            assert_eq!(like_pattern(given), expected);
        }
    }
}
