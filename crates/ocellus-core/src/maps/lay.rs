//! The job that lays an app's inputs out. Whatever it is interrupted in, it begins anew and comes to the same map.

use futures_util::FutureExt;
use ocellus_algo::map::{self, MapSpec, N_COMPONENTS, Neighbors, Plane};
use ocellus_store as store;

use super::{AppMap, MAX_INPUTS, MapState, Method, N_NEIGHBORS, Points, Work};
use crate::jobs::{JobCtx, JobKind, Outcome};
use crate::{Error, Result, resources};

pub(crate) const KIND: JobKind = JobKind {
    name: "lay_out_map",
    max_attempts: 5,
    run: |cx| run(cx).boxed(),
    begin: None,
    give_up: Some(give_up),
};

/// Vectors read at once.
const BATCH: i64 = 1_000;
/// Neighbours of which trustworthiness speaks, the number that scikit-learn takes if not told otherwise.
const N_TRUSTED: usize = 5;
/// Inputs at which trustworthiness is measured.
const N_SAMPLED: usize = 500;

/// Inputs in the order of their ids with what they look like, as rows of numbers.
struct Vectors {
    input_ids: Vec<String>,
    values: Vec<f32>,
    dim: usize,
    n_left_out: u64,
}

/// What the layout is made from.
struct Reduced {
    vectors: Vectors,
    components: Vec<f32>,
    neighbors: Neighbors,
}

async fn run(cx: JobCtx) -> Result<Outcome> {
    let Some(app_uid) = cx.job.app_uid.clone() else { return Ok(Outcome::nothing()) };
    let work = Work::of(&cx.job)?;
    let vectors = read(&cx, &app_uid).await?;
    if vectors.input_ids.is_empty() {
        return Err(Error::invalid("app", "has lost its described inputs"));
    }
    let engine = cx.platform.engine();
    let reduced = engine.cpu(move || reduce(vectors)).await??;
    let first = AppMap {
        n_inputs: reduced.vectors.input_ids.len() as u64,
        n_left_out: reduced.vectors.n_left_out,
        method: Some(Method::Pca),
        done: 0.3,
        ..AppMap::default()
    };
    show(&cx, &app_uid, &work, first.clone(), &points_of(&reduced, first_two(&reduced.components))).await?;
    let signal = cx.clone();
    let (plane, reduced, trust) = engine
        .cpu(move || {
            let plane = lay(&reduced, &signal)?;
            let trust = trust(&reduced.vectors, &plane.coordinates);
            Ok::<_, Error>((plane, reduced, trust))
        })
        .await??;
    let last = AppMap {
        state: MapState::Ready,
        method: Some(Method::Tsne),
        done: 1.0,
        trustworthiness: trust,
        ..first
    };
    finish(&cx, app_uid, work, last, &points_of(&reduced, plane.coordinates)).await
}

/// The vectors of the app's inputs; of too many, those that were described first.
async fn read(cx: &JobCtx, app_uid: &str) -> Result<Vectors> {
    let space = cx.platform.catalog().embedding().version_id().to_owned();
    let mut found = Vectors { input_ids: Vec::new(), values: Vec::new(), dim: 1, n_left_out: 0 };
    let mut after_seq = 0;
    loop {
        cx.checkpoint()?;
        let (uid, space) = (app_uid.to_owned(), space.clone());
        let page =
            move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.vectors_since(&uid, &space, after_seq, BATCH)?);
        let rows = cx.platform.store().read(page).await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after_seq = last.seq;
        for row in rows.into_iter().filter(|row| !row.deleted) {
            if found.input_ids.is_empty() {
                found.dim = row.data.len().max(1);
            }
            if found.input_ids.len() == MAX_INPUTS || row.data.len() != found.dim {
                found.n_left_out += 1;
                continue;
            }
            found.values.extend_from_slice(&row.data);
            found.input_ids.push(row.input_id);
        }
    }
}

/// Vectors come in the order in which inputs happened to be described; the same inputs shall give the same map.
fn sort(vectors: &mut Vectors) {
    let dim = vectors.dim;
    let mut order: Vec<usize> = (0..vectors.input_ids.len()).collect();
    order.sort_by(|a, b| vectors.input_ids[*a].cmp(&vectors.input_ids[*b]));
    // In place, as a copy of all rows may not fit: each cycle of the permutation is turned by swaps.
    for at in 0..order.len() {
        let mut from = order[at];
        while from < at {
            from = order[from];
        }
        vectors.input_ids.swap(at, from);
        if from != at {
            let (low, high) = vectors.values.split_at_mut(from * dim);
            low[at * dim..(at + 1) * dim].swap_with_slice(&mut high[..dim]);
        }
    }
}

