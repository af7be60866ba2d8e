//! The pages of the OpenTera service, as they were requested of the original: `web_pages.json`.

#[path = "support/https.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod https;
#[path = "support/redis.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod redis_server;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use hyper::Method;
use prost::Message;
use redis_server::Redis;
use serde_json::{Value, json};
use server::Server;
use viderehab::wire::opentera::messages::{LoginEvent, TeraEvent};

const KEY: &str = "0123456789abcdefghijklmnopqrstuv";

/// That of participants' tokens that end.
const DYNAMIC_KEY: &str = "vutsrqponmlkjihgfedcba9876543210";

/// What the REST API answers, and what it was asked.
type Script = Arc<Mutex<(VecDeque<(u16, Value)>, Vec<String>)>>;

/// A token signed with the key of all kinds but one.
fn token(claims: &Value) -> String {
    signed(claims, KEY)
}

fn signed(claims: &Value, key: &str) -> String {
    use ring::hmac;
    let text = [json!({"alg": "HS256", "typ": "JWT"}), claims.clone()]
        .map(|part| base64(part.to_string().as_bytes()))
        .join(".");
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), text.as_bytes());
    format!("{text}.{}", base64(signature.as_ref()))
}

/// URL-safe, without padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letters = bytes.chunks(3).flat_map(|chunk| {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len()).map(move |at| LETTERS[(bits >> (18 - 6 * at)) as usize & 63])
    });
    letters.map(char::from).collect()
}

/// Whose token a recorded request carried: its label tells.
fn claims(label: &str) -> Value {
    let user = json!({"exp": 4_102_444_800_u64, "iss": "TeraServer", "user_uuid": "aaaaaaaa-0000-4000-8000-000000000002", "id_user": 2});
    let participant =
        json!({"iss": "TeraServer", "participant_uuid": "bbbbbbbb-0000-4000-8000-000000000001", "id_participant": 1});
    match label {
        _ if label.contains("device") => {
            json!({"iss": "TeraServer", "device_uuid": "dddddddd-0000-4000-8000-000000000001", "id_device": 1})
        }
        _ if label.contains("dynamic participant") => {
            json!({"exp": 4_102_444_800_u64, "participant_uuid": participant["participant_uuid"]})
        }
        _ if label.contains("participant") => participant,
        _ if label.contains("user") || label.contains("lobby") => user,
        _ => participant,
    }
}

async fn site() -> (Redis, https::Https, Server, Script) {
    let redis = Redis::start().await;
    // Kinds of tokens are told apart by their keys.
    for (name, key) in [
        ("Service", "s"),
        ("User", KEY),
        ("Participant", DYNAMIC_KEY),
        ("ParticipantStatic", KEY),
        ("Device", "other"),
        ("DeviceStatic", KEY),
    ] {
        redis.ask::<()>(&["SET", &format!("{name}TokenAPIKey"), key]).await;
    }
    let service = json!({"service_uuid": "cccccccc-0000-4000-8000-000000000006", "service_key": "VideoRehabService"});
    redis.ask::<()>(&["SET", "service.VideoRehabService", &service.to_string()]).await;
    let script = Script::default();
    let answers = script.clone();
    let https = https::Https::start(move |asked| {
        let mut script = answers.lock().unwrap();
        script.1.push(format!("{} {} {}", asked.method, asked.path, asked.authorization));
        let answer = script.0.pop_front();
        async move { Some(answer.unwrap_or((418, json!("nothing is recorded")))) }
    })
    .await;
    let mut config = server::config();
    let mut opentera = viderehab::config::OpenTera::default();
    opentera.redis.port = redis.port;
    opentera.backend.port = https.port;
    opentera.backend.ca_file = https.ca_file.display().to_string();
    config.opentera = Some(opentera);
    let server = server::start(config).await;
    while server.get("/readyz").await.status != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    redis.ask::<()>(&["DEL", "log.warning", "log.error", "log.info"]).await;
    (redis, https, server, script)
}

