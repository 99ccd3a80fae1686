//! Signing up and in, and what strangers can find out.

use super::{
    Consent, NewUser, UserPatch, check_password, consent, create, get, patch, set_password, signup,
    verify_email,
};
use crate::testing::TestPlatform;
use crate::{AccountCtx, Kind, Page, PatchAction, keys, users};

const GOOD: &str = "correct horse battery";

fn ada() -> NewUser {
    NewUser {
        email: "Ada@Example.org".to_owned(),
        password: GOOD.to_owned(),
        profile: users::Profile {
            first_name: "Ada".to_owned(),
            last_name: "Lovelace".to_owned(),
            ..Default::default()
        },
        consents: vec![Consent::Tos],
        ..NewUser::default()
    }
}

async fn signed_in(test: &TestPlatform, secret: &str) -> AccountCtx {
    let caller = test.platform.authenticate(secret).await.unwrap();
    test.platform.account(&caller, "me", &[]).await.unwrap()
}

#[tokio::test]
async fn a_person_signs_up_and_in_and_the_session_ends_by_itself() {
    for test in TestPlatform::all().await {
        let platform = &test.platform;
        let (user, first) = signup(platform, ada(), "a").await.unwrap();
        assert_eq!((user.account.name.as_str(), user.verified), ("Ada Lovelace", false));
        assert!(user.profile.consents.contains_key(&Consent::Tos));
        let (_, second) = users::login(platform, "ada@example.org", GOOD, false, "a").await.unwrap();
        assert_ne!(first.secret, second.secret);
        let account = signed_in(&test, &second.secret).await;
        assert_eq!(account.account().id, user.account.id);
        assert_eq!(
            keys::list(&account, Page::default(), None).await.unwrap().len(),
            0,
            "sessions are no keys"
        );
        let (_, long) = users::login(platform, "ada@example.org", GOOD, true, "a").await.unwrap();
        test.clock.advance_us(86_400 * 1_000_000);
        assert_eq!(platform.authenticate(&second.secret).await.unwrap_err().kind, Kind::Unauthenticated);
        platform.authenticate(&long.secret).await.unwrap();
    }
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_are_refused_in_the_same_words() {
    for test in TestPlatform::all().await {
        let platform = &test.platform;
        signup(platform, ada(), "a").await.unwrap();
        let wrong = users::login(platform, "ada@example.org", "wrong", false, "a").await.unwrap_err();
        let nobody = users::login(platform, "bob@example.org", GOOD, false, "a").await.unwrap_err();
        assert_eq!((wrong.kind, &wrong), (Kind::Unauthenticated, &nobody));
        // The first account has no password, so no password fits, the empty one neither.
        for email in ["owner", "#owner", ""] {
            assert_eq!(users::login(platform, email, "", false, "b").await.unwrap_err(), nobody);
        }
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_without_locking_the_owner_out() {
    for test in TestPlatform::all().await {
        let platform = &test.platform;
        signup(platform, ada(), "a").await.unwrap();
        for _ in 0..10 {
            let refused =
                users::login(platform, "ada@example.org", "wrong", false, "evil").await.unwrap_err();
            assert_eq!(refused.kind, Kind::Unauthenticated);
        }
        let late = users::login(platform, "ADA@example.org", GOOD, false, "evil").await.unwrap_err();
        assert_eq!((late.kind, late.retry_after_s), (Kind::Exhausted, Some(901)));
        for _ in 0..20 {
            users::login(platform, "ada@example.org", GOOD, false, "home").await.unwrap();
        }
        test.clock.advance_us(900 * 1_000_000);
        users::login(platform, "ada@example.org", GOOD, false, "evil").await.unwrap();
    }
}

#[tokio::test]
async fn an_address_belongs_to_one_account_and_a_bad_password_makes_none() {
    for test in TestPlatform::all().await {
        let platform = &test.platform;
        signup(platform, ada(), "a").await.unwrap();
        let again = NewUser { email: "aDA@example.ORG".to_owned(), ..ada() };
        assert_eq!(signup(platform, again, "a").await.unwrap_err().kind, Kind::Conflict);
        let weak = NewUser { email: "bob@example.org".to_owned(), password: "password1".to_owned(), ..ada() };
        assert_eq!(signup(platform, weak, "a").await.unwrap_err().kind, Kind::Invalid);
        for email in ["", "bob", "@x", "a b@c", "bob@", "a@b@c"] {
            let new = NewUser { email: email.to_owned(), ..ada() };
            assert_eq!(create(platform, new).await.unwrap_err().kind, Kind::Invalid, "{email}");
        }
        assert_eq!(crate::accounts::list(platform).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn strangers_make_no_account_where_only_the_operator_does() {
    let test = TestPlatform::with(|config| config.accounts.signup_open = false).await;
    assert_eq!(signup(&test.platform, ada(), "a").await.unwrap_err().kind, Kind::Forbidden);
    let made = create(&test.platform, NewUser { id: Some("ada".to_owned()), ..ada() }).await.unwrap();
    assert_eq!(made.account.id, "ada");
    users::login(&test.platform, "ada@example.org", GOOD, false, "a").await.unwrap();
}

#[tokio::test]
async fn a_code_from_the_letter_verifies_the_address_once() {
    for test in TestPlatform::all().await {
        let platform = &test.platform;
        let (user, session) = signup(platform, ada(), "a").await.unwrap();
        let letter = platform.accounts_config().mailer.letters().pop().unwrap();
        assert_eq!(letter.to, "Ada@Example.org");
        assert_eq!(verify_email(platform, "nonsense", "a").await.unwrap_err().kind, Kind::Invalid);
        assert_eq!(verify_email(platform, &letter.text, "a").await.unwrap(), user.account.id);
        assert_eq!(verify_email(platform, &letter.text, "a").await.unwrap_err().kind, Kind::Invalid);
        let account = signed_in(&test, &session.secret).await;
        assert!(get(&account).await.unwrap().verified);
        let moved = UserPatch { email: Some("ada@new.example".to_owned()), ..UserPatch::default() };
        let moved = patch(&account, moved, PatchAction::Overwrite).await.unwrap();
        assert!(!moved.verified && moved.account.email.as_deref() == Some("ada@new.example"));
        let letter = platform.accounts_config().mailer.letters().pop().unwrap();
        test.clock.advance_us(super::email::CODE_US);
        assert_eq!(verify_email(platform, &letter.text, "a").await.unwrap_err().kind, Kind::Invalid);
    }
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_and_an_old_one_cannot_come_back() {
    for test in TestPlatform::all().await {
        let platform = &test.platform;
        let (user, session) = signup(platform, ada(), "a").await.unwrap();
        let account = signed_in(&test, &session.secret).await;
        assert!(check_password(&account, GOOD).await.unwrap().reused);
        let id = user.account.id.as_str();
        assert_eq!(set_password(platform, id, None, GOOD.to_owned()).await.unwrap_err().kind, Kind::Invalid);
        set_password(platform, id, None, "another good one".to_owned()).await.unwrap();
        assert_eq!(platform.authenticate(&session.secret).await.unwrap_err().kind, Kind::Unauthenticated);
        assert!(users::login(platform, "ada@example.org", GOOD, false, "a").await.is_err());
        users::login(platform, "ada@example.org", "another good one", false, "a").await.unwrap();
        // The first account has no address yet and needs one.
        let owner = || "yet another one".to_owned();
        assert_eq!(set_password(platform, "owner", None, owner()).await.unwrap_err().kind, Kind::Invalid);
        set_password(platform, "owner", Some("o@example.org"), owner()).await.unwrap();
        users::login(platform, "o@example.org", &owner(), false, "a").await.unwrap();
    }
}

#[tokio::test]
async fn consent_is_given_and_taken_back_by_its_owner_only() {
    for test in TestPlatform::all().await {
        let account = test.account().await;
        let user = consent(&account, vec![Consent::Gdpr, Consent::Marketing], true).await.unwrap();
        assert_eq!(user.profile.consents.len(), 2);
        let user = consent(&account, vec![Consent::Marketing], false).await.unwrap();
        assert_eq!(user.profile.consents.keys().collect::<Vec<_>>(), [&Consent::Gdpr]);
        let key = test.caller().await;
        let bound = test.platform.account(&key, "me", &[]).await.unwrap();
        assert_eq!(consent(&bound, vec![Consent::Gdpr], false).await.unwrap_err().kind, Kind::Forbidden);
    }
}
