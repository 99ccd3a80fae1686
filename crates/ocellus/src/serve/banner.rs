//! What a start prints: the address, where the data lies, and the first time the key and three commands to try.

use std::net::SocketAddr;
use std::path::Path;

use ocellus_core::bootstrap::FirstKey;
use tokio::net::TcpListener;

use super::first_key;
use crate::config::Config;
use crate::config::platform::is_file;
use crate::config::secrets::mask_url;
use crate::output;

/// A photograph that comes with the sources.
const SAMPLE: &str = "fixtures/photos/chelsea-224.png";

pub fn print(config: &Config, plain: &TcpListener, secure: Option<&TcpListener>, first: Option<&FirstKey>) {
    let data_dir = &config.server.data_dir;
    let url = plain.local_addr().map_or_else(|_| config.server.listen.clone(), |addr| url_of("http", addr));
    output::line(&format!("Ocellus {} serves {url}", env!("CARGO_PKG_VERSION")));
    if let Some(Ok(addr)) = secure.map(TcpListener::local_addr) {
        output::line(&format!("            and {}", url_of("https", addr)));
    }
    output::line(&format!("Data:       {}", absolute(data_dir)));
    if !config.store.database.is_empty() {
        output::line(&format!("Database:   {}", mask_url(&config.store.database)));
    }
    if let Some(first) = first {
        output::line(&format!("API key:    {}   (shown this once)", first.api_key));
        output::line(&format!("All keys:   {}", absolute(&first_key::path(data_dir))));
        output::line("\nThree commands to try:\n");
        for command in commands(&url, data_dir, first) {
            output::line(&format!("  {command}\n"));
        }
    }
}

/// A wildcard address is not one to connect to.
fn url_of(scheme: &str, addr: SocketAddr) -> String {
    let host = match addr {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => "127.0.0.1".to_owned(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => "[::1]".to_owned(),
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    };
    format!("{scheme}://{host}:{}", addr.port())
}

fn absolute(path: &Path) -> String {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn commands(url: &str, data_dir: &Path, first: &FirstKey) -> [String; 3] {
    let program =
        std::env::current_exe().map_or_else(|_| "ocellus".to_owned(), |path| path.display().to_string());
    // Somebody who starts the program elsewhere has photographs of their own.
    let sample = if is_file(Path::new(SAMPLE)) { SAMPLE } else { "PHOTO.jpg" };
    let folder = Path::new(sample).parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.map_or_else(|| "FOLDER".to_owned(), |folder| folder.display().to_string());
    let (key, local) = (&first.api_key, format!("{program} --data-dir {}", absolute(data_dir)));
    [
        format!(
            // Through a pipe: a photograph is longer than an argument may be.
            "(printf '{{\"inputs\":[{{\"data\":{{\"image\":{{\"base64\":\"'; base64 < {sample}; printf '\"}}}}}}]}}') | tr -d '\\n' | \
             curl -s {url}/v2/models/general-image-recognition/outputs -H 'Authorization: Key {key}' -d @-"
        ),
        format!("{program} predict {sample}"),
        format!("{local} index {folder} && {local} search {sample}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_shown_as_an_address_to_connect_to() {
        let cases = [
            ("0.0.0.0:80", "http://127.0.0.1:80"),
            ("[::]:81", "http://[::1]:81"),
            ("10.1.2.3:8080", "http://10.1.2.3:8080"),
            ("[fe80::1]:82", "http://[fe80::1]:82"),
        ];
        for (addr, expected) in cases {
            assert_eq!(url_of("http", addr.parse().unwrap()), expected);
        }
    }
}
