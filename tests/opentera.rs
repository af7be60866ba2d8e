//! The service of an OpenTera server, when all is well and when something is away: Redis, the REST
//! API, the creator, or we ourselves. The Redis is real; the REST API is a stand-in that fails when told.

#[path = "support/binary.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod binary;
#[path = "support/disk.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod disk;
#[path = "opentera/full_disk.rs"]
mod full_disk;
#[path = "support/machine.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod machine;
#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;
#[path = "support/opentera_site.rs"]
mod site;
#[path = "support/tera.rs"]
mod tera;

use std::time::{Duration, Instant};

use prost::Message;
use serde_json::{Value, json};
use server::{config, open};
use site::Site;
use tera::{Fault, Redis, Rest, user, with_opentera};
use viderehab::wire::manage::Role;
use viderehab::wire::opentera::messages::{JoinSessionEvent, TeraEvent, UserEvent};
use viderehab::wire::opentera::tera_event;

const POST_SESSIONS: &str = "POST /api/service/sessions";
const POST_EVENTS: &str = "POST /api/service/sessions/events";
const PRESENCES: &str = "module.TeraServer.UserManagerModule.events";

impl Site {
    /// Starts a session of a user, with that user and a participant.
    async fn session(&self, creator: i64) -> Value {
        let reply = self.redis.manage(start(creator)).await;
        assert_eq!(reply["status"], "started", "{reply}");
        reply["session"].clone()
    }

    async fn presence(&self, uuid: &str, kind: i32) {
        presence(&self.redis, uuid, kind).await;
    }

    /// The ids of the sessions that are served.
    async fn running(&self) -> Vec<i64> {
        let bearer = format!("Bearer {}", server::TOKEN);
        let headers = [("authorization", bearer.as_str())];
        let answer =
            server::send(self.server.address, hyper::Method::GET, "/api/sessions", &headers, String::new()).await;
        answer.json()["sessions"].as_array().unwrap().iter().map(|one| one["id_session"].as_i64().unwrap()).collect()
    }

