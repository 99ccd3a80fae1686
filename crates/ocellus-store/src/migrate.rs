//! Numbered migrations, carried inside the program: an older database is brought up to date, a newer one
//! refused.
//!
//! Only ever add to the list. A migration that has been released is never edited, which its checksum in
//! the database would reveal; what it got wrong, a later one mends.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::db::Tx;
use crate::{Error, Result};

/// One step of the schema.
#[derive(Clone, Copy)]
struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

/// All steps in order.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "foundation", sql: include_str!("../migrations/0001_foundation.sql") },
    Migration { version: 2, name: "resources", sql: include_str!("../migrations/0002_resources.sql") },
    Migration { version: 3, name: "annotations", sql: include_str!("../migrations/0003_annotations.sql") },
    Migration { version: 4, name: "datasets", sql: include_str!("../migrations/0004_datasets.sql") },
    Migration { version: 5, name: "media", sql: include_str!("../migrations/0005_media.sql") },
    Migration { version: 6, name: "accounts", sql: include_str!("../migrations/0006_accounts.sql") },
    Migration {
        version: 7,
        name: "concept words",
        sql: include_str!("../migrations/0007_concept_words.sql"),
    },
    Migration { version: 8, name: "usage", sql: include_str!("../migrations/0008_usage.sql") },
    Migration {
        version: 9,
        name: "annotation regions",
        sql: include_str!("../migrations/0009_annotation_regions.sql"),
    },
    Migration { version: 10, name: "models", sql: include_str!("../migrations/0010_models.sql") },
    Migration { version: 11, name: "input jobs", sql: include_str!("../migrations/0011_input_jobs.sql") },
    Migration { version: 12, name: "runners", sql: include_str!("../migrations/0012_runners.sql") },
    Migration {
        version: 13,
        name: "export chunks",
        sql: include_str!("../migrations/0013_export_chunks.sql"),
    },
    Migration { version: 14, name: "model blobs", sql: include_str!("../migrations/0014_model_blobs.sql") },
    Migration {
        version: 15,
        name: "resource blobs",
        sql: include_str!("../migrations/0015_resource_blobs.sql"),
    },
    Migration { version: 16, name: "kept counts", sql: include_str!("../migrations/0016_kept_counts.sql") },
    Migration { version: 17, name: "input kinds", sql: include_str!("../migrations/0017_input_kinds.sql") },
];

/// Applies the migrations that the database lacks, all in one transaction.
pub(crate) fn run(tx: &mut Tx<'_>) -> Result<()> {
    apply(tx, MIGRATIONS)
}

fn apply(tx: &Tx<'_>, migrations: &[Migration]) -> Result<()> {
    tx.batch(
        "CREATE TABLE IF NOT EXISTS schema_migrations \
         (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)",
    )?;
    let sql = "SELECT version, checksum FROM schema_migrations";
    let map = |row: &mut crate::db::Row| Ok((row.int()?, row.text()?));
    let applied: BTreeMap<i64, String> = tx.select("schema_migrations", sql, &[], map)?.into_iter().collect();
    let known = migrations.last().map_or(0, |migration| migration.version);
    if let Some((&found, _)) = applied.last_key_value()
        && found > known
    {
        return Err(Error::NewerSchema { found, known });
    }
    for migration in migrations {
        let checksum = hex::encode(Sha256::digest(migration.sql.as_bytes()));
        match applied.get(&migration.version) {
            Some(earlier) if *earlier == checksum => {}
            Some(_) => {
                return Err(Error::AlteredMigration {
                    version: migration.version,
                    name: migration.name.to_owned(),
                });
            }
            None => {
                tx.batch(&migration.sql.replace("{{blob}}", tx.dialect().blob))?;
                if migration.sql.contains("CREATE TABLE annotation_concepts") {
                    // What annotations speak of stands in documents, which SQL cannot read alike on both databases.
                    tx.index_all_annotations()?;
                }
                let row = vec![migration.version.into(), migration.name.into(), checksum.into()];
                tx.insert("schema_migrations", "version, name, checksum", row)?;
                tracing::debug!(version = migration.version, name = migration.name, "schema migrated");
            }
        }
    }
    // One line for whoever upgrades; a new database needs none.
    if let Some((&from, _)) = applied.last_key_value().filter(|(from, _)| **from < known) {
        tracing::info!(from, to = known, "schema migrated");
    }
    Ok(())
}

/// Names of the tables that the migrations make.
pub(crate) fn tables() -> std::collections::BTreeSet<&'static str> {
    let statements = MIGRATIONS.iter().flat_map(|migration| migration.sql.lines());
    statements
        .filter_map(|line| line.strip_prefix("CREATE TABLE "))
        .filter_map(|rest| rest.split([' ', '(']).next())
        .collect()
}

#[cfg(test)]
mod tests;
