//! Foreign pages: with the victim's cookie, or key, by every carrier that a browser has.

use hyper::Method;

use super::scene::{self, Scene, UPGRADE};
use super::server::send;

const FOREIGN: &str = "https://evil.example";

/// Method, path (`@`: an id of its own for each request), and the status for whoever may.
fn carriers(port: u16) -> Vec<(Method, String, u16)> {
    vec![
        (Method::GET, "/ws".into(), 101),
        (Method::GET, "/echo/websocket".into(), 101),
        (Method::GET, "/echo/0/@/websocket".into(), 101),
        (Method::POST, "/echo/0/@/xhr".into(), 200),
        (Method::POST, "/echo/0/@/xhr_streaming".into(), 200),
        (Method::GET, "/echo/0/@/eventsource".into(), 200),
        (Method::GET, "/echo/0/@/jsonp?c=x".into(), 200),
        (Method::GET, "/echo/0/@/htmlfile?c=x".into(), 200),
        // Who may is told that a message is missing.
        (Method::POST, "/echo/0/@/xhr_send".into(), 500),
        (Method::POST, "/echo/0/@/jsonp_send".into(), 500),
        (Method::GET, format!("/websocket/{port}/?EIO=4&transport=websocket"), 101),
        (Method::GET, format!("/websocket/{port}/?EIO=4&transport=polling"), 200),
        (Method::GET, format!("/websocket/{port}/?EIO=3&transport=polling"), 200),
    ]
}

/// Cross-site WebSocket, and its kin on the other carriers, by the session's own port and by the front door.
#[tokio::test]
async fn foreign_pages() {
    let mut scene = Scene::begin("").await;
    let port = scene.address.port();
    let cookie = format!("viderehab_{port}={}", scene.key);
    let doors = [(scene.address, String::new()), (scene.remote.address, format!("/websocket/{port}"))];
    for (door, (address, prefix)) in doors.iter().enumerate() {
        let own = format!("http://{address}");
        for (number, (method, path, status)) in carriers(port).iter().enumerate() {
            for (asker, (origin, may)) in
                [(Some(FOREIGN), false), (Some("null"), false), (Some(&*own), true), (None, true)]
                    .into_iter()
                    .enumerate()
            {
                let path = path.replace('@', &format!("{door}x{number}x{asker}"));
                let path = if path.starts_with("/websocket/") { path } else { format!("{prefix}{path}") };
                let mut headers = vec![("cookie", &*cookie)];
                headers.extend(origin.map(|origin| ("origin", origin)));
                if *status == 101 {
                    headers.extend(&UPGRADE);
                }
                let answered = scene::status(*address, method, &path, &headers).await;
                assert_eq!(answered, if may { *status } else { 403 }, "{path} from {origin:?}");
            }
        }
        scene.bystanders.go_on().await;
    }
    scene.end(&["viderehab_refusals_total{status=\"403\"}"]).await;
}

/// A script's address in another page of the same host: the cookie comes with it, and no Origin does.
#[tokio::test]
async fn scripts_of_other_pages() {
    // The last section of the file is webrtc.
    let mut scene = Scene::begin("room_key = false\n").await;
    let port = scene.address.port();
    let cookie = format!("viderehab_{port}={}", scene.key);
    // Engine.IO 4 may open without a key, and sees nothing until it has shown one.
    let loads = carriers(port)
        .into_iter()
        .filter(|(method, path, status)| *method == Method::GET && *status == 200 && !path.contains("EIO=4"));
    for (number, (method, path, _)) in loads.enumerate() {
        for (site, mode, may) in [
            ("same-origin", "no-cors", true),
            ("none", "navigate", true),
            ("same-site", "no-cors", false),
            ("cross-site", "no-cors", false),
        ] {
            let path = path.replace('@', &format!("{number}{site}"));
            let headers = [("cookie", &*cookie), ("sec-fetch-site", site), ("sec-fetch-mode", mode)];
            let status = scene::status(scene.address, &method, &path, &headers).await;
            assert_eq!(status == 200, may, "{path} {site}: {status}");
        }
    }
    // What follows a link, from wherever, is a page that shows itself to nobody else.
    let headers = [("cookie", &*cookie), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    assert_eq!(scene::status(scene.address, &Method::GET, "/users", &headers).await, 200);
    scene.bystanders.go_on().await;
    scene.end(&["viderehab_refusals_total{status=\"401\"}"]).await;
}

/// The dashboard's cookie commands from its own pages alone.
#[tokio::test]
async fn foreign_pages_and_the_dashboard() {
    let mut scene = Scene::begin("").await;
    let (address, cookie) = (scene.remote.address, format!("viderehab_admin={}", scene.remote.token()));
    let own = format!("http://{address}");
    let stop = format!(r#"{{"session_manage": {{"action": "stop", "id_session": {}}}}}"#, scene.session.id());
    for (method, path) in [(Method::GET, "/api/sessions"), (Method::POST, "/rpc/session_manage")] {
        for (origin, may) in [
            (Some(FOREIGN), false),
            (Some("null"), false),
            (Some("http://127.0.0.1:1"), false),
            (None, method == Method::GET),
            (Some(&*own), true),
        ] {
            let mut headers = vec![("cookie", &*cookie)];
            headers.extend(origin.map(|origin| ("origin", origin)));
            let answer = send(address, method.clone(), path, &headers, stop.clone()).await;
            assert_eq!(answer.status.as_u16(), if may { 200 } else { 401 }, "{path} from {origin:?}");
        }
        scene.bystanders.go_on().await;
    }
    scene.end(&["viderehab_rpc_total{status=\"401\"}"]).await;
}
