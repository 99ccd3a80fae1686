//! Models: RPCs that look for them among an app's own and the public ones, and the wire form of a public one in both
//! generations' words.

use ocellus_core::bootstrap;
use ocellus_core::catalog::{ModelSpec, ModelTask};
use ocellus_core::models::{self, AnyModel, Found, ModelQuery as Query, Origin, Owner, SortBy, WantedTags};
use ocellus_core::user_models::{UserModel, UserModelVersion, all_concepts};
use ocellus_core::{AccountCtx, AppCtx, Error, Page, Result};

use crate::pb::list_models_request::SortBy as WireSortBy;
use crate::pb::status::StatusCode as Code;
use crate::pb::visibility::Gettable;
use crate::pb::*;
use crate::rpc::{Cx, Era};
use crate::{concepts, documents, paging, status, user_models};

/// The user and app under which public models live.
pub use bootstrap::{PUBLIC_APP, PUBLIC_USER};

pub async fn get_model(cx: Cx, req: GetModelRequest) -> Result<SingleModelResponse> {
    single(&cx, req, false).await
}

pub async fn get_model_output_info(cx: Cx, req: GetModelRequest) -> Result<SingleModelResponse> {
    single(&cx, req, true).await
}

async fn single(cx: &Cx, req: GetModelRequest, with_concepts: bool) -> Result<SingleModelResponse> {
    let app = cx.app_with_model(req.user_app_id, &req.model_id).await?;
    let found = models::find(&app, &req.model_id, version(&req.version_id)).await?;
    let concepts = match &found {
        _ if !with_concepts => Vec::new(),
        Found::Own(model, version) => {
            let model = &as_trained(model, version, &req.version_id);
            all_concepts(&app, model).await?.iter().map(|concept| concepts::to_wire(&app, concept)).collect()
        }
        Found::Public(spec) => spec.labels.concepts.iter().map(|c| concept(spec, c)).collect(),
    };
    let mut model = match &found {
        Found::Own(model, version) => user_models::to_wire(cx, model, version),
        Found::Public(spec) => to_wire(cx, spec),
    };
    if let Some(info) = &mut model.output_info {
        info.data = (!concepts.is_empty()).then(|| Box::new(Data { concepts, ..Default::default() }));
    }
    Ok(SingleModelResponse { status: status::success(), model: Some(model), ..Default::default() })
}

pub async fn list_models(cx: Cx, mut req: ListModelsRequest) -> Result<MultiModelResponse> {
    refuse_filters(&req)?;
    let opened = opened(&cx, req.user_app_id.take()).await?;
    let page = paging::page(req.page, req.per_page)?;
    let Some(query) = query(req)? else { return Ok(many(&cx, &[])) };
    Ok(many(&cx, &models::list(opened.owner(), query, page).await?))
}

/// Nothing if the request asks for what cannot be.
fn query(req: ListModelsRequest) -> Result<Option<Query>> {
    // A caller may ask for an app's own models alone.
    let only_own = req.dont_fetch_from_main || req.filter_by_user_id;
    let gettable =
        req.visibility.map_or(Gettable::UnknownVisibility as i32, |visibility| visibility.gettable);
    let origin = match (Gettable::try_from(gettable), only_own) {
        (Ok(Gettable::UnknownVisibility), false) => Origin::Any,
        (Ok(Gettable::UnknownVisibility), true) | (Ok(Gettable::Private), _) => Origin::Own,
        (Ok(Gettable::Public), false) => Origin::Public,
        (Ok(Gettable::Public), true) | (Ok(Gettable::Org) | Err(_), _) => return Ok(None),
    };
    let sort_by = sort_by(req.sort_by)?;
    Ok(Some(Query {
        name: [req.search, req.query, req.name].into_iter().find(|s| !s.is_empty()),
        model_type_ids: model_type_ids(&req.model_type_id),
        ids: req.ids,
        trained_only: req.trained_only,
        tags: WantedTags { toolkits: req.toolkits, use_cases: req.use_cases, languages: req.languages },
        origin,
        sort_by,
        descending: sort_by != SortBy::Age && !req.sort_ascending,
    }))
}

fn sort_by(wire: Option<WireSortBy>) -> Result<SortBy> {
    let (field, message) = match wire {
        None | Some(WireSortBy::SortByRelevance(_)) => return Ok(SortBy::Age),
        Some(WireSortBy::SortByName(_)) => return Ok(SortBy::Name),
        Some(WireSortBy::SortByCreatedAt(_)) => return Ok(SortBy::CreatedAt),
        Some(WireSortBy::SortByModifiedAt(_)) => return Ok(SortBy::ModifiedAt),
        Some(WireSortBy::SortByStarCount(_)) => {
            ("sort_by_star_count", "is not possible: there are no stars here")
        }
        Some(WireSortBy::SortByNumInputs(_)) => {
            ("sort_by_num_inputs", "is an order that this server does not have")
        }
    };
    Err(Error::invalid(field, message))
}

