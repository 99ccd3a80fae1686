//! `ocellus export`: writes an app, a dataset or a version of one as a collection that other tools read.
//!
//! A folder is written file by file, each whole or not at all, and running an interrupted export again writes only what is
//! missing. An archive is written beside its name and takes it when it is whole; running it again goes on too.

mod archive;

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use ocellus_core::datasets::content::ContentReader;
use ocellus_core::datasets::frozen::{self, Frozen};
use ocellus_core::datasets::{self, versions};
use ocellus_core::{AppCtx, Page, concepts, inputs};
use ocellus_interchange::{Concept, FolderSink, Format, Report, Scratch, Sink, WriteOptions, Writer};
use tokio::runtime::Handle;

use super::import::{format_named, write_report};
use super::local;
use crate::cli::Export;
use crate::config::Config;
use crate::output;

/// The file that marks a folder as an export that is not finished.
const MARK: &str = ".ocellus-export";
/// What is compared at once with a file that is there. In bytes.
const PIECE: u64 = 1 << 20;
/// Inputs read at once.
const BATCH: u32 = 128;

/// What is exported.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only this dataset.
    pub dataset: Option<String>,
    /// As it was in this version of the dataset.
    pub version: Option<String>,
    /// Whether the bytes are left where they are.
    pub without_files: bool,
}

pub async fn run(config: Config, args: Export) -> anyhow::Result<()> {
    let format = format_named(&args.format)?;
    let platform = local::open(&config).await?;
    let account = local::account(&platform, args.of.user.as_deref()).await?;
    let app = match &args.of.app {
        Some(id) => local::app(&account, id).await?,
        None => local::local_app(&platform, false).await?,
    };
    let selection =
        Selection { dataset: args.dataset, version: args.version, without_files: args.without_files };
    let bar = ProgressBar::new_spinner();
    let work = export(&app, format, &args.path, selection, &bar);
    let report = tokio::select! {
        report = work => report?,
        // The thread that writes may be in the middle of a file; nothing half-written ever has its real name.
        _ = tokio::signal::ctrl_c() => {
            output::complaint("interrupted; run the same command again to go on");
            std::process::exit(130);
        }
    };
    bar.finish_and_clear();
    if let Some(path) = &args.report {
        let skipped = report.skipped.iter().map(|entry| (entry.place.to_string(), entry.reason.clone()));
        write_report(path, skipped, report.lost.clone().into_iter())?;
    }
    for entry in report.skipped.iter().take(20) {
        output::complaint(&format!("skipped {}: {}", entry.place, entry.reason));
    }
    for (what, n) in &report.lost {
        output::complaint(&format!("the format has no place for {what}: {n} times"));
    }
    output::line(&format!("{} written, {} skipped", report.n_items - report.n_skipped, report.n_skipped));
    Ok(())
}

/// Writes the selection to a folder, or to an archive if the path ends in `.zip`.
pub async fn export(
    app: &AppCtx,
    format: Format,
    to: &Path,
    selection: Selection,
    bar: &ProgressBar,
) -> anyhow::Result<Report> {
    if selection.version.is_some() && selection.dataset.is_none() {
        bail!("--version needs --dataset");
    }
    let (app, to, bar) = (app.clone(), to.to_owned(), bar.clone());
    let handle = Handle::current();
    let write = move || {
        let source = Source { app, selection, handle, bar };
        if to.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")) {
            archive::write(&source, format, &to)
        } else {
            to_folder(&source, format, &to)
        }
    };
    tokio::task::spawn_blocking(write).await.context("writing the collection failed")?
}

/// Where inputs are read from, by a thread that may wait.
struct Source {
    app: AppCtx,
    selection: Selection,
    handle: Handle,
    bar: ProgressBar,
}

fn to_folder(source: &Source, format: Format, to: &Path) -> anyhow::Result<Report> {
    let about = || format!("{} cannot be written", to.display());
    let mark = to.join(MARK);
    let name = format!("{} {:?}\n", format.name(), source.selection);
    std::fs::create_dir_all(to).with_context(about)?;
    let is_empty = std::fs::read_dir(to).with_context(about)?.next().is_none();
    let is_ours = std::fs::read_to_string(&mark).is_ok_and(|text| text == name);
    if !is_empty && !is_ours {
        bail!("{} is not empty", to.display());
    }
    std::fs::write(&mark, name).with_context(about)?;
    let mut sink = Resumed { root: to.to_owned(), inner: FolderSink::create(to)? };
    let report = write(source, format, &mut sink)?;
    std::fs::remove_file(&mark).with_context(about)?;
    Ok(report)
}

/// A folder in which files that are there already are left alone.
struct Resumed {
    root: PathBuf,
    inner: FolderSink,
}

