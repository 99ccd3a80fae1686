//! Users: the caller's own account, and public ones.

use ocellus_core::accounts::Account;
use ocellus_core::users::{self, Consent, User as CoreUser, UserPatch, Violations};
use ocellus_core::{Error, PatchAction, Resource, Result};

use crate::patches::Fields;
use crate::pb::status::{Status, StatusCode as Code};
use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, paging, status};

pub async fn get_user(cx: Cx, req: GetUserRequest) -> Result<SingleUserResponse> {
    let account = cx.account(req.user_app_id).await?;
    let user = users::get(&account).await?;
    let user = if account.is_public() { card(&user.account) } else { to_wire(&user) };
    Ok(SingleUserResponse { status: status::success(), user: Some(user) })
}

/// Everybody can change themselves only, so every user of the list must be the caller.
pub async fn patch_users(cx: Cx, req: PatchUsersRequest) -> Result<MultiUserResponse> {
    let account = cx.account(None).await?;
    let action = paging::action(&req.action, PatchAction::Overwrite)?;
    if req.users.is_empty() {
        return Err(Error::invalid("users", "must hold the user to change"));
    }
    let own_id = account.account().id.clone();
    let mut changed = Vec::with_capacity(req.users.len());
    for user in &req.users {
        if !(user.id.is_empty() || user.id == "me" || user.id == own_id) {
            return Err(Error::not_found(Resource::Account(user.id.clone())));
        }
    }
    for user in req.users {
        let user = users::patch(&account, patch(user)?, action).await?;
        changed.push(to_wire(&user));
    }
    Ok(MultiUserResponse { status: status::success(), users: changed })
}

pub async fn post_user_consent(cx: Cx, req: PostUserConsentRequest) -> Result<SingleUserResponse> {
    let account = cx.account(req.user_app_id).await?;
    let consents = req.fields.iter().map(|field| consent(field)).collect::<Result<Vec<_>>>()?;
    if consents.is_empty() {
        return Err(Error::invalid("fields", "must name what is agreed to: gdpr, tos, marketing or pii"));
    }
    let user = users::consent(&account, consents, req.consent).await?;
    Ok(SingleUserResponse { status: status::success(), user: Some(to_wire(&user)) })
}

pub async fn post_validate_password(
    cx: Cx,
    req: PostValidatePasswordRequest,
) -> Result<SinglePasswordValidationResponse> {
    let account = cx.account(req.user_app_id).await?;
    let password = req.password.unwrap_or_default().plaintext;
    let found = users::check_password(&account, &password).await?;
    let status = match found.is_empty() {
        true => cx.status(Code::Success),
        false => {
            let details = format!("password {}", found.text());
            Status { details, ..cx.status(Code::PasswordValidationFailed) }
        }
    };
    let password_violations = Some(violations(&found));
    Ok(SinglePasswordValidationResponse { status: Some(status), password_violations })
}

/// The names of the fields with or without what they have in common.
fn consent(field: &str) -> Result<Consent> {
    let name = field.trim_start_matches("date_").trim_end_matches("_consent");
    match name {
        "gdpr" => Ok(Consent::Gdpr),
        "tos" => Ok(Consent::Tos),
        "marketing" => Ok(Consent::Marketing),
        "pii" => Ok(Consent::Pii),
        _ => Err(Error::invalid("fields", format!("'{field}' is nothing to agree to"))),
    }
}

fn patch(user: User) -> Result<UserPatch> {
    let detail = user.user_detail.unwrap_or_default();
    paging::refuse(&[
        ("users.image", user.image.is_some()),
        ("users.visibility", user.visibility.is_some()),
        ("users.two_factor_auth_enabled", user.two_factor_auth_enabled || detail.two_factor_auth_enabled),
    ])?;
    let email = [detail.primary_email, user.primary_email].into_iter().find(|email| !email.is_empty());
    let (_, profile) = Fields::default()
        .text("first_name", user.first_name)
        .text("last_name", user.last_name)
        .text("company_name", user.company_name)
        .text("job_title", user.job_title)
        .text("job_role", user.job_role)
        .text("intention", user.intention)
        .text("referral_source", user.referral_source)
        .text("country", detail.country)
        .text("state", detail.state)
        .document("metadata", detail.metadata.or(user.metadata))
        .of(String::new());
    Ok(UserPatch { profile, email })
}

/// The one address of a user, if there is one.
pub fn addresses(user: &CoreUser) -> Vec<EmailAddress> {
    let address = EmailAddress { email: user.email.clone(), primary: true, verified: user.verified };
    if user.email.is_empty() { Vec::new() } else { vec![address] }
}

/// What everybody may see of a user whom they may see at all.
pub fn card(account: &Account) -> User {
    User {
        id: account.id.clone(),
        first_name: account.name.clone(),
        created_at: documents::time(account.created_at_us),
        ..Default::default()
    }
}

/// A user for their own eyes: the fields of both generations.
fn to_wire(user: &CoreUser) -> User {
    let profile = &user.profile;
    let consented = |consent| profile.consents.get(&consent).and_then(|us| documents::time(*us));
    let detail = UserDetail {
        primary_email: user.email.clone(),
        date_gdpr_consent: consented(Consent::Gdpr),
        date_tos_consent: consented(Consent::Tos),
        date_marketing_consent: consented(Consent::Marketing),
        date_pii_consent: consented(Consent::Pii),
        metadata: documents::to_struct(&profile.metadata),
        email_addresses: addresses(user),
        country: profile.country.clone(),
        state: profile.state.clone(),
        ..Default::default()
    };
    User {
        first_name: profile.first_name.clone(),
        last_name: profile.last_name.clone(),
        company_name: profile.company_name.clone(),
        job_title: profile.job_title.clone(),
        job_role: profile.job_role.clone(),
        intention: profile.intention.clone(),
        referral_source: profile.referral_source.clone(),
        primary_email: user.email.clone(),
        date_gdpr_consent: detail.date_gdpr_consent,
        date_tos_consent: detail.date_tos_consent,
        date_marketing_consent: detail.date_marketing_consent,
        date_pii_consent: detail.date_pii_consent,
        metadata: detail.metadata.clone(),
        email_addresses: addresses(user),
        user_detail: Some(detail),
        ..card(&user.account)
    }
}

fn violations(found: &Violations) -> PasswordViolations {
    PasswordViolations {
        minimum_length: found.too_short,
        maximum_length: found.too_long,
        upper_case_needed: found.no_upper,
        lower_case_needed: found.no_lower,
        numeric_needed: found.no_digit,
        non_alphanumeric_needed: found.no_symbol,
        password_reuse: found.reused,
        exclude_names: found.has_name,
        exclude_email: found.has_email,
        no_simple_passwords: found.simple,
        no_common_vocabs: found.common,
        ..Default::default()
    }
}
