//! Models as a caller sees them: the public ones, to be listed, looked up and searched by name.

use std::sync::Arc;

use crate::catalog::ModelSpec;
use crate::{Error, Page, Platform, Resource, Result};

/// What to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelQuery {
    /// Name, id or alias, case-insensitive, `*` stands for anything.
    pub name: Option<String>,
    /// Model type ids, any of them; empty means all.
    pub model_type_ids: Vec<String>,
}

/// A page of the public models that match, in the order of the manifest.
pub fn list(platform: &Platform, query: &ModelQuery, page: Page) -> Result<Vec<Arc<ModelSpec>>> {
    let page = page.check()?;
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let fits = platform.catalog().list().iter().filter(|model| matches(model, query));
    Ok(fits.skip(skip).take(page.per_page as usize).cloned().collect())
}

/// The model with this id, alias or name; `NotFound` otherwise, also when `version_id` is given and is none of its versions.
pub fn get(platform: &Platform, model_id: &str, version_id: Option<&str>) -> Result<Arc<ModelSpec>> {
    let found = platform.catalog().find(model_id);
    let model = found.ok_or_else(|| Error::not_found(Resource::Model(model_id.to_owned())))?;
    match version_id {
        Some(version) if !version.is_empty() && !model.version_ids.iter().any(|id| id == version) => {
            Err(Error::not_found(Resource::ModelVersion(version.to_owned())))
        }
        _ => Ok(Arc::clone(model)),
    }
}

fn matches(model: &ModelSpec, query: &ModelQuery) -> bool {
    let types = &query.model_type_ids;
    let type_fits = types.is_empty() || types.contains(&model.model_type_id);
    let name_fits = query.name.as_deref().is_none_or(|pattern| {
        let names = [&model.id, &model.name, &model.display_name].into_iter().chain(&model.aliases);
        pattern.is_empty()
            || names.into_iter().any(|name| fits_pattern(&pattern.to_lowercase(), &name.to_lowercase()))
    });
    type_fits && name_fits
}

/// Whether `text` is what `pattern` describes; `*` stands for any run of characters.
fn fits_pattern(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let table = [
            ("general", "general", true),
            ("general", "general-v1.3", false),
            ("general*", "general-v1.3", true),
            ("*v1.3", "general-v1.3", true),
            ("*eral*", "general-v1.3", true),
            ("g*l*3", "general-v1.3", true),
            ("g*x*3", "general-v1.3", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
            ("", "x", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(fits_pattern(pattern, text), expected, "{pattern} {text}");
        }
    }
}
