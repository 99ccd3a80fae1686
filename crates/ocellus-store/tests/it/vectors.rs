//! Vectors: an index that follows them by `seq` sees every change once.

use std::collections::BTreeMap;

use ocellus_store::testing::TestStore;
use ocellus_store::{Error, Tx, Vector};

use crate::input;

/// A change that is written at once.
type Step = fn(&mut Tx<'_>) -> Result<(), Error>;

fn vector(space: &str, input_id: &str, data: &[f32]) -> Vector {
    Vector {
        app_uid: "a".to_owned(),
        space: space.to_owned(),
        input_id: input_id.to_owned(),
        seq: 0,
        deleted: false,
        data: data.to_vec(),
    }
}

#[tokio::test]
async fn numbers_come_back_bit_for_bit() {
    for db in TestStore::all().await {
        let odd = [0.1, -0.0, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY, 1e-45];
        let checks = db.store.write(move |tx| {
            assert_eq!(tx.put_vectors(&[])?, 0);
            tx.put_vectors(&[vector("s", "1", &odd)])?;
            let found = tx.vector("a", "s", "1")?.unwrap();
            let bits = |data: &[f32]| data.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&found.data), bits(&odd));
            assert_eq!(tx.vector("a", "t", "1")?, None);
            assert_eq!(tx.vector("b", "s", "1")?, None);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn a_follower_sees_additions_changes_and_deletions_in_order() {
    for db in TestStore::all().await {
        let mut copy: BTreeMap<String, Vec<f32>> = BTreeMap::new();
        let mut seq = 0;
        let steps: [Step; 5] = [
            |tx| {
                let many: Vec<_> =
                    (0..100_u8).map(|i| vector("s", &format!("{i}"), &[f32::from(i)])).collect();
                tx.put_vectors(&many).map(drop)
            },
            |tx| {
                tx.put_vectors(&[
                    vector("s", "7", &[70.0]),
                    vector("s", "7", &[71.0]),
                    vector("t", "7", &[1.0]),
                ])
                .map(drop)
            },
            |tx| tx.delete_vectors_of("a", &["8", "7", "none"]).map(|n| assert_eq!(n, 3)),
            |tx| tx.put_vectors(&[vector("s", "8", &[80.0])]).map(drop),
            |tx| {
                tx.insert_input(&input("a", "9"))?;
                tx.delete_inputs("a", &["9"]).map(|n| assert_eq!(n, 1))
            },
        ];
        for step in steps {
            db.store.write(step).await.unwrap();
            loop {
                let news = db.store.read(move |tx| tx.vectors_since("a", "s", seq, 7)).await.unwrap();
                if news.is_empty() {
                    break;
                }
                for vector in news {
                    assert!(vector.seq > seq, "{}", db.name);
                    seq = vector.seq;
                    if vector.deleted {
                        assert!(vector.data.is_empty());
                        copy.remove(&vector.input_id);
                    } else {
                        copy.insert(vector.input_id, vector.data);
                    }
                }
            }
        }
        assert_eq!(copy.len(), 98, "{}", db.name);
        assert_eq!((copy.get("7"), copy.get("9")), (None, None));
        assert_eq!(copy.get("8"), Some(&vec![80.0]));
        let checks = db.store.read(move |tx| {
            assert_eq!(tx.count_vectors("a", "s")?, 98);
            assert_eq!(tx.count_vectors("a", "t")?, 0);
            assert_eq!(tx.last_vector_seq("a", "s")?, seq);
            assert_eq!(tx.last_vector_seq("a", "none")?, 0);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}
