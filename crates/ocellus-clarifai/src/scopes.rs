//! Scopes: which there are, and which the caller's key has.

use ocellus_core::{Result, Scope};

use crate::pb::*;
use crate::rpc::{Cx, Era};
use crate::{apps, status};

pub async fn my_scopes(cx: Cx, req: MyScopesRequest) -> Result<MultiScopeResponse> {
    let caller = cx.caller()?;
    let scopes = caller.scopes.iter().map(|scope| scope.name().to_owned()).collect();
    let names_app = req.user_app_id.as_ref().is_some_and(|ids| !ids.app_id.is_empty());
    let app = match names_app || caller.app_uid.is_some() {
        true => Some(apps::to_wire(cx.app(req.user_app_id).await?.app())),
        false => None,
    };
    Ok(MultiScopeResponse { status: status::success(), scopes, app, ..Default::default() })
}

#[expect(clippy::unused_async, reason = "handlers are async")]
pub async fn list_scopes(cx: Cx, _req: ListScopesRequest) -> Result<MultiScopeDepsResponse> {
    let all: Vec<ScopeDeps> = Scope::all()
        .map(|scope| ScopeDeps { scope: scope.name().to_owned(), depending_scopes: Vec::new() })
        .collect();
    // The list had another name in the first generation.
    let (scopes, scope_deps) = match cx.era {
        Era::Y2019 => (all, Vec::new()),
        Era::Current => (Vec::new(), all),
    };
    Ok(MultiScopeDepsResponse { status: status::success(), scope_deps, scopes, ..Default::default() })
}
