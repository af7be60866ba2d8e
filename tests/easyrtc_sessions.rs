//! What EasyRTC never had, guarded sockets, and what an OpenTera site has, pages of its own.

#[path = "support/easyrtc_clients.rs"]
mod easyrtc_clients;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use easyrtc_clients::{AUTH, connect, enter, path, text};
use futures_util::{SinkExt, StreamExt};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use server::{Peer, SOON, Server, Started, config, open, send, start};
use tokio_tungstenite::tungstenite::{Error, Message};

/// How soon whoever is put out is out.
const AT_ONCE: Duration = Duration::from_millis(100);

/// What comes until the server closes.
async fn rest(peer: &mut Peer) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(text) = text(peer).await {
        all.push(text);
    }
    all
}

/// A client of Engine.IO 3 by polling, whose poll is answered when something comes; its path.
async fn poll(session: &Started, key: &str) -> String {
    let address = session.address();
    let first = path(session, &format!("EIO=3&transport=polling&key={key}"));
    let greeting = send(address, Method::GET, &first, &[], String::new()).await.text();
    let sid = greeting.split('"').nth(3).expect("a sid").to_owned();
    let path = format!("{first}&sid={sid}");
    assert_eq!(send(address, Method::GET, &path, &[], String::new()).await.text(), "2:40");
    path
}

async fn status(opened: Result<Peer, Error>) -> u16 {
    match opened {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
        Ok(_) => 101,
    }
}

