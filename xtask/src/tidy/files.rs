//! Rules for a file as a whole: its head, its length, its name, its ends of lines.

use super::SourceFile;

/// Lines of production code that a file may have.
const MAX_LINES: usize = 400;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 5] = ["utils", "util", "helpers", "common", "misc"];
/// What the tests would hide behind.
const FORBIDDEN_ATTRIBUTES: [&str; 2] = ["#[ignore", "#[should_panic"];

pub fn check(file: &SourceFile, complaints: &mut Vec<String>) {
    let path = &file.path;
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        complaints.push(format!("{path}: no newline at the end of file"));
    }
    for (idx, line) in file.text.lines().enumerate() {
        if line.ends_with([' ', '\t']) && !path.ends_with(".md") {
            complaints.push(format!("{path}:{}: space at the end of the line", idx + 1));
        }
    }
    if !file.is_rust() {
        return;
    }
    if !file.text.starts_with("//! ") {
        complaints.push(format!("{path}:1: the first line must be `//! ` and say what the file is"));
    }
    let parts = path.trim_end_matches(".rs").split('/');
    for name in parts.filter(|part| EMPTY_NAMES.contains(part)) {
        complaints.push(format!("{path}: the name `{name}` says nothing; name it after what is inside"));
    }
    let n_lines = production_lines(file);
    if n_lines > MAX_LINES && !is_generated(file) {
        complaints.push(format!("{path}: {n_lines} lines of production code; split it below {MAX_LINES}"));
    }
    for (idx, line) in file.text.lines().enumerate() {
        for attribute in FORBIDDEN_ATTRIBUTES {
            if line.trim_start().starts_with(attribute) {
                complaints.push(format!("{path}:{}: {attribute}] hides a test; mend or delete it", idx + 1));
            }
        }
    }
}

/// Everything before the tests at the foot; files of tests have none.
fn production_lines(file: &SourceFile) -> usize {
    if file.is_test() {
        return 0;
    }
    let lines: Vec<&str> = file.text.lines().collect();
    let inline_tests = lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{'));
    inline_tests.unwrap_or(lines.len())
}

/// Says so in its first line.
fn is_generated(file: &SourceFile) -> bool {
    file.text.lines().next().is_some_and(|line| line.contains("written by tools/"))
}
