//! What the concepts of an input mean for its annotations: an input shows what people's annotations say of the whole of
//! it, and a change of the input's concepts is a change of those annotations.

use ocellus_store as store;

use super::rows::{self, AnnotationDoc, save};
use super::{Data, Said, Status};
use crate::inputs::labels::{Known, Labeller};
use crate::{PatchAction, Result};

/// An annotation by the caller about one input, not yet written.
pub(super) fn fresh(by: &Labeller, input_id: &str, input_level: bool) -> store::Annotation {
    store::Annotation {
        app_uid: by.app_uid.clone(),
        id: by.platform.ids().id(),
        input_id: input_id.to_owned(),
        account_id: by.account_id.clone(),
        status: Status::Success.name().to_owned(),
        whole: input_level,
        key_id: by.key_id.clone(),
        modified_by: by.changed_by(),
        created_at_us: by.now_us,
        modified_at_us: by.now_us,
        ..store::Annotation::default()
    }
}

fn said(values: Vec<(String, f32)>) -> Vec<Said> {
    let mut all: Vec<Said> = Vec::with_capacity(values.len());
    for (concept_id, value) in values {
        // The last of several equal concepts counts, at the place of the first.
        match all.iter_mut().find(|said| said.concept_id == concept_id) {
            Some(earlier) => earlier.value = value,
            None => all.push(Said { concept_id, name: String::new(), value }),
        }
    }
    all
}

/// Writes what came with a new input: one annotation for its concepts, and one for each of its regions, frames and
/// stretches of time.
pub(crate) fn add_to_new_input(
    tx: &store::Tx<'_>,
    by: &Labeller,
    known: &mut Known,
    (input_id, values, parts): (&str, Vec<(String, f32)>, &Data),
) -> Result<()> {
    if !values.is_empty() {
        let data = Data { concepts: said(values), ..Data::default() };
        let doc = AnnotationDoc { data, ..AnnotationDoc::default() };
        save(tx, by, &mut fresh(by, input_id, true), &doc, true)?;
    }
    let mut parts = parts.clone();
    rows::resolve(tx, by, known, &mut parts)?;
    insert_parts(tx, by, input_id, parts)
}

/// Writes one annotation for each region, frame and stretch of time.
pub(super) fn insert_parts(tx: &store::Tx<'_>, by: &Labeller, input_id: &str, mut parts: Data) -> Result<()> {
    parts.name_parts(|| by.platform.ids().id());
    let regions = parts.regions.into_iter().map(|region| Data { regions: vec![region], ..Data::default() });
    let frames = parts.frames.into_iter().map(|frame| Data { frames: vec![frame], ..Data::default() });
    let segments = parts.segments.into_iter().map(|part| Data { segments: vec![part], ..Data::default() });
    for data in regions.chain(frames).chain(segments) {
        let doc = AnnotationDoc { data, ..AnnotationDoc::default() };
        save(tx, by, &mut fresh(by, input_id, false), &doc, true)?;
    }
    Ok(())
}

