//! What one session does to another when it fails.

use std::net::{IpAddr, Ipv4Addr};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::mpsc;

use super::connection::{Connection, Ear};
use super::gate::Gate;
use super::keys::{KeyRing, NO_KEY};
use super::line::tell_each_turn;
use super::{Plan, Session, Shared};
use crate::config::Config;
use crate::http::origin::Origins;
use crate::metrics::Metrics;
use crate::room::Admission;
use crate::tasks::Threads;
use crate::transport::{Carrier, Endpoint, Form, Rest};
use crate::wire::manage::Role;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How long what must come may take.
const SOON: Duration = Duration::from_secs(5);

fn shared() -> Arc<Shared> {
    let mut config = Config::default();
    (config.limits.packets_per_second, config.limits.connections_per_address) = (0, 0);
    Arc::new(Shared {
        origins: Origins::new([]),
        gate: Gate::new(&config.limits),
        metrics: Metrics::new(),
        threads: Threads::start(tell_each_turn).unwrap(),
        config,
    })
}

/// Two sessions on one thread.
fn neighbours(shared: &Arc<Shared>) -> [Arc<Session>; 2] {
    let turns = std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2) as i64;
    let mut sessions = (0..=turns).map(|id| {
        let plan = Plan {
            id,
            run: 1,
            port: 1,
            name: String::new(),
            session_key: "the session's key".to_owned(),
            keys: KeyRing::new(),
            creator: None,
            presence: mpsc::unbounded_channel().0,
        };
        Session::new(plan, shared.clone())
    });
    let first = sessions.next().unwrap();
    [first, sessions.next_back().unwrap()]
}

fn packet(event: &str, user: &str, payload: &str) -> String {
    format!(r#"{{"Header":{{"Event":"{event}","UserId":"{user}","RoomId":"main"}},"Payload":"{payload}"}}"#)
}

fn connection(session: &Arc<Session>) -> Connection {
    let grant = session.check_key(session.keys().role(Role::User).reveal()).unwrap();
    session.open(grant, Admission::Keyed, Carrier::RawWebSocket, HOME).unwrap()
}

/// Somebody in the room whose connection is a task of the session, as a transport's is.
struct Member {
    connection: Arc<Connection>,
    user: &'static str,
    heard: mpsc::UnboundedReceiver<String>,
}

impl Member {
    fn join(session: &Arc<Session>, user: &'static str) -> Self {
        let connection = Arc::new(connection(session));
        let (sender, heard) = mpsc::unbounded_channel();
        let reading = connection.clone();
        session.tasks.spawn(async move {
            loop {
                reading.changed().await;
                let mut texts = Vec::new();
                let rest = reading.take(Form::Plain, &mut |text: &str| texts.push(text.to_owned()));
                for text in texts {
                    let _ = sender.send(text);
                }
                if matches!(rest, Rest::End(_)) {
                    return;
                }
            }
        });
        connection.receive(&packet("connect", user, "{}"), &mut Ear::default());
        Self { connection, user, heard }
    }

    fn say(&self, payload: &str) {
        self.connection.receive(&packet("broadcast", self.user, payload), &mut Ear::default());
    }

    /// Waits for a packet of this kind, by this user.
    async fn hears(&mut self, event: &str, user: &str) -> Value {
        let next = async {
            loop {
                let packet: Value = serde_json::from_str(&self.heard.recv().await.expect("it is connected")).unwrap();
                if packet["Header"]["Event"] == event && packet["Header"]["UserId"] == user {
                    return packet;
                }
            }
        };
        tokio::time::timeout(SOON, next).await.unwrap_or_else(|_| panic!("{event} of {user} does not come"))
    }
}

/// Most of what an idle connection takes, and of what each packet has to touch.
#[tokio::test]
async fn a_connection_takes_little() {
    let shared = shared();
    let [session, _] = neighbours(&shared);
    let connection = connection(&session);
    let bytes = [size_of_val(&connection), size_of_val(&connection.changed())];
    assert!(bytes[0] <= 208 && bytes[1] <= 32, "{bytes:?}");
}

/// Whoever is told at once is told again of what comes in the same turn, and writes to its client while there is more to read.
#[tokio::test]
async fn the_others_are_told_at_the_end_of_the_turn() {
    tokio::spawn(tell_each_turn());
    let shared = shared();
    let [session, _] = neighbours(&shared);
    let is_told =
        async |connection: &Connection| tokio::time::timeout(Duration::ZERO, connection.changed()).await.is_ok();
    let all = ["ann", "bob"].map(|user| {
        let connection = connection(&session);
        connection.receive(&packet("connect", user, "{}"), &mut Ear::default());
        connection
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    for connection in &all {
        assert!(is_told(connection).await, "both have come");
        connection.take(Form::Plain, &mut |_: &str| {});
    }
    all[0].receive(&packet("broadcast", "ann", "a word"), &mut Ear::default());
    assert!(all[1].changed().now_or_never().is_none());
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(is_told(&all[1]).await && !is_told(&all[0]).await);
}

/// The 99th of a hundred times that a word takes.
async fn p99(speaker: &Member, listener: &mut Member) -> Duration {
    let mut times = Vec::new();
    for number in 0..100 {
        let since = Instant::now();
        speaker.say(&number.to_string());
        assert_eq!(listener.hears("broadcast", speaker.user).await["Payload"], number.to_string());
        times.push(since.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    times.sort_unstable();
    times[98]
}

/// Connections of one session fail, with its state in hand, all the time. They alone are gone: their own session
/// goes on, and the one beside it on the same thread takes no longer than it did.
#[tokio::test]
async fn a_panic_is_its_connections_own() {
    let shared = shared();
    let [failing, other] = neighbours(&shared);
    let mut survivor = Member::join(&failing, "survivor");
    let (ann, mut bob) = (Member::join(&other, "ann"), Member::join(&other, "bob"));
    let before = p99(&ann, &mut bob).await;
    let victims = failing.clone();
    let failures = tokio::spawn(async move {
        for _ in 0..100 {
            let session = victims.clone();
            let task = victims.tasks.spawn(async move {
                let connection = connection(&session);
                connection.receive(&packet("connect", "victim", "{}"), &mut Ear::default());
                let _state = session.state();
                // As a panic, but for the report on standard error.
                resume_unwind(Box::new("a fault"));
            });
            assert!(task.await.unwrap_err().is_panic());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    let during = p99(&ann, &mut bob).await;
    failures.await.unwrap();
    assert!(during < before * 3 + Duration::from_millis(5), "{during:?}, and {before:?} without failures");
    assert!(failing.state.is_poisoned(), "the state was in hand");
    for _ in 0..100 {
        survivor.hears("connect", "victim").await;
        survivor.hears("disconnect", "victim").await;
    }
    let late = Member::join(&failing, "late");
    survivor.hears("connect", "late").await;
    late.say("anybody here?");
    assert_eq!(survivor.hears("broadcast", "late").await["Payload"], "anybody here?");
    assert_eq!(failing.state().peer_count(NO_KEY), (2, 0), "who failed is gone");
}
