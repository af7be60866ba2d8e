//! The way that browsers come: whether it leads here, whether upgrades pass, and whom the limits
//! are counted for. Asked without a key or a token, since it is not yet known who answers there.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hyper::StatusCode;
use reqwest::{Client, ClientBuilder};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Finding;
use super::server::Running;
use super::tls::host;
use crate::config::Config;
use crate::http::address::Counted;

/// How long an answer may take.
const TIME: Duration = Duration::from_secs(5);

/// An address that nobody has (RFC 5737), for a header that a proxy should not let through.
const FORGED: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

const WHAT: &str = "proxy";

pub(super) async fn check(config: &Config, running: &Running) -> Vec<Finding> {
    let base = config.public_base(config.server.listen.port());
    let webrtc = &config.webrtc;
    let local = host(&base) == "localhost" || host(&base).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if local && config.server.public_url.is_empty() && webrtc.external_port == 0 {
        let found = "neither server.public_url nor webrtc.hostname points anywhere: there is none to ask";
        return vec![Finding::ok(WHAT, found)];
    }
    if matches!(running, Running::No(_)) {
        let found = format!("no server runs with this configuration, so {base} was not asked");
        return vec![Finding::warning(WHAT, found, "start the server, and run this again")];
    }
    // OpenTera's nginx takes this prefix away, and passes nothing else to the manager.
    let manager = if config.opentera.is_some() { "/rehab" } else { "" };
    let (client, answer, mut findings) = match reached(&base, manager).await {
        Ok(reached) => reached,
        Err(finding) => return vec![finding],
    };
    findings.push(counted(config, &base, answer).await);
    match running.sessions().first() {
        None => findings.push(Finding::warning(
            WHAT,
            format!("no session is known to run, so {base}/webrtc/<port>/ and /websocket/<port>/ were not asked"),
            "start a session (`viderehab session start --user test`), and run this again",
        )),
        Some(port) => {
            findings.push(page(&client, &base, *port).await);
            findings.push(upgrade(&client, &base, *port).await);
        }
    }
    findings
}

/// A client that gets an answer there, the answer to the question whom we are counted as, and what
/// is to be said of the certificate.
async fn reached(base: &str, manager: &str) -> Result<(Client, reqwest::Response, Vec<Finding>), Finding> {
    // Another part of the process may have installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        let builder = Client::builder().timeout(TIME).redirect(reqwest::redirect::Policy::none()).no_proxy();
        builder.pool_max_idle_per_host(0)
    };
    let ask = async |builder: ClientBuilder| {
        let client = builder.build()?;
        let request =
            client.get(format!("{base}{manager}/healthz/address")).header("x-forwarded-for", FORGED.to_string());
        Ok::<_, reqwest::Error>((client.clone(), request.send().await?))
    };
    let error = match ask(builder()).await {
        Ok((client, answer)) => return Ok((client, answer, Vec::new())),
        Err(error) => error,
    };
    // Nothing secret is said on this way, so who answers may be anybody.
    if base.starts_with("https:")
        && let Ok((client, answer)) = ask(builder().tls_danger_accept_invalid_certs(true)).await
    {
        let found = format!("this machine does not believe the certificate of {base}: {}", cause(&error));
        let fix = "have it signed by a CA that browsers know, and serve the whole chain";
        return Ok((client, answer, vec![Finding::warning(WHAT, found, fix)]));
    }
    let fix = "see that the name leads to the proxy and the proxy runs; server.public_url, or webrtc.hostname and external_port, name it";
    Err(Finding::error(WHAT, format!("{base} cannot be reached: {}", cause(&error)), fix))
}

/// Whom the limits are counted for.
async fn counted(config: &Config, base: &str, answer: reqwest::Response) -> Finding {
    let status = answer.status();
    let counted: Option<Counted> = match answer.text().await {
        Ok(text) if status == StatusCode::OK => serde_json::from_str(&text).ok(),
        _ => None,
    };
    let Some(counted) = counted else {
        let found =
            format!("{base} does not pass /healthz/address ({status}): whether it sets X-Forwarded-For is not known");
        return Finding::warning(WHAT, found, "send `location /` to server.listen; see docs/nginx.conf");
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
        (false, true) if way.is_some_and(|way| way.from != address) => Finding::warning(
            WHAT,
            format!("X-Forwarded-For is believed from this machine alone, and {base} comes from {address}"),
            "run the proxy on this machine, or set limits.connections_per_address for all its clients together",
        ),
        _ => Finding::ok(
            WHAT,
            format!("{base} leads here; the limits count us as {address}, whatever X-Forwarded-For we send"),
        ),
    }
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

/// A session's pages.
async fn page(client: &Client, base: &str, port: u16) -> Finding {
    let url = format!("{base}/webrtc/{port}/status");
    match client.get(&url).send().await.map(|answer| answer.status()) {
        // Without a key.
        Ok(StatusCode::FORBIDDEN | StatusCode::OK) => Finding::ok(WHAT, format!("{url} leads to the session")),
        Ok(status) => Finding::error(
            WHAT,
            format!("{url} does not lead to the session that runs there: {status}"),
            "send /webrtc/<port>/ to the session's port with that prefix removed, or as it is to server.listen; see docs/nginx.conf",
        ),
        Err(error) => Finding::error(WHAT, format!("{url}: {}", cause(&error)), "see the proxy's log"),
    }
}

/// A session's sockets. Socket.IO upgrades first and asks for the key then.
async fn upgrade(client: &Client, base: &str, port: u16) -> Finding {
    let url = format!("{base}/websocket/{port}/");
    let request = client.get(format!("{url}?EIO=4&transport=websocket"));
    let request = request.header("connection", "Upgrade").header("upgrade", "websocket");
    let request = request.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    match request.send().await.map(|answer| answer.status()) {
        Ok(StatusCode::SWITCHING_PROTOCOLS) => Finding::ok(WHAT, format!("{url} opens WebSockets")),
        Ok(StatusCode::BAD_REQUEST) => Finding::error(
            WHAT,
            format!("{url} leads to the session, but no WebSocket opens: the upgrade does not pass"),
            "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\"; in nginx, or its like",
        ),
        Ok(status) => Finding::error(
            WHAT,
            format!("{url} does not lead to the session that runs there: {status}"),
            "send /websocket/<port>/ as it is to the session's port, or to server.listen; see docs/nginx.conf",
        ),
        Err(error) => Finding::error(WHAT, format!("{url}: {}", cause(&error)), "see the proxy's log"),
    }
}

/// The innermost cause; the library's own words begin with the URL.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
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
