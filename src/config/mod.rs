//! The configuration: `config.toml`, overridden by the environment. Unknown keys are refused, every
//! error names its key. `Debug` and [`Config::masked`] show no secret.

mod changes;
mod load;
mod opentera;
mod validate;

pub use load::{ConfigError, load};
pub use opentera::{Backend, OpenTera, Redis};

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What stands in place of a secret that is shown.
const MASK: &str = "********";

/// All of `config.toml`. Units and defaults stand beside each key in the shipped file; a test holds
/// the two equal.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The manager's own address, store and token.
    pub server: Server,
    /// The pool of ports, the sessions' URLs, ICE.
    pub webrtc: WebRtc,
    /// How sessions end.
    pub sessions: Sessions,
    /// Sizes, rates, counts and times.
    pub limits: Limits,
    /// Absent: standalone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opentera: Option<OpenTera>,
}

/// `[server]`
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Where the manager listens.
    pub listen: SocketAddr,
    /// How browsers reach the manager, no trailing slash; empty: made from `[webrtc]`.
    pub public_url: String,
    /// Directory of the store and the token; empty: memory only.
    pub data_dir: String,
    /// Empty: made at first start.
    pub admin_token: String,
    /// Origins let in besides our own; `*` is every one.
    pub allowed_origins: Vec<String>,
    /// Absent: plain HTTP, for this machine or a proxy's eyes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// `[server.tls]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// PEM file: the certificate, then those that lead to its CA.
    pub cert: String,
    /// PEM file: the certificate's private key.
    pub key: String,
}

/// `[webrtc]`, with the names that VideoRehabService.json uses.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebRtc {
    /// Public host name in session URLs.
    pub hostname: String,
    /// Public port in session URLs; 0: the port of `listen`.
    pub external_port: u16,
    /// First port of the pool.
    pub local_base_port: u16,
    /// Size of the pool.
    pub max_sessions: u16,
    /// Address that session listeners bind.
    pub bind: IpAddr,
    /// A directory of OpenTera's own pages, served in place of ours; where an external engine runs.
    pub working_directory: String,
    /// The program of an external engine, started for each session; empty: the built-in one.
    pub executable: String,
    /// The external engine's first argument.
    pub script: String,
    /// Handed to the call pages.
    pub ice_servers: Vec<IceServer>,
    /// A TURN server that checks time-limited credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// Whether a keyless videre client may enter by RoomId = session key; see [`Config::room_key`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_key: Option<bool>,
}

/// `[webrtc.turn]`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Turn {
    /// `turn:…`, `turns:…`
    pub urls: Vec<String>,
    /// What the TURN server calls `static-auth-secret`.
    pub secret: String,
    /// How long credentials are good.
    pub ttl_secs: u64,
}

impl Default for Turn {
    fn default() -> Self {
        Self { urls: Vec::new(), secret: String::new(), ttl_secs: 24 * 60 * 60 }
    }
}

/// A STUN or TURN server, as browsers take it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IceServer {
    /// `stun:…`, `turn:…`, `turns:…`; one may stand alone.
    #[serde(deserialize_with = "one_or_more")]
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// For TURN; handed to every caller, so not a server's secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub credential: String,
}

/// A text, or a list of them.
fn one_or_more<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text or an array of texts")]
    enum Given {
        One(String),
        More(Vec<String>),
    }
    Ok(match Given::deserialize(from)? {
        Given::One(one) => vec![one],
        Given::More(all) => all,
    })
}

/// `[sessions]`
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// Seconds that a creator may be gone before the session ends.
    pub creator_grace_secs: u64,
    /// Seconds that a lost connection that opted in keeps its seat; 0: none is kept.
    pub resume_grace_secs: u64,
}

