//! The STUN and TURN servers that clients are told of: whether each answers, and whether it takes
//! the credentials that go with it.

use serde_json::Value;

use super::Finding;
use super::stun::{Answer, Method};
use super::way::Way;
use crate::config::Config;
use crate::session::ice::Ice;

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

/// What a server answers that gives this user, or all together, no more relays (RFC 8656, 7.2).
const QUOTA_REACHED: u16 = 486;

/// A `stun:` or `turn:` address (RFC 7064, RFC 7065).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
    relays: bool,
    tls: bool,
    pub(super) tcp: bool,
    pub(super) host: &'a str,
    pub(super) port: u16,
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
        let fix = "write it in webrtc.ice_servers or webrtc.turn.urls as stun:host:port, turn:host:port, or turn:host:port?transport=tcp";
        return vec![Finding::error(url, "is no address of a STUN or TURN server", fix)];
    };
    let reach = format!(
        "see that the server runs and that {} port {} is open to it, or set another address in webrtc.ice_servers or webrtc.turn.urls",
        if address.tcp { "TCP" } else { "UDP" },
        address.port
    );
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
            let fix = "let the server answer STUN requests of everybody: no secure-stun in coturn's configuration";
            vec![Finding::warning(url, format!("refuses a STUN request: {code} {reason}"), fix)]
        }
        Err(error) => return vec![Finding::error(url, error, reach)],
    };
    if address.relays {
        findings.push(relay(&mut way, url, credentials).await);
    }
    findings
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
            // It ends by itself, too, ten minutes later.
            let _ = way.ask(Method::Refresh, None).await;
            let found = "gives a relay to everybody, without credentials";
            return Finding::warning(url, found, "set lt-cred-mech or use-auth-secret at the server");
        }
        Ok(Answer::Error(code, reason, _)) => return no_relay(url, &format!("{code} {reason}")),
        Err(problem) => return no_relay(url, &problem),
    };
    match way.ask(Method::Allocate, Some((username, password, &challenge))).await {
        Ok(Answer::Success) => {
            let _ = way.ask(Method::Refresh, Some((username, password, &challenge))).await;
            Finding::ok(url, "gives a relay to our credentials")
        }
        Ok(Answer::Error(code @ (401 | 441), reason, _)) => {
            Finding::error(url, format!("does not take our credentials: {code} {reason}"), fix)
        }
        // Those that we have just given back may count for a little longer.
        Ok(Answer::Error(QUOTA_REACHED, reason, _)) => Finding::warning(
            url,
            format!("takes our credentials, and has no relay more for them now: {QUOTA_REACHED} {reason}"),
            "raise user-quota and total-quota at the server: each peer of a call takes a relay or two",
        ),
        Ok(Answer::Error(code, reason, _)) => no_relay(url, &format!("{code} {reason}")),
        Err(problem) => no_relay(url, &problem),
    }
}

/// Whoever asks.
fn no_relay(url: &str, problem: &str) -> Finding {
    let fix = "see the server's log, and its configuration: that it is not stun-only, and has ports (min-port to max-port) and \
        quotas (user-quota, total-quota) for all who call";
    Finding::error(url, format!("gives no relay: {problem}"), fix)
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
