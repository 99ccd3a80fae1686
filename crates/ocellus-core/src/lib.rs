//! What the platform does: accounts, apps, inputs, prediction, search and the jobs behind them, free of HTTP and SQL.
#![warn(missing_docs)]

pub mod access;
pub mod accounts;
pub mod add_jobs;
pub mod annotation_filters;
pub mod annotation_metrics;
pub mod annotations;
pub mod apps;
pub mod audit;
pub mod bootstrap;
pub mod bulk;
pub mod catalog;
pub mod clock;
pub mod collaborators;
pub mod collectors;
pub mod concepts;
pub mod datasets;
pub mod duplications;
pub mod engine;
pub mod error;
pub mod evaluations;
pub mod extractions;
pub mod feedback;
pub mod fetch;
pub mod ids;
pub mod image_text;
pub mod indexes;
pub mod inputs;
pub mod jobs;
pub mod keys;
pub mod label_orders;
pub mod learning;
pub mod mail;
pub mod maps;
pub mod media;
mod media_type;
mod merge;
pub mod model_bundles;
pub mod model_packages;
pub mod models;
pub mod modules;
pub mod next_to_label;
pub mod page;
pub mod platform;
pub mod predict;
pub mod resources;
pub mod runners;
pub mod search;
pub mod stats;
pub mod tasks;
pub mod tensors;
#[cfg(feature = "testing")]
pub mod testing;
mod texts;
pub mod trending;
pub mod uploads;
pub mod usage;
pub mod user_models;
pub mod users;
pub mod video;
pub mod vocabs;
pub mod workflows;

pub use access::{AccountCtx, AppCtx, Caller, KeyKind, Scope, ScopeSet};
pub use clock::Clock;
pub use error::{Error, Kind, Resource, Result};
pub use ids::Ids;
pub use media::{CropBox, GeoPoint, MediaKind, Source};
pub use page::{Page, PatchAction};
pub use platform::{JobsConfig, Platform, PlatformConfig};

/// A free-form JSON object: metadata is whatever the user says it is.
pub type JsonMap = serde_json::Map<String, serde_json::Value>;