#[tokio::test]
async fn without_a_key_nothing_is_seen() {
    let server = start(config()).await;
    let (session, other) = (server.session().await, server.session().await);
    let (mut ann, _) = enter(&session, &session.key("ann")).await;
    for query in ["EIO=3&transport=websocket", "EIO=3&transport=polling", "EIO=4&transport=websocket&key=wrong"] {
        let path = path(&session, query);
        if query.contains("polling") {
            let answer = send(session.address(), Method::GET, &path, &[], String::new()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{query}");
        } else {
            assert_eq!(status(open(session.address(), &path).await).await, 401, "{query}");
        }
    }
    let theirs = json!({"key": other.key("ann")}).to_string();
    for payload in ["", "{}", r#"{"key":""}"#, r#"{"key":["a"]}"#, &theirs] {
        let (mut peer, answer) = connect(&session, payload).await;
        assert!(answer.starts_with("44{"), "{payload}: {answer}");
        // It is no member, whatever it says.
        let _ = peer.socket.send(Message::text(format!("420{AUTH}"))).await;
        assert_eq!(rest(&mut peer).await, [""; 0], "{payload}");
    }
    ann.hears_nothing().await;
    server.app.stop().await;
}

#[tokio::test]
async fn a_key_comes_by_query_cookie_or_payload() {
    let server = start(config()).await;
    let session = server.session().await;
    let (mut ann, _) = enter(&session, &session.key("ann")).await;
    let (_paid, answer) = connect(&session, &json!({"key": session.key("bob")}).to_string()).await;
    assert!(answer.starts_with("40{"), "{answer}");
    let cookie = format!("viderehab_{}={}", session.address().port(), session.key("bob"));
    let polling = path(&session, "EIO=3&transport=polling");
    let answer = send(session.address(), Method::GET, &polling, &[("cookie", &cookie)], String::new()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let (_bob, id) = enter(&session, &session.role_key("participants")).await;
    assert!(text(&mut ann).await.unwrap().contains(&id), "whoever comes is announced");
    // What an earlier session on this port has left does not keep out who has a key in the payload.
    let stale = format!("viderehab_{}=stale", session.address().port());
    let polling = path(&session, "EIO=4&transport=polling");
    let answer = send(session.address(), Method::GET, &polling, &[("cookie", &stale)], String::new()).await;
    assert_eq!(answer.status, StatusCode::OK);
    server.app.stop().await;
}

#[tokio::test]
async fn a_removed_client_is_out_at_once_and_stays_away() {
    let server = start(config()).await;
    let session = server
        .started(json!({"action": "start", "id_session": 0, "session_users": ["ann"], "session_participants": ["bob", "cid"]}))
        .await;
    let (mut ann, _) = enter(&session, &session.key("ann")).await;
    let (mut bob, id) = enter(&session, &session.key("bob")).await;
    assert!(text(&mut ann).await.unwrap().contains(&id));
    let (address, parked) = (session.address(), poll(&session, &session.key("cid")).await);
    let polled = tokio::spawn(async move { send(address, Method::GET, &parked, &[], String::new()).await });
    // The poll is to wait already; if it comes later, it hears the same.
    tokio::time::sleep(AT_ONCE).await;
    let since = Instant::now();
    let removal = json!({"action": "remove", "id_session": session.id(), "session_participants": ["bob", "cid"]});
    server.manage(removal).await;
    assert_eq!(rest(&mut bob).await, ["41"]);
    let left: Value = loop {
        let told = text(&mut ann).await.unwrap();
        if told.contains("clientListDelta\":{\"removeClient") {
            break serde_json::from_str(told.strip_prefix("42").unwrap()).unwrap();
        }
        assert!(told.contains("updateClient"), "a newcomer is announced more than once, and nothing else: {told}");
    };
    let delta = &left[1]["msgData"]["roomData"]["default"]["clientListDelta"];
    assert_eq!(delta["removeClient"], json!({&id: {"easyrtcid": id}}), "{left}");
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    assert_eq!(polled.await.unwrap().text(), "2:41");
    let again = path(&session, &format!("EIO=3&transport=websocket&key={}", session.key("bob")));
    assert_eq!(status(open(session.address(), &again).await).await, 401);
    let (_, answer) = connect(&session, &json!({"key": session.key("bob")}).to_string()).await;
    assert!(answer.starts_with("44{"), "{answer}");
    ann.hears_nothing().await;
    server.app.stop().await;
}

#[tokio::test]
async fn a_stop_says_goodbye_and_a_restart_does_not() {
    let server = start(config()).await;
    let (stopped, kept) = (server.session().await, server.session().await);
    let (mut ann, _) = enter(&stopped, &stopped.key("ann")).await;
    let (mut bob, _) = enter(&kept, &kept.key("bob")).await;
    let since = Instant::now();
    server.manage(json!({"action": "stop", "id_session": stopped.id()})).await;
    assert_eq!(rest(&mut ann).await, ["41"]);
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    bob.hears_nothing().await;
    server.app.stop().await;
    assert_eq!(rest(&mut bob).await, [""; 0], "Socket.IO's clients come back by themselves");
}

/// A configuration under which little may wait for a client.
fn tight() -> viderehab::config::Config {
    let mut config = config();
    config.limits.easyrtc_bytes = 4096;
    config.limits.log_bytes = 8192;
    config.limits.packets_per_second = 0;
    config
}

/// What a client hears until somebody is gone, and what after that.
async fn until_removed(peer: &mut Peer, id: &str) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        all.push(text(peer).await.expect("it is not ended itself"));
        if all.last().unwrap().contains(&format!("\"removeClient\":{{\"{id}\"")) {
            break;
        }
    }
    while let Ok(Some(Ok(Message::Text(more)))) =
        tokio::time::timeout(Duration::from_millis(200), peer.socket.next()).await
    {
        all.push(more.to_string());
    }
    all
}

#[tokio::test]
async fn who_does_not_fetch_is_ended_and_the_others_are_told_last_that_it_is_gone() {
    let server = start(tight()).await;
    let session = server.session().await;
    let (mut ann, _) = enter(&session, &session.key("ann")).await;
    let polls = enter_by_polling(&session, 4, &session.key("bob")).await;
    let news = text(&mut ann).await.unwrap();
    let id = news.split("\"updateClient\":{\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    // Each token waits to be fetched, and tells the others of the client once more.
    for number in 1..100 {
        let packet = format!("42{number}{AUTH}");
        if send(session.address(), Method::POST, &polls, &[], packet).await.status != StatusCode::OK {
            break;
        }
    }
    let heard = until_removed(&mut ann, &id).await;
    assert!(heard.last().unwrap().contains("removeClient"), "a ghost: {}", heard.last().unwrap());
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("reason=\"too_slow\"} 1"), "{metrics}");
    // It may come back.
    let (_bob, _) = enter(&session, &session.key("bob")).await;
    server.app.stop().await;
}

