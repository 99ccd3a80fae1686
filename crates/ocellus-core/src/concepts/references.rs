//! Where public concepts are described outside: the WordNet synset that each was made from.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::{AppCtx, Page, Result};

/// A link to an outside source for a concept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Unique among the links.
    pub id: String,
    /// The outside source.
    pub source: &'static str,
    /// The concept's id there.
    pub source_id: String,
    /// Its address there.
    pub source_url: String,
}

const CLASSES: &str = include_str!("../../../../models/labels/general.tsv");
const GROUP_RULES: &str = include_str!("../../../../models/labels/group_rules.tsv");
const GROUP_SYNSETS: &str = include_str!("../../../../models/labels/group_synsets.tsv");

/// WordNet 3.0 synsets: of classes by concept id, of groups by name.
static SYNSETS: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let mut synsets = HashMap::new();
    for line in rows(CLASSES) {
        if let &[_, id, _, synset] = line.as_slice() {
            synsets.insert(id, synset);
        }
    }
    for line in rows(GROUP_RULES) {
        if let &[name, _, wordnet, ..] = line.as_slice()
            && let Some(first) = wordnet.split(',').next().filter(|first| !first.is_empty())
        {
            synsets.insert(name, first);
        }
    }
    for line in rows(GROUP_SYNSETS) {
        if let &[name, synset] = line.as_slice() {
            synsets.insert(name, synset);
        }
    }
    synsets
});

/// The cells of a table's rows, without comments and column names.
fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    let lines = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.skip(1).map(|line| line.split('\t').collect())
}

/// The outside sources of a concept. `NotFound` if it is neither one of the app's nor a public one; a user's own concept
/// has none.
pub async fn list(app: &AppCtx, concept_id: &str, page: Page) -> Result<Vec<Reference>> {
    let page = page.check()?;
    let public = super::public_concepts(app).find(|concept| concept.id == concept_id);
    let Some(public) = public else {
        super::get(app, concept_id).await?;
        return Ok(Vec::new());
    };
    let synset = SYNSETS.get(concept_id).or_else(|| SYNSETS.get(public.name.as_str()));
    let found = synset.filter(|_| page.page == 1).map(|synset| wordnet(synset));
    Ok(found.into_iter().collect())
}

fn wordnet(synset: &str) -> Reference {
    let (kind, number) = synset.split_at(1);
    Reference {
        id: format!("wordnet-3.0:{synset}"),
        source: "wordnet-3.0",
        source_id: synset.to_owned(),
        source_url: format!("https://wordnet-rdf.princeton.edu/pwn30/{number}-{kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestPlatform;

    #[tokio::test]
    async fn every_public_concept_that_was_made_from_a_synset_refers_to_it() {
        let test = TestPlatform::new().await;
        let app = test.app().await;
        // Synset numbers as in WordNet 3.0: dog, tench, horse.
        for (name, synset) in [("dog", "n02084071"), ("tench", "n01440764"), ("horse", "n02374451")] {
            let id = super::super::public_concepts(&app).find(|concept| concept.name == name).unwrap().id;
            let found = list(&app, &id, Page::default()).await.unwrap();
            assert_eq!(found.iter().map(|r| r.source_id.as_str()).collect::<Vec<_>>(), [synset]);
        }
        let ids: Vec<String> = super::super::public_concepts(&app).map(|concept| concept.id).collect();
        let mut n_referring = 0;
        for id in &ids {
            n_referring += list(&app, id, Page::default()).await.unwrap().len();
        }
        assert!(n_referring > 1000, "{n_referring} of {}", ids.len());
        assert!(list(&app, "nobody", Page::default()).await.is_err());
    }
}
