//! Every operation as nobody, without each scope it asks for, as another account and as another app: it is refused in
//! the vendor's words, and nothing has changed. The operations come from the proto, so that a new one is in the matrix
//! at once.

mod calls;

use std::collections::BTreeMap;

use ocellus_core::testing::TestPlatform;
use ocellus_store::testing::rows;

use calls::{Answer, Operation, World};

/// Tables that keep count of calls, refused ones too.
const COUNTING: [&str; 4] = ["audit_log", "throttles", "usage_counts", "usage_hours"];

/// Operations that name an account or app, and are still meant for others.
const FOR_OTHERS: [(&str, &str); 1] = [("ListScopes", "what scopes there are is the same for everybody")];

/// Reads that the owner gets no plain success from in the populated world, and why.
const NOT_PLAIN: [(&str, &str); 3] = [
    ("GetInputVideoManifest", "is made of a video that was looked at, which the one here is not"),
    ("GetModelVersionInputExample", "what the public models learned from is not here"),
    ("GetModelWeight", "the weights of public models are files, not rows of an app"),
];

/// HTTP status and code of a refusal.
type Refusal = (u16, i32);

const NO_KEY: &[Refusal] = &[(401, 11102)];
const NO_SCOPE: &[Refusal] = &[(403, 11007)];
/// What belongs to others is not there. Where the kind of key is wrong, that comes first.
const NOT_YOURS: &[Refusal] = &[(404, 11101), (403, 11007)];

/// Somebody who must not get through.
struct Intruder {
    name: String,
    key: Option<String>,
    refusals: &'static [Refusal],
}

async fn intruders(world: &World, operation: &Operation) -> Vec<Intruder> {
    let with = |name: &str, key: &str| Intruder {
        name: name.to_owned(),
        key: Some(world.var(key)),
        refusals: NOT_YOURS,
    };
    let mut all = Vec::new();
    if !operation.open {
        all.push(Intruder { name: "nobody".to_owned(), key: None, refusals: NO_KEY });
    }
    for scope in &operation.needs {
        let key = Some(world.key_without(*scope).await);
        all.push(Intruder { name: format!("a key without {}", scope.name()), key, refusals: NO_SCOPE });
    }
    if operation.names_owner && !FOR_OTHERS.iter().any(|(rpc, _)| *rpc == operation.rpc) {
        all.push(with("another account's token", "other_pat"));
        all.push(with("another account's key", "other_key"));
        all.push(with("a key of another app", "second_key"));
    }
    all
}

fn judge(operation: &Operation, intruder: &Intruder, answer: &Answer, problems: &mut Vec<String>) {
    if !intruder.refusals.contains(&(answer.http, answer.code)) {
        problems.push(format!("{operation} as {}: {answer}", intruder.name));
    }
}

/// What has changed between two looks at the tables.
fn changed(before: &BTreeMap<&str, String>, after: &BTreeMap<&str, String>) -> Vec<String> {
    before
        .iter()
        .filter(|(table, old)| !COUNTING.contains(*table) && after[*table] != **old)
        .map(|(table, _)| (*table).to_owned())
        .collect()
}

fn none(problems: &[String], what: &str) {
    assert!(problems.is_empty(), "{} {what}:\n{}", problems.len(), problems.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_rest_nobody_gets_at_what_is_not_theirs_and_nothing_changes() {
    for test in TestPlatform::all().await {
        let world = World::populated(&test).await;
        let store = test.platform.store();
        let mut before = rows::digests(store).await.unwrap();
        let mut problems = Vec::new();
        for rpc in world.rpcs() {
            for operation in world.bindings(rpc, &mut problems) {
                for intruder in intruders(&world, &operation).await {
                    let answer = world.rest(&operation, intruder.key.as_deref()).await;
                    judge(&operation, &intruder, &answer, &mut problems);
                }
            }
            // Keys without a scope are made on the way.
            let after = rows::digests(store).await.unwrap();
            let tables: Vec<_> =
                changed(&before, &after).into_iter().filter(|t| t != "access_keys").collect();
            if !tables.is_empty() {
                problems.push(format!("{rpc}: somebody has changed {tables:?}"));
            }
            before = after;
        }
        none(&problems, "calls were not refused as they should be");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_grpc_the_same_are_refused() {
    let test = TestPlatform::new().await;
    let world = World::populated(&test).await;
    let mut problems = Vec::new();
    for rpc in world.rpcs() {
        // One message for an RPC: its first binding fills it.
        let Some(operation) = world.bindings(rpc, &mut problems).into_iter().next() else { continue };
        for intruder in intruders(&world, &operation).await {
            let answer = world.grpc(&operation, intruder.key.as_deref()).await;
            // Over gRPC there is only the code.
            let codes: Vec<i32> = intruder.refusals.iter().map(|(_, code)| *code).collect();
            if !codes.contains(&answer.code) {
                problems.push(format!("{operation} as {}: {answer}", intruder.name));
            }
        }
    }
    none(&problems, "calls were not refused as they should be");
}

/// Without this the refusals above could be about calls that nobody can make.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_reads_by_the_same_paths_and_others_see_their_own_only() {
    let test = TestPlatform::new().await;
    let world = World::populated(&test).await;
    let mut problems = Vec::new();
    for rpc in world.rpcs() {
        for operation in world.bindings(rpc, &mut problems).into_iter().filter(|o| o.method == "GET") {
            let plain = !NOT_PLAIN.iter().any(|(rpc, _)| *rpc == operation.rpc);
            let answer = world.rest(&operation, Some(&world.var("pat"))).await;
            if plain && answer.http != 200 {
                problems.push(format!("{operation} as the owner: {answer}"));
            }
            let anonymous = operation.without_owner();
            for key in ["other_pat", "other_key", "second_key"] {
                let answer = world.rest(&anonymous, Some(&world.var(key))).await;
                if answer.http >= 500 && answer.http != 501 {
                    problems.push(format!("{anonymous} as {key}: {answer}"));
                }
                if answer.shows_mark() && !asked_for_mark(&anonymous, &answer) {
                    problems.push(format!("{anonymous} as {key} shows what is not theirs: {answer}"));
                }
            }
        }
    }
    none(&problems, "reads went wrong");
}

/// An error may repeat the id that was asked for.
fn asked_for_mark(operation: &Operation, answer: &Answer) -> bool {
    answer.http != 200 && operation.path.contains(calls::MARK)
}
