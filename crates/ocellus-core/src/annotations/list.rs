//! Reading annotations: one, a page, those of a video's frames, and who made them.

use std::collections::BTreeSet;

use ocellus_store as store;
use store::AnnotationQuery;

use super::rows::read_rows;
use super::{Annotation, AnnotationListing, Data, MAX_PER_CALL, Said, Shape, Status, Worker};
use crate::ids::hash_secret;
use crate::{AppCtx, Error, JsonMap, Page, Resource, Result};

/// One annotation of an input. `NotFound` if it does not exist or is another input's.
pub async fn get(app: &AppCtx, input_id: &str, id: &str) -> Result<Annotation> {
    let (uid, wanted) = (app.uid().to_owned(), id.to_owned());
    let read = move |tx: &mut store::Tx<'_>| {
        let row = tx.annotation(&uid, &wanted)?;
        read_rows(tx, &uid, row.into_iter().collect())
    };
    let found = app.platform().store().read(read).await?.into_iter().next();
    let fits = |found: &Annotation| input_id.is_empty() || found.input_id == input_id;
    found.filter(fits).ok_or_else(|| Error::not_found(Resource::Annotation(id.to_owned())))
}

/// A page of the app's annotations, oldest first; empty beyond the end.
pub async fn list(app: &AppCtx, listing: AnnotationListing) -> Result<Vec<Annotation>> {
    let page = listing.page.check()?;
    let lists = [
        (&listing.ids, "ids"),
        (&listing.input_ids, "input_ids"),
        (&listing.account_ids, "user_ids"),
        (&listing.model_version_ids, "model_version_ids"),
        (&listing.workflow_version_ids, "workflow_version_ids"),
    ];
    if let Some((_, field)) = lists.into_iter().find(|(list, _)| list.len() > MAX_PER_CALL) {
        return Err(Error::invalid(field, format!("must hold at most {MAX_PER_CALL} items")));
    }
    if !listing.ids.is_empty() && !listing.input_ids.is_empty() {
        return pairs(app, listing, page).await;
    }
    let mut query = query(&listing);
    if listing.with_predictions {
        return with_predictions(app, listing, query, page).await;
    }
    (query.limit, query.offset) = (page.limit(), page.offset());
    read(app, query).await
}

fn query(listing: &AnnotationListing) -> AnnotationQuery {
    let by_named = !listing.account_ids.is_empty()
        || !listing.model_version_ids.is_empty()
        || !listing.workflow_version_ids.is_empty();
    AnnotationQuery {
        ids: listing.ids.clone(),
        input_ids: listing.input_ids.clone(),
        account_ids: listing.account_ids.clone(),
        model_version_ids: listing.model_version_ids.clone(),
        workflow_version_ids: listing.workflow_version_ids.clone(),
        statuses: listing.statuses.iter().map(|status| status.name().to_owned()).collect(),
        task_id: listing.task_id.clone(),
        by_people: !(listing.by_models || listing.with_predictions || by_named || !listing.ids.is_empty()),
        ..AnnotationQuery::default()
    }
}

async fn read(app: &AppCtx, query: AnnotationQuery) -> Result<Vec<Annotation>> {
    let uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| {
        let rows = tx.annotations_page(&uid, &query)?;
        read_rows(tx, &uid, rows)
    };
    app.platform().store().read(read).await
}

/// Annotations named by their inputs and ids together, in the order of the ids.
async fn pairs(app: &AppCtx, listing: AnnotationListing, page: Page) -> Result<Vec<Annotation>> {
    if listing.ids.len() != listing.input_ids.len() {
        return Err(Error::invalid("ids", "must be as many as input_ids, in the same order"));
    }
    let all = AnnotationQuery { limit: MAX_PER_CALL as i64, ..query(&listing) };
    let found = read(app, all).await?;
    let wanted = listing.ids.iter().zip(&listing.input_ids);
    let found = wanted.filter_map(|(id, input_id)| {
        found.iter().find(|annotation| annotation.id == *id && annotation.input_id == *input_id)
    });
    Ok(cut(found.cloned(), page))
}

fn cut(found: impl Iterator<Item = Annotation>, page: Page) -> Vec<Annotation> {
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    found.skip(skip).take(page.per_page as usize).collect()
}

/// The stored annotations of some inputs, and then what the general model saw in each.
async fn with_predictions(
    app: &AppCtx,
    listing: AnnotationListing,
    mut query: AnnotationQuery,
    page: Page,
) -> Result<Vec<Annotation>> {
    if listing.input_ids.is_empty() {
        return Err(Error::invalid("input_ids", "must be given to return the models' output"));
    }
    query.limit = page.offset() + page.limit();
    let stored = read(app, query).await?;
    let model = app.platform().catalog().general();
    let version_id = model.version_id().to_owned();
    let wanted = (listing.model_version_ids.is_empty() || listing.model_version_ids.contains(&version_id))
        && (listing.statuses.is_empty() || listing.statuses.contains(&Status::Success))
        && listing.task_id.is_none()
        && listing.account_ids.is_empty();
    if !wanted {
        return Ok(cut(stored.into_iter(), page));
    }
    let (uid, ids) = (app.uid().to_owned(), listing.input_ids);
    let read = move |tx: &mut store::Tx<'_>| {
        let mut seen = Vec::new();
        for input in tx.inputs_by_ids(&uid, &ids)? {
            let found = tx.predictions_of(&uid, &input.id, &version_id)?;
            if !found.is_empty() {
                seen.push((input, found));
            }
        }
        Ok::<_, Error>(seen)
    };
    let seen = app.platform().store().read(read).await?;
    let labels = &model.labels;
    let name = |id: &str| labels.by_id(id).map_or_else(|| id.to_owned(), |concept| concept.name.clone());
    let seen = seen.into_iter().map(|(input, found)| predicted(app, model.version_id(), &input, found, name));
    Ok(cut(stored.into_iter().chain(seen), page))
}

