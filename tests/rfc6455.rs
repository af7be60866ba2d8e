//! What RFC 6455 asks of a server, on both addresses that are plain WebSockets and through the front door: framing, control frames,
//! reserved bits, opcodes, fragments, UTF-8, close codes, and the handshake.

#[path = "rfc6455/cases.rs"]
mod cases;
#[path = "rfc6455/raw.rs"]
mod raw;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;
#[path = "rfc6455/utf8.rs"]
mod utf8;

use cases::{Case, End, cases};
use raw::{CLOSE, Came, FIN, PING, PONG, Raw, TEXT, closing, frame};
use serde_json::{Value, json};
use server::{Peer, Server, Started, config, open, packet, start};

/// The addresses of plain WebSockets.
const PATHS: [&str; 2] = ["/ws", "/echo/websocket"];

async fn session() -> (Server, Started) {
    let mut settings = config();
    settings.limits.message_bytes = 300_000;
    settings.limits.packets_per_second = 0;
    settings.limits.bytes_per_second = 0;
    let server = start(settings).await;
    let session = server.session().await;
    (server, session)
}

/// Runs a case with a client that sends `at_once` bytes at a time, in a room that `listener` is in.
async fn run(case: &Case, mut client: Raw, listener: &mut Peer, at_once: usize) {
    let Case { name, sends, heard, errors, pongs, end } = case;
    client.send(&frame(FIN | TEXT, packet("connect", "A", "main", json!("{}"))), usize::MAX).await;
    assert!(matches!(client.next().await, Came::Frame { opcode: TEXT, .. }), "{name}: its own connect");
    assert_eq!(listener.heard().await, "connect A false", "{name}");
    client.send(sends, at_once).await;
    for _ in 0..*errors {
        let Came::Frame { opcode: TEXT, payload } = client.next().await else { panic!("{name}: an error packet") };
        let packet: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(packet["Header"]["Event"], "error", "{name}");
    }
    for payload in pongs {
        assert_eq!(client.next().await, Came::Frame { opcode: PONG, payload: payload.clone() }, "{name}");
    }
    if let End::GoesOn = end {
        client.send(&frame(FIN | PING, "alive"), usize::MAX).await;
        assert_eq!(client.next().await, Came::Frame { opcode: PONG, payload: b"alive".to_vec() }, "{name}");
        client.send(&frame(FIN | CLOSE, closing(1000, "done")), usize::MAX).await;
    }
    let Came::Frame { opcode: CLOSE, payload } = client.next().await else { panic!("{name}: a close") };
    match end {
        End::GoesOn => assert_eq!(payload, closing(1000, "done"), "{name}"),
        End::Answered(close) => assert_eq!(payload, *close, "{name}"),
        End::Failed(code) => assert_eq!(payload[..2], code.to_be_bytes(), "{name}"),
    }
    assert_eq!(client.next().await, Came::End, "{name}: nothing after the close");
    for payload in heard {
        let came = listener.heard().await;
        assert!(came == format!("broadcast A {payload}"), "{name}: {came:.200}");
    }
    assert_eq!(listener.heard().await, "disconnect A ", "{name}");
}

/// All cases on one of the session's addresses.
async fn all(path: &str, at_once: usize) {
    let (server, session) = session().await;
    all_at(session.address(), path, at_once, &session).await;
    server.app.stop().await;
}

async fn all_at(address: std::net::SocketAddr, path: &str, at_once: usize, session: &Started) {
    let (speaker, listener) = (session.key("ann"), session.key("bob"));
    let mut listener = session.open(&listener).await;
    listener.join("B", "main").await;
    for case in cases().iter().filter(|case| case.sends.len() < 2000 * at_once) {
        let client = Raw::open(address, &format!("{path}?key={speaker}")).await;
        run(case, client, &mut listener, at_once).await;
    }
}

#[tokio::test]
async fn frames_in_one_piece() {
    all(PATHS[0], usize::MAX / 2000).await;
}

#[tokio::test]
async fn frames_in_one_piece_on_the_address_of_sockjs() {
    all(PATHS[1], usize::MAX / 2000).await;
}

#[tokio::test]
async fn frames_in_one_piece_through_the_front_door() {
    let (server, session) = session().await;
    let path = format!("/webrtc/{}/ws", session.address().port());
    all_at(server.address, &path, usize::MAX / 2000, &session).await;
    server.app.stop().await;
}

#[tokio::test]
async fn frames_byte_by_byte() {
    all(PATHS[0], 1).await;
}

#[tokio::test]
async fn frames_in_pieces_that_fit_nothing() {
    all(PATHS[1], 997).await;
}

#[tokio::test]
async fn there_are_as_many_cases_as_there_were() {
    let all = cases();
    assert!(all.len() > 850, "{}", all.len());
    let mut names: Vec<_> = all.iter().map(|case| &case.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len(), "each is named once");
}

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn the_handshake_is_answered_as_the_rfc_has_it() {
    let (server, session) = session().await;
    let key = session.key("ann");
    for path in PATHS {
        let path = format!("{path}?key={key}");
        let ask = async |headers: String| Raw::ask(session.address(), &path, &headers).await.1;
        let head = ask(format!("{UPGRADE}Sec-WebSocket-Version: 13\r\n")).await;
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        // The key of the RFC's own example (1.3).
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{head}");
        let odd = UPGRADE.replace("websocket", "WebSocket").replace(": Upgrade", ": keep-alive, Upgrade");
        let head = ask(format!("{odd}Sec-WebSocket-Version: 13\r\n")).await;
        assert!(head.starts_with("http/1.1 101 "), "letters and lists as browsers have them: {head}");
        // Compression and subprotocols are offered by some, and never accepted.
        for offer in [
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
            "Sec-WebSocket-Extensions: x; y=\"a, b\"\r\n",
            "Sec-WebSocket-Protocol: mqtt, soap\r\n",
        ] {
            let head = ask(format!("{UPGRADE}Sec-WebSocket-Version: 13\r\n{offer}")).await;
            assert!(head.starts_with("http/1.1 101 "), "{head}");
            assert!(!head.contains("extensions") && !head.contains("sec-websocket-protocol"), "{head}");
        }
        let spoiled = [
            UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", "short") + "Sec-WebSocket-Version: 13\r\n",
            UPGRADE.replace("Sec-WebSocket-Key", "X") + "Sec-WebSocket-Version: 13\r\n",
            UPGRADE.replace("Connection: Upgrade", "Connection: close") + "Sec-WebSocket-Version: 13\r\n",
            UPGRADE.replace("Upgrade: websocket", "Upgrade: h2c") + "Sec-WebSocket-Version: 13\r\n",
            UPGRADE.to_owned(),
        ];
        for headers in spoiled {
            let head = ask(headers.clone()).await;
            assert!(head.starts_with("http/1.1 400 "), "{headers}\n{head}");
        }
    }
    server.app.stop().await;
}

#[tokio::test]
async fn other_versions_are_told_which_one_there_is() {
    let (server, session) = session().await;
    let path = format!("/ws?key={}", session.key("ann"));
    for version in ["0", "8", "14", "99", "abc", "12, 14"] {
        let headers = format!("{UPGRADE}Sec-WebSocket-Version: {version}\r\n");
        let (_, head) = Raw::ask(session.address(), &path, &headers).await;
        assert!(head.starts_with("http/1.1 426 "), "{version}: {head}");
        assert!(head.contains("sec-websocket-version: 13\r\n"), "{version}: {head}");
    }
    assert!(open(session.address(), &path).await.is_ok());
    server.app.stop().await;
}
