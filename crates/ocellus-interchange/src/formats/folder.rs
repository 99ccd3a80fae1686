//! One folder per concept: `[split/]concept/.../picture`, as torchvision's `ImageFolder` reads it.

use std::io::Read;

use crate::error::{Place, Result};
use crate::media::{UniqueNames, base_name, export_name, is_archive, is_media, is_noise};
use crate::model::{ConceptValue, Content, Item, is_split_word, split_name};
use crate::reading::Reading;
use crate::writing::{FormatWriter, Output};

/// The folder around everything, if there is one: all pictures share it, it is no split, and concepts are below it.
pub(crate) fn wrapper(paths: &[&str], min_depth: usize) -> usize {
    let Some(first) = paths.first().and_then(|path| path.split_once('/')).map(|(first, _)| first) else {
        return 0;
    };
    let is_around = !is_split_word(first)
        && paths.iter().all(|path| {
            path.split_once('/').is_some_and(|(head, _)| head == first) && path.split('/').count() > min_depth
        });
    if is_around { first.len() + 1 } else { 0 }
}

pub(crate) fn read(reading: &mut Reading<'_>) -> Result<()> {
    let files = reading.files;
    let mut pictures = Vec::new();
    for path in files.entries().iter().map(|entry| entry.path.as_str()).filter(|path| !is_noise(path)) {
        if is_media(path) {
            pictures.push(path);
        } else if is_archive(path) {
            reading.report.skip(Place::file(path), "an archive inside the collection is not opened");
        } else {
            reading.report.skip(Place::file(path), "neither a picture nor a video by its extension");
        }
    }
    let skip = wrapper(&pictures, 2);
    let mut names = UniqueNames::default();
    for path in pictures {
        let inner = &path[skip..];
        let mut parts = inner.split('/').peekable();
        let split = match parts.peek() {
            Some(first) if is_split_word(first) && inner.contains('/') => parts.next().map(split_name),
            _ => None,
        };
        let concept = parts.next().filter(|_| parts.peek().is_some());
        reading.item(Item {
            id: names.id_of(inner),
            file_name: base_name(path).to_owned(),
            content: Content::File(path.to_owned()),
            concepts: concept.map(ConceptValue::positive).into_iter().collect(),
            split,
            ..Item::default()
        })?;
    }
    Ok(())
}

/// A concept's name as the name of one folder.
pub(crate) fn folder_name(name: &str) -> String {
    let safe: String =
        name.chars().map(|c| if c.is_control() || r#"/\<>:"|?*"#.contains(c) { '_' } else { c }).collect();
    // A leading dot would hide the folder from every reader, and `train` would be taken for a split.
    if safe.is_empty() || safe.starts_with('.') || is_split_word(&safe) { format!("_{safe}") } else { safe }
}

/// Writes `[split/]concept/file`.
pub(crate) struct FolderWriter {
    names: UniqueNames,
}

impl FolderWriter {
    pub fn new() -> FolderWriter {
        FolderWriter { names: UniqueNames::default() }
    }
}

impl FormatWriter for FolderWriter {
    fn item(&mut self, out: &mut Output<'_>, item: &Item, content: Option<&mut dyn Read>) -> Result<()> {
        if content.is_none() {
            out.report
                .skip(Place::entry("", &item.id), "the format holds nothing but bytes, and there are none");
            return Ok(());
        }
        let concept = item.concepts.iter().find(|concept| concept.is_positive());
        let n_lost = item.concepts.len() - usize::from(concept.is_some());
        out.report.lose_n("concepts beside the first positive one", n_lost);
        let mut path = String::new();
        if let Some(split) = &item.split {
            path.push_str(&format!("{}/", split_folder(split)));
        }
        if let Some(concept) = concept {
            let folder = folder_name(&concept.name);
            out.report.lose_n("exact names of concepts", usize::from(folder != concept.name));
            path.push_str(&format!("{folder}/"));
        }
        path.push_str(&self.names.file_name(export_name(item)));
        out.content(&path, content)
    }

    fn finish(&mut self, _out: &mut Output<'_>) -> Result<()> {
        Ok(())
    }
}

/// The folder of a split: the usual three, or a safe form of another name.
pub(crate) fn split_folder(split: &str) -> String {
    if is_split_word(split) { split_name(split) } else { folder_name(split) }
}
