//! The service as the proto describes it: RPCs with their messages, scopes and REST bindings.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use ocellus_clarifai_proto as proto;
use ocellus_core::{Platform, Scope};
use prost_reflect::{MethodDescriptor, Value};

use crate::ClarifaiConfig;
use crate::auth::AuthType;
use crate::paths::Paths;
use crate::rpc::{self, Handler, StreamHandler};
use crate::transcode::Plans;

/// Everything that is the same for all calls.
pub struct Api {
    pub platform: Platform,
    pub config: ClarifaiConfig,
    pub service: Service,
}

/// The service of the proto, ready to be called over either transport.
pub struct Service {
    pub plans: Plans,
    pub rpcs: HashMap<String, Arc<Rpc>>,
    pub paths: Paths<Route>,
    /// Index of the `Status` message, for answers that belong to no RPC.
    pub status_plan: usize,
}

/// One RPC.
pub struct Rpc {
    pub name: String,
    /// Index of the request message.
    pub input: usize,
    /// Index of the answer message.
    pub output: usize,
    /// Number of the answer's `status` field.
    pub status_field: u32,
    pub needs: Arc<[Scope]>,
    pub auth: AuthType,
    pub handler: Option<Handler>,
    /// For an RPC that is a stream in both directions.
    pub stream: Option<StreamHandler>,
}

/// One REST binding of an RPC.
pub struct Route {
    pub rpc: Arc<Rpc>,
    pub template: String,
}

impl Service {
    pub fn new() -> Self {
        let pool = proto::pool();
        let plans = Plans::new(pool);
        let service =
            pool.get_service_by_name(proto::SERVICE).expect("the pool was built around this service");
        let rpcs: HashMap<String, Arc<Rpc>> =
            service.methods().map(|m| (m.name().to_owned(), Arc::new(describe(&m, &plans)))).collect();
        let status_plan = plans.index("clarifai.api.status.Status").expect("every answer holds this message");
        let paths = paths(&rpcs);
        Self { plans, rpcs, paths, status_plan }
    }
}

/// Mounts every binding. Four routes are claimed by two RPCs of the vendor's own proto; the list of
/// operations says which of the two answers.
fn paths(rpcs: &HashMap<String, Arc<Rpc>>) -> Paths<Route> {
    let mut paths = Paths::default();
    for operation in proto::operations() {
        let (Some(rpc), Ok(method)) =
            (rpcs.get(&operation.rpc), Method::from_bytes(operation.method.as_bytes()))
        else {
            continue;
        };
        if operation.answered_by.is_some() {
            continue;
        }
        let route = Route { rpc: rpc.clone(), template: operation.path.clone() };
        // The client of 2023 calls this field by a name that its number no longer has.
        let path = operation.path.replace("{item_id}", "{runner_item_id}");
        if let Err(route) = paths.add(method, &path, route) {
            tracing::warn!(rpc = %route.rpc.name, path = %route.template, "route is claimed twice, the first keeps it");
        }
    }
    paths
}

fn describe(method: &MethodDescriptor, plans: &Plans) -> Rpc {
    let index = |name: &str| plans.index(name).expect("the pool holds the messages of its methods");
    let output = index(method.output().full_name());
    let streaming = method.is_client_streaming() || method.is_server_streaming();
    Rpc {
        name: method.name().to_owned(),
        input: index(method.input().full_name()),
        output,
        status_field: plans.get(output).field("status").map_or(1, |field| field.number),
        needs: needs(method),
        auth: auth(method),
        handler: rpc::handler(method.name()).filter(|_| !streaming),
        stream: rpc::stream_handler(method.name()),
    }
}

/// The scopes that a call asks for.
pub fn needs(method: &MethodDescriptor) -> Arc<[Scope]> {
    let option = proto::pool()
        .get_extension_by_name("clarifai.auth.util.cl_depending_scopes")
        .expect("the pool holds the option");
    let options = method.options();
    let scopes = options.get_extension(&option);
    let numbers = scopes.as_list().unwrap_or_default().iter().filter_map(Value::as_enum_number);
    numbers.filter_map(|n| u16::try_from(n).ok()).map(Scope).collect()
}

/// The kind of key that a call asks for.
pub fn auth(method: &MethodDescriptor) -> AuthType {
    // Its paths of the first generation name no app: only the key of an app can be used there.
    if method.name() == "ListConceptRelations" {
        return AuthType::Key;
    }
    let option = proto::pool()
        .get_extension_by_name("clarifai.auth.util.cl_auth_type")
        .expect("the pool holds the option");
    match method.options().get_extension(&option).as_enum_number() {
        Some(1) => AuthType::None,
        Some(3..=5) => AuthType::Account,
        // Where the proto is silent, a key is asked for.
        _ => AuthType::Key,
    }
}
