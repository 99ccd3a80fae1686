//! A populated world, and valid calls of every operation in it.

use std::collections::BTreeMap;
use std::fmt;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use ocellus_clarifai_proto as proto;
use ocellus_core::keys::{self, NewKey};
use ocellus_core::testing::TestPlatform;
use ocellus_core::{AccountCtx, KeyKind, Scope};
use ocellus_http::scenario;
use prost::Message;
use prost_reflect::{DynamicMessage, MethodDescriptor, Value as Reflected};
use serde_json::Value;
use tokio::sync::Mutex;
use tower::ServiceExt;

use crate::{bindings, world};

const POPULATED: &str = include_str!("populated.txt");
const BODIES: &str = include_str!("bodies.txt");
/// Calls that only an app's own model is any good for; the others are about a public one.
const OWN_MODEL: [&str; 8] = [
    "GetModel",
    "DeleteModel",
    "DeleteModelVersion",
    "PatchModelCheckConsents",
    "PatchModelLanguages",
    "PatchModelToolkits",
    "PatchModelUseCases",
    "PatchModelVersions",
];
/// Calls that need a version that was trained.
const EVALUATED: [&str; 5] = [
    "GetModelVersionEvaluation",
    "GetModelVersionMetrics",
    "ListModelVersionEvaluations",
    "PostModelVersionEvaluations",
    "PostModelVersionMetrics",
];
/// What all ids and texts of the owner have in them.
pub const MARK: &str = "zq-";

pub struct World {
    router: Router,
    vars: BTreeMap<String, Value>,
    account: AccountCtx,
    without: Mutex<BTreeMap<u16, String>>,
}

/// One call, ready to be sent.
#[derive(Clone)]
pub struct Operation {
    pub rpc: String,
    pub method: String,
    pub path: String,
    /// Names the owner's account and app where the path does not.
    query: String,
    body: Option<String>,
    /// Values of the path's variables, and account and app, by field.
    fields: Vec<(String, String)>,
    /// No key is needed.
    pub open: bool,
    pub needs: Vec<Scope>,
    /// The request says whose account or app is meant.
    pub names_owner: bool,
}

pub struct Answer {
    pub http: u16,
    pub code: i32,
    body: String,
}

impl Answer {
    pub fn shows_mark(&self) -> bool {
        self.body.contains(MARK)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: String = self.body.chars().take(200).collect();
        write!(f, "{} {} {short}", self.http, self.code)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} {}{}", self.rpc, self.method, self.path, self.query)
    }
}

impl Operation {
    /// The same without a word about whose account or app is meant.
    pub fn without_owner(&self) -> Self {
        Self { query: String::new(), ..self.clone() }
    }
}

impl World {
    pub async fn populated(test: &TestPlatform) -> Self {
        let scenario_world = world::world(test).await;
        test.own_colours().await;
        let vars = scenario::variables_after(&scenario_world, "populated.txt", POPULATED).await;
        let vars = vars.unwrap_or_else(|report| panic!("{report}"));
        let account = test.account().await;
        Self { router: world::routed(test), vars, account, without: Mutex::default() }
    }

    pub fn var(&self, name: &str) -> String {
        self.find(name).unwrap_or_else(|| panic!("populated.txt gives no {name}"))
    }

    fn find(&self, name: &str) -> Option<String> {
        self.vars.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    pub fn rpcs(&self) -> Vec<&'static str> {
        bindings::built()
    }

    /// A token that may do everything but this.
    pub async fn key_without(&self, scope: Scope) -> String {
        let mut made = self.without.lock().await;
        if let Some(secret) = made.get(&scope.0) {
            return secret.clone();
        }
        let scopes = Scope::all().filter(|other| *other != scope && *other != Scope::ALL).collect();
        let new = NewKey {
            kind: KeyKind::Pat,
            description: String::new(),
            app_id: None,
            scopes,
            expires_at_us: None,
        };
        let (_, secret) = keys::create(&self.account, new).await.unwrap();
        made.insert(scope.0, secret.clone());
        secret
    }

    /// Every REST binding of an RPC, filled with valid values; a variable without one is a problem.
    pub fn bindings(&self, rpc: &str, problems: &mut Vec<String>) -> Vec<Operation> {
        let method = descriptor(rpc);
        let all = proto::operations().into_iter().filter(|o| o.rpc == rpc && o.answered_by.is_none());
        all.filter_map(|operation| match self.operation(&method, &operation) {
            Ok(operation) => Some(operation),
            Err(variable) => {
                problems.push(format!("{rpc}: isolation/populated.txt gives no value for {variable}"));
                None
            }
        })
        .collect()
    }

