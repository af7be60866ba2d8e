//! How many instructions the pure core takes, counted by valgrind, so that the figures repeat whatever else the machine
//! does:
//!
//!     cargo bench --bench core                 # compares with benches/core.txt, fails where it is over
//!     cargo bench --bench core -- --accept     # writes it anew: after a gain, or with another compiler
//!
//! Each piece of work runs in a process of its own; what that process takes without any work is taken off.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, ExitCode};

use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use viderehab::room::easyrtc::{EasyRtc, Given, Limits as EasyRtcLimits, Output, Request};
use viderehab::room::{Admission, Limits, PeerId, Rooms};
use viderehab::wire::easyrtc::Event;
use viderehab::wire::websocket::{Opcode, Reader, frame};
use viderehab::wire::{Batch, Form, Text, sockjs};

/// What a count may be over the accepted one, as a factor and besides: hash maps have random seeds, libraries have code
/// for each processor, and the compiler lays out each build a little otherwise.
const TOLERANCE: (f64, f64) = (1.05, 10.0);

/// How often each piece of work is done.
const TIMES: usize = 2_000;

/// A piece of work: what it is called, what is counted, and the work, which answers how many of that it did.
type Work = (&'static str, &'static str, fn() -> usize);

const WORKS: [Work; 10] = [
    ("pair", "a packet of 200 bytes to one other, taken at once", || relay(2, 200, 1)),
    ("pair-batch", "the same, eight at a time", || relay(2, 200, 8)),
    ("pair-large", "a packet of 3000 bytes to one other", || relay(2, 3000, 1)),
    ("room", "a packet of 200 bytes to 49 others, each", || relay(50, 200, 1)),
    ("room-batch", "the same, eight at a time", || relay(50, 200, 8)),
    ("join", "a peer that joins a room of ten and leaves it", join),
    ("easyrtc", "an easyrtcMsg of 600 bytes to one other", easyrtc),
    ("read-frame", "a client's frame of 200 bytes", read_frames),
    ("write-frame", "a server's frame of 200 bytes", write_frames),
    ("sockjs", "a SockJS message of 200 bytes, read and quoted", sockjs_messages),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.first().map(String::as_str) {
        None => compare(),
        Some("--accept") => accept(),
        Some("nothing") => ExitCode::SUCCESS,
        Some(name) => {
            let (_, _, work) = WORKS.iter().find(|(known, ..)| *known == name).expect("a piece of work");
            println!("{}", work());
            ExitCode::SUCCESS
        }
    }
}

/// The file of what was accepted: a line each, name and count.
fn accepted_file() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/core.txt")
}

fn compare() -> ExitCode {
    let text = std::fs::read_to_string(accepted_file()).expect("benches/core.txt is there");
    let accepted: BTreeMap<&str, f64> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .map(|(name, count)| (name, count.trim().parse().expect("a count")))
        .collect();
    let mut over = 0;
    for (name, what, count) in counts() {
        let accepted = *accepted.get(name).unwrap_or_else(|| panic!("{name} is not in benches/core.txt"));
        let is_over = count > accepted * TOLERANCE.0 + TOLERANCE.1;
        over += usize::from(is_over);
        println!(
            "{name:12} {count:8.0} instructions, {accepted:8.0} accepted{}: {what}",
            if is_over { "  OVER" } else { "" }
        );
    }
    if over == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn accept() -> ExitCode {
    let mut text = "# Instructions that `cargo bench --bench core` counted and that are accepted.\n".to_owned();
    for (name, _, count) in counts() {
        writeln!(text, "{name} {count:.0}").expect("a text takes all");
    }
    std::fs::write(accepted_file(), text).expect("benches/core.txt can be written");
    ExitCode::SUCCESS
}

fn counts() -> impl Iterator<Item = (&'static str, &'static str, f64)> {
    let (nothing, _) = instructions("nothing");
    WORKS.iter().map(move |(name, what, _)| {
        let (all, done) = instructions(name);
        (*name, *what, (all - nothing) / done)
    })
}

/// The instructions of a process that does this work, and how much it did.
fn instructions(work: &str) -> (f64, f64) {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("a program"))
        .arg(work)
        .output()
        .expect("valgrind is installed");
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    let collected = told.lines().find_map(|line| line.split_once("Collected :")).expect("a count").1;
    (collected.trim().parse().expect("a number"), said.trim().parse().unwrap_or(1.0))
}

fn packet(user: PeerId, event: &str, payload: impl Serialize) -> String {
    json!({"Header": {"Event": event, "UserId": format!("u{user}"), "RoomId": "main"}, "Payload": payload}).to_string()
}

/// A broadcast of so many bytes.
fn broadcast(bytes: usize) -> String {
    let filled = |fill: usize| packet(1, "broadcast", json!({"from": 1, "at": 1_795_358_633, "sdp": "x".repeat(fill)}));
    filled(bytes - filled(0).len())
}

