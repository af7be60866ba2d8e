//! Who may what: foreign pages, participants, forged names and addresses.

use std::net::{IpAddr, Ipv4Addr};

use hyper::Method;
use serde_json::json;

use super::binary::Binary;
use super::machine::outward;
use super::scene::{PROGRAM, Scene, is_over, raw, status};
use super::server::{open_from, packet, send};

/// Missing authorisation (CVE-2026-45266), false identity, guessable ids.
#[tokio::test]
async fn what_a_participant_may_not() {
    let scene = Scene::begin("").await;
    let other = scene.remote.session().await;
    let (participant, user) = (scene.session.key("bob"), scene.session.key("ann"));
    let status =
        async |address, path: String| send(address, Method::GET, &path, &[], String::new()).await.status.as_u16();
    // A key opens its own role's page and its own session, and commands nothing.
    let page = async |page: &str, key: &str| {
        send(scene.address, Method::GET, &format!("/{page}?key={key}"), &[], String::new()).await.text()
    };
    assert!(page("participants", &participant).await.contains("assets/call/main.js"), "its own page");
    assert!(!page("users", &participant).await.contains("assets/call/main.js"), "the users' page");
    assert!(!page("participants", &user).await.contains("assets/call/main.js"), "the participants' page");
    assert_eq!(status(other.address(), format!("/ws?key={user}")).await, 401, "another session's key");
    for key in [&participant, &user] {
        let bearer = format!("Bearer {key}");
        for (method, path) in [(Method::GET, "/api/sessions"), (Method::POST, "/rpc/session_manage")] {
            let body = json!({"session_manage": {"action": "stop", "id_session": scene.session.id()}}).to_string();
            let answer = send(scene.remote.address, method, path, &[("authorization", &bearer)], body).await;
            assert_eq!(answer.status, 401, "{path}");
        }
    }
    // Under another's name, in another room, or before joining, a packet reaches nobody.
    let mut ann = scene.session.open(&user).await;
    let mut bob = scene.session.open(&participant).await;
    for event in ["broadcast", "ping", "disconnect"] {
        bob.say(packet(event, "U2", "main", json!("x"))).await;
        assert_eq!(bob.hear().await["Header"]["Event"], "error", "{event} before connect");
    }
    ann.join("U1", "main").await;
    bob.join("U2", "main").await;
    assert_eq!(ann.heard().await, "connect U2 false");
    for (name, room) in [("U1", "main"), ("U2", "other"), ("", "main"), ("U2 ", "main"), ("u2", "main")] {
        for event in ["broadcast", "ping", "disconnect"] {
            bob.say(packet(event, name, room, json!("x"))).await;
            assert_eq!(bob.hear().await["Header"]["Event"], "error", "{event} as {name} in {room}");
        }
    }
    ann.hears_nothing().await;
    scene.end(&["viderehab_packets_total{verdict=\"refused\"}"]).await;
}

/// From a proxy on this machine what it adds last is what counts.
#[tokio::test]
async fn a_forged_forwarding_header() {
    let mut scene = Scene::begin("[limits]\nfailed_keys = 3\n").await;
    let wrong = async |forwarded: &str| {
        let headers = [("x-forwarded-for", forwarded)];
        send(scene.address, Method::GET, "/ws?key=wrong", &headers, String::new()).await.status.as_u16()
    };
    for number in 0..3 {
        assert_eq!(wrong(&format!("192.0.2.{number}, 198.51.100.7")).await, 401);
    }
    assert_eq!(wrong("192.0.2.99, 198.51.100.7").await, 429, "the last entry is whom the proxy saw");
    assert_eq!(wrong("198.51.100.8").await, 401, "somebody else");
    scene.bystanders.go_on().await;
    scene.end(&["viderehab_limited_total{limit=\"failed_keys\"}"]).await;
}

