//! `ocellus index`: adds a folder of photographs to the local collection.
//!
//! Everything that matters is in the database at any moment: a file is either unknown, waiting, described or given up.
//! So an interrupted run loses nothing, and the next one takes up what is missing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use ocellus_core::inputs::{self, InputState, NewInput};
use ocellus_core::{AppCtx, JsonMap, MediaKind, Source};

use super::local;
use crate::cli::Index;
use crate::config::Config;
use crate::output;
use crate::serve::lock::DataLock;

/// What is taken for a photograph.
const EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];
/// Photographs that wait for their description at any moment: enough for all cores, few enough to keep memory small.
const MAX_WAITING: u64 = 64;
/// Photographs handed over in one transaction.
const BATCH: usize = 16;
/// How often progress is looked up.
const TICK: Duration = Duration::from_millis(100);

/// A file as the collection knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Photo {
    path: PathBuf,
    size_bytes: u64,
    modified_us: u64,
}

/// What the collection has of a path.
struct Known {
    id: String,
    size_bytes: u64,
    modified_us: u64,
    failed: bool,
}

#[derive(Default)]
struct Plan {
    new: Vec<Photo>,
    /// Ids of inputs whose file changed, or that shall be tried again.
    outdated: Vec<String>,
    n_done: u64,
    n_failed: u64,
}

pub async fn run(config: Config, args: Index) -> anyhow::Result<()> {
    let folder = std::fs::canonicalize(&args.folder)
        .with_context(|| format!("{} cannot be read", args.folder.display()))?;
    if !folder.is_dir() {
        bail!("{} is not a folder; `ocellus predict` takes single photographs", folder.display());
    }
    let photos = find_photos(&folder)?;
    if photos.is_empty() {
        bail!("no photographs ({}) in {}", EXTENSIONS.join(", "), folder.display());
    }
    let platform = local::open(&config).await?;
    let app = local::local_app(&platform, true).await?;
    let plan = plan(&app, photos, args.retry_failed).await?;
    if !plan.outdated.is_empty() {
        for ids in plan.outdated.chunks(inputs::MAX_PER_CALL) {
            inputs::delete(&app, ids).await.map_err(local::explain)?;
        }
    }
    // A server on this folder has workers already; beside them these would take its leases for those of a dead process.
    let lock = DataLock::try_take(&config.server.data_dir, "index")?;
    let workers = match &lock {
        Ok(_) => Some(platform.start_workers().await.map_err(local::explain)?),
        Err(holder) => {
            output::complaint(&format!(
                "{holder} runs on {}; it will describe the photographs",
                config.server.data_dir.display()
            ));
            None
        }
    };
    let outcome = tokio::select! {
        outcome = feed(&app, &plan) => Some(outcome),
        _ = tokio::signal::ctrl_c() => None,
    };
    if let Some(workers) = workers {
        workers.stop().await;
    }
    match outcome {
        Some(outcome) => conclude(&app, &plan, outcome?).await,
        None => bail!("interrupted; run the same command again to go on"),
    }
}

/// Every photograph below the folder, in order. Links to folders are not followed, so that there are no circles.
fn find_photos(folder: &Path) -> anyhow::Result<Vec<Photo>> {
    let mut photos = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("{} cannot be read", folder.display()))?;
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if is_photo(&path) {
                photos.extend(stat(path));
            }
        }
    }
    photos.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(photos)
}

