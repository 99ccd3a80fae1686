//! A detector of one's own things: a head that tells concepts in the boxes that a pretrained detector proposes, learned from
//! drawn boxes.
//!
//! Source: Girshick et al., "Rich feature hierarchies for accurate object detection and semantic segmentation", CVPR 2014:
//! boxes that overlap a drawn one by half or more are examples, the others are not, and of the latter those count most that
//! are near. Here the features are pooled from one pass over the whole image, so that a picture costs one run of the
//! network however many boxes are looked at.

use super::{Cells, Detection, FeatureMap, suppress};
use crate::agreement::iou;
use crate::error::{Error, Result};
use crate::learn::{Head, Label, Rows};

/// The overlap with a drawn box from which on a proposal is an example of what was drawn.
pub const POSITIVE_FROM: f32 = 0.5;
/// Proposals that overlap a drawn box by this much, but not enough, are the hardest ones.
pub const NEAR_FROM: f32 = 0.1;
/// Boxes of one concept that overlap by more than this are the same thing.
pub const SAME_FROM: f32 = 0.4;
/// Into which cells a box is divided. On pasted things, 3 by 3 cells of the finest maps gave a mean average precision of
/// 0.79, 4 by 4 the same, and coarser maps 0.72 and less.
pub const CELLS: Cells = Cells { rows: 3, columns: 3 };
/// Boxes below this probability are not worth telling.
pub const MIN_PROBABILITY: f32 = 0.05;
/// The most boxes that are told of one concept on one image.
pub const MAX_OF_CONCEPT: usize = 30;

const MAGIC: &[u8; 8] = b"OCDETE01";

/// A box that somebody drew.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawn {
    /// The concept, counted from 0.
    pub class: usize,
    /// Top, left, bottom and right.
    pub sides: [f32; 4],
    /// It is an example; otherwise somebody said that it is none.
    pub is_one: bool,
}

/// Boxes of one image to learn from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examples {
    /// Top, left, bottom and right of each.
    pub boxes: Vec<[f32; 4]>,
    /// For each box a row with a label for each concept.
    pub labels: Vec<Label>,
}

/// The boxes of an image that are worth learning from: all drawn ones, all proposals that show what was drawn, and up to
/// `n_others` that do not: half of them near something drawn, the rest from all over, most probable first. The same
/// again gives the same.
pub fn examples(proposals: &[[f32; 4]], drawn: &[Drawn], n_classes: usize, n_others: usize) -> Examples {
    let mut found = Examples::default();
    let mut add = |sides: [f32; 4]| {
        found.boxes.push(sides);
        let label = |class: usize| match drawn
            .iter()
            .any(|one| one.is_one && one.class == class && iou(one.sides, sides) >= POSITIVE_FROM)
        {
            true => Label::Positive,
            false => Label::Negative,
        };
        found.labels.extend((0..n_classes).map(label));
    };
    drawn.iter().for_each(|one| add(one.sides));
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for sides in proposals {
        let is_shown = |one: &&Drawn| one.is_one;
        let best = drawn.iter().filter(is_shown).map(|one| iou(one.sides, *sides)).fold(0.0, f32::max);
        match best {
            best if best >= POSITIVE_FROM => add(*sides),
            best if best >= NEAR_FROM => near.push(*sides),
            _ => far.push(*sides),
        }
    }
    let n_near = near.len().min(n_others / 2);
    let n_far = far.len().min(n_others - n_near);
    // The likeliest ones fool most; the others keep it honest everywhere else.
    let n_likely = n_far / 2;
    spread(&near, n_near).for_each(&mut add);
    far.iter().take(n_likely).copied().for_each(&mut add);
    spread(&far[n_likely..], n_far - n_likely).for_each(&mut add);
    found
}

/// So many of a list, evenly spread over it.
fn spread(list: &[[f32; 4]], n: usize) -> impl Iterator<Item = [f32; 4]> {
    (0..n).map(move |idx| list[idx * list.len() / n])
}

/// What tells an app's own concepts in proposals.
#[derive(Debug)]
pub struct DetectorHead {
    head: Head,
    cells: Cells,
}

impl DetectorHead {
    /// A head that was trained on boxes divided into [`CELLS`].
    pub fn new(head: Head) -> Self {
        Self { head, cells: CELLS }
    }

    /// How many concepts it tells.
    pub fn n_concepts(&self) -> usize {
        self.head.n_concepts()
    }

    /// What is where, among the proposals for an image: the surest first, doubles of a concept suppressed.
    ///
    /// # Errors
    /// `BadInput` if the maps are of another network.
    pub fn find(&self, map: &FeatureMap, proposals: &[[f32; 4]]) -> Result<Vec<Detection>> {
        let dim = map.dim(self.cells);
        let mut values = Vec::with_capacity(proposals.len() * dim);
        proposals.iter().for_each(|sides| map.describe(*sides, self.cells, &mut values));
        let n_concepts = self.head.n_concepts();
        let probabilities = self.head.probabilities(Rows { values: &values, dim })?;
        Ok(of_probabilities(proposals, &probabilities, n_concepts))
    }

