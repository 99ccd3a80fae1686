//! Making, finding, changing and deleting documents of any kind.

use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::Kind;
use crate::testing::TestPlatform;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pet {
    name: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    legs: i64,
}

impl Document for Pet {
    const KIND: &'static str = "pet";
    const NOUN: &'static str = "pet";
    const FIELD: &'static str = "pets";

    fn about(&self) -> String {
        self.tags.first().cloned().unwrap_or_default()
    }

    fn state(&self) -> i64 {
        self.legs
    }

    fn check(&self) -> Result<()> {
        if self.legs < 0 { Err(Error::invalid("pets.legs", "must be 0 or more")) } else { Ok(()) }
    }
}

fn pet(id: &str, tag: &str, legs: i64) -> New<Pet> {
    let doc = Pet { name: id.to_uppercase(), tags: vec![tag.to_owned()], legs };
    New { id: Some(id.to_owned()), doc }
}

fn ids(found: &[Stored<Pet>]) -> Vec<&str> {
    found.iter().map(|pet| pet.id.as_str()).collect()
}

#[tokio::test]
async fn documents_are_made_together_or_not_at_all_and_found_again() {
    for test in TestPlatform::all().await {
        let shelf = Shelf::from(&test.app().await);
        let made = create(&shelf, vec![pet("cat", "fur", 4), pet("hen", "egg", 2)]).await.unwrap();
        assert_eq!((ids(&made), made[0].seq, made[1].seq), (vec!["cat", "hen"], 1, 2));
        assert_eq!(get::<Pet>(&shelf, "cat").await.unwrap(), made[0]);
        let taken = create(&shelf, vec![pet("cow", "fur", 4), pet("cat", "x", 1)]).await.unwrap_err();
        assert_eq!((taken.kind, taken.message.as_str()), (Kind::Conflict, "pet 'cat' exists already"));
        assert_eq!(get::<Pet>(&shelf, "cow").await.unwrap_err(), missing::<Pet>("cow"));
        for bad in [vec![], vec![pet("x", "", -1)], vec![pet(&"x".repeat(129), "", 1)]] {
            assert_eq!(create(&shelf, bad).await.unwrap_err().kind, Kind::Invalid);
        }
        let many = get_many::<Pet>(&shelf, &["hen", "nobody", "cat"]).await.unwrap();
        assert_eq!(ids(&many), ["hen", "cat"]);
    }
}

