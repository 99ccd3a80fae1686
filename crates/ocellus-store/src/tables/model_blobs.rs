//! Table `model_blobs`: the blobs that a version of a model needs. What they are is in the version's document.

use crate::Result;
use crate::db::Tx;
use crate::page::id_chunks;

/// A blob that a version of a model needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelBlob {
    /// The app.
    pub app_uid: String,
    /// The model, by its uid.
    pub model_uid: String,
    /// The version.
    pub version_id: String,
    /// The part it plays, such as "artefact".
    pub role: String,
    /// The key of its bytes in the blob store.
    pub blob: String,
}

impl Tx<'_> {
    /// Notes that versions need blobs, in the place of earlier ones that played the same part.
    pub fn put_model_blobs(&self, blobs: &[ModelBlob]) -> Result<()> {
        let rows = blobs.iter().map(|blob| {
            vec![
                (&blob.app_uid).into(),
                (&blob.model_uid).into(),
                (&blob.version_id).into(),
                (&blob.role).into(),
                (&blob.blob).into(),
            ]
        });
        let columns = "app_uid, model_uid, version_id, role, blob";
        let tail = "ON CONFLICT (app_uid, model_uid, version_id, role) DO UPDATE SET blob = excluded.blob";
        self.insert_many("model_blobs", columns, tail, rows.collect())?;
        Ok(())
    }

    /// The blobs of all versions of these models.
    pub fn blobs_of_models<S: AsRef<str>>(&self, app_uid: &str, model_uids: &[S]) -> Result<Vec<ModelBlob>> {
        let mut found = Vec::new();
        for (list, vals) in id_chunks(model_uids, 2) {
            let sql = format!(
                "SELECT app_uid, model_uid, version_id, role, blob FROM model_blobs \
                 WHERE app_uid = ?1 AND model_uid IN ({list}) ORDER BY model_uid, version_id, role"
            );
            let mut params = vec![app_uid.into()];
            params.extend(vals);
            found.extend(self.select("model_blobs", &sql, &params, |row| {
                Ok(ModelBlob {
                    app_uid: row.text()?,
                    model_uid: row.text()?,
                    version_id: row.text()?,
                    role: row.text()?,
                    blob: row.text()?,
                })
            })?);
        }
        Ok(found)
    }

    /// Forgets what a version needs.
    pub(crate) fn delete_blobs_of_version(
        &self,
        app_uid: &str,
        model_uid: &str,
        version_id: &str,
    ) -> Result<()> {
        let sql = "DELETE FROM model_blobs WHERE app_uid = ?1 AND model_uid = ?2 AND version_id = ?3";
        self.exec(sql, &[app_uid.into(), model_uid.into(), version_id.into()])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::testing::TestStore;

    #[tokio::test]
    async fn a_blob_is_in_use_as_long_as_a_version_needs_it() {
        for test in TestStore::all().await {
            let check = |tx: &mut Tx<'_>| {
                let blob = |version: &str, role: &str, blob: &str| ModelBlob {
                    app_uid: "app".to_owned(),
                    model_uid: "m".to_owned(),
                    version_id: version.to_owned(),
                    role: role.to_owned(),
                    blob: blob.to_owned(),
                };
                tx.put_model_blobs(&[blob("1", "artefact", "x"), blob("1", "held_out", "y")])?;
                tx.put_model_blobs(&[blob("2", "artefact", "x"), blob("1", "held_out", "z")])?;
                let uses = |hash: &str| tx.blob_in_use(hash);
                assert_eq!((uses("x")?, uses("y")?, uses("z")?), (true, false, true));
                let of_model: Vec<String> =
                    tx.blobs_of_models("app", &["m"])?.into_iter().map(|blob| blob.blob).collect();
                assert_eq!(of_model, ["x", "z", "x"]);
                tx.delete_model_version("app", "m", "1")?;
                assert_eq!((uses("x")?, uses("z")?), (true, false));
                tx.delete_models("app", &["m"])?;
                assert!(!uses("x")?);
                Ok::<_, Error>(())
            };
            test.store.write(check).await.unwrap();
        }
    }
}
