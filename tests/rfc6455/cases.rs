//! The cases, in the order of the Autobahn test suite's groups, which served as the checklist: 1 framing,
//! 2 pings and pongs, 3 reserved bits, 4 opcodes, 5 fragmentation, 6 UTF-8, 7 closing, 10 a long message in many
//! frames.

use super::raw::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, closing, frame, framed};

/// What a client in a room sends, what another hears of it, and what it gets back itself.
pub struct Case {
    pub name: String,
    pub sends: Vec<u8>,
    /// The payloads of the broadcasts that the other hears.
    pub heard: Vec<String>,
    /// How many error packets it gets: for what is a message, and no packet.
    pub errors: usize,
    pub pongs: Vec<Vec<u8>>,
    pub end: End,
}

/// What becomes of the connection.
pub enum End {
    GoesOn,
    /// The client's close is answered with this payload.
    Answered(Vec<u8>),
    /// The server fails it with this code, in words of its own.
    Failed(u16),
}

const PROTOCOL_ERROR: u16 = 1002;
const NOT_UTF8: u16 = 1007;

/// A broadcast with this payload, which needs no escapes.
pub fn broadcast(payload: &str) -> Vec<u8> {
    format!(r#"{{"Header":{{"Event":"broadcast","UserId":"A","RoomId":"main"}},"Payload":"{payload}"}}"#).into_bytes()
}

/// A broadcast with these bytes in it, and where they begin.
fn broadcast_of(bytes: &[u8]) -> (Vec<u8>, usize) {
    let text = broadcast("");
    let at = text.len() - 2;
    ([&text[..at], bytes, &text[at..]].concat(), at)
}

#[derive(Default)]
pub struct Cases {
    pub all: Vec<Case>,
}

impl Cases {
    fn add(&mut self, name: impl Into<String>, sends: &[&[u8]]) -> &mut Case {
        let (name, sends) = (name.into(), sends.concat());
        let case = Case { name, sends, heard: vec![], errors: 0, pongs: vec![], end: End::GoesOn };
        self.all.push(case);
        self.all.last_mut().unwrap()
    }
}

impl Case {
    fn hears(&mut self, payload: impl Into<String>) -> &mut Self {
        self.heard.push(payload.into());
        self
    }

    fn is_told_of_an_error(&mut self) -> &mut Self {
        self.errors += 1;
        self
    }

    fn pongs(&mut self, payload: impl Into<Vec<u8>>) -> &mut Self {
        self.pongs.push(payload.into());
        self
    }

    /// The server ends the connection with this code and words of its own.
    fn fails(&mut self, code: u16) {
        self.end = End::Failed(code);
    }

    fn answers(&mut self, close: impl Into<Vec<u8>>) {
        self.end = End::Answered(close.into());
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = Cases::default();
    framing(&mut cases);
    pings(&mut cases);
    reserved(&mut cases);
    opcodes(&mut cases);
    fragments(&mut cases);
    octets(&mut cases);
    super::utf8::cases(&mut cases);
    closes(&mut cases);
    cases.all
}

fn framing(cases: &mut Cases) {
    for (opcode, kind) in [(TEXT, "text"), (BINARY, "bytes")] {
        cases.add(format!("1: {kind} of 0 bytes"), &[&frame(FIN | opcode, "")]).is_told_of_an_error();
    }
    let empty = broadcast("").len();
    for length in [empty, 125, 126, 127, 128, 65_535, 65_536, 70_000] {
        let payload = "*".repeat(length - empty);
        for (opcode, kind) in [(TEXT, "text"), (BINARY, "bytes")] {
            cases
                .add(format!("1: {kind} of {length} bytes"), &[&frame(FIN | opcode, broadcast(&payload))])
                .hears(&payload);
        }
    }
    let long_form = framed(FIN | TEXT, &[0x80 | 127, 0, 0, 0, 0, 0, 0, 0, empty as u8], &broadcast(""));
    // RFC 6455, 5.2: the minimal number of bytes MUST be used; receivers need not check, and ours does not.
    cases.add("1: a length longer than need be", &[&long_form]).hears("");
}

fn pings(cases: &mut Cases) {
    cases.add("2.1: an empty ping", &[&frame(FIN | PING, "")]).pongs("");
    cases.add("2.2: a ping with text", &[&frame(FIN | PING, "Hello")]).pongs("Hello");
    let bytes = [0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff];
    cases.add("2.3: a ping with bytes that are no text", &[&frame(FIN | PING, bytes)]).pongs(bytes);
    cases.add("2.4: a ping of 125 bytes", &[&frame(FIN | PING, [0xfe; 125])]).pongs([0xfe; 125]);
    cases.add("2.5: a ping of 126 bytes", &[&frame(FIN | PING, [0xfe; 126])]).fails(PROTOCOL_ERROR);
    cases.add("2.7: a pong that nobody asked for, empty", &[&frame(FIN | PONG, "")]);
    cases.add("2.8: a pong that nobody asked for", &[&frame(FIN | PONG, "unasked")]);
    cases.add("2.9: a pong, then a ping", &[&frame(FIN | PONG, "unasked"), &frame(FIN | PING, "asked")]).pongs("asked");
    let ten: Vec<Vec<u8>> = (0..10).map(|number| frame(FIN | PING, format!("payload-{number}"))).collect();
    let case = cases.add("2.10: ten pings", &[&ten.concat()]);
    case.pongs.extend((0..10).map(|number| format!("payload-{number}").into_bytes()));
    cases.add("2: a pong of 126 bytes", &[&frame(FIN | PONG, [0; 126])]).fails(PROTOCOL_ERROR);
}

fn reserved(cases: &mut Cases) {
    for bits in 1..8 {
        let text = frame(FIN | bits << 4 | TEXT, broadcast("reserved"));
        cases.add(format!("3: text with reserved bits {bits}"), &[&text]).fails(PROTOCOL_ERROR);
        let after = [&frame(FIN | TEXT, broadcast("before"))[..], &text, &frame(FIN | PING, "after")];
        cases.add(format!("3: reserved bits {bits} after a message"), &after).hears("before").fails(PROTOCOL_ERROR);
        for (opcode, kind) in [(PING, "a ping"), (CLOSE, "a close")] {
            cases
                .add(format!("3: {kind} with reserved bits {bits}"), &[&frame(FIN | bits << 4 | opcode, "")])
                .fails(PROTOCOL_ERROR);
        }
    }
}

fn opcodes(cases: &mut Cases) {
    for opcode in (3..8).chain(11..16) {
        cases.add(format!("4: opcode {opcode}"), &[&frame(FIN | opcode, "")]).fails(PROTOCOL_ERROR);
        let after = [&frame(FIN | TEXT, broadcast("before"))[..], &frame(FIN | opcode, "x"), &frame(FIN | PING, "")];
        cases.add(format!("4: opcode {opcode} after a message"), &after).hears("before").fails(PROTOCOL_ERROR);
    }
}

fn fragments(cases: &mut Cases) {
    let whole = broadcast("fragment1fragment2");
    let (one, two) = whole.split_at(whole.len() - 11);
    let (first, last) = (frame(TEXT, one), frame(FIN | CONTINUATION, two));
    let ping = frame(FIN | PING, "between");
    cases
        .add("5.1: a ping in two fragments", &[&frame(PING, "a"), &frame(FIN | CONTINUATION, "b")])
        .fails(PROTOCOL_ERROR);
    cases
        .add("5.2: a pong in two fragments", &[&frame(PONG, "a"), &frame(FIN | CONTINUATION, "b")])
        .fails(PROTOCOL_ERROR);
    cases.add("5: a close in two fragments", &[&frame(CLOSE, "")]).fails(PROTOCOL_ERROR);
    cases.add("5.3: two fragments", &[&first, &last]).hears("fragment1fragment2");
    cases.add("5.6: a ping between them", &[&first, &ping, &last]).hears("fragment1fragment2").pongs("between");
    cases.add("5: bytes in two fragments", &[&frame(BINARY, one), &last]).hears("fragment1fragment2");
    for (name, first) in [("the end of", FIN), ("more of", 0)] {
        cases.add(format!("5.9: {name} a message that never began"), &[&frame(first, two)]).fails(PROTOCOL_ERROR);
        let after = [&first_and_last(one, two)[..], &frame(first, two)];
        cases
            .add(format!("5.11: {name} a message that is over"), &after)
            .hears("fragment1fragment2")
            .fails(PROTOCOL_ERROR);
    }
    for opcode in [TEXT, BINARY] {
        cases
            .add(format!("5.18: opcode {opcode} in the middle of a message"), &[&first, &frame(FIN | opcode, two)])
            .fails(PROTOCOL_ERROR);
    }
    let (start, middle) = (frame(TEXT, &whole[..9]), frame(CONTINUATION, &whole[9..20]));
    let end = frame(FIN | CONTINUATION, &whole[20..]);
    cases
        .add(
            "5.19: five fragments, with pings between",
            &[
                &start,
                &ping,
                &middle,
                &frame(CONTINUATION, ""),
                &frame(FIN | PING, "again"),
                &frame(CONTINUATION, ""),
                &end,
            ],
        )
        .hears("fragment1fragment2")
        .pongs("between")
        .pongs("again");
    let empty = [frame(TEXT, ""), frame(CONTINUATION, ""), frame(FIN | CONTINUATION, &whole)].concat();
    cases.add("5: empty fragments first", &[&empty]).hears("fragment1fragment2");
    let payload = "*".repeat(65_536);
    let long = broadcast(&payload);
    for size in [1300, 64 * 1024] {
        let parts: Vec<&[u8]> = long.chunks(size).collect();
        let frames = parts.iter().enumerate().map(|(at, part)| {
            let opcode = if at == 0 { TEXT } else { CONTINUATION };
            frame(if at + 1 == parts.len() { FIN | opcode } else { opcode }, part)
        });
        cases.add(format!("10: in fragments of {size} bytes"), &[&frames.collect::<Vec<_>>().concat()]).hears(&payload);
    }
}

fn first_and_last(one: &[u8], two: &[u8]) -> Vec<u8> {
    [frame(TEXT, one), frame(FIN | CONTINUATION, two)].concat()
}

/// 5.15 to 5.17, 6.1 and 6.2: continuations of nothing again and again, and fragments of one byte and of none.
fn octets(cases: &mut Cases) {
    let fragmented = broadcast("fragment1fragment2");
    for first in [CONTINUATION, FIN | CONTINUATION] {
        let again =
            [frame(first, "fragment"), frame(FIN | CONTINUATION, "fragment"), frame(FIN | TEXT, broadcast("good"))];
        cases
            .add(format!("5: {first:x}, a continuation of nothing, and a good text"), &[&again.concat()])
            .fails(PROTOCOL_ERROR);
        let (one, two) = fragmented.split_at(fragmented.len() - 11);
        let after = [
            &first_and_last(one, two)[..],
            &frame(first, "fragment"),
            &frame(FIN | CONTINUATION, "fragment"),
            &frame(FIN | TEXT, broadcast("good")),
        ];
        cases
            .add(format!("5.15: a message, {first:x}, a continuation of nothing, and a good text"), &after)
            .hears("fragment1fragment2")
            .fails(PROTOCOL_ERROR);
    }
    let nothing = [frame(TEXT, ""), frame(CONTINUATION, ""), frame(FIN | CONTINUATION, "")];
    cases.add("6.1.2: three empty fragments", &[&nothing.concat()]).is_told_of_an_error();
    let reserved = frame(FIN | BINARY | 0x50, [0, 1, 2]);
    cases.add("3.5: reserved bits of bytes", &[&reserved]).fails(PROTOCOL_ERROR);
    let text = broadcast("\u{3ba}\u{1f79}\u{10000}");
    for empty in [false, true] {
        let mut frames = frame(TEXT, "");
        for byte in &text {
            frames.extend(frame(CONTINUATION, [*byte]));
            if empty {
                frames.extend(frame(CONTINUATION, ""));
            }
        }
        frames.extend(frame(FIN | CONTINUATION, ""));
        let how = if empty { "with empty ones between" } else { "each" };
        cases.add(format!("6.2: a frame for a byte, {how}"), &[&frames]).hears("\u{3ba}\u{1f79}\u{10000}");
    }
}

fn closes(cases: &mut Cases) {
    let close = |payload: &[u8]| frame(FIN | CLOSE, payload);
    let after = [&close(&closing(1000, ""))[..], &frame(FIN | TEXT, broadcast("after")), &frame(FIN | PING, "after")];
    cases
        .add("7.1: a message, then a close", &[&frame(FIN | TEXT, broadcast("before")), &close(&closing(1000, ""))])
        .hears("before")
        .answers(closing(1000, ""));
    cases.add("7.1: two closes", &[&close(&closing(1000, "")), &close(&closing(1000, ""))]).answers(closing(1000, ""));
    cases.add("7.1: a message and a ping after the close", &after).answers(closing(1000, ""));
    cases
        .add("7.1: a close within a message", &[&frame(TEXT, "{"), &close(&closing(1000, ""))])
        .answers(closing(1000, ""));
    let long = "*".repeat(256 * 1024);
    let close_then_ping = [frame(FIN | CLOSE, closing(1000, "")), frame(FIN | PING, "after")].concat();
    cases
        .add("7.1.6: a message of 256 KB, a close, a ping", &[&frame(FIN | TEXT, broadcast(&long)), &close_then_ping])
        .hears(long)
        .answers(closing(1000, ""));
    cases.add("7.3: a close without a code", &[&close(b"")]).answers("");
    cases.add("7.3: a close of one byte", &[&close(b"a")]).fails(PROTOCOL_ERROR);
    cases.add("7.3: a reason", &[&close(&closing(1000, "bye"))]).answers(closing(1000, "bye"));
    let longest = "*".repeat(123);
    cases.add("7.3: the longest reason", &[&close(&closing(1000, &longest))]).answers(closing(1000, &longest));
    cases.add("7.3: a longer one", &[&close(&closing(1000, "*".repeat(124)))]).fails(PROTOCOL_ERROR);
    cases
        .add("7.5: a reason that is not UTF-8", &[&close(&closing(1000, [0xce, 0xba, 0xed, 0xa0, 0x80]))])
        .fails(NOT_UTF8);
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        cases.add(format!("7.7: close {code}"), &[&close(&closing(code, "why"))]).answers(closing(code, "why"));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        cases.add(format!("7.9: close {code}, which is none"), &[&close(&closing(code, ""))]).fails(PROTOCOL_ERROR);
    }
}

/// A message with these bytes in it, whole and in two frames divided within them.
pub fn text_of(cases: &mut Cases, name: &str, bytes: &[u8]) {
    let (text, at) = broadcast_of(bytes);
    let valid = std::str::from_utf8(bytes).ok();
    let mut add = |how: &str, frames: Vec<u8>| {
        let case = cases.add(format!("6: {name}, {how}"), &[&frames]);
        match valid {
            Some(valid) => drop(case.hears(valid)),
            None => case.fails(NOT_UTF8),
        }
    };
    add("whole", frame(FIN | TEXT, &text));
    for cut in 1..bytes.len() {
        let (one, two) = text.split_at(at + cut);
        add(&format!("cut after {cut}"), first_and_last(one, two));
    }
}

/// 6.7.1: zero is a character like others, which JSON wants escaped; as it is it makes a message that is no packet.
pub fn zero(cases: &mut Cases) {
    cases.add("6.7.1: an escaped zero", &[&frame(FIN | TEXT, broadcast(r"\u0000"))]).hears("\0");
    cases.add("6.7.1: a zero", &[&frame(FIN | TEXT, broadcast_of(&[0]).0)]).is_told_of_an_error();
}

/// A message that ends within a character, whole and in a frame for each byte (6.6).
pub fn ends_within(cases: &mut Cases, name: &str, bytes: &[u8]) {
    cases.add(format!("6.6: {name}, whole"), &[&frame(FIN | TEXT, bytes)]).fails(NOT_UTF8);
    let mut each = frame(TEXT, "");
    bytes.iter().for_each(|byte| each.extend(frame(CONTINUATION, [*byte])));
    each.extend(frame(FIN | CONTINUATION, ""));
    cases.add(format!("6.6: {name}, byte by byte"), &[&each]).fails(NOT_UTF8);
}

/// A message that can be told to be no text before it has ended, and never ends (6.4): its next frame does not come, or
/// the rest of the one that is under way.
pub fn fails_at_once(cases: &mut Cases, name: &str, bytes: &[u8]) {
    let (text, at) = broadcast_of(bytes);
    let (begun, rest) = text.split_at(at + bytes.len());
    cases.add(format!("6.4: {name}, and no end"), &[&frame(TEXT, begun)]).fails(NOT_UTF8);
    let without_rest = |mut frame: Vec<u8>| {
        frame.truncate(frame.len() - rest.len());
        frame
    };
    cases
        .add(format!("6.4: {name}, and no rest of the frame"), &[&without_rest(frame(FIN | TEXT, &text))])
        .fails(NOT_UTF8);
    let (one, two) = text.split_at(at + 1);
    let frames = [frame(TEXT, one), without_rest(frame(FIN | CONTINUATION, two))].concat();
    cases.add(format!("6.4: {name}, and no rest of the last frame"), &[&frames]).fails(NOT_UTF8);
}
