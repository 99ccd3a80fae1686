//! Letters to people: through a mail server where one is configured, else to the log, where the operator finds them.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::jobs::send_letter;
use crate::{Error, Platform, Result};

/// A mail server that takes longer for one step is given up.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);

/// A letter to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The e-mail address.
    pub to: String,
    /// What it is about, as what the person is to do.
    pub subject: String,
    /// What the person needs for it, such as a code.
    pub text: String,
}

/// A mail server that takes letters. Not `Debug`, because it holds a password.
#[derive(Clone)]
pub struct SmtpConfig {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is kept from being read.
    pub security: SmtpSecurity,
    /// Who signs in, with the password; nobody if absent.
    pub login: Option<(String, String)>,
    /// The sender, such as `Images <images@example.org>`.
    pub from: String,
}

/// How a connection to a mail server is kept from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// Plain first, then TLS before anything is said; refused if the server cannot.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Not at all.
    None,
}

/// Where letters go.
#[derive(Clone, Debug, Default)]
pub struct Mailer(Way);

#[derive(Clone, Debug, Default)]
enum Way {
    #[default]
    Log,
    Smtp(Arc<Smtp>),
    Kept(Arc<Mutex<Vec<Letter>>>),
}

#[derive(Debug)]
struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// To the log, at level info.
    pub fn log() -> Self {
        Self(Way::Log)
    }

    /// To a mail server; a letter that it does not take is tried again by a job. Connects when the first letter is sent.
    /// `Invalid` if the sender is no address or the host no name.
    pub fn smtp(config: &SmtpConfig) -> Result<Self> {
        let from = config
            .from
            .parse()
            .map_err(|error| Error::invalid("mail.from", format!("must be an e-mail address: {error}")))?;
        let tls = || {
            TlsParameters::new(config.host.clone())
                .map_err(|error| Error::invalid("mail.host", format!("cannot be used with TLS: {error}")))
        };
        let tls = match config.security {
            SmtpSecurity::StartTls => Tls::Required(tls()?),
            SmtpSecurity::Tls => Tls::Wrapper(tls()?),
            SmtpSecurity::None => Tls::None,
        };
        // "Dangerous" is what the security is set to in the next lines.
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port)
            .timeout(Some(STEP_TIMEOUT))
            .tls(tls);
        if let Some((user, password)) = config.login.clone() {
            transport = transport.credentials(Credentials::new(user, password));
        }
        Ok(Self(Way::Smtp(Arc::new(Smtp { transport: transport.build(), from }))))
    }

    /// Kept in memory, for tests.
    pub fn kept() -> Self {
        Self(Way::Kept(Arc::default()))
    }

    /// Sends a letter, to a mail server in one try.
    async fn send(&self, letter: Letter) -> anyhow::Result<()> {
        match &self.0 {
            Way::Log => log(&letter),
            Way::Smtp(smtp) => smtp.hand_over(&letter).await?,
            Way::Kept(letters) => letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter),
        }
        Ok(())
    }

    /// The letters kept so far, oldest first.
    pub fn letters(&self) -> Vec<Letter> {
        match &self.0 {
            Way::Log | Way::Smtp(_) => Vec::new(),
            Way::Kept(letters) => letters.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl Smtp {
    async fn hand_over(&self, letter: &Letter) -> anyhow::Result<()> {
        let message = Message::builder()
            .from(self.from.clone())
            .to(letter.to.parse()?)
            .subject(&letter.subject)
            .body(format!("To {} you need this:\r\n\r\n{}\r\n", letter.subject, letter.text))?;
        self.transport.send(message).await?;
        Ok(())
    }
}

/// Sends a letter that concerns an account. Does not wait for a mail server; what that does not take is left to a job.
/// Must be called within the runtime.
pub(crate) async fn deliver(platform: &Platform, account_id: &str, letter: Letter) {
    let (platform, account_id) = (platform.clone(), account_id.to_owned());
    let is_slow = matches!(platform.accounts_config().mailer.0, Way::Smtp(_));
    let sending = async move {
        let Err(error) = hand_over(&platform, &letter).await else { return };
        tracing::warn!(%error, "the mail server does not take a letter; it is tried again");
        let job = send_letter::job(&platform, &account_id, &letter);
        match platform.store().write(move |tx| job.insert(tx)).await {
            Ok(()) => platform.job_added().notify_waiters(),
            Err(error) => {
                error.log();
                log(&letter);
            }
        }
    };
    match is_slow {
        true => drop(tokio::spawn(sending)),
        false => sending.await,
    }
}

/// Sends a letter the way that is configured, in one try.
pub(crate) async fn hand_over(platform: &Platform, letter: &Letter) -> anyhow::Result<()> {
    platform.accounts_config().mailer.send(letter.clone()).await
}

/// To the log, where the operator finds it.
pub(crate) fn log(letter: &Letter) {
    tracing::info!(to = %letter.to, subject = %letter.subject, text = %letter.text, "letter");
}