/// Changes the concepts of an input as a patch of it says.
///
/// Merging changes a concept in every annotation that shows it, and puts new ones into the caller's own annotation of
/// the input. Overwriting leaves only what is given, in that annotation.
pub(crate) fn change_concepts(
    tx: &store::Tx<'_>,
    by: &Labeller,
    (input_id, values): (&str, Vec<(String, f32)>),
    action: PatchAction,
) -> Result<()> {
    let mut given = said(values);
    match action {
        PatchAction::Remove => {
            let ids: Vec<String> = given.into_iter().map(|said| said.concept_id).collect();
            return remove_concepts(tx, by, (input_id, &ids), &[]);
        }
        PatchAction::Overwrite => {
            for (row, doc) in shown(tx, by, input_id)? {
                if !is_own(by, &row) {
                    let gone: Vec<String> = doc.data.concepts.iter().map(|s| s.concept_id.clone()).collect();
                    without(tx, by, row, doc, &gone)?;
                }
            }
            return overwrite_own(tx, by, input_id, given);
        }
        PatchAction::Merge => {}
    }
    let mut places = shown(tx, by, input_id)?;
    let mut known = vec![false; given.len()];
    for (row, doc) in &mut places {
        let mut is_changed = false;
        for (new, known) in given.iter().zip(&mut known) {
            if let Some(old) = doc.data.concepts.iter_mut().find(|old| old.concept_id == new.concept_id) {
                is_changed |= old.value != new.value;
                (old.value, *known) = (new.value, true);
            }
        }
        if is_changed {
            (row.modified_at_us, row.modified_by) = (by.now_us, by.changed_by());
            save(tx, by, row, doc, false)?;
        }
    }
    let mut known = known.into_iter();
    given.retain(|_| !known.next().unwrap_or(false));
    if given.is_empty() {
        return Ok(());
    }
    match places.into_iter().find(|(row, _)| is_own(by, row)) {
        Some((mut row, mut doc)) => {
            (row.modified_at_us, row.modified_by) = (by.now_us, by.changed_by());
            doc.data.concepts.append(&mut given);
            save(tx, by, &mut row, &doc, false)
        }
        None => {
            let data = Data { concepts: given, ..Data::default() };
            save(
                tx,
                by,
                &mut fresh(by, input_id, true),
                &AnnotationDoc { data, ..AnnotationDoc::default() },
                true,
            )
        }
    }
}

fn overwrite_own(tx: &store::Tx<'_>, by: &Labeller, input_id: &str, given: Vec<Said>) -> Result<()> {
    let own = shown(tx, by, input_id)?.into_iter().find(|(row, _)| is_own(by, row));
    let is_new = own.is_none();
    let (mut row, mut doc) = own.unwrap_or_else(|| (fresh(by, input_id, true), AnnotationDoc::default()));
    // Labels keep their places while they stay, and these are to stand as they are given.
    tx.delete_labels_of_annotation::<&str>(&row.app_uid, &row.id, &[])?;
    (row.modified_at_us, row.modified_by) = (by.now_us, by.changed_by());
    doc.data.concepts = given;
    if doc.data.is_empty() && !is_new {
        tx.delete_annotations(&row.app_uid, &[&row.id])?;
        return Ok(());
    }
    save(tx, by, &mut row, &doc, is_new)
}

/// Takes concepts off an input, out of the annotations by these people, or by everybody if none is named.
pub(crate) fn remove_concepts(
    tx: &store::Tx<'_>,
    by: &Labeller,
    (input_id, concept_ids): (&str, &[String]),
    account_ids: &[String],
) -> Result<()> {
    for (row, doc) in shown(tx, by, input_id)? {
        if account_ids.is_empty() || account_ids.contains(&row.account_id) {
            without(tx, by, row, doc, concept_ids)?;
        }
    }
    Ok(())
}

/// What an annotation says of the whole input without some concepts; one that says nothing more goes.
fn without(
    tx: &store::Tx<'_>,
    by: &Labeller,
    mut row: store::Annotation,
    mut doc: AnnotationDoc,
    concept_ids: &[String],
) -> Result<()> {
    let n_before = doc.data.concepts.len();
    doc.data.concepts.retain(|said| !concept_ids.contains(&said.concept_id));
    if doc.data.concepts.len() == n_before {
        return Ok(());
    }
    if doc.data.is_empty() {
        tx.delete_annotations(&row.app_uid, &[&row.id])?;
        return Ok(());
    }
    (row.modified_at_us, row.modified_by) = (by.now_us, by.changed_by());
    save(tx, by, &mut row, &doc, false)
}

fn is_own(by: &Labeller, row: &store::Annotation) -> bool {
    row.whole && row.account_id == by.account_id
}

/// The annotations whose concepts and parts the input shows, oldest first.
pub(super) fn shown(
    tx: &store::Tx<'_>,
    by: &Labeller,
    input_id: &str,
) -> Result<Vec<(store::Annotation, AnnotationDoc)>> {
    let rows = tx.annotations_of_inputs(&by.app_uid, &[input_id])?;
    rows.into_iter()
        .filter(|row| row.model_version_id.is_empty() && row.workflow_version_id.is_empty())
        .filter(|row| row.status == Status::Success.name())
        .map(|row| AnnotationDoc::read(&row).map(|doc| (row, doc)))
        .collect()
}