#[tokio::test]
async fn lists_follow_creation_page_and_filter_by_what_a_document_says() {
    for test in TestPlatform::all().await {
        let shelf = Shelf::from(&test.app().await);
        let all = vec![pet("d", "fur", 4), pet("c", "egg", 2), pet("b", "fur", 0), pet("a", "fur", 4)];
        create(&shelf, all).await.unwrap();
        create(&shelf.within("zoo"), vec![pet("d", "fur", 4)]).await.unwrap();
        let everything = Listing::default();
        for (listing, page, expected) in [
            (everything.clone(), Page::first(10), "d c b a"),
            (everything.clone(), Page { page: 2, per_page: 3 }, "a"),
            (Listing { newest_first: true, ..everything.clone() }, Page::first(2), "a b"),
            (Listing { about: Some("fur".to_owned()), ..everything.clone() }, Page::first(9), "d b a"),
            (Listing { state: Some(4), ..everything.clone() }, Page::first(9), "d a"),
            (Listing { every_parent: true, ..everything.clone() }, Page::first(9), "d c b a d"),
        ] {
            let found = list::<Pet>(&shelf, &listing, page).await.unwrap();
            assert_eq!(ids(&found).join(" "), expected, "{listing:?}");
        }
        let few = |pet: &Stored<Pet>| pet.doc.legs < 3;
        let found = search(&shelf, &everything, Page { page: 2, per_page: 1 }, few).await.unwrap();
        assert_eq!(ids(&found), ["b"]);
        assert_eq!(count::<Pet>(&shelf, &everything).await.unwrap(), 4);
        assert_eq!(count::<Pet>(&shelf.within("zoo"), &everything).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn patches_change_the_named_fields_and_the_lists_with_them() {
    for test in TestPlatform::all().await {
        let shelf = Shelf::from(&test.app().await);
        create(&shelf, vec![pet("cat", "fur", 4), pet("hen", "egg", 2)]).await.unwrap();
        test.clock.advance_us(5_000_000);
        let part = |json: Value| json.as_object().cloned().unwrap();
        for (action, change, expected) in [
            (PatchAction::Merge, json!({"tags": ["pet"]}), json!(["fur", "pet"])),
            (PatchAction::Merge, json!({}), json!(["fur", "pet"])),
            (PatchAction::Remove, json!({"tags": ["fur"]}), json!(["pet"])),
            (PatchAction::Overwrite, json!({"tags": ["a", "b"]}), json!(["a", "b"])),
        ] {
            let patches = vec![("cat".to_owned(), part(change.clone()))];
            let changed = patch::<Pet>(&shelf, patches, action).await.unwrap();
            assert_eq!(json!(changed[0].doc.tags), expected, "{action:?} {change}");
            assert_eq!((changed[0].doc.name.as_str(), changed[0].doc.legs), ("CAT", 4));
            assert_eq!(changed[0].modified_at_us - changed[0].created_at_us, 5_000_000);
        }
        let about_a = Listing { about: Some("a".to_owned()), ..Listing::default() };
        assert_eq!(ids(&list::<Pet>(&shelf, &about_a, Page::default()).await.unwrap()), ["cat"]);
        for (bad, kind) in [
            (vec![("hen".to_owned(), part(json!({"legs": -1})))], Kind::Invalid),
            (vec![("hen".to_owned(), part(json!({"legs": "two"})))], Kind::Invalid),
            (
                vec![("hen".to_owned(), part(json!({"legs": 9}))), ("no".to_owned(), JsonMap::new())],
                Kind::NotFound,
            ),
        ] {
            assert_eq!(patch::<Pet>(&shelf, bad, PatchAction::Overwrite).await.unwrap_err().kind, kind);
        }
        assert_eq!(get::<Pet>(&shelf, "hen").await.unwrap().doc.legs, 2);
        let changed = change(&shelf, "hen", |pet: &mut Pet| {
            pet.legs = 3;
            Ok(())
        });
        assert_eq!(changed.await.unwrap().doc.legs, 3);
    }
}

#[tokio::test]
async fn deleting_takes_all_named_or_none_and_an_app_takes_its_documents_along() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let shelf = Shelf::from(&app);
        create(&shelf, vec![pet("cat", "", 4), pet("hen", "", 2)]).await.unwrap();
        assert_eq!(delete::<Pet>(&shelf, &["cat", "no"]).await.unwrap_err(), missing::<Pet>("no"));
        delete::<Pet>(&shelf, &["cat"]).await.unwrap();
        assert_eq!(ids(&list::<Pet>(&shelf, &Listing::default(), Page::default()).await.unwrap()), ["hen"]);
        let account = Shelf::from(&test.account().await);
        create(&account, vec![pet("hen", "", 2)]).await.unwrap();
        crate::apps::delete(&app).await.unwrap();
        test.settle().await;
        assert_eq!(count::<Pet>(&shelf, &Listing::default()).await.unwrap(), 0);
        assert_eq!(count::<Pet>(&account, &Listing::default()).await.unwrap(), 1);
        let late = create(&shelf, vec![pet("late", "", 1)]).await.unwrap_err();
        assert_eq!(late.kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn a_key_of_one_app_looks_at_the_accounts_documents_and_changes_none() {
    let test = TestPlatform::new().await;
    let account = test.platform.account(&test.caller().await, "me", &[]).await.unwrap();
    let shelf = Shelf::from(&account);
    assert_eq!(create(&shelf, vec![pet("cat", "", 4)]).await.unwrap_err().kind, Kind::Forbidden);
    assert_eq!(count::<Pet>(&shelf, &Listing::default()).await.unwrap(), 0);
}
