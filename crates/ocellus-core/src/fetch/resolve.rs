//! Name resolution inside the HTTP client: only addresses that passed the guard ever reach the connector, so the address
//! that was checked is the address connected to.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::Guard;

/// Resolves with the system's resolver and drops what the guard refuses.
pub struct GuardedResolver(pub Arc<Guard>);

/// All addresses of a host were refused.
#[derive(Debug)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "every address of {} is private", self.0)
    }
}

impl std::error::Error for Refused {}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            let reachable: Vec<SocketAddr> = if guard.allows_host(host) {
                found.clone()
            } else {
                found.iter().copied().filter(|address| guard.allows_address(address.ip())).collect()
            };
            if reachable.is_empty() && !found.is_empty() {
                return Err(Refused(host.to_owned()).into());
            }
            Ok(Box::new(reachable.into_iter()) as Addrs)
        })
    }
}
