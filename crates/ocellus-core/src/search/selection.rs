//! Sets of inputs by id, closed under "not": either these, or all but these.

use std::collections::HashSet;

/// A set of the inputs of one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// These.
    Only(HashSet<String>),
    /// All but these.
    Except(HashSet<String>),
}

impl Selection {
    /// All inputs.
    pub fn all() -> Self {
        Self::Except(HashSet::new())
    }

    /// No input.
    pub fn none() -> Self {
        Self::Only(HashSet::new())
    }

    /// The inputs with these ids.
    pub fn only(ids: impl IntoIterator<Item = String>) -> Self {
        Self::Only(ids.into_iter().collect())
    }

    pub fn contains(&self, id: &str) -> bool {
        match self {
            Self::Only(ids) => ids.contains(id),
            Self::Except(ids) => !ids.contains(id),
        }
    }

    /// The others.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Only(ids) => Self::Except(ids),
            Self::Except(ids) => Self::Only(ids),
        }
    }

    /// Those in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Only(a), Self::Only(b)) => {
                let (mut small, large) = if a.len() <= b.len() { (a, b) } else { (b, a) };
                small.retain(|id| large.contains(id));
                Self::Only(small)
            }
            (Self::Only(mut ids), Self::Except(out)) | (Self::Except(out), Self::Only(mut ids)) => {
                ids.retain(|id| !out.contains(id));
                Self::Only(ids)
            }
            (Self::Except(mut a), Self::Except(b)) => {
                a.extend(b);
                Self::Except(a)
            }
        }
    }

    /// Those in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.negated().and(other.negated()).negated()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &str) -> HashSet<String> {
        ids.chars().map(String::from).collect()
    }

    #[test]
    fn combining_selections_is_combining_conditions() {
        let some = ["", "a", "ab", "bc", "abcd"];
        let selections: Vec<Selection> =
            some.iter().flat_map(|ids| [Selection::Only(set(ids)), Selection::Except(set(ids))]).collect();
        for a in &selections {
            for b in &selections {
                for id in ["a", "b", "c", "d", "e"] {
                    let (x, y) = (a.contains(id), b.contains(id));
                    assert_eq!(a.clone().and(b.clone()).contains(id), x && y, "{id}: {a:?} and {b:?}");
                    assert_eq!(a.clone().or(b.clone()).contains(id), x || y, "{id}: {a:?} or {b:?}");
                    assert_eq!(a.clone().negated().contains(id), !x, "{id}: not {a:?}");
                }
            }
        }
    }
}
