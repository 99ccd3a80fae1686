//! The peer's Python: an environment with pinned packages in the per-user cache, made on first use.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use ocellus_core::testing::cache_dir;

/// Marks an environment that was completely installed.
const COMPLETE: &str = "complete";

/// Returns the Python of an environment with exactly the packages of `peer/requirements.txt`.
pub fn python(peer_dir: &Path) -> Result<PathBuf> {
    let pins = peer_dir.join("requirements.txt");
    let wanted = std::fs::read_to_string(&pins).with_context(|| format!("cannot read {}", pins.display()))?;
    let home = cache_dir().join("bench-peer");
    let python = home.join("bin/python");
    if std::fs::read_to_string(home.join(COMPLETE)).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    std::fs::remove_dir_all(&home).ok();
    run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&pins))?;
    std::fs::write(home.join(COMPLETE), wanted)?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