/// What a page is told, in the recording's words.
fn values(page: &str) -> Value {
    let config = page.split_once(r#"<script id="config" type="application/json">"#).map(|(_, rest)| rest);
    let Some(config) = config.and_then(|rest| rest.split("</script>").next()) else { return json!({}) };
    let config: Value = serde_json::from_str(config).expect("the values are JSON");
    let text = |name: &str| config[name].as_str().unwrap_or_default().to_owned();
    json!({
        "backend_hostname": text("backendHostname"), "backend_port": text("backendPort"),
        "participant_name": text("participantName"), "participant_uuid": text("participantUuid"),
        "error_text_shown": text("error"), "message": text("message").replace('<', "&lt;").replace('>', "&gt;"),
        "message_type": text("messageType"),
        "init_dashboard_args": format!("'{}', {}", text("backendHostname"), text("backendPort")),
    })
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn pages_are_as_recorded() {
    let (redis, _https, server, script) = site().await;
    let recorded: Value = serde_json::from_str(include_str!("vectors/opentera/web_pages.json")).unwrap();
    let requests = recorded["requests"].as_array().unwrap();
    assert!(requests.len() > 25);
    for request in requests {
        let label = request["label"].as_str().unwrap();
        let caused = request["redis_and_rest"].as_array().unwrap();
        let rest: Vec<&Value> = caused.iter().filter(|entry| entry["kind"] == "rest").collect();
        script.lock().unwrap().0 =
            rest.iter().map(|entry| (entry["status"].as_u64().unwrap() as u16, entry["response"].clone())).collect();
        let token = signed(&claims(label), if label.contains("dynamic participant") { DYNAMIC_KEY } else { KEY });
        let (mut path, mut headers) = (request["path"].as_str().unwrap().to_owned(), Vec::new());
        headers.extend([
            ("x-externalport", "40075".to_owned()),
            ("x_externalserver", "127.0.0.1".to_owned()),
            ("x-script-name", "/rehab".to_owned()),
        ]);
        headers.push(("user-agent", "python-requests/2.34.1".to_owned()));
        match request["token"].as_str() {
            Some("param") => path += &format!("{}token={token}", if path.contains('?') { '&' } else { '?' }),
            Some("header") => headers.push(("authorization", format!("OpenTera {token}"))),
            Some("cookie") => headers.push(("cookie", format!("OpenTera={token}"))),
            _ => {}
        }
        for (name, value) in [("scheme other", format!("Bearer {token}")), ("of one word", "OpenTera".to_owned())] {
            if label.contains(name) {
                headers.push(("authorization", value));
            }
        }
        let method: Method = request["method"].as_str().unwrap().parse().unwrap();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = server::send(server.address, method, &path, &headers, String::new()).await;
        // Not compared: a failure of the original's.
        if label != "POST to index" {
            assert_eq!(answer.status.as_u16(), request["status"].as_u64().unwrap() as u16, "{label}");
        }
        assert_eq!(answer.headers["content-type"], request["content_type"].as_str().unwrap(), "{label}");
        for (name, value) in request["cors"].as_object().unwrap() {
            assert_eq!(answer.headers[name.to_lowercase()], value.as_str().unwrap(), "{label}");
        }
        if request["body"] == "Forbidden" {
            assert_eq!(answer.text(), "Forbidden", "{label}");
        }
        let shown = values(&answer.text());
        for (name, value) in request["values_in_page"].as_object().unwrap() {
            assert_eq!(&shown[name], value, "{label}: {name}");
        }
        let asked = std::mem::take(&mut script.lock().unwrap().1);
        let wanted: Vec<String> = rest
            .iter()
            .map(|entry| {
                format!("{} {} OpenTera {token}", entry["method"].as_str().unwrap(), entry["path"].as_str().unwrap())
            })
            .collect();
        assert_eq!(asked, wanted, "{label}");
        let logged = caused.iter().filter(|entry| entry["kind"] == "rpush");
        for entry in logged {
            let written = login_event(&redis).await;
            let recorded = &entry["decoded"]["events"][0];
            let header = written.log_header.clone().unwrap();
            assert_eq!((header.level, header.sender.as_str()), (2, recorded["log_header"]["sender"].as_str().unwrap()));
            assert_eq!((written.login_type, written.login_status), (1, 6));
            let said = json!([
                written.client_name,
                written.client_version,
                written.client_ip,
                written.os_name,
                written.service_uuid,
                written.server_endpoint
            ]);
            let names = ["client_name", "client_version", "client_ip", "os_name", "service_uuid", "server_endpoint"];
            assert_eq!(said, json!(names.map(|name| recorded[name].clone())), "{label}");
        }
        assert_eq!(redis.ask::<i64>(&["LLEN", "log.error"]).await, 0, "{label}: nothing more is logged");
    }
    server.app.stop().await;
}

/// The next entry of the log of errors.
async fn login_event(redis: &Redis) -> LoginEvent {
    for _ in 0..500 {
        if let Some(entry) = redis.ask::<Option<Vec<u8>>>(&["LPOP", "log.error"]).await {
            return TeraEvent::decode(entry.as_slice()).unwrap().events[0].unwrap_as().expect("a LoginEvent");
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("nothing is in log.error");
}

/// A token that was logged out, one that has ended, one signed by nobody we know: all refused. And
/// with the prefix that the proxy takes away the pages are the same.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn only_good_tokens_open_pages() {
    let (redis, _https, server, _script) = site().await;
    let user = |exp: u64| token(&json!({"exp": exp, "user_uuid": "aaaaaaaa-0000-4000-8000-000000000002"}));
    let status =
        async |path: &str, token: &str| server.get(&format!("{path}?error=e&token={token}")).await.status.as_u16();
    let good = user(4_102_444_800);
    assert_eq!((status("/user_error", &good).await, status("/rehab/user_error", &good).await), (200, 200));
    assert_eq!(status("/user_error", &user(1_600_000_000)).await, 403);
    assert_eq!(status("/user_error", &format!("{good}x")).await, 403);
    assert_eq!(status("/user_error", "a.b.c").await, 403);
    redis.ask::<()>(&["SADD", "user_disabled_tokens", &good]).await;
    assert_eq!(status("/user_error", &good).await, 403);
    // The server has new keys: tokens of the old ones are worth nothing, at once.
    redis.ask::<()>(&["SET", "UserTokenAPIKey", "new"]).await;
    assert_eq!(status("/user_error", &user(4_102_444_801)).await, 403);
    server.app.stop().await;
}

/// What a visitor writes into the address does not become part of the page.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn texts_from_the_address_are_no_markup() {
    let (_redis, _https, server, _script) = site().await;
    let page = server.get("/participant_error?error=%3C/script%3E%3Cscript%3Ealert(1)%3C/script%3E").await.text();
    assert!(!page.contains("<script>alert") && page.contains("\\u003cscript>alert"), "{page}");
    server.app.stop().await;
}
