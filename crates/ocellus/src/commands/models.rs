//! `ocellus models`: what is there to predict with.

use std::path::Path;

use anyhow::bail;
use ocellus_core::catalog::{Catalog, ModelSpec, ModelTask};
use serde_json::json;

use super::local;
use crate::cli::Models;
use crate::config::Config;
use crate::config::platform::is_file;
use crate::output;

pub fn run(config: &Config, args: &Models) -> anyhow::Result<()> {
    let catalog = Catalog::open(&config.models_dir()?).map_err(local::explain)?;
    if args.json {
        for model in catalog.list() {
            output::line(&as_json(model).to_string());
        }
    } else {
        output::table(
            &["model", "id", "task", "size", "licence", "commercial use", "installed"],
            catalog.list().iter().map(|model| row(model)).collect(),
        );
    }
    show_image_text(config, args.json)?;
    let runtime = config.runtime_library()?;
    let mut faults = Vec::new();
    if !is_file(&runtime) {
        faults.push(format!("the inference runtime is not installed: {}", runtime.display()));
    }
    if args.verify {
        faults.extend(catalog.verify());
    } else {
        let missing = catalog.list().iter().filter(|model| !model.installed());
        faults.extend(missing.map(|model| format!("the weights of {} are not installed", model.name)));
    }
    if !faults.is_empty() {
        bail!(
            "{}\nRun `make setup` in the folder of the sources to install what is missing",
            faults.join("\n")
        );
    }
    if args.verify {
        output::complaint("every installed file has the right hash");
    }
    Ok(())
}

/// The networks for images and texts that the operator supplied, if any.
fn show_image_text(config: &Config, as_json: bool) -> anyhow::Result<()> {
    let Some(pair) = config.image_text_config() else { return Ok(()) };
    let shown = |path: &Path| path.display().to_string();
    let is_whole = pair.files().iter().all(|(_, path)| is_file(path));
    if as_json {
        let mut line = json!({"id": "image-text", "task": "images and texts", "installed": is_whole});
        for (key, path) in pair.files() {
            line[key] = shown(path).into();
        }
        output::line(&line.to_string());
    } else {
        let row = |(key, path): (&str, &Path)| vec![key.to_owned(), shown(path), yes_no(is_file(path))];
        output::table(&["images and texts", "path", "there"], pair.files().map(row).to_vec());
    }
    if !is_whole {
        bail!("a file of [image_text] is missing; give its path, or leave all paths there empty");
    }
    Ok(())
}

fn row(model: &ModelSpec) -> Vec<String> {
    let size = if model.file.is_some() { output::size(model.size_bytes()) } else { "no weights".to_owned() };
    vec![
        model.aliases.first().unwrap_or(&model.name).clone(),
        model.id.clone(),
        task(model.task).to_owned(),
        size,
        model.licence.clone(),
        yes_no(model.commercial),
        yes_no(model.installed()),
    ]
}

fn as_json(model: &ModelSpec) -> serde_json::Value {
    json!({
        "id": model.id, "aliases": model.aliases, "name": model.name, "task": task(model.task),
        "size_bytes": model.size_bytes(), "licence": model.licence, "commercial_use": model.commercial,
        "installed": model.installed(), "n_concepts": model.labels.concepts.len(),
        "path": model.file.as_ref().map(|file| file.path.display().to_string()),
    })
}

fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn task(task: ModelTask) -> &'static str {
    match task {
        ModelTask::Concepts => "concepts",
        ModelTask::Embedding => "embedding",
        ModelTask::Color => "colours",
        ModelTask::Focus => "sharpness",
        ModelTask::NearDuplicate => "near duplicates",
        ModelTask::Objects => "objects",
        ModelTask::Faces => "faces",
        ModelTask::FaceEmbedding => "face embedding",
        ModelTask::FaceAppearance => "face appearance",
    }
}
