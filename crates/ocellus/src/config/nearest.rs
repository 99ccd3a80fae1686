//! The known key that an unknown one was probably meant to be.

/// The candidate with the fewest changed letters, if a third of the letters or fewer differ; or one with the same last part.
pub fn nearest<'a>(wanted: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = |key: &'a str| key.rsplit('.').next().unwrap_or(key);
    let wanted_name = wanted.rsplit('.').next().unwrap_or(wanted);
    candidates
        .map(|candidate| {
            let same_name = name(candidate) == wanted_name;
            let changes = if same_name { 1 } else { edits(wanted, candidate) };
            (changes, candidate)
        })
        .filter(|(changes, candidate)| changes * 3 <= candidate.len())
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance over bytes; keys are ASCII.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_finds_its_neighbour_and_nonsense_finds_none() {
        let known = ["server.listen", "server.data_dir", "tls.listen", "fetch.allow"];
        let cases = [
            ("server.lisen", Some("server.listen")),
            ("server.datadir", Some("server.data_dir")),
            ("fetching.allow", Some("fetch.allow")),
            ("colour.of_the_moon", None),
        ];
        for (wanted, expected) in cases {
            assert_eq!(nearest(wanted, known.into_iter()), expected, "{wanted}");
        }
    }
}
