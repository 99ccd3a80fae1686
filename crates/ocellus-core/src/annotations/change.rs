//! Making, changing and deleting annotations.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ocellus_store as store;

use super::rows::{self, AnnotationDoc, read_rows, save};
use super::{Annotation, AnnotationPatch, MAX_PER_CALL, NewAnnotation, Shape, Status};
use crate::accounts::check_id;
use crate::inputs::create::{check_alive, labeller};
use crate::inputs::doc::InputDoc;
use crate::inputs::labels::{Known, Labeller};
use crate::resources;
use crate::tasks::Task;
use crate::{AppCtx, Error, PatchAction, Resource, Result};

fn check_number(n_items: usize) -> Result<()> {
    if n_items == 0 || n_items > MAX_PER_CALL {
        let message = format!("must hold 1 to {MAX_PER_CALL} items, not {n_items}");
        return Err(Error::invalid("annotations", message));
    }
    Ok(())
}

/// Adds annotations and gives one result for each, in order.
pub async fn create(app: &AppCtx, new: Vec<NewAnnotation>) -> Result<Vec<Result<Annotation>>> {
    app.check_writable()?;
    check_number(new.len())?;
    let by = labeller(app);
    let candidates: Vec<Result<NewAnnotation>> = new
        .into_iter()
        .enumerate()
        .map(|(idx, new)| check(&by, new, &format!("annotations[{idx}]")))
        .collect();
    let candidates = Arc::new(candidates);
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &by.app_uid)?;
        let mut known = Known::default();
        let mut results = Vec::with_capacity(candidates.len());
        for (idx, candidate) in candidates.iter().enumerate() {
            let field = format!("annotations[{idx}]");
            results.push(match candidate {
                Err(error) => Err(error.clone()),
                Ok(new) => match refusal(tx, &by, new, &field)? {
                    Some(error) => Err(error),
                    None => Ok(add(tx, &by, &mut known, new)?),
                },
            });
        }
        let rows: Vec<store::Annotation> =
            results.iter().filter_map(|row| row.as_ref().ok()).cloned().collect();
        let mut made = read_rows(tx, &by.app_uid, rows)?.into_iter();
        let missing =
            || Error::internal(anyhow::anyhow!("an annotation was gone right after it was written"));
        Ok::<_, Error>(
            results.into_iter().map(|result| result.and_then(|_| made.next().ok_or_else(missing))).collect(),
        )
    };
    let made = app.platform().store().write(write).await;
    app.platform().job_added().notify_waiters();
    made
}

/// Checks what can be seen without the database.
fn check(by: &Labeller, mut new: NewAnnotation, field: &str) -> Result<NewAnnotation> {
    let id = new.id.filter(|id| !id.is_empty()).unwrap_or_else(|| by.platform.ids().id());
    check_id(&format!("{field}.id"), &id)?;
    new.id = Some(id);
    if new.input_id.is_empty() {
        return Err(Error::invalid(format!("{field}.input_id"), "must be given"));
    }
    if !new.account_id.is_empty() && new.account_id != by.account_id {
        let message = "must be the caller's: nobody annotates in another's name";
        return Err(Error::invalid(format!("{field}.user_id"), message));
    }
    if !new.model_version_id.is_empty() && !new.workflow_version_id.is_empty() {
        return Err(Error::invalid(format!("{field}.worker"), "must be one user, model or workflow"));
    }
    new.data.check(&format!("{field}.data"))?;
    Ok(new)
}

/// Why an annotation cannot be added, if so.
fn refusal(tx: &store::Tx<'_>, by: &Labeller, new: &NewAnnotation, field: &str) -> Result<Option<Error>> {
    let id = new.id.clone().unwrap_or_default();
    let Some(input) = tx.input(&by.app_uid, &new.input_id)? else {
        return Ok(Some(Error::not_found(Resource::Input(new.input_id.clone()))));
    };
    if tx.annotation(&by.app_uid, &id)?.is_some() {
        let message = format!("annotation '{id}' exists already");
        return Ok(Some(Error::conflict(Resource::Annotation(id), message)));
    }
    if !new.task_id.is_empty()
        && let Err(error) = resources::exists::<Task>(tx, &by.app_uid, &new.task_id)
    {
        return Ok(Some(error));
    }
    Ok(check_spans(&input, &new.data, &format!("{field}.data")).err())
}

