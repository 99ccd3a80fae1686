//! What is learned from: rows in the order of their folds, centred and scaled, with what each says of each score.

use std::ops::Range;

use super::{ClassifierSpec, Label, Labels, Rows, Seen};

/// How much a row without any of the concepts counts at most.
const BACKGROUND_WEIGHT: f32 = 0.5;

/// Rows to learn from.
pub(super) struct Set {
    pub dim: usize,
    pub n_concepts: usize,
    /// Concepts, and one more if rows may have none of them although concepts exclude each other.
    pub n_scores: usize,
    pub exclusive: bool,
    /// What was taken from every row.
    pub center: Vec<f32>,
    /// What every row was multiplied with then.
    pub scale: f32,
    /// The caller's rows in the order of their folds, then the background.
    pub values: Vec<f32>,
    /// `n_scores` for each row. Of exclusive concepts `Positive` means possible and `Negative` impossible.
    pub labels: Vec<Label>,
    /// How much a label counts; of exclusive concepts the first of a row is that of the row.
    pub weights: Vec<f32>,
    /// The same for judging what was said of held-out rows, from the first row on: nothing of a concept whose rows are all
    /// in one fold, because that fold is judged by who never saw it.
    pub judged: Vec<f32>,
    /// The caller's row of each row that is not background.
    pub order: Vec<usize>,
    /// Where each fold is.
    pub folds: Vec<Range<usize>>,
    /// By concept, what the caller said.
    pub seen: Vec<Seen>,
}

impl Set {
    /// Sorts, centres and scales what the caller gave, which was checked.
    pub fn new(rows: Rows, labels: Labels, folds: &[u32], background: Rows, spec: &ClassifierSpec) -> Set {
        let mut order: Vec<usize> = (0..rows.n()).collect();
        order.sort_by_key(|row| folds[*row]);
        let n_folds = folds.iter().max().map_or(0, |last| *last as usize + 1);
        let starts: Vec<usize> =
            (0..=n_folds).map(|fold| order.partition_point(|row| (folds[*row] as usize) < fold)).collect();
        let background = if spec.closed { Rows::none(rows.dim) } else { background };
        let (center, scale) = standard(rows, background);
        let sorted = order.iter().map(|row| rows.row(*row)).chain(background.iter());
        let mut values = Vec::with_capacity((rows.n() + background.n()) * rows.dim);
        sorted.for_each(|row| values.extend(row.iter().zip(&center).map(|(x, c)| (x - c) * scale)));
        let has_none = |row: &[Label]| row.iter().all(|label| *label == Label::Negative);
        let has_rest = spec.exclusive
            && !spec.closed
            && (background.n() > 0 || (0..rows.n()).any(|row| has_none(labels.row(row))));
        let mut set = Set {
            dim: rows.dim,
            n_concepts: labels.n_concepts,
            n_scores: labels.n_concepts + usize::from(has_rest),
            exclusive: spec.exclusive,
            center,
            scale,
            values,
            labels: Vec::new(),
            weights: Vec::new(),
            judged: Vec::new(),
            order,
            folds: starts.windows(2).map(|pair| pair[0]..pair[1]).collect(),
            seen: seen(labels),
        };
        if spec.exclusive {
            set.tell_possible(labels, background.n());
        } else {
            set.tell_each(labels, background.n(), spec.closed);
        }
        if spec.balance_classes {
            set.balance();
        }
        set.judged = set.judged();
        set
    }

