//! Everything that outlives a process: rows in SQLite or PostgreSQL, and blobs in a directory or S3.
//!
//! One [`Store`] serves both databases from one SQL text. Rows are plain structs, one file per table
//! in [`tables`], reached through the methods of [`Tx`]; a transaction is a synchronous closure given
//! to [`Store::read`] or [`Store::write`]. Absence is `Ok(None)`; what went wrong is an [`Error`].

pub mod blobs;
mod db;
pub mod error;
mod migrate;
mod page;
mod store;
pub mod tables;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use blobs::{BlobEntry, Blobs, Piece};
pub use db::Tx;
pub use error::{Error, Result};
pub use store::{Durability, Store, StoreConfig};
pub use tables::accounts::Account;
pub use tables::annotation_conditions::AnnotationTest;
pub use tables::annotation_regions::AnnotationRegion;
pub use tables::annotation_tracks::AnnotationTrack;
pub use tables::annotations::{Annotation, AnnotationQuery, AnnotationWorker};
pub use tables::apps::App;
pub use tables::audit_log::AuditEntry;
pub use tables::collaborators::Collaborator;
pub use tables::concept_names::ConceptName;
pub use tables::concept_relations::ConceptRelation;
pub use tables::concepts::{Concept, ConceptCount};
pub use tables::copies::CopiedInputs;
pub use tables::dataset_export_chunks::DatasetExportChunk;
pub use tables::dataset_exports::DatasetExport;
pub use tables::dataset_inputs::DatasetInput;
pub use tables::dataset_items::{DatasetItem, DatasetItemDiff};
pub use tables::email_codes::EmailCode;
pub use tables::input_conditions::InputFacts;
pub use tables::inputs::{Input, InputQuery};
pub use tables::job_errors::JobError;
pub use tables::job_parts::{JobPart, Lease, PartFate};
pub use tables::jobs::{Job, JobQuery};
pub use tables::keys::Key;
pub use tables::labels::Label;
pub use tables::model_blobs::ModelBlob;
pub use tables::model_versions::ModelVersion;
pub use tables::models::Model;
pub use tables::predictions::Prediction;
pub use tables::renditions::Rendition;
pub use tables::resources::{Resource, ResourceQuery};
pub use tables::runner_items::{Claim as RunnerClaim, ItemsOf as RunnerItemsOf, RunnerItem};
pub use tables::stat_values::StatValue;
pub use tables::subscriptions::Subscription;
pub use tables::task_assignments::TaskAssignment;
pub use tables::throttles::Throttle;
pub use tables::upload_parts::UploadPart;
pub use tables::usage_counts::{Amount, Used, UsedInHour};
pub use tables::users::User;
pub use tables::vectors::Vector;
pub use tables::video_frames::VideoFrame;
pub use tables::view_counts::Views;

/// A free-form JSON object, kept as TEXT.
pub type JsonMap = serde_json::Map<String, serde_json::Value>;
