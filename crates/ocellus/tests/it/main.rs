//! The real binary: its configuration, its commands and its server.

#[cfg(test)]
mod commands;
#[cfg(test)]
mod server;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod support;
