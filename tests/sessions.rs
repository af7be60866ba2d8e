//! Sessions from the RPC to the sockets: who gets in, who is put out, what comes back.

#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::time::Instant;

use hyper::{Method, StatusCode};
use serde_json::json;
use server::{Peer, config, open, packet, send, start};
use tokio_tungstenite::tungstenite::{Error, Message};

/// A refused upgrade's status.
async fn refused(address: std::net::SocketAddr, path: &str) -> u16 {
    match open(address, path).await.map(|_| ()) {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{path}: {other:?}"),
    }
}

/// The first milestone.
#[tokio::test]
async fn two_raw_websocket_peers_exchange_packets() {
    let server = start(config()).await;
    let session = server.session().await;
    let mut ann = session.open(&session.key("ann")).await;
    let mut bob = session.open(&session.role_key("participants")).await;
    ann.join("U1", "main").await;
    bob.join("U2", "main").await;
    assert_eq!(ann.heard().await, "connect U2 false");
    ann.say(packet("broadcast", "U1", "main", json!("offer"))).await;
    assert_eq!(bob.heard().await, "broadcast U1 offer");
    bob.say(packet("ping", "U2", "main", json!("{}"))).await;
    assert_eq!(bob.heard().await, r#"ping U2 ["U1","U2"]"#);
    ann.hears_nothing().await;
    drop(bob);
    assert_eq!(ann.heard().await, "disconnect U2 ");
    server.app.stop().await;
}

#[tokio::test]
async fn the_front_door_and_the_port_lead_to_the_same_session() {
    let server = start(config()).await;
    let session = server.session().await;
    let (port, key) = (session.address().port(), session.key("ann"));
    let mut direct = session.open(&key).await;
    direct.join("U0", "main").await;
    for path in [
        format!("/webrtc/{port}/ws?key={key}"),
        format!("/websocket/{port}/ws?key={key}"),
        format!("/websocket/{port}/echo/websocket?key={key}"),
    ] {
        let mut peer = open(server.address, &path).await.expect(&path);
        peer.join("U1", "main").await;
        assert_eq!(direct.heard().await, "connect U1 false", "{path}");
        drop(peer);
        assert_eq!(direct.heard().await, "disconnect U1 ", "{path}");
    }
    assert_eq!(refused(server.address, "/webrtc/1/ws").await, 404);
    server.app.stop().await;
}

#[tokio::test]
async fn a_wrong_key_opens_nothing() {
    let mut settings = config();
    settings.limits.failed_keys = 0;
    let server = start(settings).await;
    let session = server.session().await;
    let other = server.session().await;
    let address = session.address();
    for key in ["", "x", &other.key("ann"), &session.session_key()] {
        assert_eq!(refused(address, &format!("/ws?key={key}")).await, 401);
        assert_eq!(refused(address, &format!("/echo/websocket?key={key}")).await, 401);
        let page = send(address, Method::GET, &format!("/users?key={key}"), &[], String::new()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(refused(address, "/ws").await, 401);
    let page = format!("/participants?key={}", session.key("ann"));
    assert_eq!(
        send(address, Method::GET, &page, &[], String::new()).await.status,
        StatusCode::FORBIDDEN,
        "a user's key opens the user's page alone"
    );
    server.app.stop().await;
}

#[tokio::test]
async fn a_page_sets_the_cookie_that_opens_the_sockets() {
    let server = start(config()).await;
    let session = server.session().await;
    let (address, port) = (session.address(), session.address().port());
    let page = send(address, Method::GET, &format!("/users?key={}", session.key("ann")), &[], String::new()).await;
    assert_eq!(page.status, StatusCode::OK);
    let cookies: Vec<&str> = page.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
    assert_eq!(cookies.len(), 3);
    assert!(cookies.iter().all(|cookie| cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict")));
    let pair = cookies[0].split(';').next().unwrap();
    let status = |cookie: String| async move {
        send(address, Method::GET, "/status", &[("cookie", &cookie)], String::new()).await
    };
    assert_eq!(status(pair.to_owned()).await.json()["status"], "OK");
    assert_eq!(status(format!("viderehab_{port}=wrong")).await.status, StatusCode::FORBIDDEN);
    server.app.stop().await;
}

#[tokio::test]
async fn a_foreign_page_opens_no_socket() {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let mut settings = config();
    settings.server.allowed_origins = vec!["https://clinic.example".to_owned()];
    let server = start(settings).await;
    let session = server.session().await;
    let address = session.address();
    let own = format!("http://{address}");
    for (origin, wanted) in
        [("https://evil.example", 403), ("null", 403), ("https://clinic.example", 101), (own.as_str(), 101)]
    {
        let mut request = format!("ws://{address}/ws?key={}", session.key("ann")).into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let status = match tokio_tungstenite::client_async(request, stream).await {
            Ok((_, response)) => response.status().as_u16(),
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(status, wanted, "{origin}");
    }
    server.app.stop().await;
}

async fn expect_close(peer: &mut Peer, code: u16, since: Instant) {
    assert_eq!(peer.closed().await, code);
    let took = since.elapsed();
    assert!(took.as_millis() < 100, "closed after {took:?}");
}

#[tokio::test]
async fn remove_ends_what_the_key_opened_and_opens_nothing_again() {
    let server = start(config()).await;
    let session = server.session().await;
    let mut ann = session.open(&session.key("ann")).await;
    let mut bob = session.open(&session.key("bob")).await;
    ann.join("U1", "main").await;
    bob.join("U2", "main").await;
    assert_eq!(ann.heard().await, "connect U2 false");
    let since = Instant::now();
    let (status, reply) =
        server.manage(json!({"action": "remove", "id_session": session.id(), "session_participants": ["bob"]})).await;
    assert_eq!((status, &reply["status"]), (StatusCode::OK, &json!("removed")));
    assert_eq!(reply["session"]["session_participants"], json!([]));
    assert!(reply["session"].get("session_invitees").is_none());
    expect_close(&mut bob, 4002, since).await;
    assert_eq!(ann.hear().await["Header"]["Reason"], "removed");
    assert_eq!(refused(session.address(), &format!("/ws?key={}", session.key("bob"))).await, 401);
    // A new invitation gives a new key; the old one stays dead.
    let (_, again) =
        server.manage(json!({"action": "invite", "id_session": session.id(), "session_participants": ["bob"]})).await;
    let again = server::Started { reply: again };
    assert_ne!(again.key("bob"), session.key("bob"));
    assert_eq!(again.key("ann"), session.key("ann"), "whoever has a key keeps it");
    session.open(&again.key("bob")).await.join("U2", "main").await;
    assert_eq!(refused(session.address(), &format!("/ws?key={}", session.key("bob"))).await, 401);
    server.app.stop().await;
}

#[tokio::test]
async fn a_refusal_puts_out_and_the_creators_ends_the_session() {
    let server = start(config()).await;
    let session = server.session().await;
    let mut bob = session.open(&session.key("bob")).await;
    let reply = |who: &str, uuid: &str, code: i64| json!({"action": "invite_reply", "id_session": session.id(), "parameters": {"reply_code": code, who: uuid}});
    let (_, accepted) = server.manage(reply("participant_uuid", "bob", 1)).await;
    assert_eq!(accepted["status"], "OK");
    assert_eq!(accepted["session"]["session_participants"], json!(["bob"]));
    let since = Instant::now();
    let (_, denied) = server.manage(reply("participant_uuid", "bob", 2)).await;
    assert_eq!(denied["session"]["session_participants"], json!([]));
    assert_eq!(denied["session"]["session_events"].as_array().unwrap().last().unwrap()["id_session_event_type"], 14);
    expect_close(&mut bob, 4002, since).await;
    let mut ann = session.open(&session.key("ann")).await;
    let (status, ended) = server.manage(reply("user_uuid", "ann", 3)).await;
    assert_eq!(
        (status, &ended["error_text"]),
        (StatusCode::CONFLICT, &json!("Creator refused to join session - session ended"))
    );
    assert_eq!(ann.closed().await, 4001);
    assert_eq!(server.manage(json!({"action": "stop", "id_session": session.id()})).await.0, StatusCode::NOT_FOUND);
    server.app.stop().await;
}

#[tokio::test]
async fn a_stop_reaches_who_is_between_two_polls() {
    let server = start(config()).await;
    let session = server.session().await;
    let poll = format!("/echo/000/abcdefgh/xhr?key={}", session.key("ann"));
    let poll = async || send(session.address(), Method::POST, &poll, &[], String::new()).await.text();
    assert_eq!(poll().await, "o\n");
    server.manage(json!({"action": "stop", "id_session": session.id()})).await;
    assert_eq!(poll().await, "c[4001,\"session ended\"]\n");
    server.app.stop().await;
}

#[tokio::test]
async fn stop_ends_everybody_and_frees_the_port() {
    let mut settings = config();
    settings.webrtc.max_sessions = 1;
    let server = start(settings).await;
    let session = server.session().await;
    let (status, full) = server.manage(json!({"action": "start", "id_session": 0})).await;
    assert_eq!((status, &full["error_text"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("Cannot create process")));
    let mut ann = session.open(&session.key("ann")).await;
    let mut keyless = open(session.address(), "/echo/websocket").await.unwrap();
    let since = Instant::now();
    let (_, stopped) = server.manage(json!({"action": "stop", "id_session": session.id()})).await;
    assert_eq!(stopped["status"], "stopped");
    assert_eq!(stopped["session"]["session_status"], 2);
    assert!(stopped["session"].get("session_key").is_none() && stopped["session"].get("session_url_users").is_none());
    expect_close(&mut ann, 4001, since).await;
    expect_close(&mut keyless, 4001, since).await;
    assert!(tokio::net::TcpStream::connect(session.address()).await.is_err());
    assert_eq!(server.get(&format!("/webrtc/{}/users", session.address().port())).await.status, StatusCode::NOT_FOUND);
    // The failed start made no record, and the id is resumed with its people but new keys.
    let again = server.started(json!({"action": "start", "id_session": session.id()})).await;
    assert_eq!((again.id(), again.address()), (session.id(), session.address()));
    assert_ne!(again.key("bob"), session.key("bob"));
    let types: Vec<i64> = again.reply["session"]["session_events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["id_session_event_type"].as_i64().unwrap())
        .collect();
    assert_eq!(types, [3, 4, 3]);
    server.app.stop().await;
}

#[tokio::test]
async fn bad_arguments_name_the_field_and_change_nothing() {
    let server = start(config()).await;
    for (arguments, status, named) in [
        (json!({"action": "dance"}), 400, "action"),
        (json!({"action": "start", "id_session": "0"}), 400, "id_session"),
        (json!({"action": "start", "id_session": 0, "session_users": [1]}), 400, "session_users"),
        (json!({"action": "start", "id_session": 77}), 404, "No matching session"),
        (json!({"action": "stop", "id_session": 77}), 404, "No matching session to stop"),
        (json!({"action": "invite", "id_session": 77}), 404, "No matching session"),
        (json!({"action": "remove", "id_session": 77}), 404, "No matching session"),
        (
            json!({"action": "invite_reply", "id_session": 77, "parameters": {"reply_code": 1}}),
            404,
            "No matching session",
        ),
    ] {
        let (got, reply) = server.manage(arguments.clone()).await;
        assert_eq!((got.as_u16(), &reply["status"]), (status, &json!("error")), "{arguments}");
        assert!(reply["error_text"].as_str().unwrap().starts_with(named), "{arguments}: {reply}");
    }
    let unauthorized =
        send(server.address, Method::POST, "/rpc/session_manage", &[("authorization", "Bearer no")], "{}".into()).await;
    assert_eq!(unauthorized.status, StatusCode::UNAUTHORIZED);
    let bearer = format!("Bearer {}", server::TOKEN);
    let broken =
        send(server.address, Method::POST, "/rpc/session_manage", &[("authorization", &bearer)], "{".into()).await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
    let huge =
        send(server.address, Method::POST, "/rpc/session_manage", &[("authorization", &bearer)], "x".repeat(2_000_000))
            .await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
    let list = send(server.address, Method::GET, "/api/sessions", &[("authorization", &bearer)], String::new()).await;
    assert_eq!(list.json(), json!({"sessions": []}));
    server.app.stop().await;
}

#[tokio::test]
async fn an_owners_next_session_replaces_the_first() {
    let server = start(config()).await;
    let arguments = json!({"action": "start", "id_session": 0, "id_creator_user": 2, "session_users": ["ann"]});
    let first = server.started(arguments.clone()).await;
    let bystander = server
        .started(json!({"action": "start", "id_session": 0, "id_creator_user": 3, "session_users": ["eve"]}))
        .await;
    let mut ann = first.open(&first.key("ann")).await;
    let second = server.started(arguments).await;
    assert_eq!(ann.closed().await, 4001);
    assert_ne!(first.id(), second.id());
    let bearer = format!("Bearer {}", server::TOKEN);
    let list =
        send(server.address, Method::GET, "/api/sessions", &[("authorization", &bearer)], String::new()).await.json();
    let ids: Vec<i64> =
        list["sessions"].as_array().unwrap().iter().map(|session| session["id_session"].as_i64().unwrap()).collect();
    assert_eq!(ids, [bystander.id(), second.id()]);
    server.app.stop().await;
}

#[tokio::test]
async fn racing_starts_and_stops_leak_nothing() {
    let mut settings = config();
    settings.webrtc.max_sessions = 4;
    let server = start(settings).await;
    let start_one = || server.manage(json!({"action": "start", "id_session": 0}));
    let replies = futures_util::future::join_all((0..12).map(|_| start_one())).await;
    let ids: Vec<i64> = replies.iter().filter_map(|(_, reply)| reply["session"]["id_session"].as_i64()).collect();
    assert_eq!(ids.len(), 4, "as many as there are ports");
    let stops = ids.iter().chain(&ids).map(|id| server.manage(json!({"action": "stop", "id_session": id})));
    let stopped = futures_util::future::join_all(stops).await;
    assert_eq!(stopped.iter().filter(|(status, _)| *status == StatusCode::OK).count(), 4, "each is stopped once");
    let again = futures_util::future::join_all((0..4).map(|_| start_one())).await;
    assert!(again.iter().all(|(status, _)| *status == StatusCode::OK), "all ports are back");
    server.app.stop().await;
}

#[tokio::test]
async fn a_creator_who_leaves_ends_the_session_after_the_grace() {
    let mut settings = config();
    settings.sessions.creator_grace_secs = 1;
    let server = start(settings).await;
    let session = server.session().await;
    let mut bob = session.open(&session.key("bob")).await;
    let ann = session.open(&session.key("ann")).await;
    drop(ann);
    // Back within the grace: the session goes on.
    let ann = session.open(&session.key("ann")).await;
    tokio::time::sleep(std::time::Duration::from_millis(1300)).await;
    bob.join("U2", "main").await;
    let since = Instant::now();
    drop(ann);
    assert_eq!(bob.closed().await, 4001);
    assert!(since.elapsed().as_millis() >= 900, "not before the grace is over");
    server.app.stop().await;
}

#[tokio::test]
async fn acknowledged_sessions_come_back_after_a_restart() {
    let directory = std::env::temp_dir().join(format!("viderehab-sessions-{}", std::process::id()));
    let mut settings = config();
    settings.server.data_dir = directory.display().to_string();
    let server = start(settings.clone()).await;
    let session = server.session().await;
    let stopped = server.session().await;
    server.manage(json!({"action": "stop", "id_session": stopped.id()})).await;
    server.manage(json!({"action": "remove", "id_session": session.id(), "session_participants": ["bob"]})).await;
    let mut ann = session.open(&session.key("ann")).await;
    server.app.stop().await;
    assert_eq!(ann.closed().await, 1012, "told to come back");
    let server = start(settings).await;
    session.open(&session.key("ann")).await.join("U1", "main").await;
    assert_eq!(
        refused(session.address(), &format!("/ws?key={}", session.key("bob"))).await,
        401,
        "a removed key stays dead"
    );
    assert!(tokio::net::TcpStream::connect(stopped.address()).await.is_err());
    let next = server.session().await;
    assert!(next.id() > stopped.id(), "ids are not used again");
    assert_ne!(next.address(), session.address());
    server.app.stop().await;
    std::fs::remove_dir_all(directory).unwrap();
}

/// A start that was refused started nothing, in this run and in the next.
#[tokio::test]
async fn a_start_that_was_refused_stays_refused() {
    let directory = std::env::temp_dir().join(format!("viderehab-refused-{}", std::process::id()));
    let mut settings = config();
    settings.server.data_dir = directory.display().to_string();
    let server = start(settings.clone()).await;
    let stopped = server.session().await.id();
    server.manage(json!({"action": "stop", "id_session": stopped})).await;
    server.app.stop().await;
    let mut broken = settings.clone();
    broken.webrtc.executable = "/nowhere/engine".to_owned();
    let server = start(broken).await;
    for id in [0, stopped] {
        let (status, reply) = server
            .manage(
                json!({"action": "start", "id_session": id, "session_users": ["ann"], "session_participants": ["bob"]}),
            )
            .await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{reply}");
    }
    server.app.stop().await;
    let server = start(settings).await;
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("viderehab_sessions 0\n"), "{metrics}");
    let (status, _) = server.manage(json!({"action": "stop", "id_session": stopped})).await;
    assert_ne!(status, StatusCode::OK, "it does not run");
    server.started(json!({"action": "start", "id_session": stopped})).await;
    server.app.stop().await;
    std::fs::remove_dir_all(directory).unwrap();
}

/// Nobody is there right after a restart, which is not the creator's doing.
#[tokio::test]
async fn a_restart_is_no_reason_to_miss_the_creator() {
    let directory = std::env::temp_dir().join(format!("viderehab-creator-{}", std::process::id()));
    let mut settings = config();
    settings.server.data_dir = directory.display().to_string();
    settings.sessions.creator_grace_secs = 0;
    let server = start(settings.clone()).await;
    let session = server.session().await;
    let mut ann = session.open(&session.key("ann")).await;
    ann.join("U1", "main").await;
    server.app.stop().await;
    let server = start(settings).await;
    let mut bob = session.open(&session.key("bob")).await;
    bob.join("U2", "main").await;
    bob.hears_nothing().await;
    drop(session.open(&session.key("ann")).await);
    assert_eq!(bob.closed().await, 4001, "back, and gone without a grace");
    server.app.stop().await;
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn an_unmodified_videre_client_enters_by_the_session_key_on_echo_alone() {
    let mut settings = config();
    settings.limits.keyless_secs = 1;
    let server = start(settings).await;
    let session = server.session().await;
    let key = session.session_key();
    let mut ann = session.open(&session.key("ann")).await;
    ann.join("U1", "main").await;
    let mut keyless = open(session.address(), "/echo/websocket").await.unwrap();
    keyless.join("U2", &key).await;
    let seen = ann.hear().await;
    assert_eq!((&seen["Header"]["UserId"], &seen["Header"]["RoomId"]), (&json!("U2"), &json!("main")));
    let mut stranger = open(session.address(), "/echo/websocket").await.unwrap();
    stranger.say(packet("connect", "U3", "main", json!("{}"))).await;
    assert_eq!(stranger.closed().await, 4003);
    let mut silent = open(session.address(), "/echo/websocket").await.unwrap();
    assert_eq!(silent.closed().await, 4003, "none in time");
    ann.hears_nothing().await;
    assert_eq!(refused(session.address(), "/ws").await, 401);
    server.app.stop().await;
    let mut settings = config();
    settings.webrtc.room_key = Some(false);
    let server = start(settings).await;
    let session = server.session().await;
    assert_eq!(refused(session.address(), "/echo/websocket").await, 401);
    server.app.stop().await;
}

#[tokio::test]
async fn counts_are_limited() {
    let mut settings = config();
    settings.limits.peers = 2;
    settings.limits.connections_per_address = 3;
    settings.limits.failed_keys = 2;
    let server = start(settings).await;
    let (one, two) = (server.session().await, server.session().await);
    let _first = one.open(&one.key("ann")).await;
    let second = one.open(&one.key("bob")).await;
    assert_eq!(refused(one.address(), &format!("/ws?key={}", one.key("ann"))).await, 503);
    let _third = two.open(&two.key("ann")).await;
    assert_eq!(refused(two.address(), &format!("/ws?key={}", two.key("bob"))).await, 429);
    drop(second);
    let patience = Instant::now() + server::SOON;
    while open(two.address(), &format!("/ws?key={}", two.key("bob"))).await.is_err() {
        assert!(Instant::now() < patience, "a closed connection gives its place back");
        tokio::task::yield_now().await;
    }
    assert_eq!(refused(one.address(), "/ws?key=x").await, 401);
    assert_eq!(refused(one.address(), "/ws?key=x").await, 401);
    assert_eq!(refused(one.address(), "/ws?key=x").await, 429, "the brake");
    server.app.stop().await;
}

#[tokio::test]
async fn rates_slow_a_flood_and_lose_nothing() {
    let mut settings = config();
    settings.limits.packets_per_second = 20;
    let server = start(settings).await;
    let session = server.session().await;
    let mut ann = session.open(&session.key("ann")).await;
    let mut bob = session.open(&session.key("bob")).await;
    ann.join("U1", "main").await;
    bob.join("U2", "main").await;
    let since = Instant::now();
    for number in 0..120 {
        ann.socket.feed_packet(number).await;
    }
    for number in 0..120 {
        assert_eq!(bob.heard().await, format!("broadcast U1 {number}"));
    }
    assert!(since.elapsed().as_millis() > 900, "a burst of five seconds' worth, then the rate: {:?}", since.elapsed());
    server.app.stop().await;
}

trait FeedPacket {
    async fn feed_packet(&mut self, number: u32);
}

impl FeedPacket for tokio_tungstenite::WebSocketStream<tokio::net::TcpStream> {
    async fn feed_packet(&mut self, number: u32) {
        use futures_util::SinkExt;
        let text = packet("broadcast", "U1", "main", json!(number.to_string()));
        self.send(Message::text(text)).await.unwrap();
    }
}

/// It would break them again if it came back; a lost connection may come back, and the others are not told.
#[tokio::test]
async fn who_breaks_the_rules_has_left() {
    let server = start(config()).await;
    let session = server.session().await;
    let mut bob = session.open(&session.key("bob")).await;
    bob.join("B", "main").await;
    let framed = |packet: String| json!([packet]).to_string();
    for (count, broken) in [(1, "[".to_owned()), (2, framed("x".repeat(300_000)))] {
        let path = format!("/echo/0/x/websocket?key={}", session.key("ann"));
        let mut ann = open(session.address(), &path).await.unwrap();
        ann.say(framed(json!({"Header": {"Event": "resume"}, "Payload": {}}).to_string())).await;
        ann.say(framed(packet("connect", "A", "main", json!("{}")))).await;
        assert_eq!(bob.heard().await, "connect A false");
        ann.say(broken).await;
        assert_eq!(bob.heard().await, "disconnect A ");
        let metrics = server.get("/metrics").await.text();
        let counted = format!("viderehab_disconnects_total{{reason=\"violation\"}} {count}\n");
        assert!(metrics.contains(&counted), "{metrics}");
    }
    server.app.stop().await;
}

/// Whoever needs no key need not lose the one of an earlier session on this port first.
#[tokio::test]
async fn a_stale_cookie_is_no_key() {
    let server = start(config()).await;
    let session = server.session().await;
    let cookie = format!("viderehab_{}=stale", session.address().port());
    let post = async |path: String| {
        send(session.address(), Method::POST, &path, &[("cookie", &cookie)], String::new()).await.status.as_u16()
    };
    for number in 0..30 {
        assert_eq!(post(format!("/echo/0/s{number}/xhr")).await, 200);
    }
    assert_ne!(post("/echo/0/wrong/xhr?key=stale".to_owned()).await, 200);
    server.app.stop().await;
}
