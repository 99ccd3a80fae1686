//! Between annotations and their rows: the document, the columns drawn from it, and the labels that index it.

use std::collections::{BTreeSet, HashMap};

use ocellus_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Annotation, Data, Said, Status, parts};
use crate::inputs::NewLabel;
use crate::inputs::labels::{self, Known, Labeller};
use crate::{Error, JsonMap, Result};

/// What is stored with an annotation beyond its columns. Fields may be added; an absent one means its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AnnotationDoc {
    /// What it says.
    pub data: Data,
    /// The user's own remarks.
    #[serde(skip_serializing_if = "JsonMap::is_empty")]
    pub info: JsonMap,
}

impl AnnotationDoc {
    pub(super) fn read(row: &store::Annotation) -> Result<Self> {
        serde_json::from_value(Value::Object(row.doc.clone())).map_err(|_| corrupt(&row.id, "doc"))
    }

    pub(super) fn write(&self) -> JsonMap {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            Ok(_) | Err(_) => JsonMap::new(),
        }
    }
}

fn corrupt(id: &str, column: &str) -> Error {
    Error::from(store::Error::Corrupt { table: "annotations".to_owned(), id: format!("{id}, {column}") })
}

/// Annotations from their rows, with the concepts' names of today.
pub(crate) fn read_rows(
    tx: &store::Tx<'_>,
    app_uid: &str,
    rows: Vec<store::Annotation>,
) -> Result<Vec<Annotation>> {
    let mut found = rows.into_iter().map(from_row).collect::<Result<Vec<_>>>()?;
    let mut ids = BTreeSet::new();
    for annotation in &mut found {
        annotation.data.each_said(|said| {
            ids.insert(said.concept_id.clone());
            Ok(())
        })?;
    }
    let ids: Vec<String> = ids.into_iter().collect();
    let names: HashMap<String, String> =
        tx.concepts_by_ids(app_uid, &ids)?.into_iter().map(|concept| (concept.id, concept.name)).collect();
    for annotation in &mut found {
        annotation.data.each_said(|said| {
            said.name = names.get(&said.concept_id).unwrap_or(&said.concept_id).clone();
            Ok(())
        })?;
    }
    Ok(found)
}

fn from_row(row: store::Annotation) -> Result<Annotation> {
    let status = Status::from_name(&row.status).ok_or_else(|| corrupt(&row.id, "status"))?;
    let doc = AnnotationDoc::read(&row)?;
    Ok(Annotation {
        id: row.id,
        input_id: row.input_id,
        account_id: row.account_id,
        model_version_id: row.model_version_id,
        workflow_version_id: row.workflow_version_id,
        status,
        input_level: row.whole,
        task_id: row.task_id,
        data: doc.data,
        info: doc.info,
        created_at_us: row.created_at_us,
        modified_at_us: row.modified_at_us,
        key_id: row.key_id,
        modified_by: row.modified_by,
    })
}

/// Finds the concept that everything said means, and makes it if it is missing.
pub(super) fn resolve(tx: &store::Tx<'_>, by: &Labeller, known: &mut Known, data: &mut Data) -> Result<()> {
    data.each_said(|said| {
        let given = |word: &String| (!word.is_empty()).then(|| word.clone());
        let label =
            NewLabel { concept_id: given(&said.concept_id), name: given(&said.name), value: said.value };
        for (id, _) in known.resolve(tx, by, &[label])? {
            (said.concept_id, said.name) = (id, String::new());
        }
        Ok(())
    })
}

/// Finds the concept that everything said means, where there is one.
pub(super) fn find(tx: &store::Tx<'_>, by: &Labeller, data: &mut Data) -> Result<()> {
    data.each_said(|said| {
        let given = |word: &String| (!word.is_empty()).then(|| word.clone());
        let label =
            NewLabel { concept_id: given(&said.concept_id), name: given(&said.name), value: said.value };
        if let Some(id) = labels::find(tx, by, &label)? {
            (said.concept_id, said.name) = (id, String::new());
        }
        Ok(())
    })
}

/// Writes an annotation, new or changed, with its labels and the parts it marks.
pub(crate) fn save(
    tx: &store::Tx<'_>,
    by: &Labeller,
    row: &mut store::Annotation,
    doc: &AnnotationDoc,
    is_new: bool,
) -> Result<()> {
    row.doc = doc.write();
    let region = doc.data.all_regions().find(|region| !region.track_id.is_empty());
    row.track_id = region.map(|region| region.track_id.clone()).unwrap_or_default();
    let frame = doc.data.frames.first();
    row.frame = frame.map_or(0, |frame| i64::from(frame.number));
    row.frame_ms = frame.map_or(0, |frame| i64::try_from(frame.time_ms).unwrap_or(i64::MAX));
    match is_new {
        true => tx.insert_annotation(row)?,
        false => {
            tx.update_annotation(row)?;
        }
    }
    index(tx, row, &doc.data)?;
    parts::follow(tx, by, row, &doc.data)
}

/// Makes the labels of an annotation what it says, if it counts.
fn index(tx: &store::Tx<'_>, row: &store::Annotation, data: &Data) -> Result<()> {
    let by_person = row.model_version_id.is_empty() && row.workflow_version_id.is_empty();
    if !by_person || row.status != Status::Success.name() {
        tx.delete_labels_of_annotation::<&str>(&row.app_uid, &row.id, &[])?;
        return Ok(());
    }
    let whole: Vec<&Said> = data.concepts.iter().collect();
    let mut parts: HashMap<&str, &Said> = HashMap::new();
    let mut order = Vec::new();
    for said in data.said_of_parts() {
        if whole.iter().any(|other| other.concept_id == said.concept_id) {
            continue;
        }
        let best = parts.entry(&said.concept_id).or_insert_with(|| {
            order.push(said.concept_id.as_str());
            said
        });
        // One part that shows it is enough.
        if said.value > best.value {
            *best = said;
        }
    }
    let kept: Vec<&str> =
        whole.iter().map(|said| said.concept_id.as_str()).chain(order.iter().copied()).collect();
    tx.delete_labels_of_annotation(&row.app_uid, &row.id, &kept)?;
    let label = |said: &Said| store::Label {
        app_uid: row.app_uid.clone(),
        input_id: row.input_id.clone(),
        annotation_id: row.id.clone(),
        concept_id: said.concept_id.clone(),
        value: f64::from(said.value),
        account_id: row.account_id.clone(),
        created_at_us: row.modified_at_us,
    };
    tx.put_labels(&whole.into_iter().map(label).collect::<Vec<_>>())?;
    let parts: Vec<_> = order.iter().filter_map(|id| parts.get(id)).map(|said| label(said)).collect();
    tx.put_region_labels(&parts)?;
    Ok(())
}
