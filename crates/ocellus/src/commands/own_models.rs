//! `ocellus models add`, `import`, `export` and `key`: models that come from elsewhere or go there.

use anyhow::{Context, bail};
use ocellus_core::model_bundles;
use ocellus_core::model_packages::{self, NewPackage};

use super::import::open_app;
use super::local;
use crate::cli::{BringModel, ExportModel, ModelsAction};
use crate::config::Config;
use crate::output;

pub async fn run(config: Config, action: ModelsAction) -> anyhow::Result<()> {
    let platform = local::open(&config).await?;
    match action {
        ModelsAction::Key => {
            output::line(&model_bundles::public_key(&platform).await.map_err(local::explain)?)
        }
        ModelsAction::Add(args) | ModelsAction::Import(args) => {
            let account = local::account(&platform, args.of.user.as_deref()).await?;
            let app = open_app(&account, args.of.app.as_deref()).await?;
            bring(&app, args).await?;
        }
        ModelsAction::Export(args) => {
            let account = local::account(&platform, args.of.user.as_deref()).await?;
            let app = match &args.of.app {
                Some(id) => local::app(&account, id).await?,
                None => local::local_app(&platform, false).await?,
            };
            export(&app, &args).await?;
        }
    }
    Ok(())
}

async fn bring(app: &ocellus_core::AppCtx, args: BringModel) -> anyhow::Result<()> {
    let file = std::fs::canonicalize(&args.file)
        .with_context(|| format!("{} cannot be read", args.file.display()))?;
    if !file.is_file() {
        bail!("{} is no file", file.display());
    }
    let new = NewPackage {
        model_id: args.model.unwrap_or_default(),
        make: true,
        trust: args.trust,
        ..NewPackage::default()
    };
    let (model, version) = model_packages::add(app, &file, new).await.map_err(local::explain)?;
    output::line(&format!("model {} of app {}, version {}", model.id, model.app_id, version.id));
    output::line(&format!("licence: {}", version.doc.license));
    Ok(())
}

async fn export(app: &ocellus_core::AppCtx, args: &ExportModel) -> anyhow::Result<()> {
    let version = args.version.as_deref().unwrap_or_default();
    let to = std::path::absolute(&args.file).context("there is no such place")?;
    model_bundles::write(app, &args.model, version, &to).await.map_err(local::explain)?;
    output::line(&format!("{} written", args.file.display()));
    Ok(())
}
