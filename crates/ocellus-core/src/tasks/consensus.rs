//! Consensus: work on an input counts once enough workers have said the same.

use ocellus_algo::agreement::iou;
use ocellus_algo::image::DecodeLimits;

use super::AssignmentStatus;
use super::assign::Queue;
use crate::annotations::parts::box_around;
use crate::annotations::{Annotation, Said, read_rows};
use crate::{CropBox, Result};

/// From here on a value says yes.
const YES_FROM: f32 = 0.5;
/// Two boxes mark the same thing from this share of their union on.
const SAME_FROM: f32 = 0.5;

/// What a worker said of an input.
#[derive(Debug, Default)]
struct Work {
    /// Concepts of the whole input and of things without a place, each with its yes or no.
    plain: Vec<(String, bool)>,
    /// Marked places, each with its concepts.
    places: Vec<(CropBox, Vec<(String, bool)>)>,
}

fn concepts<'a>(said: impl Iterator<Item = &'a Said>) -> Vec<(String, bool)> {
    let mut all: Vec<_> = said.map(|said| (said.concept_id.clone(), said.value >= YES_FROM)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

impl Work {
    fn of(annotations: &[Annotation]) -> Self {
        let mut work = Self::default();
        let mut plain: Vec<&Said> = Vec::new();
        for data in annotations.iter().map(|annotation| &annotation.data) {
            plain.extend(&data.concepts);
            plain.extend(data.frames.iter().flat_map(|frame| &frame.concepts));
            plain.extend(data.segments.iter().flat_map(|segment| &segment.concepts));
            for region in data.all_regions() {
                let around =
                    region.shape.as_ref().and_then(|shape| box_around(shape, &DecodeLimits::default()).ok());
                match around {
                    Some(sides) => work.places.push((sides, concepts(region.concepts.iter()))),
                    None => plain.extend(&region.concepts),
                }
            }
        }
        work.plain = concepts(plain.into_iter());
        work
    }

    /// Whether both have said the same: the same concepts, and as many places, each of one with one of the other that
    /// has the same concepts and overlaps it well, the best overlaps first.
    fn agrees(&self, other: &Self) -> bool {
        if self.plain != other.plain || self.places.len() != other.places.len() {
            return false;
        }
        let sides = |sides: CropBox| [sides.top, sides.left, sides.bottom, sides.right];
        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (i, (a, said)) in self.places.iter().enumerate() {
            for (j, (b, _)) in other.places.iter().enumerate().filter(|(_, (_, too))| too == said) {
                pairs.push((iou(sides(*a), sides(*b)), i, j));
            }
        }
        pairs.retain(|(overlap, _, _)| *overlap >= SAME_FROM);
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut mine, mut theirs) = (vec![false; self.places.len()], vec![false; self.places.len()]);
        for (_, i, j) in pairs {
            if !mine[i] && !theirs[j] {
                (mine[i], theirs[j]) = (true, true);
            }
        }
        mine.into_iter().all(|is_met| is_met)
    }
}

/// Decides on an input after work on it was handed in. Workers agree who have put the same concepts on it, with the same
/// yes or no, and have marked the same places with the same concepts. What others have said then goes to a reviewer, as
/// does everything if nobody is left who could agree.
pub(super) fn decide(queue: &Queue<'_, '_>, input_id: &str, n_needed: usize) -> Result<()> {
    let uid = &queue.by.app_uid;
    let all = queue.tx.task_assignments_of_input(uid, queue.task_id, input_id)?;
    let n_pending = all.iter().filter(|row| row.status == AssignmentStatus::Pending.name()).count();
    // Each group is led by the first who has said it.
    let mut groups: Vec<(Work, Vec<usize>)> = Vec::new();
    for (idx, row) in all.iter().enumerate() {
        let counts = [AssignmentStatus::AwaitingConsensus.name(), AssignmentStatus::Success.name()];
        if !counts.contains(&row.status.as_str()) {
            continue;
        }
        let work = Work::of(&read_rows(queue.tx, uid, queue.annotations_of(row)?)?);
        match groups.iter_mut().find(|(first, _)| first.agrees(&work)) {
            Some((_, members)) => members.push(idx),
            None => groups.push((work, vec![idx])),
        }
    }
    let agreed = groups.into_iter().map(|(_, members)| members).find(|members| members.len() >= n_needed);
    let is_over = agreed.is_some() || n_pending == 0;
    for (idx, mut row) in all.into_iter().enumerate() {
        if row.status != AssignmentStatus::AwaitingConsensus.name() || !is_over {
            continue;
        }
        let status = match &agreed {
            Some(members) if members.contains(&idx) => AssignmentStatus::Success,
            Some(_) | None => AssignmentStatus::AwaitingReview,
        };
        queue.set(&mut row, status)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(plain: &[&str], places: &[(f32, &str)]) -> Work {
        let said = |id: &&str| ((*id).to_owned(), true);
        let place = |(left, id): &(f32, &str)| {
            let sides = CropBox { top: 0.0, left: *left, bottom: 0.5, right: left + 0.2 };
            (sides, vec![((*id).to_owned(), true)])
        };
        Work { plain: plain.iter().map(said).collect(), places: places.iter().map(place).collect() }
    }

    #[test]
    fn workers_agree_on_places_that_overlap_well_and_say_the_same() {
        let one = work(&["a"], &[(0.1, "dog"), (0.5, "cat")]);
        for (other, expected) in [
            (work(&["a"], &[(0.5, "cat"), (0.1, "dog")]), true),
            (work(&["a"], &[(0.14, "dog"), (0.48, "cat")]), true),
            (work(&["b"], &[(0.1, "dog"), (0.5, "cat")]), false),
            (work(&["a"], &[(0.1, "dog")]), false),
            (work(&["a"], &[(0.1, "dog"), (0.5, "dog")]), false),
            (work(&["a"], &[(0.25, "dog"), (0.5, "cat")]), false),
            // One box cannot stand for two.
            (work(&["a"], &[(0.1, "dog"), (0.11, "dog")]), false),
        ] {
            assert_eq!((one.agrees(&other), other.agrees(&one)), (expected, expected), "{other:?}");
        }
    }
}
