//! The dialect as a whole, in process, over every database there is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod archives;
mod clips;
mod grpc;
mod hosted;
mod limits;
mod routes;
mod scenarios;
mod world;
