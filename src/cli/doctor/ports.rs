//! Whether the server can listen: on its own address, and on the pool's ports.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use super::Finding;
use super::server::Running;
use crate::config::Config;

/// How many ports are named in one line.
const NAMED: usize = 10;

pub(super) async fn listen(config: &Config, running: &Running) -> Vec<Finding> {
    let (what, address) = ("server.listen", config.server.listen);
    let finding = match (bound(address), running) {
        (_, Running::Yes { ready: Ok(()), .. }) if address.port() != 0 => {
            Finding::ok(what, format!("a viderehab runs on {address} and is ready"))
        }
        (_, Running::Yes { ready: Err(why), .. }) if address.port() != 0 => Finding::warning(
            what,
            format!("a viderehab runs on {address} and is not ready: {why}"),
            "wait for what it names, or see its log",
        ),
        (Ok(()), _) => Finding::ok(what, format!("{address} is free, no server runs there")),
        // Only with its certificate can it be told who answers by TLS.
        (Err(error), Running::No(why)) if error.kind() == ErrorKind::AddrInUse && config.server.tls.is_some() => {
            Finding::error(
                what,
                format!("{address} is held by another program, or a viderehab that cannot be asked ({why})"),
                format!(
                    "mend what is said of server.tls below; if nothing is, end that program (`ss -tlnp sport = :{}` names it), or set another port",
                    address.port()
                ),
            )
        }
        (Err(error), Running::No(why)) if error.kind() == ErrorKind::AddrInUse => Finding::error(
            what,
            format!("{address} is held by another program ({why})"),
            format!("end that program (`ss -tlnp sport = :{}` names it), or set another port", address.port()),
        ),
        (Err(error), _) => not_ours(what, address, &error, what, what),
    };
    vec![finding]
}

pub(super) fn pool(config: &Config, running: &Running) -> Vec<Finding> {
    let (what, webrtc) = ("webrtc.local_base_port", &config.webrtc);
    let (first, last) = (webrtc.local_base_port, webrtc.local_base_port + (webrtc.max_sessions - 1));
    let sessions = running.sessions();
    let mut held = Vec::new();
    for port in (first..=last).filter(|port| !sessions.contains(port)) {
        let address = SocketAddr::new(webrtc.bind, port);
        // The manager's own port is not the pool's to have, held at the moment or not.
        let own = port == config.server.listen.port();
        match bound(address) {
            Ok(()) if !own => {}
            Err(error) if error.kind() != ErrorKind::AddrInUse => {
                return vec![not_ours(what, address, &error, "webrtc.bind", what)];
            }
            _ => held.push(port),
        }
    }
    let total = usize::from(webrtc.max_sessions);
    let served = (first..=last).filter(|port| sessions.contains(port)).count();
    let free = total - served - held.len();
    let found = format!("{free} of {total} ports ({first} to {last}) are free, {served} serve sessions");
    if held.is_empty() {
        return vec![Finding::ok(what, found)];
    }
    let named = held.iter().take(NAMED).map(|port| match *port == config.server.listen.port() {
        true => format!("{port} (server.listen)"),
        false => port.to_string(),
    });
    let names = named.collect::<Vec<_>>().join(", ");
    let more = if held.len() > NAMED { ", …" } else { "" };
    let found = format!("{found}; held by something else: {names}{more}");
    // Without the token it is not known which of them are sessions.
    if matches!(running, Running::Yes { sessions: None, .. }) {
        let fix = "run this as the user whose server.data_dir holds the admin token, to tell sessions from others";
        return vec![Finding::warning(what, found, fix)];
    }
    let fix = "end the programs that hold them, or set another webrtc.local_base_port or server.listen; a port that is held is passed over";
    vec![if free + served == 0 { Finding::error(what, found, fix) } else { Finding::warning(what, found, fix) }]
}

/// Whether an address can be bound, by binding it for a moment.
fn bound(address: SocketAddr) -> io::Result<()> {
    TcpListener::bind(address).map(drop)
}

/// `ip` and `port` are the keys that these two come from.
fn not_ours(what: &str, address: SocketAddr, error: &io::Error, ip: &str, port: &str) -> Finding {
    let fix = match error.kind() {
        ErrorKind::PermissionDenied => {
            format!(
                "set {port} to a port of 1024 or more, or give the service AmbientCapabilities=CAP_NET_BIND_SERVICE"
            )
        }
        _ => format!("set {ip} to an address of this machine (`ip address` lists them), or 127.0.0.1"),
    };
    Finding::error(what, format!("{address} cannot be bound: {error}"), fix)
}
