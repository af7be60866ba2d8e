//! The STUN and TURN servers that clients are told of: whether each answers, and whether it takes
//! the credentials that go with it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use super::Finding;
use super::stun::{self, Answer, Challenge, HEADER, Method, Transaction};
use crate::config::Config;
use crate::session::ice::Ice;

/// When a request by UDP is sent again, and, after the last, how long is waited for.
const SENDS: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(1000), Duration::from_millis(1250)];

/// How long a TCP connection, or an answer on one, may take.
const TCP_TIME: Duration = Duration::from_secs(3);

pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let servers = Ice::of(&config.webrtc).for_peer("doctor");
    let servers: Vec<&Value> = servers.as_array().into_iter().flatten().collect();
    if servers.is_empty() {
        let found = "no STUN or TURN server is named: only people of one network reach each other";
        let fix = "name a STUN server in webrtc.ice_servers, and a TURN server in [webrtc.turn]";
        return vec![Finding::warning("webrtc.ice_servers", found, fix)];
    }
    let mut findings = Vec::new();
    for server in servers {
        let text = |name: &str| server[name].as_str().unwrap_or_default();
        let credentials = Some((text("username"), text("credential"))).filter(|(name, _)| !name.is_empty());
        let urls = match &server["urls"] {
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect::<Vec<_>>(),
        };
        for url in urls {
            findings.extend(asked(url, credentials).await);
        }
    }
    findings
}

/// A `stun:` or `turn:` address (RFC 7064, RFC 7065).
#[derive(Debug, PartialEq, Eq)]
struct Address<'a> {
    relays: bool,
    tls: bool,
    tcp: bool,
    host: &'a str,
    port: u16,
}

fn parsed(url: &str) -> Option<Address<'_>> {
    let (scheme, rest) = url.split_once(':')?;
    let (relays, tls) = match scheme {
        "stun" => (false, false),
        "stuns" => (false, true),
        "turn" => (true, false),
        "turns" => (true, true),
        _ => return None,
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, port) = match place.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']').map(|(host, port)| (host, port.strip_prefix(':')))?,
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(if tls { 5349 } else { 3478 }), |port| port.parse().ok())?;
    (!host.is_empty()).then_some(Address { relays, tls, tcp: tls || query == "transport=tcp", host, port })
}

async fn asked(url: &str, credentials: Option<(&str, &str)>) -> Vec<Finding> {
    let Some(address) = parsed(url) else {
        let fix = "write it as stun:host:port, turn:host:port, or turn:host:port?transport=tcp";
        return vec![Finding::error(url, "is no address of a STUN or TURN server", fix)];
    };
    let reach = format!("see that the server runs and that {} {} is open to it", kind(&address), address.port);
    let mut way = match Way::to(&address).await {
        Ok(way) => way,
        Err(error) => return vec![Finding::error(url, error, reach)],
    };
    if address.tls {
        let found = "takes connections; what it says over TLS was not looked at";
        return vec![Finding::ok(url, found)];
    }
    let mut findings = match way.ask(Method::Binding, None).await {
        Ok(Answer::Success) => vec![Finding::ok(url, "answers")],
        Ok(Answer::Error(code, reason, _)) => {
            vec![Finding::warning(url, format!("refuses a STUN request: {code} {reason}"), "see its configuration")]
        }
        Err(error) => return vec![Finding::error(url, error, reach)],
    };
    if address.relays {
        findings.push(relay(&mut way, url, credentials).await);
    }
    findings
}