/// Spans must lie in the text, if it is here.
pub(super) fn check_spans(input: &store::Input, data: &super::Data, field: &str) -> Result<()> {
    let Some(text) = InputDoc::read(&input.doc)?.text else { return Ok(()) };
    let n_chars = text.chars().count();
    for region in data.all_regions() {
        if let Some(Shape::Span(span) | Shape::Token(span)) = &region.shape
            && span.end as usize > n_chars
        {
            let message = format!("must end within the {n_chars} characters of the text");
            return Err(Error::invalid(format!("{field}.regions.region_info.span"), message));
        }
    }
    Ok(())
}

fn add(
    tx: &store::Tx<'_>,
    by: &Labeller,
    known: &mut Known,
    new: &NewAnnotation,
) -> Result<store::Annotation> {
    let mut doc = AnnotationDoc { data: new.data.clone(), info: new.info.clone() };
    rows::resolve(tx, by, known, &mut doc.data)?;
    doc.data.name_parts(|| by.platform.ids().id());
    let default = if new.task_id.is_empty() { Status::Success } else { Status::Pending };
    let mut row = store::Annotation {
        app_uid: by.app_uid.clone(),
        id: new.id.clone().unwrap_or_default(),
        input_id: new.input_id.clone(),
        account_id: by.account_id.clone(),
        model_version_id: new.model_version_id.clone(),
        workflow_version_id: new.workflow_version_id.clone(),
        status: new.status.unwrap_or(default).name().to_owned(),
        whole: new.input_level,
        task_id: new.task_id.clone(),
        key_id: by.key_id.clone(),
        modified_by: by.changed_by(),
        created_at_us: by.now_us,
        modified_at_us: by.now_us,
        ..store::Annotation::default()
    };
    save(tx, by, &mut row, &doc, true)?;
    Ok(row)
}

/// Changes annotations and returns them as they are then, in order; one that was deleted because nothing was left of it
/// comes back empty. `NotFound` if any does not exist; then none is changed.
pub async fn patch(
    app: &AppCtx,
    patches: Vec<AnnotationPatch>,
    action: PatchAction,
    delete_if_empty: bool,
) -> Result<Vec<Annotation>> {
    app.check_writable()?;
    check_number(patches.len())?;
    for (idx, patch) in patches.iter().enumerate() {
        if let Some(data) = &patch.data {
            data.check(&format!("annotations[{idx}].data"))?;
        }
    }
    let by = labeller(app);
    let patches = Arc::new(patches);
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &by.app_uid)?;
        let mut known = Known::default();
        let mut changed = Vec::with_capacity(patches.len());
        for (idx, patch) in patches.iter().enumerate() {
            let row = apply(tx, &by, &mut known, patch, action, &format!("annotations[{idx}]"))?;
            if delete_if_empty && action == PatchAction::Remove && !row.whole {
                let doc = AnnotationDoc::read(&row)?;
                if doc.data.is_empty() {
                    tx.delete_annotations(&by.app_uid, &[&row.id])?;
                }
            }
            changed.push(row);
        }
        read_rows(tx, &by.app_uid, changed)
    };
    let changed = app.platform().store().write(write).await;
    app.platform().job_added().notify_waiters();
    changed
}

#[expect(clippy::too_many_arguments, reason = "what a change needs to know, each once")]
fn apply(
    tx: &store::Tx<'_>,
    by: &Labeller,
    known: &mut Known,
    patch: &AnnotationPatch,
    action: PatchAction,
    field: &str,
) -> Result<store::Annotation> {
    let missing = || Error::not_found(Resource::Annotation(patch.id.clone()));
    let mut row = tx.annotation(&by.app_uid, &patch.id)?.ok_or_else(missing)?;
    if patch.input_id.as_ref().is_some_and(|id| *id != row.input_id) {
        return Err(missing());
    }
    let mut doc = AnnotationDoc::read(&row)?;
    if let Some(data) = &patch.data {
        let mut data = data.clone();
        match action {
            PatchAction::Merge | PatchAction::Overwrite => rows::resolve(tx, by, known, &mut data)?,
            // What is not known cannot be removed, and must not be made.
            PatchAction::Remove => rows::find(tx, by, &mut data)?,
        }
        doc.data.patch(data, action);
        doc.data.name_parts(|| by.platform.ids().id());
        doc.data.check(&format!("{field}.data"))?;
        if let Some(input) = tx.input(&by.app_uid, &row.input_id)? {
            check_spans(&input, &doc.data, &format!("{field}.data"))?;
        }
    }
    if let Some(info) = &patch.info {
        action.apply(&mut doc.info, info);
    }
    if let Some(task_id) = &patch.task_id {
        resources::exists::<Task>(tx, &by.app_uid, task_id)?;
        row.task_id.clone_from(task_id);
    }
    if let Some(status) = patch.status {
        row.status = status.name().to_owned();
    }
    (row.modified_at_us, row.modified_by) = (by.now_us, by.changed_by());
    save(tx, by, &mut row, &doc, false)?;
    Ok(row)
}

