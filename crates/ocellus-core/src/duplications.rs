//! Duplications: copies of an app's content into a new app or another one, made in the background.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::apps::{self, NewApp};
use crate::jobs::duplicate_app;
use crate::resources::{self, Document, Listing, New, Shelf, Stored};
use crate::{AccountCtx, AppCtx, Error, Page, Resource, Result, Scope};

/// A copy of an app, under way or made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Duplication {
    /// The id of the app that is copied.
    pub source_app_id: String,
    /// The id of the app that receives the copies.
    pub destination_app_id: String,
    /// What is copied.
    pub parts: Parts,
    /// How far it has got.
    pub state: State,
    /// Why it failed, in words; empty otherwise.
    pub failure: String,
    /// What was copied so far.
    pub done: Done,
    pub(crate) source_uid: String,
    pub(crate) destination_uid: String,
    /// What the job has got behind it: concepts, and inputs by their number.
    pub(crate) n_concepts_seen: i64,
    pub(crate) last_input_seq: i64,
    #[serde(default)]
    pub(crate) last_model_seq: i64,
    #[serde(default)]
    pub(crate) workflows_seen: bool,
}

/// What is copied of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The concepts, with their names in other languages.
    pub concepts: bool,
    /// The inputs, with what models found in them and the vectors they are searched by.
    pub inputs: bool,
    /// What people said of the inputs.
    pub annotations: bool,
    /// The models that users made, with their versions.
    #[serde(default)]
    pub models: bool,
    /// The workflows that users made, with their versions.
    #[serde(default)]
    pub workflows: bool,
}

/// How far a duplication has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not begun.
    Pending,
    /// Under way.
    Running,
    /// Everything is copied.
    Done,
    /// Given up.
    Failed,
}

/// How much was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Concepts.
    pub concepts: u64,
    /// Inputs.
    pub inputs: u64,
    /// Inputs that were left out, because the receiving app has one with the same id.
    pub inputs_skipped: u64,
    /// Annotations.
    pub annotations: u64,
    /// Models.
    #[serde(default)]
    pub models: u64,
    /// Models that were left out, because the receiving app has one with the same id.
    #[serde(default)]
    pub models_skipped: u64,
    /// Workflows.
    #[serde(default)]
    pub workflows: u64,
    /// Workflows that were left out, because the receiving app has one with the same id.
    #[serde(default)]
    pub workflows_skipped: u64,
}

impl Document for Duplication {
    const KIND: &'static str = "app_duplication";
    const NOUN: &'static str = "app duplication";
    const FIELD: &'static str = "app_duplications";

    fn about(&self) -> String {
        self.source_uid.clone()
    }
}

/// A copy to make.
#[derive(Clone, Debug)]
pub struct NewDuplication {
    /// The app that shall receive the copies.
    pub destination: Destination,
    /// What to copy.
    pub parts: Parts,
}

/// Which app receives the copies.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "made once for a copy")]
pub enum Destination {
    /// A new one; what is empty is taken from the app that is copied, the id is made up.
    New(NewApp),
    /// One of the account's, by id.
    Existing(String),
}

/// Begins to copy an app of the account. A new app exists at once and fills in the background.
pub async fn create(account: &AccountCtx, app: &AppCtx, new: NewDuplication) -> Result<Stored<Duplication>> {
    check(app, &new)?;
    let platform = account.platform();
    let (made, destination_uid, destination_app_id) = destination(account, app, new.destination).await?;
    if destination_uid == app.uid() {
        return Err(Error::invalid("app_duplications.destination_app", "must be another app"));
    }
    let doc = Duplication {
        source_app_id: app.app().id.clone(),
        destination_app_id,
        parts: new.parts,
        state: State::Pending,
        failure: String::new(),
        done: Done::default(),
        source_uid: app.uid().to_owned(),
        destination_uid,
        n_concepts_seen: 0,
        last_input_seq: 0,
        last_model_seq: 0,
        workflows_seen: false,
    };
    let shelf = Shelf::from(account);
    let id = platform.ids().id();
    let job = duplicate_app::job(platform, &account.account().id, &doc.destination_uid, &id);
    let begin = move |tx: &ocellus_store::Tx<'_>, _: &str| {
        if let Some(app) = &made {
            apps::insert(tx, app)?;
        }
        job.insert(tx)
    };
    let made = resources::create_if(&shelf, vec![New { id: Some(id), doc }], begin).await?;
    platform.job_added().notify_waiters();
    made.into_iter().next().ok_or_else(|| Error::internal(anyhow::anyhow!("nothing was written")))
}

