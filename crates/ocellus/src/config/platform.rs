//! From settings to what the core is opened with: paths are filled in, zeros become what the machine has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use ocellus_algo::image::DecodeLimits;
use ocellus_core::engine::EngineConfig;
use ocellus_core::fetch::FetchConfig;
use ocellus_core::image_text::ImageTextConfig;
use ocellus_core::indexes::IndexConfig;
use ocellus_core::mail::{Mailer, SmtpConfig, SmtpSecurity};
use ocellus_core::model_packages::OwnModelsConfig;
use ocellus_core::runners::RunnersConfig;
use ocellus_core::usage::UsageConfig;
use ocellus_core::users::AccountsConfig;
use ocellus_core::video::VideoConfig;
use ocellus_core::{Clock, Ids, JobsConfig, PlatformConfig};
use ocellus_store::StoreConfig;
use toml::{Table, Value};

use super::{Config, Durability, MailSecurity, Signup, Usage};

/// Which files are installed, and under which names.
const MANIFEST: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/manifest.toml"));

impl Config {
    /// The core's configuration, with the data folder as it is.
    pub fn platform(&self) -> anyhow::Result<PlatformConfig> {
        Ok(PlatformConfig {
            store: self.store_config(),
            models_dir: self.models_dir()?,
            runtime_library: self.runtime_library()?,
            data_dir: self.server.data_dir.clone(),
            image_text: self.image_text_config(),
            engine: self.engine_config(),
            own_models: self.own_models_config()?,
            fetch: self.fetch_config(),
            decode: DecodeLimits {
                max_bytes: self.decode.max_bytes,
                max_pixels: self.decode.max_pixels,
                max_alloc_bytes: self.decode.max_alloc_bytes,
            },
            video: VideoConfig {
                ffmpeg: self.video.ffmpeg.clone(),
                ffprobe: self.video.ffprobe.clone(),
                wait_s: self.video.wait_s,
                cpu_s: self.video.cpu_s,
                memory_bytes: self.video.memory_bytes,
            },
            indexes: IndexConfig {
                memory_bytes: self.indexes.memory_bytes,
                ann_above: self.indexes.ann_above,
                exact_below: self.indexes.exact_below,
                snapshot_above: self.indexes.snapshot_above,
                build_threads: self.indexes.build_threads,
            },
            jobs: JobsConfig {
                workers: self.jobs.workers,
                lease_s: self.jobs.lease_s,
                poll_ms: self.jobs.poll_ms,
            },
            runners: self.runners_config(),
            accounts: self.accounts_config()?,
            usage: self.usage_config()?,
            clock: Clock::system(),
            ids: Ids::random(),
        })
    }

    /// Where rows are kept, as a URL with its secrets.
    pub fn database_url(&self) -> String {
        if self.store.database.is_empty() {
            format!("sqlite:{}", self.server.data_dir.join("ocellus.db").display())
        } else {
            self.store.database.clone()
        }
    }

    /// Where blobs are kept, as a URL.
    pub fn blobs_url(&self) -> String {
        if self.blobs.url.is_empty() {
            format!("file:{}", self.server.data_dir.join("blobs").display())
        } else {
            self.blobs.url.clone()
        }
    }

    /// Where the weights lie.
    pub fn models_dir(&self) -> anyhow::Result<PathBuf> {
        if self.models.dir.is_empty() {
            Ok(cache()?.join("models"))
        } else {
            Ok(self.models.dir.clone().into())
        }
    }

    /// Where the inference runtime's library lies.
    pub fn runtime_library(&self) -> anyhow::Result<PathBuf> {
        if !self.models.runtime.is_empty() {
            return Ok(self.models.runtime.clone().into());
        }
        let file = runtime_file().with_context(|| {
            let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
            format!(
                "no inference runtime is known for {os} on {arch}; set models.runtime to its library file"
            )
        })?;
        Ok(cache()?.join("runtime").join(file))
    }

    fn store_config(&self) -> StoreConfig {
        let secret = |text: &String| (!text.is_empty()).then(|| text.clone());
        StoreConfig {
            url: self.database_url(),
            blobs_url: self.blobs_url(),
            readers: self.store.readers,
            blobs_access_key: secret(&self.blobs.access_key),
            blobs_secret_key: secret(&self.blobs.secret_key),
            durability: match self.store.durability {
                Durability::Full => ocellus_store::Durability::Full,
                Durability::Normal => ocellus_store::Durability::Normal,
            },
        }
    }

    /// The image-text pair, if any of its files is named.
    pub fn image_text_config(&self) -> Option<ImageTextConfig> {
        let pair = self.image_text.clone();
        let config = ImageTextConfig {
            image_model: pair.image_model,
            text_model: pair.text_model,
            vocabulary: pair.vocabulary,
            merges: pair.merges,
            image_size: pair.image_size,
            mean: pair.mean,
            std: pair.std,
            context_length: pair.context_length,
        };
        config.files().iter().any(|(_, path)| !path.as_os_str().is_empty()).then_some(config)
    }

