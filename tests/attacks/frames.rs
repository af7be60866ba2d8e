//! What comes over a socket once it is open.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::scene::{SOON, Scene, close_code, frame, upgraded};
use super::server::{open, packet};
use super::sockets;

/// engine.io (CVE-2022-21676): right after the upgrade, on every carrier.
#[tokio::test]
async fn frames_that_no_client_sends() {
    let mut scene = Scene::begin("").await;
    let mut cases: Vec<(String, Vec<u8>, u16)> = Vec::new();
    for bits in 1..8 {
        cases.push((format!("reserved bits {bits}"), frame(0x81 | bits << 4, b"2"), 1002));
    }
    for opcode in (3..8).chain(11..16) {
        cases.push((format!("opcode {opcode}"), frame(0x80 | opcode, b""), 1002));
    }
    cases.push(("not masked".into(), b"\x81\x01x".to_vec(), 1002));
    cases.push(("a ping of 126 bytes".into(), frame(0x89, &[0; 126]), 1002));
    // ws (CVE-2016-10542)
    for length in [1_u64 << 63, (1 << 63) - 1, u64::MAX, 1 << 32] {
        let head = [&[0x81, 0xff], &length.to_be_bytes()[..], &[0; 4]].concat();
        cases.push((format!("{length} bytes announced"), head, 1009));
    }
    for path in sockets(&scene) {
        for (name, bytes, code) in &cases {
            let mut stream = upgraded(scene.address, &path).await;
            stream.write_all(bytes).await.unwrap();
            // SockJS puts the reason into a frame of its own, and then closes as if nothing were.
            let code = if path.starts_with("/echo/000/") { 1000 } else { *code };
            assert_eq!(close_code(&mut stream).await, Some(code), "{name} at {path:.20}");
        }
        scene.bystanders.go_on().await;
    }
    scene.end(&["viderehab_disconnects_total{reason=\"violation\"}"]).await;
}

/// socket.io (CVE-2024-38355), socket.io-parser (CVE-2022-2421, CVE-2023-32695, CVE-2026-33151).
#[tokio::test]
async fn socketio_packets_that_no_client_sends() {
    let mut scene = Scene::begin("").await;
    let auth =
        r#"420["easyrtcAuth",{"msgType":"authenticate","msgData":{"apiVersion":"1.1.1-beta","applicationName":"a"}}]"#;
    let mut packets: Vec<String> =
        ["error", "close", "toString", "__proto__", "constructor", "connect", "disconnect", "newListener", ""]
            .iter()
            .flat_map(|name| [format!("42[{}]", json!(name)), format!("427[{},{{}}]", json!(name))])
            .collect();
    packets.extend(
        [
            "42",
            "42[",
            "42[]",
            "42{}",
            "42null",
            "42[null]",
            "42[1]",
            "42[[]]",
            "42[{}]",
            "42\"x\"",
            "4299999999999999999999[\"a\"]",
        ]
        .map(str::to_owned),
    );
    packets.extend(
        [
            "451-[\"easyrtcMsg\",{\"_placeholder\":true,\"num\":0}]",
            "45999999999-[\"a\"]",
            "45-1-[\"a\"]",
            "461-[]",
            "451-",
        ]
        .map(str::to_owned),
    );
    packets.extend(
        [
            "43",
            "43[]",
            "430[]",
            "43999[\"x\"]",
            "44",
            "40",
            "40/admin,",
            "41/admin,",
            "4",
            "",
            "5",
            "6",
            "7",
            "9",
            "b",
            "bAAAA",
        ]
        .map(str::to_owned),
    );
    for event in ["easyrtcAuth", "easyrtcCmd", "easyrtcMsg"] {
        for argument in [
            "null",
            "1",
            "\"x\"",
            "[]",
            "{}",
            "[[[[]]]]",
            r#"{"msgType":{}}"#,
            r#"{"msgType":["easyrtcMsg"],"msgData":null}"#,
            r#"{"msgType":"offer","msgType":{"__proto__":1},"msgData":[]}"#,
            r#"{"msgType":"__proto__","msgData":{"__proto__":{"x":1}}}"#,
            r#"{"msgType":"roomJoin","msgData":{"roomJoin":{"__proto__":{"roomName":"__proto__"}}}}"#,
            r#"{"msgType":"x","targetEasyrtcid":{"$gt":""},"targetRoom":[]}"#,
            r#"{"msgType":"setPresence","msgData":{"setPresence":{"show":{},"status":[]}}}"#,
        ] {
            packets.push(format!("421[\"{event}\",{argument}]"));
            packets.push(format!("42[\"{event}\",{argument},{argument}]"));
        }
    }
    packets.push(format!("42[\"easyrtcMsg\",{}]", "[".repeat(100_000) + &"]".repeat(100_000)));
    let path = sockets(&scene)[3].clone();
    for (number, bad) in packets.iter().enumerate() {
        for before in ["40", auth] {
            let mut peer = open(scene.address, &path).await.expect("a key");
            peer.say("40").await;
            if before == auth {
                peer.say(auth).await;
            }
            peer.say(bad.as_str()).await;
            // It answers, or is ended; it does not hang, and nobody else is in its way.
            assert!(peer.answers_or_ends("2probe", "3probe").await, "{before:.2} {bad:.100}");
        }
        if number % 20 == 0 {
            scene.bystanders.go_on().await;
        }
    }
    scene.end(&["viderehab_disconnects_total{reason=\"violation\"}"]).await;
}

