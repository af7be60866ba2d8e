//! Clients that bring a key by every carrier there is, do what goes well and what goes wrong, and are told off.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::server::{Peer, SOON, Started, open, packet, send};
use super::told::Told;

/// What is said between peers is theirs.
pub const WORDS: &str = "words-between-a-patient-and-a-clinician";

/// Everything with one key, at one address (`front`: the server's own, whose paths name the session).
pub async fn all_carriers(told: &mut Told, session: &Started, address: SocketAddr, prefix: &str, key: &str) {
    let at = format!("{address}{prefix}");
    sockets(told, session, address, prefix, key).await;
    sockjs(told, address, prefix, key).await;
    socketio(told, address, prefix, key).await;
    for (path, headers) in [
        (format!("/ws?key={key}"), vec![("origin", "https://foreign.example")]),
        (format!("/ws?key={key}"), vec![]),
        (format!("/nothing/{key}?key={key}"), vec![]),
        (format!("/ws?key={key}"), vec![("upgrade", "h2c"), ("connection", "upgrade")]),
    ] {
        told.answer(&format!("{at}: {headers:?}"), &get(address, &format!("{prefix}{path}"), &headers).await);
    }
    // What is no HTTP, with a key in it.
    for request in [
        format!("GET {prefix}/ws?key={key} HTTP/1.1\r\nHost: {address}\r\nBad Header {key}\r\n\r\n"),
        format!("GET {prefix}/ws?key={key}\u{1} HTTP/9.9\r\n\r\n"),
        format!(
            "GET {prefix}/ws?key={key} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\nSec-WebSocket-Key: x\r\n\r\n"
        ),
    ] {
        told.text(&format!("{at}: what is no HTTP"), raw(address, request.as_bytes()).await);
    }
}

/// WebSockets: packets that are good and bad, a lost connection, a return to the seat.
async fn sockets(told: &mut Told, session: &Started, address: SocketAddr, prefix: &str, key: &str) {
    let path = format!("{prefix}/ws?key={key}");
    let mut peer = open(address, &path).await.unwrap();
    let token = resume(&mut peer, json!({})).await;
    let token = told.secret("a resume token", token);
    peer.join("U", "main").await;
    peer.say(packet("broadcast", "U", "main", json!(WORDS))).await;
    peer.say(packet("broadcast", "Other", "main", json!({"Key": key, "Words": WORDS}))).await;
    peer.say(packet("ping", "U", &session.session_key(), json!("{}"))).await;
    for text in [format!("{{\"Header\": {WORDS} {key}"), format!("[\"{token}\"]"), format!("\"{WORDS}")] {
        peer.say(text).await;
    }
    peer.socket.send(Message::binary(format!("{WORDS}{key}").into_bytes())).await.unwrap();
    // Lost without a goodbye; and back, once with what is no token.
    drop(peer);
    let mut peer = open(address, &path).await.unwrap();
    resume(&mut peer, json!({"token": token, "received": 1})).await;
    let mut second = open(address, &path).await.unwrap();
    told.secret("a resume token", resume(&mut second, json!({"token": format!("{token}x"), "received": 1})).await);
    second.say("x".repeat(300_000)).await;
    closes(told, second).await;
    // An unmasked frame.
    let mut third = open(address, &path).await.unwrap();
    let frame = [&[0x81, WORDS.len() as u8], WORDS.as_bytes()].concat();
    third.socket.get_mut().write_all(&frame).await.unwrap();
    closes(told, third).await;
    peer.socket.close(None).await.unwrap();
}

/// The token that a `resume` is answered by.
pub async fn resume(peer: &mut Peer, payload: Value) -> String {
    peer.say(json!({"Header": {"Event": "resume"}, "Payload": payload}).to_string()).await;
    loop {
        let answer = peer.hear().await;
        if answer["Header"]["Event"] == "resume" {
            return answer["Payload"]["token"].as_str().unwrap().to_owned();
        }
    }
}

pub async fn closes(told: &mut Told, mut peer: Peer) {
    let end = async {
        while let Some(Ok(message)) = peer.socket.next().await {
            if let Message::Close(Some(frame)) = message {
                told.text("a close frame", frame.reason.to_string());
            }
        }
    };
    tokio::time::timeout(SOON, end).await.expect("the server closes");
}