/// What waits for all of them is bounded too: whoever has let most of it pile up goes.
#[tokio::test]
async fn a_session_keeps_so_much_for_all_who_do_not_fetch() {
    let mut config = tight();
    config.limits.log_bytes = 1 << 20;
    config.limits.session_bytes = 32 << 10;
    let server = start(config).await;
    let session = server.session().await;
    let (mut ann, _) = enter(&session, &session.key("ann")).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        enter_by_polling(&session, 3, &session.key("bob")).await;
        let news = text(&mut ann).await.unwrap();
        ids.push(news.split("\"updateClient\":{\"").nth(1).unwrap().split('"').next().unwrap().to_owned());
        text(&mut ann).await.unwrap();
    }
    let mut number = 1;
    let mut tell = async |ann: &mut Peer, to: &str, times: usize| {
        for _ in 0..times {
            let message = json!({"msgType": "x", "msgData": "y".repeat(3000), "targetEasyrtcid": to});
            ann.say(format!("42{number}[\"easyrtcMsg\",{message}]")).await;
            number += 1;
        }
    };
    tell(&mut ann, &ids[0], 3).await;
    tell(&mut ann, &ids[1], 10).await;
    let heard = until_removed(&mut ann, &ids[1]).await;
    assert!(!heard.iter().any(|heard| heard.contains(&format!("removeClient\":{{\"{}", ids[0]))), "the lesser stays");
    server.app.stop().await;
}

/// What is said to a room is kept once, however many are in it: nobody who reads is ended for it.
#[tokio::test]
async fn what_is_said_to_all_counts_once() {
    let mut config = config();
    config.limits.session_bytes = 1 << 20;
    let server = start(config).await;
    let session = server.session().await;
    let mut all = Vec::new();
    for _ in 0..12 {
        all.push(enter(&session, &session.key("ann")).await.0);
    }
    let long = "y".repeat(200_000);
    let message = json!({"msgType": "x", "msgData": long, "targetRoom": "default"});
    all[0].say(format!("421[\"easyrtcMsg\",{message}]")).await;
    for peer in &mut all[1..] {
        while !text(peer).await.expect("it is not ended").contains(&long) {}
    }
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("viderehab_held_bytes 0\n"), "{metrics}");
    server.app.stop().await;
}

/// A client that polls and has its easyrtcid; the address of its polls, without what is before the path.
async fn enter_by_polling(session: &Started, version: u8, key: &str) -> String {
    let address = session.address();
    let get = |path: String| async move { send(address, Method::GET, &path, &[], String::new()).await.text() };
    let post = |path: String, packet: String| async move {
        let body = if version == 3 { format!("{}:{packet}", packet.len()) } else { packet };
        assert_eq!(send(address, Method::POST, &path, &[], body).await.text(), "ok");
    };
    let first = path(session, &format!("EIO={version}&transport=polling&key={key}"));
    let greeting = get(first.clone()).await;
    let polls = format!("{first}&sid={}", greeting.split("sid\":\"").nth(1).unwrap().split('"').next().unwrap());
    if version == 4 {
        post(polls.clone(), "40".to_owned()).await;
    }
    assert!(get(polls.clone()).await.contains("40"));
    post(polls.clone(), format!("420{AUTH}")).await;
    assert!(get(polls.clone()).await.contains("\"msgType\":\"token\""));
    polls
}

