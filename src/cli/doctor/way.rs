//! The way to a STUN or TURN server and back: datagrams, which may get lost and are sent again, or a
//! connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use super::stun::{self, Answer, Challenge, HEADER, Method, Transaction};
use super::turn::Address;

/// When a request by UDP is sent again, and, after the last, how long is waited for.
const SENDS: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(1000), Duration::from_millis(1250)];

/// How long a TCP connection, or an answer on one, may take.
const TCP_TIME: Duration = Duration::from_secs(3);

/// A way to a server.
pub(super) enum Way {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Way {
    /// By the first of its addresses.
    ///
    /// # Errors
    /// In words: the name is not found, or there is no way.
    pub(super) async fn to(address: &Address<'_>) -> Result<Self, String> {
        let found = tokio::net::lookup_host((address.host, address.port)).await;
        let place = found.and_then(|mut found| found.next().ok_or_else(|| io::ErrorKind::NotFound.into()));
        let place = place.map_err(|error| format!("the name {} is not found: {error}", address.host))?;
        let way = async {
            if address.tcp {
                return Ok(Self::Tcp(timeout(TCP_TIME, TcpStream::connect(place)).await??));
            }
            let any: SocketAddr = if place.is_ipv4() { ([0; 4], 0).into() } else { ([0; 16], 0).into() };
            let socket = UdpSocket::bind(any).await?;
            socket.connect(place).await?;
            Ok(Self::Udp(socket))
        };
        way.await.map_err(|error: io::Error| format!("cannot be reached on {place}: {error}"))
    }

    /// Asks, signed or not.
    ///
    /// # Errors
    /// In words: there is no answer, or none of STUN.
    pub(super) async fn ask(
        &mut self,
        method: Method,
        sign: Option<(&str, &str, &Challenge)>,
    ) -> Result<Answer, String> {
        let transaction: Transaction = rand::random();
        let mut message = stun::request(method, &transaction);
        if let Some((username, password, challenge)) = sign {
            message = stun::signed(message, username, password, challenge);
        }
        let answer = match self {
            Self::Udp(socket) => by_udp(socket, &message, method, &transaction).await,
            Self::Tcp(stream) => {
                let answer = timeout(TCP_TIME, by_tcp(stream, &message, method, &transaction)).await;
                answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            }
        };
        answer.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => "does not answer".to_owned(),
            _ => error.to_string(),
        })
    }
}

async fn by_udp(socket: &UdpSocket, message: &[u8], method: Method, transaction: &Transaction) -> io::Result<Answer> {
    let mut datagram = [0; 2048];
    for wait in SENDS {
        socket.send(message).await?;
        let until = Instant::now() + wait;
        while let Ok(received) = timeout_at(until, socket.recv(&mut datagram)).await {
            // Refused: nothing listens there, as the machine itself says.
            let length = received?;
            if let Some(answer) = stun::answer(&datagram[..length], method, transaction) {
                return Ok(answer);
            }
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

async fn by_tcp(
    stream: &mut TcpStream,
    message: &[u8],
    method: Method,
    transaction: &Transaction,
) -> io::Result<Answer> {
    stream.write_all(message).await?;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).await?;
    let mut answer = header.to_vec();
    answer.resize(stun::length(&header), 0);
    stream.read_exact(&mut answer[HEADER..]).await?;
    stun::answer(&answer, method, transaction).ok_or_else(|| io::Error::other("what it says is not STUN"))
}
