//! One file per command; here, which is which, and what they share.

mod admin;
mod docs;
mod export;
mod import;
mod index;
pub mod local;
mod models;
mod own_models;
mod predict;
pub mod routes;
mod search;
mod users;

use std::future::Future;

use anyhow::Context;

use crate::cli::{Cli, Command};
use crate::config::{self, Config, Log, LogFormat};
use crate::{output, serve, telemetry};

/// Runs the command of this process.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    // Before all else: it was started without settings, and must not look for any.
    if matches!(cli.command, Command::ModelWorker) {
        return ocellus_core::engine::serve_stdin().context("this command is for servers only");
    }
    let more = if let Command::Serve(serve) = &cli.command { serve.flags() } else { Vec::new() };
    let (config, layers) = config::load(&cli.settings.given(more)?)?;
    let is_server = matches!(cli.command, Command::Serve(_));
    telemetry::start(&if is_server { config.log.clone() } else { quiet(&config, &layers) })?;
    match cli.command {
        Command::Serve(_) => block_on(serve::run(config)),
        Command::Predict(args) => block_on(predict::run(config, args)),
        Command::Index(args) => block_on(index::run(config, args)),
        Command::Search(args) => block_on(search::run(config, args)),
        Command::Import(args) => block_on(import::run(config, args)),
        Command::Export(args) => block_on(export::run(config, args)),
        Command::Models(args) => match args.action {
            None => models::run(&config, &args),
            Some(action) => block_on(own_models::run(config, action)),
        },
        // Answered above.
        Command::ModelWorker => Ok(()),
        Command::Admin(command) => block_on(admin::run(config, command)),
        Command::Migrate => block_on(migrate(config)),
        Command::Docs { name } => docs::run(&name),
        Command::Routes => {
            routes::run();
            Ok(())
        }
        Command::Config => {
            output::line(config::document::effective(&layers).trim_end());
            Ok(())
        }
    }
}

/// Commands on a terminal speak for themselves; only trouble is logged, unless somebody asked for more.
fn quiet(config: &Config, layers: &config::Layers) -> Log {
    let asked = layers.origin("log.level") != config::Origin::Default;
    let level = if asked { config.log.level.clone() } else { "error".to_owned() };
    let format = if config.log.format == LogFormat::Json { LogFormat::Json } else { LogFormat::Human };
    Log { level, format }
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the threads of the program cannot start")?
        .block_on(work)
}

async fn migrate(config: Config) -> anyhow::Result<()> {
    local::make_data_dir(&config)?;
    let platform = config.platform()?;
    ocellus_store::Store::open(&platform.store).await.context("the database cannot be opened")?;
    output::line(&format!("The schema is up to date: {}", config::secrets::mask_url(&config.database_url())));
    Ok(())
}
