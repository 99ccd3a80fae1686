//! Calls over several items: those that cannot even be read are set aside, so that one bad item
//! never fails its neighbours, and come back in their places among the results.

use ocellus_core::inputs::MAX_PER_CALL;
use ocellus_core::{Error, Result};

/// The place of every item: a fault, or the next of the results.
pub struct Places(Vec<Option<Error>>);

/// Reads every item; `field` names the list in errors, such as `inputs`.
pub fn read<W, T>(
    items: Vec<W>,
    field: &str,
    read: impl Fn(W, &str) -> Result<T>,
) -> Result<(Vec<T>, Places)> {
    if items.is_empty() || items.len() > MAX_PER_CALL {
        return Err(Error::invalid(
            field,
            format!("must hold 1 to {MAX_PER_CALL} items, not {}", items.len()),
        ));
    }
    let mut good = Vec::with_capacity(items.len());
    let mut places = Vec::with_capacity(items.len());
    for (i, item) in items.into_iter().enumerate() {
        match read(item, &format!("{field}[{i}]")) {
            Ok(item) => {
                good.push(item);
                places.push(None);
            }
            Err(error) => places.push(Some(error)),
        }
    }
    Ok((good, Places(places)))
}

impl Places {
    /// Results for the readable items, with the faults in between.
    pub fn fill<T>(self, results: Vec<Result<T>>) -> Vec<Result<T>> {
        let mut results = results.into_iter();
        let filled = self.0.into_iter().map(|fault| match fault {
            Some(error) => Err(error),
            None => results.next().unwrap_or_else(|| Err(Error::unavailable("the item was not answered"))),
        });
        filled.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items_around_bad_ones() {
        let parse =
            |s: &str, field: &str| s.parse::<i32>().map_err(|_| Error::invalid(field, "must be a number"));
        let (good, places) = read(vec!["1", "x", "3"], "items", parse).unwrap();
        assert_eq!(good, [1, 3]);
        let all = places.fill(good.into_iter().map(Ok).collect());
        assert_eq!(all[0], Ok(1));
        assert_eq!(all[1], Err(Error::invalid("items[1]", "must be a number")));
        assert_eq!(all[2], Ok(3));
    }

    #[test]
    fn a_list_has_1_to_128_items() {
        let ok = |n: usize| read(vec![(); n], "inputs", |(), _| Ok(())).is_ok();
        assert!(!ok(0) && ok(1) && ok(128) && !ok(129));
    }
}
