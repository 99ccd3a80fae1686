//! Table `kept_counts`: how many inputs an app has by state, how many of them each concept was said of, and how many
//! are in each dataset. Nobody counts rows: a transaction notes which inputs it touches, and writes what that means for
//! the counts when it ends.
//!
//! The rows are written last and in the order of their keys, so that no two transactions wait for each other. On
//! PostgreSQL, where a row that two transactions change at once makes one of them run again, every count is the sum of
//! several rows.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::Result;
use crate::db::{Row, Tx, Val};
use crate::page::id_chunks;
use crate::tables::concepts::ConceptCount;

/// Inputs are counted by thousands of their numbers, so that a page far from the start is found without walking there.
const NUMBERS_AT_A_PLACE: i64 = 4096;
const INPUTS: &str = "inputs";
const POSITIVE: &str = "positive";
const NEGATIVE: &str = "negative";
const DATASET: &str = "dataset";

/// What is counted: app, kind, id, state, place.
type Key = (String, &'static str, String, i64, i64);

/// What of an input matters to the counts.
#[derive(Default)]
struct Counted {
    seq: i64,
    state: i64,
    /// Concept, and whether it is said to be there.
    said: BTreeSet<(String, bool)>,
}

/// What a transaction has changed that is counted.
#[derive(Default)]
pub(crate) struct Changes {
    /// The inputs touched, by app and id, as they were before; `None` for what was not there.
    before: BTreeMap<(String, String), Option<Counted>>,
    /// What is known to be more or less already.
    added: BTreeMap<Key, i64>,
}

/// Where a page begins: behind this number, after leaving out so many more.
pub(crate) struct PageStart {
    pub after_seq: Option<i64>,
    pub offset: i64,
}

impl Tx<'_> {
    fn changes(&self) -> &RefCell<Changes> {
        &self.changes
    }

    /// To be called before inputs of an app change their state, or are labelled, or go.
    pub(crate) fn touch_inputs<S: AsRef<str>>(&self, app_uid: &str, ids: &[S]) -> Result<()> {
        let fresh: Vec<String> = {
            let changes = self.changes().borrow();
            let key = |id: &S| (app_uid.to_owned(), id.as_ref().to_owned());
            ids.iter().map(key).filter(|key| !changes.before.contains_key(key)).map(|(_, id)| id).collect()
        };
        if fresh.is_empty() {
            return Ok(());
        }
        let mut found = self.counted(app_uid, &fresh)?;
        let mut changes = self.changes().borrow_mut();
        for id in fresh {
            let counted = found.remove(&id);
            // The same id may be given twice.
            changes.before.entry((app_uid.to_owned(), id)).or_insert(counted);
        }
        Ok(())
    }

    /// Like [`Tx::touch_inputs`] for an input that is not there yet.
    pub(crate) fn touch_new_input(&self, app_uid: &str, id: &str) {
        let key = (app_uid.to_owned(), id.to_owned());
        self.changes().borrow_mut().before.entry(key).or_insert(None);
    }

    /// Notes that a dataset has more or fewer inputs.
    pub(crate) fn add_to_dataset_count(&self, app_uid: &str, dataset_uid: &str, n: i64) {
        let key = (app_uid.to_owned(), DATASET, dataset_uid.to_owned(), 0, 0);
        *self.changes().borrow_mut().added.entry(key).or_default() += n;
    }

    fn counted(&self, app_uid: &str, ids: &[String]) -> Result<BTreeMap<String, Counted>> {
        let mut found: BTreeMap<String, Counted> = BTreeMap::new();
        for (list, vals) in id_chunks(ids, 2) {
            let mut params: Vec<Val<'_>> = vec![app_uid.into()];
            params.extend(vals);
            let sql = format!("SELECT id, seq, state FROM inputs WHERE app_uid = ?1 AND id IN ({list})");
            let map = |row: &mut Row| {
                let id = row.text()?;
                Ok((id, Counted { seq: row.int()?, state: row.int()?, said: BTreeSet::new() }))
            };
            found.extend(self.select("inputs", &sql, &params, map)?);
            let sql = format!(
                "SELECT input_id, concept_id, positive FROM labels WHERE app_uid = ?1 AND input_id IN ({list})"
            );
            let map = |row: &mut Row| Ok((row.text()?, (row.text()?, row.flag()?)));
            for (id, said) in self.select("labels", &sql, &params, map)? {
                // What is said of an input that is not there counts nowhere.
                if let Some(counted) = found.get_mut(&id) {
                    counted.said.insert(said);
                }
            }
        }
        Ok(found)
    }

    /// Writes what has changed since the last time. The databases call it before they commit.
    pub(crate) fn settle(&self) -> Result<()> {
        let Changes { before, mut added } = self.changes().take();
        if before.is_empty() && added.is_empty() {
            return Ok(());
        }
        let mut ids: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (app_uid, id) in before.keys() {
            ids.entry(app_uid).or_default().push(id.clone());
        }
        for (app_uid, ids) in ids {
            for counted in self.counted(app_uid, &ids)?.into_values() {
                counted.add(app_uid, 1, &mut added);
            }
        }
        for ((app_uid, _), counted) in &before {
            if let Some(counted) = counted {
                counted.add(app_uid, -1, &mut added);
            }
        }
        self.add_to_counts(added)
    }

    fn add_to_counts(&self, added: BTreeMap<Key, i64>) -> Result<()> {
        let n_shards = self.dialect().n_shards;
        let shard = if n_shards > 1 { (getrandom::u64().unwrap_or(0) % n_shards) as i64 } else { 0 };
        let rows = added.into_iter().filter(|(_, n)| *n != 0);
        let rows = rows.map(|((app_uid, kind, id, state, place), n)| {
            vec![app_uid.into(), kind.into(), id.into(), state.into(), place.into(), shard.into(), n.into()]
        });
        let tail = "ON CONFLICT (app_uid, kind, id, state, place, shard) \
                    DO UPDATE SET n = kept_counts.n + excluded.n";
        self.insert_many("kept_counts", "app_uid, kind, id, state, place, shard, n", tail, rows.collect())?;
        Ok(())
    }

    /// To be called before rows go that are not touched one by one: forgets all counts of an app, or with a kind and id
    /// only those.
    pub(crate) fn forget_counts(&self, app_uid: &str, of: Option<(&str, &str)>) -> Result<()> {
        self.settle()?;
        let Some((kind, id)) = of else {
            self.exec("DELETE FROM kept_counts WHERE app_uid = ?1", &[app_uid.into()])?;
            return Ok(());
        };
        let sql = "DELETE FROM kept_counts WHERE app_uid = ?1 AND kind = ?2 AND id = ?3";
        self.exec(sql, &[app_uid.into(), kind.into(), id.into()])?;
        Ok(())
    }

    /// See [`Tx::forget_counts`].
    pub(crate) fn forget_counts_of_concept(&self, app_uid: &str, concept_id: &str) -> Result<()> {
        self.forget_counts(app_uid, Some((POSITIVE, concept_id)))?;
        self.forget_counts(app_uid, Some((NEGATIVE, concept_id)))
    }

    /// See [`Tx::forget_counts`].
    pub(crate) fn forget_counts_of_dataset(&self, app_uid: &str, dataset_uid: &str) -> Result<()> {
        self.forget_counts(app_uid, Some((DATASET, dataset_uid)))
    }

    /// How many inputs the app has, by state.
    pub fn count_inputs(&self, app_uid: &str) -> Result<BTreeMap<i64, i64>> {
        self.settle()?;
        let sql = "SELECT state, CAST(SUM(n) AS BIGINT) FROM kept_counts \
                   WHERE app_uid = ?1 AND kind = ?2 AND id = '' GROUP BY state HAVING SUM(n) <> 0";
        let map = |row: &mut Row| Ok((row.int()?, row.int()?));
        Ok(self.select("kept_counts", sql, &[app_uid.into(), INPUTS.into()], map)?.into_iter().collect())
    }

    /// How many inputs these concepts were put on, by state and by yes or no.
    pub fn concept_counts<S: AsRef<str>>(&self, app_uid: &str, ids: &[S]) -> Result<Vec<ConceptCount>> {
        self.settle()?;
        let mut counts = Vec::new();
        for (list, vals) in id_chunks(ids, 4) {
            let sql = format!(
                "SELECT id, state, kind, CAST(SUM(n) AS BIGINT) FROM kept_counts \
                 WHERE app_uid = ?1 AND kind IN (?2, ?3) AND id IN ({list}) \
                 GROUP BY id, state, kind HAVING SUM(n) <> 0"
            );
            let mut params: Vec<Val<'_>> = vec![app_uid.into(), POSITIVE.into(), NEGATIVE.into()];
            params.extend(vals);
            counts.extend(self.select("kept_counts", &sql, &params, |row| {
                let (concept_id, state, kind) = (row.text()?, row.int()?, row.text()?);
                Ok(ConceptCount { concept_id, state, positive: kind == POSITIVE, n: row.int()? })
            })?);
        }
        Ok(counts)
    }

    /// How many inputs a dataset has.
    pub fn count_dataset_inputs(&self, app_uid: &str, dataset_uid: &str) -> Result<i64> {
        self.settle()?;
        let sql = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM kept_counts \
                   WHERE app_uid = ?1 AND kind = ?2 AND id = ?3";
        let params = [app_uid.into(), DATASET.into(), dataset_uid.into()];
        Ok(self.select_one("kept_counts", sql, &params, |row| row.int())?.unwrap_or(0))
    }

    /// Where the page of an app's inputs in some states (all if none is given) begins that leaves out `offset` of them.
    pub(crate) fn page_start(
        &self,
        app_uid: &str,
        states: &[i64],
        newest_first: bool,
        offset: i64,
    ) -> Result<PageStart> {
        if offset < NUMBERS_AT_A_PLACE {
            return Ok(PageStart { after_seq: None, offset });
        }
        self.far_page_start(app_uid, states, newest_first, offset)
    }

    fn far_page_start(
        &self,
        app_uid: &str,
        states: &[i64],
        newest_first: bool,
        offset: i64,
    ) -> Result<PageStart> {
        self.settle()?;
        let sql = "SELECT state, place, n FROM kept_counts WHERE app_uid = ?1 AND kind = ?2 AND id = ''";
        let map = |row: &mut Row| Ok((row.int()?, row.int()?, row.int()?));
        let mut at_place: BTreeMap<i64, i64> = BTreeMap::new();
        for (state, place, n) in self.select("kept_counts", sql, &[app_uid.into(), INPUTS.into()], map)? {
            if states.is_empty() || states.contains(&state) {
                *at_place.entry(place).or_default() += n;
            }
        }
        let mut places: Vec<(i64, i64)> = at_place.into_iter().collect();
        if newest_first {
            places.reverse();
        }
        let mut start = PageStart { after_seq: None, offset };
        for (place, n) in places {
            if n > start.offset {
                break;
            }
            start.offset -= n;
            // Behind the last number of this place: one before the next place, or the first number of this one.
            let next = if newest_first { place } else { place + 1 };
            start.after_seq = Some(next * NUMBERS_AT_A_PLACE - i64::from(!newest_first));
        }
        Ok(start)
    }
}

impl Counted {
    fn add(&self, app_uid: &str, n: i64, to: &mut BTreeMap<Key, i64>) {
        let place = self.seq / NUMBERS_AT_A_PLACE;
        *to.entry((app_uid.to_owned(), INPUTS, String::new(), self.state, place)).or_default() += n;
        for (concept_id, positive) in &self.said {
            let kind = if *positive { POSITIVE } else { NEGATIVE };
            *to.entry((app_uid.to_owned(), kind, concept_id.clone(), self.state, 0)).or_default() += n;
        }
    }
}

#[cfg(test)]
mod tests;
