//! Consensus: work on an input counts once enough workers have said the same.

use std::collections::BTreeMap;

use super::AssignmentStatus;
use super::assign::Queue;
use crate::Result;
use crate::annotations::read_rows;

/// From here on a value says yes.
const YES_FROM: f32 = 0.5;

/// Decides on an input after work on it was handed in. Workers agree who have put the same concepts on it, with the same
/// yes or no. What others have said then goes to a reviewer, as does everything if nobody is left who could agree.
pub(super) fn decide(queue: &Queue<'_, '_>, input_id: &str, n_needed: usize) -> Result<()> {
    let uid = &queue.by.app_uid;
    let all = queue.tx.task_assignments_of_input(uid, queue.task_id, input_id)?;
    let n_pending = all.iter().filter(|row| row.status == AssignmentStatus::Pending.name()).count();
    let mut groups: BTreeMap<Vec<(String, bool)>, Vec<usize>> = BTreeMap::new();
    for (idx, row) in all.iter().enumerate() {
        let counts = [AssignmentStatus::AwaitingConsensus.name(), AssignmentStatus::Success.name()];
        if !counts.contains(&row.status.as_str()) {
            continue;
        }
        let mut said = Vec::new();
        for annotation in read_rows(queue.tx, uid, queue.annotations_of(row)?)? {
            let whole = annotation.data.concepts.iter();
            let concepts = whole.chain(annotation.data.said_of_parts());
            said.extend(concepts.map(|said| (said.concept_id.clone(), said.value >= YES_FROM)));
        }
        said.sort_unstable();
        said.dedup();
        groups.entry(said).or_default().push(idx);
    }
    let agreed = groups.into_values().find(|members| members.len() >= n_needed);
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
