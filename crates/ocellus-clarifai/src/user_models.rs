//! Models that users make: RPCs that make, change and delete them, and their wire form.

use ocellus_core::user_models::{self, ConceptRef, ModelDoc, ModelPatch, NewModel, Tags, VersionDoc};
use ocellus_core::user_models::{OutputConfig as Config, UserModel, UserModelVersion};
use ocellus_core::workflows::operators;
use ocellus_core::{Error, JsonMap, PatchAction, Result};

use crate::modules::{check_private, private};
use crate::patches::{Deletion, Fields, deletion};
use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, model_about, model_versions, paging, status, workflow_nodes};

/// The type of a model that learns concepts on the vectors of another; what is made where no type is said.
pub const CLASSIFIER: &str = "embedding-classifier";

pub async fn post_models(cx: Cx, req: PostModelsRequest) -> Result<SingleModelResponse> {
    let app = cx.app(req.user_app_id).await?;
    // The first generation has one model where the later ones have a list.
    let given: Vec<Model> = req.model.into_iter().chain(req.models).collect();
    let [model] = <[Model; 1]>::try_from(given)
        .map_err(|given| Error::invalid("models", format!("must hold one model, not {}", given.len())))?;
    let made = user_models::create(&app, new_model(model)?).await?;
    let model = Some(to_wire(&cx, &made, &made.newest));
    Ok(SingleModelResponse { status: status::success(), model, ..Default::default() })
}

pub async fn patch_models(cx: Cx, req: PatchModelsRequest) -> Result<MultiModelResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.models.into_iter().map(|model| patch(model, action)).collect::<Result<_>>()?;
    Ok(many(&cx, &user_models::patch(&app, patches, action).await?))
}

pub async fn patch_model_ids(cx: Cx, req: PatchModelIdsRequest) -> Result<MultiModelResponse> {
    let app = cx.app(req.user_app_id).await?;
    if paging::action(&req.action, PatchAction::Overwrite)? != PatchAction::Overwrite {
        return Err(Error::invalid("action", "must be overwrite: an id is one value"));
    }
    let ids = req.ids.into_iter().map(|update| (update.id, update.new_id)).collect();
    Ok(many(&cx, &user_models::rename(&app, ids).await?))
}

pub async fn delete_model(cx: Cx, req: DeleteModelRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    user_models::delete(&app, &[req.model_id]).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn delete_models(cx: Cx, req: DeleteModelsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    match deletion(req.ids, req.delete_all)? {
        Deletion::Ids(ids) => user_models::delete(&app, &ids).await?,
        Deletion::All => _ = user_models::delete_all(&app).await?,
    }
    Ok(BaseResponse { status: status::success() })
}

pub async fn patch_model_toolkits(
    cx: Cx,
    req: PatchModelToolkitsRequest,
) -> Result<MultiModelToolkitResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let toolkits = user_models::patch_tags(&app, &req.model_id, Tags::Toolkits, req.toolkits, action).await?;
    Ok(MultiModelToolkitResponse { status: status::success(), toolkits })
}

pub async fn patch_model_use_cases(
    cx: Cx,
    req: PatchModelUseCasesRequest,
) -> Result<MultiModelUseCaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let usecases = user_models::patch_tags(&app, &req.model_id, Tags::UseCases, req.usecases, action).await?;
    Ok(MultiModelUseCaseResponse { status: status::success(), usecases })
}

pub async fn patch_model_languages(
    cx: Cx,
    req: PatchModelLanguagesRequest,
) -> Result<MultiModelLanguageResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let languages =
        user_models::patch_tags(&app, &req.model_id, Tags::Languages, req.languages, action).await?;
    Ok(MultiModelLanguageResponse { status: status::success(), languages })
}

pub async fn patch_model_check_consents(
    cx: Cx,
    req: PatchModelCheckConsentsRequest,
) -> Result<MultiModelCheckConsentResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let (tags, words) = (Tags::CheckConsents, req.check_consents);
    let check_consents = user_models::patch_tags(&app, &req.model_id, tags, words, action).await?;
    Ok(MultiModelCheckConsentResponse { status: status::success(), check_consents })
}

fn check(model: &Model) -> Result<()> {
    check_private("models.visibility", model.visibility.as_ref())?;
    paging::refuse_fields(
        "models",
        &[
            ("languages_full", !model.languages_full.is_empty()),
            ("is_starred", model.is_starred),
            ("open_router_info", model.open_router_info.is_some()),
        ],
    )
}

/// Clients of today put what comes out into the version.
fn take_output_info(model: &mut Model) -> Result<OutputInfo> {
    let of_version = model.model_version.as_mut().and_then(|version| version.output_info.take());
    let info = model.output_info.take().or(of_version).unwrap_or_default();
    let config = info.output_config.as_ref();
    paging::refuse_fields(
        "models.output_info",
        &[
            ("params_specs", !info.params_specs.is_empty()),
            (
                "output_config.select_concepts",
                config.is_some_and(|config| !config.select_concepts.is_empty()),
            ),
            ("output_config.model_metadata", config.is_some_and(|config| config.model_metadata.is_some())),
        ],
    )?;
    Ok(info)
}

