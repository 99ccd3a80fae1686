//! Where a request comes from.

use std::net::IpAddr;

use http::HeaderMap;

/// The network address at the other end of a connection, in the extensions of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The address that a request comes from, for limits and logs; empty where there is no connection. What connects from
/// this machine is taken for a proxy, and the last address that it adds to `X-Forwarded-For` for the client's: whoever
/// connects from elsewhere can write there what they like.
pub fn address(peer: Option<&Peer>, headers: &HeaderMap) -> String {
    let Some(Peer(peer)) = peer else { return String::new() };
    let peer = peer.to_canonical();
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let last = forwarded.and_then(|value| value.to_str().ok()).and_then(|text| text.rsplit(',').next());
    match last.and_then(|text| text.trim().parse::<IpAddr>().ok()) {
        Some(client) if peer.is_loopback() => client.to_canonical().to_string(),
        _ => peer.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_on_this_machine_says_where_a_request_comes_from() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", http::HeaderValue::from_static("6.6.6.6, 203.0.113.9"));
        let peer = |text: &str| Some(Peer(text.parse().expect("an address")));
        assert_eq!(address(peer("127.0.0.1").as_ref(), &headers), "203.0.113.9");
        assert_eq!(address(peer("198.51.100.7").as_ref(), &headers), "198.51.100.7");
        assert_eq!(address(peer("::ffff:198.51.100.7").as_ref(), &HeaderMap::new()), "198.51.100.7");
        assert_eq!(address(None, &headers), "");
    }
}