async fn sockjs(told: &mut Told, address: SocketAddr, prefix: &str, key: &str) {
    let name = told.secret("a SockJS session", format!("sockjs-{:016x}", rand::random::<u64>()));
    let path = |end: &str| format!("{prefix}/echo/000/{name}/{end}key={key}");
    assert_eq!(post(address, &path("xhr?"), "").await.text(), "o\n");
    let connect = json!([packet("connect", "J", "main", json!("{}"))]).to_string();
    assert_eq!(post(address, &path("xhr_send?"), &connect).await.status, 204);
    for body in [
        format!("[\"{WORDS}"),
        format!("{{\"{key}\":1}}"),
        json!([packet("broadcast", "J", "main", json!(WORDS))]).to_string(),
    ] {
        told.answer("xhr_send", &post(address, &path("xhr_send?"), &body).await);
    }
    told.answer("xhr", &post(address, &path("xhr?"), "").await);
    told.answer("jsonp", &get(address, &path("jsonp?c=%3Cscript%3E&"), &[]).await);
    told.answer("jsonp_send", &post(address, &path("jsonp_send?"), &format!("d={WORDS}")).await);
    // Streams are read for a moment and cut off.
    for stream in ["xhr_streaming", "eventsource", "htmlfile"] {
        let method = if stream == "xhr_streaming" { "POST" } else { "GET" };
        let target = format!("{prefix}/echo/000/{name}-{stream}/{stream}?c=callback&key={key}");
        let request = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n");
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        assert!(connection.read(&mut [0; 4096]).await.unwrap() > 0);
    }
    let mut socket = open(address, &path("websocket?")).await.unwrap();
    socket.say(format!("[\"{WORDS}")).await;
    closes(told, socket).await;
}

/// EasyRTC's, over both transports; Engine.IO 4 brings the key in its CONNECT.
async fn socketio(told: &mut Told, address: SocketAddr, prefix: &str, key: &str) {
    // The session's own port knows this path by the port alone.
    let base = if prefix.is_empty() { format!("/websocket/{}", address.port()) } else { prefix.to_owned() };
    let greeting = get(address, &format!("{base}/?EIO=3&transport=polling&key={key}"), &[]).await.text();
    let sid = told.secret("an Engine.IO sid", greeting.split('"').nth(3).expect("a sid"));
    let poll = format!("{base}/?EIO=3&transport=polling&key={key}&sid={sid}");
    for body in [format!("9:42[\"{WORDS}\""), format!("{WORDS}{key}"), "1:9".to_owned()] {
        told.answer("polling", &post(address, &poll, &body).await);
    }
    told.answer("polling", &get(address, &poll, &[]).await);
    told.answer("polling", &get(address, &format!("{poll}x&j=1"), &[]).await);
    let mut socket = open(address, &format!("{base}/?EIO=4&transport=websocket")).await.unwrap();
    let greeting = socket.socket.next().await.unwrap().unwrap().into_text().unwrap();
    told.secret("an Engine.IO sid", greeting.split('"').nth(3).expect("a sid"));
    socket.say(format!("40{}", json!({"key": key}))).await;
    let auth = json!({"msgType": "authenticate", "msgData": {"apiVersion": "1", "applicationName": "OpenTera", "credential": {"secret": WORDS}}});
    socket.say(format!("420[\"easyrtcAuth\",{auth}]")).await;
    let ice = json!({"msgType": "getIceConfig"});
    socket.say(format!("421[\"easyrtcCmd\",{ice}]")).await;
    let until = tokio::time::Instant::now() + SOON;
    loop {
        let text = tokio::time::timeout_at(until, socket.socket.next()).await.expect("an answer").unwrap().unwrap();
        let Ok(text) = text.into_text() else { continue };
        for credential in text.split("\"credential\":\"").skip(1) {
            told.secret("a TURN credential", credential.split('"').next().unwrap());
        }
        if text.starts_with("431") {
            break;
        }
    }
    let message = json!({"msgType": "words", "targetRoom": "default", "msgData": WORDS});
    socket.say(format!("422[\"easyrtcMsg\",{message}]")).await;
    socket.say(format!("42[\"{WORDS}")).await;
    let mut wrong = open(address, &format!("{base}/?EIO=4&transport=websocket")).await.unwrap();
    wrong.say(format!("40{}", json!({"key": format!("{key}x"), "words": WORDS}))).await;
    while let Ok(Some(Ok(message))) = tokio::time::timeout(Duration::from_millis(300), wrong.socket.next()).await {
        let text = message.into_text().unwrap_or_default();
        if !text.starts_with('0') {
            told.text("a refusal by Socket.IO", text.as_str());
        }
    }
}

pub async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> super::server::Answer {
    send(address, Method::GET, path, headers, String::new()).await
}

async fn post(address: SocketAddr, path: &str, body: &str) -> super::server::Answer {
    send(address, Method::POST, path, &[("content-type", "text/plain")], body.to_owned()).await
}

/// What bytes are answered, until the server closes or has nothing more to say; nothing if it does not listen any more.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let Ok(mut connection) = TcpStream::connect(address).await else { return String::new() };
    let _ = connection.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_millis(300), connection.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}
