//! One file per table: the row as a plain struct, its SQL, and the methods of a transaction on it.

pub mod accounts;
pub mod annotations;
pub mod apps;
pub mod concepts;
pub mod counters;
pub mod inputs;
pub mod job_errors;
pub mod job_parts;
pub mod jobs;
pub mod keys;
pub mod labels;
pub mod meta;
pub mod predictions;
pub mod resources;
pub mod vectors;
