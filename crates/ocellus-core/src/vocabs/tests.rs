//! Vocabularies keep the order of their concepts.

use super::*;
use crate::Kind;
use crate::concepts::{self as all, NewConcept};
use crate::resources::New;
use crate::testing::TestPlatform;

fn ids(found: &[Concept]) -> String {
    found.iter().map(|concept| concept.id.as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn concepts_stand_in_the_order_in_which_they_were_added_and_stay_in_the_app_when_taken_out() {
    for test in TestPlatform::all().await {
        let app = test.app().await;
        let new = |id: &str| NewConcept { id: id.to_owned(), ..NewConcept::default() };
        all::create(&app, ["a", "b", "c", "d"].map(new).into()).await.unwrap();
        let vocab = New { id: Some("v".to_owned()), doc: Vocab::default() };
        resources::create(&Shelf::from(&app), vec![vocab]).await.unwrap();
        let list = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(ids(&add_concepts(&app, "v", list("c a")).await.unwrap()), "c a");
        add_concepts(&app, "v", list("d b")).await.unwrap();
        assert_eq!(ids(&concepts(&app, "v", Page::default()).await.unwrap()), "c a d b");
        assert_eq!(ids(&concepts(&app, "v", Page { page: 2, per_page: 3 }).await.unwrap()), "b");
        for (bad, kind) in [("nobody", Kind::NotFound), ("a", Kind::Conflict)] {
            assert_eq!(add_concepts(&app, "v", list(bad)).await.unwrap_err().kind, kind);
        }
        assert_eq!(remove_concepts(&app, "v", list("a x")).await.unwrap_err().kind, Kind::NotFound);
        remove_concepts(&app, "v", list("a d")).await.unwrap();
        assert_eq!(ids(&concepts(&app, "v", Page::default()).await.unwrap()), "c b");
        clear_concepts(&app, "v").await.unwrap();
        assert_eq!(ids(&concepts(&app, "v", Page::default()).await.unwrap()), "");
        assert_eq!(all::list(&app, Page::default()).await.unwrap().len(), 4);
    }
}
