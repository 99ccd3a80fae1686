//! What people say of themselves, and what they agreed to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, JsonMap, Result};

/// What people say of themselves, and agreed to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
    /// Where they work.
    pub company_name: String,
    /// What they are there.
    pub job_title: String,
    /// What they do there.
    pub job_role: String,
    /// What they want to do here.
    pub intention: String,
    /// How they came here.
    pub referral_source: String,
    /// Where they live.
    pub country: String,
    /// Which part of it.
    pub state: String,
    /// Their own data.
    pub metadata: JsonMap,
    /// What they agreed to and when: microseconds since the epoch by the name of the consent.
    pub consents: BTreeMap<Consent, i64>,
}

/// Something to agree to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consent {
    /// The processing of personal data.
    Gdpr,
    /// The terms of service.
    Tos,
    /// Letters that advertise.
    Marketing,
    /// The processing of personal data in the content.
    Pii,
}

/// The name to show: first and last, or the user id.
pub(super) fn name_of(profile: &Profile, id: &str) -> String {
    let name = format!("{} {}", profile.first_name, profile.last_name);
    if name.trim().is_empty() { id.to_owned() } else { name.trim().to_owned() }
}

pub(super) fn from_doc(doc: &JsonMap) -> Result<Profile> {
    serde_json::from_value(doc.clone().into()).map_err(Error::internal)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is treated alike, whatever is added")]
pub(super) fn to_doc(profile: &Profile) -> Result<JsonMap> {
    match serde_json::to_value(profile).map_err(Error::internal)? {
        serde_json::Value::Object(doc) => Ok(doc),
        other => Err(Error::internal(anyhow::anyhow!("a profile became {other}"))),
    }
}
