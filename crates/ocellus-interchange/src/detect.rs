//! Guesses the format of a collection from its paths and the beginnings of its files.

use std::io::Read;

use crate::Format;
use crate::error::{Error, Result};
use crate::files::Files;
use crate::formats::json_lines;
use crate::media::{base_name, extension, is_media, is_noise};

/// How much of a file is looked at.
const HEAD_BYTES: u64 = 1 << 16;

/// The most likely format, or `None` if nothing of the collection is known.
pub fn detect(files: &dyn Files) -> Result<Option<Format>> {
    let paths: Vec<&str> =
        files.entries().iter().map(|entry| entry.path.as_str()).filter(|path| !is_noise(path)).collect();
    let any = |is: &dyn Fn(&str) -> bool| paths.iter().any(|path| is(path));
    let is_yaml = |path: &str| matches!(base_name(path), "data.yaml" | "data.yml" | "dataset.yaml");
    let has_labels = any(&|path| path.ends_with(".txt") && path.split('/').any(|part| part == "labels"));
    if any(&is_yaml) || has_labels {
        return Ok(Some(Format::Yolo));
    }
    if any(&|path| path.split('/').any(|part| part == "ground_truth") && is_media(path)) {
        return Ok(Some(Format::Mvtec));
    }
    // Few files have these extensions in a folder of pictures; a folder of a million XML files is one format.
    for path in paths.iter().filter(|path| !is_media(path)).take(64) {
        let found = match extension(path).as_str() {
            "xml" | "json" | "jsonl" | "manifest" => by_head(files, path)?,
            "csv" | "tsv" => Some(Format::Csv),
            _ => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    let has_mvtec_folders = any(&|path| path.contains("train/good/") && is_media(path));
    let format = if has_mvtec_folders { Format::Mvtec } else { Format::Folder };
    Ok(any(&is_media).then_some(format))
}

fn by_head(files: &dyn Files, path: &str) -> Result<Option<Format>> {
    let mut head = Vec::new();
    files.open(path)?.take(HEAD_BYTES).read_to_end(&mut head).map_err(|e| Error::io(path, e))?;
    let head = String::from_utf8_lossy(&head);
    let start = head.trim_start_matches('\u{feff}').trim_start();
    let has = |text: &str| start.contains(text);
    let first_line = start.lines().next().unwrap_or_default();
    Ok(match extension(path).as_str() {
        "xml" if has("<annotations") => Some(Format::Cvat),
        "xml" if has("<annotation") => Some(Format::Voc),
        "json" if start.starts_with('[') && has("\"data\"") => Some(Format::LabelStudio),
        "json"
            if start.starts_with('{')
                && (has("\"images\"") || has("\"categories\"") || has("\"annotations\"")) =>
        {
            Some(Format::Coco)
        }
        "jsonl" if first_line.contains(json_lines::FORMAT) => Some(Format::JsonLines),
        "jsonl" if first_line.contains("GcsUri\"") || first_line.contains("\"textContent\"") => {
            Some(Format::Vertex)
        }
        "jsonl" | "manifest"
            if first_line.contains("\"source-ref\"") || first_line.contains("\"source\"") =>
        {
            Some(Format::GroundTruth)
        }
        _ => None,
    })
}