fn new_model(mut model: Model) -> Result<NewModel> {
    check(&model)?;
    let mut info = take_output_info(&mut model)?;
    let about = model_about::read(&mut model)?;
    let version = model.model_version.map(|version| *version).unwrap_or_default();
    model_versions::check(&version)?;
    let model_type_id = match model.model_type_id.is_empty() {
        true => type_of(&info),
        false => model.model_type_id,
    };
    // What an operator's concepts are is its own affair: thresholds, of whatever model.
    let params = match operators::is_operator(&model_type_id) {
        true => workflow_nodes::params_of_model(&mut info),
        false => map(info.params),
    };
    Ok(NewModel {
        id: model.id,
        name: if model.name.is_empty() { model.display_name } else { model.name },
        model_type_id,
        doc: ModelDoc {
            description: model.description,
            notes: model.notes,
            metadata: map(model.metadata),
            presets: map(model.presets),
            toolkits: model.toolkits,
            use_cases: model.use_cases,
            languages: model.languages,
            check_consents: model.check_consents,
            concepts: Vec::new(),
            output_config: info.output_config.map(config).unwrap_or_default(),
            params,
            fields_map: map(info.fields_map),
            about,
        },
        concepts: info.data.map(|data| concept_refs(*data)).transpose()?.unwrap_or_default(),
        version: VersionDoc {
            description: version.description,
            license: version.license,
            metadata: map(version.metadata),
            ..VersionDoc::default()
        },
    })
}

pub fn map(document: Option<prost_types::Struct>) -> JsonMap {
    document.map(documents::from_struct).unwrap_or_default()
}

/// The type that the first generation's words stand for.
fn type_of(info: &OutputInfo) -> String {
    match (info.r#type.as_str(), info.type_ext.as_str()) {
        (_, "detect-concept") => "visual-detector",
        ("" | "concept", _) => CLASSIFIER,
        ("embed", _) => "visual-embedder",
        (other, _) => other,
    }
    .to_owned()
}

/// The words of the first generation for a type.
fn old_types(model_type_id: &str) -> (&str, &str) {
    match model_type_id {
        "visual-detector" => ("concept", "detect-concept"),
        "visual-embedder" | "text-embedder" | "multimodal-embedder" => ("embed", "embed"),
        id if id.ends_with("-classifier") => ("concept", "concept"),
        other => (other, other),
    }
}

pub fn concept_refs(mut data: Data) -> Result<Vec<ConceptRef>> {
    let concepts = std::mem::take(&mut data.concepts);
    if data != Data::default() {
        return Err(Error::invalid("models.output_info.data", "may hold concepts only"));
    }
    let given = |text: String| (!text.is_empty()).then_some(text);
    Ok(concepts.into_iter().map(|c| ConceptRef { id: given(c.id), name: given(c.name) }).collect())
}

pub fn config(wire: OutputConfig) -> Config {
    Config {
        concepts_mutually_exclusive: wire.concepts_mutually_exclusive,
        closed_environment: wire.closed_environment,
        existing_model_id: wire.existing_model_id,
        embed_model_version_id: wire.embed_model_version_id,
        language: wire.language,
        max_concepts: wire.max_concepts,
        min_value: wire.min_value,
        sample_ms: wire.sample_ms,
        training_timeout_s: wire.training_timeout,
        test_split_percent: wire.test_split_percent,
        fail_on_missing_positive_examples: wire.fail_on_missing_positive_examples,
        template_name: wire.template_name,
        hyper_parameters: wire.hyper_parameters,
        hyper_params: map(wire.hyper_params),
    }
}

fn patch(mut model: Model, action: PatchAction) -> Result<ModelPatch> {
    check(&model)?;
    let info = take_output_info(&mut model)?;
    let about = model_about::read(&mut model)?;
    if model.model_version.as_ref().is_some_and(|version| **version != ModelVersion::default()) {
        return Err(Error::invalid("models.model_version", "is changed by a patch of the version"));
    }
    let given = |text: String| (!text.is_empty()).then_some(text);
    let fields = Fields::default()
        .text("description", model.description)
        .text("notes", model.notes)
        .document("metadata", model.metadata)
        .document("presets", model.presets)
        .document("params", info.params)
        .document("fields_map", info.fields_map);
    let (id, mut fields) = fields.of(model.id);
    let lists = [
        ("toolkits", model.toolkits),
        ("use_cases", model.use_cases),
        ("languages", model.languages),
        ("check_consents", model.check_consents),
    ];
    for (name, words) in lists.into_iter().filter(|(_, words)| !words.is_empty()) {
        fields.insert(name.to_owned(), words.into());
    }
    fields.extend(about);
    // Clients repeat the configuration when they take concepts away.
    if let Some(config) = info.output_config.filter(|_| action != PatchAction::Remove) {
        fields.insert("output_config".to_owned(), config_fields(config).into());
    }
    Ok(ModelPatch {
        id,
        name: given(model.name).or_else(|| given(model.display_name)),
        model_type_id: given(model.model_type_id),
        fields,
        concepts: info.data.map(|data| concept_refs(*data)).transpose()?,
    })
}

