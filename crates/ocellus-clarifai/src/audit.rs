//! The audit log: what a call that changes something touched, written when it ends, and the search in it.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use ocellus_clarifai_proto as proto;
use ocellus_core::audit::{self, Entry, Query};
use ocellus_core::ids::hash_secret;
use ocellus_core::{AccountCtx, AppCtx, Error, Platform, Result};
use parking_lot::Mutex;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::pb::audit_log_target::Target;
use crate::pb::status::StatusCode as Code;
use crate::pb::*;
use crate::rpc::{Cx, Reply};
use crate::transcode::wire::{self, Raw};
use crate::{documents, paging, status};

/// Ids kept of one list in an entry.
const MAX_IDS: usize = 20;

/// What a call touched, told by the doors it went through.
#[derive(Clone, Default)]
pub struct Touched(Arc<Mutex<Place>>);

#[derive(Clone, Default)]
struct Place {
    owner_id: String,
    actor_id: String,
    app_id: String,
}

impl Touched {
    pub fn app(&self, app: &AppCtx) {
        let mut place = self.0.lock();
        place.owner_id.clone_from(&app.app().user_id);
        place.app_id.clone_from(&app.app().id);
    }

    pub fn account(&self, account: &AccountCtx) {
        let mut place = self.0.lock();
        if place.owner_id.is_empty() {
            place.owner_id.clone_from(&account.account().id);
        }
    }

    /// Owner and id of the app, both empty for none.
    pub fn app_ids(&self) -> (String, String) {
        let place = self.0.lock();
        match place.app_id.is_empty() {
            true => Default::default(),
            false => (place.owner_id.clone(), place.app_id.clone()),
        }
    }

    /// Somebody who was not known before the call.
    pub fn user(&self, id: &str) {
        let mut place = self.0.lock();
        (place.owner_id, place.actor_id) = (id.to_owned(), id.to_owned());
    }
}

/// An entry that is being written: begun before the call, ended with how it went.
pub struct Record {
    platform: Platform,
    touched: Touched,
    entry: Entry,
    request: Bytes,
}

impl Record {
    /// Nothing for a call that only reads.
    pub fn begin(cx: &Cx, request: &Bytes) -> Option<Self> {
        if !is_change(&cx.rpc) {
            return None;
        }
        let entry = Entry {
            actor_id: cx.caller.as_ref().map(|caller| caller.account_id.clone()).unwrap_or_default(),
            key_id: cx.caller.as_ref().map(|caller| caller.key_id.clone()).unwrap_or_default(),
            operation: cx.rpc.clone(),
            request_id: cx.request_id.clone(),
            address: cx.address.clone(),
            ..Entry::default()
        };
        Some(Self {
            platform: cx.platform.clone(),
            touched: cx.touched.clone(),
            entry,
            request: request.clone(),
        })
    }

    /// Writes the entry, with the code of the answer.
    pub async fn end(self, code: i32, reply: Option<&Reply>) {
        let place = self.touched.0.lock().clone();
        let mut entry = self.entry;
        if entry.actor_id.is_empty() {
            entry.actor_id = place.actor_id;
        }
        let owner_id = if place.owner_id.is_empty() { entry.actor_id.clone() } else { place.owner_id };
        if owner_id.is_empty() {
            return;
        }
        let answer = reply.map(|reply| reply.body.clone()).unwrap_or_default();
        let lists = subjects(&entry.operation, &self.request, &answer);
        entry.app_id = place.app_id;
        if let Some(first) = lists.iter().find(|list| list.0 == "apps").and_then(|list| list.1.first()) {
            entry.app_id.clone_from(first);
        }
        entry.subjects = lists.into_iter().map(in_words).collect();
        entry.code = code.into();
        // Of a batch with mixed success something was changed.
        let mixed = Code::MixedStatus as i32;
        entry.success = code == Code::Success as i32 || code == mixed;
        audit::record(&self.platform, &owner_id, entry).await;
    }
}

/// The names say it: what posts, patches, puts or deletes changes something, but for searches and predictions.
fn is_change(rpc: &str) -> bool {
    let verbs = ["Post", "Patch", "Put", "Delete", "Cancel"];
    let reads = [
        "Searches",
        "Outputs",
        "Results",
        "ResultsSimilarity",
        "ValidatePassword",
        "Estimate",
        "MetricsQuery",
        "Usage",
        "Metrics",
        "Aggregate",
    ];
    let changes_all_the_same = ["PostModelVersionMetrics", "PostTrendingMetricsView"];
    let runner = rpc.contains("RunnerItem") || rpc.contains("ComputePlane") || rpc.contains("Replica");
    verbs.iter().any(|verb| rpc.starts_with(verb))
        && !runner
        && (changes_all_the_same.contains(&rpc)
            || !(rpc.starts_with("Post") && reads.iter().any(|end| rpc.ends_with(end))))
}

