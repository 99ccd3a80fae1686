//! The people behind accounts: who they are, how they sign up and in, and what they agreed to.

mod email;
pub mod password;
mod profile;
mod sessions;
#[cfg(test)]
mod tests;
mod throttle;

pub use email::verify_email;
pub use password::{CharClass, Violations};
pub use profile::{Consent, Profile};
pub use sessions::{Session, login};

use ocellus_store as store;

use crate::accounts::{Account, check_id};
use crate::mail::{self, Mailer};
use crate::{AccountCtx, Error, JsonMap, PatchAction, Platform, Resource, Result};
use email::{checked_email, code_for};
use password::Owner;
use profile::{from_doc, name_of, to_doc};
use throttle::Limit;

/// How people come and go; a section of the configuration.
#[derive(Clone, Debug)]
pub struct AccountsConfig {
    /// Whether everybody may make an account; otherwise only the operator.
    pub signup_open: bool,
    /// Shorter passwords are refused. In characters.
    pub password_min_chars: usize,
    /// What every password must hold.
    pub password_needs: Vec<CharClass>,
    /// How long a session lasts, in seconds.
    pub session_s: u32,
    /// How long a session lasts that was asked to be long, in seconds.
    pub long_session_s: u32,
    /// Where letters go.
    pub mailer: Mailer,
}

impl Default for AccountsConfig {
    fn default() -> Self {
        Self {
            signup_open: false,
            password_min_chars: 8,
            password_needs: Vec::new(),
            session_s: 86_400,
            long_session_s: 30 * 86_400,
            mailer: Mailer::log(),
        }
    }
}

/// A person with their account.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The account.
    pub account: Account,
    /// The e-mail address; empty where nobody can sign in.
    pub email: String,
    /// Whether the address was shown to be theirs.
    pub verified: bool,
    /// What they say of themselves.
    pub profile: Profile,
}

/// A person to make an account for.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// The user id; made up if absent.
    pub id: Option<String>,
    /// The e-mail address.
    pub email: String,
    /// The password.
    pub password: String,
    /// What they say of themselves.
    pub profile: Profile,
    /// What they agree to.
    pub consents: Vec<Consent>,
}

/// A change to a person; `None` leaves a field alone.
#[derive(Clone, Debug, Default)]
pub struct UserPatch {
    /// Fields of the profile by name, without the consents.
    pub profile: JsonMap,
    /// The e-mail address; it must be verified again.
    pub email: Option<String>,
}

/// Accounts made by one network address.
const SIGNUPS: Limit = Limit { what: "signup", n_tries: 20, window_s: 3600 };
/// How many earlier passwords cannot be used again.
const KEPT_PASSWORDS: usize = 5;

/// Makes an account for whoever comes, and signs them in. `Forbidden` where only the operator makes accounts.
pub async fn signup(platform: &Platform, new: NewUser, address: &str) -> Result<(User, Session)> {
    if !platform.accounts_config().signup_open {
        let about = Resource::Other("signup", String::new());
        return Err(Error::forbidden(about, "accounts are made by the operator of this server only"));
    }
    throttle::count(platform, vec![(SIGNUPS, address.to_owned())]).await?;
    let user = create(platform, NewUser { id: None, ..new }).await?;
    let session = sessions::open(platform, &user.account.id, false).await?;
    Ok((user, session))
}

/// Makes an account for a person, for administrators. `Conflict` if the user id or the address is taken.
pub async fn create(platform: &Platform, new: NewUser) -> Result<User> {
    let email = checked_email("email", &new.email)?;
    let id = match new.id.filter(|id| !id.is_empty()) {
        Some(id) => id,
        None => platform.ids().id()[..12].to_owned(),
    };
    check_id("user_id", &id)?;
    let now_us = platform.clock().now_us();
    let mut profile = new.profile;
    profile.consents = new.consents.into_iter().map(|consent| (consent, now_us)).collect();
    check_acceptable(platform, &new.password, &owner_of(&id, &email, &profile))?;
    let account = store::Account {
        id: id.clone(),
        uuid: platform.ids().uuid(),
        name: name_of(&profile, &id),
        email: Some(email.clone()),
        created_at_us: now_us,
        public: false,
    };
    let user = store::User {
        account_id: id,
        email,
        verified_at_us: None,
        passwords: vec![password::hash(platform, new.password).await?],
        doc: to_doc(&profile)?,
        modified_at_us: now_us,
    };
    let (code, letter) = code_for(platform, &user);
    let made = (account.clone(), user.clone());
    platform
        .store()
        .write(move |tx| {
            if tx.account(&account.id)?.is_some() {
                return Err(taken_id(&account.id));
            }
            tx.insert_account(&account)?;
            tx.insert_user(&user).map_err(|error| on_conflict(error, &user.email))?;
            tx.purge_email_codes(now_us)?;
            Ok(tx.put_email_code(&code)?)
        })
        .await?;
    mail::deliver(platform, &made.0.id, letter).await;
    from_rows(made.0, Some(made.1))
}