fn is_photo(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    !hidden && extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// `None` for a file that went away meanwhile, and for what is no file behind a link.
fn stat(path: PathBuf) -> Option<Photo> {
    let metadata = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let modified_us = u64::try_from(modified.as_micros()).unwrap_or(u64::MAX);
    Some(Photo { path, size_bytes: metadata.len(), modified_us })
}

async fn plan(app: &AppCtx, photos: Vec<Photo>, retry_failed: bool) -> anyhow::Result<Plan> {
    let mut known = HashMap::new();
    local::each_input(app, |input| {
        if let Some(path) = path_of(&input.metadata) {
            known.insert(path, known_from(&input));
        }
    })
    .await?;
    let mut plan = Plan::default();
    for photo in photos {
        match known.get(&*photo.path.to_string_lossy()) {
            None => plan.new.push(photo),
            Some(known) => {
                let same = known.size_bytes == photo.size_bytes && known.modified_us == photo.modified_us;
                if !same || (known.failed && retry_failed) {
                    plan.outdated.push(known.id.clone());
                    plan.new.push(photo);
                } else if known.failed {
                    plan.n_failed += 1;
                } else {
                    plan.n_done += 1;
                }
            }
        }
    }
    Ok(plan)
}

fn known_from(input: &inputs::Input) -> Known {
    let number = |key: &str| input.metadata.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
    Known {
        id: input.id.clone(),
        size_bytes: number("size_bytes"),
        modified_us: number("modified_us"),
        failed: matches!(input.state, InputState::Failed { .. }),
    }
}

/// Where an input's photograph lies, if the input came from `ocellus index`.
pub(super) fn path_of(metadata: &JsonMap) -> Option<String> {
    metadata.get("path").and_then(|path| path.as_str()).map(str::to_owned)
}

/// Hands the new photographs over, never too many at once, and waits until all are described. The number that could not
/// even be read.
async fn feed(app: &AppCtx, plan: &Plan) -> anyhow::Result<u64> {
    let bar = progress_bar(plan);
    let before = counts(app).await?;
    let mut n_unread = 0;
    let mut rest = plan.new.as_slice();
    loop {
        let now = counts(app).await?;
        let ended = (now.ready + now.failed).saturating_sub(before.ready + before.failed);
        bar.set_position(plan.n_done + plan.n_failed + ended + n_unread);
        let waiting = now.pending + now.processing;
        if rest.is_empty() && waiting == 0 {
            bar.finish_and_clear();
            return Ok(n_unread);
        }
        if waiting < MAX_WAITING && !rest.is_empty() {
            let (batch, later) = rest.split_at(rest.len().min(BATCH));
            rest = later;
            n_unread += hand_over(app, batch, &bar).await?;
        } else {
            tokio::time::sleep(TICK).await;
        }
    }
}

async fn counts(app: &AppCtx) -> anyhow::Result<inputs::InputCounts> {
    inputs::count(app).await.map_err(local::explain)
}

/// Adds a batch as inputs; the number of files that could not be read.
async fn hand_over(app: &AppCtx, batch: &[Photo], bar: &ProgressBar) -> anyhow::Result<u64> {
    let mut new = Vec::new();
    let mut n_unread = 0;
    for photo in batch {
        match tokio::fs::read(&photo.path).await {
            Ok(bytes) => new.push(new_input(photo, bytes)),
            Err(error) => {
                n_unread += 1;
                bar.suspend(|| output::complaint(&format!("{}: {error}", photo.path.display())));
            }
        }
    }
    for made in inputs::create(app, new).await.map_err(local::explain)? {
        if let Err(error) = made {
            n_unread += 1;
            bar.suspend(|| output::complaint(&error.message));
        }
    }
    Ok(n_unread)
}

fn new_input(photo: &Photo, bytes: Vec<u8>) -> NewInput {
    let mut metadata = JsonMap::new();
    metadata.insert("path".to_owned(), photo.path.to_string_lossy().into());
    metadata.insert("size_bytes".to_owned(), photo.size_bytes.into());
    metadata.insert("modified_us".to_owned(), photo.modified_us.into());
    NewInput {
        id: None,
        source: Source::Bytes(bytes.into()),
        kind: MediaKind::Image,
        allow_duplicate_url: false,
        crop: None,
        labels: Vec::new(),
        metadata,
        geo: None,
        parts: Default::default(),
    }
}

fn progress_bar(plan: &Plan) -> ProgressBar {
    let n_known = plan.n_done + plan.n_failed;
    let bar = ProgressBar::new(n_known + plan.new.len() as u64).with_position(n_known);
    let template = "{wide_bar} {pos}/{len}  {per_sec}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    // What was there before the start must not count as speed.
    bar.reset_eta();
    bar
}

async fn conclude(app: &AppCtx, plan: &Plan, n_unread: u64) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    local::each_input(app, |input| {
        if let InputState::Failed { message, .. } = &input.state {
            failed.push((path_of(&input.metadata).unwrap_or(input.id), message.clone()));
        }
    })
    .await?;
    for (path, message) in &failed {
        output::complaint(&format!("{path}: {message}"));
    }
    let n_found = plan.new.len() as u64 + plan.n_done + plan.n_failed;
    let n_bad = failed.len() as u64 + n_unread;
    let text = format!("{n_found} photographs found, {} new, {n_bad} not readable", plan.new.len());
    output::line(&text);
    output::line("Try: ocellus search PHOTO");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photographs_are_found_in_subfolders_in_order_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("b/deep")).unwrap();
        for name in ["z.JPG", "b/deep/a.png", "b/notes.txt", ".hidden.jpg", "noextension"] {
            std::fs::write(root.join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(root, root.join("b/circle")).unwrap();
        let found = find_photos(root).unwrap();
        let names: Vec<_> = found.iter().map(|photo| photo.path.strip_prefix(root).unwrap()).collect();
        assert_eq!(names, [Path::new("b/deep/a.png"), Path::new("z.JPG")]);
        assert_eq!(found[0].size_bytes, 1);
    }
}
