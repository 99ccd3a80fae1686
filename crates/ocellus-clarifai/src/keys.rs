//! Keys: RPCs and the wire form of a key. A secret is shown once, as the id of the key just made;
//! afterwards the key is known by its public id, and by its secret to whoever holds that.

use ocellus_core::ids::hash_secret;
use ocellus_core::keys::{self, Key as CoreKey, KeyFilter, KeyPatch, NewKey};
use ocellus_core::{Error, KeyKind, PatchAction, Result, Scope, ScopeSet};

use crate::pb::status::BaseResponse;
use crate::pb::*;
use crate::rpc::Cx;
use crate::scopes::with_dependencies;
use crate::{documents, paging, status};

const PAT: &str = "personal_access_token";
const API_KEY: &str = "api_key";

pub async fn post_keys(cx: Cx, req: PostKeysRequest) -> Result<MultiKeyResponse> {
    let account = cx.account(req.user_app_id).await?;
    let have = account.caller().scopes;
    let new = req
        .keys
        .into_iter()
        .enumerate()
        .map(|(i, key)| new_key(i, key, &have))
        .collect::<Result<Vec<_>>>()?;
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
    paging::refuse(&[("endpoints", !req.endpoints.is_empty())])?;
    let kind = match req.r#type.as_str() {
        "" => None,
        _ => Some(kind("type", &req.r#type)?),
    };
    // Keys that have ended are never listed, so there is nothing to do for `not_expired`.
    let filter = KeyFilter { app_id: String::new(), kind, scopes: scopes("scopes", &req.scopes)? };
    let found = keys::list_some(&account, paging::page(req.page, req.per_page)?, filter).await?;
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
    let have = account.caller().scopes;
    let read = |(i, key)| patch(i, key, action, &have);
    let patches = req.keys.into_iter().enumerate().map(read).collect::<Result<Vec<_>>>()?;
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

fn kind(field: &str, name: &str) -> Result<KeyKind> {
    match name {
        "" | API_KEY => Ok(KeyKind::ApiKey),
        PAT => Ok(KeyKind::Pat),
        _ => Err(Error::invalid(field, format!("must be {API_KEY} or {PAT}"))),
    }
}

/// What a key could have and this server has not must not be taken for had.
fn check_known(i: usize, key: &Key) -> Result<()> {
    let unknown = [
        ("endpoints", !key.endpoints.is_empty()),
        ("authorized_idp_ids", !key.authorized_idp_ids.is_empty()),
        ("organization_id", !key.organization_id.is_empty()),
    ];
    match unknown.iter().find(|(_, given)| *given) {
        Some((name, _)) => {
            Err(Error::invalid(format!("keys[{i}].{name}"), "cannot be given on this server; give scopes"))
        }
        None => Ok(()),
    }
}

/// The scopes with what they depend on, so that a key for reading inputs can list them.
fn new_key(i: usize, key: Key, have: &ScopeSet) -> Result<NewKey> {
    check_known(i, &key)?;
    let kind = kind(&format!("keys[{i}].type"), &key.r#type)?;
    if key.apps.len() > 1 {
        return Err(Error::invalid(format!("keys[{i}].apps"), "must hold one app"));
    }
    Ok(NewKey {
        kind,
        scopes: with_dependencies(
            &scopes(&format!("keys[{i}].scopes"), &key.scopes)?.into_iter().collect(),
            have,
        ),
        description: key.description,
        app_id: key.apps.into_iter().next().map(|app| app.id),
        expires_at_us: key.expires_at.as_ref().map(documents::micros),
    })
}

fn patch(i: usize, key: Key, action: PatchAction, have: &ScopeSet) -> Result<KeyPatch> {
    check_known(i, &key)?;
    if !key.apps.is_empty() {
        return Err(Error::invalid(format!("keys[{i}].apps"), "cannot be changed; make another key"));
    }
    let given = scopes(&format!("keys[{i}].scopes"), &key.scopes)?;
    let scopes = match action {
        PatchAction::Remove => given,
        PatchAction::Merge | PatchAction::Overwrite => {
            with_dependencies(&given.into_iter().collect(), have).iter().collect()
        }
    };
    Ok(KeyPatch {
        id: public_id(&key.id),
        scopes: (!scopes.is_empty()).then_some(scopes),
        description: (!key.description.is_empty()).then_some(key.description),
        expires_at_us: key.expires_at.as_ref().map(documents::micros),
    })
}

fn scopes(field: &str, names: &[String]) -> Result<Vec<Scope>> {
    let scope = |name: &String| {
        Scope::from_name(name).ok_or_else(|| Error::invalid(field, format!("there is no scope '{name}'")))
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
