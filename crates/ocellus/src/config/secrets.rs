//! Secrets in the configuration: read from files where so told, and masked where the configuration is shown.

use anyhow::{Context, bail};
use toml::Value;

use super::Config;

/// Replaces each empty secret by the content of its file.
pub(super) fn read_files(mut config: Config) -> anyhow::Result<Config> {
    read_file("store.database", &mut config.store.database, &config.store.database_file)?;
    read_file("blobs.secret_key", &mut config.blobs.secret_key, &config.blobs.secret_key_file)?;
    read_file("mail.password", &mut config.mail.password, &config.mail.password_file)?;
    Ok(config)
}

fn read_file(key: &str, value: &mut String, file: &str) -> anyhow::Result<()> {
    if file.is_empty() {
        return Ok(());
    }
    if !value.is_empty() {
        bail!("{key} and {key}_file exclude each other");
    }
    let text = std::fs::read_to_string(file).with_context(|| format!("{key}_file: {file} cannot be read"))?;
    text.trim_end_matches(['\r', '\n']).clone_into(value);
    if value.is_empty() {
        bail!("{key}_file: {file} is empty");
    }
    Ok(())
}

/// The value as TOML with what nobody should read replaced by stars.
pub(super) fn masked(key: &str, value: &Value) -> String {
    let shown = match (key, value) {
        ("blobs.secret_key" | "mail.password", Value::String(secret)) if !secret.is_empty() => {
            Value::from("********")
        }
        ("usage.plans", Value::Array(plans)) => {
            let mask = |plan: &Value| Value::from(mask_code(plan.as_str().unwrap_or_default()));
            Value::Array(plans.iter().map(mask).collect())
        }
        ("store.database" | "blobs.url", Value::String(url)) => Value::from(mask_url(url)),
        _ => value.clone(),
    };
    shown.to_string()
}

/// Masks the code of a plan.
fn mask_code(plan: &str) -> String {
    match plan.split_once(char::is_whitespace) {
        Some((name, _)) => format!("{name} ********"),
        None => plan.to_owned(),
    }
}

/// Masks the password between `//user:` and `@`, and everything in the query that may be a secret.
pub fn mask_url(url: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let masked = match (base.find("://"), base.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => {
            let user = base[scheme + 3..at].split(':').next().unwrap_or_default();
            let password = if base[scheme + 3..at].contains(':') { ":********" } else { "" };
            format!("{}{user}{password}{}", &base[..scheme + 3], &base[at..])
        }
        _ => base.to_owned(),
    };
    let harmless = |part: &str| {
        let name = part.split('=').next().unwrap_or_default().to_lowercase();
        if name.contains("pass") || name.contains("secret") || name.contains("key") || name.contains("token")
        {
            format!("{name}=********")
        } else {
            part.to_owned()
        }
    };
    match query {
        Some(query) => {
            let parts: Vec<String> = query.split('&').map(harmless).collect();
            format!("{masked}?{}", parts.join("&"))
        }
        None => masked,
    }
}
