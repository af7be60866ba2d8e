//! Rooms whose members talk all the time and lose their connections at random, each checking all that it hears.
//!
//! Everybody numbers what they say, anew with each seat. Between two seats of a speaker the others must have seen
//! them leave and come; within one seat, and as long as the hearer keeps its own, each number comes once and in order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::binary::Binary;
use super::remote::Remote;
use super::resuming::{Loss, Resuming};

/// How many share a room.
const ROOM: usize = 4;
/// How often each says something.
const EVERY: Duration = Duration::from_millis(100);
/// How much later than meant a cut may begin or end for the server.
const SLACK: Duration = Duration::from_secs(1);

/// What is to happen.
#[derive(Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    pub rooms: usize,
    /// Of each member.
    pub cuts: usize,
    /// The shortest and the longest.
    pub away: (Duration, Duration),
    /// The longest time between two.
    pub between: Duration,
    /// `resume_grace_secs` of the server.
    pub grace: Duration,
}

/// One loss of a connection and how it ended.
pub struct Cut {
    pub how: Loss,
    pub away: Duration,
    pub resumed: bool,
}

/// What all have seen together.
#[derive(Default)]
pub struct Report {
    pub cuts: Vec<Cut>,
    pub heard: u64,
}

/// Runs the plan. Panics, with what was seen, if anything was lost, doubled, out of order, or seen that should not be.
pub async fn run(server: &Binary, plan: Plan) -> Report {
    let manager = Remote::of(server);
    let barrier = Arc::new(Barrier::new(plan.rooms * ROOM));
    let mut tasks = JoinSet::new();
    for room in 0..plan.rooms {
        let users: Vec<_> = (0..ROOM).map(|number| format!("U{number}")).collect();
        let session = manager.session_of(&users).await;
        let mut members: Vec<Member> = Vec::new();
        for (number, user) in users.iter().enumerate() {
            // Half of them by the session's own port, the others by the front door.
            let port = session.address().port();
            let address = if number.is_multiple_of(2) { session.address() } else { manager.address };
            let path = format!("/websocket/{port}/ws?key={}", session.key(user));
            members.push(Member::join(address, path, user, &users).await);
        }
        for (number, member) in members.into_iter().enumerate() {
            let chance = StdRng::seed_from_u64(plan.seed ^ ((room * ROOM + number) as u64) << 32);
            tasks.spawn(member.live(plan, chance, barrier.clone()));
        }
    }
    let mut report = Report::default();
    while let Some(member) = tasks.join_next().await {
        // The first that fails ends all: its panic says what it saw.
        let member = member.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        report.cuts.extend(member.cuts);
        report.heard += member.heard;
    }
    report
}

/// What a member knows of another.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Other {
    /// Nothing: one's own seat is new.
    Unknown,
    /// Is in the room, and has said nothing yet; not on this seat of theirs or an earlier one.
    Came {
        after: Option<u64>,
    },
    /// This number is next, on this seat.
    Said {
        seat: u64,
        next: u64,
    },
    Left {
        seat: Option<u64>,
    },
    Finished,
}

struct Member {
    client: Resuming,
    user: String,
    others: HashMap<String, Other>,
    next: Instant,
    said: u64,
    cuts: Vec<Cut>,
    heard: u64,
}

impl Member {
    async fn join(address: std::net::SocketAddr, path: String, user: &str, users: &[String]) -> Self {
        let client = Resuming::join(address, path, user).await;
        let others = users.iter().filter(|other| *other != user).map(|other| (other.clone(), Other::Unknown)).collect();
        Self { client, user: user.to_owned(), others, next: Instant::now(), said: 0, cuts: Vec::new(), heard: 0 }
    }

