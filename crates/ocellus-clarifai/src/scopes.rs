//! Scopes: which there are, what they depend on, and what the caller's key may do.
//!
//! What a scope depends on follows from the proto: it says of every call which scopes it asks for. The calls of a scope
//! are those named after it (`Inputs_Get`: GetInput, ListInputs), and it depends on whatever else they ask for; where no
//! call is named after a scope, on what all calls that ask for it ask for besides.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use ocellus_clarifai_proto as proto;
use ocellus_core::{Caller, Error, KeyKind, Result, Scope, ScopeSet};

use crate::auth::AuthType;
use crate::pb::*;
use crate::rpc::{self, Cx, Era};
use crate::{apps, service, status};

/// This server has no features to switch on for some users only.
const NO_FLAGS: &str = "{}";

pub async fn my_scopes(cx: Cx, req: MyScopesRequest) -> Result<MultiScopeResponse> {
    let caller = cx.caller()?.clone();
    let names_app = req.user_app_id.as_ref().is_some_and(|ids| !ids.app_id.is_empty());
    // In an app of somebody else a collaborator may do less than their key.
    let (caller, app) = match names_app || caller.app_uid.is_some() {
        true => {
            let app = cx.app(req.user_app_id).await?;
            (app.caller().clone(), Some(apps::to_wire(app.app())))
        }
        false => (caller, None),
    };
    Ok(MultiScopeResponse {
        status: status::success(),
        scopes: names(&caller.scopes),
        app,
        endpoints: endpoints(&caller),
        user_feature_flags: NO_FLAGS.to_owned(),
    })
}

pub async fn my_scopes_user(cx: Cx, req: MyScopesUserRequest) -> Result<MultiScopeUserResponse> {
    let account = cx.account(req.user_app_id).await?;
    let caller = account.caller();
    Ok(MultiScopeUserResponse {
        status: status::success(),
        scopes: names(&caller.scopes),
        endpoints: endpoints(caller),
        user_feature_flags: NO_FLAGS.to_owned(),
    })
}

#[expect(clippy::unused_async, reason = "handlers are async")]
pub async fn my_scopes_root(cx: Cx, _req: MyScopesRootRequest) -> Result<MultiScopeRootResponse> {
    let caller = cx.caller()?;
    Ok(MultiScopeRootResponse {
        status: status::success(),
        scopes: names(&caller.scopes),
        endpoints: endpoints(caller),
        user_feature_flags: NO_FLAGS.to_owned(),
    })
}

#[expect(clippy::unused_async, reason = "handlers are async")]
pub async fn list_scopes(cx: Cx, req: ListScopesRequest) -> Result<MultiScopeDepsResponse> {
    let of_app = match req.key_type.as_str() {
        "" | "personal_access_token" | "pat" | "session_token" => false,
        "api_key" => true,
        _ => {
            return Err(Error::invalid(
                "key_type",
                "must be api_key, personal_access_token or session_token",
            ));
        }
    };
    let scopes = Scope::all().filter(|scope| !of_app || fits_app_key(*scope));
    let all: Vec<ScopeDeps> = scopes
        .map(|scope| ScopeDeps {
            scope: scope.name().to_owned(),
            depending_scopes: names(&dependencies(scope)),
        })
        .collect();
    let calls = CALLS.iter().filter(|call| !of_app || call.auth != AuthType::Account);
    let endpoint_deps = calls.map(|call| EndpointDeps {
        endpoint: call.endpoint(),
        depending_scopes: call.needs.iter().map(|scope| scope.name().to_owned()).collect(),
    });
    // The list had another name in the first generation, and no endpoints.
    let (scopes, scope_deps, endpoint_deps) = match cx.era {
        Era::Y2019 => (all, Vec::new(), Vec::new()),
        Era::Current => (Vec::new(), all, endpoint_deps.collect()),
    };
    Ok(MultiScopeDepsResponse { status: status::success(), scope_deps, endpoint_deps, scopes })
}

/// A call that this server answers.
struct Call {
    name: String,
    needs: Arc<[Scope]>,
    auth: AuthType,
}

impl Call {
    /// The name by which gRPC clients call it.
    fn endpoint(&self) -> String {
        format!("/{}/{}", proto::SERVICE, self.name)
    }
}

static CALLS: LazyLock<Vec<Call>> = LazyLock::new(|| calls(rpc::is_built));

static DEPENDENCIES: LazyLock<BTreeMap<Scope, ScopeSet>> = LazyLock::new(|| {
    let all = calls(|_| true);
    Scope::all().map(|scope| (scope, dependencies_in(&all, scope))).collect()
});

fn calls(wanted: impl Fn(&str) -> bool) -> Vec<Call> {
    let service =
        proto::pool().get_service_by_name(proto::SERVICE).expect("the pool was built around this service");
    let methods = service.methods().filter(|method| wanted(method.name()));
    methods
        .map(|method| Call {
            name: method.name().to_owned(),
            needs: service::needs(&method),
            auth: service::auth(&method),
        })
        .collect()
}

