//! How a patch of an input changes what people say of its regions, frames and stretches of time, which stands in
//! annotations.
//!
//! Things are the same by id, frames by number and time; what is named without an id is the same as what says the same.
//! Merging changes a thing in every annotation that shows it and makes an annotation by the caller of what is new.
//! Removing takes regions and segments away whoever made them, a frame whole if nothing in it is named, and else what
//! is named. Overwriting leaves of the caller's own things only those given; a thing of somebody else is replaced where
//! it stands if it is given, and else stays. An empty list changes nothing.

use ocellus_store as store;

use super::change::check_spans;
use super::data::Part;
use super::of_inputs::{insert_parts, shown};
use super::rows::{self, AnnotationDoc, save};
use super::{Data, Frame};
use crate::inputs::labels::{Known, Labeller};
use crate::{PatchAction, Result};

/// What one annotation says, while it is being changed.
#[derive(Clone, Debug)]
struct Place {
    data: Data,
    is_own: bool,
    is_changed: bool,
}

/// Changes the parts of an input as a patch of it says.
pub(crate) fn change_parts(
    tx: &store::Tx<'_>,
    by: &Labeller,
    known: &mut Known,
    (input, parts): (&store::Input, &Data),
    action: PatchAction,
) -> Result<()> {
    let mut given = parts.clone();
    match action {
        PatchAction::Merge | PatchAction::Overwrite => {
            rows::resolve(tx, by, known, &mut given)?;
            check_spans(input, &given, "data")?;
        }
        // What is not known cannot be removed, and must not be made.
        PatchAction::Remove => rows::find(tx, by, &mut given)?,
    }
    let (annotations, mut places): (Vec<_>, Vec<_>) = shown(tx, by, &input.id)?
        .into_iter()
        .map(|(row, doc)| {
            let is_own = row.account_id == by.account_id;
            ((row, doc.info), Place { data: doc.data, is_own, is_changed: false })
        })
        .unzip();
    let new = change(&mut places, given, action);
    for ((mut row, info), place) in annotations.into_iter().zip(places).filter(|(_, place)| place.is_changed)
    {
        if place.data.is_empty() {
            tx.delete_annotations(&row.app_uid, &[&row.id])?;
            continue;
        }
        let mut doc = AnnotationDoc { data: place.data, info };
        doc.data.name_parts(|| by.platform.ids().id());
        doc.data.check("data")?;
        (row.modified_at_us, row.modified_by) = (by.now_us, by.changed_by());
        save(tx, by, &mut row, &doc, false)?;
    }
    insert_parts(tx, by, &input.id, new)
}

/// Changes what the annotations say, and returns what is in none of them yet.
fn change(places: &mut [Place], given: Data, action: PatchAction) -> Data {
    let Data { regions, frames, segments, .. } = given;
    Data {
        regions: change_list(places, |data| Some(&mut data.regions), regions, action),
        segments: change_list(places, |data| Some(&mut data.segments), segments, action),
        frames: match action {
            PatchAction::Merge => merge_frames(places, frames, action),
            PatchAction::Overwrite => overwrite_frames(places, frames),
            PatchAction::Remove => {
                remove_frames(places, &frames);
                Vec::new()
            }
        },
        ..Data::default()
    }
}

/// Changes the things of one list of each place, where it has the list, and returns those that are in none.
fn change_list<P: Part>(
    places: &mut [Place],
    list: impl for<'a> Fn(&'a mut Data) -> Option<&'a mut Vec<P>>,
    given: Vec<P>,
    action: PatchAction,
) -> Vec<P> {
    if given.is_empty() {
        return given;
    }
    let is_given = |old: &P| given.iter().any(|new| new.same(old));
    for place in places.iter_mut() {
        let Some(list) = list(&mut place.data) else { continue };
        let n_before = list.len();
        match action {
            PatchAction::Merge => {}
            PatchAction::Overwrite if place.is_own => list.retain(is_given),
            PatchAction::Overwrite => {}
            PatchAction::Remove => list.retain(|old| !is_given(old)),
        }
        place.is_changed |= list.len() != n_before;
    }
    match action {
        PatchAction::Merge | PatchAction::Overwrite => put(places, list, given, action),
        PatchAction::Remove => Vec::new(),
    }
}

