//! Public models: RPCs and the wire form of a model in both generations' words.

use std::sync::Arc;

use ocellus_core::bootstrap;
use ocellus_core::catalog::{ModelSpec, ModelTask};
use ocellus_core::models::{self, ModelQuery as Query};
use ocellus_core::{Page, Result};

use crate::pb::status::StatusCode as Code;
use crate::pb::visibility::Gettable;
use crate::pb::*;
use crate::rpc::{Cx, Era};
use crate::{documents, paging, status};

/// The user and app under which public models live.
pub use bootstrap::{PUBLIC_APP, PUBLIC_USER};

pub async fn get_model(cx: Cx, req: GetModelRequest) -> Result<SingleModelResponse> {
    single(&cx, req, false).await
}

pub async fn get_model_output_info(cx: Cx, req: GetModelRequest) -> Result<SingleModelResponse> {
    single(&cx, req, true).await
}

async fn single(cx: &Cx, req: GetModelRequest, with_concepts: bool) -> Result<SingleModelResponse> {
    let app = cx.app(req.user_app_id).await?;
    let spec = models::get(app.platform(), &req.model_id, version(&req.version_id))?;
    let mut model = to_wire(cx, &spec);
    if with_concepts && let Some(info) = &mut model.output_info {
        let concepts = spec.labels.concepts.iter().map(|c| concept(&spec, c)).collect::<Vec<_>>();
        info.data = (!concepts.is_empty()).then(|| Box::new(Data { concepts, ..Default::default() }));
    }
    Ok(SingleModelResponse { status: status::success(), model: Some(model), ..Default::default() })
}

pub async fn list_models(cx: Cx, req: ListModelsRequest) -> Result<MultiModelResponse> {
    refuse_filters(&req)?;
    let platform = open(&cx, req.user_app_id).await?;
    let name = [req.search, req.query, req.name].into_iter().find(|s| !s.is_empty());
    let model_type_ids = [req.model_type_id].into_iter().filter(|s| !s.is_empty()).collect();
    let page = paging::page(req.page, req.per_page)?;
    // A caller may ask for an app's own models alone.
    let found = match req.dont_fetch_from_main {
        true => Vec::new(),
        false => models::list(&platform, &Query { name, model_type_ids }, page)?,
    };
    Ok(many(&cx, &found))
}

pub async fn post_models_searches(cx: Cx, req: PostModelsSearchesRequest) -> Result<MultiModelResponse> {
    let app = cx.app(req.user_app_id).await?;
    let query = req.model_query.unwrap_or_default();
    let page = paging::of(req.pagination.as_ref())?;
    let name = (!query.name.is_empty()).then_some(query.name);
    let ids = [query.model_type_id, query.r#type].into_iter().flat_map(|t| model_type_ids(&t)).collect();
    let found = models::list(app.platform(), &Query { name, model_type_ids: ids }, page)?;
    Ok(many(&cx, &found))
}

pub async fn list_model_versions(cx: Cx, req: ListModelVersionsRequest) -> Result<MultiModelVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let spec = models::get(app.platform(), &req.model_id, None)?;
    let page = paging::page(req.page, req.per_page)?;
    // Older ids mean the same version, so there is one.
    let first = (page.page == 1).then(|| model_version(&cx, &spec, spec.version_id()));
    let model_versions = first.into_iter().collect();
    Ok(MultiModelVersionResponse { status: status::success(), model_versions })
}

pub async fn get_model_version(cx: Cx, req: GetModelVersionRequest) -> Result<SingleModelVersionResponse> {
    let app = cx.app(req.user_app_id).await?;
    let spec = models::get(app.platform(), &req.model_id, version(&req.version_id))?;
    let model_version = Some(model_version(&cx, &spec, &req.version_id));
    Ok(SingleModelVersionResponse { status: status::success(), model_version })
}

pub async fn list_model_concepts(cx: Cx, req: ListModelConceptsRequest) -> Result<MultiConceptResponse> {
    let app = cx.app(req.user_app_id).await?;
    let spec = models::get(app.platform(), &req.model_id, version(&req.version_id))?;
    let Page { page, per_page } = paging::page(req.page, req.per_page)?;
    let wanted = req.search.to_lowercase();
    let found = spec.labels.concepts.iter().filter(|c| c.name.to_lowercase().contains(&wanted));
    let before = (page as usize - 1).saturating_mul(per_page as usize);
    let concepts = found.skip(before).take(per_page as usize).map(|c| concept(&spec, c)).collect();
    Ok(MultiConceptResponse { status: status::success(), concepts })
}