fn taken_id(id: &str) -> Error {
    Error::conflict(Resource::Account(id.to_owned()), format!("user '{id}' exists already"))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "everything else is treated alike, whatever is added")]
fn on_conflict(error: store::Error, email: &str) -> Error {
    match error {
        store::Error::Conflict(_) => {
            let about = Resource::Account(email.to_owned());
            Error::conflict(about, "there is an account with this e-mail address already")
        }
        error => error.into(),
    }
}

fn owner_of(id: &str, email: &str, profile: &Profile) -> Owner {
    let names = [id, &profile.first_name, &profile.last_name, &profile.company_name];
    Owner { names: names.map(str::to_owned).to_vec(), email: email.to_owned() }
}

fn violations(platform: &Platform, text: &str, owner: &Owner) -> Violations {
    let config = platform.accounts_config();
    password::check(text, owner, config.password_min_chars, &config.password_needs)
}

fn check_acceptable(platform: &Platform, text: &str, owner: &Owner) -> Result<()> {
    let found = violations(platform, text, owner);
    if found.is_empty() { Ok(()) } else { Err(Error::invalid("password", found.text())) }
}

/// The person behind an account; of a public account only the account.
pub async fn get(account: &AccountCtx) -> Result<User> {
    let id = account.account().id.clone();
    let own = !account.is_public();
    let missing = Error::not_found(Resource::Account(id.clone()));
    let read = move |tx: &mut store::Tx<'_>| {
        let user = if own { tx.user(&id)? } else { None };
        Ok::<_, Error>((tx.account(&id)?.ok_or_else(|| missing.clone())?, user))
    };
    let (account, user) = account.platform().store().read(read).await?;
    from_rows(account, user)
}

/// Changes what a person says of themselves. A new address gets a letter with a code.
pub async fn patch(account: &AccountCtx, patch: UserPatch, action: PatchAction) -> Result<User> {
    let email =
        patch.email.as_deref().map(|email| checked_email("users.primary_email", email)).transpose()?;
    let platform = account.platform().clone();
    let now_us = platform.clock().now_us();
    let (user, letter) = change(account, move |tx, user| {
        let mut doc = user.doc.clone();
        action.apply_to_fields(&mut doc, &patch.profile);
        let mut profile: Profile = serde_json::from_value(doc.into())
            .map_err(|error| Error::invalid("users", format!("does not describe a person: {error}")))?;
        profile.consents = from_doc(&user.doc)?.consents;
        user.doc = to_doc(&profile)?;
        let Some(email) = email.clone().filter(|email| *email != user.email) else { return Ok(None) };
        if tx.user_by_email(&email)?.is_some_and(|other| other.account_id != user.account_id) {
            return Err(on_conflict(store::Error::Conflict(String::new()), &email));
        }
        (user.email, user.verified_at_us) = (email, None);
        let (code, letter) = code_for(&platform, user);
        tx.purge_email_codes(now_us)?;
        tx.put_email_code(&code)?;
        Ok(Some(letter))
    })
    .await?;
    if let Some(letter) = letter {
        mail::deliver(account.platform(), &user.account.id, letter).await;
    }
    Ok(user)
}

/// Keeps what a person agrees to, or that they do not any more.
pub async fn consent(account: &AccountCtx, consents: Vec<Consent>, agreed: bool) -> Result<User> {
    let now_us = account.platform().clock().now_us();
    let (user, ()) = change(account, move |_, user| {
        let mut profile = from_doc(&user.doc)?;
        for consent in &consents {
            match agreed {
                true => profile.consents.insert(*consent, now_us),
                false => profile.consents.remove(consent),
            };
        }
        user.doc = to_doc(&profile)?;
        Ok(())
    })
    .await?;
    Ok(user)
}