    async fn live(mut self, plan: Plan, mut chance: StdRng, barrier: Arc<Barrier>) -> Self {
        for _ in 0..plan.cuts {
            let between = chance.random_range(Duration::ZERO..plan.between);
            let away = chance.random_range(plan.away.0..plan.away.1);
            let how = [Loss::Closed, Loss::Reset, Loss::Silent][chance.random_range(0..3)];
            self.talk_until(Instant::now() + between).await;
            self.be_away(how, away, plan.grace).await;
        }
        // Nobody says a last word before all are back for good.
        let mut all_are_back = std::pin::pin!(barrier.wait());
        while tokio::time::timeout(Duration::ZERO, all_are_back.as_mut()).await.is_err() {
            self.talk_until(Instant::now() + EVERY).await;
        }
        self.say(true).await;
        while self.others.values().any(|other| *other != Other::Finished) {
            let until = Instant::now() + Duration::from_secs(30);
            let packet = self.client.hear_until(until).await;
            self.take(&packet.unwrap_or_else(|| panic!("{}: no last word: {:?}", self.user, self.others)));
        }
        self.client.settle().await;
        self
    }

    async fn talk_until(&mut self, end: Instant) {
        while Instant::now() < end {
            if self.next <= Instant::now() {
                self.say(false).await;
            } else if let Some(packet) = self.client.hear_until(self.next.min(end)).await {
                self.take(&packet);
            }
        }
    }

    /// Loses its connection for a while, and goes on talking to itself.
    async fn be_away(&mut self, how: Loss, away: Duration, grace: Duration) {
        let (resumed, anew) = (self.client.resumed, self.client.anew);
        let end = Instant::now() + away;
        self.client.lose(how);
        while self.next < end {
            sleep_until(self.next).await;
            self.say(false).await;
        }
        sleep_until(end).await;
        self.client.come_back().await;
        let is_resumed = self.client.resumed > resumed;
        if is_resumed {
            assert_eq!(self.client.anew, anew, "{}: is back and has begun anew", self.user);
        } else {
            assert!(away + SLACK > grace, "{}: away for {away:?} and not let back: {:?}", self.user, self.client.told);
            assert!(self.client.told.is_some(), "{}: nobody says why it is not let back", self.user);
            self.said = 0;
            self.others.values_mut().for_each(|other| *other = Other::Unknown);
        }
        // The time runs from when the server notices, which for a silent loss it does not for long.
        let too_late = away > grace + SLACK && !matches!(how, Loss::Silent);
        assert!(!(is_resumed && too_late), "{}: let back after {away:?}", self.user);
        self.cuts.push(Cut { how, away, resumed: is_resumed });
    }

    async fn say(&mut self, is_last: bool) {
        self.client.say(&json!({"seat": self.client.anew, "number": self.said, "last": is_last})).await;
        self.said += 1;
        self.next = (self.next + EVERY).max(Instant::now());
    }

    fn take(&mut self, packet: &Value) {
        let (event, from) = (packet["Header"]["Event"].as_str(), packet["Header"]["UserId"].as_str().unwrap());
        if from == self.user {
            // One's own seat began anew, and this is the echo.
            assert_eq!(event, Some("connect"), "{packet}");
            return;
        }
        self.heard += 1;
        let other = self.others.get_mut(from).unwrap_or_else(|| panic!("{}: a stranger: {packet}", self.user));
        let known = *other;
        let unexpected = || panic!("{}: after {known:?} came {packet}", self.user);
        *other = match (event, known) {
            (Some("connect"), Other::Unknown) => Other::Came { after: None },
            (Some("connect"), Other::Left { seat }) => Other::Came { after: seat },
            (Some("disconnect"), Other::Unknown) => Other::Left { seat: None },
            (Some("disconnect"), Other::Came { after }) => Other::Left { seat: after },
            (Some("disconnect"), Other::Said { seat, .. }) => Other::Left { seat: Some(seat) },
            (Some("broadcast"), _) => {
                let number = |name: &str| packet["Payload"][name].as_u64().unwrap();
                let (seat, said) = (number("seat"), number("number"));
                let is_next = match known {
                    Other::Unknown => true,
                    Other::Came { after } => said == 0 && after.is_none_or(|after| seat > after),
                    Other::Said { seat: last, next } => (seat, said) == (last, next),
                    Other::Left { .. } | Other::Finished => false,
                };
                match (is_next, packet["Payload"]["last"] == true) {
                    (false, _) => unexpected(),
                    (true, true) => Other::Finished,
                    (true, false) => Other::Said { seat, next: said + 1 },
                }
            }
            _ => unexpected(),
        };
    }
}