#[tokio::test]
async fn who_is_between_two_polls_hears_a_stop_all_the_same() {
    let server = start(config()).await;
    for version in [3, 4] {
        for by_front_door in [false, true] {
            let session = server.session().await;
            let (address, port) = (session.address(), session.address().port());
            let polls = enter_by_polling(&session, version, &session.key("ann")).await;
            let since = Instant::now();
            server.manage(json!({"action": "stop", "id_session": session.id()})).await;
            assert!(since.elapsed() < Duration::from_millis(500), "{:?}", since.elapsed());
            let late = path(&session, &format!("EIO={version}&transport=polling&key={}", session.key("bob")));
            let refused = send(address, Method::GET, &late, &[], String::new()).await;
            assert_eq!(refused.status, StatusCode::NOT_FOUND, "nobody gets in any more");
            let told = match by_front_door {
                true => server.get(&format!("/webrtc/{port}{polls}")).await.text(),
                false => send(address, Method::GET, &polls, &[], String::new()).await.text(),
            };
            assert!(told.contains("41"), "{version}: {told:?}");
            // Nothing is left to say: the port is free.
            let until = Instant::now() + SOON;
            while tokio::net::TcpStream::connect(address).await.is_ok() {
                assert!(Instant::now() < until);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(server.get(&format!("/webrtc/{port}{polls}")).await.status, StatusCode::NOT_FOUND);
        }
    }
    server.app.stop().await;
}

#[tokio::test]
async fn a_remove_reaches_who_is_between_two_polls_and_a_drain_sends_nobody_away() {
    let server = start(config()).await;
    for version in [3, 4] {
        let session = server.session().await;
        let ann = enter_by_polling(&session, version, &session.key("ann")).await;
        let bob = enter_by_polling(&session, version, &session.key("bob")).await;
        let news = send(session.address(), Method::GET, &ann, &[], String::new()).await.text();
        assert!(news.contains("updateClient"), "{news}");
        let removal = json!({"action": "remove", "id_session": session.id(), "session_participants": ["bob"]});
        server.manage(removal).await;
        let told = send(session.address(), Method::GET, &bob, &[], String::new()).await.text();
        assert!(told.contains("41"), "{told:?}");
        let news = send(session.address(), Method::GET, &ann, &[], String::new()).await.text();
        assert!(news.contains("removeClient"), "{news}");
    }
    let mut polls = Vec::new();
    for version in [3, 4] {
        let session = server.session().await;
        let (address, path) = (session.address(), enter_by_polling(&session, version, &session.key("ann")).await);
        polls.push(tokio::spawn(async move { send(address, Method::GET, &path, &[], String::new()).await.text() }));
    }
    tokio::time::sleep(AT_ONCE).await;
    server.app.stop().await;
    for poll in polls {
        let told = poll.await.unwrap();
        assert!(!told.contains("41"), "{told:?}");
    }
}

/// A port that is still kept for somebody who does not poll any more is not counted as taken.
#[tokio::test]
async fn a_stop_gives_its_port_back_whoever_has_gone_silent() {
    let mut config = config();
    config.webrtc.max_sessions = 1;
    let server = start(config).await;
    for _ in 0..2 {
        let session = server.session().await;
        enter_by_polling(&session, 4, &session.key("ann")).await;
        server.manage(json!({"action": "stop", "id_session": session.id()})).await;
    }
    server.session().await;
    server.app.stop().await;
}

#[tokio::test]
async fn who_shows_no_key_takes_nobodys_place() {
    let mut config = config();
    config.limits.peers = 2;
    let server = start(config).await;
    let session = server.session().await;
    let keyless = path(&session, "EIO=4&transport=polling");
    let mut refused = 0;
    for _ in 0..50 {
        let answer = send(session.address(), Method::GET, &keyless, &[], String::new()).await;
        refused += usize::from(answer.status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(refused, 50 - 32);
    assert!(server.get("/metrics").await.text().contains("limit=\"keyless\"} 18"));
    let (_ann, _) = enter(&session, &session.key("ann")).await;
    enter_by_polling(&session, 4, &session.key("bob")).await;
    server.app.stop().await;
}

/// A site's directory as its server.js finds it.
struct Site(PathBuf);

impl Site {
    fn new(name: &str) -> Self {
        let site = Self(std::env::temp_dir().join(format!("viderehab-site-{name}-{}", std::process::id())));
        site.file("protected/index_users.html", "<p>users <%= teraplus_port %></p>");
        site.file("protected/index_participants.html", "<p>participants <%=teraplus_port%></p>");
        site.file("static/denied.html", "not yours");
        site.file("static/js/app.js", "let app;");
        site.file("static/.hidden", "hidden");
        site.file("node_modules/open-easyrtc/api/easyrtc.js", "let easyrtc;");
        site.file("node_modules/open-easyrtc/package.json", "{}");
        site.file("secret.txt", "secret");
        site
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    async fn serve(&self) -> Server {
        let mut config = config();
        config.webrtc.working_directory = self.path().display().to_string();
        start(config).await
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_working_directory_is_served_as_its_server_did() {
    let site = Site::new("served");
    let server = site.serve().await;
    let session = server.session().await;
    let port = session.address().port();
    let (users, participants) = (session.role_key("users"), session.role_key("participants"));
    let devices = session.role_key("devices");
    // Behind the port stands the number of the key.
    for (path, status, body) in [
        (format!("/users?key={users}"), 200, format!("<p>users {port}/1</p>")),
        (format!("/USERS/?key={users}"), 200, format!("<p>users {port}/1</p>")),
        (format!("/participants?key={participants}"), 200, format!("<p>participants {port}/2</p>")),
        (format!("/devices?key={devices}"), 200, format!("<p>participants {port}/3</p>")),
        (format!("/users?key={participants}"), 403, "not yours".to_owned()),
        ("/users".to_owned(), 403, "not yours".to_owned()),
        ("/js/app.js".to_owned(), 200, "let app;".to_owned()),
        ("/easyrtc/easyrtc.js".to_owned(), 200, "let easyrtc;".to_owned()),
        ("/denied.html".to_owned(), 200, "not yours".to_owned()),
    ] {
        let answer = send(session.address(), Method::GET, &path, &[], String::new()).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (status, body.clone()), "{path}");
        // The front door leads to the same, also where it hands on a prefix.
        let answer = server.get(&format!("/webrtc/{port}{path}")).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (status, body), "{path}");
    }
    let answer = send(session.address(), Method::GET, &format!("/status?key={users}"), &[], String::new()).await;
    assert_eq!(answer.json()["status"], "OK");
    let answer = send(session.address(), Method::GET, &format!("/users?key={users}"), &[], String::new()).await;
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    for path in ["1/", ""] {
        let ours = format!("viderehab_{port}={users}; Path=/websocket/{port}/{path}; HttpOnly; SameSite=Strict");
        assert!(cookies.contains(&&*ours), "{cookies:?}");
    }
    server.app.stop().await;
}

#[tokio::test]
async fn no_path_leads_out_of_a_working_directory() {
    let site = Site::new("paths");
    let server = site.serve().await;
    let session = server.session().await;
    let up = ["..", "%2e%2e", "%2E.", "..%2f", "..%5c", "..\\", "%252e%252e", "..%00", "js/../..", "easyrtc/.."];
    let targets =
        ["secret.txt", "protected/index_users.html", "node_modules/open-easyrtc/package.json", "package.json"];
    let mut paths: Vec<String> = up.iter().flat_map(|up| targets.map(|target| format!("/{up}/{target}"))).collect();
    paths.extend(
        ["/.hidden", "/protected/index_users.html", "/static/js/app.js", "//etc/passwd", "/js", "/js/", "/nothing"]
            .map(str::to_owned),
    );
    paths.push(format!("/{}", site.path().join("secret.txt").display()));
    for path in &paths {
        // A client library would tidy the path up: it goes out as it stands.
        let answer = raw(session.address(), path).await;
        assert!(answer.starts_with("HTTP/1.1 404 ") || answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
    }
    server.app.stop().await;
}

/// The answer to a path that is sent byte for byte.
async fn raw(address: std::net::SocketAddr, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.expect("an answer in time").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
