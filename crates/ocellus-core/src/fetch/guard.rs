//! Which addresses may be reached: public ones, and those that the configuration names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::{Error, Result};

/// Decides over addresses and host names.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    networks: Vec<IpNet>,
    hosts: Vec<String>,
}

impl Guard {
    /// Reads the entries of `fetch.allow`: a network, a single address or a host name each.
    pub fn new(allow: &[String]) -> Result<Self> {
        let mut guard = Self::default();
        for entry in allow {
            let entry = entry.trim();
            if let Ok(network) = entry.parse::<IpNet>() {
                guard.networks.push(network.trunc());
            } else if let Ok(address) = entry.parse::<IpAddr>() {
                guard.networks.push(IpNet::from(address));
            } else if is_host_name(entry) {
                guard.hosts.push(normal_host(entry));
            } else {
                return Err(Error::invalid(
                    "fetch.allow",
                    format!("has '{entry}', which is neither a network nor a host name"),
                ));
            }
        }
        Ok(guard)
    }

    /// Whether this host, whatever it resolves to, may be reached.
    pub fn allows_host(&self, host: &str) -> bool {
        let host = normal_host(host);
        self.hosts.contains(&host)
    }

    /// Whether this address may be reached.
    pub fn allows_address(&self, address: IpAddr) -> bool {
        let address = unmapped(address);
        is_public(address) || self.networks.iter().any(|network| network.contains(&address))
    }
}

fn normal_host(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn is_host_name(text: &str) -> bool {
    let text = text.trim_end_matches('.');
    !text.is_empty()
        && text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
        // A name whose last label is a number would be read as an address by resolvers.
        && !text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The IPv4 address inside an IPv6 one that merely carries it: a packet to it goes to the IPv4 address.
fn unmapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let tail = |high: u16, low: u16| {
        let [w, x] = high.to_be_bytes();
        let [y, z] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(w, x, y, z))
    };
    match [a, b, c, d, e, f] {
        // ::ffff:a.b.c.d, and NAT64's well-known prefix.
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => tail(g, h),
        // 6to4 carries it behind its prefix.
        [0x2002, high, low, ..] => tail(high, low),
        // IPv4-compatible, deprecated; :: and ::1 are addresses of their own.
        [0, 0, 0, 0, 0, 0] if (g, h) != (0, 0) && (g, h) != (0, 1) => tail(g, h),
        _ => address,
    }
}

/// Whether anyone on the internet could mean the same machine by this address.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// The IANA special-purpose registry (RFC 6890 and later), as far as it is not globally reachable.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        (0 | 10 | 127, ..) => true,
        (100, 64..=127, _) => true,             // carrier-grade NAT
        (169, 254, _) => true,                  // link-local, cloud metadata
        (172, 16..=31, _) => true,              // private
        (192, 0, 0) | (192, 0, 2) => true,      // protocol assignments, documentation
        (192, 88, 99) => true,                  // 6to4 relays, deprecated
        (192, 168, _) => true,                  // private
        (198, 18..=19, _) => true,              // benchmarking
        (198, 51, 100) | (203, 0, 113) => true, // documentation
        (224..=255, ..) => true,                // multicast, reserved, broadcast
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only 2000::/3 is handed out for global use; this leaves out ::, ::1, fc00::/7, fe80::/10, ff00::/8 and all that is reserved.
    if a & 0xe000 != 0x2000 {
        return false;
    }
    match (a, b) {
        (0x2001, 0..=0x01ff) => false, // protocol assignments, Teredo, ORCHID
        (0x2001, 0x0db8) => false,     // documentation
        (0x3fff, 0..=0x0fff) => false, // documentation
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> Guard {
        Guard::new(&allow.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_public_addresses_are_reached_by_default() {
        let refused = "0.0.0.0 10.1.2.3 127.0.0.1 127.255.255.254 100.64.0.1 100.127.255.255 169.254.169.254 172.16.0.1 \
                       172.31.255.255 192.0.0.1 192.0.2.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.7 \
                       224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 \
                       ::127.0.0.1 64:ff9b::a00:1 2002:7f00:1:: 2002:a00:1::1 fc00::1 fd12:3456::1 fe80::1 fec0::1 \
                       ff02::1 2001:db8::1 2001::1 3fff::1 100::1";
        for address in refused.split_whitespace() {
            assert!(!guard(&[]).allows_address(address.parse().unwrap()), "{address} must be refused");
        }
        let reached = "1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.167.1.1 198.17.0.1 \
                       223.255.255.1 2606:4700:4700::1111 2a00:1450::1 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1";
        for address in reached.split_whitespace() {
            assert!(guard(&[]).allows_address(address.parse().unwrap()), "{address} must be reached");
        }
    }

    #[test]
    fn the_allow_list_opens_what_it_names_and_nothing_else() {
        let guard = guard(&["192.168.7.0/24", "10.0.0.5", "fd00::/8", "NAS.lan."]);
        for address in ["192.168.7.9", "10.0.0.5", "::ffff:10.0.0.5", "fd00::7"] {
            assert!(guard.allows_address(address.parse().unwrap()), "{address}");
        }
        for address in ["192.168.8.1", "10.0.0.6", "127.0.0.1", "fc00::1"] {
            assert!(!guard.allows_address(address.parse().unwrap()), "{address}");
        }
        assert!(guard.allows_host("nas.lan") && guard.allows_host("NAS.LAN."));
        assert!(!guard.allows_host("evil.nas.lan") && !guard.allows_host("lan"));
    }

    #[test]
    fn an_entry_that_is_neither_network_nor_host_is_refused() {
        for entry in ["", "10.0.0.0/40", "http://nas.lan", "300.1.2.3", "a b"] {
            assert!(Guard::new(&[entry.to_owned()]).is_err(), "'{entry}'");
        }
    }
}
