//! The command line.

mod admin;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Given;
pub use admin::{Accounts, Admin, Apps, Keys, NewKeyKind, Recall, Token, Users};

/// Finds out what photographs show and finds similar ones: a server for Clarifai's API, and a tool for the terminal.
#[derive(Debug, Parser)]
#[command(name = "ocellus", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub settings: Settings,
    #[command(subcommand)]
    pub command: Command,
}

/// Settings that every command takes.
#[derive(Debug, Args)]
pub struct Settings {
    /// Configuration file [default: ./ocellus.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of database, blobs and keys [default: ./ocellus-data]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Database: sqlite:PATH or postgres://… [default: SQLite in the data folder]
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    /// Any other setting; may be given several times
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

impl Settings {
    /// The flags as settings, beside the environment.
    pub fn given(&self, more: Vec<(&str, String)>) -> anyhow::Result<Given> {
        let mut flags = Vec::new();
        for text in &self.set {
            let (key, value) = text
                .split_once('=')
                .ok_or_else(|| anyhow::anyhow!("--set wants SECTION.KEY=VALUE, not `{text}`"))?;
            flags.push((key.to_owned(), value.to_owned()));
        }
        let named = [("server.data_dir", &self.data_dir), ("store.database", &self.database)];
        for (key, value) in named {
            if let Some(value) = value {
                flags.push((key.to_owned(), value.clone()));
            }
        }
        flags.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
        Ok(Given { file: self.config.clone(), flags, env: std::env::vars().collect() })
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(Serve),
    /// Say what photographs show
    Predict(Predict),
    /// Add a folder of photographs to the local collection; run again to go on
    Index(Index),
    /// Find photographs of the local collection that look like this one
    Search(Search),
    /// Bring a collection of labelled pictures into an app; run again to go on
    Import(Import),
    /// Write an app or a dataset as a collection that other tools read
    Export(Export),
    /// List the models, and whether they are installed; bring models along, or take them elsewhere
    Models(Models),
    /// Run one model for a server that started this process
    #[command(hide = true)]
    ModelWorker,
    /// Print the effective settings, secrets masked
    Config,
    /// Keys, accounts, apps and measurements
    #[command(subcommand)]
    Admin(Admin),
    /// List every route of the server
    Routes,
    /// Bring the database's schema up to date and exit
    Migrate,
    /// Print a generated document
    #[command(hide = true)]
    Docs { name: String },
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Address and port [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Address and port of the TLS listener [default: 127.0.0.1:8443, if there is a certificate]
    #[arg(long, value_name = "ADDR:PORT")]
    tls_listen: Option<String>,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<String>,
    /// Private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<String>,
    /// Serve TLS with a certificate made for this machine
    #[arg(long)]
    tls_self_signed: bool,
    /// What is logged, such as "warn" or "info,ocellus_core=debug"
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// human, json or auto
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Serve {
    /// The flags as settings.
    pub fn flags(&self) -> Vec<(&'static str, String)> {
        let texts = [
            ("server.listen", &self.listen),
            ("tls.listen", &self.tls_listen),
            ("tls.cert", &self.tls_cert),
            ("tls.key", &self.tls_key),
            ("log.level", &self.log_level),
            ("log.format", &self.log_format),
        ];
        let given = texts.into_iter().filter_map(|(key, value)| Some((key, value.clone()?)));
        let self_signed = self.tls_self_signed.then(|| ("tls.self_signed", "true".to_owned()));
        given.chain(self_signed).collect()
    }
}

#[derive(Debug, Args)]
pub struct Predict {
    /// Files, or http(s) addresses
    #[arg(required = true, value_name = "PHOTO")]
    pub photos: Vec<String>,
    /// Id, alias or name; `ocellus models` lists them
    #[arg(long, default_value = "general-image-recognition")]
    pub model: String,
    /// How many concepts, 1 to 200
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub max_concepts: u32,
    /// Leave out concepts below this probability, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    pub min_value: f32,
    /// One JSON object a photograph and line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Index {
    /// Folder; its subfolders are searched too
    pub folder: PathBuf,
    /// Try again those that failed before
    #[arg(long)]
    pub retry_failed: bool,
}

#[derive(Debug, Args)]
pub struct Search {
    /// File, or http(s) address
    pub photo: String,
    /// How many to show, 1 to 1000
    #[arg(long, short = 'n', default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// One JSON object a hit and line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Import {
    /// Folder, zip or tar archive, or an annotation file with its pictures beside it
    pub path: PathBuf,
    /// folder, coco, voc, yolo, csv, jsonl, mvtec, label-studio, cvat, ground-truth or vertex [default: what it looks like]
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    #[command(flatten)]
    pub of: InApp,
    /// Put everything into this dataset too, which is made if it is missing
    #[arg(long, value_name = "ID")]
    pub dataset: Option<String>,
    /// Write there what was skipped and why, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Export {
    /// Folder to make, or archive if it ends in .zip
    pub path: PathBuf,
    /// folder, coco, voc, yolo, csv, jsonl, mvtec, label-studio, cvat, ground-truth or vertex
    #[arg(long, value_name = "NAME")]
    pub format: String,
    #[command(flatten)]
    pub of: InApp,
    /// Only this dataset
    #[arg(long, value_name = "ID")]
    pub dataset: Option<String>,
    /// The dataset as it was in this version of it
    #[arg(long, value_name = "ID", requires = "dataset")]
    pub version: Option<String>,
    /// Leave the pictures where they are and only name them
    #[arg(long)]
    pub without_files: bool,
    /// Write everything that was skipped to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// Which app a command works on.
#[derive(Debug, Args)]
pub struct InApp {
    /// App id [default: the collection of `ocellus index`]
    #[arg(long)]
    pub app: Option<String>,
    /// User id [default: the first account]
    #[arg(long)]
    pub user: Option<String>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Models {
    #[command(subcommand)]
    pub action: Option<ModelsAction>,
    /// Read every installed file and compare its hash
    #[arg(long)]
    pub verify: bool,
    /// One JSON object a model and line
    #[arg(long)]
    pub json: bool,
}

/// What can be done with models of an app.
#[derive(Debug, Subcommand)]
pub enum ModelsAction {
    /// Make a version of a model from an ONNX file with its manifest, side by side or in an archive (docs/own-models.md)
    Add(BringModel),
    /// Make a version of a model from a bundle
    Import(BringModel),
    /// Write a version of a model as a signed bundle
    Export(ExportModel),
    /// Print the public key that this server's bundles are signed with
    Key,
}

#[derive(Debug, Args)]
pub struct BringModel {
    /// The file
    pub file: PathBuf,
    #[command(flatten)]
    pub of: InApp,
    /// Id of the model, which is made if the app has none [default: what the file says]
    #[arg(long, value_name = "ID")]
    pub model: Option<String>,
    /// Take a bundle that is signed with this public key
    #[arg(long, value_name = "KEY")]
    pub trust: Option<String>,
}

#[derive(Debug, Args)]
pub struct ExportModel {
    /// Id of the model
    pub model: String,
    /// File to write
    pub file: PathBuf,
    #[command(flatten)]
    pub of: InApp,
    /// Id of the version [default: the newest that is trained]
    #[arg(long, value_name = "ID")]
    pub version: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
