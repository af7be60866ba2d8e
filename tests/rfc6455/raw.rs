//! A WebSocket client that can break every rule: it sends bytes, and takes what comes apart frame by frame.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long what must come may take.
const SOON: Duration = Duration::from_secs(5);

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// The first byte's bit that ends a message.
pub const FIN: u8 = 0x80;

/// A masked frame with the shortest length there is; `first` is its first byte.
pub fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    match payload.len() {
        0..126 => framed(first, &[0x80 | payload.len() as u8], payload),
        126..65536 => {
            let [a, b] = (payload.len() as u16).to_be_bytes();
            framed(first, &[0x80 | 126, a, b], payload)
        }
        _ => {
            let length = (payload.len() as u64).to_be_bytes();
            framed(first, &[&[0x80 | 127], &length[..]].concat(), payload)
        }
    }
}

/// A masked frame with a length written as one likes.
pub fn framed(first: u8, length: &[u8], payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let masked = payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]);
    [&[first], length, &mask].concat().into_iter().chain(masked).collect()
}

/// A close frame's payload.
pub fn closing(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_ref()].concat()
}

/// What the server sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Came {
    Frame { opcode: u8, payload: Vec<u8> },
    End,
}

pub struct Raw {
    stream: TcpStream,
    came: Vec<u8>,
}

impl Raw {
    /// Asks for an upgrade with these header lines; the answer's head as it came, but in small letters.
    pub async fn ask(address: SocketAddr, path: &str, headers: &str) -> (Self, String) {
        let mut stream = TcpStream::connect(address).await.expect("the session listens");
        stream.set_nodelay(true).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n").as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(SOON, stream.read_u8()).await.expect("an answer in time").expect("a whole head"));
        }
        (Self { stream, came: Vec::new() }, String::from_utf8(head).unwrap().to_ascii_lowercase())
    }

    /// Opens a WebSocket.
    pub async fn open(address: SocketAddr, path: &str) -> Self {
        let (raw, head) = Self::ask(
            address,
            path,
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        )
        .await;
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        raw
    }

    /// Sends bytes `at_once` at a time. A server that has had enough need not read them all.
    pub async fn send(&mut self, bytes: &[u8], at_once: usize) {
        for part in bytes.chunks(at_once) {
            if self.stream.write_all(part).await.is_err() {
                return;
            }
            // So that each part is a read of its own, as far as that can be had.
            tokio::task::yield_now().await;
        }
    }

    /// The next frame, which must be as a server's frames are: whole, not masked, no reserved bit, and its
    /// length written as short as can be (RFC 6455, 5.1, 5.2).
    pub async fn next(&mut self) -> Came {
        loop {
            if let Some((frame, length)) = self.take() {
                self.came.drain(..length);
                return frame;
            }
            match timeout(SOON, self.stream.read_buf(&mut self.came)).await.expect("something in time") {
                Ok(0) | Err(_) => {
                    assert!(self.came.is_empty(), "half a frame: {:?}", self.came);
                    return Came::End;
                }
                Ok(_) => {}
            }
        }
    }

    fn take(&self) -> Option<(Came, usize)> {
        let first = *self.came.first()?;
        let second = *self.came.get(1)?;
        assert_eq!(first & 0xf0, FIN, "whole, no reserved bit");
        assert_eq!(second & 0x80, 0, "not masked");
        let (head, length) = match second {
            126 => (4, usize::from(u16::from_be_bytes(self.came.get(2..4)?.try_into().unwrap()))),
            127 => (10, u64::from_be_bytes(self.came.get(2..10)?.try_into().unwrap()) as usize),
            length => (2, usize::from(length)),
        };
        let shortest = match length {
            0..126 => 2,
            126..65536 => 4,
            _ => 10,
        };
        assert_eq!(head, shortest, "the shortest length");
        let payload = self.came.get(head..head + length)?.to_vec();
        Some((Came::Frame { opcode: first & 0x0f, payload }, head + length))
    }
}
