//! The vectors of samples: those that are kept with the inputs, and for other spaces new ones from the kept pixels.

use std::collections::HashMap;

use futures_util::{FutureExt, StreamExt, stream};
use ocellus_store as store;

use super::Candidate;
use crate::learning::backbone::Backbone;
use crate::{Error, Platform, Result, predict};

/// Vectors read at once.
const BATCH: usize = 500;
/// How many inputs are described at once.
const AT_ONCE: usize = 4;

/// The candidates that have a vector in the space, with a row of numbers for each. What is not kept is calculated from
/// the input's bytes, if they are held here; inputs that cannot be described are left out.
pub(super) async fn of_candidates(
    platform: &Platform,
    app_uid: &str,
    candidates: Vec<Candidate>,
    space: &Backbone,
) -> Result<(Vec<Candidate>, Vec<f32>)> {
    let (mut kept, mut features) = (Vec::with_capacity(candidates.len()), Vec::new());
    for chunk in candidates.chunks(BATCH) {
        let ids: Vec<String> = chunk.iter().map(|one| one.input_id.clone()).collect();
        let (uid, name) = (app_uid.to_owned(), space.spec.version_id().to_owned());
        let read = move |tx: &mut store::Tx<'_>| Ok::<_, Error>(tx.vectors_in(&uid, &name, &ids)?);
        let known = platform.store().read(read).await?;
        let mut known: HashMap<String, Vec<f32>> =
            known.into_iter().map(|row| (row.input_id, row.data)).collect();
        let missing: Vec<Candidate> =
            chunk.iter().filter(|one| !known.contains_key(&one.input_id)).cloned().collect();
        known.extend(calculated(platform, space, missing).await?);
        for one in chunk {
            let Some(vector) = known.remove(&one.input_id) else { continue };
            if vector.len() == space.n_spec() {
                features.extend_from_slice(&vector);
                kept.push(one.clone());
            }
        }
    }
    let features = space.project(platform, features).await?;
    Ok((kept, features))
}

async fn calculated(
    platform: &Platform,
    space: &Backbone,
    missing: Vec<Candidate>,
) -> Result<Vec<(String, Vec<f32>)>> {
    // Boxed at once: the compiler cannot see through the types of borrowing futures in a stream.
    let work: Vec<_> = missing.into_iter().map(|one| named(platform, space, one).boxed()).collect();
    let vectors: Vec<Result<Option<_>>> = stream::iter(work).buffered(AT_ONCE).collect().await;
    vectors.into_iter().filter_map(Result::transpose).collect()
}

async fn named(platform: &Platform, space: &Backbone, one: Candidate) -> Result<Option<(String, Vec<f32>)>> {
    match of_one(platform, space, &one).await {
        Ok(vector) => Ok(vector.map(|vector| (one.input_id, vector))),
        // What cannot be looked at teaches nothing; what fails now may work later.
        Err(error) if error.is_transient() => Err(error),
        Err(_) => Ok(None),
    }
}

async fn of_one(platform: &Platform, space: &Backbone, one: &Candidate) -> Result<Option<Vec<f32>>> {
    let is_video = match one.picture.kind.as_str() {
        "image" => false,
        "video" => true,
        _ => return Ok(None),
    };
    let Some(hash) = &one.picture.blob else { return Ok(None) };
    let Some(bytes) = platform.store().blobs().get(hash).await? else { return Ok(None) };
    predict::vector_of_bytes(platform, &space.spec, (bytes, is_video), one.picture.crop).await.map(Some)
}
