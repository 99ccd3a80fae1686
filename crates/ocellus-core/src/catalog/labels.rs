//! The concepts of a classifier: one per output, and groups of outputs under a broader word.

use std::collections::HashMap;

use ocellus_algo::embed::softmax;

use super::OWN_LANGUAGE;
use crate::predict::Scored;

/// A concept that a public model knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicConcept {
    /// Stable id.
    pub id: String,
    /// Readable name, English.
    pub name: String,
}

/// The concepts of a model and how they follow from its outputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    /// One per output of the model, in order, then one per group.
    pub concepts: Vec<PublicConcept>,
    n_outputs: usize,
    groups: Vec<Group>,
    by_id: HashMap<String, usize>,
    by_name: HashMap<String, usize>,
}

/// Which outputs a broader concept gathers.
#[derive(Clone, Debug, PartialEq)]
struct Group {
    members: Vec<usize>,
    weight: f32,
}

impl Labels {
    /// Reads the two tables; each starts with a line of column names. The error says which line cannot be read.
    pub fn parse(classes: &str, groups: &str) -> Result<Self, String> {
        let mut labels = Self::default();
        for (row, line) in rows(classes) {
            let &[index, id, name, ..] = line.as_slice() else {
                return Err(format!("class row {row} has too few columns"));
            };
            if index.parse() != Ok(labels.concepts.len()) {
                return Err(format!("class row {row} has index {index}, which is out of order"));
            }
            labels.add(id, name)?;
        }
        labels.n_outputs = labels.concepts.len();
        for (row, line) in rows(groups) {
            let &[id, name, members, ..] = line.as_slice() else {
                return Err(format!("group row {row} has too few columns"));
            };
            let members: Option<Vec<usize>> = members
                .split(',')
                .map(|idx| idx.trim().parse().ok().filter(|idx| *idx < labels.n_outputs))
                .collect();
            let members = members.ok_or_else(|| format!("group row {row} has a member that is no class"))?;
            let weight = line
                .get(3)
                .map_or(Ok(1.0), |text| text.parse())
                .map_err(|_| format!("group row {row} has no weight"))?;
            labels.add(id, name)?;
            labels.groups.push(Group { members, weight });
        }
        Ok(labels)
    }

    fn add(&mut self, id: &str, name: &str) -> Result<(), String> {
        let idx = self.concepts.len();
        if self.by_id.insert(id.to_owned(), idx).is_some() {
            return Err(format!("concept id {id} is used twice"));
        }
        // Two classes may share a name ("crane" the bird and the machine); the first is found by it.
        self.by_name.entry(name.to_lowercase()).or_insert(idx);
        self.concepts.push(PublicConcept { id: id.to_owned(), name: name.to_owned() });
        Ok(())
    }

    /// The position of a concept by id, or else by name in any case.
    pub fn find(&self, id: &str, name: &str) -> Option<usize> {
        match id {
            "" => self.by_name.get(&name.to_lowercase()).copied(),
            id => self.by_id.get(id).copied(),
        }
    }

    /// The concept with this id.
    pub fn by_id(&self, id: &str) -> Option<&PublicConcept> {
        self.by_id.get(id).map(|idx| &self.concepts[*idx])
    }

    /// The concept at a position with its probability; nothing if there is none.
    pub(crate) fn scored(&self, idx: usize, probability: f32) -> Option<Scored> {
        let concept = self.concepts.get(idx)?;
        let (concept_id, name) = (concept.id.clone(), concept.name.clone());
        Some(Scored { concept_id, name, language: OWN_LANGUAGE.to_owned(), probability })
    }

    /// How many outputs the model has.
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// The probability of every concept, in order: softmax for the classes; for a group its weight times the sum of its
    /// members' probabilities.
    pub fn probabilities(&self, logits: &[f32]) -> Vec<f32> {
        self.with_groups(softmax(logits))
    }

    /// The probabilities of the classes, then those of the groups.
    pub fn with_groups(&self, mut probabilities: Vec<f32>) -> Vec<f32> {
        for group in &self.groups {
            let sum: f32 = group.members.iter().filter_map(|idx| probabilities.get(*idx)).sum();
            probabilities.push((group.weight * sum).clamp(0.0, 1.0));
        }
        probabilities
    }
}

/// The rows below the header with their numbers, split into columns; blank lines and comments are left out.
pub(super) fn rows(table: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    table
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        .skip(1)
        .map(|(idx, line)| (idx + 1, line.split('\t').collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: &str = "index\tid\tname\n0\tai_a\tbeagle\n1\tai_b\tpug\n2\tai_c\tespresso\n";

    #[test]
    fn a_group_is_as_probable_as_its_members_together_times_its_weight() {
        let groups = "id\tname\tmembers\tweight\nai_d\tdog\t0,1\t1\nai_e\tanimal\t0,1\t0.5\n";
        let labels = Labels::parse(CLASSES, groups).unwrap();
        let p = labels.probabilities(&[2.0, 1.0, 0.0]);
        assert_eq!(p.len(), 5);
        assert!((p[0] + p[1] + p[2] - 1.0).abs() < 1e-6);
        assert!((p[3] - (p[0] + p[1])).abs() < 1e-6);
        assert!((p[4] - 0.5 * (p[0] + p[1])).abs() < 1e-6);
    }

    #[test]
    fn concepts_are_found_by_id_or_by_name_in_any_case() {
        let labels = Labels::parse(CLASSES, "id\tname\tmembers\nai_d\tDog\t0,1\n").unwrap();
        let table = [
            ("ai_b", "", Some(1)),
            ("", "PUG", Some(1)),
            ("", "dog", Some(3)),
            ("ai_x", "pug", None),
            ("", "cat", None),
        ];
        for (id, name, expected) in table {
            assert_eq!(labels.find(id, name), expected, "{id} {name}");
        }
        assert_eq!(labels.by_id("ai_d").unwrap().name, "Dog");
    }

    #[test]
    fn a_damaged_table_is_refused_with_its_row() {
        let head = "id\tname\tmembers\tweight\n";
        let table = [
            ("index\tid\tname\n1\tai_a\tbeagle\n", "", "class row 2 has index 1, which is out of order"),
            ("index\tid\tname\n0\tai_a\n", "", "class row 2 has too few columns"),
            (CLASSES, "ai_d\tdog\t0,9\t1\n", "group row 2 has a member that is no class"),
            (CLASSES, "ai_a\tdog\t0,1\t1\n", "concept id ai_a is used twice"),
        ];
        for (classes, groups, expected) in table {
            assert_eq!(Labels::parse(classes, &format!("{head}{groups}")).unwrap_err(), expected);
        }
    }
}
