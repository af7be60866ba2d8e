//! Where a replay is not simply as recorded, and why. `TREATED.md` beside the recordings says the same.

use std::path::Path;

use serde_json::Value;

use super::Kind;
use super::recording::{self, Act, Entry, Recording};

/// A recording that is ready to be replayed: its entries are as they are to be here.
#[derive(Clone)]
pub struct Prepared {
    /// The recording, treated.
    pub recording: Recording,
    /// What else to observe.
    pub plan: Plan,
}

/// How one recording is replayed.
#[derive(Clone, Default)]
pub struct Plan {
    /// Why it is not replayed at all.
    pub skip: Option<&'static str>,
    /// Why it is not, or not only, as recorded.
    pub reason: Option<&'static str>,
    /// Whether it is about time, so that recorded gaps are kept.
    pub timed: bool,
    /// Whether WebSocket pings are answered.
    pub pongs: bool,
}

/// One line of the table.
pub struct Treatment {
    /// The recording's file name, up to the first full stop.
    pub name: &'static str,
    /// What is done with it.
    pub change: Change,
    /// Why.
    pub reason: &'static str,
}

/// What is done with a recording.
pub enum Change {
    /// It is not replayed.
    Skip,
    /// Its entries are changed first.
    Edit(fn(Vec<Entry>) -> Vec<Entry>),
    /// It is about time: the gaps are kept.
    Timed,
    /// Likewise, and its entries are changed first.
    TimedEdit(fn(Vec<Entry>) -> Vec<Entry>),
    /// Likewise, and pings stay unanswered.
    TimedWithoutPongs,
    /// The server under test has to be set up for it.
    Server,
    /// The comparison knows of another form of the same.
    Compare,
}

/// Why recordings of what the old server does are left out where there is a better way.
pub const REFERENCE: &str = "what the old server does where it is not to be copied";

/// The event of an entry that is an error packet, whatever its words.
pub const ERROR_PACKET: &str = "error-packet";

const CONNECT: &str = r#""Event":"connect""#;
const BROADCAST: &str = r#""Event":"broadcast""#;

/// The treated recordings of a kind.
pub fn table(kind: Kind) -> &'static [Treatment] {
    match kind {
        Kind::Videre => VIDERE,
        Kind::Sockjs => SOCKJS,
    }
}

const fn row(name: &'static str, change: Change, reason: &'static str) -> Treatment {
    Treatment { name, change, reason }
}

const VIDERE: &[Treatment] = &[
    row(
        "10-double-connect-with-other",
        Change::Edit(joiner_is_initiator),
        "a joiner is initiator when no present member is, so both copies of the third connect say true",
    ),
    row("18-ping-unknown-room", Change::Edit(replies_are_errors), "a ping from outside the room gets an error packet"),
    row("22-ping-proto-names", Change::Edit(replies_are_errors), "a ping from outside the room gets an error packet"),
    row("27-ping-by-outsider", Change::Edit(outsider_gets_error), "a ping from outside the room gets an error packet"),
    row(
        "30-large-payload",
        Change::Server,
        "the limit on a packet's size is raised; a test of its own has the default",
    ),
    row(
        "32-spoofed-user-id",
        Change::Edit(broadcast_is_refused),
        "a broadcast under another's name reaches nobody, and its sender gets an error packet",
    ),
    row(
        "40-real-client-two-peers",
        Change::Edit(browsers_close),
        "the browsers closed their sockets, of which only the end was recorded",
    ),
    row(
        "41-over-xhr-polling",
        Change::TimedEdit(without_poll_for_own_copies),
        "the poll that fetches only the sender's own copies is left out; waits five seconds",
    ),
];