    async fn until_running(&self, wanted: &[i64]) {
        for _ in 0..500 {
            if self.running().await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{:?} are running, not {wanted:?}", self.running().await);
    }

    /// Waits until the server has been told of every end, which comes after the end itself.
    async fn until_none_in_progress(&self) {
        for _ in 0..500 {
            if self.rest.in_progress() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the server still believes that {} are in progress", self.rest.in_progress());
    }
}

/// A user comes (1) or goes (2).
async fn presence(redis: &Redis, uuid: &str, kind: i32) {
    let event = UserEvent { user_uuid: uuid.to_owned(), r#type: kind, user_fullname: String::new() };
    redis.publish(PRESENCES, &tera_event(PRESENCES, 1.0e9, &event)).await;
}

fn start(creator: i64) -> Value {
    json!({
        "action": "start", "id_session": 0, "id_service": 6, "id_session_type": 1, "id_creator_user": creator,
        "session_users": [user(creator)], "session_participants": ["bbbbbbbb-0000-4000-8000-000000000001"],
    })
}

fn stop(session: &Value) -> Value {
    json!({"action": "stop", "id_session": session["id_session"]})
}

fn invite(session: &Value, uuid: &str) -> Value {
    json!({"action": "invite", "id_session": session["id_session"], "session_users": [uuid]})
}

/// The invitation in a payload.
fn join_event(payload: &[u8]) -> JoinSessionEvent {
    TeraEvent::decode(payload).unwrap().events[0].unwrap_as().expect("a JoinSessionEvent")
}

fn topic(role: Role, uuid: &str) -> String {
    format!("websocket.{}.{uuid}.events", role.name())
}

fn key_and_port(url: &str) -> (String, u16) {
    let port = url.split("/webrtc/").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    (url.split("key=").nth(1).unwrap().to_owned(), port)
}

/// Each person's invitation opens their own door, until they are removed.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn an_invitation_carries_a_key_of_its_own() {
    let site = Site::start().await;
    let mut heard = site.redis.listen().await;
    let session = site.session(2).await;
    let ann = join_event(&heard.on(&topic(Role::User, &user(2))).await);
    let paul = join_event(&heard.on(&topic(Role::Participant, "bbbbbbbb-0000-4000-8000-000000000001")).await);
    assert!(ann.session_url.starts_with("https://127.0.0.1:40075/webrtc/"), "{}", ann.session_url);
    let ((anns, port), (pauls, _)) = (key_and_port(&ann.session_url), key_and_port(&paul.session_url));
    let (of_role, _) = key_and_port(session["session_url_users"].as_str().unwrap());
    assert!(anns != pauls && anns != of_role);
    let address = ([127, 0, 0, 1], port).into();
    let mut first = open(address, &format!("/ws?key={anns}")).await.unwrap();
    let mut second = open(address, &format!("/ws?key={pauls}")).await.unwrap();
    first.join("A", "main").await;
    second.join("P", "main").await;
    // The server may take its time to note it: they are out at once.
    site.rest.fault(POST_EVENTS, Fault::Slow(Duration::from_secs(2)));
    let removal = json!({
        "action": "remove", "id_session": session["id_session"],
        "session_participants": ["bbbbbbbb-0000-4000-8000-000000000001"],
    });
    let begin = Instant::now();
    let (removed, code) = tokio::join!(site.redis.manage(removal), async {
        let code = second.closed().await;
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
        code
    });
    assert_eq!((removed["status"].as_str(), code), (Some("removed"), 4002));
    assert!(open(address, &format!("/ws?key={pauls}")).await.is_err());
    site.server.app.stop().await;
}

/// In every step of every action the REST API says no, is slow, or dies: the caller is told, the
/// sessions are as they were or as they were to be, and every port comes back.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_rest_api_that_fails_in_any_step_leaves_all_consistent() {
    let site = Site::with(|config| config.webrtc.max_sessions = 3).await;
    let faults = [Fault::Status(500), Fault::Dies, Fault::Slow(Duration::from_millis(300))];
    for fault in faults {
        let fine = matches!(fault, Fault::Slow(_));
        for (step, text) in [(POST_SESSIONS, "Cannot create session: "), (POST_EVENTS, "Cannot create session event")] {
            site.rest.fault(step, fault);
            let reply = site.redis.manage(start(2)).await;
            match fine {
                true => assert_eq!(site.redis.manage(stop(&reply["session"])).await["status"], "stopped"),
                false => assert!(reply["error_text"].as_str().unwrap().starts_with(text), "{fault:?} {step}: {reply}"),
            }
            assert_eq!(site.running().await, [0_i64; 0], "{fault:?} {step}");
        }
        let session = site.session(2).await;
        for (step, text) in
            [(POST_EVENTS, "Error creating user invited session event"), (POST_SESSIONS, "Error updating session")]
        {
            site.rest.fault(step, fault);
            let reply = site.redis.manage(invite(&session, &user(3))).await;
            // Telling the server twice of the same people does no harm, so a broken connection is no error.
            let fine = fine || (fault == Fault::Dies && step == POST_SESSIONS);
            let wanted =
                if fine { json!({"status": "invited"}) } else { json!({"status": "error", "error_text": text}) };
            assert_eq!(
                (&reply["status"], &reply["error_text"]),
                (&wanted["status"], &wanted["error_text"]),
                "{fault:?} {step}"
            );
        }
        site.rest.fault(POST_EVENTS, fault);
        let removal = json!({"action": "remove", "id_session": session["id_session"], "session_users": [user(3)]});
        let reply = site.redis.manage(removal).await;
        assert_eq!(reply["status"], if fine { "removed" } else { "error" }, "{fault:?}: {reply}");
        site.rest.fault(POST_EVENTS, fault);
        let refusal = json!({
            "action": "invite_reply", "id_session": session["id_session"],
            "parameters": {"reply_code": 2, "participant_uuid": "bbbbbbbb-0000-4000-8000-000000000001"},
        });
        let reply = site.redis.manage(refusal).await;
        assert_eq!(reply["status"], if fine { "OK" } else { "error" }, "{fault:?}: {reply}");
        site.rest.fault(POST_EVENTS, fault);
        let reply = site.redis.manage(stop(&session)).await;
        if !fine {
            assert_eq!(reply["error_text"], "Cannot create STOP session event", "{fault:?}");
            assert_eq!(site.running().await, [0_i64; 0], "nothing serves it any more");
            assert_eq!(site.redis.manage(stop(&session)).await["status"], "stopped", "{fault:?}");
        }
        assert_eq!(site.redis.manage(stop(&session)).await["error_text"], "No matching session to stop");
    }
    // Every port is back: as many sessions as the pool has, and not one more.
    for creator in 1..=3 {
        site.session(creator).await;
    }
    assert_eq!(site.redis.manage(start(4)).await["error_text"], "Cannot create process");
    site.server.app.stop().await;
}

/// The update that tells the server of the end is lost: everybody is told, and the server is later.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_the_server_missed_it_is_told_later() {
    let site = Site::start().await;
    let session = site.session(2).await;
    site.rest.fault(POST_SESSIONS, Fault::Status(500));
    let mut heard = site.redis.listen().await;
    let reply = site.redis.manage(stop(&session)).await;
    assert_eq!(reply["error_text"], "Error stopping session - check server logs");
    heard.on(&topic(Role::User, &user(2))).await;
    assert_eq!(site.rest.in_progress(), 1);
    site.until_none_in_progress().await;
    site.server.app.stop().await;
}

