//! The statements that a process has run, and how each database means to run them.
//!
//! A plan depends on what the planner knows of the tables. Test databases are nearly empty, where PostgreSQL would
//! read every table from end to end; it is told not to as long as there is an index to use.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;

use crate::db::{Tx, Val};
use crate::{Error, Result, Store, migrate};

static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Columns that say whose rows are meant. A condition on nothing else reads all there is of somebody.
const OWNERS: [&str; 3] = ["app_uid", "owner_uid", "account_id"];

/// Tables of which an owner has one row or a few.
const FEW_EACH: [&str; 5] = ["access_keys", "collaborators", "email_codes", "subscriptions", "users"];

/// Keeps a statement for [`poor_plans`].
pub(crate) fn note(sql: &str) {
    let mut seen = SEEN.lock();
    if !seen.contains(sql) {
        seen.insert(sql.to_owned());
    }
}

/// How much of a table a statement reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// Every row of the table.
    Table,
    /// Every row of an app or account, to sort or count it.
    Owner,
}

/// A statement that reads more than an index would have it read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoorPlan {
    /// The statement.
    pub sql: String,
    /// The table that is read.
    pub table: String,
    /// How much of it.
    pub extent: Extent,
    /// The line of the plan that says so.
    pub line: String,
}

/// Everything this process has run so far, on whichever database.
pub fn seen() -> BTreeSet<String> {
    SEEN.lock().clone()
}

/// The statements run so far, on whichever database, that read a whole table or all rows of an app or account on this
/// one. Only SQLite tells the columns of a condition, so [`Extent::Owner`] comes from there alone.
pub async fn poor_plans(store: &Store) -> Result<BTreeSet<PoorPlan>> {
    let statements = seen();
    store.read(move |tx| poor_in(tx, &statements)).await
}

fn poor_in(tx: &Tx<'_>, statements: &BTreeSet<String>) -> Result<BTreeSet<PoorPlan>> {
    let postgres = tx.dialect().blob == "BYTEA";
    if postgres {
        tx.batch(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
             SET LOCAL plan_cache_mode = force_generic_plan",
        )?;
    }
    let first_columns = if postgres { first_columns(tx)? } else { BTreeMap::new() };
    let mut found = BTreeSet::new();
    // The process may have run them on the other database; what only that one reads is left to it.
    let foreign = if postgres { ["sqlite_", "pragma_"] } else { ["FOR UPDATE", "pg_"] };
    let ours = statements.iter().filter(|sql| !foreign.iter().any(|word| sql.contains(word)));
    for sql in ours {
        let lines = if postgres { postgres_plan(tx, sql)? } else { sqlite_plan(tx, sql)? };
        let tables = tables_of(sql);
        let scans = if postgres { postgres_scans(&lines, &first_columns) } else { sqlite_scans(sql, &lines) };
        for (name, extent, line) in scans {
            if let Some(table) = tables.get(&name)
                && (extent == Extent::Table || !FEW_EACH.contains(&table.as_str()))
            {
                found.insert(PoorPlan { sql: sql.clone(), table: table.clone(), extent, line });
            }
        }
    }
    Ok(found)
}

fn sqlite_plan(tx: &Tx<'_>, sql: &str) -> Result<Vec<String>> {
    let params = vec![Val::Null; n_params(sql)];
    texts(tx, &format!("EXPLAIN QUERY PLAN {sql}"), &params)
}

fn postgres_plan(tx: &Tx<'_>, sql: &str) -> Result<Vec<String>> {
    let nulls = vec!["NULL"; n_params(sql)].join(",");
    let arguments = if nulls.is_empty() { String::new() } else { format!("({nulls})") };
    let numbered = sql.replace('?', "$");
    tx.batch(&format!("PREPARE probe AS {numbered}"))
        .map_err(|error| Error::Sql(format!("{error} in: {sql}")))?;
    let lines = texts(tx, &format!("EXPLAIN (COSTS OFF) EXECUTE probe{arguments}"), &[]);
    tx.batch("DEALLOCATE probe")?;
    lines
}

/// The last text of each row.
fn texts(tx: &Tx<'_>, sql: &str, params: &[Val<'_>]) -> Result<Vec<String>> {
    let rows = tx.raw(sql, params)?;
    let last = |row: crate::db::Row| match row.into_vals().pop() {
        Some(Val::Text(text)) => text.into_owned(),
        Some(Val::Null | Val::Int(_) | Val::Real(_) | Val::Bytes(_)) | None => String::new(),
    };
    Ok(rows.into_iter().map(last).collect())
}

/// The highest number of a `?1`-style placeholder.
fn n_params(sql: &str) -> usize {
    sql.split('?')
        .skip(1)
        .filter_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse().ok()
        })
        .max()
        .unwrap_or(0)
}

/// The tables that a statement names, by their names and by the short names it gives them.
fn tables_of(sql: &str) -> BTreeMap<String, String> {
    let known = migrate::tables();
    let words: Vec<&str> =
        sql.split(|c: char| c.is_whitespace() || "(),".contains(c)).filter(|w| !w.is_empty()).collect();
    let mut found = BTreeMap::new();
    for (i, word) in words.iter().enumerate() {
        if !known.contains(word) {
            continue;
        }
        found.insert((*word).to_owned(), (*word).to_owned());
        let skip = usize::from(words.get(i + 1).is_some_and(|next| next.eq_ignore_ascii_case("as")));
        if let Some(alias) = words.get(i + 1 + skip).filter(|alias| is_alias(alias)) {
            found.insert((*alias).to_owned(), (*word).to_owned());
        }
    }
    found
}

