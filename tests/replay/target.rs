//! Where the server is, and how a recording gets a place of its own there.

use std::time::Duration;

use serde_json::{Value, json};

use super::http::{Request, ask};

const PATIENCE: Duration = Duration::from_secs(10);

/// Where recordings are replayed.
pub enum Target {
    /// All at one address.
    Fixed(Address),
    /// Each in a session of its own, started by this manager.
    Sessions(Manager),
}

/// A place on a server.
#[derive(Clone, Debug)]
pub struct Address {
    /// Host and port.
    pub host: String,
    /// What goes before each recorded path.
    pub prefix: String,
    /// Where raw WebSockets are opened.
    pub raw: &'static str,
    /// The key to add to each path, if any.
    pub key: Option<String>,
    /// The session that was started for it, if any.
    pub session: Option<i64>,
}

/// A manager that starts sessions.
pub struct Manager {
    /// Its address, as `http://host:port`.
    pub url: String,
    /// Its admin token.
    pub token: String,
    /// How to reach its sessions.
    pub way: Way,
}

/// A way to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Its own port, at the recorded paths.
    Port,
    /// Its own port, raw WebSockets at `/ws`.
    Ws,
    /// The manager's port, where sessions lie below `/webrtc/<port>`.
    FrontDoor,
}

/// Where recordings have their raw WebSockets.
const RAW: &str = "/echo/websocket";

impl Target {
    /// A place for one recording.
    pub async fn open(&self) -> Result<Address, String> {
        match self {
            Target::Fixed(address) => Ok(address.clone()),
            Target::Sessions(manager) => manager.start().await,
        }
    }

    /// Gives a place back. A manager that is gone by now has nothing to stop.
    pub async fn close(&self, address: Address) {
        if let (Target::Sessions(manager), Some(session)) = (self, address.session) {
            let _ = manager.command(json!({"action": "stop", "id_session": session})).await;
        }
    }
}

impl Address {
    /// A server without prefix and key.
    pub fn plain(host: &str) -> Address {
        Address { host: host.into(), prefix: String::new(), raw: RAW, key: None, session: None }
    }

    /// A recorded path as it is asked for here.
    pub fn path(&self, recorded: &str) -> String {
        let recorded = if recorded == RAW { self.raw } else { recorded };
        let sign = if recorded.contains('?') { '&' } else { '?' };
        let key = self.key.as_ref().map(|key| format!("{sign}key={key}")).unwrap_or_default();
        format!("{}{recorded}{key}", self.prefix)
    }
}

impl Manager {
    /// Starts a session that nobody owns, so that it replaces no other.
    async fn start(&self) -> Result<Address, String> {
        let command = json!({
            "action": "start", "id_session": 0, "session_name": "replay", "session_parameters": "",
            "session_users": ["replay"], "session_participants": [], "session_devices": [],
        });
        let reply = self.command(command).await?;
        let session = &reply["session"];
        let url = session["session_url_users"].as_str().ok_or_else(|| format!("no address for users: {reply}"))?;
        let address = self.address(url).ok_or_else(|| format!("not the address of a session: {url}"))?;
        Ok(Address { session: session["id_session"].as_i64(), ..address })
    }

    async fn command(&self, command: Value) -> Result<Value, String> {
        let bearer = format!("Bearer {}", self.token);
        let body = json!({"session_manage": command}).to_string();
        let request = Request {
            host: host_of(&self.url).ok_or_else(|| format!("not an address: {}", self.url))?,
            method: "POST",
            path: "/rpc/session_manage",
            headers: vec![("Authorization", &bearer), ("Content-Type", "application/json")],
            body: Some(&body),
        };
        let (head, body) = ask(request, PATIENCE).await?;
        match (head.status, serde_json::from_str(&body)) {
            (200, Ok(reply)) => Ok(reply),
            (status, _) => Err(format!("session_manage answered {status}: {body}")),
        }
    }

    /// Where a page's address, `http://host:port/webrtc/<port>/users?key=<key>`, says the session is.
    fn address(&self, url: &str) -> Option<Address> {
        let (base, key) = url.split_once("/users?key=")?;
        let key = Some(key.split('&').next()?.to_owned());
        let host = host_of(base)?;
        let prefix = base.split_once("://")?.1.strip_prefix(host)?;
        let raw = if self.way == Way::Ws { "/ws" } else { RAW };
        let (host, prefix) = match prefix.strip_prefix("/webrtc/").filter(|_| self.way != Way::FrontDoor) {
            Some(port) => (format!("{}:{port}", host.rsplit_once(':').map_or(host, |(name, _)| name)), ""),
            None => (host.to_owned(), prefix),
        };
        Some(Address { host, prefix: prefix.to_owned(), raw, key, session: None })
    }
}

fn host_of(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split('/').next()
}
