//! Names of concepts in other languages: RPCs and the wire form of a name.

use ocellus_core::concepts::languages::{self, ConceptLanguage as CoreLanguage};
use ocellus_core::{PatchAction, Result};

use crate::pb::*;
use crate::rpc::Cx;
use crate::{paging, status};

pub async fn list_concept_languages(
    cx: Cx,
    req: ListConceptLanguagesRequest,
) -> Result<MultiConceptLanguageResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    Ok(many(languages::list(&app, &req.concept_id, page).await?))
}

pub async fn get_concept_language(
    cx: Cx,
    req: GetConceptLanguageRequest,
) -> Result<SingleConceptLanguageResponse> {
    let app = cx.app(req.user_app_id).await?;
    let found = languages::get(&app, &req.concept_id, &req.language).await?;
    Ok(SingleConceptLanguageResponse { status: status::success(), concept_language: Some(to_wire(found)) })
}

pub async fn post_concept_languages(
    cx: Cx,
    req: PostConceptLanguagesRequest,
) -> Result<MultiConceptLanguageResponse> {
    let app = cx.app(req.user_app_id).await?;
    let names = req.concept_languages.into_iter().map(from_wire).collect();
    Ok(many(languages::create(&app, &req.concept_id, names).await?))
}

pub async fn patch_concept_languages(
    cx: Cx,
    req: PatchConceptLanguagesRequest,
) -> Result<MultiConceptLanguageResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let names = req.concept_languages.into_iter().map(from_wire).collect();
    Ok(many(languages::patch(&app, &req.concept_id, names, action).await?))
}

fn many(found: Vec<CoreLanguage>) -> MultiConceptLanguageResponse {
    let concept_languages = found.into_iter().map(to_wire).collect();
    MultiConceptLanguageResponse { status: status::success(), concept_languages }
}

/// On the wire the id of a name is the code of its language.
fn to_wire(name: CoreLanguage) -> ConceptLanguage {
    ConceptLanguage { id: name.language, name: name.name, definition: name.definition }
}

fn from_wire(name: ConceptLanguage) -> CoreLanguage {
    CoreLanguage { language: name.id, name: name.name, definition: name.definition }
}
