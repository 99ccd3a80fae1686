//! Transactions that meet: none is lost, none fails.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::join_all;
use ocellus_store::testing::TestStore;
use ocellus_store::{Error, Job, JobPart};

use crate::input;

/// With a deferred transaction on SQLite 583 of these 800 fail; with PostgreSQL's default isolation 675
/// are lost without an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_tasks_that_read_then_write_one_row_lose_no_update_and_meet_no_error() {
    for db in TestStore::all().await {
        db.store.write(|tx| tx.set_meta("n", "0")).await.unwrap();
        let tasks = (0..8).map(|_| {
            let store = db.store.clone();
            tokio::spawn(async move {
                for _ in 0..100 {
                    let add = store.write(|tx| {
                        let n: i64 = tx.meta("n")?.unwrap().parse().unwrap();
                        tx.set_meta("n", &(n + 1).to_string())
                    });
                    add.await.unwrap();
                }
            })
        });
        for task in join_all(tasks).await {
            task.unwrap();
        }
        let n = db.store.read(|tx| tx.meta("n")).await.unwrap();
        assert_eq!(n.as_deref(), Some("800"), "{}", db.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_sees_one_moment_while_writers_move_on() {
    for db in TestStore::all().await {
        let set = |n: i64| {
            db.store.write(move |tx| {
                tx.set_meta("a", &n.to_string())?;
                tx.set_meta("b", &(-n).to_string())
            })
        };
        set(0).await.unwrap();
        let reader = {
            let store = db.store.clone();
            tokio::spawn(async move {
                for _ in 0..100 {
                    let both = store.read(|tx| Ok::<_, Error>((tx.meta("a")?, tx.meta("b")?)));
                    let (a, b) = both.await.unwrap();
                    let number = |text: Option<String>| text.unwrap().parse::<i64>().unwrap();
                    assert_eq!(number(a) + number(b), 0);
                }
            })
        };
        for n in 1..100 {
            set(n).await.unwrap();
        }
        reader.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_several_that_insert_the_same_input_wins_and_the_others_are_told() {
    for db in TestStore::all().await {
        let tries = (0..8).map(|_| db.store.write(|tx| tx.insert_input(&input("a", "same"))));
        let results = join_all(tries).await;
        let n_won = results.iter().filter(|result| result.is_ok()).count();
        let n_told = results
            .iter()
            .filter(|result| matches!(result, Err(Error::Conflict(table)) if table == "inputs"))
            .count();
        assert_eq!((n_won, n_told), (1, 7), "{}", db.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn inputs_become_visible_in_the_order_of_their_numbers() {
    for db in TestStore::all().await {
        let writers = (0..6).map(|w| {
            let store = db.store.clone();
            tokio::spawn(async move {
                for i in 0..20 {
                    store.write(move |tx| tx.insert_input(&input("a", &format!("{w}-{i}")))).await.unwrap();
                }
            })
        });
        let reader = {
            let store = db.store.clone();
            tokio::spawn(async move {
                let mut last = 0;
                while last < 120 {
                    let news = store.read(move |tx| tx.inputs_for_filter("a", last, 1000)).await.unwrap();
                    for facts in news {
                        // A gap would be an input that appears behind the reader's back.
                        assert_eq!(facts.seq, last + 1);
                        last = facts.seq;
                    }
                    tokio::task::yield_now().await;
                }
            })
        };
        for writer in join_all(writers).await {
            writer.unwrap();
        }
        reader.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn claimers_that_meet_take_each_part_exactly_once() {
    for db in TestStore::all().await {
        let insert = db.store.write(|tx| {
            for j in 0..4 {
                let parts: Vec<_> = (0..50).map(|i| JobPart::new(&format!("s{i}"), 0)).collect();
                tx.insert_job(&Job::new(&format!("j{j}"), "work", "me", 0), &parts)?;
            }
            Ok::<_, Error>(())
        });
        insert.await.unwrap();
        let n_finished = Arc::new(AtomicI64::new(0));
        let workers = (0..6).map(|w| {
            let (store, n_finished) = (db.store.clone(), Arc::clone(&n_finished));
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let claim = store.claim_parts(vec!["work".into()], format!("w{w}"), 1, 1000, 3);
                    let claimed = claim.await.unwrap();
                    if claimed.is_empty() {
                        return mine;
                    }
                    for (_, part) in claimed {
                        let finishing = part.clone();
                        assert!(store.write(move |tx| tx.finish_part(&finishing, 2)).await.unwrap());
                        n_finished.fetch_add(1, Ordering::SeqCst);
                        mine.push((part.job_id, part.idx));
                    }
                }
            })
        });
        let all: Vec<_> = join_all(workers).await.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(n_finished.load(Ordering::SeqCst), 200, "{}", db.name);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 200, "{}", db.name);
        for j in 0..4 {
            let job = db.store.read(move |tx| tx.job(&format!("j{j}"))).await.unwrap().unwrap();
            assert_eq!((job.state, job.n_done, job.finished_at_us), (Job::DONE, 50, Some(2)));
        }
    }
}
