//! The words of the public concepts: names in many languages, synonyms, and which concept is a kind of which.

use std::collections::{BTreeMap, HashMap};

use super::labels::rows;

/// The language of the concepts' own names.
pub const OWN_LANGUAGE: &str = "en";

/// What one concept is to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Predicate {
    /// The object is the broader one: a hamburger's hypernym is food.
    Hypernym,
    /// The object is the narrower one.
    Hyponym,
    /// Both mean the same.
    Synonym,
}

impl Predicate {
    /// As written in tables and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hypernym => "hypernym",
            Self::Hyponym => "hyponym",
            Self::Synonym => "synonym",
        }
    }

    /// The predicate of this name, in the singular or, as some paths have it, the plural.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "hypernym" | "hypernyms" => Some(Self::Hypernym),
            "hyponym" | "hyponyms" => Some(Self::Hyponym),
            "synonym" | "synonyms" => Some(Self::Synonym),
            _ => None,
        }
    }

    /// What the subject is to the object.
    #[must_use]
    pub fn inverse(self) -> Self {
        match self {
            Self::Hypernym => Self::Hyponym,
            Self::Hyponym => Self::Hypernym,
            Self::Synonym => Self::Synonym,
        }
    }
}

/// The words of the public concepts, by concept id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    names: HashMap<String, BTreeMap<String, String>>,
    synonyms: HashMap<String, Vec<(String, String)>>,
    relations: HashMap<String, Vec<(Predicate, String)>>,
    /// Language and concept by name or synonym in lower case.
    by_name: HashMap<String, Vec<(String, String)>>,
    order: Vec<String>,
}

impl Words {
    /// Reads the three tables; each starts with a line of column names. The error says which row cannot be read.
    pub fn parse(names: &str, synonyms: &str, relations: &str) -> Result<Self, String> {
        let mut words = Self::default();
        for (row, line) in rows(names) {
            let &[id, language, name, ..] = line.as_slice() else {
                return Err(format!("name row {row} has too few columns"));
            };
            words.index(id, language, name);
            words.names.entry(id.to_owned()).or_default().insert(language.to_owned(), name.to_owned());
        }
        for (row, line) in rows(synonyms) {
            let &[id, language, name, ..] = line.as_slice() else {
                return Err(format!("synonym row {row} has too few columns"));
            };
            words.index(id, language, name);
            words.synonyms.entry(id.to_owned()).or_default().push((language.to_owned(), name.to_owned()));
        }
        for (row, line) in rows(relations) {
            let &[subject, predicate, object, ..] = line.as_slice() else {
                return Err(format!("relation row {row} has too few columns"));
            };
            let predicate = Predicate::from_name(predicate)
                .ok_or_else(|| format!("relation row {row} has no known predicate"))?;
            if !words.relations.contains_key(subject) {
                words.order.push(subject.to_owned());
            }
            words.relations.entry(subject.to_owned()).or_default().push((predicate, object.to_owned()));
        }
        Ok(words)
    }

    fn index(&mut self, id: &str, language: &str, name: &str) {
        let known = self.by_name.entry(name.to_lowercase()).or_default();
        known.push((language.to_owned(), id.to_owned()));
    }

    /// The concepts with this name in a language other than their own, or with this synonym, in any case.
    pub fn ids_of<'a>(&'a self, name: &str, language: &'a str) -> impl Iterator<Item = &'a str> {
        let known = self.by_name.get(&name.to_lowercase()).into_iter().flatten();
        known.filter(move |(own, _)| own == language).map(|(_, id)| id.as_str())
    }

    /// The name of a concept in a language other than its own, if there is one, after the language that it really is
    /// in: a regional code such as "pt-BR" falls back to its language.
    pub fn name(&self, id: &str, language: &str) -> Option<(&str, &str)> {
        let names = self.names.get(id)?;
        let broad = || names.get_key_value(language.split(['-', '_']).next()?);
        let (language, name) = names.get_key_value(language).or_else(broad)?;
        Some((language, name))
    }

    /// All names of a concept in other languages, by language.
    pub fn names(&self, id: &str) -> impl Iterator<Item = (&str, &str)> {
        self.names.get(id).into_iter().flatten().map(|(language, name)| (language.as_str(), name.as_str()))
    }

    /// Other words for a concept in a language.
    pub fn synonyms<'a>(&'a self, id: &str, language: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.synonyms.get(id).into_iter().flatten();
        all.filter(move |(own, _)| own == language).map(|(_, name)| name.as_str())
    }

    /// What other concepts are to this one.
    pub fn relations(&self, id: &str) -> &[(Predicate, String)] {
        self.relations.get(id).map_or(&[], Vec::as_slice)
    }

    /// All relations as subject, predicate and object, in a fixed order.
    pub fn all_relations(&self) -> impl Iterator<Item = (&str, Predicate, &str)> {
        self.order.iter().flat_map(|id| {
            self.relations(id).iter().map(|(predicate, object)| (id.as_str(), *predicate, object.as_str()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str =
        "id\tlanguage\tname\tsource\nai_a\tja\t犬\town\nai_a\tpt\tcão\tcldr\nai_b\tde\tKatze\town\n";
    const SYNONYMS: &str = "id\tlanguage\tname\nai_a\ten\tdomestic dog\nai_a\tde\tKöter\n";
    const RELATIONS: &str = "subject\tpredicate\tobject\nai_a\thypernym\tai_c\nai_c\thyponym\tai_a\n";

    #[test]
    fn names_are_found_by_language_and_by_the_language_of_a_region() {
        let words = Words::parse(NAMES, SYNONYMS, RELATIONS).unwrap();
        let table = [("ja", Some("犬")), ("pt-BR", Some("cão")), ("zh", None), ("en", None), ("", None)];
        for (language, expected) in table {
            assert_eq!(words.name("ai_a", language).map(|(_, name)| name), expected, "{language}");
        }
        assert_eq!(words.name("ai_a", "pt-BR").unwrap().0, "pt");
        assert_eq!(words.ids_of("KATZE", "de").collect::<Vec<_>>(), ["ai_b"]);
        assert_eq!(words.ids_of("Katze", "fr").count(), 0);
        assert_eq!(words.names("ai_a").count(), 2);
        assert_eq!(words.synonyms("ai_a", "en").collect::<Vec<_>>(), ["domestic dog"]);
    }

    #[test]
    fn relations_are_found_from_both_ends() {
        let words = Words::parse(NAMES, SYNONYMS, RELATIONS).unwrap();
        assert_eq!(words.relations("ai_a"), [(Predicate::Hypernym, "ai_c".to_owned())]);
        assert_eq!(words.relations("ai_c"), [(Predicate::Hyponym, "ai_a".to_owned())]);
        assert_eq!(words.all_relations().count(), 2);
        for (subject, predicate, object) in words.all_relations() {
            assert!(words.relations(object).contains(&(predicate.inverse(), subject.to_owned())));
        }
    }

    #[test]
    fn a_damaged_table_is_refused_with_its_row() {
        let head = "a\tb\tc\n";
        let cases = [
            (Words::parse(&format!("{head}x\tja\n"), head, head), "name row 2 has too few columns"),
            (Words::parse(head, &format!("{head}x\n"), head), "synonym row 2 has too few columns"),
            (
                Words::parse(head, head, &format!("{head}x\tlikes\ty\n")),
                "relation row 2 has no known predicate",
            ),
        ];
        for (result, expected) in cases {
            assert_eq!(result.unwrap_err(), expected);
        }
    }
}
