//! Whoever was put out, and whoever is there already.

use hyper::Method;
use serde_json::{Value, json};

use super::easyrtc_clients::connect;
use super::scene::{Scene, UPGRADE, status};
use super::server::{Peer, packet, send};

/// How often a second socket comes.
const TIMES: u64 = 50;

fn resume(payload: &Value) -> String {
    json!({"Header": {"Event": "resume"}, "Payload": payload}).to_string()
}

/// A socket with a key, whose client can come back; its seat's token.
async fn seated(scene: &Scene, key: &str) -> (Peer, String) {
    let mut peer = scene.session.open(key).await;
    peer.say(resume(&json!({}))).await;
    let token = peer.hear().await["Payload"]["token"].as_str().unwrap().to_owned();
    (peer, token)
}

/// Kicked and back: by every way in, on a new socket, by a resume, and after a drain and a restart.
#[tokio::test]
async fn a_removed_key_again() {
    let mut scene = Scene::begin_stored("[limits]\nfailed_keys = 0\n").await;
    let (ann, bob) = (scene.session.key("ann"), scene.session.key("bob"));
    let mut creator = scene.session.open(&ann).await;
    creator.join("A", "main").await;
    let (mut kicked, token) = seated(&scene, &bob).await;
    kicked.join("B", "main").await;
    // Its connection is lost, and its seat held, when it is removed.
    drop(kicked);
    let remove = json!({"session_manage": {
        "action": "remove", "id_session": scene.session.id(), "session_participants": ["bob"]
    }});
    assert_eq!(scene.remote.call(&remove).await.status, 200);
    is_kept_out(&scene, &bob, "at once").await;
    is_of_no_use(&scene, &token, &ann, "at once").await;
    assert!(scene.remote.metric("viderehab_refusals_total{status=\"401\"}").await > 0);
    scene = scene.restart().await;
    is_kept_out(&scene, &bob, "after a restart").await;
    is_of_no_use(&scene, &token, &ann, "after a restart").await;
    scene.end(&["viderehab_refusals_total{status=\"401\"}"]).await;
}

/// No socket, poll or page opens with this key.
async fn is_kept_out(scene: &Scene, key: &str, when: &str) {
    let port = scene.address.port();
    let cookie = format!("viderehab_{port}={key}");
    let front = format!("/websocket/{port}");
    for (address, method, path) in [
        (scene.address, Method::GET, "/ws?".to_owned()),
        (scene.address, Method::GET, "/echo/websocket?".to_owned()),
        (scene.address, Method::POST, "/echo/000/abcdefgh/xhr_streaming?".to_owned()),
        (scene.address, Method::GET, format!("{front}/?EIO=3&transport=polling&")),
        (scene.remote.address, Method::GET, format!("{front}/ws?")),
        (scene.remote.address, Method::GET, format!("{front}/echo/websocket?")),
        (scene.remote.address, Method::POST, format!("{front}/echo/000/abcdefgh/xhr_streaming?")),
        (scene.remote.address, Method::GET, format!("{front}/?EIO=3&transport=polling&")),
    ] {
        let mut headers = if path.contains("polling") || method == Method::POST { vec![] } else { UPGRADE.to_vec() };
        assert_eq!(status(address, &method, &format!("{path}key={key}"), &headers).await, 401, "{path} {when}");
        let without = status(address, &method, &path, &headers).await;
        assert!(without == 401 || path.contains("/echo/"), "{path} without a key");
        headers.push(("cookie", &cookie));
        // At once it is known whose it was; later it is no better than none.
        let by_cookie = status(address, &method, &path, &headers).await;
        assert!(by_cookie == 401 || by_cookie == without, "{path} by a cookie {when}: {by_cookie}");
    }
    // Engine.IO 4 lets everybody open a socket, and asks then.
    let (_, answer) = connect(&scene.session, &json!({"key": key}).to_string()).await;
    assert!(answer.starts_with("44{"), "by CONNECT {when}: {answer}");
    for page in ["users", "participants"] {
        let text = send(scene.address, Method::GET, &format!("/{page}?key={key}"), &[], String::new()).await.text();
        assert!(!text.contains("assets/call/main.js"), "{page} {when}");
    }
}

/// The seat's token is worth nothing under another key.
async fn is_of_no_use(scene: &Scene, token: &str, key: &str, when: &str) {
    let mut other = scene.session.open(key).await;
    other.say(resume(&json!({"token": token, "received": 0}))).await;
    assert_eq!(other.hear().await["Payload"]["resumed"], false, "{when}");
}

/// A second socket with a live identity, and a third, and so on: the newest stays, and nobody else is taken for it.
#[tokio::test]
async fn two_sockets_with_one_identity() {
    let mut scene = Scene::begin("[limits]\npackets_per_second = 0\n").await;
    let (ann, bob) = (scene.session.key("ann"), scene.session.key("bob"));
    let mut ann = scene.session.open(&ann).await;
    ann.join("A", "main").await;
    let (mut newest, mut token) = seated(&scene, &bob).await;
    newest.join("B", "main").await;
    assert_eq!(ann.heard().await, "connect B false");
    for _ in 0..TIMES {
        let (mut again, its_token) = seated(&scene, &bob).await;
        assert_eq!(newest.closed().await, 4006);
        assert_eq!(ann.heard().await, "disconnect B ");
        again.join("B", "main").await;
        assert_eq!(ann.heard().await, "connect B false");
        (newest, token) = (again, its_token);
    }
    scene.bystanders.go_on().await;
    // Each takes the seat of the one before, which is alive: the room sees neither come nor go.
    for number in 0..TIMES {
        let mut again = scene.session.open(&bob).await;
        again.say(resume(&json!({"token": token, "received": number + 1}))).await;
        let answer = again.hear().await;
        assert_eq!(answer["Payload"]["resumed"], true, "{answer}");
        assert_eq!(newest.closed().await, 4006);
        ann.say(packet("broadcast", "A", "main", json!("still here"))).await;
        assert_eq!(again.heard().await, "broadcast A still here");
        newest = again;
    }
    // Who cannot come back replaces nobody, and is replaced by nobody.
    let mut plain = scene.session.open(&bob).await;
    plain.join("B", "other").await;
    newest.say(packet("broadcast", "B", "main", json!("it is me"))).await;
    assert_eq!(ann.heard().await, "broadcast B it is me");
    plain.hears_nothing().await;
    scene.end(&["viderehab_disconnects_total{reason=\"replaced\"}"]).await;
}
