//! Letters to people. There is no mail server to talk to: a letter goes to the log, where the operator finds it.

use std::sync::{Arc, Mutex, PoisonError};

/// A letter to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The e-mail address.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// What the person needs from it, such as a code.
    pub text: String,
}

/// Where letters go.
#[derive(Clone, Debug, Default)]
pub struct Mailer(Way);

#[derive(Clone, Debug, Default)]
enum Way {
    #[default]
    Log,
    Kept(Arc<Mutex<Vec<Letter>>>),
}

impl Mailer {
    /// To the log, at level info.
    pub fn log() -> Self {
        Self(Way::Log)
    }

    /// Kept in memory, for tests.
    pub fn kept() -> Self {
        Self(Way::Kept(Arc::default()))
    }

    /// Sends a letter.
    pub fn send(&self, letter: Letter) {
        match &self.0 {
            Way::Log => {
                tracing::info!(to = %letter.to, subject = %letter.subject, text = %letter.text, "letter")
            }
            Way::Kept(letters) => letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter),
        }
    }

    /// The letters kept so far, oldest first.
    pub fn letters(&self) -> Vec<Letter> {
        match &self.0 {
            Way::Log => Vec::new(),
            Way::Kept(letters) => letters.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
