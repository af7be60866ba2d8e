//! Whom the limits are counted for, behind a proxy: whoever it says, whoever clients say, or itself.

use std::io;
use std::net::{IpAddr, SocketAddr};

use hyper::StatusCode;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Finding;
use super::proxy::{FORGED, TIME, WHAT};
use super::tls::host;
use crate::config::Config;
use crate::http::address::Counted;

/// The longest answer that is read: an address and two flags are less.
const ANSWER_BYTES: usize = 4096;

/// `answer` is what `/healthz/address` said through the proxy; `manager` the path of the manager there.
pub(super) async fn counted(config: &Config, base: &str, manager: &str, answer: reqwest::Response) -> Finding {
    let status = answer.status();
    let counted: Option<Counted> = match bounded(answer).await {
        Some(text) if status == StatusCode::OK => serde_json::from_slice(&text).ok(),
        _ => None,
    };
    let Some(counted) = counted else {
        let found = format!(
            "{base}{manager}/healthz/address does not lead here ({status}): whether X-Forwarded-For is set is not known"
        );
        let fix = match manager {
            "" => "send `location /` to server.listen; see docs/nginx.conf",
            _ => "send /rehab/, with that prefix removed, to server.listen; see docs/OPENTERA.md",
        };
        return Finding::warning(WHAT, found, fix);
    };
    let address = counted.address;
    let set = "proxy_set_header X-Forwarded-For $remote_addr; in nginx, or its like; see docs/nginx.conf";
    let way = Way::to(base).await.ok();
    if way.as_ref().is_some_and(|way| way.ends_at(config.server.listen)) {
        return Finding::ok(WHAT, format!("{base} is server.listen itself, with no proxy in between"));
    }
    match (counted.believed, counted.forwarded) {
        (true, true) if address == FORGED => Finding::error(
            WHAT,
            format!(
                "{base} passes on the X-Forwarded-For that clients send: they choose whom the limits are counted for"
            ),
            set,
        ),
        (true, false) => Finding::warning(
            WHAT,
            format!("{base} sends no X-Forwarded-For: all clients share limits.connections_per_address"),
            set,
        ),
        (false, true) if way.is_some_and(|way| way.from != address) => unbelieved(
            format!("X-Forwarded-For is believed from loopback alone, and {base} comes from elsewhere"),
            address,
        ),
        // Ours did not come through.
        (false, false) => {
            unbelieved(format!("{base} sends no X-Forwarded-For, and does not come by loopback"), address)
        }
        _ => Finding::ok(
            WHAT,
            format!("{base} leads here; the limits count us as {address}, whatever X-Forwarded-For we send"),
        ),
    }
}

/// The whole of an answer, unless it is longer than ours could be.
async fn bounded(mut answer: reqwest::Response) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(piece) = answer.chunk().await.ok()? {
        whole.extend_from_slice(&piece);
        if whole.len() > ANSWER_BYTES {
            return None;
        }
    }
    Some(whole)
}

fn unbelieved(found: String, address: IpAddr) -> Finding {
    Finding::warning(
        WHAT,
        format!("{found}: all clients are counted as {address}"),
        "run the proxy on this machine and server.listen on 127.0.0.1, or set limits.connections_per_address for all its clients together",
    )
}

/// A connection as it goes there.
struct Way {
    from: IpAddr,
    to: SocketAddr,
}

impl Way {
    async fn to(base: &str) -> io::Result<Self> {
        let url = reqwest::Url::parse(base).map_err(io::Error::other)?;
        let place = (host(base), url.port_or_known_default().unwrap_or_default());
        let stream = timeout(TIME, TcpStream::connect(place)).await??;
        Ok(Self { from: stream.local_addr()?.ip().to_canonical(), to: stream.peer_addr()? })
    }

    /// Whether it ends at this listener of this machine's: who listens on all addresses is met on
    /// the one that the connection comes from, too.
    fn ends_at(&self, listen: SocketAddr) -> bool {
        let to = self.to.ip().to_canonical();
        self.to.port() == listen.port() && (to == listen.ip() || (listen.ip().is_unspecified() && to == self.from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_address_is_no_proxy() {
        let way = |from: &str, to: &str| Way { from: from.parse().unwrap(), to: to.parse().unwrap() };
        let listen = |at: &str| at.parse::<SocketAddr>().unwrap();
        assert!(way("127.0.0.1", "127.0.0.1:443").ends_at(listen("127.0.0.1:443")));
        assert!(way("192.0.2.1", "192.0.2.1:443").ends_at(listen("0.0.0.0:443")));
        assert!(!way("192.0.2.1", "192.0.2.1:443").ends_at(listen("0.0.0.0:4070")));
        assert!(!way("192.0.2.1", "192.0.2.9:443").ends_at(listen("0.0.0.0:443")));
        assert!(!way("127.0.0.1", "127.0.0.2:443").ends_at(listen("127.0.0.1:443")));
    }
}
