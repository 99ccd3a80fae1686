//! Jobs: leases, fencing, retries, cancellation.

use ocellus_store::testing::TestStore;
use ocellus_store::{Error, Job, JobError, JobPart, JobQuery, Lease, PartFate, Tx};

use crate::json;

const KINDS: &[&str] = &["work"];

fn failure(message: &str) -> JobError {
    JobError { code: "code".to_owned(), message: message.to_owned(), ..JobError::default() }
}

fn insert(tx: &Tx<'_>, id: &str, n_parts: usize) -> Result<(), Error> {
    let parts: Vec<_> = (0..n_parts).map(|i| JobPart::new(&format!("s{i}"), 100)).collect();
    tx.insert_job(&Job::new(id, "work", "me", 1), &parts)
}

fn claim(tx: &Tx<'_>, owner: &str, now_us: i64, limit: i64) -> Result<Vec<JobPart>, Error> {
    let claimed = tx.claim_parts(KINDS, owner, now_us, now_us + 1000, limit)?;
    Ok(claimed.into_iter().map(|(_, part)| part).collect())
}

#[tokio::test]
async fn a_job_runs_from_pending_to_done_part_by_part() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            let mut job = Job::new("j", "work", "me", 1);
            job.payload = json(r#"{"p":1}"#);
            job.app_uid = Some("a".to_owned());
            let mut part = JobPart::new("s0", 100);
            part.payload = json(r#"{"q":2}"#);
            tx.insert_job(&job, &[part, JobPart::new("s1", 50)])?;
            assert_eq!(tx.count_open_jobs()?, 1);
            assert_eq!(tx.next_due_us(KINDS)?, Some(50));
            assert_eq!(claim(tx, "w", 49, 9)?, []);
            assert_eq!(tx.claim_parts(&["other"], "w", 200, 300, 9)?, []);

            let claimed = tx.claim_parts(&["other", "work"], "w", 100, 1100, 9)?;
            let subjects: Vec<_> = claimed.iter().map(|(_, part)| part.subject.as_str()).collect();
            assert_eq!(subjects, ["s1", "s0"]);
            let (job, part) = &claimed[1];
            assert_eq!((job.state, &job.payload), (Job::RUNNING, &json(r#"{"p":1}"#)));
            assert_eq!((&part.payload, part.idx, part.attempts), (&json(r#"{"q":2}"#), 0, 1));
            assert_eq!((part.lease_owner.as_str(), part.lease_until_us), ("w", 1100));
            assert_eq!(claim(tx, "v", 1099, 9)?, []);

            assert!(tx.finish_part(part, 150)?);
            // Finishing again is what a stale worker would do.
            assert!(!tx.finish_part(part, 151)?);
            assert_eq!(tx.job("j")?.map(|job| (job.state, job.n_done)), Some((Job::RUNNING, 1)));
            assert!(tx.finish_part(&claimed[0].1, 160)?);
            let done = tx.job("j")?.unwrap();
            assert_eq!((done.state, done.n_parts, done.n_done, done.n_failed), (Job::DONE, 2, 2, 0));
            assert_eq!((done.finished_at_us, done.updated_at_us), (Some(160), 160));
            assert_eq!((tx.count_open_jobs()?, tx.next_due_us(KINDS)?), (0, None));
            assert!(tx.set_job_result("j", &json(r#"{"r":3}"#), 170)?);
            assert_eq!(tx.job("j")?.map(|job| job.result), Some(json(r#"{"r":3}"#)));
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn a_job_without_parts_gets_one() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            insert(tx, "j", 0)?;
            let part = claim(tx, "w", 200, 9)?.remove(0);
            assert_eq!((part.idx, part.subject.as_str()), (0, ""));
            assert!(tx.finish_part(&part, 201)?);
            assert_eq!(tx.job("j")?.map(|job| job.state), Some(Job::DONE));
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn a_part_whose_worker_died_goes_to_another_and_the_dead_one_can_write_nothing() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            insert(tx, "j", 1)?;
            let dead = claim(tx, "w", 100, 9)?.remove(0);
            assert_eq!(tx.extend_lease(&dead, 2000)?, Lease::Held);
            assert_eq!(claim(tx, "v", 1999, 9)?, []);
            // The same worker may come back under its own name.
            for owner in ["v", "w"] {
                let now = if owner == "v" { 2000 } else { 3000 };
                let alive = claim(tx, owner, now, 9)?.remove(0);
                assert_eq!(alive.attempts, if owner == "v" { 2 } else { 3 });
                assert_eq!(tx.extend_lease(&dead, 9000)?, Lease::Lost);
                assert!(!tx.finish_part(&dead, 2001)?);
                assert!(!tx.release_part(&dead)?);
                assert!(!tx.cancel_part(&dead, 2001)?);
                for retry in [None, Some(5000)] {
                    assert_eq!(tx.fail_part_or_retry(&dead, &failure("x"), retry, 2001)?, PartFate::Stale);
                }
            }
            assert_eq!(tx.job("j")?.map(|job| (job.n_done, job.n_failed)), Some((0, 0)));
            assert_eq!(tx.job_errors("j", 9, 0)?, []);
            assert!(tx.job_part("j", 0)?.is_some_and(|part| part.state == Job::RUNNING));
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn a_failed_attempt_is_retried_later_until_the_attempts_are_used_up() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            insert(tx, "j", 1)?;
            for (attempt, now) in [(1, 100), (2, 600)] {
                let part = claim(tx, "w", now, 9)?.remove(0);
                assert_eq!(part.attempts, attempt);
                let fate = tx.fail_part_or_retry(&part, &failure("try"), Some(now + 500), now)?;
                assert_eq!(fate, PartFate::Retried);
                assert_eq!(claim(tx, "w", now + 499, 9)?, []);
            }
            let waiting = tx.job_part("j", 0)?.unwrap();
            assert_eq!((waiting.error.as_str(), waiting.run_at_us), ("try", 1100));
            let part = claim(tx, "w", 1100, 9)?.remove(0);
            let fate = tx.fail_part_or_retry(&part, &failure("over"), Some(1600), 1101)?;
            assert_eq!(fate, PartFate::Failed);
            let job = tx.job("j")?.unwrap();
            assert_eq!((job.state, job.n_failed, job.error.as_str()), (Job::FAILED, 1, "over"));
            assert_eq!(job.finished_at_us, Some(1101));
            let expected = JobError { job_id: "j".to_owned(), part_idx: 0, ..failure("over") };
            assert_eq!(tx.job_errors("j", 9, 0)?, [expected]);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn one_failed_part_does_not_fail_its_neighbours() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            insert(tx, "j", 3)?;
            let parts = claim(tx, "w", 100, 9)?;
            assert_eq!(tx.fail_part_or_retry(&parts[1], &failure("bad"), None, 1)?, PartFate::Failed);
            assert!(tx.finish_part(&parts[0], 2)?);
            assert!(tx.finish_part(&parts[2], 3)?);
            let job = tx.job("j")?.unwrap();
            assert_eq!((job.state, job.n_done, job.n_failed), (Job::DONE, 2, 1));
            let states: Vec<_> = tx.job_parts("j", 9, 0)?.iter().map(|part| part.state).collect();
            assert_eq!(states, [Job::DONE, Job::FAILED, Job::DONE]);
            assert_eq!(tx.job_errors("j", 9, 0)?[0].part_idx, 1);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn a_part_given_back_unrun_is_as_if_it_had_not_been_claimed() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            insert(tx, "j", 1)?;
            let part = claim(tx, "w", 100, 9)?.remove(0);
            assert!(tx.release_part(&part)?);
            let again = claim(tx, "v", 101, 9)?.remove(0);
            assert_eq!((again.attempts, again.lease_owner.as_str()), (1, "v"));
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn a_cancelled_job_keeps_what_is_done_and_stops_the_rest() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            insert(tx, "j", 4)?;
            let parts = claim(tx, "w", 100, 2)?;
            assert!(tx.finish_part(&parts[0], 101)?);
            assert!(tx.cancel_job("j", 102)?);
            assert_eq!(claim(tx, "v", 200, 9)?, []);
            let job = tx.job("j")?.unwrap();
            assert_eq!((job.state, job.cancel_requested, job.finished_at_us), (Job::RUNNING, true, None));
            assert_eq!(tx.extend_lease(&parts[1], 5000)?, Lease::CancelRequested);
            assert!(tx.cancel_part(&parts[1], 103)?);
            let job = tx.job("j")?.unwrap();
            assert_eq!((job.state, job.n_done, job.finished_at_us), (Job::CANCELLED, 1, Some(103)));
            let states: Vec<_> = tx.job_parts("j", 9, 0)?.iter().map(|part| part.state).collect();
            assert_eq!(states, [Job::DONE, Job::CANCELLED, Job::CANCELLED, Job::CANCELLED]);
            assert!(!tx.cancel_job("j", 104)?);
            assert!(!tx.cancel_job("none", 104)?);

            // Nothing had begun: it ends at once.
            insert(tx, "k", 2)?;
            assert!(tx.cancel_job("k", 105)?);
            assert_eq!(tx.job("k")?.map(|job| job.state), Some(Job::CANCELLED));

            // A running part that fails is not tried again; one that is given back is cancelled.
            insert(tx, "l", 2)?;
            let parts = claim(tx, "w", 100, 2)?;
            assert!(tx.cancel_job("l", 106)?);
            let fate = tx.fail_part_or_retry(&parts[0], &failure("x"), Some(200), 107)?;
            assert_eq!(fate, PartFate::Failed);
            assert!(tx.release_part(&parts[1])?);
            assert_eq!(tx.job("l")?.map(|job| job.state), Some(Job::CANCELLED));
            assert_eq!(tx.count_open_jobs()?, 0);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn a_job_whose_parts_gave_up_by_themselves_ends_too() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            insert(tx, "j", 2)?;
            let parts = claim(tx, "w", 100, 2)?;
            assert!(tx.cancel_part(&parts[0], 101)?);
            assert_eq!(tx.job("j")?.map(|job| job.finished_at_us), Some(None), "the other one still runs");
            assert!(tx.finish_part(&parts[1], 102)?);
            let job = tx.job("j")?.unwrap();
            assert_eq!((job.state, job.n_done, job.finished_at_us), (Job::CANCELLED, 1, Some(102)));
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn one_open_job_has_a_dedupe_key_and_frees_it_at_its_end() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            let mut first = Job::new("j", "work", "me", 1);
            first.dedupe_key = Some("k".to_owned());
            tx.insert_job(&first, &[])?;
            let mut second = Job::new("j2", "work", "me", 2);
            second.dedupe_key = Some("k".to_owned());
            assert_eq!(tx.insert_job(&second, &[]), Err(Error::Conflict("jobs".to_owned())));
            assert_eq!(tx.open_job_by_dedupe_key("k")?.map(|job| job.id).as_deref(), Some("j"));
            let part = claim(tx, "w", 200, 9)?.remove(0);
            assert!(tx.finish_part(&part, 201)?);
            assert_eq!(tx.open_job_by_dedupe_key("k")?, None);
            tx.insert_job(&second, &[])?;
            assert_eq!(
                tx.insert_job(&Job::new("j2", "x", "me", 1), &[]),
                Err(Error::Conflict("jobs".to_owned()))
            );
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}

#[tokio::test]
async fn jobs_are_listed_newest_first_by_account_app_and_kind_and_purged_when_old() {
    for db in TestStore::all().await {
        let checks = db.store.write(|tx| {
            for (i, (account, app, kind)) in
                [("me", Some("a"), "x"), ("me", None, "y"), ("you", Some("a"), "x"), ("me", Some("a"), "y")]
                    .into_iter()
                    .enumerate()
            {
                let mut job = Job::new(&format!("j{i}"), kind, account, i as i64);
                job.app_uid = app.map(str::to_owned);
                tx.insert_job(&job, &[])?;
            }
            let list = |app: Option<&str>, kind: Option<&str>, limit, offset| {
                let query = JobQuery {
                    app_uid: app.map(str::to_owned),
                    kind: kind.map(str::to_owned),
                    limit,
                    offset,
                };
                let ids = tx.jobs_of("me", &query)?.into_iter().map(|job| job.id);
                Ok::<_, Error>(ids.collect::<Vec<_>>().join(" "))
            };
            assert_eq!(list(None, None, 9, 0)?, "j3 j1 j0");
            assert_eq!(list(Some("a"), None, 9, 0)?, "j3 j0");
            assert_eq!(list(Some("a"), Some("y"), 9, 0)?, "j3");
            assert_eq!(list(None, None, 1, 1)?, "j1");

            tx.cancel_job("j0", 100)?;
            tx.cancel_job("j1", 200)?;
            assert_eq!(tx.purge_jobs(200, 9)?, 1);
            assert_eq!(list(None, None, 9, 0)?, "j3 j1");
            assert_eq!(tx.job_parts("j0", 9, 0)?, []);
            assert_eq!(tx.job_parts("j1", 9, 0)?.len(), 1);
            Ok::<_, Error>(())
        });
        checks.await.unwrap();
    }
}