fn is_alias(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
}

type Scan = (String, Extent, String);

fn sqlite_scans(sql: &str, lines: &[String]) -> Vec<Scan> {
    let sorts = lines.iter().any(|line| line.contains("USE TEMP B-TREE"));
    let bounded = sql.contains("LIMIT") && !sorts;
    let mut found = Vec::new();
    for line in lines {
        if let Some(rest) = line.strip_prefix("SCAN ") {
            found.push((first_word(rest), Extent::Table, line.clone()));
        } else if let Some(rest) = line.strip_prefix("SEARCH ")
            && !bounded
            && searches_owner_only(rest)
        {
            found.push((first_word(rest), Extent::Owner, line.clone()));
        }
    }
    found
}

/// `inputs USING INDEX inputs_by_seq (app_uid=? AND seq>?)`: whether the conditions only say whose rows are meant.
fn searches_owner_only(rest: &str) -> bool {
    let Some((_, conditions)) = rest.rsplit_once('(') else { return false };
    conditions.trim_end_matches(')').split(" AND ").all(|condition| {
        let column = condition.split(['=', '<', '>']).next().unwrap_or_default();
        OWNERS.contains(&column)
    })
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

/// The first column of every index of the schema that holds all rows. A partial one is passed over: where it is empty
/// PostgreSQL rather reads it whole than searches by key, and SQLite, with the same indexes, tells what is amiss.
fn first_columns(tx: &Tx<'_>) -> Result<BTreeMap<String, String>> {
    let sql = "SELECT c.relname::TEXT, a.attname::TEXT FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid \
               JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0] \
               WHERE x.indpred IS NULL AND c.relnamespace = current_schema()::regnamespace";
    let rows = tx.raw(sql, &[])?.into_iter().map(crate::db::Row::into_vals);
    let pair = |vals: Vec<Val<'static>>| match vals.as_slice() {
        [Val::Text(index), Val::Text(column)] => Some((index.to_string(), column.to_string())),
        _ => None,
    };
    Ok(rows.filter_map(pair).collect())
}

/// Reads the indented plan: a scan of an index without an `Index Cond` on its first column reads all of it.
fn postgres_scans(lines: &[String], first_columns: &BTreeMap<String, String>) -> Vec<Scan> {
    let mut found = Vec::new();
    // The scan of an index into a bitmap names the index only; the table stands above it.
    let mut heap = String::new();
    for (i, line) in lines.iter().enumerate() {
        let node = line.trim_start().trim_start_matches("->").trim_start();
        let Some((kind, name)) = node.split_once(" on ") else { continue };
        let (kind, index) = kind.split_once(" using ").unwrap_or((kind, name));
        let table = match kind {
            "Bitmap Heap Scan" => {
                heap = first_word(name);
                continue;
            }
            "Bitmap Index Scan" => heap.clone(),
            "Seq Scan"
            | "Parallel Seq Scan"
            | "Index Scan"
            | "Index Scan Backward"
            | "Index Only Scan"
            | "Index Only Scan Backward" => first_word(name),
            _ => continue,
        };
        let first = match (kind, first_columns.get(index)) {
            ("Seq Scan" | "Parallel Seq Scan", _) => None,
            (_, Some(column)) => Some(format!("({column} ")),
            (_, None) => continue,
        };
        let below = lines[i + 1..].iter().map(|line| line.trim_start());
        let mut conditions =
            below.take_while(|line| !line.starts_with("->")).filter(|l| l.starts_with("Index Cond:"));
        if !conditions.any(|line| first.as_ref().is_some_and(|first| line.contains(first.as_str()))) {
            found.push((table, Extent::Table, line.trim().to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestStore;

    /// Statement, and what is read of which table; `Owner` is known on SQLite only.
    const CASES: [(&str, Option<(&str, Extent)>); 7] = [
        ("SELECT id FROM inputs WHERE kind = ?1", Some(("inputs", Extent::Table))),
        ("SELECT i.id FROM inputs i ORDER BY i.id", Some(("inputs", Extent::Table))),
        ("DELETE FROM labels WHERE value > ?1", Some(("labels", Extent::Table))),
        ("SELECT id FROM inputs WHERE app_uid = ?1 AND id = ?2", None),
        ("SELECT id FROM inputs WHERE app_uid = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3", None),
        ("SELECT count(*) FROM inputs WHERE app_uid = ?1 AND mime = ?2", Some(("inputs", Extent::Owner))),
        (
            "SELECT l.value FROM labels AS l JOIN inputs i ON i.app_uid = l.app_uid AND i.id = l.input_id \
             WHERE l.app_uid = ?1 AND l.concept_id = ?2",
            None,
        ),
    ];

    #[tokio::test]
    async fn a_scan_is_told_from_a_search_on_both_databases() {
        for db in TestStore::all().await {
            for (sql, expected) in CASES {
                let found =
                    db.store.read(move |tx| poor_in(tx, &BTreeSet::from([sql.to_owned()]))).await.unwrap();
                let found: Vec<_> = found.iter().map(|plan| (plan.table.as_str(), plan.extent)).collect();
                let expected = expected.filter(|(_, extent)| *extent == Extent::Table || db.name == "sqlite");
                assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{sql} on {}", db.name);
            }
        }
    }

    #[test]
    fn placeholders_are_counted_by_their_numbers() {
        assert_eq!(n_params("a = ?1 AND b = ?12 AND c = ?2"), 12);
        assert_eq!(n_params("no placeholders"), 0);
    }
}
