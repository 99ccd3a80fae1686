//! How often something may be tried: counted in the database, so that several servers count together.

use sha2::{Digest, Sha256};

use crate::{Error, Kind, Platform, Result};

/// A limit on tries.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// What is tried, such as "login".
    pub what: &'static str,
    /// Tries within a window.
    pub n_tries: i64,
    /// How long a window is, in seconds.
    pub window_s: i64,
}

/// Counts a try of each of the subjects. `Exhausted` if any has none left; then the try counts all the same, so
/// whoever keeps on trying gains nothing.
pub async fn count(platform: &Platform, subjects: Vec<(Limit, String)>) -> Result<()> {
    let now_us = platform.clock().now_us();
    let wait_us = platform
        .store()
        .write(move |tx| {
            tx.purge_throttles(now_us)?;
            let mut wait_us = 0;
            for (limit, subject) in &subjects {
                let counted = tx.count_try(&key(limit, subject), now_us, limit.window_s * 1_000_000)?;
                if counted.n_tries > limit.n_tries {
                    wait_us = wait_us.max(counted.ends_at_us - now_us);
                }
            }
            Ok::<_, Error>(wait_us)
        })
        .await?;
    if wait_us == 0 {
        return Ok(());
    }
    let seconds = u32::try_from(wait_us.div_euclid(1_000_000) + 1).unwrap_or(u32::MAX);
    let message = format!("too many tries; come back in {seconds} seconds");
    Err(Error::new(Kind::Exhausted, message).retry_after(seconds))
}

/// Takes a try back, because it was a good one.
pub async fn forgive(platform: &Platform, subjects: Vec<(Limit, String)>) -> Result<()> {
    let forgive = move |tx: &mut ocellus_store::Tx<'_>| {
        for (limit, subject) in &subjects {
            tx.uncount_try(&key(limit, subject))?;
        }
        Ok::<_, Error>(())
    };
    platform.store().write(forgive).await
}

/// Addresses are nobody's business, and may be long.
fn key(limit: &Limit, subject: &str) -> String {
    format!("{}:{}", limit.what, hex::encode(&Sha256::digest(subject.to_lowercase().as_bytes())[..16]))
}
