//! Running other programs, and talking to the terminal.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A line to standard error, where the steps' own output goes too.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A command in the folder of the workspace.
pub fn command(root: &Path, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root).args(args);
    command
}

/// Runs a command with its output on the terminal.
pub fn succeed(mut command: Command) -> Result<(), String> {
    let shown = show(&command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` ended with {status}")),
        Err(error) => Err(format!("`{shown}` cannot be run: {error}")),
    }
}

/// Runs a command and returns what it printed.
pub fn output(mut command: Command) -> Result<String, String> {
    let shown = show(&command);
    command.stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("`{shown}` cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{shown}` ended with {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{shown}` printed something that is no text"))
}

fn show(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Whether a program can be started.
pub fn exists(program: &str) -> bool {
    let quiet = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}
