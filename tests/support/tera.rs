//! What an OpenTera server is to its service: a real Redis with the server's keys in it, and, in the
//! place of its REST API, a stand-in that keeps sessions and can be told to fail.

#[path = "https.rs"]
mod https;
#[path = "redis.rs"]
mod redis_server;

use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use https::{Answer, Asked, Https};
use prost::Message;
pub use redis_server::Redis;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use viderehab::config::Config;
use viderehab::wire::opentera::messages::{ArgValue, RpcMessage};

pub const SERVICE_UUID: &str = "cccccccc-0000-4000-8000-000000000006";

impl Redis {
    /// Writes what an OpenTera server writes when it starts; `key` is its new token key.
    pub async fn server_starts(&self, key: &str) {
        let service = json!({
            "service_uuid": SERVICE_UUID, "service_key": "VideoRehabService", "service_port": 4070,
            "service_hostname": "127.0.0.1",
        });
        self.ask::<()>(&["SET", "ServiceTokenAPIKey", key]).await;
        self.ask::<()>(&["SET", "service.VideoRehabService", &service.to_string()]).await;
    }

    /// Everything that is published from now on, in order.
    pub async fn listen(&self) -> Heard {
        let client = redis::Client::open(("127.0.0.1", self.port)).unwrap();
        let mut subscriber = client.get_async_pubsub().await.unwrap();
        subscriber.psubscribe("*").await.unwrap();
        let (sender, messages) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut stream = subscriber.on_message();
            while let Some(message) = stream.next().await {
                let _ = sender.send((message.get_channel_name().to_owned(), message.get_payload_bytes().to_vec()));
            }
        });
        Heard(messages)
    }

    /// A call as OpenTera's client makes it; the whole reply, or nothing within the time.
    pub async fn call(&self, method: &str, argument: &str, time: Duration) -> Option<Value> {
        let reply_to = format!("RedisRPCClient.{}", uuid::Uuid::new_v4());
        let client = redis::Client::open(("127.0.0.1", self.port)).unwrap();
        let mut subscriber = client.get_async_pubsub().await.unwrap();
        subscriber.subscribe(&reply_to).await.unwrap();
        let value =
            viderehab::wire::opentera::messages::Value { arg_value: Some(ArgValue::String(argument.to_owned())) };
        let call = RpcMessage { method: method.to_owned(), reply_to, id: 0, timestamp: 1.0e9, args: vec![value] };
        self.publish("service.VideoRehabService.rpc", &call.encode_to_vec()).await;
        let reply = tokio::time::timeout(time, subscriber.on_message().next()).await.ok()??;
        Some(serde_json::from_slice(reply.get_payload_bytes()).unwrap())
    }

    /// `session_manage`; the returned value.
    pub async fn manage(&self, arguments: Value) -> Value {
        let argument = json!({ "session_manage": arguments }).to_string();
        let reply = self.call("session_manage", &argument, Duration::from_secs(25)).await.expect("a reply");
        reply["return_value"].clone()
    }
}

/// What was published, with its topics.
pub struct Heard(mpsc::UnboundedReceiver<(String, Vec<u8>)>);

impl Heard {
    /// The topics of what is published until nothing has been for a moment, calls left out.
    pub async fn topics(&mut self) -> Vec<String> {
        let mut topics = Vec::new();
        while let Ok(Some((topic, _))) = tokio::time::timeout(Duration::from_millis(300), self.0.recv()).await {
            if !topic.ends_with(".rpc") && !topic.starts_with("RedisRPCClient") {
                topics.push(topic);
            }
        }
        topics
    }

    /// Waits for something on a topic.
    pub async fn on(&mut self, topic: &str) -> Vec<u8> {
        let found = async {
            loop {
                let (on, payload) = self.0.recv().await.expect("Redis is there");
                if on == topic {
                    return payload;
                }
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(20), found).await;
        found.unwrap_or_else(|_| panic!("nothing on {topic}"))
    }
}

/// How a call of the REST API goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This status, and a text.
    Status(u16),
    /// The answer comes after a while, which is too late for some.
    Slow(Duration),
    /// The connection ends with nothing said; what was asked for is done all the same.
    Dies,
}

/// A call that was made: method, path, body.
pub type Made = (String, String, Value);

/// The stand-in for the REST API.
pub struct Rest {
    https: Https,
    state: Arc<Mutex<State>>,
}

impl Deref for Rest {
    type Target = Https;

    fn deref(&self) -> &Https {
        &self.https
    }
}

#[derive(Default)]
struct State {
    sessions: HashMap<i64, Value>,
    next: i64,
    made: Vec<Made>,
    faults: Vec<(&'static str, Fault)>,
    /// Only a service token made with this key is taken; empty: any.
    key: String,
    tokens: HashSet<String>,
}

impl Rest {
    pub async fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let answering = state.clone();
        let https = Https::start(move |asked| answer(answering.clone(), asked)).await;
        Self { https, state }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next call that `what` names (method and path) goes wrong.
    pub fn fault(&self, what: &'static str, fault: Fault) {
        self.state().faults.push((what, fault));
    }