/// The settings that are given. Zero and no mean "leave alone" to a merge, since protobuf cannot tell them from absent;
/// an overwrite puts every setting back that it does not give.
fn config_fields(wire: OutputConfig) -> JsonMap {
    let switches = [
        ("concepts_mutually_exclusive", wire.concepts_mutually_exclusive),
        ("closed_environment", wire.closed_environment),
        ("fail_on_missing_positive_examples", wire.fail_on_missing_positive_examples),
    ];
    let (_, mut fields) = Fields::default()
        .text("existing_model_id", wire.existing_model_id)
        .text("embed_model_version_id", wire.embed_model_version_id)
        .text("language", wire.language)
        .text("template_name", wire.template_name)
        .text("hyper_parameters", wire.hyper_parameters)
        .document("hyper_params", wire.hyper_params)
        .of(String::new());
    let numbers = [
        ("max_concepts", wire.max_concepts),
        ("sample_ms", wire.sample_ms),
        ("training_timeout_s", wire.training_timeout),
        ("test_split_percent", wire.test_split_percent),
    ];
    for (name, number) in numbers.into_iter().filter(|(_, number)| *number != 0) {
        fields.insert(name.to_owned(), number.into());
    }
    if wire.min_value != 0.0 {
        fields.insert("min_value".to_owned(), wire.min_value.into());
    }
    fields.extend(switches.into_iter().filter(|(_, on)| *on).map(|(name, on)| (name.to_owned(), on.into())));
    fields
}

fn many(cx: &Cx, found: &[UserModel]) -> MultiModelResponse {
    let models = found.iter().map(|model| to_wire(cx, model, &model.newest)).collect();
    MultiModelResponse { status: status::success(), models }
}

/// A model as clients see it, without its concepts, of which there may be many.
pub fn to_wire(cx: &Cx, model: &UserModel, version: &UserModelVersion) -> Model {
    let mut wire = Model {
        id: model.id.clone(),
        name: model.name.clone(),
        display_name: model.name.clone(),
        created_at: documents::time(model.created_at_us),
        modified_at: documents::time(model.modified_at_us),
        app_id: model.app_id.clone(),
        user_id: model.user_id.clone(),
        output_info: Some(output_info(model)),
        model_version: Some(Box::new(model_versions::to_wire(cx, model, version))),
        model_type_id: model.model_type_id.clone(),
        visibility: private(),
        description: model.doc.description.clone(),
        notes: model.doc.notes.clone(),
        metadata: documents::to_struct(&model.doc.metadata),
        presets: documents::to_struct(&model.doc.presets),
        toolkits: model.doc.toolkits.clone(),
        use_cases: model.doc.use_cases.clone(),
        languages: model.doc.languages.clone(),
        check_consents: model.doc.check_consents.clone(),
        version_count: i32::try_from(model.n_versions).unwrap_or(i32::MAX),
        ..Default::default()
    };
    model_about::write(&model.doc.about, &mut wire);
    wire
}

pub fn output_info(model: &UserModel) -> OutputInfo {
    let (old_type, type_ext) = old_types(&model.model_type_id);
    let config = &model.doc.output_config;
    let output_config = OutputConfig {
        concepts_mutually_exclusive: config.concepts_mutually_exclusive,
        closed_environment: config.closed_environment,
        existing_model_id: config.existing_model_id.clone(),
        embed_model_version_id: config.embed_model_version_id.clone(),
        language: config.language.clone(),
        max_concepts: config.max_concepts,
        min_value: config.min_value,
        sample_ms: config.sample_ms,
        training_timeout: config.training_timeout_s,
        test_split_percent: config.test_split_percent,
        fail_on_missing_positive_examples: config.fail_on_missing_positive_examples,
        template_name: config.template_name.clone(),
        hyper_parameters: config.hyper_parameters.clone(),
        hyper_params: documents::to_struct(&config.hyper_params),
        ..Default::default()
    };
    OutputInfo {
        message: "Show output_info with: GET /models/{model_id}/output_info".to_owned(),
        r#type: old_type.to_owned(),
        type_ext: type_ext.to_owned(),
        output_config: Some(output_config),
        params: documents::to_struct(&model.doc.params),
        fields_map: documents::to_struct(&model.doc.fields_map),
        ..Default::default()
    }
}
