//! Every RPC that is built has scenarios for what works and for each way in which a call can be refused.

use std::collections::{BTreeMap, BTreeSet};

use ocellus_http::scenario::{self, Told};

use crate::{bindings, scenarios};

/// How a call can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Success,
    BadInput,
    MissingScope,
    OtherAccount,
    NotFound,
}

const ENDS: [End; 5] = [End::Success, End::BadInput, End::MissingScope, End::OtherAccount, End::NotFound];

/// RPCs that cannot end in some ways, and why.
struct Exception {
    rpcs: &'static [&'static str],
    ends: &'static [End],
    why: &'static str,
}

const EXCEPTIONS: &[Exception] = &[
    Exception {
        rpcs: &[
            "MyScopes",
            "ListScopes",
            "GetUser",
            "PostValidatePassword",
            "ListAppDuplications",
            "GetAppDuplication",
            "PostTrendingMetricsView",
            "ListTrendingMetricsViews",
            "PostUserConsent",
            "ListUsageIntervals",
        ],
        ends: &[End::MissingScope],
        why: "the vendor's proto asks for no scope",
    },
    Exception {
        rpcs: &["ListStatusCodes", "GetStatusCode", "ListOpenSourceLicenses", "GetHealthz", "Echo"],
        ends: &[End::MissingScope, End::OtherAccount],
        why: "open to everybody, and the same for everybody",
    },
    Exception {
        rpcs: &["ListStatusCodes", "ListOpenSourceLicenses", "GetHealthz"],
        ends: &[End::BadInput, End::NotFound],
        why: "the request is an empty message",
    },
    Exception {
        rpcs: &["Echo"],
        ends: &[End::NotFound],
        why: "it looks nothing up, it says back what it is told",
    },
    Exception {
        rpcs: &["GetStatusCode"],
        ends: &[End::BadInput],
        why: "it takes any text; what is no code is not found",
    },
    Exception {
        rpcs: &["PostLogin", "PostSignup", "PostVerifyEmail", "PostToken"],
        ends: &[End::MissingScope, End::OtherAccount, End::NotFound],
        why: "they come before any key; who is there and who is not, they do not tell",
    },
    Exception {
        rpcs: &["PostLogin", "PostToken"],
        ends: &[End::BadInput],
        why: "everything wrong with them is a wrong password, with 401",
    },
    Exception {
        rpcs: &["PostVerifyEmail"],
        ends: &[End::Success],
        why: "the code comes by letter only; tests/it/accounts.rs reads it there",
    },
    Exception {
        rpcs: &["PostRunnerItemOutputs"],
        ends: &[End::Success],
        why: "a worker and a caller at the same time; tests/it/runners.rs is both",
    },
    Exception {
        rpcs: &["PutModelVersionExports", "GetModelVersionExport"],
        ends: &[End::Success],
        why: "only what was trained or brought along becomes a bundle; tests/it/brought_models.rs brings one",
    },
    Exception {
        rpcs: &["MyScopesRoot", "ListScopes", "ListPublicWorkflows", "ListUsageIntervals"],
        ends: &[End::OtherAccount, End::NotFound],
        why: "about the key or the server, not about an account or app",
    },
    Exception { rpcs: &["MyScopesRoot"], ends: &[End::BadInput], why: "the request is an empty message" },
    Exception {
        rpcs: &["GetSubscription", "PostSubscription", "GetBillingUsage"],
        ends: &[End::OtherAccount],
        why: "their one path names no account: they are about that of the key",
    },
    Exception {
        rpcs: &["GetSubscription", "GetBillingUsage"],
        ends: &[End::NotFound],
        why: "about the account of the key, which is there",
    },
    Exception {
        rpcs: &["GetSubscription", "GetBillingUsage", "ListUsageIntervals"],
        ends: &[End::BadInput],
        why: "the request holds nothing but whose it is",
    },
    Exception {
        rpcs: &["PatchUsers"],
        ends: &[End::NotFound],
        why: "another account than one's own is forbidden",
    },
];

/// How a told exchange ends. Keys of the second account begin with `other`.
fn end(told: &Told) -> Option<End> {
    let of_other = told.key.as_deref().is_some_and(|key| key.starts_with("other"));
    match told.status.as_str() {
        "200" | "207" => Some(End::Success),
        "403" | "404" if of_other => Some(End::OtherAccount),
        "403" => Some(End::MissingScope),
        "404" => Some(End::NotFound),
        "400" | "409" | "413" | "422" => Some(End::BadInput),
        _ => None,
    }
}

fn ends_told() -> BTreeMap<&'static str, BTreeSet<End>> {
    let mut ends: BTreeMap<&str, BTreeSet<End>> = BTreeMap::new();
    for file in scenario::files_in(&scenarios::folder()).unwrap() {
        let text = std::fs::read_to_string(&file).unwrap();
        for told in scenario::told(&file.display().to_string(), &text).unwrap() {
            let path = told.path.split('?').next().unwrap_or_default();
            if let (Some(route), Some(end)) = (bindings::route(&told.method, path), end(&told)) {
                ends.entry(&route.rpc).or_default().insert(end);
            }
        }
    }
    ends
}

fn excused(rpc: &str, end: End) -> bool {
    EXCEPTIONS.iter().any(|exception| exception.rpcs.contains(&rpc) && exception.ends.contains(&end))
}

#[test]
fn every_rpc_has_scenarios_for_success_bad_input_missing_scope_other_account_and_not_found() {
    let told = ends_told();
    let mut missing: BTreeMap<End, Vec<&str>> = BTreeMap::new();
    for rpc in bindings::built() {
        for end in ENDS {
            if !told.get(rpc).is_some_and(|ends| ends.contains(&end)) && !excused(rpc, end) {
                missing.entry(end).or_default().push(rpc);
            }
        }
    }
    let lines: Vec<String> =
        missing.iter().map(|(end, rpcs)| format!("{end:?} ({}): {}", rpcs.len(), rpcs.join(" "))).collect();
    assert!(lines.is_empty(), "no scenario for\n{}", lines.join("\n"));
}

#[test]
fn every_exception_is_needed_and_says_why() {
    let told = ends_told();
    for exception in EXCEPTIONS {
        assert!(exception.why.len() > 20, "{:?}", exception.rpcs);
        for rpc in exception.rpcs {
            for end in exception.ends {
                let there = told.get(rpc).is_some_and(|ends| ends.contains(end));
                assert!(!there, "there is a scenario for {rpc} that ends in {end:?} after all");
            }
        }
    }
}
