//! Making, changing and finding concepts.

use serde_json::json;

use super::*;
use crate::Kind;
use crate::catalog::Predicate;
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
async fn concepts_of_one_call_stay_in_the_order_in_which_they_were_given() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let given = ["zebra", "ant", "mole"];
        create(&app, given.iter().map(|id| new(id, "", "")).collect()).await.unwrap();
        create(&app, vec![new("bee", "", "")]).await.unwrap();
        assert_eq!(ids(&list(&app, Page::first(10)).await.unwrap()), ["zebra", "ant", "mole", "bee"]);
        assert_eq!(ids(&list(&app, Page { page: 2, per_page: 1 }).await.unwrap()), ["ant"]);
    }
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
    ConceptQuery { name: name.to_owned(), language: language.map(str::to_owned), public, without_own: false }
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

fn name_in(language: &str, name: &str) -> languages::ConceptLanguage {
    languages::ConceptLanguage {
        language: language.to_owned(),
        name: name.to_owned(),
        definition: String::new(),
    }
}

#[tokio::test]
async fn a_concept_has_one_name_per_language_and_is_found_by_each() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        create(&app, vec![new("dog", "Dog", "en"), new("cat", "Cat", "en")]).await.unwrap();
        let all = Page::default();
        languages::create(&app, "dog", vec![name_in("ja", "いぬ"), name_in("de", "Hund")]).await.unwrap();
        for (concept, names, kind) in [
            ("dog", vec![name_in("fr", "chien"), name_in("ja", "イヌ")], Kind::Conflict),
            ("dog", vec![name_in("en", "hound")], Kind::Conflict),
            ("nobody", vec![name_in("fr", "chien")], Kind::NotFound),
            ("cat", vec![name_in("f r", "chat")], Kind::Invalid),
            ("cat", vec![], Kind::Invalid),
        ] {
            assert_eq!(languages::create(&app, concept, names).await.unwrap_err().kind, kind);
        }
        let codes = |names: Vec<languages::ConceptLanguage>| -> Vec<String> {
            names.into_iter().map(|name| format!("{}:{}", name.language, name.name)).collect()
        };
        let names = languages::list(&app, "dog", all).await.unwrap();
        assert_eq!(
            codes(names),
            ["en:Dog", "de:Hund", "ja:いぬ"],
            "the refused call added none of its names"
        );
        let found = search(&app, query("hu*", Some("de"), false), all).await.unwrap();
        assert_eq!(
            (ids(&found), found[0].name.as_str(), found[0].language.as_str()),
            (vec!["dog"], "Hund", "de")
        );
        assert!(search(&app, query("hu*", Some("ja"), false), all).await.unwrap().is_empty());

        languages::patch(
            &app,
            "dog",
            vec![name_in("ja", "イヌ"), name_in("en", "Hound")],
            PatchAction::Overwrite,
        )
        .await
        .unwrap();
        languages::patch(&app, "dog", vec![name_in("de", "")], PatchAction::Remove).await.unwrap();
        let names = languages::list(&app, "dog", all).await.unwrap();
        assert_eq!(codes(names), ["en:Hound", "ja:イヌ"]);
        for (language, action, kind) in
            [("de", PatchAction::Overwrite, Kind::NotFound), ("en", PatchAction::Remove, Kind::Invalid)]
        {
            let refused = languages::patch(&app, "dog", vec![name_in(language, "x")], action).await;
            assert_eq!(refused.unwrap_err().kind, kind);
        }
    }
}