/// Merges or replaces things where they stand, and returns those that stand nowhere.
fn put<P: Part>(
    places: &mut [Place],
    list: impl for<'a> Fn(&'a mut Data) -> Option<&'a mut Vec<P>>,
    given: Vec<P>,
    action: PatchAction,
) -> Vec<P> {
    let mut new: Vec<P> = Vec::new();
    // What has no id is looked for among what the others have become, so that saying it all again changes nothing.
    let (named, nameless): (Vec<P>, Vec<P>) = given.into_iter().partition(Part::is_named);
    for part in named.into_iter().chain(nameless) {
        let mut is_known = false;
        for place in places.iter_mut() {
            let Some(list) = list(&mut place.data) else { continue };
            for old in list.iter_mut().filter(|old| old.same(&part)) {
                let before = old.clone();
                match action {
                    PatchAction::Overwrite => old.replace(part.clone()),
                    PatchAction::Merge | PatchAction::Remove => old.merge(part.clone()),
                }
                place.is_changed |= *old != before;
                is_known = true;
            }
        }
        match new.iter_mut().find(|other| other.same(&part)) {
            _ if is_known => {}
            Some(other) => other.merge(part),
            None => new.push(part),
        }
    }
    new
}

fn in_frame<'a>(data: &'a mut Data, of: &Frame) -> Option<&'a mut Frame> {
    data.frames.iter_mut().find(|frame| frame.same(of))
}

/// What is new in a frame goes into the caller's own annotation of the frame, or else into a new one.
fn merge_frames(places: &mut [Place], given: Vec<Frame>, action: PatchAction) -> Vec<Frame> {
    let mut new: Vec<Frame> = Vec::new();
    for frame in given {
        let at = Frame { concepts: Vec::new(), regions: Vec::new(), ..frame.clone() };
        let concepts =
            change_list(places, |data| Some(&mut in_frame(data, &at)?.concepts), frame.concepts, action);
        let regions =
            change_list(places, |data| Some(&mut in_frame(data, &at)?.regions), frame.regions, action);
        let left = Frame { concepts, regions, ..at };
        let is_known = places.iter_mut().any(|place| in_frame(&mut place.data, &left).is_some());
        if is_known && left.concepts.is_empty() && left.regions.is_empty() {
            continue;
        }
        let own = places.iter_mut().filter(|place| place.is_own);
        let own = own.filter_map(|place| Some((in_frame(&mut place.data, &left)?, &mut place.is_changed)));
        match own.last() {
            Some((frame, is_changed)) => {
                *is_changed = true;
                frame.merge(left);
            }
            None => match new.iter_mut().find(|other| other.same(&left)) {
                Some(other) => other.merge(left),
                None => new.push(left),
            },
        }
    }
    new
}

fn overwrite_frames(places: &mut [Place], given: Vec<Frame>) -> Vec<Frame> {
    if given.is_empty() {
        return given;
    }
    for place in places.iter_mut().filter(|place| place.is_own) {
        let n_before = place.data.frames.len();
        place.data.frames.retain(|old| given.iter().any(|new| new.same(old)));
        place.is_changed |= place.data.frames.len() != n_before;
        // An empty list within a frame that is given says that the frame shall have none.
        for old in &mut place.data.frames {
            let before = old.clone();
            for new in given.iter().filter(|new| new.same(&before)) {
                old.concepts.retain(|said| new.concepts.iter().any(|other| other.same(said)));
                old.regions.retain(|region| new.regions.iter().any(|other| other.same(region)));
            }
            place.is_changed |= *old != before;
        }
    }
    merge_frames(places, given, PatchAction::Overwrite)
}

fn remove_frames(places: &mut [Place], given: &[Frame]) {
    for frame in given {
        let is_named = !frame.concepts.is_empty() || !frame.regions.is_empty();
        for place in places.iter_mut() {
            let before = place.data.frames.clone();
            for old in place.data.frames.iter_mut().filter(|old| old.same(frame)) {
                old.concepts.retain(|said| !frame.concepts.iter().any(|gone| gone.same(said)));
                old.regions.retain(|region| !frame.regions.iter().any(|gone| gone.same(region)));
            }
            let is_left = |old: &Frame| is_named && !(old.concepts.is_empty() && old.regions.is_empty());
            place.data.frames.retain(|old| !old.same(frame) || is_left(old));
            place.is_changed |= place.data.frames != before;
        }
    }
}

#[cfg(test)]
mod tests;