/// Deletes annotations: these, which must belong to the inputs if as many are named, or else all of these inputs.
/// `NotFound` if any does not exist; then none is deleted.
pub async fn delete(app: &AppCtx, ids: &[String], input_ids: &[String]) -> Result<()> {
    app.check_writable()?;
    if ids.is_empty() && input_ids.is_empty() {
        return Err(Error::invalid("input_ids", "must name at least one input"));
    }
    check_number(ids.len().max(input_ids.len()))?;
    if !ids.is_empty() && !input_ids.is_empty() && ids.len() != input_ids.len() {
        return Err(Error::invalid("ids", "must be as many as input_ids, in the same order"));
    }
    let (uid, ids, input_ids) = (app.uid().to_owned(), ids.to_vec(), input_ids.to_vec());
    let write = move |tx: &mut store::Tx<'_>| {
        check_alive(tx, &uid)?;
        if ids.is_empty() {
            let found = tx.inputs_by_ids(&uid, &input_ids)?;
            if let Some(missing) = input_ids.iter().find(|id| !found.iter().any(|row| row.id == **id)) {
                return Err(Error::not_found(Resource::Input(missing.clone())));
            }
            let rows = tx.annotations_of_inputs(&uid, &input_ids)?;
            let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
            tx.delete_annotations(&uid, &ids)?;
            return Ok(());
        }
        for (idx, id) in ids.iter().enumerate() {
            let row = tx.annotation(&uid, id)?;
            let fits =
                |row: &store::Annotation| input_ids.get(idx).is_none_or(|input| *input == row.input_id);
            row.filter(fits).ok_or_else(|| Error::not_found(Resource::Annotation(id.clone())))?;
        }
        tx.delete_annotations(&uid, &ids)?;
        Ok::<_, Error>(())
    };
    app.platform().store().write(write).await
}

/// Annotations changed in one transaction of a change of many.
const BATCH: i64 = 500;

/// Gives a new status to all annotations by these people (empty: by anybody), made in this task (if any) and having one
/// of these statuses (empty: any). Returns how many changed for each person. Not atomic: what is many is changed in portions.
pub async fn set_status(
    app: &AppCtx,
    account_ids: &[String],
    task_id: Option<&str>,
    from: &[Status],
    to: Status,
) -> Result<HashMap<String, u64>> {
    app.check_writable()?;
    let by = Arc::new(labeller(app));
    let statuses: BTreeSet<&str> = match from.is_empty() {
        true => Status::ALL.into_iter().map(Status::name).collect(),
        false => from.iter().map(|status| status.name()).collect(),
    };
    let query = store::AnnotationQuery {
        account_ids: account_ids.to_vec(),
        statuses: statuses.into_iter().filter(|name| *name != to.name()).map(str::to_owned).collect(),
        task_id: task_id.map(str::to_owned),
        limit: BATCH,
        ..store::AnnotationQuery::default()
    };
    let mut counts = HashMap::new();
    if query.statuses.is_empty() {
        return Ok(counts);
    }
    loop {
        let (query, by) = (query.clone(), Arc::clone(&by));
        let write = move |tx: &mut store::Tx<'_>| {
            check_alive(tx, &by.app_uid)?;
            if let Some(task_id) = &query.task_id {
                resources::exists::<Task>(tx, &by.app_uid, task_id)?;
            }
            let rows = tx.annotations_page(&by.app_uid, &query)?;
            set_status_of(tx, &by, rows, to)
        };
        let changed = app.platform().store().write(write).await?;
        let n_changed = changed.len();
        for account_id in changed {
            *counts.entry(account_id).or_insert(0) += 1;
        }
        if n_changed < BATCH as usize {
            return Ok(counts);
        }
    }
}

/// Gives a new status to annotations; returns the people who made them.
pub(crate) fn set_status_of(
    tx: &store::Tx<'_>,
    by: &Labeller,
    rows: Vec<store::Annotation>,
    to: Status,
) -> Result<Vec<String>> {
    let mut accounts = Vec::with_capacity(rows.len());
    for mut row in rows {
        let doc = AnnotationDoc::read(&row)?;
        row.status = to.name().to_owned();
        (row.modified_at_us, row.modified_by) = (by.now_us, by.changed_by());
        save(tx, by, &mut row, &doc, false)?;
        accounts.push(row.account_id);
    }
    Ok(accounts)
}
