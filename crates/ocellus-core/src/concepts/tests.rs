//! Making, changing and finding concepts.

use serde_json::json;

use super::*;
use crate::Kind;
use crate::testing::TestPlatform;

#[test]
fn a_star_stands_for_anything_and_case_does_not_matter() {
    for (pattern, name, fits) in [
        ("*", "", true),
        ("dog", "Dog", true),
        ("dog", "dogs", false),
        ("do*", "dogs", true),
        ("*gs", "dogs", true),
        ("d*s", "dogs", true),
        ("d*o*s", "dogs", true),
        ("d*s*o*", "dogs", false),
        ("ab*ba", "aba", false),
        ("*的*", "人的狗", true),
    ] {
        assert_eq!(matches(pattern, name), fits, "{pattern} against {name}");
    }
}

fn new(id: &str, name: &str, language: &str) -> NewConcept {
    NewConcept {
        id: id.to_owned(),
        name: name.to_owned(),
        language: language.to_owned(),
        ..NewConcept::default()
    }
}

fn ids(concepts: &[Concept]) -> Vec<&str> {
    concepts.iter().map(|concept| concept.id.as_str()).collect()
}

#[tokio::test]
async fn a_concept_id_can_be_used_once_per_app_and_a_batch_is_all_or_nothing() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let made = create(&app, vec![new("dog", "", ""), new("", "Cat", "fr")]).await.unwrap();
        assert_eq!(ids(&made), ["dog", "Cat"]);
        assert_eq!(
            (made[0].name.as_str(), made[0].language.as_str(), made[1].language.as_str()),
            ("dog", "en", "fr")
        );
        for batch in
            [vec![new("cow", "", ""), new("dog", "", "")], vec![new("cow", "", ""), new("cow", "", "")]]
        {
            let error = create(&app, batch).await.unwrap_err();
            assert_eq!(error.kind, Kind::Conflict);
            assert!(matches!(error.about, Some(Resource::Concept(_))));
        }
        assert_eq!(
            get(&app, "cow").await.unwrap_err(),
            Error::not_found(Resource::Concept("cow".to_owned()))
        );
        assert_eq!(list(&app, Page::first(10)).await.unwrap().len(), 2);
        let long = "x".repeat(129);
        for bad in [vec![], vec![new(&long, "", "")], vec![new("a\nb", "", "")]] {
            assert_eq!(create(&app, bad).await.unwrap_err().kind, Kind::Invalid);
        }
    }
}

#[tokio::test]
async fn patching_a_concept_changes_what_is_given_or_nothing_at_all() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        create(&app, vec![new("dog", "Dog", "")]).await.unwrap();
        let change = |id: &str| ConceptPatch {
            id: id.to_owned(),
            name: Some("Hound".to_owned()),
            metadata: json!({"a": 1}).as_object().cloned(),
            ..ConceptPatch::default()
        };
        let error = patch(&app, vec![change("dog"), change("nope")], PatchAction::Merge).await.unwrap_err();
        assert_eq!(error.kind, Kind::NotFound);
        assert_eq!(get(&app, "dog").await.unwrap().name, "Dog");
        let patched = patch(&app, vec![change("dog")], PatchAction::Merge).await.unwrap();
        assert_eq!((patched[0].name.as_str(), patched[0].language.as_str()), ("Hound", "en"));
        assert_eq!(search(&app, query("hound", None, false), Page::first(10)).await.unwrap().len(), 1);
    }
}

fn query(name: &str, language: Option<&str>, public: bool) -> ConceptQuery {
    ConceptQuery { name: name.to_owned(), language: language.map(str::to_owned), public }
}

#[tokio::test]
async fn concepts_are_found_by_pattern_and_language_the_own_before_the_public_ones() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let own = vec![new("c1", "Robin", "en"), new("c2", "Rotkehlchen", "de"), new("c3", "的な", "ja")];
        create(&app, own).await.unwrap();
        for (name, language, expected) in [
            ("ro*", None, vec!["c1", "c2"]),
            ("RO*", Some("de"), vec!["c2"]),
            ("*的*", None, vec!["c3"]),
            ("ro", None, vec![]),
            ("", None, vec!["c1", "c2", "c3"]),
        ] {
            let found = search(&app, query(name, language, false), Page::first(10)).await.unwrap();
            assert_eq!(ids(&found), expected, "{name} {language:?}");
        }
        let found = search(&app, query("*robin*", None, true), Page::first(10)).await.unwrap();
        assert!(found.len() > 1 && found[0].id == "c1" && found[1..].iter().all(|concept| concept.public));
        let second = search(&app, query("*robin*", None, true), Page { page: 2, per_page: 1 }).await.unwrap();
        assert_eq!(ids(&second), ids(&found[1..2]));
        let public = test.platform.app(&test.caller().await, "clarifai", "main", &[]).await.unwrap();
        assert_eq!(get(&public, &found[1].id).await.unwrap().name, found[1].name);
        assert_eq!(list(&public, Page::first(5)).await.unwrap().len(), 5);
    }
}
