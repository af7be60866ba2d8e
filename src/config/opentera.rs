//! `[opentera]`: where the OpenTera server and its Redis are.

use serde::{Deserialize, Serialize};

/// `[opentera]`. Present: this is the VideoRehab service of an OpenTera server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenTera {
    /// The server knows the service by this name: `service.<name>` in Redis.
    pub service_name: String,
    /// The server's REST API.
    pub backend: Backend,
    /// The server's Redis.
    pub redis: Redis,
}

/// `[opentera.backend]`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backend {
    /// The server as seen from here, through its proxy.
    pub hostname: String,
    /// Its https port.
    pub port: u16,
    /// PEM file with the certificates that its own may be signed by (or be); empty: the system's.
    pub ca_file: String,
    /// False: any certificate is believed.
    pub verify: bool,
}

/// `[opentera.redis]`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// Where it is.
    pub hostname: String,
    /// Its port.
    pub port: u16,
    /// The database of keys and lists.
    pub db: u32,
    /// Empty, and no password: no AUTH is sent.
    pub username: String,
    /// As above.
    pub password: String,
}

impl Default for OpenTera {
    fn default() -> Self {
        Self { service_name: "VideoRehabService".to_owned(), backend: Backend::default(), redis: Redis::default() }
    }
}

impl Default for Backend {
    fn default() -> Self {
        Self { hostname: "127.0.0.1".to_owned(), port: 40075, ca_file: String::new(), verify: true }
    }
}

impl Default for Redis {
    fn default() -> Self {
        Self { hostname: "127.0.0.1".to_owned(), port: 6379, db: 0, username: String::new(), password: String::new() }
    }
}