    /// How many rows there are, with the background.
    pub fn n(&self) -> usize {
        self.values.len() / self.dim
    }

    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.dim..(row + 1) * self.dim]
    }

    /// The rows of a part.
    pub fn part(&self, part: &Range<usize>) -> Rows<'_> {
        Rows { values: &self.values[part.start * self.dim..part.end * self.dim], dim: self.dim }
    }

    pub fn labels_of(&self, row: usize) -> &[Label] {
        &self.labels[row * self.n_scores..(row + 1) * self.n_scores]
    }

    pub fn weights_of(&self, row: usize) -> &[f32] {
        &self.weights[row * self.n_scores..(row + 1) * self.n_scores]
    }

    pub fn judged_of(&self, row: usize) -> &[f32] {
        &self.judged[row * self.n_scores..(row + 1) * self.n_scores]
    }

    /// The weights of the caller's rows, without those that held-out rows say nothing by.
    fn judged(&self) -> Vec<f32> {
        let k = self.n_scores;
        let mut n_folds = vec![0; k];
        for fold in &self.folds {
            let has = |score: usize| fold.clone().any(|row| self.labels_of(row)[score] == Label::Positive);
            n_folds.iter_mut().enumerate().for_each(|(score, n)| *n += usize::from(has(score)));
        }
        let mut judged = self.weights[..self.order.len() * k].to_vec();
        for (labels, judged) in self.labels.chunks_exact(k).zip(judged.chunks_exact_mut(k)) {
            if self.exclusive {
                let possible = labels.iter().zip(&n_folds).filter(|(label, _)| **label == Label::Positive);
                let is_lone = possible.clone().all(|(_, n)| *n < 2);
                judged.iter_mut().for_each(|weight| *weight *= if is_lone { 0.0 } else { 1.0 });
            } else {
                judged
                    .iter_mut()
                    .zip(&n_folds)
                    .filter(|(_, n)| **n < 2)
                    .for_each(|(weight, _)| *weight = 0.0);
            }
        }
        judged
    }

    /// Everything but one fold; everything if there is no such fold. A lone fold leaves only the background.
    pub fn without(&self, fold: Option<usize>) -> Vec<Range<usize>> {
        let out = fold.map_or(0..0, |fold| self.folds[fold].clone());
        [0..out.start, out.end..self.n()].into_iter().filter(|part| !part.is_empty()).collect()
    }

    /// What each concept is against the rest. Rows that have another concept count as negatives of one that has fewer
    /// negatives than positives: whoever labels only what there is means that.
    fn tell_each(&mut self, labels: Labels, n_background: usize, closed: bool) {
        let k = self.n_scores;
        let is_positive = |row: usize| labels.row(row).contains(&Label::Positive);
        let implied =
            |row: usize, concept: usize| labels.row(row)[concept] == Label::Unknown && is_positive(row);
        let weak: Vec<f32> = (0..k)
            .map(|concept| {
                let n_implied = self.order.iter().filter(|row| implied(**row, concept)).count();
                let Seen { n_positive, n_negative } = self.seen[concept];
                let missing = n_positive.saturating_sub(n_negative) as f32;
                let most = if closed { missing.min(1.0) } else { missing / n_implied.max(1) as f32 };
                most.min(1.0)
            })
            .collect();
        for row in &self.order {
            for (concept, label) in labels.row(*row).iter().enumerate() {
                let is_implied = weak[concept] > 0.0 && implied(*row, concept);
                self.labels.push(if is_implied { Label::Negative } else { *label });
                self.weights.push(match label {
                    Label::Unknown if is_implied => weak[concept],
                    Label::Unknown => 0.0,
                    Label::Negative | Label::Positive => 1.0,
                });
            }
        }
        for _ in 0..n_background {
            for seen in &self.seen {
                self.labels.push(Label::Negative);
                self.weights.push((seen.n_positive as f32 / n_background as f32).min(BACKGROUND_WEIGHT));
            }
        }
    }

    /// Which of the exclusive concepts a row may have: those that it is said to have, else those that it is not said not
    /// to have. A row of which nothing or everything is possible says nothing.
    fn tell_possible(&mut self, labels: Labels, n_background: usize) {
        let (n_concepts, k) = (self.n_concepts, self.n_scores);
        for row in &self.order {
            let told = labels.row(*row);
            let has_any = told.contains(&Label::Positive);
            let possible = |label: &Label| match label {
                Label::Positive => true,
                Label::Unknown => !has_any,
                Label::Negative => false,
            };
            let mut row: Vec<bool> = told.iter().map(possible).collect();
            row.resize(k, !has_any);
            let n_possible = row.iter().filter(|is| **is).count();
            let weight = if n_possible == 0 || (n_possible == k && !has_any) { 0.0 } else { 1.0 };
            let label = |is: &bool| if *is { Label::Positive } else { Label::Negative };
            self.labels.extend(row.iter().map(label));
            self.weights.extend(row.iter().map(|_| weight));
        }
        let of_a_concept = self.order.len() as f32 / n_concepts as f32;
        let weight = (of_a_concept / n_background.max(1) as f32).min(BACKGROUND_WEIGHT);
        for _ in 0..n_background {
            self.labels.extend(
                (0..k).map(|score| if score < n_concepts { Label::Negative } else { Label::Positive }),
            );
            self.weights.extend((0..k).map(|_| weight));
        }
    }

    /// Gives each class the same weight in sum: of a concept and its rest, or of each exclusive concept.
    fn balance(&mut self) {
        let k = self.n_scores;
        let mut sums = vec![[0.0f64; 2]; k];
        for (at, (label, weight)) in self.labels.iter().zip(&self.weights).enumerate() {
            match label {
                Label::Positive => sums[at % k][1] += f64::from(*weight),
                Label::Negative => sums[at % k][0] += f64::from(*weight),
                Label::Unknown => {}
            }
        }
        if self.exclusive {
            let total: f64 = sums.iter().map(|sum| sum[1]).sum();
            for (labels, weights) in self.labels.chunks_exact(k).zip(self.weights.chunks_exact_mut(k)) {
                let only = labels.iter().position(|label| *label == Label::Positive);
                let factor = only.map_or(1.0, |class| total / (k as f64 * sums[class][1].max(1e-9)));
                weights.iter_mut().for_each(|weight| *weight *= factor as f32);
            }
            return;
        }
        for (at, (label, weight)) in self.labels.iter().zip(&mut self.weights).enumerate() {
            let [negative, positive] = sums[at % k];
            let own = if *label == Label::Positive { positive } else { negative };
            if negative > 0.0 && positive > 0.0 {
                *weight *= ((negative + positive) / (2.0 * own)) as f32;
            }
        }
    }
}

fn seen(labels: Labels) -> Vec<Seen> {
    let mut seen = vec![Seen::default(); labels.n_concepts];
    for (at, label) in labels.values.iter().enumerate() {
        let seen = &mut seen[at % labels.n_concepts];
        match label {
            Label::Positive => seen.n_positive += 1,
            Label::Negative => seen.n_negative += 1,
            Label::Unknown => {}
        }
    }
    seen
}

/// The mean row, and the factor that makes the mean squared length of the rest 1.
pub(super) fn standard(rows: Rows, background: Rows) -> (Vec<f32>, f32) {
    let n = (rows.n() + background.n()).max(1) as f64;
    let mut sums = vec![0.0f64; rows.dim];
    for row in rows.iter().chain(background.iter()) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    let center: Vec<f32> = sums.iter().map(|sum| (sum / n) as f32).collect();
    let squared =
        |row: &[f32]| -> f64 { row.iter().zip(&center).map(|(x, c)| f64::from(x - c).powi(2)).sum() };
    let mean = rows.iter().chain(background.iter()).map(squared).sum::<f64>() / n;
    let scale = if mean > 1e-24 { (1.0 / mean.sqrt()) as f32 } else { 1.0 };
    (center, scale)
}
