//! The floor: a relay that does only what no relay can avoid. On one thread it reads what has come, unmasks it, and
//! writes it to the others of the room, once a turn each. It looks at no JSON and no UTF-8, and lets everybody in.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// The listening socket's token; connections are numbered from 0.
const LISTENER: Token = Token(usize::MAX);

const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

struct Client {
    stream: TcpStream,
    kept: Vec<u8>,
    unsent: Vec<u8>,
    is_open: bool,
    room: Option<usize>,
}

struct Floor {
    clients: Vec<Option<Client>>,
    /// The rooms by the RoomId of a client's first packet.
    rooms: Vec<Vec<usize>>,
    names: HashMap<Vec<u8>, usize>,
    /// Who has something to be written at the end of the turn.
    due: Vec<usize>,
}

/// Serves until it is killed. Prints the port that it listens on.
pub fn serve() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    println!("{}", listener.local_addr()?.port());
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut floor = Floor { clients: Vec::new(), rooms: Vec::new(), names: HashMap::new(), due: Vec::new() };
    let (mut events, mut buffer) = (Events::with_capacity(1024), vec![0; 64 * 1024]);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => floor.accept(&listener, &poll)?,
                Token(number) => floor.receive(number, &mut buffer, event.is_writable()),
            }
        }
        floor.send();
    }
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> io::Result<()> {
        while let Ok((mut stream, _)) = listener.accept() {
            stream.set_nodelay(true)?;
            let token = Token(self.clients.len());
            poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            let client = Client { stream, kept: Vec::new(), unsent: Vec::new(), is_open: false, room: None };
            self.clients.push(Some(client));
        }
        Ok(())
    }

    fn receive(&mut self, number: usize, buffer: &mut [u8], is_writable: bool) {
        let Some(mut client) = self.clients[number].take() else { return };
        if is_writable && !client.unsent.is_empty() {
            self.due.push(number);
        }
        loop {
            match client.stream.read(buffer) {
                Ok(read @ 1..) => {
                    client.kept.extend_from_slice(&buffer[..read]);
                    if read < buffer.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Ok(0) | Err(_) => {
                    client.room.into_iter().for_each(|room| self.rooms[room].retain(|member| *member != number));
                    return;
                }
            }
        }
        self.take(number, &mut client);
        self.clients[number] = Some(client);
    }

    fn take(&mut self, number: usize, client: &mut Client) {
        if !client.is_open {
            let Some(end) = client.kept.windows(4).position(|four| four == b"\r\n\r\n") else { return };
            client.kept.drain(..end + 4);
            client.is_open = true;
            client.unsent.extend_from_slice(ANSWER);
            self.due.push(number);
        }
        let mut used = 0;
        while let Some(length) = self.frame(number, client, used) {
            used += length;
        }
        client.kept.drain(..used);
    }

    /// Passes on the frame that begins there, if it has come whole; answers its length.
    fn frame(&mut self, number: usize, client: &mut Client, from: usize) -> Option<usize> {
        let bytes = &mut client.kept[from..];
        let (head, length) = match *bytes.get(1)? & 0x7f {
            126 => (4, usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
            127 => (10, u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize),
            length => (2, usize::from(length)),
        };
        let whole = head + 4 + length;
        let (mask, payload) = bytes.get_mut(head..whole)?.split_first_chunk_mut::<4>()?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        let Some(room) = client.room else {
            let room = self.room_of(payload);
            self.rooms[room].push(number);
            client.room = Some(room);
            // The client is told that it is in.
            put_frame(payload, &mut client.unsent);
            self.due.push(number);
            return Some(whole);
        };
        for member in self.rooms[room].iter().filter(|member| **member != number) {
            if let Some(other) = &mut self.clients[*member] {
                if other.unsent.is_empty() {
                    self.due.push(*member);
                }
                put_frame(payload, &mut other.unsent);
            }
        }
        Some(whole)
    }

    fn room_of(&mut self, packet: &[u8]) -> usize {
        let mark = b"\"RoomId\":\"";
        let begin = packet.windows(mark.len()).position(|part| part == mark).map_or(0, |at| at + mark.len());
        let name: Vec<u8> = packet[begin..].iter().copied().take_while(|byte| *byte != b'"').collect();
        let next = self.rooms.len();
        let room = *self.names.entry(name).or_insert(next);
        if room == next {
            self.rooms.push(Vec::new());
        }
        room
    }

    fn send(&mut self) {
        for number in std::mem::take(&mut self.due) {
            let Some(client) = &mut self.clients[number] else { continue };
            while !client.unsent.is_empty() {
                match client.stream.write(&client.unsent) {
                    Ok(written) => drop(client.unsent.drain(..written)),
                    Err(_) => break,
                }
            }
        }
    }
}

fn put_frame(payload: &[u8], into: &mut Vec<u8>) {
    match u16::try_from(payload.len()) {
        Ok(short @ ..=125) => into.extend_from_slice(&[0x81, short as u8]),
        Ok(medium) => {
            into.extend_from_slice(&[0x81, 126]);
            into.extend_from_slice(&medium.to_be_bytes());
        }
        Err(_) => {
            into.extend_from_slice(&[0x81, 127]);
            into.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    into.extend_from_slice(payload);
}
