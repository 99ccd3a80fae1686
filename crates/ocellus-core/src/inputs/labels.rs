//! Putting the user's own concepts on inputs: finding the concept that a label means, and making it if it is missing.

use std::collections::HashMap;

use ocellus_store as store;

use super::NewLabel;
use crate::accounts::check_id;
use crate::{Error, JsonMap, Platform, Result};

/// Who labels what, when.
pub(crate) struct Labeller {
    pub platform: Platform,
    pub app_uid: String,
    pub account_id: String,
    pub key_id: String,
    pub language: String,
    pub now_us: i64,
}

impl Labeller {
    /// The account and key, as changes are signed with.
    pub(crate) fn changed_by(&self) -> String {
        format!("{}/{}", self.account_id, self.key_id)
    }
}

/// Checks a label apart from the database; `field` names it in the error.
pub(crate) fn check(label: &NewLabel, field: &str) -> Result<()> {
    let word = label.concept_id.as_deref().or(label.name.as_deref());
    let word = word.ok_or_else(|| Error::invalid(field, "must have an id or a name"))?;
    check_id(&format!("{field}.id"), word)?;
    if !(0.0..=1.0).contains(&label.value) {
        return Err(Error::invalid(format!("{field}.value"), "must be 0 to 1"));
    }
    Ok(())
}

/// The concept each label means, made if it is missing.
pub(crate) fn resolve(tx: &store::Tx<'_>, by: &Labeller, labels: &[NewLabel]) -> Result<Vec<(String, f32)>> {
    labels
        .iter()
        .map(|label| {
            let id = match find(tx, by, label)? {
                Some(id) => id,
                None => make(tx, by, label)?,
            };
            Ok((id, label.value))
        })
        .collect()
}

/// The id of an existing concept that the label means: the one with the id, or else the first with exactly the name.
pub(crate) fn find(tx: &store::Tx<'_>, by: &Labeller, label: &NewLabel) -> Result<Option<String>> {
    if let Some(id) = &label.concept_id {
        return Ok(tx.concept(&by.app_uid, id)?.map(|concept| concept.id));
    }
    let Some(name) = &label.name else { return Ok(None) };
    // A star in the name finds too much, never too little, and the comparison sorts it out.
    let named = tx.search_concepts(&by.app_uid, name, 100, 0)?;
    if let Some(concept) = named.into_iter().find(|concept| concept.name == *name) {
        return Ok(Some(concept.id));
    }
    Ok(tx.concept(&by.app_uid, name)?.map(|concept| concept.id))
}

fn make(tx: &store::Tx<'_>, by: &Labeller, label: &NewLabel) -> Result<String> {
    let id = label.concept_id.as_ref().or(label.name.as_ref()).cloned().unwrap_or_default();
    let concept = store::Concept {
        app_uid: by.app_uid.clone(),
        name: label.name.clone().unwrap_or_else(|| public_name(by, &id)),
        id: id.clone(),
        language: by.language.clone(),
        definition: String::new(),
        metadata: JsonMap::new(),
        created_at_us: by.now_us,
        modified_at_us: by.now_us,
    };
    tx.upsert_concept_if_missing(&concept)?;
    Ok(id)
}

/// A concept of the public model that is used as a label keeps its name.
fn public_name(by: &Labeller, id: &str) -> String {
    let known = by.platform.catalog().general().labels.by_id(id);
    known.map_or_else(|| id.to_owned(), |concept| concept.name.clone())
}

/// Remembers within one call which concept a label meant, so that a batch with the same label looks it up once.
#[derive(Default)]
pub(crate) struct Known(HashMap<(Option<String>, Option<String>), String>);

impl Known {
    /// Like [`resolve`], with memory.
    pub(crate) fn resolve(
        &mut self,
        tx: &store::Tx<'_>,
        by: &Labeller,
        labels: &[NewLabel],
    ) -> Result<Vec<(String, f32)>> {
        let mut values = Vec::with_capacity(labels.len());
        for label in labels {
            let key = (label.concept_id.clone(), label.name.clone());
            let id = match self.0.get(&key) {
                Some(id) => id.clone(),
                None => {
                    let found = resolve(tx, by, std::slice::from_ref(label))?;
                    let id = found.into_iter().next().map(|(id, _)| id).unwrap_or_default();
                    self.0.insert(key, id.clone());
                    id
                }
            };
            values.push((id, label.value));
        }
        Ok(values)
    }
}
