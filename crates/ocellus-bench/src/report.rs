//! Statistics and the head of the report: machine, command, date.

use std::process::Command;

/// The middle value; sorts `values`.
pub fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which the share `q` of `values` lies (nearest rank); sorts `values`.
pub fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (q * (values.len().saturating_sub(1)) as f64).round() as usize;
    values.get(rank).copied().unwrap_or(f64::NAN)
}

/// What was measured on, by which command, when.
pub fn head(command: &str) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .map_or("unknown", |l| l.trim_start_matches([':', '\t', ' ']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let date = Command::new("date")
        .args(["-u", "+%Y-%m-%d %H:%M UTC"])
        .output()
        .map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "Machine: {cores} cores of {model}, shared with others (load {} at the start). Command: `{command}`. Date: {}.\n",
        load.split_whitespace().next().unwrap_or("unknown"),
        date.unwrap_or_default()
    )
}