    fn engine_config(&self) -> EngineConfig {
        EngineConfig {
            memory_bytes: self.engine.memory_bytes,
            queue_len: self.engine.queue_len,
            threads_per_session: self.engine.threads_per_session,
            sessions_per_model: self.engine.sessions_per_model,
            max_batch: self.engine.max_batch,
            max_wait_us: self.engine.max_wait_us,
            cpu_threads: self.engine.cpu_threads,
            cpu_queue_len: self.engine.cpu_queue_len,
        }
    }

    /// The limits of models that users bring along; this program runs them too.
    fn own_models_config(&self) -> anyhow::Result<OwnModelsConfig> {
        let own = &self.own_models;
        let program = std::env::current_exe().context("the path of this program cannot be found")?;
        let is_none = |key: &&String| key.len() != 64 || !key.bytes().all(|b| b.is_ascii_hexdigit());
        if let Some(key) = own.trusted_signers.iter().find(is_none) {
            anyhow::bail!("own_models.trusted_signers: '{key}' is no key; `ocellus models key` prints one");
        }
        Ok(OwnModelsConfig {
            worker: Some((program, vec!["model-worker".to_owned()])),
            max_bytes: own.max_bytes,
            load_timeout: Duration::from_secs(own.load_timeout_s),
            run_timeout: Duration::from_secs(own.run_timeout_s),
            memory_bytes: own.memory_bytes,
            trusted_signers: own.trusted_signers.clone(),
        })
    }

    fn runners_config(&self) -> RunnersConfig {
        RunnersConfig {
            predict_timeout: Duration::from_secs(self.runners.predict_timeout_s),
            poll: Duration::from_secs(self.runners.poll_s),
            lease: Duration::from_secs(self.runners.lease_s),
            queue_len: self.runners.queue_len,
        }
    }

    fn accounts_config(&self) -> anyhow::Result<AccountsConfig> {
        Ok(AccountsConfig {
            signup_open: self.accounts.signup == Signup::Open,
            password_min_chars: self.accounts.password_min_chars,
            password_needs: self.accounts.password_needs.clone(),
            session_s: self.accounts.session_s,
            long_session_s: self.accounts.long_session_s,
            mailer: self.mailer()?,
        })
    }

    fn mailer(&self) -> anyhow::Result<Mailer> {
        let mail = &self.mail;
        if mail.host.is_empty() {
            return Ok(Mailer::log());
        }
        let smtp = SmtpConfig {
            host: mail.host.clone(),
            port: mail.port,
            security: match mail.security {
                MailSecurity::Starttls => SmtpSecurity::StartTls,
                MailSecurity::Tls => SmtpSecurity::Tls,
                MailSecurity::None => SmtpSecurity::None,
            },
            login: (!mail.user.is_empty()).then(|| (mail.user.clone(), mail.password.clone())),
            from: mail.from.clone(),
        };
        Ok(Mailer::smtp(&smtp)?)
    }

    /// Plans, prices and quotas.
    pub(super) fn usage_config(&self) -> anyhow::Result<UsageConfig> {
        let Usage { plans, prices, quotas } = &self.usage;
        UsageConfig::read(plans, prices, quotas)
            .map_err(|error| anyhow!("a setting of [usage] is wrong: {error}"))
    }

    fn fetch_config(&self) -> FetchConfig {
        let defaults = FetchConfig::default();
        FetchConfig {
            allow: self.fetch.allow.clone(),
            timeout_ms: self.fetch.timeout_ms,
            connect_timeout_ms: self.fetch.connect_timeout_ms,
            max_redirects: self.fetch.max_redirects,
            user_agent: if self.fetch.user_agent.is_empty() {
                defaults.user_agent
            } else {
                self.fetch.user_agent.clone()
            },
        }
    }
}

/// The cache that `scripts/setup.py` fills; the same rule as there.
#[expect(
    clippy::disallowed_methods,
    reason = "the cache's place is the environment's to say, for both programs alike"
)]
fn cache() -> anyhow::Result<PathBuf> {
    let dir = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = match (dir("OCELLUS_CACHE"), dir("XDG_CACHE_HOME")) {
        (Some(base), _) | (None, Some(base)) => base,
        (None, None) => dir("HOME")
            .ok_or_else(|| anyhow!("HOME is not set; set models.dir and models.runtime"))?
            .join(".cache"),
    };
    Ok(base.join("ocellus"))
}

/// The library's file name for this machine.
fn runtime_file() -> Option<String> {
    let manifest: Table = MANIFEST.parse().ok()?;
    let here = |entry: &&Value| {
        let is = |key: &str, value: &str| entry.get(key).and_then(Value::as_str) == Some(value);
        is("os", std::env::consts::OS) && is("arch", std::env::consts::ARCH)
    };
    let entry = manifest.get("runtime")?.as_array()?.iter().find(here)?;
    entry.get("file")?.as_str().map(str::to_owned)
}

/// Whether a path can be read as a file.
pub fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_a_runtime_for_the_machines_we_build_on() {
        assert!(runtime_file().is_some_and(|file| file.contains("onnxruntime")));
    }
}
