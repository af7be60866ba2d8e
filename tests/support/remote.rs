//! A server in another process, spoken to as the in-process one is.

use std::net::SocketAddr;

use hyper::Method;
use serde_json::{Value, json};

use super::binary::Binary;
use super::server::{Answer, Started, send, value_of};

pub struct Remote {
    pub address: SocketAddr,
    bearer: String,
}

impl Remote {
    pub fn of(binary: &Binary) -> Self {
        Self::at(&binary.url, &binary.token)
    }

    pub fn at(url: &str, token: &str) -> Self {
        let address = url.trim_end_matches('/').split_once("://").unwrap().1.parse().unwrap();
        Self { address, bearer: format!("Bearer {token}") }
    }

    /// The admin token.
    #[allow(dead_code, reason = "each test binary uses what it needs of it")]
    pub fn token(&self) -> &str {
        self.bearer.trim_start_matches("Bearer ")
    }

    /// A session for ann and bob.
    pub async fn session(&self) -> Started {
        let call = json!({"session_manage": {
            "action": "start", "id_session": 0, "session_users": ["ann"], "session_participants": ["bob"]
        }});
        self.started(&call).await
    }

    /// A session for these users.
    #[allow(dead_code, reason = "each test binary uses what it needs of it")]
    pub async fn session_of(&self, users: &[String]) -> Started {
        self.started(&json!({"session_manage": {"action": "start", "id_session": 0, "session_users": users}})).await
    }

    async fn started(&self, call: &Value) -> Started {
        let answer = self.call(call).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Started { reply: answer.json() }
    }

    /// Stops a session.
    #[allow(dead_code, reason = "each test binary uses what it needs of it")]
    pub async fn stop(&self, id: i64) {
        let call = json!({"session_manage": {"action": "stop", "id_session": id}});
        assert_eq!(self.call(&call).await.status, 200);
    }

    /// An RPC call.
    pub async fn call(&self, call: &Value) -> Answer {
        self.ask(Method::POST, "/rpc/session_manage", call.to_string()).await
    }

    /// The running sessions.
    #[allow(dead_code, reason = "each test binary uses what it needs of it")]
    pub async fn list(&self) -> Answer {
        self.ask(Method::GET, "/api/sessions", String::new()).await
    }

    /// A metric's value, 0 if it is not there.
    pub async fn metric(&self, name: &str) -> u64 {
        value_of(name, &self.metrics().await)
    }

    /// All metrics, as they are told.
    pub async fn metrics(&self) -> String {
        self.ask(Method::GET, "/metrics", String::new()).await.text()
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> Answer {
        let headers = [("authorization", &*self.bearer), ("content-type", "application/json")];
        send(self.address, method, path, &headers, body).await
    }
}