/// The ids in request and answer, by the name of their field; those of the answer where the request has none.
fn subjects(rpc: &str, request: &[u8], answer: &[u8]) -> Vec<(String, Vec<String>)> {
    let service = proto::pool().get_service_by_name(proto::SERVICE);
    let Some(method) = service.and_then(|service| service.methods().find(|method| method.name() == rpc))
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (message, bytes) in [(method.input(), request), (method.output(), answer)] {
        for (name, ids) in ids_in(&message, bytes) {
            if !found.iter().any(|(known, _): &(String, Vec<String>)| *known == name) {
                found.push((name, ids));
            }
        }
    }
    found
}

fn ids_in(message: &MessageDescriptor, mut bytes: &[u8]) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    while let Some((number, raw)) = wire::next(&mut bytes) {
        let (Raw::Bytes(value), Some(field)) = (raw, message.get_field(number)) else { continue };
        let Some(id) = id_in(&field, value).filter(|id| !id.is_empty()) else { continue };
        let id =
            if field.name().starts_with("key") { public_key_id(id) } else { id.chars().take(128).collect() };
        match found.iter_mut().find(|(name, _)| name == field.name()) {
            Some((_, ids)) => ids.push(id),
            None => found.push((field.name().to_owned(), vec![id])),
        }
    }
    found
}

#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is treated alike, whatever is added")]
fn id_in<'a>(field: &FieldDescriptor, value: &'a [u8]) -> Option<&'a str> {
    match field.kind() {
        Kind::String if field.name().ends_with("_id") || field.name().ends_with("ids") => {
            std::str::from_utf8(value).ok()
        }
        Kind::Message(inner) => {
            let id = inner.get_field_by_name("id").filter(|id| matches!(id.kind(), Kind::String))?;
            let mut rest = value;
            while let Some((number, raw)) = wire::next(&mut rest) {
                if let (true, Raw::Bytes(text)) = (number == id.number(), raw) {
                    return std::str::from_utf8(text).ok();
                }
            }
            None
        }
        _ => None,
    }
}

/// A fresh key is shown by its secret, and people delete keys by it; neither may stand in a log.
fn public_key_id(id: &str) -> String {
    match id.len() {
        64 => hash_secret(id)[..16].to_owned(),
        _ => id.chars().take(128).collect(),
    }
}

fn in_words((name, ids): (String, Vec<String>)) -> String {
    let more = match ids.len().saturating_sub(MAX_IDS) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let shown: Vec<String> = ids.into_iter().take(MAX_IDS).collect();
    format!("{name}: {}{more}", shown.join(", "))
}

/// The vendor's kinds of event, by the calls that cause them.
static EVENTS: LazyLock<Vec<(&str, EventType)>> = LazyLock::new(|| {
    use EventType as E;
    vec![
        ("PostModels", E::ModelCreate),
        ("PatchModels", E::ModelUpdate),
        ("PatchModelIds", E::ModelUpdate),
        ("PatchModelCheckConsents", E::ModelUpdate),
        ("PatchModelLanguages", E::ModelUpdate),
        ("PatchModelToolkits", E::ModelUpdate),
        ("PatchModelUseCases", E::ModelUpdate),
        ("DeleteModel", E::ModelDelete),
        ("DeleteModels", E::ModelDelete),
        ("PostModelVersions", E::ModelVersionCreate),
        ("PatchModelVersions", E::ModelVersionUpdate),
        ("DeleteModelVersion", E::ModelVersionDelete),
        ("PostWorkflows", E::WorkflowCreate),
        ("PatchWorkflows", E::WorkflowUpdate),
        ("PatchWorkflowIds", E::WorkflowUpdate),
        ("DeleteWorkflow", E::WorkflowDelete),
        ("DeleteWorkflows", E::WorkflowDelete),
        ("PatchWorkflowVersions", E::WorkflowVersionUpdate),
        ("DeleteWorkflowVersions", E::WorkflowVersionDelete),
        ("PostApps", E::ApplicationCreate),
        ("PostAppDuplications", E::ApplicationCreate),
        ("PatchApps", E::ApplicationUpdate),
        ("PatchApp", E::ApplicationUpdate),
        ("PatchAppsIds", E::ApplicationUpdate),
        ("PatchAppsDetails", E::ApplicationUpdate),
        ("DeleteApp", E::ApplicationDelete),
        ("PostCollaborators", E::CollaboratorAdd),
        ("PatchCollaborators", E::CollaboratorUpdate),
        ("DeleteCollaborators", E::CollaboratorRemove),
        ("PatchUsers", E::UserUpdate),
        ("PostUserConsent", E::UserUpdate),
        ("PostVerifyEmail", E::UserUpdate),
    ]
});

