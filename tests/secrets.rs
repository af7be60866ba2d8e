//! Keys and tokens are in nothing that the program puts out, except where it gives them to those they are for: not
//! in a log at its most talkative, a metric, an error, a header, an argument list, or another server's list.

#[path = "support/binary.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod binary;
#[path = "secrets/clients.rs"]
mod clients;
#[path = "secrets/endings.rs"]
mod endings;
#[path = "support/remote.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod remote;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;
#[path = "support/tera.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod tera;
#[path = "secrets/told.rs"]
mod told;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use binary::Binary;
use clients::{WORDS, all_carriers, get};
use hyper::Method;
use remote::Remote;
use serde_json::{Value, json};
use server::{Started, send};
use tera::{Fault, Redis, Rest, user};
use told::Told;
use viderehab::control::opentera::token;

const PROGRAM: &str = env!("CARGO_BIN_EXE_viderehab");
const TURN_SECRET: &str = "the secret of the relay 8142";
const TURN: &str = "[webrtc.turn]\nurls = [\"turn:127.0.0.1:1\"]\nsecret = \"the secret of the relay 8142\"\n";

/// A directory of data that goes with the test.
struct Data(PathBuf);

impl Data {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("viderehab-secrets-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn start(&self, sections: &str) -> Binary {
        let settings = [("VIDEREHAB_SERVER__DATA_DIR", self.0.to_str().unwrap()), ("RUST_LOG", "trace")];
        Binary::start(Path::new(PROGRAM), sections, &settings).unwrap()
    }

