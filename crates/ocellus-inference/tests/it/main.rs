//! The protocol as clients see it: scenarios over REST, and messages over gRPC.

mod grpc;
mod rest;
