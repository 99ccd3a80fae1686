//! Opening, transactions, and values that a database might change.

use ocellus_store::testing::TestStore;
use ocellus_store::{Account, Amount, Durability, Error, Key, Store, StoreConfig, Used};

use crate::input;

fn account(id: &str, created_at_us: i64) -> Account {
    Account {
        id: id.to_owned(),
        uuid: format!("uuid-{id}"),
        name: "Ada".to_owned(),
        email: Some("a@b".to_owned()),
        created_at_us,
        public: false,
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_opening_again() {
    for db in TestStore::all().await {
        db.store.write(|tx| tx.set_meta("k", "v")).await.unwrap();
        let again = Store::open(&db.config).await.unwrap();
        assert_eq!(again.read(|tx| tx.meta("k")).await.unwrap().as_deref(), Some("v"), "{}", db.name);
    }
}

#[tokio::test]
async fn an_error_undoes_the_transaction_and_leaves_the_store_usable() {
    for db in TestStore::all().await {
        let failed: Result<(), Error> = db
            .store
            .write(|tx| {
                tx.set_meta("k", "v")?;
                Err(Error::Conflict("on purpose".to_owned()))
            })
            .await;
        assert_eq!(failed, Err(Error::Conflict("on purpose".to_owned())));
        assert_eq!(db.store.read(|tx| tx.meta("k")).await, Ok(None), "{}", db.name);
        db.store.write(|tx| tx.set_meta("k", "w")).await.unwrap();
    }
}

#[tokio::test]
async fn a_panic_undoes_the_transaction_reaches_the_caller_and_leaves_the_store_usable() {
    for db in TestStore::all().await {
        let store = db.store.clone();
        let panicking = tokio::spawn(async move {
            store
                .write(|tx| {
                    tx.set_meta("k", "v")?;
                    assert!(tx.meta("k")?.is_none(), "on purpose");
                    Ok::<_, Error>(())
                })
                .await
        });
        assert!(panicking.await.unwrap_err().is_panic());
        for _ in 0..20 {
            assert_eq!(db.store.read(|tx| tx.meta("k")).await, Ok(None), "{}", db.name);
        }
        db.store.write(|tx| tx.set_meta("k", "w")).await.unwrap();
    }
}

#[tokio::test]
async fn a_reading_transaction_cannot_write() {
    for db in TestStore::all().await {
        assert!(db.store.read(|tx| tx.set_meta("k", "v")).await.is_err(), "{}", db.name);
        assert_eq!(db.store.read(|tx| tx.meta("k")).await, Ok(None));
    }
}

#[tokio::test]
async fn a_conflict_leaves_the_rest_of_the_transaction_standing() {
    for db in TestStore::all().await {
        let both = db.store.write(|tx| {
            tx.insert_input(&input("a", "1"))?;
            assert_eq!(tx.insert_input(&input("a", "1")), Err(Error::Conflict("inputs".to_owned())));
            tx.insert_input(&input("a", "2"))
        });
        assert_eq!(both.await, Ok(2), "{}", db.name);
    }
}

#[tokio::test]
async fn a_value_that_a_database_would_change_or_refuse_is_refused_by_both() {
    for db in TestStore::all().await {
        let nul = db.store.write(|tx| tx.set_meta("k", "a\0b")).await;
        assert!(matches!(nul, Err(Error::Unstorable(_))), "{}", db.name);
        let nan = db.store.write(|tx| tx.put_predictions("a", "i", "m", &[("c".into(), f64::NAN)]));
        assert!(matches!(nan.await, Err(Error::Unstorable(_))), "{}", db.name);
    }
}

#[tokio::test]
async fn texts_and_numbers_come_back_as_they_were() {
    for db in TestStore::all().await {
        let mut given = input("a", "ид/%2F 'x' \"y\" ?1 $1 🦎");
        given.source_url = Some(format!("http://x/{}", "y".repeat(5000)));
        given.phash = Some(i64::MIN);
        given.lat = Some(-0.1);
        given.lon = Some(f64::from_bits(0x400921fb54442d18));
        given.metadata = crate::json(r#"{"b":1,"a":{"x":[1e300,-5,"\u0000"]},"n":9007199254740993}"#);
        given.seq = 1;
        let wanted = given.clone();
        let found = db
            .store
            .write(move |tx| {
                tx.insert_input(&given)?;
                tx.input("a", &given.id)
            })
            .await;
        assert_eq!(found, Ok(Some(wanted)), "{}", db.name);
    }
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_said_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = format!("file:{}", folder.path().join("b").display());
    for url in ["", "mysql://x", "sqlite:", "sqlite::memory:", "postgres://u:sesame@[::bad/x"] {
        let error = Store::open(&StoreConfig::new(url, &blobs)).await.err().unwrap();
        assert!(matches!(error, Error::Config(_)), "{url}: {error}");
        assert!(!error.to_string().contains("sesame"));
    }
    let unreachable = StoreConfig::new("postgres://u:sesame@127.0.0.1:1/x", &blobs);
    let error = Store::open(&unreachable).await.err().unwrap();
    assert!(matches!(error, Error::Down(_)), "{error}");
    assert!(!format!("{error} {unreachable:?}").contains("sesame"));
    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is not a database, but it is long enough to be looked at".repeat(20))
        .unwrap();
    let error = Store::open(&StoreConfig::new(format!("sqlite:{}", text.display()), &blobs)).await;
    assert!(matches!(error.err().unwrap(), Error::Down(why) if why.contains("text.db")));
}

#[tokio::test]
async fn both_durabilities_open_and_commit() {
    let folder = tempfile::tempdir().unwrap();
    for durability in [Durability::Full, Durability::Normal] {
        let file = folder.path().join(format!("new/folder/{durability:?}.db"));
        let blobs = format!("file:{}", folder.path().join("b").display());
        let mut config = StoreConfig::new(format!("sqlite:{}", file.display()), blobs);
        config.durability = durability;
        let store = Store::open(&config).await.unwrap();
        store.write(|tx| tx.set_meta("k", "v")).await.unwrap();
    }
}

#[tokio::test]
async fn accounts_are_found_by_id_and_uuid_and_are_unique() {
    for db in TestStore::all().await {
        let add = db.store.write(|tx| {
            tx.insert_account(&account("late", 9))?;
            tx.insert_account(&account("early", 1))
        });
        add.await.unwrap();
        let found = db.store.read(|tx| {
            assert_eq!(tx.account("none")?, None);
            assert_eq!(tx.account("late")?, Some(account("late", 9)));
            assert_eq!(tx.account_by_uuid("uuid-early")?, Some(account("early", 1)));
            tx.accounts()
        });
        assert_eq!(found.await.unwrap(), [account("early", 1), account("late", 9)], "{}", db.name);
        let mut same_uuid = account("other", 1);
        same_uuid.uuid = "uuid-late".to_owned();
        let refused = db.store.write(move |tx| tx.insert_account(&same_uuid)).await;
        assert_eq!(refused, Err(Error::Conflict("accounts".to_owned())));
    }
}

#[tokio::test]
async fn keys_are_found_by_hash_changed_and_revoked_by_their_owner_only() {
    let key = |id: &str, created_at_us| Key {
        id: id.to_owned(),
        hash: format!("{id}-hash"),
        kind: "api_key".to_owned(),
        account_id: "me".to_owned(),
        app_uid: Some("a".to_owned()),
        description: String::new(),
        scopes: vec![1, 300, u16::MAX],
        created_at_us,
        expires_at_us: Some(99),
        revoked_at_us: None,
    };
    for db in TestStore::all().await {
        let (late, early) = (key("late", 9), key("early", 1));
        let wanted = late.clone();
        let checks = db.store.write(move |tx| {
            tx.insert_key(&late)?;
            tx.insert_key(&early)?;
            assert_eq!(tx.insert_key(&late), Err(Error::Conflict("access_keys".to_owned())));
            assert_eq!(tx.key_by_hash("late-hash")?.as_ref(), Some(&wanted));
            assert_eq!(tx.key_by_hash("late")?, None);
            assert_eq!(tx.key("you", "late")?, None);
            assert_eq!(tx.keys_of("me", 10, 0)?, [early.clone(), late.clone()]);
            assert_eq!(tx.keys_of("me", 1, 1)?, std::slice::from_ref(&late));
            let mut changed = late.clone();
            changed.scopes = vec![];
            changed.app_uid = None;
            changed.description = "new".to_owned();
            changed.expires_at_us = None;
            assert!(tx.update_key(&changed)?);
            assert_eq!(tx.key("me", "late")?.as_ref(), Some(&changed));
            assert!(!tx.revoke_key("you", "late", 50)?);
            assert!(tx.revoke_key("me", "late", 50)?);
            assert!(!tx.revoke_key("me", "late", 51)?);
            assert!(!tx.update_key(&changed)?);
            assert_eq!(tx.key_by_hash("late-hash")?.and_then(|key| key.revoked_at_us), Some(50));
            assert_eq!(tx.keys_of("me", 10, 0)?, std::slice::from_ref(&early));
            assert_eq!(tx.revoke_keys_of_app("a", 60)?, 1);

            for (id, kind, expires_at_us) in
                [("old", "token", Some(99)), ("new", "token", Some(101)), ("pat", "pat", Some(99))]
            {
                let mut key = late.clone();
                (key.id, key.hash) = (id.to_owned(), id.to_owned());
                (key.kind, key.expires_at_us) = (kind.to_owned(), expires_at_us);
                tx.insert_key(&key)?;
            }
            assert_eq!(tx.purge_expired_tokens(100)?, 1);
            assert_eq!((tx.key_by_hash("old")?, tx.key_by_hash("new")?.is_some()), (None, true));
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counts_and_other_writes_at_the_same_time_all_arrive() {
    const N_WRITERS: i64 = 16;
    const N_EACH: i64 = 25;
    for db in TestStore::all().await {
        // As an operator runs it, so that commits of both kinds take turns.
        let config = StoreConfig { durability: Durability::Full, ..db.config.clone() };
        let store = Store::open(&config).await.unwrap();
        let used = Used {
            account_id: "a".to_owned(),
            day: 1,
            operation: "Call".to_owned(),
            app_owner_id: String::new(),
            app_id: String::new(),
            key_id: "k".to_owned(),
            model_id: String::new(),
            kind: "other".to_owned(),
        };
        let mut writers = Vec::new();
        for writer in 0..N_WRITERS {
            let (store, used) = (store.clone(), used.clone());
            writers.push(tokio::spawn(async move {
                for i in 0..N_EACH {
                    let used = used.clone();
                    let amount = Amount { n_calls: 1, n_operations: 3 };
                    store.count(move |tx| tx.add_usage(&[(&used, amount)])).await.unwrap();
                    let name = format!("{writer}-{i}");
                    let write = move |tx: &mut ocellus_store::Tx<'_>| tx.count_try(&name, 0, 1).map(|_| ());
                    store.write(write).await.unwrap();
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
        let expected = Amount { n_calls: N_WRITERS * N_EACH, n_operations: 3 * N_WRITERS * N_EACH };
        assert_eq!(store.read(|tx| tx.usage("a", 0, 2)).await.unwrap(), [(used, expected)], "{}", db.name);
        let n_tries = store.write(|tx| tx.purge_throttles(2)).await.unwrap();
        assert_eq!(n_tries as i64, N_WRITERS * N_EACH);
    }
}
