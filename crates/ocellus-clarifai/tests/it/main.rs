//! The dialect as a whole, in process, over every database there is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod archives;
mod bindings;
mod brought_models;
mod clips;
mod coverage;
mod grpc;
mod hosted;
mod isolation;
mod limits;
mod plans;
mod routes;
mod runners;
mod scenarios;
mod schema;
mod streams;
mod usage;
mod world;
