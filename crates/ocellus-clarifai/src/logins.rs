//! Signing up and in, and showing whose an e-mail address is.

use ocellus_core::users::{self, Consent, NewUser, Profile, Session, User as CoreUser};
use ocellus_core::{Platform, Result};

use crate::pb::*;
use crate::rpc::Cx;
use crate::{documents, status};

pub async fn post_login(cx: Cx, req: PostLoginRequest) -> Result<SingleLoginResponse> {
    let (email, password) = (req.email, req.password);
    let (user, session) = users::login(&cx.platform, &email, &password, req.long_lived, &cx.address).await?;
    cx.touched.user(&user.account.id);
    Ok(to_wire(&user, &session))
}

pub async fn post_signup(cx: Cx, req: PostSignupRequest) -> Result<SingleLoginResponse> {
    let agreed = [
        (req.gdpr_consent, Consent::Gdpr),
        (req.tos_consent, Consent::Tos),
        (req.marketing_consent, Consent::Marketing),
    ];
    let new = NewUser {
        id: None,
        email: req.email,
        password: req.password,
        profile: Profile {
            first_name: req.first_name,
            last_name: req.last_name,
            company_name: req.company_name,
            ..Profile::default()
        },
        consents: agreed.into_iter().filter(|(agreed, _)| *agreed).map(|(_, consent)| consent).collect(),
    };
    let (user, session) = users::signup(&cx.platform, new, &cx.address).await?;
    cx.touched.user(&user.account.id);
    Ok(to_wire(&user, &session))
}

pub async fn post_verify_email(cx: Cx, req: PostVerifyEmailRequest) -> Result<SingleVerifyEmailResponse> {
    let platform: &Platform = &cx.platform;
    let user_id = users::verify_email(platform, &req.key, &cx.address).await?;
    cx.touched.user(&user_id);
    Ok(SingleVerifyEmailResponse { status: status::success() })
}

fn to_wire(user: &CoreUser, session: &Session) -> SingleLoginResponse {
    let consented =
        |consent| user.profile.consents.get(&consent).map(|us| documents::text(*us)).unwrap_or_default();
    SingleLoginResponse {
        status: status::success(),
        email: user.email.clone(),
        first_name: user.profile.first_name.clone(),
        last_name: user.profile.last_name.clone(),
        company_name: user.profile.company_name.clone(),
        date_joined: documents::text(user.account.created_at_us),
        // The number of accounts of the first API, which had no ids that people choose.
        id: 0,
        email_addresses: crate::users::addresses(user),
        session_token: session.secret.clone(),
        token_expires: documents::text(session.expires_at_us),
        v2_user_id: user.account.id.clone(),
        date_gdpr_consent: consented(Consent::Gdpr),
        date_tos_consent: consented(Consent::Tos),
        date_marketing_consent: consented(Consent::Marketing),
    }
}