/// Changes a person and the account's name and address with them. An account without a person gets one that cannot
/// sign in until it has an address and a password.
async fn change<T: Send + 'static>(
    account: &AccountCtx,
    change: impl Fn(&store::Tx<'_>, &mut store::User) -> Result<T> + Send + Sync + 'static,
) -> Result<(User, T)> {
    let id = account.account().id.clone();
    if account.is_public() || account.caller().app_uid.is_some() {
        return Err(Error::forbidden(Resource::Account(id), "only its owner can change a user"));
    }
    let now_us = account.platform().clock().now_us();
    let write = move |tx: &mut store::Tx<'_>| {
        let missing = || Error::not_found(Resource::Account(id.clone()));
        let mut row = tx.account(&id)?.ok_or_else(missing)?;
        let before = tx.user(&id)?;
        let mut user = before.clone().unwrap_or_else(|| nobody(&id, &row));
        let more = change(tx, &mut user)?;
        user.modified_at_us = now_us;
        match before {
            Some(_) => drop(tx.update_user(&user)?),
            None => tx.insert_user(&user)?,
        }
        row.name = name_of(&from_doc(&user.doc)?, &row.name);
        row.email = Some(user.email.clone()).filter(|email| email.contains('@'));
        tx.update_account(&row)?;
        Ok::<_, Error>((from_rows(row, Some(user))?, more))
    };
    account.platform().store().write(write).await
}

/// The address must be unique, so an account without one stands in for itself.
fn nobody(id: &str, account: &store::Account) -> store::User {
    store::User {
        account_id: id.to_owned(),
        email: account.email.clone().unwrap_or_else(|| format!("#{id}")),
        verified_at_us: None,
        passwords: Vec::new(),
        doc: JsonMap::new(),
        modified_at_us: account.created_at_us,
    }
}

/// Which rules a password would break if it became the caller's.
pub async fn check_password(account: &AccountCtx, text: &str) -> Result<Violations> {
    let user = get(account).await?;
    let platform = account.platform();
    let found = violations(platform, text, &owner_of(&user.account.id, &user.email, &user.profile));
    let id = user.account.id;
    let hashes = platform.store().read(move |tx| Ok::<_, Error>(tx.user(&id)?)).await?;
    let hashes = hashes.map(|user| user.passwords).unwrap_or_default();
    let reused =
        !hashes.is_empty() && !found.too_long && password::matches(platform, text.to_owned(), hashes).await?;
    Ok(Violations { reused, ..found })
}

/// Gives a person another password and ends all their sessions, for administrators. The address is needed where the
/// account has none yet.
pub async fn set_password(
    platform: &Platform,
    user_id: &str,
    email: Option<&str>,
    text: String,
) -> Result<()> {
    let email = email.map(|email| checked_email("email", email)).transpose()?;
    let caller = crate::Caller::operator(user_id);
    let account = platform.account(&caller, user_id, &[]).await?;
    let found = check_password(&account, &text).await?;
    if !found.is_empty() {
        return Err(Error::invalid("password", found.text()));
    }
    let hash = password::hash(platform, text).await?;
    let now_us = platform.clock().now_us();
    change(&account, move |tx, user| {
        if let Some(email) = &email {
            if tx.user_by_email(email)?.is_some_and(|other| other.account_id != user.account_id) {
                return Err(on_conflict(store::Error::Conflict(String::new()), email));
            }
            user.email.clone_from(email);
        }
        if !user.email.contains('@') {
            return Err(Error::invalid("email", "must be given, because the account has none yet"));
        }
        user.passwords.insert(0, hash.clone());
        user.passwords.truncate(KEPT_PASSWORDS);
        Ok(tx.end_sessions(&user.account_id, "", now_us)?)
    })
    .await?;
    platform.callers().clear();
    Ok(())
}

fn from_rows(account: store::Account, user: Option<store::User>) -> Result<User> {
    let profile = match &user {
        Some(user) => from_doc(&user.doc)?,
        None => Profile { first_name: account.name.clone(), ..Profile::default() },
    };
    let email = user.as_ref().map(|user| user.email.clone()).filter(|email| email.contains('@'));
    Ok(User {
        email: email.unwrap_or_default(),
        verified: user.is_some_and(|user| user.verified_at_us.is_some()),
        profile,
        account: Account::from(account),
    })
}
