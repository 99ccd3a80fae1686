//! `ocellus admin`: keys, accounts and apps by the functions that the dialects call too, and the recall measurement.

use std::io::Read as _;

use anyhow::{Context, anyhow};
use ocellus_core::apps::NewApp;
use ocellus_core::keys::{Key, NewKey};
use ocellus_core::{KeyKind, Page, Platform, Scope, ScopeSet, accounts, apps, keys, search};

use super::local::{self, explain};
use crate::cli::{Accounts, Admin, Apps, Keys, NewKeyKind, Recall, Token};
use crate::config::{Config, nearest};
use crate::output;

pub async fn run(config: Config, command: Admin) -> anyhow::Result<()> {
    let platform = local::open(&config).await?;
    match command {
        Admin::Keys(command) => run_keys(&platform, command).await,
        Admin::Accounts(command) => run_accounts(&platform, command).await,
        Admin::Users(command) => super::users::run(&platform, command).await,
        Admin::Apps(command) => run_apps(&platform, command).await,
        Admin::Token(args) => token(&platform, args).await,
        Admin::Recall(args) => recall(&platform, args).await,
    }
}

async fn run_keys(platform: &Platform, command: Keys) -> anyhow::Result<()> {
    match command {
        Keys::Create { of, kind, app, scopes, description } => {
            let account = local::account(platform, of.user.as_deref()).await?;
            let kind = match kind {
                NewKeyKind::ApiKey => KeyKind::ApiKey,
                NewKeyKind::Pat => KeyKind::Pat,
                NewKeyKind::Client => KeyKind::Client,
            };
            let scopes = parse_scopes(&scopes)?;
            let new = NewKey { kind, description, app_id: app, scopes, expires_at_us: None };
            let (key, secret) = keys::create(&account, new).await.map_err(explain)?;
            output::table(&["id", "secret"], vec![vec![key.id, secret]]);
            output::complaint("The secret is not kept; write it down now.");
        }
        Keys::List { of } => {
            let account = local::account(platform, of.user.as_deref()).await?;
            let found = keys::list(&account, Page::first(Page::MAX_PER_PAGE), None).await.map_err(explain)?;
            let head = ["id", "kind", "app", "scopes", "description"];
            output::table(&head, found.iter().map(key_row).collect());
        }
        Keys::Revoke { of, id } => {
            let account = local::account(platform, of.user.as_deref()).await?;
            keys::revoke(&account, &id).await.map_err(explain)?;
            output::line(&format!("key {id} is revoked"));
        }
    }
    Ok(())
}

fn key_row(key: &Key) -> Vec<String> {
    let scopes: Vec<&str> = key.scopes.iter().map(Scope::name).collect();
    let shown = if scopes.len() > 4 { format!("{} scopes", scopes.len()) } else { scopes.join(",") };
    let app = key.app_id.clone().unwrap_or_else(|| "all".to_owned());
    vec![key.id.clone(), key.kind.name().to_owned(), app, shown, key.description.clone()]
}

fn parse_scopes(names: &[String]) -> anyhow::Result<ScopeSet> {
    names.iter().map(|name| parse_scope(name.trim())).collect()
}

fn parse_scope(name: &str) -> anyhow::Result<Scope> {
    Scope::from_name(name).ok_or_else(|| {
        let all: Vec<&str> = Scope::all().map(Scope::name).collect();
        match nearest(name, all.iter().copied()) {
            Some(near) => anyhow!("there is no scope `{name}`; did you mean `{near}`?"),
            None => anyhow!("there is no scope `{name}`; there are: {}", all.join(", ")),
        }
    })
}

async fn run_accounts(platform: &Platform, command: Accounts) -> anyhow::Result<()> {
    match command {
        Accounts::Create { user, name } => {
            let made = accounts::create(platform, &user, &name).await.map_err(explain)?;
            output::table(&["user", "account id"], vec![vec![made.id, made.uuid]]);
        }
        Accounts::List => {
            let row = |account: accounts::Account| vec![account.id, account.uuid, account.name];
            let found = accounts::list(platform).await.map_err(explain)?;
            output::table(&["user", "account id", "name"], found.into_iter().map(row).collect());
        }
    }
    Ok(())
}

async fn run_apps(platform: &Platform, command: Apps) -> anyhow::Result<()> {
    match command {
        Apps::Create { of, app } => {
            let account = local::account(platform, of.user.as_deref()).await?;
            let new = NewApp { id: Some(app.clone()), name: app, ..NewApp::default() };
            let made = apps::create(&account, vec![new]).await.map_err(explain)?;
            for app in made {
                output::line(&format!("app {} of {} is made", app.id, app.user_id));
            }
        }
        Apps::List { of } => {
            let account = local::account(platform, of.user.as_deref()).await?;
            let found = apps::list(&account, Page::first(Page::MAX_PER_PAGE), None).await.map_err(explain)?;
            let row = |app: apps::App| vec![app.id, app.name, app.description];
            output::table(&["app", "name", "description"], found.into_iter().map(row).collect());
        }
    }
    Ok(())
}

async fn token(platform: &Platform, args: Token) -> anyhow::Result<()> {
    let mut secret = String::new();
    std::io::stdin().read_to_string(&mut secret).context("the client secret cannot be read")?;
    let token = platform.token_for_client(&args.client_id, secret.trim()).await.map_err(explain)?;
    output::table(&["token", "good for"], vec![vec![token.secret, format!("{} s", token.expires_in_s)]]);
    Ok(())
}

async fn recall(platform: &Platform, args: Recall) -> anyhow::Result<()> {
    let account = local::account(platform, args.of.user.as_deref()).await?;
    let app = local::app(&account, &args.app).await?;
    let report =
        search::recall(platform, app.uid(), args.k as usize, args.samples as usize).await.map_err(explain)?;
    let index = if report.approximate { "approximate" } else { "exact scan" };
    let rows = [
        ("vectors", report.n_vectors.to_string()),
        ("in the approximate index", report.n_indexed.to_string()),
        ("queries", report.n_samples.to_string()),
        ("neighbours", report.k.to_string()),
        ("index", index.to_owned()),
        ("recall", format!("{:.4}", report.recall)),
        ("time of the index", format!("{} us", report.index_us)),
        ("time of the exact scan", format!("{} us", report.exact_us)),
    ];
    output::table(&["measured", "value"], rows.map(|(name, value)| vec![name.to_owned(), value]).to_vec());
    Ok(())
}
