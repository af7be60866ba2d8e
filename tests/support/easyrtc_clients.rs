//! EasyRTC clients of a session, by a WebSocket.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::server::{Peer, Started, open};

/// How long anything that must happen may take.
const SOON: Duration = Duration::from_secs(5);

/// What a client asks to be let in by, without the packet's number.
pub const AUTH: &str =
    r#"["easyrtcAuth",{"msgType":"authenticate","msgData":{"apiVersion":"1","applicationName":"OpenTera"}}]"#;

/// The path of a session's Socket.IO.
pub fn path(session: &Started, query: &str) -> String {
    format!("/websocket/{}/?{query}", session.address().port())
}

/// The next text, `None` when the server has closed.
pub async fn text(peer: &mut Peer) -> Option<String> {
    loop {
        match tokio::time::timeout(SOON, peer.socket.next()).await.expect("something in time") {
            Some(Ok(Message::Text(text))) => return Some(text.to_string()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

/// A client of Engine.IO 3 that has its easyrtcid.
pub async fn enter(session: &Started, key: &str) -> (Peer, String) {
    let path = path(session, &format!("EIO=3&transport=websocket&key={key}"));
    let mut peer = open(session.address(), &path).await.expect("the key opens the socket");
    assert!(text(&mut peer).await.unwrap().starts_with("0{"));
    assert_eq!(text(&mut peer).await.unwrap(), "40");
    peer.say(format!("420{AUTH}")).await;
    let token = text(&mut peer).await.unwrap();
    let token: Value = serde_json::from_str(token.strip_prefix("430").expect("the acknowledgement")).unwrap();
    (peer, token[0]["msgData"]["easyrtcid"].as_str().expect("a name").to_owned())
}

/// What a client of Engine.IO 4 is answered on its CONNECT with this payload.
pub async fn connect(session: &Started, payload: &str) -> (Peer, String) {
    let path = path(session, "EIO=4&transport=websocket");
    let mut peer = open(session.address(), &path).await.expect("Engine.IO 4 may bring its key later");
    assert!(text(&mut peer).await.unwrap().starts_with("0{"));
    peer.say(format!("40{payload}")).await;
    let answer = text(&mut peer).await.expect("an answer");
    (peer, answer)
}
