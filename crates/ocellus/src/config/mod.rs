//! The configuration: built-in defaults, a file, the environment and flags, in this order.

pub mod document;
mod layers;
mod nearest;
pub mod platform;
pub mod secrets;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

pub use layers::{Layers, Origin};
pub use nearest::nearest;

/// The defaults, which also document every setting.
pub const DEFAULTS: &str = include_str!("default.toml");

/// The file that is read if it is there and no other is named.
const USUAL_FILE: &str = "ocellus.toml";

/// All settings, checked. Not `Debug`, because it holds secrets.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub tls: Tls,
    pub store: Store,
    pub blobs: Blobs,
    pub models: Models,
    pub image_text: ImageText,
    pub engine: Engine,
    pub indexes: Indexes,
    pub jobs: Jobs,
    pub own_models: OwnModels,
    pub runners: Runners,
    pub accounts: Accounts,
    pub usage: Usage,
    pub mail: Mail,
    pub fetch: Fetch,
    pub decode: Decode,
    pub video: Video,
    pub log: Log,
}

/// Listening and limits of the server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub listen: String,
    pub data_dir: PathBuf,
    pub max_body_bytes: usize,
    pub max_connections: usize,
    pub shutdown_grace_s: u64,
    pub header_timeout_s: u64,
    pub public_url: String,
}

/// The second listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub listen: String,
    pub cert: String,
    pub key: String,
    pub self_signed: bool,
}

/// The database.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    pub database: String,
    pub database_file: String,
    pub readers: usize,
    pub durability: Durability,
}

/// What a commit to SQLite survives.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    Full,
    Normal,
}

/// Where images lie.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blobs {
    pub url: String,
    pub access_key: String,
    pub secret_key: String,
    pub secret_key_file: String,
}

/// Weights and the inference runtime.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    pub dir: String,
    pub runtime: String,
}

/// Networks for images and texts; see `ocellus_core::image_text::ImageTextConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageText {
    pub image_model: PathBuf,
    pub text_model: PathBuf,
    pub vocabulary: PathBuf,
    pub merges: PathBuf,
    pub image_size: u32,
    pub mean: [f32; 3],
    pub std: [f32; 3],
    pub context_length: usize,
}

/// The inference engine; see `ocellus_core::engine::EngineConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    pub memory_bytes: u64,
    pub queue_len: usize,
    pub threads_per_session: usize,
    pub sessions_per_model: usize,
    pub max_batch: usize,
    pub max_wait_us: u64,
    pub cpu_threads: usize,
    pub cpu_queue_len: usize,
}

/// The vector indexes; see `ocellus_core::indexes::IndexConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Indexes {
    pub memory_bytes: u64,
    pub ann_above: usize,
    pub exact_below: usize,
    pub snapshot_above: usize,
    pub build_threads: usize,
}

/// Background work.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    pub workers: usize,
    pub lease_s: u32,
    pub poll_ms: u64,
}

/// Models that users bring along; see `ocellus_core::model_packages::OwnModelsConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnModels {
    pub max_bytes: u64,
    pub load_timeout_s: u64,
    pub run_timeout_s: u64,
    pub memory_bytes: u64,
    pub trusted_signers: Vec<String>,
}

/// Models that run in processes of their users; see `ocellus_core::runners::RunnersConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runners {
    pub predict_timeout_s: u64,
    pub poll_s: u64,
    pub lease_s: u64,
    pub queue_len: usize,
}

/// How people come and go; see `ocellus_core::users::AccountsConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    pub signup: Signup,
    pub password_min_chars: usize,
    pub password_needs: Vec<ocellus_core::users::CharClass>,
    pub session_s: u32,
    pub long_session_s: u32,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Signup {
    Open,
    Closed,
}

/// What operations cost and how many there are; see `ocellus_core::usage::UsageConfig`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    pub plans: Vec<String>,
    pub prices: Vec<String>,
    pub quotas: Vec<String>,
}

/// The mail server; see `ocellus_core::mail::SmtpConfig`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    pub host: String,
    pub port: u16,
    pub security: MailSecurity,
    pub user: String,
    pub password: String,
    pub password_file: String,
    pub from: String,
}

