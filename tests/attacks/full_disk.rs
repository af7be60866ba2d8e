//! The disk under the server fills up.

use hyper::Method;
use serde_json::{Value, json};

use super::binary::Binary;
use super::disk::Disk;
use super::scene::{PROGRAM, Scene};
use super::server::{open, send};

/// Room for a few sessions, in KiB.
const ROOM: u64 = 8 << 10;

/// A start of a session with much to store.
fn start(number: usize) -> Value {
    json!({"session_manage": {
        "action": "start", "id_session": 0, "parameters": {"text": "x".repeat(400_000)}, "session_users": [number.to_string()]
    }})
}

async fn is_let_in(scene: &Scene, key: &str) -> bool {
    open(scene.address, &format!("/ws?key={key}")).await.is_ok()
}

/// Calls go on, nothing is started that is not stored, nobody is let in whose key was taken; and with room again all is as
/// before, without a restart.
#[tokio::test]
async fn a_full_disk() {
    let Some(disk) = Disk::mount(ROOM) else { return };
    let data_dir = disk.path().display().to_string();
    let program = disk.program(PROGRAM);
    let binary = Binary::start(&program, "", &[("VIDEREHAB_SERVER__DATA_DIR", &data_dir)]).unwrap();
    let mut scene = Scene::with(binary).await;
    let (session, stopped) = (scene.session.id(), scene.remote.session().await);
    let (ann, bob) = (scene.session.key("ann"), scene.session.key("bob"));
    let mut creator = scene.session.open(&ann).await;
    creator.join("A", "main").await;

    disk.fill();
    for number in 0..5 {
        let answer = scene.remote.call(&start(number)).await;
        assert_eq!(answer.status, 500, "{}", answer.text());
        let text = answer.text();
        assert!(text.contains("server.data_dir") && text.contains(&data_dir), "{text}");
        assert!(text.contains("No space left"), "each of them says why: {text}");
        scene.bystanders.go_on().await;
    }
    // Whoever is put out stays out, written down or not.
    let remove =
        json!({"session_manage": {"action": "remove", "id_session": session, "session_participants": ["bob"]}});
    scene.remote.call(&remove).await;
    let stop = json!({"session_manage": {"action": "stop", "id_session": stopped.id()}});
    scene.remote.call(&stop).await;
    assert!(!is_let_in(&scene, &bob).await && is_let_in(&scene, &ann).await);
    assert!(open(stopped.address(), &format!("/ws?key={}", stopped.key("ann"))).await.is_err());
    let healthy = send(scene.remote.address, Method::GET, "/healthz", &[], String::new()).await;
    assert_eq!(healthy.status, 200);

    assert!(scene.remote.metric("viderehab_rpc_total{status=\"500\"}").await > 0);

    disk.make_room();
    // What could not be written then is written by itself, and what comes is.
    scene.says("the store takes what it is given again").await;
    let answer = scene.remote.call(&start(6)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    scene = scene.restart().await;
    assert!(!is_let_in(&scene, &bob).await && is_let_in(&scene, &ann).await);
    let sessions = scene.remote.list().await.text();
    assert!(!sessions.contains(&stopped.session_key()), "{sessions}");
    assert!(open(stopped.address(), &format!("/ws?key={}", stopped.key("ann"))).await.is_err());
    scene.end(&["viderehab_refusals_total{status=\"401\"}"]).await;
}
