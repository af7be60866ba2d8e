//! Bad input ends at most the connection that sent it, with a reason, while a bystander in another
//! session goes on talking.

#[path = "support/bystanders.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod bystanders;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bystanders::Bystanders;
use futures_util::SinkExt;
use hyper::Method;
use serde_json::json;
use server::{SOON, Server, Started, config, eventually, open, packet, send, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

async fn with_bystanders(settings: viderehab::config::Config) -> (Server, Bystanders, Started) {
    let server = start(settings).await;
    let bystanders = Bystanders::meet(&server.session().await).await;
    let session = server.session().await;
    (server, bystanders, session)
}

/// Bytes on a fresh connection; what comes back until the server closes or falls silent.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_millis(300), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// An upgraded connection as plain bytes.
async fn upgraded(session: &Started, key: &str) -> TcpStream {
    let mut stream = TcpStream::connect(session.address()).await.unwrap();
    let request = format!(
        "GET /ws?key={key} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101") && !head.contains("extensions"), "{head}");
    stream
}

/// The close code in the bytes that the server sends until it ends the connection.
async fn close_code(stream: &mut TcpStream, name: &str) -> u16 {
    let mut bytes = Vec::new();
    tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await.expect(name).expect(name);
    assert_eq!(bytes.first(), Some(&0x88), "a close frame first of all: {bytes:?}");
    u16::from_be_bytes([bytes[2], bytes[3]])
}