    /// Only tokens made with this key are taken from now on.
    pub fn require(&self, key: &str) {
        self.state().key = key.to_owned();
    }

    /// What was asked for since the last time.
    pub fn made(&self) -> Vec<Made> {
        std::mem::take(&mut self.state().made)
    }

    /// Every token that was ever shown.
    #[allow(dead_code, reason = "each test binary uses what it needs of it")]
    pub fn tokens(&self) -> Vec<String> {
        self.state().tokens.iter().cloned().collect()
    }

    /// How many sessions are in progress.
    pub fn in_progress(&self) -> usize {
        self.state().sessions.values().filter(|session| session["session_status"] == 1).count()
    }
}

async fn answer(state: Arc<Mutex<State>>, asked: Asked) -> Answer {
    let fault = {
        let mut state = state.lock().unwrap();
        state.made.push((asked.method.clone(), asked.path.clone(), asked.body.clone()));
        let named = format!("{} {}", asked.method, asked.path);
        let at = state.faults.iter().position(|(what, _)| named == *what);
        at.map(|at| state.faults.remove(at).1)
    };
    if let Some(Fault::Slow(time)) = fault {
        tokio::time::sleep(time).await;
    }
    if let Some(Fault::Status(status)) = fault {
        return Some((status, json!("Database error")));
    }
    let done = state.lock().unwrap().done(&asked);
    (fault != Some(Fault::Dies)).then_some(done)
}

impl State {
    /// What the server does, as far as the service sees it.
    fn done(&mut self, asked: &Asked) -> (u16, Value) {
        let Asked { method, path, authorization, body } = asked;
        let token = authorization.strip_prefix("OpenTera ").unwrap_or_default();
        self.tokens.insert(token.to_owned());
        let known = viderehab::control::opentera::token::read(token, self.key.as_bytes(), true).is_some();
        if !self.key.is_empty() && !known {
            return (401, json!("Unauthorized"));
        }
        match (method.as_str(), path.split('?').next().unwrap()) {
            ("POST", "/api/service/sessions") => {
                let given = &body["session"];
                let mut id = given["id_session"].as_i64().unwrap();
                if id == 0 {
                    self.next += 1;
                    id = self.next;
                    self.sessions.insert(id, new_session(id, given));
                } else if let Some(session) = self.sessions.get_mut(&id) {
                    for member in ["session_status", "session_duration"] {
                        if let Some(value) = given.get(member) {
                            session[member] = value.clone();
                        }
                    }
                }
                self.sessions.get(&id).map_or((403, json!("Forbidden")), |session| (200, json!([session])))
            }
            ("GET", "/api/service/sessions") => {
                let id = path.split("id_session=").nth(1).and_then(|rest| rest.split('&').next()?.parse().ok());
                let session = id.and_then(|id: i64| self.sessions.get(&id));
                session.map_or((403, json!("Forbidden")), |session| (200, json!([session])))
            }
            ("POST", "/api/service/sessions/events") => (200, json!([body["session_event"]])),
            ("GET", "/api/service/participants") => (200, json!({"participant_name": "Paul"})),
            _ => (404, json!("Not found")),
        }
    }
}

fn new_session(id: i64, given: &Value) -> Value {
    let creator = given["id_creator_user"].as_i64();
    let mut session = json!({
        "id_session": id, "session_uuid": format!("eeeeeeee-0000-4000-8000-{id:012}"), "session_name": format!("Session {id}"),
        "session_status": 1, "session_duration": 0, "session_parameters": given["session_parameters"],
        "session_start_datetime": "2026-11-22T14:34:54.254272+00:00", "id_session_type": given["id_session_type"],
        "id_creator_user": creator, "id_creator_service": 6, "session_creator_service_uuid": SERVICE_UUID,
        "session_creator_service": "Rehab",
    });
    if let Some(creator) = creator {
        session["session_creator_user"] = json!(format!("User {creator}"));
        session["session_creator_user_uuid"] = json!(user(creator));
    }
    session
}

/// The uuid of a user.
pub fn user(id: i64) -> String {
    format!("aaaaaaaa-0000-4000-8000-{id:012}")
}

/// A configuration for this Redis and this REST API.
pub fn with_opentera(mut config: Config, redis: &Redis, rest: &Rest) -> Config {
    let mut opentera = viderehab::config::OpenTera::default();
    opentera.redis.port = redis.port;
    opentera.backend.port = rest.port;
    opentera.backend.ca_file = rest.ca_file.display().to_string();
    config.opentera = Some(opentera);
    config.webrtc.external_port = 40075;
    config
}