/// `[limits]`; 0 switches a rate or count off.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// One videre packet.
    pub message_bytes: usize,
    /// One EasyRTC message or polling body.
    pub easyrtc_bytes: usize,
    /// Request line to end of headers.
    pub handshake_secs: u64,
    /// A socket without a key, to its first packet.
    pub keyless_secs: u64,
    /// Silence after which a sign of life is asked for.
    pub heartbeat_secs: u64,
    /// Connections in one session.
    pub peers: usize,
    /// Rooms in one session.
    pub rooms: usize,
    /// Members of one EasyRTC room.
    pub room_peers: usize,
    /// A connection's, with a burst of five seconds' worth.
    pub packets_per_second: u32,
    /// A connection's, likewise.
    pub bytes_per_second: u32,
    /// Connections of one address in all sessions together.
    pub connections_per_address: usize,
    /// Wrong keys of an address before the brake.
    pub failed_keys: u32,
    /// What a room keeps for those who read late.
    pub log_bytes: usize,
    /// What a session keeps for all its slow readers, and those who may come back, together.
    pub session_bytes: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4070),
            public_url: String::new(),
            data_dir: "data".to_owned(),
            admin_token: String::new(),
            allowed_origins: Vec::new(),
            tls: None,
        }
    }
}

impl Default for WebRtc {
    fn default() -> Self {
        Self {
            hostname: "127.0.0.1".to_owned(),
            external_port: 0,
            local_base_port: 8080,
            max_sessions: 50,
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            working_directory: String::new(),
            executable: String::new(),
            script: String::new(),
            ice_servers: Vec::new(),
            turn: None,
            room_key: None,
        }
    }
}

impl Sessions {
    /// How long a lost connection that opted in keeps its seat.
    pub fn resume_grace(&self) -> Duration {
        Duration::from_secs(self.resume_grace_secs)
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self { creator_grace_secs: 60, resume_grace_secs: 30 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 256 * 1024,
            easyrtc_bytes: 1_000_000,
            handshake_secs: 10,
            keyless_secs: 120,
            heartbeat_secs: 25,
            peers: 100,
            rooms: 100,
            room_peers: 100,
            packets_per_second: 200,
            bytes_per_second: 2_000_000,
            connections_per_address: 200,
            failed_keys: 10,
            log_bytes: 1024 * 1024,
            session_bytes: 32 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// Request line to end of headers.
    pub fn handshake(&self) -> Duration {
        Duration::from_secs(self.handshake_secs)
    }

    /// What is read of a connection at most, whatever it is: twice what its packets may be. 0: no limit.
    pub fn raw_bytes_per_second(&self) -> usize {
        self.bytes_per_second as usize * 2
    }

    /// Silence after which a sign of life is asked for; zero: never.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_secs(self.heartbeat_secs)
    }
}

impl Config {
    /// The base of every URL handed out, no trailing slash. `port` is the one actually listened on.
    pub fn public_base(&self, port: u16) -> String {
        if !self.server.public_url.is_empty() {
            return self.server.public_url.trim_end_matches('/').to_owned();
        }
        let port = if self.webrtc.external_port == 0 { port } else { self.webrtc.external_port };
        let secure = self.server.tls.is_some() || self.opentera.is_some();
        let scheme = if secure { "https" } else { "http" };
        format!("{scheme}://{}:{port}", self.webrtc.hostname)
    }

    /// Whether browsers come by TLS.
    pub fn is_secure(&self) -> bool {
        self.public_base(0).starts_with("https://")
    }

    /// Whether a keyless videre client may enter by RoomId = session key: unless said otherwise,
    /// where there is no OpenTera server whose pages have keys.
    pub fn room_key(&self) -> bool {
        self.webrtc.room_key.unwrap_or(self.opentera.is_none())
    }

    /// A copy that may be shown: secrets masked.
    pub fn masked(&self) -> Self {
        let mut shown = self.clone();
        let secrets = shown.webrtc.ice_servers.iter_mut().map(|server| &mut server.credential);
        let password = shown.opentera.iter_mut().map(|opentera| &mut opentera.redis.password);
        let turn = shown.webrtc.turn.iter_mut().map(|turn| &mut turn.secret);
        for secret in secrets.chain([&mut shown.server.admin_token]).chain(password).chain(turn) {
            if !secret.is_empty() {
                MASK.clone_into(secret);
            }
        }
        shown
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&toml::to_string(&self.masked()).map_err(|_| std::fmt::Error)?)
    }
}