fn predicted(
    app: &AppCtx,
    version_id: &str,
    input: &store::Input,
    found: Vec<store::Prediction>,
    name: impl Fn(&str) -> String,
) -> Annotation {
    let concepts = found.into_iter().map(|prediction| Said {
        name: name(&prediction.concept_id),
        concept_id: prediction.concept_id,
        value: prediction.value as f32,
    });
    Annotation {
        // The same each time, though it is not kept as an annotation.
        id: hash_secret(&format!("{}\n{version_id}", input.id))[..32].to_owned(),
        input_id: input.id.clone(),
        account_id: app.app().user_id.clone(),
        model_version_id: version_id.to_owned(),
        workflow_version_id: String::new(),
        status: Status::Success,
        input_level: false,
        task_id: String::new(),
        data: Data { concepts: concepts.collect(), ..Data::default() },
        info: JsonMap::new(),
        created_at_us: input.created_at_us,
        modified_at_us: input.modified_at_us,
        key_id: String::new(),
        modified_by: String::new(),
    }
}

/// The annotations of inputs, those of one input oldest first.
pub async fn of_inputs(app: &AppCtx, input_ids: &[String]) -> Result<Vec<Annotation>> {
    let (uid, ids) = (app.uid().to_owned(), input_ids.to_vec());
    let read = move |tx: &mut store::Tx<'_>| {
        let rows = tx.annotations_of_inputs(&uid, &ids)?;
        read_rows(tx, &uid, rows)
    };
    app.platform().store().read(read).await
}

/// Which annotations of a video's frames to find.
#[derive(Clone, Debug, Default)]
pub struct FrameListing {
    /// The video.
    pub input_id: String,
    /// Only those of these tracks; empty means any.
    pub track_ids: Vec<String>,
    /// From this frame on.
    pub from_frame: u32,
    /// From this time on, in milliseconds.
    pub from_ms: u64,
    /// At most this many frames, 1 to 60.
    pub max_frames: u32,
    /// At most this many milliseconds, 1 to 3000.
    pub max_duration_ms: u64,
    /// Only those with a region of this kind: `box`, `polygon`, `point`, `span`, `mask`; or `concept` for those without one.
    pub kind: Option<&'static str>,
    /// Only those by this model version.
    pub model_version_id: Option<String>,
}

/// The annotations of a stretch of a video, by frame. `NotFound` if there is no such input.
pub async fn frames(app: &AppCtx, listing: FrameListing) -> Result<Vec<Annotation>> {
    crate::inputs::get(app, &listing.input_id).await?;
    let query = AnnotationQuery {
        input_ids: vec![listing.input_id.clone()],
        model_version_ids: listing.model_version_id.clone().into_iter().collect(),
        from_frame: Some(i64::from(listing.from_frame)),
        from_ms: i64::try_from(listing.from_ms).ok(),
        by_frame: true,
        limit: 10_000,
        ..AnnotationQuery::default()
    };
    let found = read(app, query).await?;
    let mut numbers = BTreeSet::new();
    let mut kept = Vec::new();
    for annotation in found {
        let Some(frame) = annotation.data.frames.first() else { continue };
        let of_track = |id: &String| listing.track_ids.is_empty() || listing.track_ids.contains(id);
        let fits = match annotation.data.all_regions().next() {
            Some(region) => {
                of_track(&region.track_id)
                    && listing.kind.is_none_or(|kind| region.shape.as_ref().map(Shape::kind) == Some(kind))
            }
            None => listing.track_ids.is_empty() && listing.kind.is_none_or(|kind| kind == "concept"),
        };
        if !fits {
            continue;
        }
        let is_late = frame.time_ms >= listing.from_ms.saturating_add(listing.max_duration_ms);
        if is_late || (!numbers.contains(&frame.number) && numbers.len() >= listing.max_frames as usize) {
            break;
        }
        numbers.insert(frame.number);
        kept.push(annotation);
    }
    Ok(kept)
}

/// Who has annotated in the app: people, then models, then workflows.
pub async fn workers(app: &AppCtx, page: Page) -> Result<Vec<Worker>> {
    let page = page.check()?;
    let uid = app.uid().to_owned();
    let read = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.annotation_workers(&uid, i64::MAX, 0)?);
    let rows = app.platform().store().read(read).await?;
    let mut found: Vec<Worker> = Vec::new();
    for row in rows {
        let worker = match (row.model_version_id.is_empty(), row.workflow_version_id.is_empty()) {
            (true, true) => Worker::Person(row.account_id),
            (false, _) => Worker::Model(row.model_version_id),
            (true, false) => Worker::Workflow(row.workflow_version_id),
        };
        if !found.contains(&worker) {
            found.push(worker);
        }
    }
    found.sort_by_key(|worker| match worker {
        Worker::Person(_) => 0,
        Worker::Model(_) => 1,
        Worker::Workflow(_) => 2,
    });
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    Ok(found.into_iter().skip(skip).take(page.per_page as usize).collect())
}