/// What a scope is of little use without.
pub fn dependencies(scope: Scope) -> ScopeSet {
    DEPENDENCIES.get(&scope).copied().unwrap_or_default()
}

/// The scopes with what they depend on, as far as whoever gives them has it.
pub fn with_dependencies(given: &ScopeSet, have: &ScopeSet) -> ScopeSet {
    let implied: ScopeSet = given.iter().flat_map(|scope| dependencies(scope).numbers()).map(Scope).collect();
    given.iter().chain(implied.iter().filter(|scope| have.allows(*scope))).collect()
}

fn dependencies_in(all: &[Call], scope: Scope) -> ScopeSet {
    let asking: Vec<&Call> = all.iter().filter(|call| call.needs.contains(&scope)).collect();
    let named: Vec<&Call> = all
        .iter()
        .filter(|call| is_named_after(&call.name, scope.name()))
        .filter(|call| asking.is_empty() || call.needs.contains(&scope))
        .collect();
    let mut found: ScopeSet = match (named.is_empty(), asking.split_first()) {
        (true, None) => ScopeSet::empty(),
        (true, Some((first, rest))) => {
            let everywhere = |other: &&Scope| rest.iter().all(|call| call.needs.contains(other));
            first.needs.iter().filter(everywhere).copied().collect()
        }
        (false, _) => named.iter().flat_map(|call| call.needs.iter().copied()).collect(),
    };
    found = found.iter().filter(|other| *other != scope).collect();
    found
}

/// Whether a call is named after a scope.
fn is_named_after(call: &str, scope: &str) -> bool {
    match scope {
        "Search" => return ["PostSearches", "PostInputsSearches", "PostAnnotationsSearches"].contains(&call),
        "Predict" => return call == "PostModelOutputs",
        "Models_Train" => return call == "PostModelVersions",
        _ => {}
    }
    let Some((noun, verb)) = scope.rsplit_once('_') else { return false };
    let noun = if noun == "SavedSearch" { "Searche" } else { noun };
    let verbs: &[&str] = match verb {
        "Get" => &["Get", "List"],
        "Add" => &["Post", "Patch"],
        "Patch" => &["Patch"],
        "Delete" => &["Delete"],
        _ => &[],
    };
    let stem = noun.trim_end_matches('s');
    verbs.iter().filter_map(|verb| call.strip_prefix(verb)).any(|rest| rest.trim_end_matches('s') == stem)
}

/// Whether the key of an app can do anything with a scope.
fn fits_app_key(scope: Scope) -> bool {
    scope == Scope::ALL || CALLS.iter().any(|call| call.auth == AuthType::Key && call.needs.contains(&scope))
}

/// The calls that a caller may make.
fn endpoints(caller: &Caller) -> Vec<String> {
    let bound = caller.kind == KeyKind::ApiKey || caller.app_uid.is_some();
    let may = |call: &&Call| {
        !(bound && call.auth == AuthType::Account)
            && call.needs.iter().all(|scope| caller.scopes.allows(*scope))
    };
    CALLS.iter().filter(may).map(Call::endpoint).collect()
}

fn names(scopes: &ScopeSet) -> Vec<String> {
    scopes.iter().map(|scope| scope.name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deps(scope: Scope) -> Vec<String> {
        names(&dependencies(scope))
    }

    #[test]
    fn a_scope_depends_on_what_the_calls_named_after_it_ask_for() {
        // The needs of GetInput and ListInputs in the proto.
        assert_eq!(deps(Scope::INPUTS_GET), ["Concepts_Get", "Annotations_Get", "Apps_Get"]);
        assert_eq!(deps(Scope::CONCEPTS_GET), ["Apps_Get"]);
        assert_eq!(deps(Scope::PREDICT), ["Concepts_Get", "Models_Get", "Apps_Get"]);
        assert!(deps(Scope::SEARCH).contains(&"Inputs_Get".to_owned()));
        assert!(deps(Scope::INPUTS_DELETE).contains(&"Inputs_Add".to_owned()));
        assert!(deps(Scope::ALL).is_empty());
    }

    #[test]
    fn a_scope_with_its_dependencies_is_enough_for_the_calls_named_after_it() {
        for scope in Scope::all() {
            let enough = with_dependencies(&[scope].into_iter().collect(), &ScopeSet::everything());
            for call in calls(|_| true) {
                if call.needs.contains(&scope) && is_named_after(&call.name, scope.name()) {
                    let missing: Vec<_> = call.needs.iter().filter(|need| !enough.allows(**need)).collect();
                    assert!(missing.is_empty(), "{scope:?} for {}: {missing:?}", call.name);
                }
            }
        }
    }

    #[test]
    fn nobody_gives_through_dependencies_what_they_do_not_have() {
        let have: ScopeSet = [Scope::INPUTS_GET, Scope::APPS_GET].into_iter().collect();
        let given: ScopeSet = [Scope::INPUTS_GET].into_iter().collect();
        assert_eq!(with_dependencies(&given, &have), have);
    }
}
