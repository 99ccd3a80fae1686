//! Tables `models` and `model_versions` on every database.

use ocellus_store::testing::TestStore;
use ocellus_store::{Error, JsonMap, Model, ModelVersion};

fn model(uid: &str, id: &str) -> Model {
    Model {
        app_uid: "app".to_owned(),
        uid: uid.to_owned(),
        id: id.to_owned(),
        seq: 0,
        name: id.to_uppercase(),
        model_type_id: "t".to_owned(),
        doc: JsonMap::new(),
        account_id: "me".to_owned(),
        key_id: "k".to_owned(),
        modified_by: "me/k".to_owned(),
        created_at_us: 1,
        modified_at_us: 1,
    }
}

fn version(model_uid: &str, id: &str) -> ModelVersion {
    ModelVersion {
        app_uid: "app".to_owned(),
        model_uid: model_uid.to_owned(),
        id: id.to_owned(),
        seq: 0,
        state: "untrained".to_owned(),
        doc: JsonMap::new(),
        account_id: "me".to_owned(),
        key_id: "k".to_owned(),
        modified_by: "me/k".to_owned(),
        created_at_us: 1,
        modified_at_us: 1,
        completed_at_us: None,
    }
}

#[tokio::test]
async fn models_keep_their_uid_through_a_change_of_id_and_take_their_versions_along() {
    for test in TestStore::all().await {
        test.store
            .write(|tx| {
                assert_eq!((tx.insert_model(&model("1", "a"))?, tx.insert_model(&model("2", "b"))?), (1, 2));
                for (uid, id) in [("1", "x"), ("2", "x"), ("1", "y"), ("1", "z")] {
                    tx.insert_model_version(&version(uid, id))?;
                }
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
        for taken in [model("3", "a"), model("1", "c")] {
            let insert = test.store.write(move |tx| tx.insert_model(&taken)).await;
            assert!(matches!(insert, Err(Error::Conflict(_))));
        }
        test.store
            .write(|tx| {
                assert!(matches!(tx.update_model(&model("1", "b")), Err(Error::Conflict(_))));
                assert!(tx.update_model(&model("1", "c"))?);
                assert!(!tx.update_model(&model("9", "d"))?);
                let ids = |models: Vec<Model>| models.into_iter().map(|model| model.id).collect::<Vec<_>>();
                assert_eq!(ids(tx.models_page("app", 0, 10)?), ["c", "b"]);
                assert_eq!(ids(tx.models_page("app", 1, 10)?), ["b"]);
                assert_eq!(ids(tx.models_page("other", 0, 10)?), Vec::<String>::new());
                assert_eq!(tx.count_models("app")?, 2);

                let newest = tx.newest_model_versions("app", &["1", "2", "9"])?;
                assert_eq!((newest.len(), newest["1"].id.as_str(), newest["2"].id.as_str()), (2, "z", "x"));
                assert_eq!(tx.count_model_versions("app", &["1", "9"])?, [("1".to_owned(), 3)].into());
                let page = tx.model_versions_page("app", "1", i64::MAX, 2)?;
                assert_eq!(page.iter().map(|v| v.id.as_str()).collect::<Vec<_>>(), ["z", "y"]);
                let rest = tx.model_versions_page("app", "1", page[1].seq, 9)?;
                assert_eq!(rest.iter().map(|v| v.id.as_str()).collect::<Vec<_>>(), ["x"]);
                let ready = ModelVersion { completed_at_us: Some(7), ..version("1", "y") };
                assert!(tx.update_model_version(&ready)?);
                let found = tx.model_version("app", "1", "y")?.map(|v| v.completed_at_us);
                assert_eq!(found, Some(Some(7)));
                assert!(tx.delete_model_version("app", "1", "z")?);
                assert!(!tx.delete_model_version("app", "1", "z")?);

                assert_eq!(tx.delete_models("app", &["1"])?, 1);
                assert!(tx.model_versions_page("app", "1", i64::MAX, 9)?.is_empty());
                assert_eq!(tx.model_versions_page("app", "2", i64::MAX, 9)?.len(), 1);
                assert_eq!(tx.model("app", "c")?, None);
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
    }
}
