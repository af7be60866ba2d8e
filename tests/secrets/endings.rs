//! The ends of a run: an upgrade, after which the new process puts out as much as the old one did, and a drain.

use std::time::Duration;

use serde_json::json;

use super::binary::Binary;
use super::clients::{WORDS, all_carriers, closes, get, raw, resume};
use super::remote::Remote;
use super::server::{Peer, Started, open, packet};
use super::told::Told;
use super::{Data, commands, dashboard, keys, put_out, until};

/// A new binary takes over while somebody talks, who comes back to the seat; and all is done anew with it.
pub async fn upgrade(told: &mut Told, data: &Data, binary: &Binary, session: &Started) {
    let remote = Remote::of(binary);
    let path = format!("/ws?key={}", session.key("ann"));
    let (mut peer, token) = seated(told, session, &path).await;
    peer.say(packet("broadcast", "S", "main", json!(WORDS))).await;
    let said = data.command(binary, &["upgrade"]);
    assert!(said.contains("serves now, as process"), "{said}");
    told.text("upgrade", said);
    closes(told, peer).await;
    let mut peer = open(session.address(), &path).await.unwrap();
    let again = resume(&mut peer, json!({"token": token, "received": 1})).await;
    assert_eq!(again, token, "it is back on its seat");

    told.process(binary);
    let port = session.address().port();
    let later = remote.session().await;
    keys(told, &later);
    for (session, key) in [(session, session.key("ann")), (&later, later.key("bob"))] {
        let port = session.address().port();
        all_carriers(told, session, session.address(), "", &key).await;
        all_carriers(told, session, remote.address, &format!("/websocket/{port}"), &key).await;
    }
    commands(told, &remote, &later).await;
    put_out(told, &remote, &later).await;
    dashboard(told, &remote, &binary.token).await;
    told.answer(
        "the page",
        &get(remote.address, &format!("/webrtc/{port}/users?key={}", session.key("ann")), &[]).await,
    );
    for path in ["/metrics", "/readyz"] {
        told.text(path, get(remote.address, path, &[]).await.text());
    }
}

/// The server is told to end while some listen, one does not, and others come.
pub async fn drain(told: &mut Told, binary: &mut Binary, session: &Started) {
    let remote = Remote::of(binary);
    let (ann, port) = (session.key("ann"), session.address().port());
    let listener = seated(told, session, &format!("/ws?key={ann}")).await.0;
    let front = open(remote.address, &format!("/websocket/{port}/echo/websocket?key={ann}")).await.unwrap();
    // It does not answer the close, and so holds up the end for a moment.
    let (mut silent, _) = seated(told, session, &format!("/ws?key={}", session.role_key("users"))).await;
    silent.say(WORDS).await;
    binary.signal("TERM");
    until(&binary.files().1, "stopping").await;
    let wrong = told.secret("a key that never was", format!("{ann}y"));
    for (address, prefix) in [(session.address(), String::new()), (remote.address, format!("/websocket/{port}"))] {
        for key in [&ann, &wrong] {
            let request = format!("GET {prefix}/ws?key={key} HTTP/1.1\r\nHost: x\r\nReferer: {key}\r\n\r\n");
            told.text("an answer while it drains", raw(address, request.as_bytes()).await);
        }
    }
    closes(told, listener).await;
    closes(told, front).await;
    assert!(binary.ends_within(Duration::from_secs(8)));
    drop(silent);
}

/// A client that can come back, in the room; its token.
async fn seated(told: &mut Told, session: &Started, path: &str) -> (Peer, String) {
    let mut peer = open(session.address(), path).await.unwrap();
    let token = told.secret("a resume token", resume(&mut peer, json!({})).await);
    peer.join("S", "main").await;
    (peer, token)
}
