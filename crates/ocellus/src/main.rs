//! The `ocellus` program: the server and the commands that work without one.

mod cli;
mod commands;
mod config;
mod output;
mod serve;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complaint(&format!("error: {}", output::chain(&error)));
            ExitCode::FAILURE
        }
    }
}
