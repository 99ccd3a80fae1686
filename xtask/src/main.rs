//! Automation in Rust with the standard library only: `cargo xtask ci | tidy | docs [--check] | clients | bench`.

mod ci;
mod docs;
mod process;
mod schema;
mod tests_step;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  ci              everything that must pass, cheapest first; prints the time of each step and the slowest tests
  tidy            the rules of the house that no lint checks
  docs [--check]  writes the generated documents, or tells which are out of date
  clients         runs the vendors' own clients against a freshly started server
  bench [ARGS]    measures against the peers (docs/benchmarks.md)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = root();
    let result = match words.as_slice() {
        ["ci"] => ci::run(&root),
        ["tidy"] => tidy::run(&root),
        ["docs"] => docs::write(&root),
        ["docs", "--check"] => docs::check(&root),
        ["clients", rest @ ..] => ci::clients(&root, rest),
        ["bench", rest @ ..] => ci::bench(&root, rest),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            process::say(&message);
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