fn refuse_filters(req: &ListModelsRequest) -> Result<()> {
    paging::refuse(&[
        ("featured_only", req.featured_only),
        ("starred_only", req.starred_only),
        ("bookmark", req.bookmark),
        ("input_fields", !req.input_fields.is_empty()),
        ("output_fields", !req.output_fields.is_empty()),
        ("license", !req.license.is_empty()),
        ("toolkits", !req.toolkits.is_empty()),
        ("use_cases", !req.use_cases.is_empty()),
        ("languages", !req.languages.is_empty()),
        ("creator", !req.creator.is_empty()),
        ("model_version_ids", !req.model_version_ids.is_empty()),
        ("ids", !req.ids.is_empty()),
        ("visibility", req.visibility.is_some()),
    ])
}

/// Lists of models may be asked for without naming an app, and with a key that belongs to none.
pub async fn open(cx: &Cx, ids: Option<UserAppIdSet>) -> Result<ocellus_core::Platform> {
    let names_app = ids.as_ref().is_some_and(|ids| !ids.app_id.is_empty());
    if names_app {
        return Ok(cx.app(ids).await?.platform().clone());
    }
    Ok(cx.account(ids).await?.platform().clone())
}

fn version(id: &str) -> Option<&str> {
    (!id.is_empty()).then_some(id)
}

fn many(cx: &Cx, found: &[Arc<ModelSpec>]) -> MultiModelResponse {
    let models = found.iter().map(|spec| to_wire(cx, spec)).collect();
    MultiModelResponse { status: status::success(), models }
}

/// The current type ids that a type in any generation's words stands for.
fn model_type_ids(name: &str) -> Vec<String> {
    let ids: &[&str] = match name {
        "" => &[],
        "concept" => &["visual-classifier", "multimodal-classifier"],
        "embed" => &["visual-embedder"],
        other => return vec![other.to_owned()],
    };
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// `type` and `type_ext` of the first generation.
pub fn old_types(task: ModelTask) -> (&'static str, &'static str) {
    match task {
        ModelTask::Concepts => ("concept", "concept"),
        ModelTask::Embedding => ("embed", "embed"),
        ModelTask::Color => ("color", "color"),
        ModelTask::Focus => ("blur", "focus"),
        ModelTask::NearDuplicate => ("fingerprint", "fingerprint"),
    }
}

/// A model as clients see it, without its concepts, of which there may be many.
pub fn to_wire(cx: &Cx, spec: &ModelSpec) -> Model {
    let (old_type, type_ext) = old_types(spec.task);
    // The old clients look models up by this name; the new ones show another.
    let display_name = match cx.era {
        Era::Y2019 => spec.name.clone(),
        Era::Current => spec.display_name.clone(),
    };
    Model {
        id: spec.id.clone(),
        name: spec.name.clone(),
        display_name,
        created_at: documents::time(spec.created_at_us),
        modified_at: documents::time(spec.created_at_us),
        app_id: PUBLIC_APP.to_owned(),
        user_id: PUBLIC_USER.to_owned(),
        output_info: Some(OutputInfo {
            message: "Show output_info with: GET /models/{model_id}/output_info".to_owned(),
            r#type: old_type.to_owned(),
            type_ext: type_ext.to_owned(),
            ..Default::default()
        }),
        model_version: Some(Box::new(model_version(cx, spec, spec.version_id()))),
        model_type_id: spec.model_type_id.clone(),
        visibility: public(),
        description: spec.description.clone(),
        ..Default::default()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "message fields are options")]
fn public() -> Option<Visibility> {
    Some(Visibility { gettable: Gettable::Public as i32 })
}

fn model_version(cx: &Cx, spec: &ModelSpec, id: &str) -> ModelVersion {
    ModelVersion {
        id: id.to_owned(),
        created_at: documents::time(spec.created_at_us),
        status: Some(cx.status(Code::ModelTrained)),
        active_concept_count: u32::try_from(spec.labels.concepts.len()).unwrap_or(u32::MAX),
        app_id: PUBLIC_APP.to_owned(),
        user_id: PUBLIC_USER.to_owned(),
        license: spec.licence.clone(),
        visibility: public(),
        ..Default::default()
    }
}

fn concept(spec: &ModelSpec, concept: &ocellus_core::catalog::PublicConcept) -> Concept {
    Concept {
        id: concept.id.clone(),
        name: concept.name.clone(),
        value: 1.0,
        created_at: documents::time(spec.created_at_us),
        language: "en".to_owned(),
        app_id: PUBLIC_APP.to_owned(),
        user_id: PUBLIC_USER.to_owned(),
        ..Default::default()
    }
}
