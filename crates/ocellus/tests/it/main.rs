//! The real binary: its configuration, its commands and its server.

mod commands;
mod server;
mod settings;
mod support;
