//! What SQLite's planner is told of the tables: not what they hold now, but what they hold where it matters.
//!
//! Without statistics it takes ten rows for what one app has in a table, and then rather walks all rows of the app in
//! a handy order than searches by the second column of an index. Those gathered while a database was small say the
//! same when it has grown a thousandfold. So every index is described alike on every database: a million rows, of
//! which a hundred thousand belong to one app. Plans then never change with time, and a test can read them.

use std::collections::BTreeSet;

use crate::db::{Tx, Val};
use crate::{Result, migrate};

/// Rows of every table.
const N_ROWS: u64 = 1_000_000;
/// Columns that name an owner: one app or account has a tenth of all rows.
const OWNERS: [&str; 3] = ["app_uid", "owner_uid", "account_id"];
/// Columns with a handful of values.
const FLAGS: [&str; 10] = [
    "deleted",
    "kind",
    "language",
    "model_version_id",
    "positive",
    "predicate",
    "space",
    "state",
    "status",
    "workflow_version_id",
];
/// Columns with hundreds of values; any other has nearly as many as there are rows.
const GROUPS: [&str; 9] = [
    "about",
    "concept_id",
    "dataset_uid",
    "graph_id",
    "parent",
    "task_id",
    "track_id",
    "version_uid",
    "worker_id",
];

/// Writes the statistics, where they are not there already. Takes effect with the next connection, and at once in
/// this one.
pub(crate) fn describe(tx: &Tx<'_>) -> Result<()> {
    // Makes the table of statistics where it is missing, and reads it.
    tx.batch("ANALYZE sqlite_schema")?;
    let mut wanted = BTreeSet::new();
    for table in migrate::tables() {
        for (index, unique) in indexes(tx, table)? {
            let columns = texts(tx, "SELECT name FROM pragma_index_info(?1) ORDER BY seqno", &index)?;
            wanted.insert((table.to_owned(), index, statistic(&columns, unique)));
        }
    }
    let sql = "SELECT tbl, COALESCE(idx, ''), stat FROM sqlite_stat1";
    let found = tx.select("sqlite_stat1", sql, &[], |row| Ok((row.text()?, row.text()?, row.text()?)))?;
    if found.into_iter().collect::<BTreeSet<_>>() == wanted {
        return Ok(());
    }
    tx.exec("DELETE FROM sqlite_stat1", &[])?;
    for (table, index, stat) in wanted {
        let row: [Val<'_>; 3] = [table.into(), index.into(), stat.into()];
        tx.exec("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?1, ?2, ?3)", &row)?;
    }
    tx.batch("ANALYZE sqlite_schema")
}

/// The indexes of a table, and whether each is unique.
fn indexes(tx: &Tx<'_>, table: &str) -> Result<Vec<(String, bool)>> {
    let sql = "SELECT name, \"unique\" FROM pragma_index_list(?1)";
    tx.select("sqlite_schema", sql, &[table.into()], |row| Ok((row.text()?, row.flag()?)))
}

fn texts(tx: &Tx<'_>, sql: &str, name: &str) -> Result<Vec<String>> {
    tx.select("sqlite_schema", sql, &[name.into()], |row| row.text())
}

/// The number of rows, and for each column how many rows agree in it and those before it.
fn statistic(columns: &[String], unique: bool) -> String {
    let mut stat = N_ROWS.to_string();
    let mut n_rows = N_ROWS;
    for (i, column) in columns.iter().enumerate() {
        let column = column.as_str();
        n_rows = if i == 0 && OWNERS.contains(&column) {
            n_rows / 10
        } else if FLAGS.contains(&column) {
            n_rows / 4
        } else if GROUPS.contains(&column) || OWNERS.contains(&column) {
            n_rows / 100
        } else {
            n_rows.min(11) / 5
        };
        if unique && i + 1 == columns.len() {
            n_rows = 1;
        }
        n_rows = n_rows.max(1);
        stat.push_str(&format!(" {n_rows}"));
    }
    // Trying every app or account in turn, to use an index whose first column is not asked for, is a scan in disguise.
    stat + " noskipscan"
}

#[cfg(test)]
mod tests {
    use super::statistic;

    #[test]
    fn an_index_is_described_by_the_nature_of_its_columns() {
        let cases: [(&[&str], bool, &str); 5] = [
            (&["id"], true, "1000000 1 noskipscan"),
            (&["app_uid", "seq"], true, "1000000 100000 1 noskipscan"),
            (&["app_uid", "state", "seq"], false, "1000000 100000 25000 2 noskipscan"),
            (&["app_uid", "concept_id", "value", "input_id"], false, "1000000 100000 1000 2 1 noskipscan"),
            (&["blob"], false, "1000000 2 noskipscan"),
        ];
        for (columns, unique, expected) in cases {
            let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
            assert_eq!(statistic(&columns, unique), expected);
        }
    }
}
