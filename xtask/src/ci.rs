//! `cargo xtask ci`: the steps in order, with the wall time of each at the end.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{command, say, succeed};
use crate::{docs, tests_step, tidy};

type Step = (&'static str, fn(&Path) -> Result<(), String>);

const STEPS: [Step; 7] = [
    ("fmt", fmt),
    ("tidy", tidy::run),
    ("clippy", clippy),
    ("tests", tests_step::run),
    ("docs --check", docs::check),
    ("cargo doc", cargo_doc),
    ("clients", |root| clients(root, &[])),
];

/// Runs all steps; the first that fails ends the run.
pub fn run(root: &Path) -> Result<(), String> {
    let mut times: Vec<(&str, Duration)> = Vec::new();
    let mut outcome = Ok(());
    for (name, step) in STEPS {
        say(&format!("\n=== {name}"));
        let started = Instant::now();
        outcome = step(root).map_err(|error| format!("{name}: {error}"));
        times.push((name, started.elapsed()));
        if outcome.is_err() {
            break;
        }
    }
    say("\n=== time of each step");
    for (name, time) in &times {
        say(&format!("{:>8.1} s  {name}", time.as_secs_f64()));
    }
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    say(&format!("{:>8.1} s  together", total.as_secs_f64()));
    if outcome.is_ok() {
        say("everything passed");
    }
    outcome
}

fn cargo(root: &Path, args: &[&str]) -> Command {
    command(root, "cargo", args)
}

fn fmt(root: &Path) -> Result<(), String> {
    succeed(cargo(root, &["fmt", "--all", "--check"]))
}

fn clippy(root: &Path) -> Result<(), String> {
    succeed(cargo(
        root,
        &["clippy", "--quiet", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
    ))
}

fn cargo_doc(root: &Path) -> Result<(), String> {
    let args = ["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items", "--locked"];
    let mut doc = cargo(root, &args);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    succeed(doc)
}

/// The vendors' clients bring their own Python and npm packages, pinned, in the per-user cache.
pub fn clients(root: &Path, suites: &[&str]) -> Result<(), String> {
    succeed(cargo(root, &["build", "--quiet", "--package", "ocellus", "--locked"]))?;
    let mut args = vec!["clients/run.py"];
    args.extend(suites);
    succeed(command(root, "python3", &args))
}

/// Benchmarks need optimised builds of the server and of themselves.
pub fn bench(root: &Path, rest: &[&str]) -> Result<(), String> {
    succeed(cargo(root, &["build", "--release", "--locked", "--package", "ocellus"]))?;
    let mut args = vec!["run", "--release", "--locked", "--package", "ocellus-bench", "--"];
    args.extend(rest);
    succeed(cargo(root, &args))
}
