//! The certificate of the second listener: a configured one, or one made for this machine.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::config::platform::is_file;

/// Reads or makes the certificate.
pub fn acceptor(config: &Config) -> anyhow::Result<TlsAcceptor> {
    let (cert, key) = if config.tls.self_signed {
        let dir = &config.server.data_dir;
        let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
        // Kept between starts, because clients are told to trust exactly this file.
        if !is_file(&cert) || !is_file(&key) {
            make(&config.tls.listen, &cert, &key)?;
        }
        (cert, key)
    } else {
        (config.tls.cert.clone().into(), config.tls.key.clone().into())
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&cert)
        .and_then(Iterator::collect)
        .map_err(|error| anyhow!("the certificate {} cannot be read: {error}", cert.display()))?;
    let secret = PrivateKeyDer::from_pem_file(&key)
        .map_err(|error| anyhow!("the private key {} cannot be read: {error}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS cannot start")?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .with_context(|| format!("{} and {} do not fit", cert.display(), key.display()))?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn make(listen: &str, cert: &Path, key: &Path) -> anyhow::Result<()> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host).trim_matches(['[', ']']);
    let own = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    for name in [host, own.trim()] {
        let wildcard = name.is_empty() || name == "0.0.0.0" || name == "::";
        if !wildcard && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    let made = rcgen::generate_simple_self_signed(names).context("a certificate cannot be made")?;
    write(key, &made.signing_key.serialize_pem(), 0o600)?;
    write(cert, &made.cert.pem(), 0o644)
}

fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("{} cannot be written", path.display()))
}
