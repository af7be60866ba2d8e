//! Packets that are none, rooms of odd names, and people who do not read or have no key.

use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::easyrtc_clients::enter;
use super::scene::{Scene, close_code, frame, upgraded};
use super::server::{open, packet, send};
use super::sockets;

/// A packet of null, of an empty object, of a prototype's name (signal-server of peerjs and others).
#[tokio::test]
async fn packets_that_are_none() {
    let mut scene = Scene::begin("[limits]\npackets_per_second = 0\n").await;
    let mut ann = scene.session.open(&scene.key).await;
    ann.join("A", "main").await;
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for bad in [
        "",
        "null",
        "0",
        "\"\"",
        "[]",
        "{}",
        "{",
        "\u{0}",
        r#"{"Header":null}"#,
        r#"{"Header":{"Event":null}}"#,
        r#"{"Header":{"Event":"__proto__"}}"#,
        r#"{"__proto__":{"Event":"broadcast"},"constructor":{"prototype":{"Header":{}}}}"#,
        r#"{"Header":{"Event":"broadcast","UserId":{"__proto__":1},"RoomId":"main"}}"#,
        r#"{"Header":{"Event":"connect","UserId":"A","RoomId":{"$gt":""}}}"#,
        r#"{"Header":{"Event":"broadcast","UserId":"A","RoomId":"main"},"Payload":1,"Header":{"Event":"broadcast","UserId":"B"}}"#,
        &deep,
    ] {
        for _ in 0..20 {
            ann.say(bad).await;
            assert_eq!(ann.hear().await["Header"]["Event"], "error", "{bad:.60}");
        }
        scene.bystanders.go_on().await;
    }
    for room in ["__proto__", "constructor", "hasOwnProperty", "toString"] {
        ann.join("__proto__", room).await;
        ann.say(packet("ping", "__proto__", room, json!(""))).await;
        assert_eq!(ann.hear().await["Payload"], "[\"__proto__\"]");
    }
    scene.end(&["viderehab_packets_total{verdict=\"refused\"}"]).await;
}

/// A peer that stops reading, while its room speaks on: it is ended, and nothing is kept for it. By a WebSocket of either
/// kind, by a stream of SockJS, and by EasyRTC's socket.
#[tokio::test]
async fn a_peer_that_stops_reading() {
    let mut scene = Scene::begin("[limits]\npackets_per_second = 0\nbytes_per_second = 0\n").await;
    let mut deaf = Vec::new();
    for path in sockets(&scene).iter().take(2) {
        let mut stream = upgraded(scene.address, path).await;
        stream.write_all(&frame(0x81, packet("connect", "E", "main", json!("")).as_bytes())).await.unwrap();
        deaf.push(stream);
    }
    let mut stream = TcpStream::connect(scene.address).await.unwrap();
    let path = |end: &str| format!("/echo/000/deaf/{end}?key={}", scene.key);
    let opening = format!("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", path("xhr_streaming"));
    stream.write_all(opening.as_bytes()).await.unwrap();
    // It is open: what follows would not be taken before.
    stream.readable().await.unwrap();
    let connect = json!([packet("connect", "F", "main", json!(""))]).to_string();
    assert_eq!(send(scene.address, Method::POST, &path("xhr_send"), &[], connect).await.status, 204);
    deaf.push(stream);
    let (socket, _) = enter(&scene.session, &scene.key).await;
    let (mut speaker, _) = enter(&scene.session, &scene.key).await;
    let mut ann = scene.session.open(&scene.key).await;
    ann.join("A", "main").await;
    let payload = "x".repeat(60_000);
    let letter = json!({"msgType": "x", "targetRoom": "default", "msgData": payload});
    let since = Instant::now();
    while scene.remote.metric("viderehab_disconnects_total{reason=\"too_slow\"}").await < 4 {
        for _ in 0..20 {
            ann.say(packet("broadcast", "A", "main", json!(payload))).await;
            speaker.say(format!("421[\"easyrtcMsg\",{letter}]")).await;
        }
        scene.bystanders.go_on().await;
        assert!(since.elapsed() < Duration::from_secs(30), "they are ended");
    }
    drop((deaf, socket));
    scene.end(&["viderehab_disconnects_total{reason=\"too_slow\"}"]).await;
}

/// Rooms are joined, listed and spoken in by nobody without a key, or the session's name.
#[tokio::test]
async fn whoever_has_no_key() {
    let mut scene = Scene::begin("").await;
    let mut ann = scene.session.open(&scene.key).await;
    ann.join("A", "main").await;
    for event in ["connect", "ping", "broadcast", "disconnect", "resume", "ack"] {
        for room in ["main", "", "__proto__", "undefined"] {
            let mut nobody = open(scene.address, "/echo/websocket").await.expect("it may still name the session");
            nobody.say(packet(event, "A", room, json!("{}"))).await;
            assert_eq!(nobody.closed().await, 4003, "{event} in {room:?}");
        }
        scene.bystanders.go_on().await;
    }
    for path in sockets(&scene) {
        let keyless = path.split("key=").next().unwrap().trim_end_matches(['?', '&']).to_owned();
        if keyless.starts_with("/ws") {
            assert!(open(scene.address, &keyless).await.is_err(), "{keyless}");
        }
    }
    ann.hears_nothing().await;
    scene.end(&["viderehab_disconnects_total{reason=\"not_admitted\"}"]).await;
}

/// Compression is offered by whoever wants a little to become much, and never accepted (ws, CVE-2024-37890 and others).
#[tokio::test]
async fn compression_is_offered() {
    let mut scene = Scene::begin("").await;
    for path in sockets(&scene) {
        let mut stream = TcpStream::connect(scene.address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_no_context_takeover\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 101") && !head.contains("extensions"), "{path:.20}: {head}");
        // What would become a megabyte of zeros.
        stream.write_all(&frame(0xc1, &[0x78, 0x9c, 0xed, 0xc1, 0x01])).await.unwrap();
        // SockJS and Engine.IO have closes of their own.
        let code = close_code(&mut stream).await;
        assert!(matches!(code, Some(1002 | 1000) | None), "{path:.20}: {code:?}");
        scene.bystanders.go_on().await;
    }
    scene.end(&["viderehab_disconnects_total{reason=\"violation\"}"]).await;
}