#[tokio::test]
async fn no_packet_ends_a_connection() {
    let (server, mut bystanders, session) = with_bystanders(config()).await;
    let mut bob = session.open(&session.key("bob")).await;
    let mut ann = session.open(&session.key("ann")).await;
    bob.join("U2", "main").await;
    ann.join("U1", "main").await;
    assert_eq!(bob.heard().await, "connect U1 false");
    let deep = format!(
        r#"{{"Header":{{"Event":"broadcast","UserId":"U1","RoomId":{}}}}}"#,
        "[".repeat(400) + &"]".repeat(400)
    );
    let huge_name = packet("connect", &"x".repeat(100_000), "main", json!(""));
    for bad in [
        "",
        "{",
        "null",
        "12",
        "\"x\"",
        "[]",
        "{}",
        "{\"Header\":null}",
        "{\"Header\":[]}",
        "{\"Header\":{}}",
        r#"{"Header":{"Event":null}}"#,
        r#"{"Header":{"Event":"__proto__"}}"#,
        r#"{"Header":{"Event":"connect","RoomId":{}}}"#,
        r#"{"Header":{"Event":"broadcast","UserId":"U2","RoomId":"main"},"Payload":1}"#,
        "[[[[[[[[",
        "\u{0}",
        "💥",
        &deep,
        &huge_name,
    ] {
        ann.say(bad).await;
        assert_eq!(ann.hear().await["Header"]["Event"], "error", "{bad:.60}");
    }
    for bytes in [&b"\xff\xfe"[..], b"", b"\0\0\0"] {
        ann.socket.send(Message::binary(bytes.to_vec())).await.unwrap();
        assert_eq!(ann.hear().await["Header"]["Event"], "error");
    }
    bob.hears_nothing().await;
    let deep_payload = "[".repeat(100_000) + &"]".repeat(100_000);
    ann.say(format!(r#"{{"Header":{{"Event":"broadcast","UserId":"U1","RoomId":"main"}},"Payload":{deep_payload}}}"#))
        .await;
    let next =
        tokio::time::timeout(SOON, futures_util::StreamExt::next(&mut bob.socket)).await.unwrap().unwrap().unwrap();
    assert!(next.len() > 200_000, "any JSON is a payload");
    bystanders.go_on().await;
    server.app.stop().await;
}

#[tokio::test]
async fn every_text_is_an_ordinary_room() {
    let mut settings = config();
    settings.limits.packets_per_second = 0;
    let (server, mut bystanders, session) = with_bystanders(settings).await;
    let mut ann = session.open(&session.key("ann")).await;
    let mut bob = session.open(&session.key("bob")).await;
    for room in [
        "__proto__",
        "constructor",
        "toString",
        "",
        "/",
        "..",
        "%00",
        "\u{202e}gnp",
        "e\u{301}",
        "\u{e9}",
        "a b",
        &"r".repeat(1000),
    ] {
        ann.join("U1", room).await;
        bob.join("U2", room).await;
        assert_eq!(ann.heard().await, "connect U2 false", "{room:.20}");
        bob.say(packet("disconnect", "U2", room, json!(""))).await;
        assert_eq!(ann.heard().await, "disconnect U2 ");
    }
    bystanders.go_on().await;
    server.app.stop().await;
}

#[tokio::test]
async fn frames_that_break_the_protocol_end_their_connection_alone() {
    let (server, mut bystanders, session) = with_bystanders(config()).await;
    let key = session.key("ann");
    let cases: &[(&str, &[u8], u16)] = &[
        ("2^63-1 bytes announced", &[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], 1009),
        ("2^63 bytes announced", &[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1009),
        ("a megabyte announced", &[0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0], 1009),
        ("a reserved bit", &[0xc1, 0x80, 0, 0, 0, 0], 1002),
        ("an unknown opcode", &[0x83, 0x80, 0, 0, 0, 0], 1002),
        ("not masked", &[0x81, 0x01, b'x'], 1002),
        ("a continuation of nothing", &[0x80, 0x80, 0, 0, 0, 0], 1002),
        ("a ping of 126 bytes", &[0x89, 0xfe, 0, 126, 0, 0, 0, 0], 1002),
        ("a fragmented ping", &[0x09, 0x80, 0, 0, 0, 0], 1002),
        ("text that is not UTF-8", &[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
    ];
    for (name, bytes, code) in cases {
        let mut stream = upgraded(&session, &key).await;
        stream.write_all(bytes).await.unwrap();
        // The rest of whatever was announced, up to a point.
        let _ = stream.write_all(&[0; 200]).await;
        assert_eq!(close_code(&mut stream, name).await, *code, "{name}");
        bystanders.go_on().await;
    }
    // Half a frame, and then nothing: it may stay, and costs nobody anything.
    let mut half = upgraded(&session, &key).await;
    half.write_all(&[0x81, 0xfe, 0x10]).await.unwrap();
    let mut fragments = upgraded(&session, &key).await;
    for _ in 0..2000 {
        fragments.write_all(&[0x01, 0x80, 0, 0, 0, 0]).await.unwrap_or(());
    }
    bystanders.go_on().await;
    server.app.stop().await;
}

#[tokio::test]
async fn requests_that_make_no_sense_are_answered_or_dropped() {
    let mut settings = config();
    settings.limits.handshake_secs = 1;
    let (server, mut bystanders, session) = with_bystanders(settings).await;
    for address in [server.address, session.address()] {
        assert!(raw(address, b"\x16\x03\x01\x02\x00\x01").await.starts_with("HTTP/1.1 400"), "TLS to a plain port");
        assert!(raw(address, b"GET / HTTP/9.9\r\n\r\n").await.starts_with("HTTP/1.1 400"));
        let many = "X: y\r\n".repeat(2000);
        assert!(raw(address, format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes()).await.contains(" 431 "));
        let long = "y".repeat(65_536);
        assert!(
            raw(address, format!("GET / HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n").as_bytes()).await.contains(" 431 ")
        );
        for target in [
            "/..%2f..",
            "//",
            "/%00",
            "/webrtc/",
            "/webrtc/x/y",
            "/websocket/99999/",
            "/echo/../ws",
            "/assets/../config.toml",
            "/assets/%2e%2e/Cargo.toml",
            "/rehab/assets/call.html",
        ] {
            let answer = send(address, Method::GET, target, &[], String::new()).await;
            assert_eq!(answer.status, 404, "{target}: {}", answer.text());
        }
    }
    // Headers that never end are given up after handshake_secs.
    let mut slow = TcpStream::connect(session.address()).await.unwrap();
    slow.write_all(b"GET /users HTTP/1.1\r\nHost:").await.unwrap();
    let since = Instant::now();
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(SOON, slow.read_to_end(&mut rest)).await.expect("the server closes it");
    assert!(since.elapsed() < Duration::from_secs(3));
    bystanders.go_on().await;
    server.app.stop().await;
}

/// A connection that is kept for a next request and closed for its silence is no broken one.
#[tokio::test]
async fn who_asks_no_more_has_broken_nothing() {
    let mut settings = config();
    settings.limits.handshake_secs = 1;
    let server = start(settings).await;
    let broken = async || server.metric("viderehab_broken_connections_total").await;
    let ends = async |sent: &[u8]| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.expect("the server closes it");
        answer
    };
    assert!(ends(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.starts_with(b"HTTP/1.1 200"));
    assert!(ends(b"GET /heal").await.is_empty());
    // The second is counted when its connection is let go of, which may be a little later.
    eventually("it is counted", async || broken().await > 0).await;
    assert_eq!(broken().await, 1);
    server.app.stop().await;
}

#[tokio::test]
async fn a_peer_that_stops_reading_is_closed_and_costs_the_others_nothing() {
    let mut settings = config();
    settings.limits.packets_per_second = 0;
    settings.limits.bytes_per_second = 0;
    let server = start(settings).await;
    let session = server.started(json!({"action": "start", "id_session": 0, "session_users": ["ann"], "session_participants": ["bob", "eve"]})).await;
    let mut eve = session.open(&session.key("eve")).await;
    eve.join("E", "main").await;
    // From here on nobody reads eve's socket.
    let mut ann = session.open(&session.key("ann")).await;
    let mut bob = session.open(&session.key("bob")).await;
    ann.join("A", "main").await;
    bob.join("B", "main").await;
    assert_eq!(ann.heard().await, "connect B false");
    let payload = "x".repeat(60_000);
    let mut gone = false;
    for _ in 0..400 {
        ann.say(packet("broadcast", "A", "main", json!(payload))).await;
        let heard = bob.heard().await;
        if heard == "disconnect E " {
            gone = true;
            break;
        }
        assert_eq!(heard.len(), "broadcast A ".len() + payload.len());
    }
    assert!(gone, "24 MB that eve did not read");
    assert_eq!(eve.closed().await, 4004, "told why, now that it reads");
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains(r#"viderehab_disconnects_total{reason="too_slow"} 1"#), "{metrics}");
    server.app.stop().await;
}

#[tokio::test]
async fn half_a_body_and_a_cut_poll_leave_nothing_behind() {
    let (server, mut bystanders, session) = with_bystanders(config()).await;
    let key = session.key("bob");
    let address = session.address();
    for number in 0..50 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("POST /echo/0/cut{number}/xhr?key={key} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 512];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(String::from_utf8_lossy(&answer[..read]).contains("200 OK"));
        stream.write_all(head.as_bytes()).await.unwrap();
        drop(stream);
    }
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(
        format!("POST /echo/0/cut0/xhr_send?key={key} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[\"x")
            .as_bytes(),
    )
    .await
    .unwrap();
    let bearer = format!("Bearer {}", server::TOKEN);
    let patience = Instant::now() + Duration::from_secs(8);
    loop {
        let list = send(
            server.address,
            Method::GET,
            &format!("/api/sessions/{}", session.id()),
            &[("authorization", &bearer)],
            String::new(),
        )
        .await;
        if list.json()["peers"] == json!([]) {
            break;
        }
        assert!(Instant::now() < patience, "{}", list.text());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bystanders.go_on().await;
    server.app.stop().await;
}

#[tokio::test]
async fn an_unknown_upgrade_on_any_route_upgrades_nothing() {
    let (server, mut bystanders, session) = with_bystanders(config()).await;
    let headers = [("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-version", "13")];
    for path in ["/", "/users", "/status", "/echo", "/echo/info", "/echo/0/0/xhr", "/assets/style.css"] {
        for method in [Method::GET, Method::POST, Method::PUT] {
            let answer = send(session.address(), method.clone(), path, &headers, String::new()).await;
            assert_ne!(answer.status, 101, "{method} {path}");
        }
    }
    // No key, a short one, another version.
    let address = format!("/ws?key={}", session.key("ann"));
    for (key, version, status) in [("", "13", 400), ("short", "13", 400), ("dGhlIHNhbXBsZSBub25jZQ==", "8", 426)] {
        let headers = [
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-key", key),
            ("sec-websocket-version", version),
        ];
        assert_eq!(send(session.address(), Method::GET, &address, &headers, String::new()).await.status, status);
    }
    assert!(open(session.address(), &address).await.is_ok());
    bystanders.go_on().await;
    server.app.stop().await;
}
