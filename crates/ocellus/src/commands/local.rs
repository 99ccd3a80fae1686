//! Working on the data folder without a server: opening it, and acting as its owner.
//!
//! A server may run on the same folder meanwhile. SQLite's write-ahead log lets both in, work is leased through the
//! database, and both follow the other's new rows; so nothing here takes the server's lock.

use anyhow::{Context, bail};
use ocellus_core::apps::NewApp;
use ocellus_core::{
    AccountCtx, AppCtx, Caller, Error, KeyKind, Kind, Page, Platform, ScopeSet, Source, accounts, apps,
    inputs,
};

use crate::config::Config;
use crate::serve::first_key;

/// The app of the photographs indexed from the terminal.
pub const LOCAL_APP: &str = "local";

/// Opens the platform, making the data folder and the first keys where there are none.
pub async fn open(config: &Config) -> anyhow::Result<Platform> {
    make_data_dir(config)?;
    let platform = Platform::open(config.platform()?).await.map_err(explain)?;
    first_key::ensure(&platform, &config.server.data_dir).await?;
    Ok(platform)
}

/// Makes the data folder, readable by its owner only: it holds keys and photographs.
pub fn make_data_dir(config: &Config) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let dir = &config.server.data_dir;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("the data folder {} cannot be made", dir.display()))
}

/// Acts as the owner of an account: who can read the data folder can do everything anyway.
pub async fn account(platform: &Platform, user: Option<&str>) -> anyhow::Result<AccountCtx> {
    let user = match user {
        Some(user) => user.to_owned(),
        None => {
            let all = accounts::list(platform).await.map_err(explain)?;
            let own = all.into_iter().filter(|account| !account.public);
            own.min_by_key(|account| account.created_at_us).context("there is no account yet")?.id
        }
    };
    platform.account(&operator(&user), &user, &[]).await.map_err(explain)
}

/// An app of an account, by its owner.
pub async fn app(account: &AccountCtx, app_id: &str) -> anyhow::Result<AppCtx> {
    let user = &account.account().id;
    account.platform().app(&operator(user), user, app_id, &[]).await.map_err(explain)
}

/// The app of the local collection; made if it is missing and `make` says so.
pub async fn local_app(platform: &Platform, make: bool) -> anyhow::Result<AppCtx> {
    let account = account(platform, None).await?;
    let user = account.account().id.clone();
    match platform.app(&operator(&user), &user, LOCAL_APP, &[]).await {
        Ok(app) => return Ok(app),
        Err(error) if error.kind == Kind::NotFound && make => {}
        Err(error) if error.kind == Kind::NotFound => {
            bail!("nothing is indexed yet; run `ocellus index FOLDER` first")
        }
        Err(error) => return Err(explain(error)),
    }
    let new = NewApp {
        id: Some(LOCAL_APP.to_owned()),
        name: LOCAL_APP.to_owned(),
        description: "photographs indexed from the terminal".to_owned(),
        ..NewApp::default()
    };
    apps::create(&account, vec![new]).await.map_err(explain)?;
    app(&account, LOCAL_APP).await
}

fn operator(user: &str) -> Caller {
    Caller {
        account_id: user.to_owned(),
        key_id: "terminal".to_owned(),
        kind: KeyKind::Pat,
        app_uid: None,
        scopes: ScopeSet::everything(),
    }
}

/// A photograph named on the command line: an address, or a file's bytes.
pub fn photo(name: &str) -> anyhow::Result<Source> {
    if name.starts_with("http://") || name.starts_with("https://") {
        return Ok(Source::Url(name.to_owned()));
    }
    let metadata = std::fs::metadata(name).with_context(|| format!("{name} cannot be read"))?;
    if metadata.is_dir() {
        bail!("{name} is a folder; `ocellus index {name}` takes folders");
    }
    let bytes = std::fs::read(name).with_context(|| format!("{name} cannot be read"))?;
    Ok(Source::Bytes(bytes.into()))
}

/// Every input of an app, page by page.
pub async fn each_input(app: &AppCtx, mut visit: impl FnMut(inputs::Input)) -> anyhow::Result<()> {
    let mut last: Option<String> = None;
    loop {
        let batch = inputs::stream(app, last.as_deref(), Page::MAX_PER_PAGE).await.map_err(explain)?;
        let Some(end) = batch.last() else { return Ok(()) };
        last = Some(end.id.clone());
        batch.into_iter().for_each(&mut visit);
    }
}

/// An error of the core for the operator, who may read its cause too.
pub fn explain(error: Error) -> anyhow::Error {
    anyhow::Error::new(error)
}
