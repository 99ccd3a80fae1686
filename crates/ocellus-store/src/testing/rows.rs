//! What the tables hold, as one digest for each, so that a test can tell what a call has changed.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::db::{Tx, Val};
use crate::{Result, Store, migrate};

/// A digest of all rows of each table. Two of them are equal where and only where the rows are.
pub async fn digests(store: &Store) -> Result<BTreeMap<&'static str, String>> {
    store
        .read(|tx| migrate::tables().into_iter().map(|table| Ok((table, digest(tx, table)?))).collect())
        .await
}

fn digest(tx: &Tx<'_>, table: &str) -> Result<String> {
    // The order in which rows come says nothing, so each is hashed alone.
    let rows = tx.raw(&format!("SELECT * FROM {table}"), &[])?;
    let mut hashes: Vec<[u8; 32]> = rows.into_iter().map(|row| row_hash(&row.into_vals())).collect();
    hashes.sort_unstable();
    let mut all = Sha256::new();
    for hash in hashes {
        all.update(hash);
    }
    Ok(hex::encode(all.finalize()))
}

fn row_hash(vals: &[Val<'_>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for val in vals {
        let (kind, bytes) = match val {
            Val::Null => (0, Vec::new()),
            Val::Int(number) => (1, number.to_le_bytes().to_vec()),
            Val::Real(number) => (2, number.to_le_bytes().to_vec()),
            Val::Text(text) => (3, text.as_bytes().to_vec()),
            Val::Bytes(bytes) => (4, bytes.to_vec()),
        };
        hash.update([kind]);
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use crate::testing::TestStore;

    #[tokio::test]
    async fn a_digest_changes_with_the_rows_of_its_table_only() {
        for db in TestStore::all().await {
            let before = super::digests(&db.store).await.unwrap();
            db.store.write(|tx| tx.set_meta("k", "v")).await.unwrap();
            let after = super::digests(&db.store).await.unwrap();
            let changed: Vec<_> = before.iter().filter(|(table, old)| after[*table] != **old).collect();
            assert_eq!(changed.len(), 1, "{changed:?}");
            assert_eq!(*changed[0].0, "meta");
            assert_eq!(super::digests(&db.store).await.unwrap(), after);
            assert!(after.contains_key("inputs") && after.len() > 30, "{after:?}");
        }
    }
}
