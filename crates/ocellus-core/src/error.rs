//! The one error type of the core: what went wrong, about which thing, in words safe to show, with the cause kept apart.

use std::fmt;
use std::sync::Arc;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a program branches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request makes no sense; sending it again will not help.
    Invalid,
    /// No valid key came with the request.
    Unauthenticated,
    /// The key is valid but may not do this.
    Forbidden,
    /// The thing does not exist, or the caller may not know that it does.
    NotFound,
    /// The thing exists already, or changed meanwhile.
    Conflict,
    /// More bytes, pixels or items than allowed.
    TooLarge,
    /// Well-formed, but not something this server can handle.
    Unsupported,
    /// The caller used up what it may use.
    Exhausted,
    /// Cannot be done now; try again later.
    Unavailable,
    /// Took longer than allowed.
    Timeout,
    /// Stopped because somebody asked for it.
    Cancelled,
    /// A fault of the server.
    Internal,
}

/// What an error is about, with its id (or name, path, address).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// An account, by user id.
    Account(String),
    /// A key, by public id.
    Key(String),
    /// An app.
    App(String),
    /// An input.
    Input(String),
    /// A concept.
    Concept(String),
    /// An annotation.
    Annotation(String),
    /// A model.
    Model(String),
    /// A model version.
    ModelVersion(String),
    /// A job.
    Job(String),
    /// A saved search.
    Search(String),
    /// An address that was, or was to be, fetched.
    Url(String),
    /// An image's bytes.
    Image(String),
    /// A scope, by name.
    Scope(String),
    /// A field of the request.
    Field(String),
    /// Any other stored thing: what people call it, and its id.
    Other(&'static str, String),
}

impl Resource {
    /// The noun in lower case, as used in messages.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Account(_) => "user",
            Self::Key(_) => "key",
            Self::App(_) => "app",
            Self::Input(_) => "input",
            Self::Concept(_) => "concept",
            Self::Annotation(_) => "annotation",
            Self::Model(_) => "model",
            Self::ModelVersion(_) => "model version",
            Self::Job(_) => "job",
            Self::Search(_) => "search",
            Self::Url(_) => "url",
            Self::Image(_) => "image",
            Self::Scope(_) => "scope",
            Self::Field(_) => "field",
            Self::Other(noun, _) => noun,
        }
    }

    /// The id, name or address.
    pub fn id(&self) -> &str {
        match self {
            Self::Account(id)
            | Self::Key(id)
            | Self::App(id)
            | Self::Input(id)
            | Self::Concept(id)
            | Self::Annotation(id)
            | Self::Model(id)
            | Self::ModelVersion(id)
            | Self::Job(id)
            | Self::Search(id)
            | Self::Url(id)
            | Self::Image(id)
            | Self::Scope(id)
            | Self::Field(id)
            | Self::Other(_, id) => id,
        }
    }
}

/// An error with everything a boundary needs to answer and to log.
#[derive(Clone)]
pub struct Error {
    /// What a program branches on.
    pub kind: Kind,
    /// What it is about, if one thing.
    pub about: Option<Resource>,
    /// A sentence without full stop, safe to show the caller.
    pub message: String,
    /// For `Unavailable` and `Exhausted`: when to try again, in seconds.
    pub retry_after_s: Option<u32>,
    cause: Option<Arc<anyhow::Error>>,
}

