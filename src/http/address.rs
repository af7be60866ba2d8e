//! Whose address counts for limits.

use std::net::IpAddr;

use hyper::HeaderMap;
use serde::{Deserialize, Serialize};

/// Whom a request is counted for, as `/healthz/address` says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The address.
    pub address: IpAddr,
    /// Whether it came from where `X-Forwarded-For` is believed.
    pub believed: bool,
    /// Whether it had one.
    pub forwarded: bool,
}

impl Counted {
    /// Of a request.
    pub fn of(peer: IpAddr, headers: &HeaderMap) -> Self {
        Self {
            address: client_address(peer, headers),
            believed: peer.to_canonical().is_loopback(),
            forwarded: headers.contains_key("x-forwarded-for"),
        }
    }
}

/// The address that limits are counted for: the TCP peer, or, when the peer is a proxy on this
/// machine, the last entry of its `X-Forwarded-For`. Everybody else's header is ignored, or a
/// client could choose who is throttled.
pub fn client_address(peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let peer = peer.to_canonical();
    if !peer.is_loopback() {
        return peer;
    }
    forwarded_for(headers).unwrap_or(peer)
}

fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let line = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn headers(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), HeaderValue::from_static(value))])
    }

    #[test]
    fn only_a_local_proxy_is_believed() {
        let local = "127.0.0.1".parse().unwrap();
        let remote = "192.0.2.7".parse().unwrap();
        let told = headers("203.0.113.9, 198.51.100.4");
        assert_eq!(client_address(local, &told), "198.51.100.4".parse::<IpAddr>().unwrap());
        assert_eq!(client_address(remote, &told), remote);
        assert_eq!(client_address(local, &headers("junk")), local);
    }
}
