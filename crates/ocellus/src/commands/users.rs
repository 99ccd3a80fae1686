//! `ocellus admin users`: people who sign in with an e-mail address and a password.

use std::io::Read as _;

use anyhow::Context;
use ocellus_core::Platform;
use ocellus_core::users::{self, NewUser, Profile};

use super::local::{self, explain};
use crate::cli::Users;
use crate::output;

pub async fn run(platform: &Platform, command: Users) -> anyhow::Result<()> {
    match command {
        Users::Create { email, user, first_name, last_name } => {
            let profile = Profile { first_name, last_name, ..Profile::default() };
            let new = NewUser { id: user, email, password: password()?, profile, consents: Vec::new() };
            let made = users::create(platform, new).await.map_err(explain)?;
            output::table(
                &["user", "account id", "e-mail address"],
                vec![vec![made.account.id, made.account.uuid, made.email]],
            );
        }
        Users::SetPassword { of, email } => {
            let account = local::account(platform, of.user.as_deref()).await?;
            let user_id = &account.account().id;
            users::set_password(platform, user_id, email.as_deref(), password()?).await.map_err(explain)?;
            output::line(&format!("user {user_id} has a new password; their sessions have ended"));
        }
    }
    Ok(())
}

/// The first line of standard input: a flag would be seen by everybody on the machine.
fn password() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("the password cannot be read")?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