impl Error {
    /// An error of the given kind without subject.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, about: None, message: message.into(), retry_after_s: None, cause: None }
    }

    /// The thing does not exist for this caller.
    pub fn not_found(about: Resource) -> Self {
        let message = format!("{} '{}' not found", about.noun(), about.id());
        Self::new(Kind::NotFound, message).about(about)
    }

    /// A field of the request has a value that cannot be accepted.
    pub fn invalid(field: impl Into<String>, message: impl fmt::Display) -> Self {
        let field = field.into();
        let text = format!("{field} {message}");
        Self::new(Kind::Invalid, text).about(Resource::Field(field))
    }

    /// The thing exists already or changed meanwhile.
    pub fn conflict(about: Resource, message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message).about(about)
    }

    /// The key may not do this.
    pub fn forbidden(about: Resource, message: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, message).about(about)
    }

    /// No valid key came with the request.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(Kind::Unauthenticated, message)
    }

    /// Full or down at the moment; the caller should come back in a second.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, message).retry_after(1)
    }

    /// Nothing here can handle this.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    /// More than allowed.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(Kind::TooLarge, message)
    }

    /// Took longer than allowed.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(Kind::Timeout, message)
    }

    /// Stopped on request.
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(Kind::Cancelled, message)
    }

    /// A fault of the server; the caller sees only that.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self::new(Kind::Internal, "internal error").caused_by(cause)
    }

    /// Says what the error is about.
    #[must_use]
    pub fn about(mut self, about: Resource) -> Self {
        self.about = Some(about);
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(Arc::new(cause.into()));
        self
    }

    /// Says when to try again, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Whether trying the same thing again later may help.
    pub fn is_transient(&self) -> bool {
        match self.kind {
            Kind::Unavailable | Kind::Timeout | Kind::Exhausted | Kind::Internal => true,
            Kind::Invalid
            | Kind::Unauthenticated
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::Conflict
            | Kind::TooLarge
            | Kind::Unsupported
            | Kind::Cancelled => false,
        }
    }

    /// Logs the error once, at the boundary: faults of ours at error level with their causes, the rest at debug.
    pub fn log(&self) {
        let cause = self.cause.as_ref().map(|cause| format!("{cause:#}"));
        match self.kind {
            Kind::Internal | Kind::Unavailable => {
                tracing::error!(kind = ?self.kind, about = ?self.about, cause, "{}", self.message);
            }
            Kind::Invalid
            | Kind::Unauthenticated
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::Conflict
            | Kind::TooLarge
            | Kind::Unsupported
            | Kind::Exhausted
            | Kind::Timeout
            | Kind::Cancelled => {
                tracing::debug!(kind = ?self.kind, about = ?self.about, cause, "{}", self.message);
            }
        }
    }
}

impl From<ocellus_store::Error> for Error {
    fn from(error: ocellus_store::Error) -> Self {
        use ocellus_store::Error as E;
        match &error {
            E::Conflict(_) => Self::new(Kind::Conflict, "it exists already, or was changed meanwhile"),
            E::Busy => Self::unavailable("the database is busy, try again"),
            E::Down(_) => Self::unavailable("the database cannot be reached"),
            E::Blob(_) => Self::unavailable("the blob store cannot be reached"),
            E::Unstorable(what) => Self::new(Kind::Invalid, format!("a value cannot be stored: {what}")),
            // Seen only by whoever starts the program, and meant for them.
            E::NewerSchema { .. } | E::AlteredMigration { .. } | E::Config(_) => {
                Self::new(Kind::Internal, error.to_string())
            }
            E::Corrupt { .. } | E::Sql(_) => Self::new(Kind::Internal, "internal error"),
        }
        .caused_by(error)
    }
}

impl From<ocellus_algo::error::Error> for Error {
    fn from(error: ocellus_algo::error::Error) -> Self {
        use ocellus_algo::error::Error as E;
        match error {
            E::BadInput(message) => Self::new(Kind::Invalid, message),
            E::TooLarge(message) => Self::too_large(message),
            E::Unsupported(message) => Self::unsupported(message),
            E::Backend(_) => Self::internal(error),
            E::Cancelled => Self::new(Kind::Cancelled, error.to_string()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({:?}): {}", self.kind, self.about, self.message)?;
        match &self.cause {
            Some(cause) => write!(f, " <- {cause:#}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    /// For the operator at a terminal; a dialect shows only the message.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| -> &(dyn std::error::Error + 'static) { cause.as_ref().as_ref() })
    }
}

/// Shared by both: two errors are the same when a caller could not tell them apart.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.about == other.about && self.message == other.message
    }
}