fn kind(address: &Address<'_>) -> &'static str {
    if address.tcp { "TCP port" } else { "UDP port" }
}

/// Asks for a relay, as clients will, and gives it back.
async fn relay(way: &mut Way, url: &str, credentials: Option<(&str, &str)>) -> Finding {
    let fix = "make webrtc.turn.secret the server's static-auth-secret, and see that both clocks are right; \
        with a fixed name and password, those of webrtc.ice_servers";
    let Some((username, password)) = credentials else {
        return Finding::error(url, "is a TURN server, and no credentials are named for it", fix);
    };
    let challenge = match way.ask(Method::Allocate, None).await {
        Ok(Answer::Error(401, _, Some(challenge))) => challenge,
        Ok(Answer::Success) => {
            let found = "gives a relay to everybody, without credentials";
            return Finding::warning(url, found, "set lt-cred-mech or use-auth-secret at the server");
        }
        Ok(Answer::Error(code, reason, _)) => {
            return Finding::error(url, format!("gives no relay: {code} {reason}"), fix);
        }
        Err(error) => return Finding::error(url, format!("gives no relay: {error}"), "see the server's log"),
    };
    match way.ask(Method::Allocate, Some((username, password, &challenge))).await {
        Ok(Answer::Success) => {
            // It ends by itself, too, ten minutes later.
            let _ = way.ask(Method::Refresh, Some((username, password, &challenge))).await;
            Finding::ok(url, "gives a relay to our credentials")
        }
        Ok(Answer::Error(code, reason, _)) => {
            Finding::error(url, format!("does not take our credentials: {code} {reason}"), fix)
        }
        Err(error) => Finding::error(url, format!("gives no relay: {error}"), "see the server's log"),
    }
}

/// A way to a server.
enum Way {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Way {
    async fn to(address: &Address<'_>) -> Result<Self, String> {
        let found = tokio::net::lookup_host((address.host, address.port)).await;
        let found = found.map_err(|error| format!("the name {} is not found: {error}", address.host))?;
        let place = found.into_iter().next().ok_or_else(|| format!("the name {} has no address", address.host))?;
        let way = async {
            if address.tcp {
                return Ok(Self::Tcp(timeout(TCP_TIME, TcpStream::connect(place)).await??));
            }
            let any: SocketAddr = if place.is_ipv4() { ([0; 4], 0).into() } else { ([0; 16], 0).into() };
            let socket = UdpSocket::bind(any).await?;
            socket.connect(place).await?;
            Ok(Self::Udp(socket))
        };
        way.await.map_err(|error: io::Error| format!("cannot be reached on {place}: {error}"))
    }

    async fn ask(&mut self, method: Method, sign: Option<(&str, &str, &Challenge)>) -> Result<Answer, String> {
        let transaction: Transaction = rand::random();
        let mut message = stun::request(method, &transaction);
        if let Some((username, password, challenge)) = sign {
            message = stun::signed(message, username, password, challenge);
        }
        let answer = match self {
            Self::Udp(socket) => by_udp(socket, &message, method, &transaction).await,
            Self::Tcp(stream) => {
                let answer = timeout(TCP_TIME, by_tcp(stream, &message, method, &transaction)).await;
                answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            }
        };
        answer.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => "does not answer".to_owned(),
            _ => error.to_string(),
        })
    }
}

async fn by_udp(socket: &UdpSocket, message: &[u8], method: Method, transaction: &Transaction) -> io::Result<Answer> {
    let mut datagram = [0; 2048];
    for wait in SENDS {
        socket.send(message).await?;
        let until = Instant::now() + wait;
        while let Ok(received) = timeout_at(until, socket.recv(&mut datagram)).await {
            // Refused: nothing listens there, as the machine itself says.
            let length = received?;
            if let Some(answer) = stun::answer(&datagram[..length], method, transaction) {
                return Ok(answer);
            }
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

async fn by_tcp(
    stream: &mut TcpStream,
    message: &[u8],
    method: Method,
    transaction: &Transaction,
) -> io::Result<Answer> {
    stream.write_all(message).await?;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).await?;
    let mut answer = header.to_vec();
    answer.resize(stun::length(&header), 0);
    stream.read_exact(&mut answer[HEADER..]).await?;
    stun::answer(&answer, method, transaction).ok_or_else(|| io::Error::other("what it says is not STUN"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let address = |relays, tls, tcp, host, port| Some(Address { relays, tls, tcp, host, port });
        assert_eq!(parsed("stun:a.example"), address(false, false, false, "a.example", 3478));
        assert_eq!(parsed("turn:a.example:99?transport=tcp"), address(true, false, true, "a.example", 99));
        assert_eq!(parsed("turns:[::1]"), address(true, true, true, "::1", 5349));
        assert_eq!(parsed("turn:[::1]:7?transport=udp"), address(true, false, false, "::1", 7));
        for wrong in ["", "stun", "stun:", "http://a", "turn:a:b", "turn:[::1", "turn:a:70000"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
