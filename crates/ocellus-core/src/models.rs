//! Models as a caller sees them: the app's own and the public ones, to be listed, looked up and searched by name.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::catalog::ModelSpec;
use crate::learning::{self, Artefact};
use crate::user_models::{self, Place, UserModel, UserModelVersion, VersionState, Wanted};
use crate::{AccountCtx, AppCtx, Error, Page, Platform, Resource, Result};

/// What to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelQuery {
    /// Name, id or alias, case-insensitive, `*` stands for anything.
    pub name: Option<String>,
    /// Model type ids, any of them; empty means all.
    pub model_type_ids: Vec<String>,
    /// Ids, any of them; empty means all.
    pub ids: Vec<String>,
    /// Only those that can be used.
    pub trained_only: bool,
    /// Words on the model, any of each list; empty means all.
    pub tags: WantedTags,
    /// Whose models.
    pub origin: Origin,
    /// In which order.
    pub sort_by: SortBy,
    /// The last in that order first.
    pub descending: bool,
}

/// Words of which a model must have some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedTags {
    /// What it was made with.
    pub toolkits: Vec<String>,
    /// What it is good for.
    pub use_cases: Vec<String>,
    /// The languages it understands.
    pub languages: Vec<String>,
}

/// Whose models to look for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Those of users, then the public ones.
    #[default]
    Any,
    /// Those of users.
    Own,
    /// The public ones.
    Public,
}

/// An order of models. Those of users always come before the public ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// By creation, app by app; the public ones in the order of the manifest.
    #[default]
    Age,
    /// By name.
    Name,
    /// By the time of creation.
    CreatedAt,
    /// By the time of the last change.
    ModifiedAt,
}

/// Where to look.
#[derive(Clone, Copy)]
pub enum Owner<'a> {
    /// In an app.
    App(&'a AppCtx),
    /// In all apps of an account.
    Account(&'a AccountCtx),
}

/// A model.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "few are held at a time")]
pub enum AnyModel {
    /// One that a user made.
    Own(UserModel),
    /// A public one.
    Public(Arc<ModelSpec>),
}

/// A model that was looked up, in one of its versions.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one is held at a time")]
pub enum Found {
    /// One that a user made; its newest version unless another was asked for.
    Own(UserModel, UserModelVersion),
    /// A public one, which has one version.
    Public(Arc<ModelSpec>),
}

impl<'a> Owner<'a> {
    fn platform(self) -> &'a Platform {
        match self {
            Self::App(app) => app.platform(),
            Self::Account(account) => account.platform(),
        }
    }

    /// Where users' models are; nowhere for what is public.
    fn wanted(self) -> Option<Wanted> {
        match self {
            Self::App(app) => (!app.is_public()).then(|| Wanted::App(app.uid().to_owned(), Place::of(app))),
            Self::Account(account) => {
                let only = account.caller().app_uid.clone();
                (!account.is_public()).then(|| Wanted::Account(account.account().id.clone(), only))
            }
        }
    }
}

/// A page of the models that match, users' own before the public ones.
pub async fn list(owner: Owner<'_>, query: ModelQuery, page: Page) -> Result<Vec<AnyModel>> {
    let page = page.check()?;
    let (n_before, n_wanted) = (page.offset() as usize, page.per_page as usize);
    let (platform, wanted) = (owner.platform(), owner.wanted().filter(|_| query.origin != Origin::Public));
    let mut own = match wanted {
        Some(wanted) => {
            // An order other than that of creation needs them all.
            let plain = query.sort_by == SortBy::Age && !query.descending;
            let (n, query) = (plain.then(|| n_before + n_wanted), query.clone());
            user_models::list(platform, wanted, n, move |model| matches_own(model, &query)).await?
        }
        None => Vec::new(),
    };
    own.sort_by(|a, b| compare_own(query.sort_by, a, b));
    let mut public = match query.origin {
        Origin::Any | Origin::Public => list_public(platform, &query),
        Origin::Own => Vec::new(),
    };
    public.sort_by(|a, b| compare_public(query.sort_by, a, b));
    if query.descending {
        own.reverse();
        public.reverse();
    }
    let all = own.into_iter().map(AnyModel::Own).chain(public.into_iter().map(AnyModel::Public));
    Ok(all.skip(n_before).take(n_wanted).collect())
}

/// The public models that match, in the order of the manifest.
pub fn list_public(platform: &Platform, query: &ModelQuery) -> Vec<Arc<ModelSpec>> {
    let fits = platform.catalog().list().iter().filter(|model| matches_public(model, query));
    fits.cloned().collect()
}

