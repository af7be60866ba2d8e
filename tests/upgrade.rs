//! A new binary takes over while calls go on.

#[path = "support/binary.rs"]
#[allow(dead_code, reason = "others start it otherwise")]
mod binary;
#[path = "support/resuming.rs"]
#[allow(dead_code, reason = "others cut it off")]
mod resuming;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use binary::Binary;
use resuming::Resuming;
use serde_json::{Value, json};
use tokio::time::Instant;
use viderehab::control::upgrade::{Answer, Hello, Request, ask};

const PROGRAM: &str = env!("CARGO_BIN_EXE_viderehab");
const LIMITS: &str = "[limits]\nconnections_per_address = 0\n";
const CALLS: usize = 50;
const UPGRADES: usize = 20;
/// How often each says something.
const EVERY: Duration = Duration::from_millis(20);

/// A directory of data that goes with the test.
struct Data(PathBuf);

impl Data {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("viderehab-upgrade-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn start(&self) -> Binary {
        let data_dir = self.0.display().to_string();
        Binary::start(Path::new(PROGRAM), LIMITS, &[("VIDEREHAB_SERVER__DATA_DIR", &data_dir)]).unwrap()
    }

    /// Runs `upgrade` of a program.
    fn upgrade(&self, program: &Path) -> Output {
        let mut command = Command::new(program);
        command.arg("upgrade").env("VIDEREHAB_SERVER__DATA_DIR", &self.0).stdin(Stdio::null());
        command.output().unwrap()
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One RPC by hand.
async fn manage(server: &Binary, arguments: Value) -> Value {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (host, token) = (server.url.trim_start_matches("http://"), &server.token);
    let body = json!({"session_manage": arguments}).to_string();
    let request = format!(
        "POST /rpc/session_manage HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Each says numbers to the other until it is over, and hears the other's in order, each once.
async fn talk(mut client: Resuming, over: Arc<AtomicBool>) -> (Resuming, u64) {
    let (mut said, mut heard, mut other_is_done, mut is_done) = (0_u64, 0_u64, false, false);
    let mut next = Instant::now();
    while !(is_done && other_is_done) {
        if !is_done && Instant::now() >= next {
            is_done = over.load(Ordering::Relaxed);
            let payload = if is_done { json!("done") } else { json!(said) };
            client.say(&payload).await;
            said += 1;
            next = Instant::now() + EVERY;
        }
        let Some(packet) = client.hear_until(next).await else {
            next = next.max(Instant::now()) + if is_done { EVERY } else { Duration::ZERO };
            continue;
        };
        assert_eq!(packet["Header"]["Event"], "broadcast", "nobody sees anybody come or go: {packet}");
        match packet["Payload"].as_u64() {
            Some(number) => assert_eq!(number, heard, "lost, doubled or out of order"),
            None => other_is_done = true,
        }
        heard += 1;
    }
    client.settle().await;
    assert_eq!(client.anew, 0);
    (client, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_upgrades_during_fifty_calls_lose_nothing() {
    let data = Data::new("calls");
    let server = data.start();
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CALLS {
        let start =
            json!({"action": "start", "id_session": 0, "session_users": ["ann"], "session_participants": ["bob"]});
        let reply = manage(&server, start).await;
        let mut pair = Vec::new();
        for invitee in reply["session"]["session_invitees"].as_array().unwrap() {
            let url = invitee["url"].as_str().unwrap();
            let (port, key) = (url.split("/webrtc/").nth(1).unwrap(), url.split("key=").nth(1).unwrap());
            let port: u16 = port.split('/').next().unwrap().parse().unwrap();
            // One by the session's own port, the other by the front door.
            let manager = server.url.trim_start_matches("http://").parse().unwrap();
            let address = if pair.is_empty() { ([127, 0, 0, 1], port).into() } else { manager };
            let path = format!("/websocket/{port}/ws?key={key}");
            pair.push(Resuming::join(address, path, &format!("U{}", pair.len())).await);
        }
        // The first sees the second come.
        pair[0].hear().await;
        pair.into_iter().for_each(|client| drop(clients.spawn(talk(client, over.clone()))));
    }
    let process = ask::<Hello>(&data.0.display().to_string(), &Request::Hello).await.unwrap().process;
    for _ in 0..UPGRADES {
        let output = tokio::task::block_in_place(|| data.upgrade(Path::new(PROGRAM)));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(
            String::from_utf8_lossy(&output.stdout).ends_with(&format!("as process {process}\n")),
            "the same process"
        );
        // The calls go on for a moment between two.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    over.store(true, Ordering::Relaxed);
    let results = clients.join_all().await;
    assert_eq!(results.len(), 2 * CALLS);
    let counts: Vec<_> = results.iter().map(|(client, heard)| (client.resumed, *heard)).collect();
    // A client that was still on its way back may have missed a run of the server altogether.
    assert!(counts.iter().all(|(resumed, heard)| *resumed >= UPGRADES as u64 / 2 && *heard > 20), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_that_does_not_run_changes_nothing() {
    let data = Data::new("refused");
    let server = data.start();
    let data_dir = data.0.display().to_string();
    for (binary, problem) in [("/nonexistent", "No such file"), ("/bin/false", "exit status: 1")] {
        let answer: Answer = ask(&data_dir, &Request::Upgrade(binary.into())).await.unwrap();
        let refusal = answer.unwrap_err();
        assert!(refusal.contains(binary) && refusal.contains(problem), "{refusal}");
    }
    let list = manage(&server, json!({"action": "stop", "id_session": 7})).await;
    assert_eq!(list["error_text"], "No matching session to stop", "it serves as before");
}

/// One that takes the configuration and is gone when it is to take over: the old one goes on, with all seats.
#[tokio::test(flavor = "multi_thread")]
async fn a_binary_that_fails_late_costs_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let data = Data::new("late");
    let server = data.start();
    let reply = manage(&server, json!({"action": "start", "id_session": 0, "session_users": ["ann"]})).await;
    let url = reply["session"]["session_invitees"][0]["url"].as_str().unwrap();
    let key = url.split("key=").nth(1).unwrap();
    let port = url.split("/webrtc/").nth(1).unwrap().split('/').next().unwrap();
    let manager = server.url.trim_start_matches("http://").parse().unwrap();
    let mut ann = Resuming::join(manager, format!("/websocket/{port}/ws?key={key}"), "A").await;
    let program = data.0.join("late");
    std::fs::write(&program, "#!/bin/sh\nrm \"$0\"\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let data_dir = data.0.display().to_string();
    ask::<Answer>(&data_dir, &Request::Upgrade(program)).await.unwrap().expect("it is tried");
    let until = Instant::now() + Duration::from_secs(20);
    let hello = loop {
        assert!(Instant::now() < until, "it does not come back");
        match ask::<Hello>(&data_dir, &Request::Hello).await {
            Ok(hello) if hello.upgrades > 0 => break hello,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    assert!(hello.failure.as_ref().is_some_and(|failure| failure.contains("No such file")), "{hello:?}");
    ann.say(&json!(1)).await;
    ann.settle().await;
    assert_eq!((ann.resumed, ann.anew), (1, 0));
}

#[tokio::test]
async fn a_hang_up_names_what_it_cannot_take() {
    let data = Data::new("hup");
    let server = data.start();
    let (file, log) = server.files();
    let until = std::time::Instant::now() + Duration::from_secs(10);
    for (text, said) in [
        ("\n[sessions]\ncreator_grace_secs = 7\n", "keys=\"sessions.creator_grace_secs\""),
        ("\n[sessions]\ncolour = 7\n", "the configuration cannot be used"),
    ] {
        let before = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{before}{text}")).unwrap();
        server.signal("HUP");
        while !std::fs::read_to_string(&log).unwrap().contains(said) {
            assert!(std::time::Instant::now() < until, "{}", std::fs::read_to_string(&log).unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::fs::write(&file, before).unwrap();
    }
    let reply = manage(&server, json!({"action": "stop", "id_session": 7})).await;
    assert_eq!(reply["error_text"], "No matching session to stop", "it serves as before");
}

#[tokio::test]
async fn an_upgrade_without_a_server_says_so() {
    let data = Data::new("nobody");
    let output = data.upgrade(Path::new(PROGRAM));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no server with server.data_dir"), "{said}");
}