    /// Runs a command of the program with the server's configuration; all that it prints.
    fn command(&self, binary: &Binary, arguments: &[&str]) -> String {
        let mut command = Command::new(PROGRAM);
        command.env("VIDEREHAB_SERVER__DATA_DIR", &self.0).env("RUST_LOG", "trace");
        command.env("VIDEREHAB_SERVER__LISTEN", binary.url.split_once("://").unwrap().1);
        let output = command.arg("--config").arg(binary.files().0).args(arguments).output().unwrap();
        format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// All keys of a session are secrets.
fn keys(told: &mut Told, session: &Started) {
    told.secret("the session's key", session.session_key());
    for page in ["users", "participants", "devices"] {
        told.secret(&format!("the key of {page}"), session.role_key(page));
    }
    for invitee in session.reply["session"]["session_invitees"].as_array().unwrap() {
        told.secret("a personal key", session.key(invitee["uuid"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn a_server_of_its_own_tells_nobody() {
    let data = Data::new("own");
    let mut binary = data.start(TURN);
    let mut told = Told::default();
    told.secret("what peers say", WORDS);
    told.secret("the relay's secret", TURN_SECRET);
    told.secret("the admin token", &binary.token);
    for file in ["admin_token", "viderehab.redb"] {
        let mode = fs::metadata(data.0.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let remote = Remote::of(&binary);
    let session = remote.session().await;
    keys(&mut told, &session);
    let port = session.address().port();
    for key in [session.key("ann"), session.role_key("participants")] {
        all_carriers(&mut told, &session, session.address(), "", &key).await;
        all_carriers(&mut told, &session, remote.address, &format!("/websocket/{port}"), &key).await;
        for page in ["users", "participants", "status", "nothing"] {
            let path = format!("/webrtc/{port}/{page}?key={key}");
            told.answer(&path.replace(&key, "…"), &get(remote.address, &path, &[]).await);
        }
    }
    commands(&mut told, &remote, &session).await;
    put_out(&mut told, &remote, &session).await;
    dashboard(&mut told, &remote, &binary.token).await;
    for path in ["/metrics", "/healthz", "/readyz", "/healthz/address", "/assets/videre.js"] {
        told.text(path, get(remote.address, path, &[]).await.text());
    }
    told.process(&binary);
    for arguments in [&["check"][..], &["doctor"], &["session", "list"], &["session", "stop", "99"]] {
        let said = data.command(&binary, arguments);
        assert!(said.len() > 10, "{arguments:?}");
        told.text(&arguments.join(" "), said);
    }
    // Another token in the file: what has changed is named, and no more.
    let (config, log) = binary.files();
    let changed =
        fs::read_to_string(&config).unwrap().replace("[server]", "[server]\nadmin_token = \"a token of next week\"");
    told.secret("the next admin token", "a token of next week");
    let before = fs::read_to_string(&config).unwrap();
    fs::write(&config, changed).unwrap();
    binary.signal("HUP");
    until(&log, "server.admin_token").await;
    fs::write(&config, before).unwrap();
    let old = fs::read_to_string(&log).unwrap().len();
    endings::upgrade(&mut told, &data, &binary, &session).await;
    endings::drain(&mut told, &mut binary, &session).await;
    told.text("standard output", binary.output());
    let log = fs::read_to_string(log).unwrap();
    for run in [&log[..old], &log[old..]] {
        assert!(run.contains("TRACE") && run.contains("wrong key"), "the log is no trace: {run:.1000}");
    }
    told.text("the log", log);
    told.has_no_secret();
}

/// Commands that go well and badly.
async fn commands(told: &mut Told, remote: &Remote, session: &Started) {
    let invite = json!({"session_manage": {"action": "invite", "id_session": session.id(), "session_users": ["eve"]}});
    let invited = remote.call(&invite).await;
    keys(told, &Started { reply: invited.json() });
    for call in [
        json!({"session_manage": {"action": "start", "id_session": session.session_key()}}),
        json!({"session_manage": {"action": session.key("ann")}}),
        json!({"session_key": session.session_key()}),
    ] {
        told.text("a command's answer", only_errors(remote.call(&call).await.json()));
    }
    let broken = format!("{{\"session_manage\": {}", session.session_key());
    let token = told.secret("a token that is wrong", "not the token of anybody");
    for authorization in [format!("Bearer {token}"), format!("Basic {token}"), token] {
        let headers = [("authorization", authorization.as_str())];
        let answer = send(remote.address, Method::POST, "/rpc/session_manage", &headers, broken.clone()).await;
        assert_eq!(told.answer("a command without the token", &answer), 401);
    }
    let list = remote.list().await;
    assert!(list.text().contains("\"sessions\""));
    told.text("the list of sessions", list.text());
}

/// A reply is for whoever commands; what an error quotes came from there.
fn only_errors(reply: Value) -> String {
    match reply["status"].as_str() {
        Some("error") | None => String::new(),
        Some(_) => reply["status"].to_string(),
    }
}

/// Keys that are taken, and keys that never were.
async fn put_out(told: &mut Told, remote: &Remote, session: &Started) {
    let bob = session.key("bob");
    let remove =
        json!({"session_manage": {"action": "remove", "id_session": session.id(), "session_participants": ["bob"]}});
    assert_eq!(remote.call(&remove).await.status, 200);
    let wrong = told.secret("a key that never was", format!("{}x", session.key("ann")));
    let front = format!("/websocket/{}", session.address().port());
    for key in [bob, wrong] {
        for (address, prefix) in [(session.address(), ""), (remote.address, front.as_str())] {
            for path in ["/ws?", "/echo/000/abcdefgh/xhr_streaming?", "/?EIO=3&transport=polling&"] {
                let path = format!("{prefix}{path}key={key}");
                let headers = [("referer", path.as_str()), ("cookie", &*format!("viderehab_key={key}; key={key}"))];
                let status = told.answer("a wrong key", &get(address, &path, &headers).await);
                assert!(status.is_client_error(), "{status}");
            }
        }
        told.answer(
            "a page",
            &get(remote.address, &format!("/webrtc/{}/users?key={key}", session.address().port()), &[]).await,
        );
    }
}

async fn dashboard(told: &mut Told, remote: &Remote, token: &str) {
    for token in [token, &told.secret("a token that is wrong", "nobody's token at all")] {
        for path in ["/dashboard/", "/dashboard", "/api/sessions", "/metrics"] {
            let path = format!("{path}?token={token}").replace(' ', "%20");
            told.answer("the dashboard", &get(remote.address, &path, &[("x-forwarded-for", "192.0.2.1")]).await);
        }
    }
}

/// Asks for OpenTera's pages by a token; how many were shown.
async fn visitors(told: &mut Told, remote: &Remote, token: &str) -> usize {
    let token = told.secret("a visitor's token", token);
    let mut shown = 0;
    for page in ["user_session_lobby", "participant", "user_error"] {
        let path = format!("/rehab/{page}?token={token}&session_uuid=x");
        let headers = [("authorization", &*format!("OpenTera {token}"))];
        for (path, headers) in [(path.as_str(), &[][..]), (path.split('?').next().unwrap(), &headers)] {
            let status = told.answer("a page of OpenTera", &get(remote.address, path, headers).await);
            shown += usize::from(status.is_success());
        }
    }
    shown
}

/// A participant's token that does not end. [`token::of_service`] has prepared the library.
fn participants_token(key: &str) -> String {
    let claims = json!({"participant_uuid": "bbbbbbbb-0000-4000-8000-000000000001", "estimated_expiration": 0});
    let (header, key) = (jsonwebtoken::Header::default(), jsonwebtoken::EncodingKey::from_secret(key.as_bytes()));
    jsonwebtoken::encode(&header, &claims, &key).unwrap()
}

async fn until(log: &Path, what: &str) {
    for _ in 0..500 {
        if fs::read_to_string(log).unwrap().contains(what) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the log does not say {what:?}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn the_service_of_an_opentera_server_tells_nobody() {
    let data = Data::new("opentera");
    let (redis, rest) = (Redis::start().await, Rest::start().await);
    let mut told = Told::default();
    let key = told.secret("the server's key", "the first key of the server 1234");
    let password = told.secret("the password of Redis", "the password of our Redis");
    redis.server_starts(&key).await;
    redis.ask::<()>(&["ACL", "SETUSER", "rehab", "on", &format!(">{password}"), "~*", "&*", "+@all"]).await;
    let sections = format!(
        "{TURN}[opentera.redis]\nport = {}\nusername = \"rehab\"\npassword = \"{password}\"\n\
         [opentera.backend]\nport = {}\nca_file = \"{}\"\n",
        redis.port,
        rest.port,
        rest.ca_file.display()
    );
    let binary = data.start(&sections);
    told.secret("the admin token", &binary.token);
    let remote = Remote::of(&binary);
    until(&binary.files().1, "connected to OpenTera").await;
    let start = json!({
        "action": "start", "id_session": 0, "id_service": 6, "id_session_type": 1, "id_creator_user": 2,
        "session_users": [user(2)], "session_participants": ["bbbbbbbb-0000-4000-8000-000000000001"],
    });
    let session = Started { reply: redis.manage(start.clone()).await };
    keys(&mut told, &session);
    all_carriers(&mut told, &session, session.address(), "", &session.key(&user(2))).await;
    // The server fails, and does not know our token any longer.
    let tokens: Vec<_> = rest.tokens();
    assert!(!tokens.is_empty());
    tokens.into_iter().for_each(|token| drop(told.secret("the service's token", token)));
    for fault in [Fault::Status(500), Fault::Dies] {
        rest.fault("POST /api/service/sessions", fault);
        redis.manage(start.clone()).await;
    }
    rest.require("a key that nobody has told us");
    redis.manage(start).await;
    // A visitor's token opens a page, and others are refused.
    redis.ask::<()>(&["SET", "ParticipantStaticTokenAPIKey", &key]).await;
    let opened = visitors(&mut told, &remote, &token::of_service(key.as_bytes(), &user(2), 1)).await;
    assert_eq!(opened, 0, "a service is no visitor");
    assert!(visitors(&mut told, &remote, &participants_token(&key)).await > 0);
    for level in ["log.error", "log.warning", "log.info"] {
        let lines: Vec<Vec<u8>> = redis.ask(&["LRANGE", level, "0", "-1"]).await;
        lines.iter().for_each(|line| told.text(level, String::from_utf8_lossy(line)));
    }
    told.text("doctor", data.command(&binary, &["doctor"]));
    told.text("check", data.command(&binary, &["check"]));
    told.process(&binary);
    binary.signal("TERM");
    until(&binary.files().1, "stopping").await;
    told.text("standard output", binary.output());
    told.text("the log", fs::read_to_string(binary.files().1).unwrap());
    told.has_no_secret();
}

/// The search itself finds a secret in each of the forms that programs write bytes in.
#[test]
fn a_secret_is_found_in_any_form() {
    let secret = "Abc123xyzAbc123xyz";
    let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02X}")).collect();
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, secret);
    for text in
        [format!("key={secret}"), format!("{:?}", secret.as_bytes()), hexadecimal, base64, secret.to_uppercase()]
    {
        let mut told = Told::default();
        told.secret("it", secret);
        told.text("here", format!("nothing\n{text}\nnothing"));
        assert_eq!(told.found().len(), 1, "{text}");
    }
}
