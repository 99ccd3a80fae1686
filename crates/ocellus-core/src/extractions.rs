//! Extractions: archives, files and lists of addresses that become inputs, entry by entry, in the background.
//!
//! An extraction writes down how many entries it has behind it in the transaction that adds their inputs, so that it goes
//! on after a crash where it was, and no entry becomes two inputs.

mod begin;
pub(crate) mod contents;
mod media;
pub(crate) mod source;
#[cfg(test)]
mod tests;

use ocellus_store as store;
use serde::{Deserialize, Serialize};

pub(crate) use begin::start_waiting;
pub use begin::{NewExtraction, NewSource, create};
pub(crate) use media::id_of;

use crate::inputs::create::check_alive;
use crate::inputs::{IdConflict, NewLabel};
use crate::jobs::call_back;
use crate::resources::{self, Document, Listing, MAX_PER_CALL, Shelf, Stored};
use crate::{AppCtx, Error, GeoPoint, JsonMap, Page, Result};

/// So many of the refused entries are kept with their reasons.
pub const MAX_REFUSED_KEPT: usize = 20;

/// An extraction as it is stored. Fields may be added; an absent one means its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Extraction {
    /// The add job it belongs to.
    pub add_job_id: String,
    /// Where the entries come from.
    pub source: Source,
    /// What happens with an entry whose id is taken.
    pub on_conflict: IdConflict,
    /// What every input is given.
    pub template: Template,
    /// How far it has got.
    pub state: State,
    /// Why it failed, in words; empty otherwise.
    pub failure: String,
    /// Whether it reads an archive; a guess by the name until it was opened.
    pub is_archive: bool,
    /// The inputs it has made.
    pub made: Made,
    /// Entries passed over, because their id was taken.
    pub n_skipped: u64,
    /// Entries that made no input.
    pub n_refused: u64,
    /// The first of them, with the reasons.
    pub refused: Vec<Refused>,
    /// How many entries it has behind it.
    pub(crate) n_seen: u64,
    /// The address that is told how it ended; empty for none.
    pub call_back_url: String,
    /// The key it was made with.
    pub(crate) key_id: String,
}

/// Where the entries of an extraction come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "at", rename_all = "snake_case")]
pub enum Source {
    /// An upload of the app, by id.
    Upload(String),
    /// An address to fetch.
    Url(String),
}

impl Default for Source {
    fn default() -> Self {
        Self::Upload(String::new())
    }
}

/// What every input of an extraction is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Template {
    /// Concepts.
    pub concepts: Vec<TemplateConcept>,
    /// The user's own data.
    pub metadata: JsonMap,
    /// Where it was taken.
    pub geo: Option<GeoPoint>,
    /// The datasets it goes into.
    pub dataset_ids: Vec<String>,
    /// The template in the words of the dialect that asked, given back as it was.
    pub echo: String,
}

/// A concept of a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TemplateConcept {
    pub id: String,
    pub name: String,
    pub value: f32,
}

impl TemplateConcept {
    pub(crate) fn label(&self) -> NewLabel {
        let given = |word: &String| (!word.is_empty()).then(|| word.clone());
        NewLabel { concept_id: given(&self.id), name: given(&self.name), value: self.value }
    }
}

/// How far an extraction has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its upload is not whole yet.
    Waiting,
    /// It can begin.
    #[default]
    Pending,
    /// It has begun.
    Running,
    /// Every entry was looked at.
    Done,
    /// It was given up.
    Failed,
    /// It was stopped.
    Cancelled,
}

impl State {
    /// Whether nothing more will happen.
    pub fn is_over(self) -> bool {
        match self {
            Self::Waiting | Self::Pending | Self::Running => false,
            Self::Done | Self::Failed | Self::Cancelled => true,
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::Waiting => 0,
            Self::Pending => 1,
            Self::Running => 2,
            Self::Done => 3,
            Self::Failed => 4,
            Self::Cancelled => 5,
        }
    }
}

/// How many inputs were made, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Made {
    pub images: u64,
    pub videos: u64,
    pub texts: u64,
    pub audios: u64,
}

/// An entry that made no input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its path in the archive, the name of the file, or the address.
    pub entry: String,
    /// Why, in words.
    pub reason: String,
}

impl Document for Extraction {
    const KIND: &'static str = "inputs_extraction_job";
    const NOUN: &'static str = "inputs extraction job";
    const FIELD: &'static str = "inputs_extraction_jobs";

    fn about(&self) -> String {
        match &self.source {
            Source::Upload(id) => id.clone(),
            Source::Url(_) => String::new(),
        }
    }

    fn state(&self) -> i64 {
        self.state.number()
    }

    fn check(&self) -> Result<()> {
        let field = "input_template";
        if let Some(geo) = self.template.geo {
            geo.check(&format!("{field}.data.geo.geo_point"))?;
        }
        for (idx, concept) in self.template.concepts.iter().enumerate() {
            let field = format!("{field}.data.concepts[{idx}]");
            crate::inputs::labels::check(&concept.label(), &field)?;
        }
        Ok(())
    }
}

/// One extraction. `NotFound` if it does not exist.
pub async fn get(app: &AppCtx, id: &str) -> Result<Stored<Extraction>> {
    resources::get(&Shelf::from(app), id).await
}

/// A page of the app's extractions, in order of creation.
pub async fn list(app: &AppCtx, page: Page) -> Result<Vec<Stored<Extraction>>> {
    resources::list(&Shelf::from(app), &Listing::default(), page).await
}

/// Stops extractions; those that have ended stay as they are. `NotFound` if any does not exist; then none is stopped.
pub async fn cancel(app: &AppCtx, ids: &[String]) -> Result<Vec<Stored<Extraction>>> {
    app.check_writable()?;
    if ids.is_empty() || ids.len() > MAX_PER_CALL {
        return Err(Error::invalid("ids", format!("must hold 1 to {MAX_PER_CALL} items, not {}", ids.len())));
    }
    let (uid, named, now_us) = (app.uid().to_owned(), ids.to_vec(), app.platform().clock().now_us());
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &uid)?;
        for id in &named {
            resources::exists::<Extraction>(tx, &uid, id)?;
            cancel_in(tx, &uid, id, now_us)?;
        }
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await?;
    resources::get_many(&Shelf::from(app), ids).await
}

/// Stops an extraction within a transaction, unless it has ended.
pub(crate) fn cancel_in(tx: &store::Tx<'_>, uid: &str, id: &str, now_us: i64) -> Result<()> {
    let found = resources::find::<Extraction>(tx, uid, "", id)?;
    if found.is_none_or(|extraction| extraction.doc.state.is_over()) {
        return Ok(());
    }
    resources::rewrite::<Extraction>(tx, uid, id, now_us, |extraction| {
        extraction.state = State::Cancelled;
        Ok(())
    })?;
    if let Some(row) = tx.resource(uid, Extraction::KIND, "", id)? {
        call_back::follow_up(tx, (&row.account_id, uid), id, now_us)?;
    }
    // The background job has the same id; one that waits for its upload has none yet.
    tx.cancel_job(id, now_us)?;
    Ok(())
}
