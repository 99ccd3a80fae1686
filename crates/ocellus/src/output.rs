//! What people read on the terminal. A reader that has gone (`| head`) is no error.

use std::io::Write as _;

/// A line to standard output.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).is_err()
    {
        // Nobody reads any more; going on would only burn time.
        std::process::exit(0);
    }
}

/// A line to standard error.
pub fn complaint(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// An error with its causes, without those that only repeat what was said.
pub fn chain(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if said.is_empty() {
            said = text;
        } else if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
    }
    said
}

/// A table without frames, columns two spaces apart.
pub fn table(head: &[&str], rows: Vec<Vec<String>>) {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(head.iter().map(|name| name.to_uppercase()));
    table.add_rows(rows);
    for text in table.to_string().lines() {
        line(text.trim_end().trim_start_matches(' '));
    }
}

/// Bytes in words of two or three digits.
pub fn size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.95 {
        format!("{value:.0} {}", units[unit])
    } else {
        format!("{value:.1} {}", units[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_repeats_its_error_is_said_once() {
        let error = anyhow::anyhow!("the file is gone").context("the file is gone").context("no start");
        assert_eq!(chain(&error), "no start: the file is gone");
    }

    #[test]
    fn sizes_are_short_and_rounded() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (18_598_332, "18.6 MB"),
            (2_147_483_648, "2.1 GB"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(size(bytes), expected);
        }
    }
}