fn reduce(mut vectors: Vectors) -> Result<Reduced> {
    sort(&mut vectors);
    let spec = MapSpec::default();
    let components = map::principal_components(&vectors.values, vectors.dim, N_COMPONENTS, spec.seed)?;
    let n_neighbors = (spec.perplexity * 3.0) as usize;
    let neighbors = map::nearest(&components, N_COMPONENTS, n_neighbors)?;
    Ok(Reduced { vectors, components, neighbors })
}

fn first_two(components: &[f32]) -> Vec<f32> {
    components.chunks_exact(N_COMPONENTS).flat_map(|row| [row[0], row[1]]).collect()
}

fn lay(reduced: &Reduced, signal: &JobCtx) -> Result<Plane> {
    let mut go_on = |_: f32| signal.checkpoint().is_ok();
    let spec = MapSpec::default();
    let plane = map::tsne(&reduced.components, N_COMPONENTS, &reduced.neighbors, &spec, &mut go_on)?;
    plane.ok_or_else(|| Error::cancelled("the job was cancelled"))
}

/// How far the plane can be trusted; not to be said of a handful of inputs.
fn trust(vectors: &Vectors, coordinates: &[f32]) -> Option<f64> {
    map::trustworthiness(&vectors.values, vectors.dim, coordinates, N_TRUSTED, N_SAMPLED).ok()
}

fn points_of(reduced: &Reduced, coordinates: Vec<f32>) -> Points {
    let n_neighbors = reduced.neighbors.k.min(N_NEIGHBORS);
    let rows = reduced.neighbors.rows.chunks_exact(reduced.neighbors.k.max(1));
    Points {
        input_ids: reduced.vectors.input_ids.clone(),
        coordinates,
        n_neighbors,
        neighbors: rows.flat_map(|row| row[..n_neighbors].to_vec()).collect(),
    }
}

/// Writes what is there so far.
async fn show(cx: &JobCtx, app_uid: &str, work: &Work, so_far: AppMap, points: &Points) -> Result<()> {
    cx.checkpoint()?;
    let held = cx.platform.blob_gate().clone().read_owned().await;
    let blob = cx.platform.store().blobs().put(points.to_bytes().into()).await?;
    let (app_uid, id, uid) = (app_uid.to_owned(), work.id.clone(), work.uid.clone());
    let now_us = cx.platform.clock().now_us();
    let write = move |tx: &mut store::Tx<'_>| change(tx, (&app_uid, &id, &uid), now_us, &so_far, &blob);
    cx.platform.store().write(write).await?;
    drop(held);
    Ok(())
}

async fn finish(cx: &JobCtx, app_uid: String, work: Work, last: AppMap, points: &Points) -> Result<Outcome> {
    let held = cx.platform.blob_gate().clone().read_owned().await;
    let blob = cx.platform.store().blobs().put(points.to_bytes().into()).await?;
    let now_us = cx.platform.clock().now_us();
    let effect = move |tx: &store::Tx<'_>| change(tx, (&app_uid, &work.id, &work.uid), now_us, &last, &blob);
    Ok(Outcome { blobs_held: Some(held), ..Outcome::effect(effect) })
}

fn change(
    tx: &store::Tx<'_>,
    (app_uid, id, uid): (&str, &str, &str),
    now_us: i64,
    now: &AppMap,
    blob: &str,
) -> Result<()> {
    resources::rewrite(tx, app_uid, id, now_us, |doc: &mut AppMap| {
        if doc.uid == uid {
            *doc = AppMap { uid: uid.to_owned(), blob: Some(blob.to_owned()), ..now.clone() };
        }
        Ok(())
    })
}

fn give_up(
    tx: &store::Tx<'_>,
    job: &store::Job,
    _part: &store::JobPart,
    error: &Error,
    now_us: i64,
) -> Result<()> {
    let Some(app_uid) = &job.app_uid else { return Ok(()) };
    let work = Work::of(job)?;
    resources::rewrite(tx, app_uid, &work.id, now_us, |doc: &mut AppMap| {
        if doc.uid == work.uid {
            (doc.state, doc.error) = (MapState::Failed, error.message.clone());
        }
        Ok(())
    })
}