/// The RPC over HTTP commands the same sessions, with statuses that tell.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn the_rpc_over_http_leads_to_the_same_sessions() {
    let site = Site::start().await;
    let (status, reply) = site.server.manage(start(2)).await;
    assert_eq!((status.as_u16(), &reply["status"]), (200, &json!("started")));
    let id = &reply["session"]["id_session"];
    let heard = site.redis.manage(invite(&reply["session"], &user(3))).await;
    assert_eq!(heard["session"]["session_users"], json!([user(2), user(3)]));
    for (arguments, status) in [
        (json!({"action": "invite", "id_session": 99}), 404),
        (json!({"action": "stop", "id_session": 99}), 404),
        (json!({"action": "stop"}), 400),
        (
            json!({"action": "invite_reply", "id_session": id, "parameters": {"reply_code": 2, "user_uuid": user(2)}}),
            409,
        ),
        (json!({"action": "start", "id_session": 99}), 502),
    ] {
        assert_eq!(site.server.manage(arguments.clone()).await.0.as_u16(), status, "{arguments}");
    }
    site.server.app.stop().await;
}

/// A slow server holds up its own session's actions, in order, and nobody else's.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_slow_call_holds_up_no_other_session() {
    let site = Site::start().await;
    let (slow, other) = (site.session(2).await, site.session(3).await);
    site.rest.fault(POST_EVENTS, Fault::Slow(Duration::from_secs(3)));
    let begin = Instant::now();
    let held_up = async {
        let reply = site.redis.manage(invite(&slow, &user(5))).await;
        assert_eq!(reply["session"]["session_users"], json!([user(2), user(5)]));
        assert!(begin.elapsed() >= Duration::from_secs(3));
    };
    let after_it = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let reply = site.redis.manage(invite(&slow, &user(6))).await;
        assert_eq!(reply["session"]["session_users"], json!([user(2), user(5), user(6)]));
    };
    let others = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(site.redis.manage(invite(&other, &user(7))).await["status"], "invited");
        assert_eq!(site.redis.manage(stop(&other)).await["status"], "stopped");
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    };
    tokio::join!(held_up, after_it, others);
    site.server.app.stop().await;
}

/// The server cannot be reached for a while: a call waits for it within its time.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_refused_connection_is_tried_again() {
    let site = Site::start().await;
    site.rest.refuse(true);
    let (reply, ()) = tokio::join!(site.redis.manage(start(2)), async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        site.rest.refuse(false);
    });
    assert_eq!(reply["status"], "started", "{reply}");
    assert_eq!(site.rest.made().iter().filter(|(_, path, _)| path == "/api/service/sessions").count(), 1);
    site.server.app.stop().await;
}

/// A server that starts again has new keys, which are read at the first refusal.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_new_key_is_read_when_the_old_one_is_refused() {
    let site = Site::start().await;
    site.rest.require("the first key of the server 1234");
    let session = site.session(2).await;
    let second = "the second key of the server 567";
    site.redis.server_starts(second).await;
    site.rest.require(second);
    site.rest.made();
    assert_eq!(site.redis.manage(stop(&session)).await["status"], "stopped");
    assert_eq!(site.rest.made().len(), 3, "refused once, then the event and the update");
    site.rest.require("a key that is nowhere");
    let reply = site.redis.manage(start(2)).await;
    assert_eq!(reply["error_text"], "Cannot create session: \"Unauthorized\"\n");
    assert_eq!(site.rest.made().len(), 2, "asked twice, not for ever");
    site.server.app.stop().await;
}