    fn operation(
        &self,
        method: &MethodDescriptor,
        operation: &proto::Operation,
    ) -> Result<Operation, String> {
        let mut fields = Vec::new();
        let mut path = Vec::new();
        for segment in operation.path.split('/') {
            let Some(variable) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) else {
                path.push(segment.to_owned());
                continue;
            };
            let value = self.value(method.name(), variable)?;
            path.push(value.clone());
            fields.push((variable.to_owned(), value));
        }
        let names_owner = method.input().get_field_by_name("user_app_id").is_some();
        let mut query = Vec::new();
        for field in ["user_app_id.user_id", "user_app_id.app_id"] {
            if names_owner && !fields.iter().any(|(known, _)| known == field) {
                let value = self.value(method.name(), field)?;
                query.push(format!("{field}={value}"));
                fields.push((field.to_owned(), value));
            }
        }
        Ok(Operation {
            rpc: method.name().to_owned(),
            method: operation.method.clone(),
            path: path.join("/"),
            query: if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) },
            body: (operation.method != "GET").then(|| self.body(method.name())),
            fields,
            open: auth(method) == Some(1),
            needs: needs(method),
            names_owner,
        })
    }

    fn value(&self, rpc: &str, variable: &str) -> Result<String, String> {
        let name = match (rpc, variable) {
            (_, "user_app_id.user_id") => "user_id",
            (_, "user_app_id.app_id") => "app_id",
            (_, other) if other.starts_with("runner_selector.") => "user_id",
            ("GetBulkOperation", "id") => "bulk_operation_id",
            ("GetAnnotationSearchMetrics" | "DeleteAnnotationSearchMetrics", "id") => "metrics_id",
            ("GetInputVideoManifest", "input_id") => "video_id",
            ("GetInputsAddJob" | "CancelInputsAddJob", "id") => "add_job_id",
            ("DeleteModelVersion", "version_id") => "user_model_version_id",
            (rpc, "model_id") if EVALUATED.contains(&rpc) => "trained_model_id",
            (rpc, "version_id" | "model_version_id") if EVALUATED.contains(&rpc) => "trained_version_id",
            ("GetModelVersionExport" | "PutModelVersionExports", "model_id") => "exported_model_id",
            ("GetModelVersionExport" | "PutModelVersionExports", "version_id") => "exported_version_id",
            ("PostWorkflowResults" | "PostWorkflowResultsSimilarity", "version_id") => "workflow_version_id",
            (rpc, "model_id") if OWN_MODEL.contains(&rpc) => "user_model_id",
            ("GetSearch" | "DeleteSearch" | "PostSearchesByID", "id") => "search_id",
            (_, other) => other,
        };
        self.find(name).ok_or_else(|| variable.to_owned())
    }

    /// The body of bodies.txt with its variables put in, or an empty message.
    fn body(&self, rpc: &str) -> String {
        let line = BODIES.lines().find_map(|line| line.strip_prefix(rpc)?.strip_prefix(' '));
        let mut body = line.unwrap_or("{}").to_owned();
        for name in self.vars.keys() {
            let place = format!("{{{{{name}}}}}");
            if body.contains(&place) {
                body = body.replace(&place, &self.var(name));
            }
        }
        body
    }

    pub async fn rest(&self, operation: &Operation, key: Option<&str>) -> Answer {
        let mut request = Request::builder()
            .method(operation.method.as_str())
            .uri(format!("{}{}", operation.path, operation.query))
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("authorization", format!("Key {key}"));
        }
        let body = operation.body.clone().map_or_else(Body::empty, Body::from);
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let http = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        let json: Value = serde_json::from_str(&body).unwrap_or_default();
        let code = json["status"]["code"].as_i64().and_then(|code| i32::try_from(code).ok());
        Answer { http, code: code.unwrap_or_default(), body }
    }

    pub async fn grpc(&self, operation: &Operation, key: Option<&str>) -> Answer {
        let method = descriptor(&operation.rpc);
        let bytes = message(&method, operation).encode_to_vec();
        let mut frame = vec![0];
        frame.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(&bytes);
        let mut request = Request::post(format!("/{}/{}", proto::SERVICE, operation.rpc))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(key) = key {
            request = request.header("authorization", format!("Key {key}"));
        }
        let response = self.router.clone().oneshot(request.body(Body::from(frame)).unwrap()).await.unwrap();
        let http = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let answer = DynamicMessage::decode(method.output(), body.get(5..).unwrap_or_default()).unwrap();
        let code = answer
            .get_field_by_name("status")
            .and_then(|status| status.as_message()?.get_field_by_name("code")?.as_enum_number());
        Answer { http, code: code.unwrap_or_default(), body: answer.to_string() }
    }
}

/// The request of an operation as a message: its body, then the fields of its path.
fn message(method: &MethodDescriptor, operation: &Operation) -> DynamicMessage {
    let body = operation.body.as_deref().unwrap_or("{}");
    let mut reader = serde_json::Deserializer::from_str(body);
    let mut message = DynamicMessage::deserialize(method.input(), &mut reader)
        .unwrap_or_else(|error| panic!("{operation}: {body}: {error}"));
    for (path, value) in &operation.fields {
        put(&mut message, path, value);
    }
    message
}

fn put(message: &mut DynamicMessage, path: &str, value: &str) {
    match path.split_once('.') {
        Some((first, rest)) => {
            let inner = message.get_field_by_name_mut(first).and_then(Reflected::as_message_mut);
            put(inner.unwrap_or_else(|| panic!("{path} is no field")), rest, value);
        }
        None => message.set_field_by_name(path, Reflected::String(value.to_owned())),
    }
}

fn descriptor(rpc: &str) -> MethodDescriptor {
    let service = proto::pool().get_service_by_name(proto::SERVICE).unwrap();
    service.methods().find(|method| method.name() == rpc).unwrap()
}

fn needs(method: &MethodDescriptor) -> Vec<Scope> {
    let option = proto::pool().get_extension_by_name("clarifai.auth.util.cl_depending_scopes").unwrap();
    let scopes = method.options().get_extension(&option).into_owned();
    let numbers = scopes.as_list().unwrap_or_default().iter().filter_map(Reflected::as_enum_number);
    numbers.map(|number| Scope(u16::try_from(number).unwrap())).collect()
}

fn auth(method: &MethodDescriptor) -> Option<i32> {
    let option = proto::pool().get_extension_by_name("clarifai.auth.util.cl_auth_type").unwrap();
    method.options().get_extension(&option).as_enum_number()
}
