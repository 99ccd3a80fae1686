//! The key that signs this server's bundles, and whose signatures it takes.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::{Error, Platform, Resource, Result};

/// The public key of this server, in hex, made if there is none yet.
pub async fn public_key(platform: &Platform) -> Result<String> {
    Ok(hex::encode(key(platform).await?.public_key()))
}

/// The key of this server, made if there is none yet.
pub(super) async fn key(platform: &Platform) -> Result<Ed25519KeyPair> {
    let (path, fresh) = (platform.own_models().key_file(), platform.ids().secret());
    let work = move || read_or_make(&path, &fresh);
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

fn read_or_make(path: &Path, fresh: &str) -> Result<Ed25519KeyPair> {
    let failed =
        |error: std::io::Error| Error::unavailable("the key for bundles cannot be kept").caused_by(error);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    // Two at once: the first to make the file wins, and both read it.
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => file.write_all(fresh.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let damaged = || Error::internal(anyhow::anyhow!("the key file {} holds no key", path.display()));
    let seed = hex::decode(text.trim()).map_err(|_| damaged())?;
    Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| damaged())
}

/// Refuses a signature that is not that of the signer over these bytes, and a signer whom nobody trusts.
pub(super) async fn check(
    platform: &Platform,
    (signer, signature): (&str, &str),
    bytes: &[u8],
    trust: Option<&str>,
) -> Result<()> {
    let wrong = || Error::invalid("the bundle", "is damaged: its signature does not fit it");
    let (key, signature) =
        (hex::decode(signer).map_err(|_| wrong())?, hex::decode(signature).map_err(|_| wrong())?);
    UnparsedPublicKey::new(&ED25519, key).verify(bytes, &signature).map_err(|_| wrong())?;
    let is_meant = |known: &str| known.eq_ignore_ascii_case(signer);
    let known = &platform.own_models().config().trusted_signers;
    if trust.is_some_and(is_meant)
        || known.iter().any(|known| is_meant(known))
        || public_key(platform).await? == signer
    {
        return Ok(());
    }
    let text = format!(
        "the bundle is signed by {signer}, whom this server does not trust; add the key to own_models.trusted_signers, or \
         import it with `ocellus models import --trust {signer}`"
    );
    Err(Error::forbidden(Resource::Other("signer", signer.to_owned()), text))
}
