//! `first-key.json`: the keys made at the first start, readable by the owner of the data folder only.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use ocellus_core::Platform;
use ocellus_core::bootstrap::FirstKey;
use serde_json::json;

use crate::commands::local;

/// Where the file is.
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("first-key.json")
}

/// Makes the first account and keys if there are none, and writes them down.
pub async fn ensure(platform: &Platform, data_dir: &Path) -> anyhow::Result<Option<FirstKey>> {
    let path = path(data_dir);
    let draft = path.with_extension("json.new");
    // The file is opened before the keys are made: keys that cannot be written down would be lost for good.
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .with_context(|| format!("{} cannot be written", draft.display()))?;
    let Some(first) = platform.first_start().await.map_err(local::explain)? else {
        let _ = std::fs::remove_file(&draft);
        return Ok(None);
    };
    let document = json!({
        "user_id": first.user_id,
        "app_id": first.app_id,
        "api_key": first.api_key,
        "pat": first.pat,
        "client_id": first.client_id,
        "client_secret": first.client_secret,
        "account_id": first.account_id,
    });
    let text = format!("{document:#}\n");
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&draft, &path))
        .with_context(|| {
            format!(
                "{} cannot be written; the new keys are lost, start on an empty data folder",
                path.display()
            )
        })?;
    Ok(Some(first))
}