fn check(app: &AppCtx, new: &NewDuplication) -> Result<()> {
    let Parts { concepts, inputs, annotations, models, workflows } = new.parts;
    if annotations && !(inputs && concepts) {
        let message = "needs copy_inputs and copy_concepts too: annotations say concepts of inputs";
        return Err(Error::invalid("app_duplications.filter.copy_annotations", message));
    }
    if models && !concepts {
        let message = "needs copy_concepts too: models tell concepts";
        return Err(Error::invalid("app_duplications.filter.copy_models", message));
    }
    if workflows && !models {
        let message = "needs copy_models too: workflows run models";
        return Err(Error::invalid("app_duplications.filter.copy_workflows", message));
    }
    if !(concepts || inputs) {
        return Err(Error::invalid("app_duplications.filter", "must leave something to copy"));
    }
    let mut needs = Vec::new();
    if matches!(new.destination, Destination::New(_)) {
        needs.push(Scope::APPS_ADD);
    }
    if concepts {
        needs.extend([Scope::CONCEPTS_GET, Scope::CONCEPTS_ADD]);
    }
    if inputs {
        needs.extend([Scope::INPUTS_GET, Scope::INPUTS_ADD]);
    }
    if annotations {
        needs.extend([Scope::ANNOTATIONS_GET, Scope::ANNOTATIONS_ADD]);
    }
    if models {
        needs.extend([Scope::MODELS_GET, Scope::MODELS_ADD]);
    }
    if workflows {
        needs.extend([Scope::WORKFLOWS_GET, Scope::WORKFLOWS_ADD]);
    }
    app.caller().check_scopes(&needs)
}

/// The receiving app: the row to write if it is new, its uid and its id.
async fn destination(
    account: &AccountCtx,
    app: &AppCtx,
    wanted: Destination,
) -> Result<(Option<ocellus_store::App>, String, String)> {
    match wanted {
        Destination::Existing(id) => {
            if id.is_empty() {
                return Err(Error::not_found(Resource::App(id)));
            }
            let found = account.platform().app(account.caller(), &account.account().id, &id, &[]).await?;
            found.check_writable()?;
            Ok((None, found.uid().to_owned(), id))
        }
        Destination::New(new) => {
            let from = app.app();
            let or = |given: String, else_: &str| if given.is_empty() { else_.to_owned() } else { given };
            let new = NewApp {
                id: new.id,
                name: or(new.name, &from.name),
                description: or(new.description, &from.description),
                default_language: or(new.default_language, &from.default_language),
                metadata: if new.metadata.is_empty() { from.metadata.clone() } else { new.metadata },
                doc: if new.doc.is_empty() { from.doc.clone() } else { new.doc },
            };
            let row = apps::row_of(account, new)?;
            let (uid, id) = (row.uid.clone(), row.id.clone());
            Ok((Some(row), uid, id))
        }
    }
}

/// One duplication of the account.
pub async fn get(account: &AccountCtx, id: &str) -> Result<Stored<Duplication>> {
    resources::get(&Shelf::from(account), id).await
}

/// The account's duplications, the latest first.
pub async fn list(account: &AccountCtx, page: Page) -> Result<Vec<Stored<Duplication>>> {
    let listing = Listing { newest_first: true, ..Listing::default() };
    resources::list(&Shelf::from(account), &listing, page).await
}
