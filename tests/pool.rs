//! The pool of ports is empty, and sessions that have ended are about to give theirs back.

#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::json;
use server::{Started, config_of, send};

/// Polls once: it opens, or hears the end.
async fn poll(session: &Started) -> String {
    let path = format!("/echo/000/abcdefgh/xhr?key={}", session.key("ann"));
    send(session.address(), Method::POST, &path, &[], String::new()).await.text()
}

/// Two have ended, and wait for clients that are between two polls. One of these comes soon.
#[tokio::test]
async fn a_start_waits_for_the_first_port_and_not_for_all() {
    let server = server::start(config_of(2)).await;
    let (slow, quick) = (server.session().await, server.session().await);
    for session in [&slow, &quick] {
        assert_eq!(poll(session).await, "o\n");
    }
    for session in [&slow, &quick] {
        assert_eq!(server.manage(json!({"action": "stop", "id_session": session.id()})).await.0, 200);
    }
    let begin = Instant::now();
    let hearing = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(poll(&quick).await.starts_with("c["));
    };
    let (next, ()) = tokio::join!(server.session(), hearing);
    assert_eq!(next.address(), quick.address());
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    server.app.stop().await;
}
