//! The protocol as clients see it: scenarios over REST, and messages over gRPC.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod grpc;
mod rest;
