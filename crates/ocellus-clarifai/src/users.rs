//! Users: the caller's own account, and public ones.

use ocellus_core::Result;

use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, status};

pub async fn get_user(cx: Cx, req: GetUserRequest) -> Result<SingleUserResponse> {
    let account = cx.account(req.user_app_id).await?;
    let own = !account.is_public();
    let account = account.account();
    let user = User {
        id: account.id.clone(),
        first_name: account.name.clone(),
        primary_email: account.email.clone().filter(|_| own).unwrap_or_default(),
        created_at: documents::time(account.created_at_us),
        ..Default::default()
    };
    Ok(SingleUserResponse { status: status::success(), user: Some(user) })
}
