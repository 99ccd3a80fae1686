//! One record of a collection: the input it becomes and what is said about it, added where it is missing.

use std::collections::HashMap;

use ocellus_core::annotations::{self, Data, NewAnnotation};
use ocellus_core::datasets::{self, frozen};
use ocellus_core::ids::hash_secret;
use ocellus_core::inputs::{self, Input, InputPatch, NewInput, NewLabel};
use ocellus_core::{AppCtx, GeoPoint, JsonMap, Kind, MediaKind, PatchAction, Source};
use ocellus_interchange::{Content, Item};
use sha2::{Digest, Sha256};

use crate::commands::local;

/// A record and its content.
#[derive(Debug)]
pub struct Record {
    pub item: Item,
    pub body: Body,
}

/// The content of a record.
#[derive(Clone, Debug)]
pub enum Body {
    Bytes(bytes::Bytes),
    Url(String),
    Text(String),
    /// The collection does not hold it.
    Absent,
    /// The collection names a file that cannot be read, for this reason.
    Unreadable(String),
}

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new input.
    New,
    /// The input was there.
    Known,
    /// Nothing, for this reason.
    Skipped(String),
}

/// Adds records, none twice however often it is called; each outcome with the record's id.
pub async fn put(
    app: &AppCtx,
    records: Vec<Record>,
    dataset: Option<&str>,
) -> anyhow::Result<Vec<(String, Outcome)>> {
    let ids: Vec<String> = records.iter().map(|record| input_id(&record.item)).collect();
    let known = inputs::get_many(app, &ids).await.map_err(local::explain)?;
    let known: HashMap<String, Input> = known.into_iter().map(|input| (input.id.clone(), input)).collect();
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(records.len());
    let (mut new, mut places) = (Vec::new(), Vec::new());
    for (record, id) in records.iter().zip(&ids) {
        outcomes.push(match known.get(id) {
            Some(input) if is_same(record, input) => Outcome::Known,
            Some(_) => Outcome::Skipped("an input with this id is there with other content".to_owned()),
            None => match new_input(record, id) {
                Ok(input) => {
                    places.push(outcomes.len());
                    new.push(input);
                    Outcome::New
                }
                Err(reason) => Outcome::Skipped(reason),
            },
        });
    }
    let in_dataset: Vec<String> = dataset.map(str::to_owned).into_iter().collect();
    if !new.is_empty() {
        let dataset_ids = vec![in_dataset; new.len()];
        let made = inputs::create_in(app, new, dataset_ids).await.map_err(local::explain)?;
        for (place, result) in places.into_iter().zip(made) {
            if let Err(error) = result {
                outcomes[place] = Outcome::Skipped(error.message);
            }
        }
    }
    for ((record, id), outcome) in records.iter().zip(&ids).zip(&mut outcomes) {
        if let (Outcome::Known, Some(input)) = (&*outcome, known.get(id)) {
            complete(app, record, input, dataset).await?;
        }
        if matches!(outcome, Outcome::New | Outcome::Known)
            && let Err(reason) = annotate(app, &record.item, id).await?
        {
            *outcome = Outcome::Skipped(reason);
        }
    }
    Ok(ids.into_iter().zip(outcomes).collect())
}

/// A record's id if it can be one of an input, or else a short form of it.
fn input_id(item: &Item) -> String {
    let clean: String = item.id.chars().filter(|c| !c.is_control()).collect();
    if clean == item.id && (1..=128).contains(&clean.chars().count()) {
        return clean;
    }
    let head: String = clean.chars().take(90).collect();
    let mut digest = hash_secret(&item.id);
    digest.truncate(16);
    if head.is_empty() { digest } else { format!("{head}-{digest}") }
}

