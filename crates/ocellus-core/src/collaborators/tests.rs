//! Who may work on whose app, and for how long.

use super::{Who, collaborations, create, delete, list, patch};
use crate::testing::TestPlatform;
use crate::{AppCtx, Caller, Kind, Page, PatchAction, Result, Scope, ScopeSet, accounts, apps, concepts};

async fn friend(test: &TestPlatform) -> Caller {
    accounts::create(&test.platform, "friend", "Friend").await.unwrap();
    Caller::operator("friend")
}

async fn opened(test: &TestPlatform, by: &Caller, needs: &[Scope]) -> Result<AppCtx> {
    test.platform.app(by, "owner", &test.first.app_id, needs).await
}

async fn refusal(test: &TestPlatform, by: &Caller, needs: &[Scope]) -> Option<Kind> {
    opened(test, by, needs).await.err().map(|error| error.kind)
}

fn scopes(list: &[Scope]) -> ScopeSet {
    list.iter().copied().collect()
}

fn by_id(id: &str) -> Who {
    Who::Id(id.to_owned())
}

#[tokio::test]
async fn a_collaborator_may_do_what_both_the_key_and_the_owner_allow_until_taken_out() {
    for test in TestPlatform::all().await {
        let (app, friend) = (test.app().await, friend(&test).await);
        assert_eq!(refusal(&test, &friend, &[]).await, Some(Kind::NotFound));
        let new = vec![(by_id("friend"), scopes(&[Scope::CONCEPTS_ADD, Scope::CONCEPTS_GET]))];
        let made = create(&app, new).await.unwrap();
        let theirs = opened(&test, &friend, &[Scope::CONCEPTS_ADD]).await.unwrap();
        let concept = concepts::NewConcept { id: "dog".to_owned(), ..Default::default() };
        concepts::create(&theirs, vec![concept]).await.unwrap();
        assert_eq!(refusal(&test, &friend, &[Scope::INPUTS_GET]).await, Some(Kind::Forbidden));
        let weak = Caller { scopes: scopes(&[Scope::CONCEPTS_GET, Scope::INPUTS_GET]), ..friend.clone() };
        let few = opened(&test, &weak, &[]).await.unwrap();
        assert_eq!(few.caller().scopes, scopes(&[Scope::CONCEPTS_GET]));
        assert_eq!(apps::delete(&theirs).await.unwrap_err().kind, Kind::Forbidden);
        delete(&app, vec![made[0].id.clone()], Vec::new()).await.unwrap();
        assert_eq!(refusal(&test, &friend, &[]).await, Some(Kind::NotFound));
    }
}

#[tokio::test]
async fn a_collaborator_sees_the_one_app_and_nothing_else_of_the_owner() {
    for test in TestPlatform::all().await {
        let (app, friend) = (test.app().await, friend(&test).await);
        create(&app, vec![(by_id("friend"), ScopeSet::everything())]).await.unwrap();
        let new = apps::NewApp { id: Some("private".to_owned()), ..Default::default() };
        apps::create(&test.account().await, vec![new]).await.unwrap();
        assert!(test.platform.app(&friend, "owner", "private", &[]).await.is_err());
        assert!(test.platform.account(&friend, "owner", &[]).await.is_err());
        let account = test.platform.account(&friend, "me", &[]).await.unwrap();
        let found = collaborations(&account, Page::default()).await.unwrap();
        assert_eq!((found.len(), found[0].owner.id.as_str()), (1, "owner"));
        apps::delete(&app).await.unwrap();
        test.settle().await;
        assert!(collaborations(&account, Page::default()).await.unwrap().is_empty());
        assert!(opened(&test, &friend, &[]).await.is_err());
    }
}

#[tokio::test]
async fn nobody_gives_more_than_they_have_nor_invites_twice_or_the_owner() {
    for test in TestPlatform::all().await {
        let (app, friend) = (test.app().await, friend(&test).await);
        accounts::create(&test.platform, "third", "Third").await.unwrap();
        let few = scopes(&[Scope::COLLABORATORS_ADD, Scope::COLLABORATORS_GET]);
        let made = create(&app, vec![(by_id("friend"), few)]).await.unwrap();
        let theirs = opened(&test, &friend, &[]).await.unwrap();
        let kind = |result: Result<Vec<super::Collaborator>>| result.unwrap_err().kind;
        assert_eq!(
            kind(create(&theirs, vec![(by_id("third"), ScopeSet::everything())]).await),
            Kind::Forbidden
        );
        let more = vec![(made[0].id.clone(), vec![Scope::INPUTS_GET])];
        assert_eq!(kind(patch(&theirs, more.clone(), PatchAction::Merge).await), Kind::Forbidden);
        assert_eq!(kind(create(&app, vec![(by_id("friend"), few)]).await), Kind::Conflict);
        assert_eq!(kind(create(&app, vec![(by_id("owner"), few)]).await), Kind::Conflict);
        assert_eq!(
            kind(create(&app, vec![(by_id("third"), few), (by_id("nobody"), few)]).await),
            Kind::NotFound
        );
        assert_eq!(list(&app, Page::default()).await.unwrap().len(), 1, "all or none");
        let patched = patch(&app, more, PatchAction::Merge).await.unwrap();
        assert!(
            patched[0].scopes.allows(Scope::INPUTS_GET) && patched[0].scopes.allows(Scope::COLLABORATORS_ADD)
        );
    }
}
