//! How both databases mean to run the statements of the scenarios: by an index, or for a reason that stands here.

use ocellus_core::testing::TestPlatform;
use ocellus_store::testing::statements::{self, Extent, PoorPlan};

/// A statement that may read more than an index would have it read.
struct Exception {
    /// Part of the statement.
    sql: &'static str,
    extent: Extent,
    why: &'static str,
}

const EXCEPTIONS: &[Exception] = &[
    Exception {
        sql: "FROM accounts ORDER BY created_at_us, id",
        extent: Extent::Table,
        why: "the operator's list of accounts on the command line",
    },
    Exception {
        sql: "SELECT id FROM accounts LIMIT 1",
        extent: Extent::Table,
        why: "looks whether there is an account at all, and stops at the first",
    },
    Exception {
        sql: "SELECT app_uid, id, input_id, doc FROM annotations WHERE (app_uid, id) > (?1, ?2)",
        extent: Extent::Table,
        why: "a database that is brought up to date has all its annotations entered once, a thousand at a time",
    },
    Exception {
        sql: "SELECT COUNT(*) FROM models WHERE app_uid = ?1",
        extent: Extent::Owner,
        why: "counts the models of an app, from the index alone; people make dozens, not millions",
    },
    Exception {
        sql: "FROM view_counts v JOIN apps a ON a.uid = v.app_uid WHERE a.account_id = ?1",
        extent: Extent::Owner,
        why: "what is viewed most in all apps of an account, dozens; the views of each are found by type",
    },
    Exception {
        sql: "FROM resources WHERE owner_uid IN (SELECT uid FROM apps WHERE account_id = ?1",
        extent: Extent::Owner,
        why: "which collectors listen to a model, in all apps of an account, dozens; those of each are found by model",
    },
    Exception {
        sql: "name_key LIKE ?2 ESCAPE '!' ORDER BY name_key, id LIMIT",
        extent: Extent::Owner,
        why: "a search for names by a pattern may begin with anything; it reads names in order, a page of them",
    },
    Exception {
        sql: "SELECT COUNT(*) FROM vectors WHERE app_uid = ?1 AND seq >= ?2 AND deleted = ?3",
        extent: Extent::Owner,
        why: "all vectors of an app are to be deleted, and are counted first",
    },
];

/// What an app leaves behind is removed table by table, which means reading all that is there of it.
fn removes_all(sql: &str) -> bool {
    sql.starts_with("DELETE FROM ") && sql.ends_with(" WHERE app_uid = ?1")
}

/// Fails on the statements run so far that read a whole table, or everything of an app, without being an exception.
pub async fn check(test: &TestPlatform) {
    let poor = statements::poor_plans(test.platform.store()).await.unwrap();
    let excused = |plan: &PoorPlan| {
        (plan.extent == Extent::Owner && removes_all(&plan.sql))
            || EXCEPTIONS
                .iter()
                .any(|exception| exception.extent <= plan.extent && plan.sql.contains(exception.sql))
    };
    let bad: Vec<String> = poor
        .iter()
        .filter(|plan| !excused(plan))
        .map(|plan| format!("{:?} of {}: {}\n    {}", plan.extent, plan.table, plan.line, plan.sql))
        .collect();
    assert!(bad.is_empty(), "statements without a fitting index:\n{}", bad.join("\n"));
}

#[test]
fn every_exception_says_why() {
    for exception in EXCEPTIONS {
        assert!(exception.why.len() > 20, "{}", exception.sql);
    }
}
