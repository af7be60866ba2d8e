//! Peers in rooms, all on one thread: raw WebSockets and one poller.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mio::{Interest, Poll, Token};

use super::packet::{Template, frame, next_frame, user_id};
use crate::wire::websocket::Opcode;

/// How long a server may take to let a peer in.
const ENTRY_TIME: Duration = Duration::from_secs(10);

/// What is read at once.
pub(super) const AT_ONCE_BYTES: usize = 64 * 1024;

/// Where the peers of a room meet.
#[derive(Debug, Clone)]
pub struct Meeting {
    /// The server's address.
    pub address: SocketAddr,
    /// The path of its WebSocket, with the key in its query.
    pub path: String,
    /// The RoomId.
    pub room_id: String,
}

/// Peers that have joined their rooms. Dropping it closes their connections without a goodbye.
pub struct Crowd {
    pub(super) poll: Poll,
    pub(super) peers: Vec<Peer>,
    pub(super) rooms: Vec<Room>,
    pub(super) buffer: Box<[u8]>,
}

/// One of the rooms.
pub(super) struct Room {
    pub room_id: String,
    /// Its members' places among the peers.
    pub members: Vec<usize>,
}

/// One of the peers.
pub(super) struct Peer {
    pub stream: mio::net::TcpStream,
    /// The frame, or more, that has not come whole.
    pub kept: Vec<u8>,
    pub unsent: Vec<u8>,
    pub room: usize,
    /// Its place in its room.
    pub member: usize,
    /// How many packets it has said, and heard of each member.
    pub said: u64,
    pub heard: Vec<u64>,
}

impl Crowd {
    /// So many members join each room, one after the other; each has been told that it is in when this returns.
    ///
    /// # Errors
    /// A server that does not answer, or does not let a peer in.
    pub fn join(meetings: &[Meeting], members: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let buffer = vec![0; AT_ONCE_BYTES].into();
        let mut crowd = Self { poll, peers: Vec::new(), rooms: Vec::new(), buffer };
        for (number, meeting) in meetings.iter().enumerate() {
            let room_id = meeting.room_id.clone();
            crowd.rooms.push(Room { room_id, members: Vec::new() });
            for member in 0..members {
                let stream = enter(meeting, member).map_err(|error| {
                    io::Error::new(error.kind(), format!("peer {member} of room {number}: {error}"))
                })?;
                crowd.add(stream, number, member, members)?;
            }
        }
        Ok(crowd)
    }

    fn add(&mut self, stream: TcpStream, room: usize, member: usize, members: usize) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        let place = self.peers.len();
        self.poll.registry().register(&mut stream, Token(place), Interest::READABLE | Interest::WRITABLE)?;
        self.rooms[room].members.push(place);
        let heard = vec![0; members];
        self.peers.push(Peer { stream, kept: Vec::new(), unsent: Vec::new(), room, member, said: 0, heard });
        Ok(())
    }

    /// How many peers there are.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// The packets of each room.
    pub(super) fn templates(&self, payload_bytes: usize) -> Vec<Template> {
        self.rooms.iter().map(|room| Template::new(&room.room_id, payload_bytes)).collect()
    }
}

impl Peer {
    /// Writes what is due, as far as it goes.
    pub fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what has come and hands over the texts in it.
    pub fn receive(
        &mut self,
        buffer: &mut [u8],
        mut hear: impl FnMut(&mut Self, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            let read = match self.stream.read(buffer) {
                Ok(0) => return Err(io::Error::new(ErrorKind::ConnectionAborted, "the server closed a connection")),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            if self.kept.is_empty() {
                let used = self.take(&buffer[..read], &mut hear)?;
                self.kept.extend_from_slice(&buffer[used..read]);
            } else {
                let mut kept = std::mem::take(&mut self.kept);
                kept.extend_from_slice(&buffer[..read]);
                let used = self.take(&kept, &mut hear)?;
                kept.drain(..used);
                self.kept = kept;
            }
            if read < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Hands over each whole frame; answers how many bytes they were.
    fn take(&mut self, bytes: &[u8], hear: &mut impl FnMut(&mut Self, &[u8]) -> io::Result<()>) -> io::Result<usize> {
        let mut used = 0;
        while let Some((opcode, payload, length)) = next_frame(&bytes[used..]) {
            used += length;
            if opcode == Opcode::Ping as u8 {
                frame(Opcode::Pong, payload, &mut self.unsent);
            } else if opcode == Opcode::Close as u8 {
                let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
                return Err(io::Error::new(ErrorKind::ConnectionAborted, format!("the server closed: {reason}")));
            } else {
                hear(self, payload)?;
            }
        }
        Ok(used)
    }
}

/// Opens a WebSocket and joins the room; returns when the server has said so.
fn enter(meeting: &Meeting, member: usize) -> io::Result<TcpStream> {
    let Meeting { address, path, room_id } = meeting;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ENTRY_TIME))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    let join = format!(
        r#"{{"Header":{{"Event":"connect","UserId":"{}","RoomId":"{room_id}"}},"Payload":"{{}}"}}"#,
        user_id(member)
    );
    let mut first = request.into_bytes();
    frame(Opcode::Text, join.as_bytes(), &mut first);
    stream.write_all(&first)?;
    let (mut came, mut buffer) = (Vec::new(), [0; 4096]);
    // The head of the answer, then the notice that the peer itself has joined.
    loop {
        let read = stream.read(&mut buffer)?;
        came.extend_from_slice(&buffer[..read]);
        let head = came.windows(4).position(|four| four == b"\r\n\r\n");
        let told = head.and_then(|end| next_frame(&came[end + 4..]));
        if read == 0 || head.is_some_and(|_| !came.starts_with(b"HTTP/1.1 101")) {
            let line = came.split(|byte| *byte == b'\r').next().unwrap_or_default();
            return Err(io::Error::other(format!("not let in: {}", String::from_utf8_lossy(line))));
        }
        if told.is_some() {
            return Ok(stream);
        }
    }
}
