//! Accounts: who owns apps and keys. They are made at the first start or by an administrator, not through a dialect.

use ocellus_store as store;

use crate::{Error, Platform, Resource, Result};

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user id, chosen by people.
    pub id: String,
    /// A UUID for interfaces that want one.
    pub uuid: String,
    /// A readable name.
    pub name: String,
    /// Where to write to, if known.
    pub email: Option<String>,
    /// Whether everybody may read its public things.
    pub public: bool,
    /// Microseconds since the epoch.
    pub created_at_us: i64,
}

impl From<store::Account> for Account {
    fn from(row: store::Account) -> Self {
        Self {
            id: row.id,
            uuid: row.uuid,
            name: row.name,
            email: row.email,
            public: row.public,
            created_at_us: row.created_at_us,
        }
    }
}

/// The account with this user id.
pub async fn get(platform: &Platform, user_id: &str) -> Result<Account> {
    let id = user_id.to_owned();
    let row = platform.store().read(move |tx| Ok::<_, Error>(tx.account(&id)?)).await?;
    row.map(Account::from).ok_or_else(|| Error::not_found(Resource::Account(user_id.to_owned())))
}

/// The account with this UUID.
pub async fn get_by_uuid(platform: &Platform, uuid: &str) -> Result<Account> {
    let id = uuid.to_ascii_lowercase();
    let row = platform.store().read(move |tx| Ok::<_, Error>(tx.account_by_uuid(&id)?)).await?;
    row.map(Account::from).ok_or_else(|| Error::not_found(Resource::Account(uuid.to_owned())))
}

/// Every account, for administrators.
pub async fn list(platform: &Platform) -> Result<Vec<Account>> {
    let rows = platform.store().read(|tx| Ok::<_, Error>(tx.accounts()?)).await?;
    Ok(rows.into_iter().map(Account::from).collect())
}

/// Makes an account, for administrators. `Conflict` if the user id is taken.
pub async fn create(platform: &Platform, user_id: &str, name: &str) -> Result<Account> {
    check_id("user_id", user_id)?;
    let row = store::Account {
        id: user_id.to_owned(),
        uuid: platform.ids().uuid(),
        name: name.to_owned(),
        email: None,
        created_at_us: platform.clock().now_us(),
        public: false,
    };
    let made = Account::from(row.clone());
    let about = Resource::Account(user_id.to_owned());
    let taken = Error::conflict(about, format!("user '{user_id}' exists already"));
    platform
        .store()
        .write(move |tx| match tx.account(&row.id)? {
            Some(_) => Err(taken.clone()),
            None => Ok(tx.insert_account(&row)?),
        })
        .await?;
    Ok(made)
}

/// Ids chosen by people: 1 to 128 characters, none of them a control character.
pub(crate) fn check_id(field: &str, id: &str) -> Result<()> {
    let n_chars = id.chars().count();
    if n_chars == 0 || n_chars > 128 {
        return Err(Error::invalid(field, "must have 1 to 128 characters"));
    }
    if id.chars().any(char::is_control) {
        return Err(Error::invalid(field, "must not contain control characters"));
    }
    Ok(())
}
