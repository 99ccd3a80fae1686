//! Maps of an app: its inputs laid out in the plane by what they look like, so that alike ones lie together.
//!
//! A job reads the inputs' vectors, shows their first two principal components as soon as it has them, and then t-SNE's
//! layout. A map is of the moment at which its job ran; later inputs are on the next one.

mod lay;
mod points;
#[cfg(test)]
mod tests;

use ocellus_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::jobs::NewJob;
use crate::resources::{self, Document, Listing, New, Shelf, Stored};
use crate::{AppCtx, Error, JsonMap, Page, Resource, Result};

pub(crate) use lay::KIND;
pub use points::{N_NEIGHBORS, Points};

/// The most inputs of a map: each needs about 6 kB of memory while the map is made. The oldest come first.
pub const MAX_INPUTS: usize = 200_000;

/// A map as it is stored. Its points are a blob.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppMap {
    /// Told from a later one with the same id.
    uid: String,
    /// How far it has got.
    pub state: MapState,
    /// What the points are laid out by, once there are any.
    pub method: Option<Method>,
    /// How much of it is done, 0 to 1.
    pub done: f32,
    /// Inputs on it.
    pub n_inputs: u64,
    /// Inputs with a vector for which there was no room.
    pub n_left_out: u64,
    /// How far the plane can be trusted: of 0 to 1, how much neighbours on it are neighbours in truth.
    pub trustworthiness: Option<f64>,
    /// Why it could not be made.
    pub error: String,
    /// The key of the points in the blob store.
    blob: Option<String>,
}

/// How far a map has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MapState {
    /// Being made; it may have points already.
    #[default]
    Pending,
    /// There.
    Ready,
    /// Given up.
    Failed,
}

/// What points are laid out by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The first two principal components.
    Pca,
    /// t-SNE.
    Tsne,
}

impl Method {
    /// Its usual short name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pca => "pca",
            Self::Tsne => "tsne",
        }
    }
}

impl Document for AppMap {
    const KIND: &'static str = "map";
    const NOUN: &'static str = "visualization";
    const FIELD: &'static str = "visualization";

    fn state(&self) -> i64 {
        match self.state {
            MapState::Pending => 0,
            MapState::Ready => 1,
            MapState::Failed => 2,
        }
    }

    fn blob(&self) -> Option<String> {
        self.blob.clone()
    }
}

/// What the job needs to know.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Work {
    id: String,
    uid: String,
}

impl Work {
    fn of(job: &store::Job) -> Result<Self> {
        serde_json::from_value(Value::Object(job.payload.clone())).map_err(Error::internal)
    }
}

/// What is missing where no map of an app was made yet.
pub const NO_MAP: &str = "visualization of app";
/// What is wrong with an app in which nothing can be laid out.
pub const NOTHING_TO_MAP: &str = "app without described inputs";

/// Begins a map of the app. While one is being made, that one is returned. `Invalid` about an app without images or
/// videos that have been described.
pub async fn create(app: &AppCtx) -> Result<Stored<AppMap>> {
    app.check_writable()?;
    let platform = app.platform();
    let listing = Listing { state: Some(0), newest_first: true, ..Listing::default() };
    if let Some(begun) = resources::list(&Shelf::from(app), &listing, Page::first(1)).await?.pop() {
        return Ok(begun);
    }
    let (uid, space) = (app.uid().to_owned(), platform.catalog().embedding().version_id().to_owned());
    let count = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.count_vectors(&uid, &space)?);
    if platform.store().read(count).await? == 0 {
        let message = "there is no image or video in the app that has been described";
        return Err(
            Error::invalid("app", message).about(Resource::Other(NOTHING_TO_MAP, app.app().id.clone()))
        );
    }
    let (id, uid) = (platform.ids().id(), platform.ids().id());
    let mut job =
        NewJob::new(&KIND, &platform.ids().id(), &app.caller().account_id, platform.clock().now_us());
    job.job.app_uid = Some(app.uid().to_owned());
    job.job.payload = match serde_json::to_value(Work { id: id.clone(), uid: uid.clone() }) {
        Ok(Value::Object(map)) => map,
        Ok(_) => JsonMap::new(),
        Err(error) => return Err(Error::internal(error)),
    };
    let new = New { id: Some(id), doc: AppMap { uid, ..AppMap::default() } };
    let insert = move |tx: &store::Tx<'_>, _: &str| job.insert(tx);
    let mut made = resources::create_if(&Shelf::from(app), vec![new], insert).await?;
    platform.job_added().notify_waiters();
    made.pop().ok_or_else(|| Error::internal(anyhow::anyhow!("a map was gone when it was written")))
}

/// One map.
pub async fn get(app: &AppCtx, id: &str) -> Result<Stored<AppMap>> {
    resources::get(&Shelf::from(app), id).await
}

/// The newest map that has points; else the newest of all. `NotFound` for an app of which none was made.
pub async fn newest(app: &AppCtx) -> Result<Stored<AppMap>> {
    let listing = Listing { newest_first: true, ..Listing::default() };
    let shelf = Shelf::from(app);
    let with_points = |map: &Stored<AppMap>| map.doc.blob.is_some();
    let mut found = resources::search(&shelf, &listing, Page::first(1), with_points).await?;
    if found.is_empty() {
        found = resources::list(&shelf, &listing, Page::first(1)).await?;
    }
    found.pop().ok_or_else(|| Error::not_found(Resource::Other(NO_MAP, app.app().id.clone())))
}

/// The points of a map in the form of [`Points::to_bytes`]; `None` as long as it has none.
pub async fn points(app: &AppCtx, map: &AppMap) -> Result<Option<bytes::Bytes>> {
    let Some(blob) = &map.blob else { return Ok(None) };
    let found = app.platform().store().blobs().get(blob).await?;
    found.map(Some).ok_or_else(|| Error::internal(anyhow::anyhow!("the points of a map are gone")))
}

/// The key of a map's points, which changes with them.
pub fn points_key(map: &AppMap) -> Option<&str> {
    map.blob.as_deref()
}
