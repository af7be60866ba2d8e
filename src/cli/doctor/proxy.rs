//! The way that browsers come: whether it leads here, whether upgrades pass, and whom the limits
//! are counted for. Asked without a key or a token, since it is not yet known who answers there.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hyper::StatusCode;
use reqwest::{Client, ClientBuilder};

use super::Finding;
use super::counted::counted;
use super::server::Running;
use super::tls::host;
use crate::config::Config;

/// How long an answer may take.
pub(super) const TIME: Duration = Duration::from_secs(5);

/// An address that nobody has (RFC 5737), for a header that a proxy should not let through.
pub(super) const FORGED: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

/// What all findings of this way are about.
pub(super) const WHAT: &str = "proxy";

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
    findings.push(counted(config, &base, manager, answer).await);
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
        Err(error) => Finding::error(WHAT, format!("{url} gives no answer: {}", cause(&error)), "see the proxy's log"),
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
        Err(error) => Finding::error(WHAT, format!("{url} gives no answer: {}", cause(&error)), "see the proxy's log"),
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