fn compare_own(by: SortBy, a: &UserModel, b: &UserModel) -> Ordering {
    match by {
        SortBy::Age => Ordering::Equal,
        SortBy::Name => a.name.to_lowercase().cmp(&b.name.to_lowercase()),
        SortBy::CreatedAt => a.created_at_us.cmp(&b.created_at_us),
        SortBy::ModifiedAt => a.modified_at_us.cmp(&b.modified_at_us),
    }
}

fn compare_public(by: SortBy, a: &ModelSpec, b: &ModelSpec) -> Ordering {
    match by {
        SortBy::Age => Ordering::Equal,
        SortBy::Name => a.name.to_lowercase().cmp(&b.name.to_lowercase()),
        SortBy::CreatedAt | SortBy::ModifiedAt => a.created_at_us.cmp(&b.created_at_us),
    }
}

/// The public model with this id, alias or name; `NotFound` otherwise, also when `version_id` is given and is none of
/// its versions.
pub fn get(platform: &Platform, model_id: &str, version_id: Option<&str>) -> Result<Arc<ModelSpec>> {
    let found = platform.catalog().find(model_id);
    let model = found.ok_or_else(|| user_models::missing(model_id))?;
    match version_id {
        Some(version) if !version.is_empty() && !model.version_ids.iter().any(|id| id == version) => {
            Err(Error::not_found(Resource::ModelVersion(version.to_owned())))
        }
        _ => Ok(Arc::clone(model)),
    }
}

/// The model that an id means in an app: a public one with exactly this id, else the app's own, else a public one with
/// this alias or name. `NotFound` also when `version_id` is given and is none of its versions.
pub async fn find(app: &AppCtx, model_id: &str, version_id: Option<&str>) -> Result<Found> {
    let public = app.platform().catalog().find(model_id);
    let exact = public.is_some_and(|model| model.id == model_id);
    let own = if exact { None } else { user_models::find(app, model_id).await? };
    let Some(model) = own else { return Ok(Found::Public(get(app.platform(), model_id, version_id)?)) };
    let version = match version_id {
        Some(id) if !id.is_empty() => user_models::version(app, &model, id).await?,
        _ => model.newest.clone(),
    };
    Ok(Found::Own(model, version))
}

/// What predicts.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one is held at a time")]
pub enum Predictor {
    /// A public model.
    Public(Arc<ModelSpec>),
    /// A trained version of an own model.
    Own {
        /// The model.
        model: UserModel,
        /// The version.
        version: UserModelVersion,
        /// What it learned.
        artefact: Arc<Artefact>,
    },
}

/// What to predict with: a public model, or a version of an own one, the newest that is trained unless one is named.
/// `Unsupported` if none is: only what was trained can predict.
pub async fn to_predict(app: &AppCtx, model_id: &str, version_id: Option<&str>) -> Result<Predictor> {
    let model = match find(app, model_id, version_id).await? {
        Found::Public(model) => return Ok(Predictor::Public(model)),
        Found::Own(model, _) => model,
    };
    let version = user_models::trained_version(app, &model, version_id).await?;
    let version = version.ok_or_else(|| user_models::untrained(&model.id))?;
    let artefact = learning::artefact(app.platform(), &version).await?;
    Ok(Predictor::Own { model, version, artefact })
}

fn matches_own(model: &UserModel, query: &ModelQuery) -> bool {
    let tags = &query.tags;
    let tagged = |wanted: &[String], has: &[String]| {
        wanted.is_empty() || wanted.iter().any(|word| has.iter().any(|tag| tag.eq_ignore_ascii_case(word)))
    };
    let trained = model.newest.state == VersionState::Trained;
    matches(query, &model.id, &model.model_type_id, [&model.id, &model.name].into_iter())
        && (trained || !query.trained_only)
        && tagged(&tags.toolkits, &model.doc.toolkits)
        && tagged(&tags.use_cases, &model.doc.use_cases)
        && tagged(&tags.languages, &model.doc.languages)
}

/// The public models have no tags.
fn matches_public(model: &ModelSpec, query: &ModelQuery) -> bool {
    let names = [&model.id, &model.name, &model.display_name].into_iter().chain(&model.aliases);
    query.tags == WantedTags::default() && matches(query, &model.id, &model.model_type_id, names)
}

fn matches<'a>(
    query: &ModelQuery,
    id: &String,
    model_type_id: &String,
    mut names: impl Iterator<Item = &'a String>,
) -> bool {
    let type_fits = query.model_type_ids.is_empty() || query.model_type_ids.contains(model_type_id);
    let id_fits = query.ids.is_empty() || query.ids.contains(id);
    let name_fits = query.name.as_deref().is_none_or(|pattern| {
        pattern.is_empty() || names.any(|name| fits_pattern(&pattern.to_lowercase(), &name.to_lowercase()))
    });
    type_fits && id_fits && name_fits
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
