//! Vocabularies, which the first generation of the API has: RPCs and the wire form.

use ocellus_core::resources::{self, Listing, New, Shelf, Stored};
use ocellus_core::vocabs::{self, Vocab as CoreVocab};
use ocellus_core::{AppCtx, PatchAction, Result};

use crate::patches::{Deletion, Fields, deletion};
use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{concepts, documents, paging, status};

pub async fn post_vocabs(cx: Cx, req: PostVocabsRequest) -> Result<MultiVocabResponse> {
    let app = cx.app(req.user_app_id).await?;
    let new = req.vocabs.into_iter().map(new_vocab).collect();
    let made = resources::create(&Shelf::from(&app), new).await?;
    Ok(many(&app, &made))
}

pub async fn get_vocab(cx: Cx, req: GetVocabRequest) -> Result<SingleVocabResponse> {
    let app = cx.app(req.user_app_id).await?;
    let vocab = resources::get(&Shelf::from(&app), &req.vocab_id).await?;
    Ok(SingleVocabResponse { status: status::success(), vocab: Some(to_wire(&app, &vocab)) })
}

pub async fn list_vocabs(cx: Cx, req: ListVocabsRequest) -> Result<MultiVocabResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = resources::list(&Shelf::from(&app), &Listing::default(), page).await?;
    Ok(many(&app, &found))
}

pub async fn patch_vocabs(cx: Cx, req: PatchVocabsRequest) -> Result<MultiVocabResponse> {
    let app = cx.app(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches = req.vocabs.into_iter().map(patch).collect();
    let changed = resources::patch(&Shelf::from(&app), patches, action).await?;
    Ok(many(&app, &changed))
}

pub async fn delete_vocab(cx: Cx, req: DeleteVocabRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    resources::delete::<CoreVocab>(&Shelf::from(&app), &[req.vocab_id]).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn delete_vocabs(cx: Cx, req: DeleteVocabsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    let shelf = Shelf::from(&app);
    match deletion(req.ids, req.delete_all)? {
        Deletion::Ids(ids) => resources::delete::<CoreVocab>(&shelf, &ids).await?,
        Deletion::All => {
            resources::delete_all::<CoreVocab>(&shelf).await?;
        }
    }
    Ok(BaseResponse { status: status::success() })
}

pub async fn list_vocab_concepts(cx: Cx, req: ListVocabConceptsRequest) -> Result<MultiConceptResponse> {
    let app = cx.app(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = vocabs::concepts(&app, &req.vocab_id, page).await?;
    Ok(concepts::many(&app, &found))
}

pub async fn post_vocab_concepts(cx: Cx, req: PostVocabConceptsRequest) -> Result<MultiConceptResponse> {
    let app = cx.app(req.user_app_id).await?;
    let ids = req.concepts.into_iter().map(|concept| concept.id).collect();
    let added = vocabs::add_concepts(&app, &req.vocab_id, ids).await?;
    Ok(concepts::many(&app, &added))
}

pub async fn delete_vocab_concept(cx: Cx, req: DeleteVocabConceptRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    vocabs::remove_concepts(&app, &req.vocab_id, vec![req.concept_id]).await?;
    Ok(BaseResponse { status: status::success() })
}

pub async fn delete_vocab_concepts(cx: Cx, req: DeleteVocabConceptsRequest) -> Result<BaseResponse> {
    let app = cx.app(req.user_app_id).await?;
    match deletion(req.ids, req.delete_all)? {
        Deletion::Ids(ids) => vocabs::remove_concepts(&app, &req.vocab_id, ids).await?,
        Deletion::All => vocabs::clear_concepts(&app, &req.vocab_id).await?,
    }
    Ok(BaseResponse { status: status::success() })
}

fn many(app: &AppCtx, found: &[Stored<CoreVocab>]) -> MultiVocabResponse {
    let vocabs = found.iter().map(|vocab| to_wire(app, vocab)).collect();
    MultiVocabResponse { status: status::success(), vocabs }
}

fn new_vocab(vocab: Vocab) -> New<CoreVocab> {
    let name = if vocab.name.is_empty() { vocab.id.clone() } else { vocab.name };
    let doc = CoreVocab { name, description: vocab.description, ..CoreVocab::default() };
    New { id: Some(vocab.id), doc }
}

fn patch(vocab: Vocab) -> (String, ocellus_core::JsonMap) {
    Fields::default().text("name", vocab.name).text("description", vocab.description).of(vocab.id)
}

fn to_wire(app: &AppCtx, vocab: &Stored<CoreVocab>) -> Vocab {
    Vocab {
        id: vocab.id.clone(),
        name: vocab.doc.name.clone(),
        description: vocab.doc.description.clone(),
        app_id: app.app().id.clone(),
        created_at: documents::time(vocab.created_at_us),
    }
}
