//! The server that may be running with this configuration.

use std::collections::BTreeSet;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;

use super::super::client::Client;
use crate::config::Config;
use crate::control::admin;

/// How long it has for an answer.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// What answers at `server.listen`.
pub(super) enum Running {
    /// Nothing, or nothing of ours: why it is not taken for a viderehab.
    No(String),
    /// A viderehab.
    Yes {
        /// Whether it is ready, or why not.
        ready: Result<(), String>,
        /// The ports of its sessions; nothing where it cannot be asked without the token.
        sessions: Option<BTreeSet<u16>>,
    },
}

impl Running {
    pub(super) async fn ask(config: &Config) -> Self {
        Self::asked(config).await.unwrap_or_else(Self::No)
    }

    async fn asked(config: &Config) -> Result<Self, String> {
        let token = admin::known_token(config);
        let client = Client::new(config, token.clone().unwrap_or_default())?;
        match client.text("/healthz", ANSWER_TIME).await? {
            (StatusCode::OK, text) if text == "ok" => {}
            (status, _) => return Err(format!("what answers there is no viderehab: {status} for /healthz")),
        }
        let ready = match client.text("/readyz", ANSWER_TIME).await? {
            (StatusCode::OK, _) => Ok(()),
            (_, why) => Err(why),
        };
        let sessions = match (token, client.text("/api/sessions", ANSWER_TIME).await?) {
            (Some(_), (StatusCode::OK, text)) => Some(ports(&text)),
            _ => None,
        };
        Ok(Self::Yes { ready, sessions })
    }

    /// The ports of its sessions, as far as they are known.
    pub(super) fn sessions(&self) -> BTreeSet<u16> {
        match self {
            Self::Yes { sessions: Some(ports), .. } => ports.clone(),
            _ => BTreeSet::new(),
        }
    }
}

fn ports(listed: &str) -> BTreeSet<u16> {
    let listed: Value = serde_json::from_str(listed).unwrap_or_default();
    let sessions = listed["sessions"].as_array().into_iter().flatten();
    sessions.filter_map(|session| session["port"].as_u64()?.try_into().ok()).collect()
}