const SOCKJS: &[Treatment] = &[
    row("03-info", Change::Server, ORIGINS),
    row("04-info-preflight", Change::Server, ORIGINS),
    row("21-xhr-cors", Change::Server, ORIGINS),
    row("25-xhr-server-close", Change::Timed, "waits five seconds"),
    row("27-session-timeout", Change::Timed, "waits five seconds"),
    row("30-xhr-streaming", Change::Server, ORIGINS),
    row("41-htmlfile", Change::Compare, "the < in the text given to p(...) may be written as \\u003c, as it should be"),
    row("52-non-string-elements", Change::Skip, "outside the protocol: such a request is refused"),
    row("53-heartbeat-streaming", Change::Timed, "waits half a minute"),
    row("54-heartbeat-polling", Change::Timed, "waits half a minute"),
    row(
        "55-heartbeat-websocket",
        Change::Timed,
        "waits half a minute; the heartbeat may be a ping, an h frame or both",
    ),
    row(
        "56-heartbeat-websocket-no-pong",
        Change::TimedWithoutPongs,
        "waits half a minute; the heartbeat may be a ping, an h frame or both",
    ),
    row("57-lone-surrogates", Change::Compare, "U+FFFD may stand for each lone surrogate"),
];

const ORIGINS: &str = "the server under test allows the origins it uses";

/// Reads the recordings of a directory and treats them.
pub fn prepared(directory: &Path, kind: Kind) -> Result<Vec<Prepared>, String> {
    Ok(recording::load(directory)?.into_iter().map(|recording| prepare(recording, kind)).collect())
}

fn prepare(mut recording: Recording, kind: Kind) -> Prepared {
    let mut plan = Plan { pongs: true, ..Plan::default() };
    if recording.name.ends_with(".reference") {
        plan.skip = Some(REFERENCE);
        return Prepared { recording, plan };
    }
    let stem = recording.name.split('.').next().unwrap_or_default();
    if let Some(treatment) = table(kind).iter().find(|treatment| treatment.name == stem) {
        plan.reason = Some(treatment.reason);
        match treatment.change {
            Change::Skip => plan.skip = Some(treatment.reason),
            Change::Edit(edit) => recording.entries = edit(recording.entries),
            Change::Timed => plan.timed = true,
            Change::TimedEdit(edit) => {
                plan.timed = true;
                recording.entries = edit(recording.entries);
            }
            Change::TimedWithoutPongs => {
                plan.timed = true;
                plan.pongs = false;
            }
            Change::Server | Change::Compare => {}
        }
    }
    Prepared { recording, plan }
}

/// The last two answers to a connect say true instead of false.
fn joiner_is_initiator(mut entries: Vec<Entry>) -> Vec<Entry> {
    let joins = entries.iter_mut().rev().filter(|entry| entry.by_server() && entry.frame().contains(CONNECT));
    for entry in joins.take(2) {
        entry.act = Act::Frame(entry.frame().replace(r#""Payload":"false""#, r#""Payload":"true""#));
    }
    entries
}

fn replies_are_errors(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.iter_mut().filter(|entry| entry.by_server()).for_each(become_error);
    entries
}

fn outsider_gets_error(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.iter_mut().filter(|entry| entry.to.as_deref() == Some("outsider")).for_each(become_error);
    entries
}

/// The copy to the sender becomes an error packet, the other is gone.
fn broadcast_is_refused(mut entries: Vec<Entry>) -> Vec<Entry> {
    let passed_on = |entry: &Entry| entry.by_server() && entry.frame().contains(BROADCAST);
    entries.retain(|entry| !passed_on(entry) || entry.optional);
    entries.iter_mut().filter(|entry| passed_on(entry)).for_each(become_error);
    entries
}

fn become_error(entry: &mut Entry) {
    entry.act = Act::Event { name: ERROR_PACKET.into(), payload: Value::Null };
    entry.optional = false;
}

/// Before the recorded end of a socket its client closes it.
fn browsers_close(entries: Vec<Entry>) -> Vec<Entry> {
    let mut closing = Vec::new();
    for entry in entries {
        if entry.event() == "ws-close" {
            let act = Act::Event { name: "ws-close-sent".into(), payload: Value::Null };
            closing.push(Entry { from: entry.client().into(), to: None, act, ..entry.clone() });
        }
        closing.push(entry);
    }
    closing
}

/// The request whose answer is the sender's own broadcasts goes, and its answer.
fn without_poll_for_own_copies(mut entries: Vec<Entry>) -> Vec<Entry> {
    let own = |entry: &&Entry| entry.to.as_deref() == Some("peer1") && entry.text("body").contains("broadcast");
    let polled = entries.iter().find(own).map(|entry| entry.number("id"));
    entries.retain(|entry| Some(entry.number("id")) != polled);
    entries
}
