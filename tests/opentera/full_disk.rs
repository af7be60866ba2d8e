//! The disk under the service fills up: what has ended has ended, and all who must hear of it do.

use std::path::Path;
use std::time::Duration;

use prost::Message;
use serde_json::{Value, json};
use viderehab::wire::manage::Role;
use viderehab::wire::opentera::messages::{LeaveSessionEvent, StopSessionEvent, TeraEvent};

use super::binary::Binary;
use super::disk::Disk;
use super::server::send;
use super::tera::{Fault, Heard, Redis, Rest, user};
use super::{POST_EVENTS, presence, start, stop, topic};

const PROGRAM: &str = env!("CARGO_BIN_EXE_viderehab");

/// Room for the store and little more, in KiB.
const ROOM: u64 = 4 << 10;

const PARTICIPANT: &str = "bbbbbbbb-0000-4000-8000-000000000001";

/// The session of the next stop that this user hears of.
async fn stopped(heard: &mut Heard, creator: i64) -> String {
    let payload = heard.on(&topic(Role::User, &user(creator))).await;
    let event: StopSessionEvent = TeraEvent::decode(&*payload).unwrap().events[0].unwrap_as().expect("a stop");
    event.session_uuid
}

fn uuid(session: &Value) -> &str {
    session["session_uuid"].as_str().unwrap()
}

async fn until_ready(binary: &Binary) {
    let address = binary.url.strip_prefix("http://").unwrap().parse().unwrap();
    for _ in 0..500 {
        if send(address, hyper::Method::GET, "/readyz", &[], String::new()).await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it does not become ready");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_full_disk_keeps_nobody_from_hearing_of_an_end() {
    let Some(disk) = Disk::mount(ROOM) else { return };
    let (redis, rest) = (Redis::start().await, Rest::start().await);
    redis.server_starts("the first key of the server 1234").await;
    let (redis_port, rest_port) = (redis.port.to_string(), rest.port.to_string());
    let (data_dir, ca_file) = (disk.path().display().to_string(), rest.ca_file.display().to_string());
    let settings = [
        ("VIDEREHAB_SERVER__DATA_DIR", data_dir.as_str()),
        ("VIDEREHAB_OPENTERA__REDIS__PORT", &redis_port),
        ("VIDEREHAB_OPENTERA__BACKEND__PORT", &rest_port),
        ("VIDEREHAB_OPENTERA__BACKEND__CA_FILE", &ca_file),
        ("VIDEREHAB_SESSIONS__CREATOR_GRACE_SECS", "0"),
    ];
    let binary = Binary::start(Path::new(&disk.program(PROGRAM)), "", &settings).unwrap();
    until_ready(&binary).await;
    let mut sessions = Vec::new();
    for creator in 2..=4 {
        let mut start = start(creator);
        // So much that it cannot be written once more where no room is left.
        start["parameters"] = json!("x".repeat(400_000));
        let reply = redis.manage(start).await;
        assert_eq!(reply["status"], "started");
        sessions.push(reply["session"].clone());
    }
    disk.fill();
    let mut heard = redis.listen().await;

    let id = &sessions[0]["id_session"];
    let remove = json!({"action": "remove", "id_session": id, "session_participants": [PARTICIPANT]});
    assert_eq!(redis.manage(remove).await["status"], "removed");
    heard.on(&topic(Role::User, &user(2))).await;
    let payload = heard.on(&topic(Role::Participant, PARTICIPANT)).await;
    let left: LeaveSessionEvent = TeraEvent::decode(&*payload).unwrap().events[0].unwrap_as().expect("a departure");
    assert_eq!(left.leaving_participants, [PARTICIPANT]);

    assert_eq!(redis.manage(stop(&sessions[0])).await["status"], "stopped");
    assert_eq!(stopped(&mut heard, 2).await, uuid(&sessions[0]));

    // Nobody asks again for a stop that came of the creator's absence.
    presence(&redis, &user(3), 2).await;
    assert_eq!(stopped(&mut heard, 3).await, uuid(&sessions[1]));
    rest.fault(POST_EVENTS, Fault::Status(500));
    presence(&redis, &user(4), 2).await;
    assert_eq!(stopped(&mut heard, 4).await, uuid(&sessions[2]));

    let log = std::fs::read_to_string(binary.files().1).unwrap();
    assert!(log.contains("the store failed"), "the disk was full: {log}");
}
