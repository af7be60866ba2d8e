//! Wrong admin tokens are counted and braked, wherever they are shown; the right one never waits.

#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;

use hyper::Method;
use server::{Answer, Server, TOKEN, config, send};

const WRONG: &str = "Bearer not the one that it should be";

async fn ask(server: &Server, method: Method, path: &str, header: (&str, &str), body: &str) -> Answer {
    send(server.address, method, path, &[header], body.to_owned()).await
}

#[tokio::test]
async fn wrong_tokens_are_counted_and_braked() {
    let mut config = config();
    config.limits.failed_keys = 6;
    let server = server::start(config).await;
    let right = format!("Bearer {TOKEN}");
    let right = ("authorization", right.as_str());
    // None at all is no wrong one.
    for _ in 0..10 {
        assert_eq!(server.get("/api/sessions").await.status, 401);
    }
    assert_eq!(server.metric("viderehab_failed_keys_total").await, 0);
    let (wrong, plain) = (("authorization", WRONG), ("accept", "*/*"));
    let ways = [
        (Method::GET, "/api/sessions", wrong, ""),
        (Method::POST, "/rpc/session_manage", wrong, "{}"),
        (Method::GET, "/api/sessions", ("cookie", "viderehab_admin=wrong"), ""),
        (Method::GET, "/rehab/?token=wrong", plain, ""),
        (Method::POST, "/rehab/login", plain, "token=wrong"),
        (Method::GET, "/metrics", ("x-forwarded-for", "127.0.0.1"), ""),
    ];
    for (method, path, header, body) in ways.clone() {
        assert_eq!(ask(&server, method, path, header, body).await.status, 401, "{path}");
    }
    assert_eq!(server.metric("viderehab_failed_keys_total").await, 5);
    assert_eq!(ask(&server, Method::GET, "/api/sessions", wrong, "").await.status, 401);
    for (method, path, header, body) in ways.into_iter().take(5) {
        let answer = ask(&server, method, path, header, body).await;
        let is_page = path.starts_with("/rehab");
        assert_eq!(answer.status, if is_page { 429 } else { 401 }, "{path}");
        assert_eq!(answer.headers.contains_key("retry-after"), is_page);
    }
    assert_eq!(server.metric("viderehab_failed_keys_total").await, 11);
    assert_eq!(server.metric("viderehab_refusals_total{status=\"429\"}").await, 2);
    assert_eq!(server.metric("viderehab_limited_total{limit=\"failed_keys\"}").await, 5);
    assert_eq!(ask(&server, Method::GET, "/api/sessions", right, "").await.status, 200);
    let login = format!("token={}", TOKEN.replace(' ', "+"));
    assert_eq!(ask(&server, Method::POST, "/rehab/login", plain, &login).await.status, 303);
    server.app.stop().await;
}