fn rooms(members: PeerId) -> Rooms<()> {
    let limits = Limits { rooms: 100, log_bytes: 1 << 20, session_bytes: 32 << 20 };
    let mut rooms = Rooms::new("the session's key".to_owned(), limits);
    for who in 1..=members {
        rooms.enter(who, Admission::Keyed, ());
        rooms.apply(who, &packet(who, "connect", "{}"), &mut |()| ());
    }
    (1..=members).for_each(|who| _ = take(&mut rooms, who, &mut Due::default()));
    rooms
}

/// What one peer is due, of which a connection writes what is due to several once.
#[derive(Default)]
struct Due {
    count: usize,
    common: Option<(Text, usize)>,
    is_common: bool,
}

impl Batch for Due {
    fn add(&mut self, _text: &str) {
        self.count += 1;
        if let Some((_, here)) = self.common.as_mut().filter(|_| self.is_common) {
            *here = self.count;
        }
    }

    fn begin_common(&mut self, first: &Text) -> usize {
        if !self.common.as_ref().is_some_and(|(text, _)| text.is(first)) {
            self.common = Some((first.clone(), 0));
        }
        self.is_common = true;
        self.count = self.common.as_ref().map_or(0, |(_, here)| *here);
        self.count
    }
}

/// How many messages were due to a peer, in one batch.
fn take(rooms: &mut Rooms<()>, who: PeerId, due: &mut Due) -> usize {
    (due.count, due.is_common) = (0, false);
    assert!(!rooms.take(who, Form::Plain, due, &mut |()| ()));
    due.count
}

/// One member says so many packets, then all take what is due.
fn relay(members: PeerId, bytes: usize, at_once: usize) -> usize {
    let mut rooms = rooms(members);
    let said = broadcast(bytes);
    let (mut heard, mut due) = (0, Due::default());
    for _ in 0..TIMES / at_once {
        for _ in 0..at_once {
            rooms.apply(1, &said, &mut |()| ());
        }
        heard += (1..=members).map(|who| take(&mut rooms, who, &mut due)).sum::<usize>();
    }
    assert_eq!(heard, TIMES * (members as usize - 1));
    heard
}

fn join() -> usize {
    let (mut rooms, mut due) = (rooms(9), Due::default());
    for who in 10..10 + TIMES as PeerId {
        rooms.enter(who, Admission::Keyed, ());
        rooms.apply(who, &packet(who, "connect", "{}"), &mut |()| ());
        rooms.exit(who, &mut |()| ());
        (1..=9).for_each(|who| _ = take(&mut rooms, who, &mut due));
    }
    TIMES
}

fn easyrtc() -> usize {
    let mut easyrtc = EasyRtc::new(EasyRtcLimits { members: 100, rooms: 100 });
    (1..=2).for_each(|who| easyrtc.enter(who));
    let mut apply = |who: PeerId, event: Event, argument: &RawValue| {
        let request = Request { event, argument: Some(argument), ack: true };
        let mut given =
            Given { now: 1_000_000, new_id: &mut || format!("{who:016}"), ice_servers: &mut || "[]".to_owned() };
        let mut written = String::new();
        for output in easyrtc.apply(who, request, &mut given) {
            if let Output::Emit(emit) = output {
                emit.write_argument(&mut written);
            }
        }
        written.len()
    };
    let raw = |message: &serde_json::Value| to_raw_value(message).expect("JSON");
    let login = raw(&json!({"msgType": "authenticate", "msgData": {"apiVersion": "1"}}));
    (1..=2).for_each(|who| _ = apply(who, Event::Auth, &login));
    let letter = raw(&json!({"msgType": "bench", "msgData": "x".repeat(600), "targetEasyrtcid": format!("{:016}", 2)}));
    let heard = (0..TIMES).filter(|_| apply(1, Event::Msg, &letter) > 600).count();
    assert_eq!(heard, TIMES);
    heard
}

fn read_frames() -> usize {
    let mut masked = vec![0x81, 0x80 | 126, 0, 200, 1, 2, 3, 4];
    masked.extend((0..200).map(|at| b'x' ^ [1, 2, 3, 4][at % 4]));
    let (mut reader, mut bytes) = (Reader::new(1000), vec![0; masked.len()]);
    for _ in 0..TIMES {
        bytes.copy_from_slice(&masked);
        assert!(matches!(reader.read(&mut bytes), Ok(Some((_, 208)))));
    }
    TIMES
}

fn write_frames() -> usize {
    let (text, mut written) = ([b'x'; 200], Vec::new());
    for _ in 0..TIMES {
        written.clear();
        frame(Opcode::Text, &text, &mut written);
        assert_eq!(written.len(), 204);
    }
    TIMES
}

fn sockjs_messages() -> usize {
    let array = serde_json::to_string(&[broadcast(200)]).expect("JSON");
    for _ in 0..TIMES {
        let messages = sockjs::decode_frame(&array).expect("an array of texts");
        assert!(sockjs::quote(&messages[0]).len() > 200);
    }
    TIMES
}
