//! One file per table: the row as a plain struct, its SQL, and the methods of a transaction on it.

pub mod accounts;
pub mod annotation_tracks;
pub mod annotations;
pub mod apps;
pub mod concept_names;
pub mod concept_relations;
pub mod concepts;
pub mod counters;
pub mod dataset_exports;
pub mod dataset_inputs;
pub mod dataset_items;
pub mod inputs;
pub mod job_errors;
pub mod job_parts;
pub mod jobs;
pub mod keys;
pub mod labels;
pub mod meta;
pub mod predictions;
pub mod resources;
pub mod task_assignments;
pub mod vectors;