/// Proxy headers of somebody who is no proxy change nothing, on neither of the listeners.
#[tokio::test]
async fn a_forged_forwarding_header_from_elsewhere() {
    let Some(outward) = outward() else { return };
    let everywhere = [("VIDEREHAB_SERVER__LISTEN", "0.0.0.0:0"), ("VIDEREHAB_WEBRTC__BIND", "0.0.0.0")];
    let binary = Binary::start(PROGRAM.as_ref(), "[limits]\nfailed_keys = 3\n", &everywhere).unwrap();
    let mut scene = Scene::with(binary).await;
    let (own, front) = (scene.address.port(), scene.remote.address.port());
    for (port, prefix) in [(own, String::new()), (front, format!("/websocket/{own}"))] {
        let wrong = async |from: IpAddr, forwarded: &str| {
            let (path, headers) = (format!("{prefix}/ws?key=wrong"), [("x-forwarded-for", forwarded)]);
            status((from, port).into(), &Method::GET, &path, &headers).await
        };
        let mut answers = Vec::new();
        for number in 0..5 {
            answers.push(wrong(outward, &format!("198.51.100.{number}")).await);
        }
        assert!(answers.ends_with(&[429, 429]), "whomever it names: {answers:?}");
        let here = Ipv4Addr::LOCALHOST.into();
        assert_eq!(wrong(here, "198.51.100.0").await, 401, "whom it named has done nothing");
        assert_eq!(wrong(here, &outward.to_string()).await, 429, "a proxy that names it is believed");
        let right = format!("{prefix}/ws?key={}", scene.session.key("ann"));
        assert!(
            open_from("198.51.100.9", (outward, port).into(), &right).await.is_ok(),
            "a right key is never delayed"
        );
    }
    scene.bystanders.go_on().await;
    scene.end(&["viderehab_limited_total{limit=\"failed_keys\"}"]).await;
}

/// Names: as room, as user, as path.
#[tokio::test]
async fn names_that_look_like_something_else() {
    let scene = Scene::begin("[limits]\npackets_per_second = 0\n").await;
    let (user, participant) = (scene.session.key("ann"), scene.session.key("bob"));
    let mut ann = scene.session.open(&user).await;
    let mut bob = scene.session.open(&participant).await;
    let megabyte = "x".repeat(1 << 20);
    let names = [
        "/",
        "\\",
        ".",
        "..",
        "../..",
        "%00",
        "\0",
        "\u{202e}moor",
        "\u{200b}",
        "caf\u{e9}",
        "cafe\u{301}",
        "\u{feff}main",
        "main ",
        "MAIN",
        "__proto__",
    ];
    for (number, name) in names.iter().enumerate() {
        ann.join(name, name).await;
        // Twins are two: what looks alike to people is not the same room.
        for other in &names[..number] {
            bob.join("B", other).await;
            bob.say(packet("ping", "B", other, json!(""))).await;
            assert_eq!(bob.hear().await["Payload"], "[\"B\"]", "{other:?} is not {name:?}");
        }
        bob.join("B", name).await;
        assert_eq!(ann.heard().await, "connect B false", "{name:?}");
        bob.say(packet("disconnect", "B", name, json!(""))).await;
        assert_eq!(ann.heard().await, "disconnect B ");
        ann.say(packet("disconnect", name, name, json!(""))).await;
        let path: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for path in
            [format!("/{path}"), format!("/assets/{path}"), format!("/echo/{path}/{path}/xhr"), format!("/echo/{path}")]
        {
            let answer = send(scene.address, Method::GET, &path, &[], String::new()).await;
            assert!(matches!(answer.status.as_u16(), 400..500 | 200), "{path}: {}", answer.status);
            assert!(!answer.text().contains("[package]"));
        }
    }
    // A megabyte is more than a packet may be.
    bob.say(packet("connect", &megabyte, "main", json!(""))).await;
    assert_eq!(bob.closed().await, 1009);
    assert!(is_over(raw(scene.address, format!("GET /{megabyte} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await));
    scene.end(&["viderehab_refusals_total{status=\"404\"}"]).await;
}
