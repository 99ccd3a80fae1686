//! An app's default workflow: it runs over every new picture and video, and makes them found by what its models saw.
//!
//! Every input is described by the general models whatever the default is; what they alone would say again is not run.

use std::collections::BTreeMap;

use bytes::Bytes;
use ocellus_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::findings::{Findings, union};
use super::run::{RunInput, run};
use super::{Favour, FoundWorkflow, Node, WorkflowVersion, change, check_exists, find, missing, public};
use crate::predict::{PredictInput, PredictOptions, Scored, Subject};
use crate::resources::Document;
use crate::{AccountCtx, AppCtx, Caller, CropBox, Error, JsonMap, Kind, Platform, Result, Source};

/// Where an app's document names its default workflow.
pub const FIELD: &str = "default_workflow_id";

/// A model version or node whose predictions an app's inputs have, kept under its id.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seen {
    workflow_id: String,
    node_id: String,
}

impl Document for Seen {
    const KIND: &'static str = "predicting_version";
    const NOUN: &'static str = "predicting version";
    const FIELD: &'static str = "predicting_versions";
}

/// What the default workflow said of a new input.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    workflow_id: String,
    /// By the version that said it: the node and the concepts.
    concepts: BTreeMap<String, (String, Vec<Scored>)>,
    /// Why it failed, in words; the input is kept all the same.
    pub failure: Option<String>,
}

/// Runs the default workflow of an app over a new input; nothing if the app has none. A workflow that fails is told of in
/// the verdict, unless trying again may help.
pub(crate) async fn look(
    platform: &Platform,
    app_uid: &str,
    (bytes, is_video): (Bytes, bool),
    crop: Option<CropBox>,
    lot: &str,
) -> Result<Option<Verdict>> {
    let uid = app_uid.to_owned();
    let app = platform.store().read(move |tx| Ok::<_, Error>(tx.app_by_uid(&uid)?)).await?;
    let Some(app) = app.filter(|app| app.deleted_at_us.is_none()) else { return Ok(None) };
    let Some(id) = named(&app.doc).map(str::to_owned) else { return Ok(None) };
    let owner = Caller::operator(&app.account_id);
    let app = platform.app(&owner, &app.account_id, &app.id, &[]).await?;
    let source = Source::Bytes(bytes);
    let subject = if is_video { Subject::Video(source) } else { Subject::Source(source) };
    let input = RunInput {
        input: Some(PredictInput { subject, crop }),
        known: Findings::default(),
        lot: lot.to_owned(),
    };
    match verdict(&app, &id, input).await {
        Ok(verdict) => Ok(Some(verdict)),
        Err(error) if matches!(error.kind, Kind::Unavailable | Kind::Cancelled) => Err(error),
        Err(error) => {
            let failure = Some(format!("the default workflow '{id}' failed: {}", error.message));
            Ok(Some(Verdict { workflow_id: id, failure, ..Verdict::default() }))
        }
    }
}

async fn verdict(app: &AppCtx, id: &str, input: RunInput) -> Result<Verdict> {
    let found = find(app, id, None, Favour::Own).await?;
    let FoundWorkflow { version, .. } = found;
    let nodes = without_the_usual(app.platform(), version.doc.nodes);
    let mut verdict = Verdict { workflow_id: id.to_owned(), ..Verdict::default() };
    if nodes.is_empty() {
        return Ok(verdict);
    }
    let doc = WorkflowVersion { nodes, ..WorkflowVersion::default() };
    let running = run(app, &doc, vec![input], &PredictOptions::default()).await?;
    for (node, found) in doc.nodes.iter().zip(running.results.into_iter().flatten()) {
        let concepts = found?.best();
        if node.suppress_output || concepts.is_empty() {
            continue;
        }
        let by = node.model.version_id.clone();
        let said = verdict.concepts.entry(by).or_insert_with(|| (node.id.clone(), Vec::new()));
        union(&mut said.1, concepts);
    }
    Ok(verdict)
}

/// The nodes without those that would only say what every input is described by anyway.
fn without_the_usual(platform: &Platform, mut nodes: Vec<Node>) -> Vec<Node> {
    let usual = [platform.catalog().general(), platform.catalog().embedding()];
    let used: Vec<String> = nodes.iter().flat_map(|node| node.inputs.clone()).collect();
    nodes.retain(|node| {
        let is_usual = usual.iter().any(|model| model.version_ids.contains(&node.model.version_id));
        !is_usual || !node.inputs.is_empty() || used.contains(&node.id)
    });
    nodes
}

impl Verdict {
    /// Writes what was said of an input, in the transaction that makes it ready.
    pub(crate) fn write(&self, tx: &store::Tx<'_>, app_uid: &str, input_id: &str, now_us: i64) -> Result<()> {
        for (version_id, (node_id, concepts)) in &self.concepts {
            let pair = |scored: &Scored| (scored.concept_id.clone(), f64::from(scored.probability));
            let pairs: Vec<(String, f64)> = concepts.iter().map(pair).collect();
            tx.put_predictions(app_uid, input_id, version_id, &pairs)?;
            if tx.resource(app_uid, Seen::KIND, "", version_id)?.is_some() {
                continue;
            }
            let doc = Seen { workflow_id: self.workflow_id.clone(), node_id: node_id.clone() };
            let row = store::Resource {
                owner_uid: app_uid.to_owned(),
                kind: Seen::KIND.to_owned(),
                parent: String::new(),
                id: version_id.clone(),
                seq: 0,
                about: String::new(),
                state: 0,
                doc: change::to_map(&doc)?,
                blob: None,
                account_id: String::new(),
                key_id: String::new(),
                modified_by: String::new(),
                created_at_us: now_us,
                modified_at_us: now_us,
            };
            match tx.insert_resource(&row) {
                Ok(_) | Err(store::Error::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Refuses a document of an app that names a default workflow which the app does not have and nobody has published.
pub(crate) async fn check_of_app(account: &AccountCtx, app_id: &str, doc: &JsonMap) -> Result<()> {
    let Some(id) = named(doc) else { return Ok(()) };
    let app = account.platform().app(account.caller(), &account.account().id, app_id, &[]).await?;
    check_exists(&app, id).await
}

/// The same for an app that is about to be made, which has none of its own.
pub(crate) async fn check_of_new_app(platform: &Platform, doc: &JsonMap) -> Result<()> {
    let Some(id) = named(doc) else { return Ok(()) };
    public::find(platform, id, None).await?.map(|_| ()).ok_or_else(|| missing(id))
}

fn named(doc: &JsonMap) -> Option<&str> {
    doc.get(FIELD).and_then(Value::as_str).filter(|id| !id.is_empty())
}

/// Tells an app that its inputs have what models said of those of another, whose inputs are copied into it.
pub(crate) fn copy_sources(tx: &store::Tx<'_>, from: &str, to: &str) -> Result<()> {
    let query = store::ResourceQuery { limit: 1000, ..store::ResourceQuery::default() };
    for row in tx.resources_page(from, Seen::KIND, &query)? {
        match tx.insert_resource(&store::Resource { owner_uid: to.to_owned(), ..row }) {
            Ok(_) | Err(store::Error::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The versions, beside the general model's, that have said something of inputs of an app.
pub(crate) fn predicting_versions(tx: &store::Tx<'_>, app_uid: &str) -> Result<Vec<String>> {
    let query = store::ResourceQuery { limit: 1000, ..store::ResourceQuery::default() };
    let rows = tx.resources_page(app_uid, Seen::KIND, &query)?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
