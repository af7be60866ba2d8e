//! What the program runs on: a Redis with the server's keys, watched, and a REST API that answers
//! from a script.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::decode::decoded;
use super::https::{Asked, Https};
use super::redis_server::Redis;
use super::scenario::{Entry, Scenario};
use crate::binary::Binary;

/// How long the program may take to subscribe.
const START: Duration = Duration::from_secs(15);

/// Something published, or pushed to a list.
pub struct Done {
    /// As in recordings: `publish`, `rpush`.
    pub kind: &'static str,
    pub topic: String,
    pub content: Value,
}

pub struct Site {
    redis: Redis,
    script: Arc<Mutex<VecDeque<(u16, Value)>>>,
    /// The REST calls, in order.
    pub calls: mpsc::UnboundedReceiver<Asked>,
    /// What is published and pushed, in order.
    pub redis_done: mpsc::UnboundedReceiver<Done>,
    _https: Https,
    _program: Binary,
}

impl Site {
    pub async fn start(scenario: &Scenario, program: &Path) -> Result<Self, String> {
        let redis = Redis::start().await;
        for name in ["Service", "User", "Participant", "ParticipantStatic", "Device", "DeviceStatic"] {
            redis.ask::<()>(&["SET", &format!("{name}TokenAPIKey"), "0123456789abcdefghijklmnopqrstuv"]).await;
        }
        // Without the service's port: the program listens on another, and its warning of that could come into a scenario.
        let service = json!({
            "service_uuid": "cccccccc-0000-4000-8000-000000000006", "service_key": "VideoRehabService",
        });
        redis.ask::<()>(&["SET", "service.VideoRehabService", &service.to_string()]).await;
        let script = Arc::<Mutex<VecDeque<(u16, Value)>>>::default();
        let (made, calls) = mpsc::unbounded_channel();
        let answers = script.clone();
        let https = Https::start(move |asked| {
            // The replay may be over.
            let _ = made.send(asked);
            let answer = answers.lock().unwrap().pop_front();
            async move { Some(answer.unwrap_or((418, json!("nothing is recorded")))) }
        })
        .await;
        let (redis_port, api_port) = (redis.port.to_string(), https.port.to_string());
        let ca_file = https.ca_file.display().to_string();
        let mut settings = vec![
            ("VIDEREHAB_OPENTERA__REDIS__PORT", redis_port.as_str()),
            ("VIDEREHAB_OPENTERA__BACKEND__PORT", &api_port),
            ("VIDEREHAB_OPENTERA__BACKEND__CA_FILE", &ca_file),
            ("VIDEREHAB_WEBRTC__EXTERNAL_PORT", "40075"),
        ];
        settings.extend(scenario.treatment().into_iter().flat_map(|treatment| treatment.settings));
        let program = Binary::start(program, "", &settings)?;
        subscribed(&redis).await?;
        let redis_done = watched(&redis).await;
        Ok(Self { redis, script, calls, redis_done, _https: https, _program: program })
    }

    /// What the REST API answers from now on.
    pub fn answer<'a>(&self, entries: impl Iterator<Item = &'a Entry>) {
        let rest = entries.filter(|entry| entry.kind == "rest");
        *self.script.lock().unwrap() = rest.map(|entry| (entry.status, entry.response.clone())).collect();
    }

    /// Publishes what the service is to hear.
    pub async fn say(&self, entry: &Entry) {
        self.redis.publish(&entry.topic, &entry.bytes()).await;
    }
}

/// Waits until the service listens: it subscribes to who comes and goes last of all.
async fn subscribed(redis: &Redis) -> Result<(), String> {
    let waiting = async {
        loop {
            let topic = "module.TeraServer.UserManagerModule.events";
            let (_, count): (String, i64) = redis.ask(&["PUBSUB", "NUMSUB", topic]).await;
            if count > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(START, waiting).await.map_err(|_| "the program does not subscribe".to_owned())
}

/// All that is published and pushed from now on, but for what we publish ourselves.
async fn watched(redis: &Redis) -> mpsc::UnboundedReceiver<Done> {
    let client = redis::Client::open(("127.0.0.1", redis.port)).unwrap();
    let monitor = client.get_async_monitor().await.unwrap();
    let (sender, done) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut lines = monitor.into_on_message::<String>();
        while let Some(line) = lines.next().await {
            let words = words(&line);
            let [command, topic, payload] = words.as_slice() else { continue };
            let topic = String::from_utf8_lossy(topic).into_owned();
            let ours = topic.ends_with(".rpc") || topic.ends_with("UserManagerModule.events");
            let kind = match command.to_ascii_uppercase().as_slice() {
                b"PUBLISH" if !ours => "publish",
                b"RPUSH" => "rpush",
                _ => continue,
            };
            let content = decoded(&topic, payload);
            if sender.send(Done { kind, topic, content }).is_err() {
                return;
            }
        }
    });
    done
}

/// The quoted words of a line of Redis's monitor, their escapes undone.
fn words(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut bytes = line.bytes();
    while bytes.by_ref().any(|byte| byte == b'"') {
        let mut word = Vec::new();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => break,
                b'\\' => match bytes.next() {
                    Some(b'x') => {
                        let digits = [bytes.next(), bytes.next()].map(|digit| char::from(digit.unwrap_or(b'0')));
                        let digits = digits.map(|digit| digit.to_digit(16).unwrap_or(0));
                        word.push((digits[0] * 16 + digits[1]) as u8);
                    }
                    Some(b'n') => word.push(b'\n'),
                    Some(b'r') => word.push(b'\r'),
                    Some(b't') => word.push(b'\t'),
                    Some(b'a') => word.push(7),
                    Some(b'b') => word.push(8),
                    Some(other) => word.push(other),
                    None => {}
                },
                other => word.push(other),
            }
        }
        words.push(word);
    }
    words
}