/// Redis dies and comes back empty, then the server writes its keys again: calls of the browsers go
/// on, what happened meanwhile is published once, and calls come in again by themselves.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn redis_may_go_away_and_come_back() {
    let mut site = Site::with(|config| config.sessions.creator_grace_secs = 1).await;
    let mut heard = site.redis.listen().await;
    let session = site.session(2).await;
    let other = site.session(3).await;
    let url = join_event(&heard.on(&topic(Role::User, &user(3))).await).session_url;
    let (key, port) = key_and_port(&url);
    let mut peer = open(([127, 0, 0, 1], port).into(), &format!("/ws?key={key}")).await.unwrap();
    peer.join("A", "main").await;
    // The creator of the first leaves; their time is over while Redis is away.
    site.presence(&user(2), 2).await;
    // What Redis answers after the presence shows that the presence has come.
    let nothing = json!({"action": "invite", "id_session": other["id_session"]});
    assert_eq!(site.redis.manage(nothing).await["status"], "invited");
    site.redis.kill();
    assert!(site.readyz(503).await.contains("OpenTera"));
    site.until_running(&[other["id_session"].as_i64().unwrap()]).await;
    peer.say(server::packet("ping", "A", "main", json!("{}"))).await;
    assert_eq!(peer.heard().await, "ping A [\"A\"]");
    site.redis.restart().await;
    let mut heard = site.redis.listen().await;
    site.redis.server_starts("the third key of the server 8901").await;
    site.ready().await;
    heard.on(&topic(Role::User, &user(2))).await;
    let rest = heard.topics().await;
    let told = |topic: &str| rest.iter().filter(|other| *other == topic).count();
    assert_eq!(told(&topic(Role::User, &user(2))), 0, "once is enough: {rest:?}");
    assert_eq!(told(&topic(Role::Participant, "bbbbbbbb-0000-4000-8000-000000000001")), 1, "{rest:?}");
    assert_eq!(site.redis.manage(stop(&session)).await["error_text"], "No matching session to stop");
    assert_eq!(site.redis.manage(stop(&other)).await["status"], "stopped");
    assert_eq!(peer.closed().await, 4001);
    site.server.app.stop().await;
}

/// A Redis that only hangs finds nothing doubled and nothing missing when it goes on.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn redis_may_hang_and_go_on() {
    let site = Site::with(|config| config.sessions.creator_grace_secs = 1).await;
    let session = site.session(2).await;
    site.presence(&user(2), 2).await;
    let mut heard = site.redis.listen().await;
    heard.topics().await;
    site.redis.signal("STOP");
    site.until_running(&[]).await;
    // Longer than a question to Redis may take.
    tokio::time::sleep(Duration::from_secs(7)).await;
    site.redis.signal("CONT");
    heard.on(&topic(Role::User, &user(2))).await;
    let rest = heard.topics().await;
    assert_eq!(rest.iter().filter(|topic| topic.starts_with("websocket.")).count(), 1, "{rest:?}");
    assert_eq!(site.redis.manage(stop(&session)).await["error_text"], "No matching session to stop");
    site.server.app.stop().await;
}

/// A creator who comes back in time keeps the session; one who does not, ends it; and everybody
/// who comes is invited again.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn creators_have_their_grace() {
    let site = Site::with(|config| config.sessions.creator_grace_secs = 1).await;
    let session = site.session(2).await;
    let id = session["id_session"].as_i64().unwrap();
    let mut heard = site.redis.listen().await;
    site.presence(&user(2), 2).await;
    site.presence(&user(2), 1).await;
    let again = join_event(&heard.on(&topic(Role::User, &user(2))).await);
    assert_eq!(again.session_users, [user(2)]);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(site.running().await, [id]);
    // Somebody else who leaves ends nothing.
    site.presence(&user(9), 2).await;
    site.presence(&user(2), 2).await;
    site.until_running(&[]).await;
    site.until_none_in_progress().await;
    site.server.app.stop().await;
}

