//! WebSocket's frames: the same messages however the bytes are divided, and those that another server's reader finds.
#![no_main]

use std::io::{self, Read, Write};

use libfuzzer_sys::fuzz_target;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};
use viderehab_fuzz::wire::websocket::{Incoming, Opcode, Reader, begin, frame};

const LIMIT: usize = 1000;

/// What was read until a client closes, breaks the rules, or says no more; and whether it broke them.
type Heard = (Vec<Message>, bool);

fuzz_target!(|data: &[u8]| {
    let [size, stream @ ..] = data else { return };
    let at_once = ours(stream, stream.len().max(1));
    assert_eq!(at_once, ours(stream, usize::from(*size) + 1));
    let (messages, violates) = theirs(stream);
    // They take a control frame whose length is written in eight bytes, and look at a header once it is whole.
    let (ours, breaks) = at_once;
    assert!(messages.starts_with(&ours) && (breaks || !violates && messages == ours));
    written(stream);
});

fn ours(stream: &[u8], size: usize) -> Heard {
    let (mut reader, mut kept, mut messages) = (Reader::new(LIMIT), Vec::new(), Vec::new());
    for piece in stream.chunks(size) {
        kept.extend_from_slice(piece);
        let mut used = 0;
        loop {
            let (incoming, length) = match reader.read(&mut kept[used..]) {
                Ok(Some(read)) => read,
                Ok(None) => break,
                Err(_) => return (messages, true),
            };
            used += length;
            match incoming {
                Incoming::Text(text) => messages.push(Message::text(text)),
                Incoming::Binary(bytes) => messages.push(Message::binary(bytes.to_vec())),
                Incoming::Ping(payload) => messages.push(Message::Ping(payload.to_vec().into())),
                Incoming::Fragment(_) | Incoming::Pong => {}
                Incoming::Close { .. } => return (messages, false),
            }
        }
        kept.drain(..used);
    }
    (messages, false)
}

/// A connection of which everything has come, and whose answers go nowhere.
struct Connection<'a>(&'a [u8]);

impl Read for Connection<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Connection<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(stream: &[u8]) -> Heard {
    let limits = WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    let mut socket = WebSocket::from_raw_socket(Connection(stream), Role::Server, Some(limits));
    let mut messages = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Pong(_) | Message::Frame(_)) => {}
            Ok(Message::Close(_)) => return (messages, false),
            Ok(message) => messages.push(message),
            Err(Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) | Error::Io(_)) => {
                return (messages, false);
            }
            Err(_) => return (messages, true),
        }
    }
}

/// A frame that we write is as long as its beginning says.
fn written(payload: &[u8]) {
    let (mut whole, mut head) = (Vec::new(), Vec::new());
    frame(Opcode::Binary, payload, &mut whole);
    begin(Opcode::Binary, payload.len(), &mut head);
    assert!(whole.starts_with(&head) && whole.ends_with(payload) && whole.len() == head.len() + payload.len());
    let mut socket = WebSocket::from_raw_socket(Connection(&whole), Role::Client, None);
    assert_eq!(socket.read().expect("a frame"), Message::binary(payload.to_vec()));
}
