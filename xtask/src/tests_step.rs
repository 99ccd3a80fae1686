//! The tests, by nextest where it is installed and by `cargo test` elsewhere, with a count and the slowest ones at the end.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use crate::process::{command, exists, say};

/// How many of the slowest tests are shown.
const N_SLOWEST: usize = 5;

#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
    /// Seconds and name.
    times: Vec<(f64, String)>,
}

#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting of the program")]
pub fn run(root: &Path) -> Result<(), String> {
    if std::env::var_os("OCELLUS_TEST_PG").is_none() {
        say(
            "OCELLUS_TEST_PG is not set: database tests run on SQLite only (`make test` starts a PostgreSQL)",
        );
    }
    if exists("cargo-nextest") {
        let args = [
            "nextest",
            "run",
            "--workspace",
            "--locked",
            "--status-level",
            "pass",
            "--final-status-level",
            "fail",
            "--color",
            "never",
        ];
        collect(root, &args, nextest_line)
    } else {
        collect(root, &["test", "--workspace", "--locked", "--no-fail-fast"], cargo_test_line)
    }
}

/// Reads one line into the tally; true if people should see the line.
type Reader = fn(&str, &mut Tally) -> bool;

fn collect(root: &Path, args: &[&str], read: Reader) -> Result<(), String> {
    let shown = format!("cargo {}", args.join(" "));
    let cannot = |error: std::io::Error| format!("`{shown}` cannot be run: {error}");
    // One pipe for both streams keeps their lines in order: nextest reports on stderr, `cargo test` on stdout.
    let (reader, writer) = std::io::pipe().map_err(cannot)?;
    let mut child = command(root, "cargo", args)
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(cannot)?)
        .stderr(writer)
        .spawn()
        .map_err(cannot)?;
    let mut tally = Tally::default();
    for line in BufReader::new(reader).lines() {
        let line = line.unwrap_or_default();
        if read(&line, &mut tally) {
            say(&line);
        }
    }
    let status = child.wait().map_err(cannot)?;
    report(&mut tally);
    if status.success() { Ok(()) } else { Err(format!("`{shown}` ended with {status}")) }
}

fn report(tally: &mut Tally) {
    tally.times.sort_by(|a, b| b.0.total_cmp(&a.0));
    if !tally.times.is_empty() {
        say("slowest tests:");
    }
    for (seconds, name) in tally.times.iter().take(N_SLOWEST) {
        say(&format!("{seconds:>8.2} s  {name}"));
    }
    let Tally { passed, failed, skipped, .. } = tally;
    let all = *passed + *failed;
    say(&format!("tests: {all} run, {passed} passed, {failed} failed, {skipped} skipped"));
}

/// `        PASS [   0.004s] ocellus-http scenario::parse::tests::mistakes`, and the summary at the end. Newer versions
/// put a counter `( 1/20)` before the name.
fn nextest_line(line: &str, tally: &mut Tally) -> bool {
    let trimmed = line.trim_start();
    let Some((word, rest)) = trimmed.split_once(" [") else { return true };
    let Some((seconds, name)) = rest.split_once("s] ") else { return true };
    let name = name.trim_start();
    let name = name.strip_prefix('(').and_then(|rest| rest.split_once(") ")).map_or(name, |(_, name)| name);
    match word {
        "PASS" => {
            tally.passed += 1;
            tally.times.push((seconds.trim().parse().unwrap_or(0.0), name.to_owned()));
            false
        }
        "Summary" => {
            tally.skipped = number_before(name, " skipped");
            tally.failed = number_before(name, " failed") + number_before(name, " timed out");
            true
        }
        _ => true,
    }
}

/// `test result: ok. 8 passed; 0 failed; 0 ignored; …`; single tests have no times here.
fn cargo_test_line(line: &str, tally: &mut Tally) -> bool {
    if line.starts_with("test result: ") {
        tally.passed += number_before(line, " passed");
        tally.failed += number_before(line, " failed");
        tally.skipped += number_before(line, " ignored");
        return false;
    }
    let noise = line.is_empty()
        || line.starts_with("running ")
        || (line.starts_with("test ") && line.ends_with("... ok"));
    !noise
}

fn number_before(text: &str, word: &str) -> usize {
    let Some(end) = text.find(word) else { return 0 };
    let digits: String = text[..end].chars().rev().take_while(char::is_ascii_digit).collect();
    digits.chars().rev().collect::<String>().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_runners_are_counted() {
        let mut tally = Tally::default();
        let lines = [
            ("        PASS [   0.004s] ocellus-http body::tests::one", false),
            ("        PASS [   1.250s] (2/3) ocellus-http body::tests::two", false),
            ("        FAIL [   0.010s] (3/3) ocellus-http body::tests::three", true),
            ("     Summary [   1.300s] 3 tests run: 2 passed, 1 failed, 4 skipped", true),
            ("error: something", true),
        ];
        for (line, shown) in lines {
            assert_eq!(nextest_line(line, &mut tally), shown, "{line}");
        }
        assert_eq!((tally.passed, tally.failed, tally.skipped), (2, 1, 4));
        assert_eq!(tally.times[1], (1.25, "ocellus-http body::tests::two".to_owned()));

        let mut tally = Tally::default();
        let lines = [
            ("running 8 tests", false),
            ("test a::b ... ok", false),
            ("test a::c ... FAILED", true),
            ("test result: FAILED. 7 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out", false),
            ("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out", false),
        ];
        for (line, shown) in lines {
            assert_eq!(cargo_test_line(line, &mut tally), shown, "{line}");
        }
        assert_eq!((tally.passed, tally.failed, tally.skipped), (10, 1, 2));
    }
}
