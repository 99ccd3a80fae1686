//! Model types: what kinds of model this server has, and what goes in and comes out.

use ocellus_core::catalog::{ModelSpec, ModelTask};
use ocellus_core::{Error, Platform, Resource, Result};

use crate::pb::*;
use crate::rpc::Cx;
use crate::{models, operator_types, paging, status, trainable_types};

pub async fn list_model_types(cx: Cx, req: ListModelTypesRequest) -> Result<MultiModelTypeResponse> {
    let opened = models::opened(&cx, req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let skip = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let found = all(opened.platform()).into_iter().skip(skip).take(page.per_page as usize);
    Ok(MultiModelTypeResponse {
        status: status::success(),
        model_types: found.collect(),
        ..Default::default()
    })
}

pub async fn get_model_type(cx: Cx, req: GetModelTypeRequest) -> Result<SingleModelTypeResponse> {
    let opened = models::opened(&cx, req.user_app_id).await?;
    let id = req.model_type_id;
    let found = all(opened.platform()).into_iter().find(|model_type| model_type.id == id);
    let model_type = found.ok_or_else(|| Error::not_found(Resource::Other("model type", id)))?;
    Ok(SingleModelTypeResponse { status: status::success(), model_type: Some(model_type) })
}

/// The types of the installed catalog's models, each once, in its order; then the operators.
fn all(platform: &Platform) -> Vec<ModelType> {
    let mut types: Vec<ModelType> = Vec::new();
    for spec in platform.catalog().list() {
        if types.iter().all(|known| known.id != spec.model_type_id) {
            types.push(to_wire(spec));
        }
    }
    trainable_types::add_to(&mut types);
    types.extend(operator_types::all());
    types
}

fn to_wire(spec: &ModelSpec) -> ModelType {
    let (title, description, output) = match spec.task {
        ModelTask::Concepts => {
            ("Visual Classifier", "Says which concepts an image shows, with probabilities.", "concepts")
        }
        ModelTask::Embedding => (
            "Visual Embedder",
            "Describes an image as a vector; similar images get similar vectors.",
            "embeddings",
        ),
        ModelTask::Color => ("Color Recognition", "Names the dominant colours of an image.", "colors"),
        ModelTask::Focus => ("Focus", "Measures how sharp an image is.", "focus"),
        ModelTask::NearDuplicate => {
            ("Near Duplicates", "Tells whether two images show the same picture.", "concepts")
        }
        ModelTask::Objects | ModelTask::Faces | ModelTask::FaceAppearance => {
            ("Visual Detector", "Finds things or faces and says of each what it is, with its box.", "regions")
        }
        ModelTask::FaceEmbedding => (
            "Visual Detector Embedder",
            "Finds faces and describes each as a vector; faces of one person get similar vectors.",
            "regions",
        ),
    };
    ModelType {
        id: spec.model_type_id.clone(),
        title: title.to_owned(),
        description: description.to_owned(),
        input_fields: vec!["image".to_owned()],
        output_fields: vec![output.to_owned()],
        ..Default::default()
    }
}
