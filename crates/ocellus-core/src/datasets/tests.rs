//! Datasets on every database.
