//! The workflows that come with the server, over the public models that are there, and those that users have published.

use ocellus_store as store;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{FoundWorkflow, ModelRef, Node, Workflow, WorkflowVersion, operators, publish};
use crate::bootstrap::{PUBLIC_APP, PUBLIC_USER};
use crate::resources::{self, Stored};
use crate::{Error, JsonMap, Platform, Result};

/// A node of a built-in workflow.
struct Plan {
    id: &'static str,
    /// A public model by any of its names, or an operator.
    does: Does,
    inputs: &'static [&'static str],
}

enum Does {
    Model(&'static [&'static str]),
    Crop(f64),
    Merge,
}

const GENERAL: Does = Does::Model(&["aaa03c23b3724a16a56b629203edc62c"]);
const EMBED: Does = Does::Model(&["bbb5f41425b8468d9b7a554ff10f8581"]);
const DETECT: Does = Does::Model(&["general-image-detection", "1580bb1932594c93b7e2e04456af7c6f"]);
const FACES: Does = Does::Model(&["a403429f2ddf4b49b307e318f00e528b"]);
const FACE_EMBED: Does = Does::Model(&["d02b4508df58432fbb84e800597b8959"]);
const FACE_LOOKS: Does = Does::Model(&["c0c0ac362b03416da06ab3fa36fb58e3"]);

/// Id, description and nodes. One whose models are not there is not offered.
const BUILT_IN: &[(&str, &str, &[Plan])] = &[
    (
        "General",
        "Says which concepts an image shows, and describes it as a vector.",
        &[
            Plan { id: "general-concept", does: GENERAL, inputs: &[] },
            Plan { id: "general-embed", does: EMBED, inputs: &[] },
        ],
    ),
    (
        "Universal",
        "Describes an image as a vector, for searches by looks and for learning.",
        &[Plan { id: "general-embed", does: EMBED, inputs: &[] }],
    ),
    ("Empty", "Does nothing.", &[]),
    (
        "General-Detection",
        "Finds things in an image and says of each which concepts it shows.",
        &[
            Plan { id: "detector", does: DETECT, inputs: &[] },
            Plan { id: "cropper", does: Does::Crop(1.1), inputs: &["detector"] },
            Plan { id: "classifier", does: GENERAL, inputs: &["cropper"] },
            Plan { id: "merger", does: Does::Merge, inputs: &["detector", "classifier"] },
        ],
    ),
    (
        "Face",
        "Finds faces and describes each as a vector.",
        &[
            Plan { id: "face-detect", does: FACES, inputs: &[] },
            Plan { id: "face-embed", does: FACE_EMBED, inputs: &[] },
        ],
    ),
    (
        "Demographics",
        "Finds faces and says how old and of which gender each looks.",
        &[
            Plan { id: "face-detect", does: FACES, inputs: &[] },
            Plan { id: "demographics", does: FACE_LOOKS, inputs: &[] },
        ],
    ),
];

/// Every workflow that everybody may use.
pub(super) async fn all(platform: &Platform) -> Result<Vec<FoundWorkflow>> {
    let mut found: Vec<FoundWorkflow> =
        BUILT_IN.iter().filter_map(|(id, _, _)| built_in(platform, id)).collect();
    let read = |tx: &mut store::Tx<'_>| publish::all(tx);
    found.extend(platform.store().read(read).await?);
    Ok(found)
}

/// The workflow that an id means for everybody.
pub(super) async fn find(
    platform: &Platform,
    id: &str,
    version_id: Option<&str>,
) -> Result<Option<FoundWorkflow>> {
    if let Some(found) = built_in(platform, id) {
        return match version_id {
            Some(wanted) if wanted != found.version.id => Err(resources::missing::<WorkflowVersion>(wanted)),
            _ => Ok(Some(found)),
        };
    }
    let (id, version_id) = (id.to_owned(), version_id.map(str::to_owned));
    let read = move |tx: &mut store::Tx<'_>| publish::find(tx, &id, version_id.as_deref());
    platform.store().read(read).await
}

/// A workflow that comes with the server, if all of its models do.
pub(super) fn built_in(platform: &Platform, id: &str) -> Option<FoundWorkflow> {
    let (id, description, plans) = BUILT_IN.iter().find(|(known, _, _)| *known == id)?;
    let nodes = plans.iter().map(|plan| node(platform, plan)).collect::<Option<Vec<Node>>>()?;
    // The same nodes always have the same version.
    let written = serde_json::to_vec(&nodes).map_err(Error::internal).ok()?;
    let version_id = hex::encode(&Sha256::digest(written)[..16]);
    let created_at_us = platform.catalog().general().created_at_us;
    let workflow = Workflow {
        uid: (*id).to_owned(),
        description: (*description).to_owned(),
        version_id: version_id.clone(),
        ..Workflow::default()
    };
    let version = WorkflowVersion { nodes, is_public: true, ..WorkflowVersion::default() };
    Some(FoundWorkflow {
        user_id: PUBLIC_USER.to_owned(),
        app_id: PUBLIC_APP.to_owned(),
        workflow: public((*id).to_owned(), "", workflow, created_at_us),
        version: public(version_id, id, version, created_at_us),
    })
}

fn public<D>(id: String, parent: &str, doc: D, created_at_us: i64) -> Stored<D> {
    Stored {
        id,
        parent: parent.to_owned(),
        seq: 0,
        doc,
        account_id: PUBLIC_USER.to_owned(),
        created_at_us,
        modified_at_us: created_at_us,
    }
}

fn node(platform: &Platform, plan: &Plan) -> Option<Node> {
    let operator = |model_type_id: &str, params: serde_json::Value| {
        let params = params.as_object().cloned().unwrap_or_else(JsonMap::new);
        let version_id = operators::version_of(model_type_id, &params);
        let id = model_type_id.to_owned();
        Node {
            model: ModelRef { id, version_id, ..ModelRef::default() },
            model_type_id: model_type_id.to_owned(),
            params,
            ..Node::default()
        }
    };
    let made = match &plan.does {
        Does::Crop(margin) => operator("image-crop", json!({"margin": margin})),
        Does::Merge => operator("merge-operator", json!({})),
        Does::Model(names) => {
            let model = names.iter().find_map(|name| platform.catalog().find(name))?;
            Node {
                model: ModelRef {
                    user_id: PUBLIC_USER.to_owned(),
                    app_id: PUBLIC_APP.to_owned(),
                    id: model.id.clone(),
                    version_id: model.version_id().to_owned(),
                },
                model_type_id: model.model_type_id.clone(),
                ..Node::default()
            }
        }
    };
    let inputs = plan.inputs.iter().map(|id| (*id).to_owned()).collect();
    Some(Node { id: plan.id.to_owned(), inputs, ..made })
}