/// Whether an input is what the record means. A record without content means whatever has its id.
fn is_same(record: &Record, input: &Input) -> bool {
    match &record.body {
        Body::Absent | Body::Unreadable(_) => true,
        Body::Url(url) => input.url.as_ref() == Some(url),
        Body::Text(text) => input.text.as_ref() == Some(text),
        Body::Bytes(bytes) => {
            let hash = hex(&Sha256::digest(bytes));
            input.hosted.as_ref().is_some_and(|hosted| hosted.hash == hash)
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn new_input(record: &Record, id: &str) -> Result<NewInput, String> {
    let item = &record.item;
    let source = match &record.body {
        Body::Bytes(bytes) => Source::Bytes(bytes.clone()),
        Body::Url(url) => Source::Url(url.clone()),
        Body::Text(text) => Source::Text(text.clone()),
        Body::Absent => return Err("the collection does not hold its bytes".to_owned()),
        Body::Unreadable(reason) => return Err(reason.clone()),
    };
    Ok(NewInput {
        id: Some(id.to_owned()),
        kind: kind(item, &source),
        source,
        allow_duplicate_url: true,
        crop: None,
        labels: labels(item),
        metadata: metadata(item),
        geo: item.geo.map(|at| GeoPoint { longitude: at.longitude, latitude: at.latitude }),
        parts: Data::default(),
    })
}

fn kind(item: &Item, source: &Source) -> MediaKind {
    let path = match (&item.content, source) {
        (_, Source::Text(_)) => return MediaKind::Text,
        (Content::File(path) | Content::Url(path), _) => path.to_lowercase(),
        (Content::Absent | Content::Text(_), _) => String::new(),
    };
    match path.rsplit('.').next() {
        Some("mp4" | "mov" | "avi" | "mkv" | "webm") => MediaKind::Video,
        Some("mp3" | "wav" | "flac" | "ogg" | "m4a") => MediaKind::Audio,
        _ => MediaKind::Image,
    }
}

fn labels(item: &Item) -> Vec<NewLabel> {
    let label = |tag: &ocellus_interchange::ConceptValue| NewLabel {
        concept_id: Some(tag.id.clone()),
        name: Some(tag.name.clone()),
        value: tag.value,
    };
    item.concepts.iter().map(label).collect()
}

/// The record's own data, with the file's name and the split under the keys from which an export takes them.
fn metadata(item: &Item) -> JsonMap {
    let mut metadata = item.metadata.clone();
    let mut note = |key: &str, text: &str| {
        if !text.is_empty() && !metadata.contains_key(key) {
            metadata.insert(key.to_owned(), text.into());
        }
    };
    note(frozen::FILE_NAME, &item.file_name);
    note(frozen::SPLIT, item.split.as_deref().unwrap_or_default());
    metadata
}

/// Gives an input that was there what the record says beyond it.
async fn complete(app: &AppCtx, record: &Record, input: &Input, dataset: Option<&str>) -> anyhow::Result<()> {
    let missing: Vec<NewLabel> = labels(&record.item)
        .into_iter()
        .filter(|new| {
            let is_said = |old: &inputs::Label| {
                Some(&old.concept_id) == new.concept_id.as_ref() && old.value == new.value
            };
            !input.labels.iter().any(is_said)
        })
        .collect();
    if !missing.is_empty() {
        let patch = InputPatch { id: input.id.clone(), labels: Some(missing), ..InputPatch::default() };
        inputs::patch(app, vec![patch], PatchAction::Merge).await.map_err(local::explain)?;
    }
    if let Some(dataset) = dataset
        && !input.dataset_ids.iter().any(|id| id == dataset)
    {
        datasets::add(app, dataset, vec![input.id.clone()]).await.map_err(local::explain)?;
    }
    Ok(())
}

/// Says what the record says of parts of the input. Ids are drawn from what is said, so that it is said once.
async fn annotate(app: &AppCtx, item: &Item, input_id: &str) -> anyhow::Result<Result<(), String>> {
    let parts = match frozen::parts(item) {
        Ok(parts) => parts,
        Err(error) => return Ok(Err(error.message)),
    };
    let mut new = Vec::with_capacity(parts.len());
    for (n, data) in parts.into_iter().enumerate() {
        let text = serde_json::to_string(&data).unwrap_or_default();
        let mut id = hash_secret(&format!("import\n{input_id}\n{n}\n{text}"));
        id.truncate(32);
        new.push(NewAnnotation {
            id: Some(id),
            input_id: input_id.to_owned(),
            data,
            ..NewAnnotation::default()
        });
    }
    for batch in new.chunks(annotations::MAX_PER_CALL) {
        for result in annotations::create(app, batch.to_vec()).await.map_err(local::explain)? {
            match result {
                Ok(_) => {}
                Err(error) if error.kind == Kind::Conflict => {}
                Err(error) => return Ok(Err(error.message)),
            }
        }
    }
    Ok(Ok(()))
}