    /// Its bytes, which [`DetectorHead::from_bytes`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        let mut bytes = MAGIC.to_vec();
        bytes.extend(count(self.cells.rows));
        bytes.extend(count(self.cells.columns));
        bytes.extend(self.head.to_bytes());
        bytes
    }

    /// Reads what [`DetectorHead::to_bytes`] wrote.
    ///
    /// # Errors
    /// `BadInput` if these are not the whole and unaltered bytes of a detector.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::BadInput("the detector is damaged".to_owned());
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let (rows, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (columns, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let [rows, columns] = [rows, columns].map(|bytes| u32::from_le_bytes(*bytes) as usize);
        if !(1..=16).contains(&rows) || !(1..=16).contains(&columns) {
            return Err(damaged());
        }
        Ok(Self { head: Head::from_bytes(rest)?, cells: Cells { rows, columns } })
    }
}

/// What is where, from the probability of each concept in each box.
pub fn of_probabilities(boxes: &[[f32; 4]], probabilities: &[f32], n_concepts: usize) -> Vec<Detection> {
    let mut found = Vec::new();
    for class in 0..n_concepts {
        let scored = boxes.iter().zip(probabilities.chunks_exact(n_concepts));
        let likely: Vec<([f32; 4], f32)> = scored
            .map(|(sides, row)| (*sides, row[class]))
            .filter(|(_, score)| *score >= MIN_PROBABILITY)
            .collect();
        let (boxes, scores): (Vec<[f32; 4]>, Vec<f32>) = likely.into_iter().unzip();
        let kept = suppress(&boxes, &scores, SAME_FROM, MAX_OF_CONCEPT);
        found.extend(kept.into_iter().map(|idx| Detection { class, score: scores[idx], sides: boxes[idx] }));
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::{ClassifierSpec, Labels, Method, train_classifier};

    fn drawn(class: usize, sides: [f32; 4], is_one: bool) -> Drawn {
        Drawn { class, sides, is_one }
    }

    #[test]
    fn drawn_boxes_and_what_shows_them_are_examples_and_the_rest_is_thinned_out() {
        let shown = [0.1, 0.1, 0.5, 0.5];
        let none = [0.6, 0.6, 0.9, 0.9];
        let mut proposals = vec![[0.1, 0.1, 0.5, 0.45], [0.1, 0.1, 0.5, 0.2], [0.3, 0.3, 0.5, 0.5]];
        proposals.extend((0..40).map(|n| [0.6, 0.01 * n as f32, 0.9, 0.01 * n as f32 + 0.05]));
        let all = [drawn(1, shown, true), drawn(0, none, false)];
        let found = examples(&proposals, &all, 2, 8);
        assert_eq!(&found.boxes[..3], &[shown, none, proposals[0]]);
        assert_eq!(found.labels.len(), found.boxes.len() * 2);
        let is_one =
            |n: usize| [found.labels[2 * n] == Label::Positive, found.labels[2 * n + 1] == Label::Positive];
        assert_eq!([is_one(0), is_one(1), is_one(2)], [[false, true], [false, false], [false, true]]);
        assert!((3..found.boxes.len()).all(|n| is_one(n) == [false, false]));
        assert_eq!(found.boxes.len(), 3 + 8, "two near ones and six others");
        assert_eq!(found, examples(&proposals, &all, 2, 8));
        assert_eq!(examples(&[], &[], 2, 8), Examples::default());
        assert_eq!(examples(&proposals, &[], 1, 0), Examples::default());
    }

    /// Maps with a bright square in the first one, at a cell of eight by eight.
    fn map(row: usize, column: usize) -> FeatureMap {
        let mut values = vec![0.1; 2 * 64];
        for y in row..row + 3 {
            values[y * 8 + column..y * 8 + column + 3].fill(1.0);
        }
        FeatureMap::new(&[1, 2, 8, 8], &values).unwrap()
    }

    fn windows() -> Vec<[f32; 4]> {
        let places = (0..6).flat_map(|row| (0..6).map(move |column| (row, column)));
        places.map(|(row, column)| [row, column, row + 3, column + 3].map(|n| n as f32 / 8.0)).collect()
    }

    #[test]
    fn what_was_drawn_is_found_in_a_picture_never_seen_and_the_head_survives_being_kept() {
        let (mut values, mut labels, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..12 {
            let (row, column) = (n % 5, (n * 3) % 5);
            let place = drawn(0, [row, column, row + 3, column + 3].map(|n| n as f32 / 8.0), true);
            let found = examples(&windows(), &[place], 1, 20);
            let map = map(row, column);
            found.boxes.iter().for_each(|sides| map.describe(*sides, CELLS, &mut values));
            groups.extend(vec![n as u32; found.boxes.len()]);
            labels.extend(found.labels);
        }
        let rows = Rows { values: &values, dim: 18 };
        let spec = ClassifierSpec { method: Some(Method::Linear), closed: true, ..ClassifierSpec::default() };
        let labels = Labels { values: &labels, n_concepts: 1 };
        let trained =
            train_classifier(rows, labels, &groups, Rows { values: &[], dim: 18 }, &spec, &mut |_| true)
                .unwrap();
        let head = DetectorHead::new(trained.head);
        let found = head.find(&map(5, 2), &windows()).unwrap();
        assert_eq!((found[0].class, found[0].sides), (0, [0.625, 0.25, 1.0, 0.625]));
        assert!(found[0].score > 0.5 && found[1..].iter().all(|other| other.score < found[0].score));
        let bytes = head.to_bytes();
        let again = DetectorHead::from_bytes(&bytes).unwrap();
        assert_eq!(again.find(&map(5, 2), &windows()).unwrap(), found);
        assert_eq!(head.find(&map(5, 2), &[]).unwrap(), []);
        for n in 0..bytes.len() {
            assert!(DetectorHead::from_bytes(&bytes[..n]).is_err(), "{n}");
        }
    }
}