/// How the connection to the mail server is kept from being read.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    Starttls,
    Tls,
    None,
}

/// Fetching by address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    pub allow: Vec<String>,
    pub timeout_ms: u64,
    pub connect_timeout_ms: u64,
    pub max_redirects: u32,
    pub user_agent: String,
}

/// What an image may cost.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decode {
    pub max_bytes: usize,
    pub max_pixels: u64,
    pub max_alloc_bytes: u64,
}

/// The programs that read videos; see `ocellus_core::video::VideoConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Video {
    pub ffmpeg: PathBuf,
    pub ffprobe: PathBuf,
    pub wait_s: u64,
    pub cpu_s: u64,
    pub memory_bytes: u64,
}

/// Logging.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Auto,
    Human,
    Json,
}

/// What the command line and the environment say about the configuration.
#[derive(Default)]
pub struct Given {
    /// `--config FILE`.
    pub file: Option<PathBuf>,
    /// `section.key` and value, from flags, in order.
    pub flags: Vec<(String, String)>,
    /// The environment.
    pub env: Vec<(String, String)>,
}

/// Reads all layers. The errors name the setting, and where it was given.
pub fn load(given: &Given) -> anyhow::Result<(Config, Layers)> {
    let mut layers = Layers::defaults();
    match &given.file {
        Some(path) => layers.add_file(path, &read(path)?)?,
        None if Path::new(USUAL_FILE).try_exists().unwrap_or(false) => {
            let path = Path::new(USUAL_FILE);
            layers.add_file(path, &read(path)?)?;
        }
        None => {}
    }
    layers.add_env(&given.env)?;
    for (key, value) in &given.flags {
        layers.add_text(key, value, Origin::Flag)?;
    }
    let config = layers.config()?;
    let config = secrets::read_files(config)?;
    check(&config)?;
    Ok((config, layers))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path)
        .with_context(|| format!("the configuration file {} cannot be read", path.display()))
}

fn check(config: &Config) -> anyhow::Result<()> {
    let positive = [
        ("server.max_body_bytes", config.server.max_body_bytes),
        ("server.max_connections", config.server.max_connections),
        ("store.readers", config.store.readers),
        ("engine.queue_len", config.engine.queue_len),
        ("engine.threads_per_session", config.engine.threads_per_session),
        ("engine.max_batch", config.engine.max_batch),
        ("engine.cpu_queue_len", config.engine.cpu_queue_len),
        ("runners.queue_len", config.runners.queue_len),
        ("indexes.build_threads", config.indexes.build_threads),
        ("decode.max_bytes", config.decode.max_bytes),
    ];
    for (key, value) in positive {
        if value == 0 {
            bail!("{key} must be 1 or more");
        }
    }
    let video = &config.video;
    if video.wait_s == 0 || video.cpu_s == 0 || video.memory_bytes < 64 << 20 {
        bail!("video.wait_s and video.cpu_s must be 1 or more, and video.memory_bytes 67108864 or more");
    }
    if config.jobs.lease_s < 5 {
        bail!("jobs.lease_s must be 5 or more, or busy workers lose their work");
    }
    let runners = &config.runners;
    if [runners.predict_timeout_s, runners.poll_s, runners.lease_s].iter().any(|s| !(1..=3600).contains(s)) {
        bail!("runners.predict_timeout_s, runners.poll_s and runners.lease_s must be 1 to 3600");
    }
    if config.accounts.password_min_chars < 8 {
        bail!("accounts.password_min_chars must be 8 or more, or passwords are guessed too soon");
    }
    if config.mail.user.is_empty() != config.mail.password.is_empty() {
        bail!("mail.user and mail.password must be set together");
    }
    config.usage_config()?;
    if config.tls.cert.is_empty() != config.tls.key.is_empty() {
        bail!("tls.cert and tls.key must be set together");
    }
    if config.tls.self_signed && !config.tls.cert.is_empty() {
        bail!("tls.self_signed and tls.cert exclude each other");
    }
    Ok(())
}

impl Config {
    /// Whether there is a second listener.
    pub fn serves_tls(&self) -> bool {
        self.tls.self_signed || !self.tls.cert.is_empty()
    }
}
