//! The real binary: its configuration, its commands and its server.
#![expect(clippy::disallowed_methods, reason = "tests look at what the program left on the disk")]

#[cfg(test)]
mod commands;
#[cfg(test)]
mod own_models;
mod server;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod support;
#[cfg(test)]
mod usage;