impl Sink for Resumed {
    fn put(&mut self, path: &str, content: &mut dyn Read) -> ocellus_interchange::Result<()> {
        let there = self.root.join(path);
        if !there.try_exists().unwrap_or(false) {
            return self.inner.put(path, content);
        }
        let io = |source| ocellus_interchange::Error::Io { about: path.to_owned(), source };
        let (n_same, differing) = compare(&there, content).map_err(io)?;
        let Some(differing) = differing else { return Ok(()) };
        // What has been read of the content is taken from where it was found to be the same.
        let same = File::open(&there).map_err(io)?.take(n_same);
        self.inner.put(path, &mut same.chain(Cursor::new(differing)).chain(content))
    }
}

/// How many bytes of a file are those of a content, and the piece of the content that differs; `None` if all are the same.
fn compare(there: &Path, content: &mut dyn Read) -> std::io::Result<(u64, Option<Vec<u8>>)> {
    let mut file = BufReader::new(File::open(there)?);
    let mut n_same = 0;
    loop {
        let mut piece = Vec::new();
        content.take(PIECE).read_to_end(&mut piece)?;
        let mut old = Vec::new();
        file.by_ref().take(PIECE).read_to_end(&mut old)?;
        if piece != old {
            return Ok((n_same, Some(piece)));
        }
        if piece.is_empty() {
            return Ok((n_same, None));
        }
        n_same += piece.len() as u64;
    }
}

fn write(source: &Source, format: Format, sink: &mut dyn Sink) -> anyhow::Result<Report> {
    let concepts = source.concepts()?;
    let options = WriteOptions { concepts, scratch: Scratch::Folder(std::env::temp_dir()) };
    let mut writer = Writer::new(format, sink, options)?;
    source.each(|frozen| {
        let mut content = content(source, &frozen)?;
        put(source, &mut writer, frozen, content.as_mut().map(|content| &mut **content as &mut dyn Read))
    })?;
    Ok(writer.finish()?)
}

/// The bytes of an input, if they are wanted and there.
fn content(source: &Source, frozen: &Frozen) -> anyhow::Result<Option<Box<dyn Read>>> {
    if !source.has_content(frozen) {
        return Ok(None);
    }
    let blobs = source.app.platform().store().blobs();
    let found = ContentReader::open(blobs, &source.handle, frozen).map_err(local::explain)?;
    Ok(found.map(|content| Box::new(content) as Box<dyn Read>))
}

fn put(
    source: &Source,
    writer: &mut Writer<'_>,
    frozen: Frozen,
    content: Option<&mut dyn Read>,
) -> anyhow::Result<()> {
    let file_name = frozen.export_name();
    let mut item = frozen.item;
    if content.is_some() {
        item.file_name = file_name;
    }
    writer.item(&item, content)?;
    source.bar.inc(1);
    Ok(())
}

impl Source {
    fn wait<T>(&self, work: impl Future<Output = ocellus_core::Result<T>>) -> anyhow::Result<T> {
        self.handle.block_on(work).map_err(local::explain)
    }

    /// Whether the bytes of an input are wanted and should be there.
    fn has_content(&self, frozen: &Frozen) -> bool {
        !self.selection.without_files && ContentReader::is_expected(frozen)
    }

    /// The app's concepts in order of creation, which is how formats that number them will.
    fn concepts(&self) -> anyhow::Result<Vec<Concept>> {
        let mut all = Vec::new();
        for page in 1.. {
            let page = Page { page, per_page: Page::MAX_PER_PAGE };
            let found = self.wait(concepts::list(&self.app, page))?;
            if found.is_empty() {
                break;
            }
            all.extend(found.into_iter().map(|concept| Concept { id: concept.id, name: concept.name }));
        }
        Ok(all)
    }

    /// Hands every input of the selection over.
    fn each(&self, mut visit: impl FnMut(Frozen) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let Selection { dataset, version, .. } = &self.selection;
        if let (Some(dataset), Some(version)) = (dataset, version) {
            let mut after = 0;
            loop {
                let page = self.wait(versions::items(&self.app, dataset, version, after, BATCH))?;
                let Some((last, _)) = page.last() else { return Ok(()) };
                after = *last;
                page.into_iter().try_for_each(|(_, frozen)| visit(frozen))?;
            }
        }
        let mut last: Option<String> = None;
        for page in 1.. {
            let ids: Vec<String> = match dataset {
                Some(dataset) => {
                    let page = Page { page, per_page: BATCH };
                    let found = self.wait(datasets::inputs(&self.app, dataset, page))?;
                    found.into_iter().map(|item| item.input.id).collect()
                }
                None => {
                    let found = self.wait(inputs::stream(&self.app, last.as_deref(), BATCH))?;
                    found.into_iter().map(|input| input.id).collect()
                }
            };
            let Some(end) = ids.last() else { return Ok(()) };
            last = Some(end.clone());
            self.wait(frozen::of_inputs(&self.app, ids))?.into_iter().try_for_each(&mut visit)?;
        }
        Ok(())
    }
}
