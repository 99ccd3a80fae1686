//! Keys: RPCs and the wire form of a key. A secret is shown once, as the id of the key just made;
//! afterwards the key is known by its public id, and by its secret to whoever holds that.

use ocellus_core::ids::hash_secret;
use ocellus_core::keys::{self, Key as CoreKey, KeyPatch, NewKey};
use ocellus_core::{Error, KeyKind, PatchAction, Result, Scope};

use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, paging, status};

const PAT: &str = "personal_access_token";
const API_KEY: &str = "api_key";

pub async fn post_keys(cx: Cx, req: PostKeysRequest) -> Result<MultiKeyResponse> {
    let account = cx.account(req.user_app_id).await?;
    let new = req.keys.into_iter().enumerate().map(|(i, key)| new_key(i, key)).collect::<Result<Vec<_>>>()?;
    if new.is_empty() {
        return Err(Error::invalid("keys", "must hold at least one key"));
    }
    let mut keys = Vec::with_capacity(new.len());
    for key in new {
        let (key, secret) = keys::create(&account, key).await?;
        keys.push(Key { id: secret, ..to_wire(&key) });
    }
    Ok(MultiKeyResponse { status: status::success(), keys })
}

pub async fn get_key(cx: Cx, req: GetKeyRequest) -> Result<SingleKeyResponse> {
    let account = cx.account(req.user_app_id).await?;
    let key = keys::get(&account, &public_id(&req.key_id)).await?;
    Ok(SingleKeyResponse { status: status::success(), key: Some(to_wire(&key)) })
}

pub async fn list_keys(cx: Cx, req: ListKeysRequest) -> Result<MultiKeyResponse> {
    let account = cx.account(req.user_app_id).await?;
    paging::refuse(&[
        ("scopes", !req.scopes.is_empty()),
        ("endpoints", !req.endpoints.is_empty()),
        ("type", !req.r#type.is_empty()),
    ])?;
    let found = keys::list(&account, paging::page(req.page, req.per_page)?, None).await?;
    Ok(many(&found))
}

pub async fn list_app_keys(cx: Cx, req: ListAppKeysRequest) -> Result<MultiKeyResponse> {
    let app = cx.app(req.user_app_id.clone()).await?;
    let account = cx.account(req.user_app_id).await?;
    let page = paging::page(req.page, req.per_page)?;
    let found = keys::list(&account, page, Some(&app.app().id)).await?;
    Ok(many(&found))
}

pub async fn patch_keys(cx: Cx, req: PatchKeysRequest) -> Result<MultiKeyResponse> {
    let account = cx.account(req.user_app_id).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    let patches =
        req.keys.into_iter().enumerate().map(|(i, key)| patch(i, key)).collect::<Result<Vec<_>>>()?;
    let mut changed = Vec::with_capacity(patches.len());
    for patch in patches {
        changed.push(keys::patch(&account, patch, action).await?);
    }
    Ok(many(&changed))
}

pub async fn delete_key(cx: Cx, req: DeleteKeyRequest) -> Result<BaseResponse> {
    let account = cx.account(req.user_app_id).await?;
    keys::revoke(&account, &public_id(&req.key_id)).await?;
    Ok(BaseResponse { status: status::success() })
}

fn many(found: &[CoreKey]) -> MultiKeyResponse {
    MultiKeyResponse { status: status::success(), keys: found.iter().map(to_wire).collect() }
}

/// The public id, also for somebody who gives the secret.
fn public_id(id: &str) -> String {
    match id.len() {
        64 => hash_secret(id)[..16].to_owned(),
        _ => id.to_owned(),
    }
}

fn new_key(i: usize, key: Key) -> Result<NewKey> {
    let kind = match key.r#type.as_str() {
        "" | API_KEY => KeyKind::ApiKey,
        PAT => KeyKind::Pat,
        _ => return Err(Error::invalid(format!("keys[{i}].type"), format!("must be {API_KEY} or {PAT}"))),
    };
    if key.apps.len() > 1 {
        return Err(Error::invalid(format!("keys[{i}].apps"), "must hold one app"));
    }
    Ok(NewKey {
        kind,
        scopes: scopes(i, &key.scopes)?.into_iter().collect(),
        description: key.description,
        app_id: key.apps.into_iter().next().map(|app| app.id),
        expires_at_us: key.expires_at.as_ref().map(documents::micros),
    })
}

fn patch(i: usize, key: Key) -> Result<KeyPatch> {
    Ok(KeyPatch {
        id: public_id(&key.id),
        scopes: if key.scopes.is_empty() { None } else { Some(scopes(i, &key.scopes)?) },
        description: (!key.description.is_empty()).then_some(key.description),
    })
}

fn scopes(i: usize, names: &[String]) -> Result<Vec<Scope>> {
    let scope = |name: &String| {
        Scope::from_name(name)
            .ok_or_else(|| Error::invalid(format!("keys[{i}].scopes"), format!("there is no scope '{name}'")))
    };
    names.iter().map(scope).collect()
}

pub fn to_wire(key: &CoreKey) -> Key {
    let kind = match key.kind {
        KeyKind::ApiKey => API_KEY,
        KeyKind::Pat => PAT,
        KeyKind::Client => "client_credentials",
        KeyKind::Token => "session_token",
    };
    let app = |id: &String| App { id: id.clone(), user_id: key.user_id.clone(), ..Default::default() };
    Key {
        id: key.id.clone(),
        r#type: kind.to_owned(),
        description: key.description.clone(),
        scopes: key.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
        apps: key.app_id.iter().map(app).collect(),
        created_at: documents::time(key.created_at_us),
        expires_at: key.expires_at_us.and_then(documents::time),
        ..Default::default()
    }
}