/// What a flooding connection may cost of the processor while it floods for [`FLOOD`], in a debug build: a tenth of that
/// time is usual, and all of it what it costs to read whatever comes.
const FLOOD: Duration = Duration::from_millis(700);
const FLOODED: Duration = Duration::from_millis(250);

/// ws (CVE-2026-48779), and floods of all kinds.
#[tokio::test]
async fn frames_without_end() {
    let mut scene = Scene::begin("").await;
    let patterns: [(&str, Vec<u8>, Vec<u8>); 5] = [
        ("pings", vec![], frame(0x89, b"")),
        ("pongs", vec![], frame(0x8a, b"")),
        ("empty fragments", frame(0x01, b""), frame(0x00, b"")),
        ("fragments of one byte", frame(0x01, b""), frame(0x00, b"x")),
        ("messages that are none", vec![], frame(0x81, b"x")),
    ];
    for path in sockets(&scene) {
        for (name, first, then) in &patterns {
            let mut stream = upgraded(scene.address, &path).await;
            stream.write_all(first).await.unwrap();
            let many = then.repeat(60_000 / then.len());
            let (since, before) = (Instant::now(), scene.processor_time());
            let mut sent = 0;
            // It reads nothing of what comes back.
            while since.elapsed() < FLOOD && sent < 60_000_000 {
                match tokio::time::timeout(Duration::from_millis(100), stream.write(&many)).await {
                    Ok(Ok(written)) => sent += written,
                    Ok(Err(_)) => break,
                    Err(_) => {}
                }
            }
            let used = scene.processor_time() - before;
            assert!(used < FLOODED, "{name} at {path:.20}: {used:?} of the processor, {sent} bytes");
            scene.bystanders.go_on().await;
        }
    }
    scene.end(&["viderehab_limited_total{limit=\"connection_rate\"}"]).await;
}

/// ws (CVE-2026-48779): frames that are good and bad, and one that is as long as it may be, in writes of one byte.
#[tokio::test]
async fn writes_of_one_byte() {
    let mut scene = Scene::begin("[limits]\npackets_per_second = 0\nbytes_per_second = 0\n").await;
    let connect = packet("connect", "E", "main", json!(""));
    let array = json!([connect]).to_string();
    // Each with the end of its answer.
    let good = [(&*connect, r#""true"}"#), (&*connect, r#""true"}"#), (&*array, r#"\"true\"}"]"#), ("40", r#""}"#)];
    for (path, (good, answer)) in sockets(&scene).iter().zip(good) {
        for (name, bad, code) in [
            ("reserved bits", frame(0xf1, b"x"), 1002),
            ("an opcode that is none", frame(0x83, b"x"), 1002),
            ("not masked", b"\x81\x01x".to_vec(), 1002),
            ("too long", [&[0x81, 0xff], &(1_u64 << 40).to_be_bytes()[..], &[0; 4]].concat(), 1009),
        ] {
            let mut stream = upgraded(scene.address, path).await;
            one_by_one(&mut stream, &[frame(0x81, good.as_bytes()), frame(0x89, b"Hello")].concat()).await;
            hears(&mut stream, &[answer.as_bytes(), PONG]).await;
            one_by_one(&mut stream, &bad).await;
            // As above.
            let code = if path.starts_with("/echo/000/") { 1000 } else { code };
            assert_eq!(close_code(&mut stream).await, Some(code), "{name} at {path:.20}");
        }
        let mut streams = Vec::new();
        for _ in 0..20 {
            streams.push(upgraded(scene.address, path).await);
        }
        scene.drip(&mut streams, &frame(0x01, &[b'x'; 60_000])).await;
        // It is an unfinished message, and no more.
        streams[0].write_all(&frame(0x89, b"Hello")).await.unwrap();
        hears(&mut streams[0], &[PONG]).await;
        scene.bystanders.go_on().await;
    }
    scene.end(&["viderehab_disconnects_total{reason=\"violation\"}"]).await;
}

/// What `Hello` in a ping is answered by.
const PONG: &[u8] = b"\x8a\x05Hello";

/// Reads on until all of these have come.
async fn hears(stream: &mut TcpStream, parts: &[&[u8]]) {
    let mut came = Vec::new();
    let has = |came: &[u8], part: &[u8]| came.windows(part.len()).any(|bytes| bytes == part);
    while !parts.iter().all(|part| has(&came, part)) {
        let read = tokio::time::timeout(SOON, stream.read_buf(&mut came)).await;
        let so_far = String::from_utf8_lossy(&came);
        assert!(matches!(read, Ok(Ok(1..))), "{so_far}: {read:?}");
    }
}

async fn one_by_one(stream: &mut TcpStream, bytes: &[u8]) {
    stream.set_nodelay(true).unwrap();
    for byte in bytes {
        stream.write_all(&[*byte]).await.expect("it is read until it is broken");
        // So that each is a read of its own, as far as that can be had.
        tokio::task::yield_now().await;
    }
}
