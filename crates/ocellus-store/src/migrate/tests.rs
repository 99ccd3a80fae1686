//! Tests of the migrations: first, older, newer and altered databases.

use super::*;
use crate::Store;
use crate::testing::TestStore;

/// What the schema is in the tests below: two steps, the second with data to carry over.
const OLD: Migration = Migration {
    version: 101,
    name: "old",
    sql: "CREATE TABLE pets (id TEXT NOT NULL PRIMARY KEY, picture {{blob}} NOT NULL);",
};
const NEW: Migration = Migration {
    version: 102,
    name: "new",
    sql: "ALTER TABLE pets ADD COLUMN legs BIGINT NOT NULL DEFAULT 4;\n\
          CREATE INDEX pets_by_legs ON pets (legs); UPDATE pets SET legs = 2 WHERE id = 'hen';",
};

/// A database with the tables of the tests only.
async fn with_old(db: &TestStore) {
    let done = db.store.write(|tx| {
        tx.exec("DELETE FROM schema_migrations", &[])?;
        apply(tx, &[OLD])?;
        let picture: &[u8] = &[0, 255, 1];
        tx.insert("pets", "id, picture", vec!["cat".into(), picture.into()])?;
        tx.insert("pets", "id, picture", vec!["hen".into(), picture.into()])
    });
    done.await.unwrap();
}

async fn reapply(db: &TestStore, migrations: &'static [Migration]) -> Result<()> {
    db.store.write(move |tx| apply(tx, migrations)).await
}

#[tokio::test]
async fn an_older_database_is_brought_up_to_date_with_its_rows() {
    for db in TestStore::all().await {
        with_old(&db).await;
        reapply(&db, &[OLD, NEW]).await.unwrap();
        let pets = db.store.read(|tx| {
            tx.select("pets", "SELECT id, picture, legs FROM pets ORDER BY id", &[], |row| {
                Ok((row.text()?, row.bytes()?, row.int()?))
            })
        });
        let expected = vec![("cat".to_owned(), vec![0, 255, 1], 4), ("hen".to_owned(), vec![0, 255, 1], 2)];
        assert_eq!(pets.await.unwrap(), expected, "{}", db.name);
        // A second start finds nothing to do.
        reapply(&db, &[OLD, NEW]).await.unwrap();
    }
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_alone() {
    for db in TestStore::all().await {
        let newer = db.store.write(|tx| {
            tx.insert(
                "schema_migrations",
                "version, name, checksum",
                vec![9999_i64.into(), "future".into(), "x".into()],
            )
        });
        newer.await.unwrap();
        let known = MIGRATIONS[MIGRATIONS.len() - 1].version;
        let refused = Store::open(&db.config).await.err().unwrap();
        assert_eq!(refused, Error::NewerSchema { found: 9999, known }, "{}", db.name);
        assert!(refused.to_string().contains("9999"));
    }
}

#[tokio::test]
async fn a_migration_that_was_altered_is_refused() {
    for db in TestStore::all().await {
        let altered = db
            .store
            .write(|tx| tx.exec("UPDATE schema_migrations SET checksum = 'other' WHERE version = 1", &[]));
        altered.await.unwrap();
        let refused = Store::open(&db.config).await.err().unwrap();
        let expected = Error::AlteredMigration { version: 1, name: "foundation".to_owned() };
        assert_eq!(refused, expected, "{}", db.name);
    }
}

#[tokio::test]
async fn a_failed_migration_leaves_nothing_behind() {
    const BROKEN: Migration =
        Migration { version: 102, name: "broken", sql: "CREATE TABLE half (id TEXT); nonsense;" };
    for db in TestStore::all().await {
        with_old(&db).await;
        assert!(reapply(&db, &[OLD, BROKEN]).await.is_err(), "{}", db.name);
        // The table of the broken step does not stand in the way of the mended one.
        const MENDED: Migration =
            Migration { version: 102, name: "mended", sql: "CREATE TABLE half (id TEXT);" };
        reapply(&db, &[OLD, MENDED]).await.unwrap();
    }
}

#[tokio::test]
async fn several_starts_at_once_migrate_once() {
    for db in TestStore::all().await {
        let drop_all = db.store.write(|tx| {
            tx.exec("DELETE FROM schema_migrations", &[])?;
            for migration in MIGRATIONS {
                for rest in migration.sql.split("CREATE TABLE ").skip(1) {
                    let table = rest.split_whitespace().next().unwrap();
                    tx.batch(&format!("DROP TABLE {table}"))?;
                }
            }
            Ok::<_, Error>(())
        });
        drop_all.await.unwrap();
        let opened = futures_util::future::join_all((0..4).map(|_| Store::open(&db.config))).await;
        assert!(opened.iter().all(std::result::Result::is_ok), "{}", db.name);
    }
}

#[test]
fn the_steps_are_numbered_without_gaps_and_use_only_shared_types() {
    for (i, migration) in MIGRATIONS.iter().enumerate() {
        assert_eq!(migration.version, i as i64 + 1);
        for word in ["BOOLEAN", "SERIAL", "JSONB", "BYTEA", "BLOB ", "INTEGER", "VARCHAR", "TIMESTAMP"] {
            assert!(!migration.sql.contains(word), "{} in {}", word, migration.name);
        }
    }
}
