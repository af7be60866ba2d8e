//! The ICE servers that a session's clients are told, with credentials of their own for TURN.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use crate::config::{IceServer, Turn, WebRtc};

/// The file in the working directory, an array of what browsers take.
const FILE: &str = "ice_servers.json";

/// What OpenTera's server.js tells browsers where there is no such file.
const ITS_OWN: [&str; 5] = [
    "stun:stun.l.google.com:19302",
    "stun:stun.sipgate.net",
    "stun:217.10.68.152",
    "stun:stun.sipgate.net:10000",
    "stun:217.10.68.152:10000",
];

/// What a session's clients are told.
pub struct Ice {
    servers: Vec<Value>,
    turn: Option<Turn>,
}

impl Ice {
    /// The servers of the configuration; where it names none, those of the working directory's file,
    /// which is read at each start of a session, as is seen whether it is there at all.
    pub fn of(webrtc: &WebRtc) -> Self {
        let servers = match webrtc.ice_servers.as_slice() {
            // Who names a TURN server of their own needs nobody else's: it answers STUN as well.
            [] => in_directory(&webrtc.working_directory)
                .unwrap_or_else(|| if webrtc.turn.is_some() { Vec::new() } else { its_own() }),
            named => named.iter().map(as_browsers_take_it).collect(),
        };
        Self { servers, turn: webrtc.turn.clone() }
    }

    /// The array for one client, whom `name` tells from the others in the TURN server's log.
    pub fn for_peer(&self, name: &str) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let turn = self.turn.as_ref().map(|turn| credentials(turn, name, now));
        Value::Array(self.servers.iter().cloned().chain(turn).collect())
    }
}

/// One address stands alone, as in the original's lists.
fn as_browsers_take_it(server: &IceServer) -> Value {
    let mut value = json!(server);
    if let [only] = server.urls.as_slice() {
        value["urls"] = json!(only);
    }
    value
}

/// Time-limited credentials, as coturn's `use-auth-secret` checks them: the name holds when they end,
/// the password is the name's HMAC-SHA-1 (draft-uberti-behave-turn-rest).
fn credentials(turn: &Turn, name: &str, now: u64) -> Value {
    let username = format!("{}:{name}", now + turn.ttl_secs);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, turn.secret.as_bytes());
    let credential = STANDARD.encode(hmac::sign(&key, username.as_bytes()));
    json!({"urls": turn.urls, "username": username, "credential": credential})
}

/// What the directory's file says; nothing where there is a directory and no file in it.
fn in_directory(directory: &str) -> Option<Vec<Value>> {
    if directory.is_empty() {
        return Some(Vec::new());
    }
    let path = Path::new(directory).join(FILE);
    let wrong = |problem: String| tracing::warn!(path = %path.display(), problem, "no ICE servers are read");
    match std::fs::read(&path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(servers) => return Some(servers),
            Err(error) => wrong(error.to_string()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => wrong(error.to_string()),
    }
    Some(Vec::new())
}

fn its_own() -> Vec<Value> {
    ITS_OWN.iter().map(|url| json!({"urls": url})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_that_the_secret_makes() {
        let turn = Turn { urls: vec!["turn:t:3478".to_owned()], secret: "north".to_owned(), ttl_secs: 600 };
        let made = credentials(&turn, "1-7", 1_795_358_033);
        assert_eq!(made["username"], "1795358633:1-7");
        // printf 1795358633:1-7 | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(made["credential"], "dzRbTMZug5/ZkT6Cmex6AKK8jqA=");
    }

    #[test]
    fn the_configuration_comes_before_the_directory() {
        let directory = std::env::temp_dir().join(format!("viderehab-ice-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let mut webrtc = WebRtc { working_directory: directory.display().to_string(), ..WebRtc::default() };
        assert_eq!(Ice::of(&WebRtc::default()).for_peer("x"), json!([]), "our own pages name nobody's servers");
        assert_eq!(
            Ice::of(&webrtc).for_peer("x")[1],
            json!({"urls": "stun:stun.sipgate.net"}),
            "an OpenTera site's do"
        );
        webrtc.turn = Some(Turn { urls: vec!["turn:t".to_owned()], ..Turn::default() });
        assert_eq!(Ice::of(&webrtc).for_peer("x")[0]["urls"], json!(["turn:t"]), "one of their own is enough");
        webrtc.turn = None;
        std::fs::write(directory.join(FILE), r#"[{"urls": "stun:s"}]"#).unwrap();
        assert_eq!(Ice::of(&webrtc).for_peer("x"), json!([{"urls": "stun:s"}]));
        webrtc.ice_servers = vec![toml::from_str(r#"urls = ["stun:t"]"#).unwrap()];
        assert_eq!(Ice::of(&webrtc).for_peer("x"), json!([{"urls": "stun:t"}]));
        std::fs::write(directory.join(FILE), "{").unwrap();
        webrtc.ice_servers.clear();
        assert_eq!(Ice::of(&webrtc).for_peer("x"), json!([]));
        std::fs::remove_dir_all(directory).unwrap();
    }
}