pub async fn post_audit_log_searches(
    cx: Cx,
    req: PostAuditLogSearchesRequest,
) -> Result<MultiAuditLogEntryResponse> {
    let account = cx.account(req.user_app_id).await?;
    let mut query = read(req.query.unwrap_or_default())?;
    query.ascending = req.sort_ascending;
    let page = paging::of(req.pagination.as_ref())?;
    let found = audit::search(&account, query, page).await?;
    let entries = found.into_iter().map(|entry| to_wire(&account, entry)).collect();
    Ok(MultiAuditLogEntryResponse { status: status::success(), entries })
}

fn read(query: AuditLogQuery) -> Result<Query> {
    let mut apps = Vec::new();
    for target in query.targets {
        match target.target {
            Some(Target::App(app)) => apps.push(app.id),
            _ => return Err(Error::invalid("query.targets", "can only be apps on this server")),
        }
    }
    let mut operations = Vec::new();
    for kind in query.operations {
        let calls = EVENTS.iter().filter(|(_, event)| *event as i32 == kind);
        operations.extend(calls.map(|(call, _)| (*call).to_owned()));
        if operations.is_empty() {
            operations.push("nothing of the kind".to_owned());
        }
    }
    Ok(Query {
        from_us: query.timestamp_from.as_ref().map(documents::micros),
        to_us: query.timestamp_to.as_ref().map(documents::micros),
        actors: query.user_ids,
        operations,
        apps,
        success: query.success,
        addresses: query.source_ips,
        ascending: false,
    })
}

fn to_wire(account: &AccountCtx, entry: Entry) -> AuditLogEntry {
    let operation = EVENTS.iter().find(|(call, _)| *call == entry.operation).map(|(_, event)| *event);
    let operation = operation.unwrap_or(EventType::NotSet);
    let owner_id = account.account().id.clone();
    let target = match (operation, entry.app_id.is_empty()) {
        (EventType::UserUpdate, _) => Some(Target::User(User { id: owner_id, ..Default::default() })),
        (_, true) => None,
        (_, false) => Some(Target::App(App { id: entry.app_id, user_id: owner_id, ..Default::default() })),
    };
    let mut details = entry.subjects;
    details.push(format!("key: {}", entry.key_id));
    details.push(format!("status code: {}", entry.code));
    AuditLogEntry {
        timestamp: documents::time(entry.at_us),
        user: Some(User { id: entry.actor_id, ..Default::default() }),
        operation: operation as i32,
        description: entry.operation,
        targets: target.into_iter().map(|target| AuditLogTarget { target: Some(target) }).collect(),
        details,
        success: entry.success,
        req_id: entry.request_id,
        source_ip: entry.address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn calls_that_change_something_are_known_by_their_names() {
        for change in [
            "PostInputs",
            "PatchKeys",
            "DeleteApp",
            "PutUploadContentParts",
            "PostModelVersionMetrics",
            "PostUserConsent",
        ] {
            assert!(is_change(change), "{change}");
        }
        for read in [
            "GetInput",
            "ListKeys",
            "PostSearches",
            "PostModelOutputs",
            "PostWorkflowResults",
            "PostWorkflowResultsSimilarity",
            "PostAuditLogSearches",
            "PostHistoricalUsage",
            "PostStatValuesAggregate",
            "MyScopes",
        ] {
            assert!(!is_change(read), "{read}");
        }
    }

    #[test]
    fn ids_are_taken_from_request_and_answer_and_secrets_from_neither() {
        let secret = "ab".repeat(32);
        let request = PostKeysRequest { keys: vec![Key::default()], ..Default::default() };
        let answer = MultiKeyResponse {
            keys: vec![Key { id: secret.clone(), ..Default::default() }],
            ..Default::default()
        };
        let found = subjects("PostKeys", &request.encode_to_vec(), &answer.encode_to_vec());
        assert_eq!(found, [("keys".to_owned(), vec![hash_secret(&secret)[..16].to_owned()])]);
        let request = DeleteInputsRequest { ids: vec!["a".to_owned(), "b".to_owned()], ..Default::default() };
        let found = subjects("DeleteInputs", &request.encode_to_vec(), &[]);
        assert_eq!(found.into_iter().map(in_words).collect::<Vec<_>>(), ["ids: a, b"]);
        let long = ("inputs".to_owned(), vec!["x".to_owned(); 22]);
        assert!(in_words(long).ends_with("x and 2 more"));
    }

    #[test]
    fn every_event_is_caused_by_calls_that_there_are() {
        let service = proto::pool().get_service_by_name(proto::SERVICE).unwrap();
        for (call, _) in EVENTS.iter() {
            assert!(service.methods().any(|method| method.name() == *call), "{call}");
        }
    }
}