pub async fn post_models_searches(cx: Cx, req: PostModelsSearchesRequest) -> Result<MultiModelResponse> {
    let app = cx.app(req.user_app_id).await?;
    let wanted = req.model_query.unwrap_or_default();
    let page = paging::of(req.pagination.as_ref())?;
    let name = (!wanted.name.is_empty()).then_some(wanted.name);
    let types = [wanted.model_type_id, wanted.r#type];
    let model_type_ids = types.into_iter().flat_map(|t| model_type_ids(&t)).collect();
    let query = Query { name, model_type_ids, ..Query::default() };
    Ok(many(&cx, &models::list(Owner::App(&app), query, page).await?))
}

pub async fn list_model_concepts(cx: Cx, req: ListModelConceptsRequest) -> Result<MultiConceptResponse> {
    let app = cx.app_with_model(req.user_app_id, &req.model_id).await?;
    let found = models::find(&app, &req.model_id, version(&req.version_id)).await?;
    let page = paging::page(req.page, req.per_page)?;
    let concepts = match &found {
        Found::Own(model, version) => {
            let model = &as_trained(model, version, &req.version_id);
            let found = ocellus_core::user_models::concepts(&app, model, &req.search, page).await?;
            found.iter().map(|concept| concepts::to_wire(&app, concept)).collect()
        }
        Found::Public(spec) => public_concepts(spec, &req.search, page),
    };
    Ok(MultiConceptResponse { status: status::success(), concepts })
}

/// The model with the concepts that the version learned, if that version was asked for.
fn as_trained(model: &UserModel, version: &UserModelVersion, asked: &str) -> UserModel {
    let mut model = model.clone();
    if let Some(on) = version.doc.trained_on.as_ref().filter(|_| !asked.is_empty()) {
        model.doc.concepts = on.concepts.iter().map(|concept| concept.id.clone()).collect();
    }
    model
}

fn public_concepts(spec: &ModelSpec, search: &str, page: Page) -> Vec<Concept> {
    let wanted = search.to_lowercase();
    let found = spec.labels.concepts.iter().filter(|c| c.name.to_lowercase().contains(&wanted));
    let before = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    found.skip(before).take(page.per_page as usize).map(|c| concept(spec, c)).collect()
}

fn refuse_filters(req: &ListModelsRequest) -> Result<()> {
    paging::refuse(&[
        ("featured_only", req.featured_only),
        ("starred_only", req.starred_only),
        ("bookmark", req.bookmark),
        ("input_fields", !req.input_fields.is_empty()),
        ("output_fields", !req.output_fields.is_empty()),
        ("license", !req.license.is_empty()),
        ("license_type", req.license_type != 0),
        ("source", req.source != 0),
        ("creator", !req.creator.is_empty()),
        ("model_version_ids", !req.model_version_ids.is_empty()),
        ("min_replicas", req.min_replicas != 0),
    ])
}

/// The app or account that a list is asked of.
pub enum Opened {
    App(AppCtx),
    Account(AccountCtx),
}

impl Opened {
    fn owner(&self) -> Owner<'_> {
        match self {
            Self::App(app) => Owner::App(app),
            Self::Account(account) => Owner::Account(account),
        }
    }

    pub fn platform(&self) -> &ocellus_core::Platform {
        match self {
            Self::App(app) => app.platform(),
            Self::Account(account) => account.platform(),
        }
    }
}

/// Lists of models may be asked for without naming an app, and with a key that belongs to none.
pub async fn opened(cx: &Cx, ids: Option<UserAppIdSet>) -> Result<Opened> {
    let names_app = ids.as_ref().is_some_and(|ids| !ids.app_id.is_empty());
    if names_app {
        return Ok(Opened::App(cx.app(ids).await?));
    }
    Ok(Opened::Account(cx.account(ids).await?))
}

/// A version's id, if one is given.
pub fn version(id: &str) -> Option<&str> {
    (!id.is_empty()).then_some(id)
}

fn many(cx: &Cx, found: &[AnyModel]) -> MultiModelResponse {
    let models = found.iter().map(|model| match model {
        AnyModel::Own(model) => user_models::to_wire(cx, model, &model.newest),
        AnyModel::Public(spec) => to_wire(cx, spec),
    });
    MultiModelResponse { status: status::success(), models: models.collect() }
}

/// The current type ids that a type in any generation's words stands for.
fn model_type_ids(name: &str) -> Vec<String> {
    let ids: &[&str] = match name {
        "" => &[],
        "concept" => &["visual-classifier", "multimodal-classifier", user_models::CLASSIFIER],
        "embed" => &["visual-embedder", "visual-detector-embedder"],
        "detect-embed" => &["visual-detector-embedder"],
        "detection" | "detect-concept" | "facedetect" | "facedetect-demographics" => &["visual-detector"],
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
        ModelTask::Objects => ("concept", "detection"),
        ModelTask::Faces => ("facedetect", "facedetect"),
        ModelTask::FaceEmbedding => ("embed", "detect-embed"),
        ModelTask::FaceAppearance => ("facedetect", "facedetect-demographics"),
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
pub fn public() -> Option<Visibility> {
    Some(Visibility { gettable: Gettable::Public as i32 })
}

pub fn model_version(cx: &Cx, spec: &ModelSpec, id: &str) -> ModelVersion {
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