/// A restart of ours: the sessions are served again with their keys, and the server's calls find them.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn sessions_survive_a_restart_of_ours() {
    let directory = std::env::temp_dir().join(format!("viderehab-opentera-{}", std::process::id()));
    let (redis, rest) = (Redis::start().await, Rest::start().await);
    redis.server_starts("the first key of the server 1234").await;
    let mut settings = with_opentera(config(), &redis, &rest);
    settings.server.data_dir = directory.display().to_string();
    settings.sessions.creator_grace_secs = 0;
    let mut site = Site { redis, rest, server: server::start(settings.clone()).await };
    site.ready().await;
    let (session, other) = (site.session(2).await, site.session(3).await);
    let url = session["session_url_users"].as_str().unwrap();
    // One whose end the server has not noted yet is not served, and still known.
    site.rest.fault(POST_EVENTS, Fault::Status(500));
    assert_eq!(site.redis.manage(stop(&other)).await["status"], "error");
    site.server.app.stop().await;
    site.server = server::start(settings).await;
    site.ready().await;
    assert_eq!(site.running().await, [session["id_session"].as_i64().unwrap()]);
    let (key, port) = key_and_port(url);
    open(([127, 0, 0, 1], port).into(), &format!("/ws?key={key}")).await.expect("the key is as good as before");
    assert_eq!(site.redis.manage(stop(&session)).await["status"], "stopped");
    assert_eq!(site.redis.manage(stop(&other)).await["status"], "stopped");
    assert_eq!(site.redis.manage(stop(&other)).await["error_text"], "No matching session to stop");
    site.server.app.stop().await;
    std::fs::remove_dir_all(directory).unwrap();
}

/// It may be there before its server: it says what it waits for, and begins by itself.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn it_waits_for_a_server_that_is_not_there_yet() {
    let (redis, rest) = (Redis::start().await, Rest::start().await);
    let site = Site { server: server::start(with_opentera(config(), &redis, &rest)).await, redis, rest };
    let waiting = site.readyz(503).await;
    for _ in 0..100 {
        if site.server.get("/readyz").await.text().contains("service.VideoRehabService") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(site.server.get("/readyz").await.text().contains("service.VideoRehabService"), "{waiting}");
    site.redis.server_starts("the first key of the server 1234").await;
    site.ready().await;
    site.session(2).await;
    site.server.app.stop().await;
}

/// A certificate that nobody vouches for is not believed; said plainly.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn an_unknown_certificate_is_refused() {
    let other = Rest::start().await;
    let site = Site::with(|config| {
        config.opentera.as_mut().unwrap().backend.ca_file = other.ca_file.display().to_string();
    })
    .await;
    let reply = site.redis.manage(start(2)).await;
    let text = reply["error_text"].as_str().unwrap();
    assert!(text.starts_with("Cannot create session: ") && text.contains("certificate"), "{text}");
    assert_eq!(site.rest.made(), []);
    site.server.app.stop().await;
}

/// An engine of its own: started with the original's arguments, its death frees the port.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_program_may_serve_the_sessions() {
    let directory = std::env::temp_dir().join(format!("viderehab-engine-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("engine.sh"), "echo \"$@\" > \"arguments.$$\"\nexec sleep 60\n").unwrap();
    let site = Site::with(|config| {
        config.webrtc.executable = "sh".to_owned();
        config.webrtc.script = "engine.sh".to_owned();
        config.webrtc.working_directory = directory.display().to_string();
        config.webrtc.max_sessions = 1;
    })
    .await;
    let mut heard = site.redis.listen().await;
    let session = site.session(2).await;
    let (key, port) = key_and_port(session["session_url_users"].as_str().unwrap());
    assert_eq!(session["session_key"], key.as_str());
    assert_eq!(heard.topics().await, [""; 0], "nobody is invited before the program is up");
    site.redis.publish(&format!("webrtc.{key}"), b"Ready!").await;
    let url = join_event(&heard.on(&topic(Role::User, &user(2))).await).session_url;
    assert_eq!(url, session["session_url_users"].as_str().unwrap());
    let wrote = std::fs::read_dir(&directory).unwrap().flatten().find(|file| file.file_name() != "engine.sh").unwrap();
    let arguments = std::fs::read_to_string(wrote.path()).unwrap();
    assert!(
        arguments.starts_with(&format!("--port={port} --key={key} --debug=1 --redis_hostname=127.0.0.1")),
        "{arguments}"
    );
    let process = wrote.file_name().into_string().unwrap().replace("arguments.", "");
    assert!(std::process::Command::new("kill").args(["-9", &process]).status().unwrap().success());
    site.until_running(&[]).await;
    assert_eq!(site.redis.manage(stop(&session)).await["status"], "stopped");
    let again = site.session(2).await;
    assert_eq!(key_and_port(again["session_url_users"].as_str().unwrap()).1, port, "the port is back");
    site.server.app.stop().await;
    std::fs::remove_dir_all(directory).unwrap();
}