#[tokio::test]
async fn public_concepts_have_names_synonyms_and_relations_of_their_own() {
    let test = TestPlatform::new().await;
    let (app, all) = (test.app().await, Page::default());
    const DOG: &str = "ai_8S2Vq3cR";
    assert_eq!(languages::get(&app, DOG, "de").await.unwrap().name, "Hund");
    assert_eq!(languages::get(&app, DOG, "xx").await.unwrap_err().kind, Kind::NotFound);
    let found = search(&app, query("hund", Some("de"), true), all).await.unwrap();
    assert_eq!((ids(&found), found[0].language.as_str()), (vec![DOG], "de"));
    // "man-eating shark" is another word for the great white shark.
    let found = search(&app, query("man-eating*", None, true), all).await.unwrap();
    assert_eq!(ids(&found), ["ai_L1A9pCxr"]);
    let of_dog = |predicate| relations::RelationQuery {
        concept_id: Some(DOG.to_owned()),
        predicate: Some(predicate),
        graph_id: None,
    };
    let narrower = relations::list(&app, of_dog(Predicate::Hyponym), all).await.unwrap();
    assert!(narrower.len() > 5 && narrower.iter().all(|r| r.subject.id == DOG && r.object.public));
    let broader = relations::list(&app, of_dog(Predicate::Hypernym), all).await.unwrap();
    assert!(!broader.is_empty() && broader.iter().all(|r| r.predicate == Predicate::Hypernym));
}

fn relation(subject: &str, predicate: Predicate, object: &str) -> relations::NewRelation {
    relations::NewRelation {
        id: String::new(),
        subject_id: subject.to_owned(),
        predicate,
        object_id: object.to_owned(),
        graph_id: String::new(),
    }
}

#[tokio::test]
async fn a_relation_is_said_once_and_seen_from_both_ends() {
    for test in TestPlatform::all().await {
        let (app, all) = (test.app().await, Page::default());
        create(&app, vec![new("burger", "", ""), new("food", "", ""), new("meal", "", "")]).await.unwrap();
        let made = relations::create(
            &app,
            vec![
                relation("food", Predicate::Hyponym, "burger"),
                relation("meal", Predicate::Synonym, "food"),
            ],
        )
        .await
        .unwrap();
        let seen = async |concept: Option<&str>, predicate| {
            let query = relations::RelationQuery {
                concept_id: concept.map(str::to_owned),
                predicate,
                ..relations::RelationQuery::default()
            };
            let found = relations::list(&app, query, all).await.unwrap();
            let text =
                |r: &relations::Relation| format!("{} {} {}", r.subject.id, r.predicate.name(), r.object.id);
            found.iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(seen(Some("burger"), None).await, ["burger hypernym food"]);
        assert_eq!(seen(Some("food"), Some(Predicate::Hyponym)).await, ["food hyponym burger"]);
        assert_eq!(seen(Some("food"), Some(Predicate::Hypernym)).await, [""; 0]);
        assert_eq!(seen(Some("food"), None).await, ["food hyponym burger", "food synonym meal"]);
        assert_eq!(seen(None, Some(Predicate::Hyponym)).await, ["food hyponym burger"]);
        assert_eq!(seen(None, None).await.len(), 2);
        for (again, kind) in [
            (relation("burger", Predicate::Hypernym, "food"), Kind::Conflict),
            (relation("food", Predicate::Synonym, "meal"), Kind::Conflict),
            (relation("food", Predicate::Synonym, "food"), Kind::Invalid),
            (relation("food", Predicate::Synonym, "nobody"), Kind::NotFound),
            (
                relations::NewRelation {
                    graph_id: "g".into(),
                    ..relation("meal", Predicate::Hypernym, "food")
                },
                Kind::NotFound,
            ),
        ] {
            assert_eq!(relations::create(&app, vec![again]).await.unwrap_err().kind, kind);
        }
        let gone = vec![made[0].id.clone()];
        assert_eq!(relations::delete(&app, "meal", gone.clone()).await.unwrap_err().kind, Kind::NotFound);
        relations::delete(&app, "burger", gone).await.unwrap();
        assert_eq!(seen(None, None).await, ["food synonym meal"]);
        relations::delete(&app, "food", Vec::new()).await.unwrap();
        assert!(seen(None, None).await.is_empty());
    }
}
