//! Ids and secrets, injected: only the binary constructs the random source.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// A source of unique ids and of secrets.
#[derive(Clone, Debug)]
pub struct Ids(Source);

#[derive(Clone, Debug)]
enum Source {
    Random,
    Counted(Arc<AtomicU64>),
}

impl Ids {
    /// The operating system's random generator.
    pub fn random() -> Self {
        Self(Source::Random)
    }

    /// Reproducible ids for tests: hashes of a counter that clones share.
    pub fn counted() -> Self {
        Self(Source::Counted(Arc::new(AtomicU64::new(0))))
    }

    /// A fresh id: 32 hex digits.
    pub fn id(&self) -> String {
        hex::encode(&self.bytes()[..16])
    }

    /// A fresh secret: 64 hex digits, 256 bits.
    pub fn secret(&self) -> String {
        hex::encode(self.bytes())
    }

    /// A fresh version 4 UUID in its usual form.
    pub fn uuid(&self) -> String {
        let mut half = [0_u8; 16];
        half.copy_from_slice(&self.bytes()[..16]);
        uuid::Builder::from_random_bytes(half).into_uuid().to_string()
    }

    /// A fresh number, for jitter.
    pub fn number(&self) -> u64 {
        let mut eight = [0_u8; 8];
        eight.copy_from_slice(&self.bytes()[..8]);
        u64::from_le_bytes(eight)
    }

    fn bytes(&self) -> [u8; 32] {
        match &self.0 {
            Source::Random => {
                let mut bytes = [0_u8; 32];
                getrandom::fill(&mut bytes)
                    .expect("the operating system has random bytes once it has started");
                bytes
            }
            Source::Counted(counter) => {
                let n = counter.fetch_add(1, Ordering::SeqCst);
                Sha256::digest(n.to_le_bytes()).into()
            }
        }
    }
}

/// The SHA-256 of a secret in hex: all that is ever stored of it.
pub fn hash_secret(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}
