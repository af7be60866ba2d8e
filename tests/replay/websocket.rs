//! The client's side of WebSocket. By hand, since recordings look at pings and close frames, and one
//! peer must leave pings unanswered.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::task::AbortOnDropHandle;

use super::http;

/// How a connection ends without a close frame.
pub const DROPPED: u16 = 1006;
/// A close frame without a code.
const NO_CODE: u16 = 1005;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What a server sends.
#[derive(Debug)]
pub enum Received {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping,
    /// The end: code and reason.
    Closed(u16, String),
}

/// An open WebSocket. Dropping it cuts the connection.
pub struct WebSocket {
    received: mpsc::UnboundedReceiver<(Instant, Received)>,
    writer: Arc<Mutex<OwnedWriteHalf>>,
    reader: AbortOnDropHandle<()>,
}

impl WebSocket {
    /// Connects and upgrades. Pings are answered unless `pongs` is false.
    pub async fn open(host: &str, path: &str, pongs: bool, until: Instant) -> Result<WebSocket, String> {
        timeout_at(until, Self::upgrade(host, path, pongs)).await.map_err(|_| format!("{path}: no answer"))?
    }

    async fn upgrade(host: &str, path: &str, pongs: bool) -> Result<WebSocket, String> {
        let mut stream = http::connect(host).await?;
        let key = generate_key();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut stream = BufReader::new(stream);
        let head = http::read_head(&mut stream).await?;
        if head.status != 101 {
            return Err(format!("{path}: expected an upgrade, got status {}", head.status));
        }
        let lower = |name: &str| head.header(name).unwrap_or_default().to_ascii_lowercase();
        if lower("upgrade") != "websocket"
            || lower("connection") != "upgrade"
            || head.header("sec-websocket-accept") != Some(derive_accept_key(key.as_bytes()))
            || head.header("content-length").is_some()
        {
            return Err(format!("{path}: not a proper upgrade: {head:?}"));
        }
        let early = stream.buffer().to_vec();
        let (reading, writing) = stream.into_inner().into_split();
        let writer = Arc::new(Mutex::new(writing));
        let (sender, received) = mpsc::unbounded_channel();
        let back = writer.clone();
        let reader = tokio::spawn(async move {
            let mut frames = BufReader::new(std::io::Cursor::new(early).chain(reading));
            let (code, reason) = read(&mut frames, &sender, &back, pongs).await;
            let _ = sender.send((Instant::now(), Received::Closed(code, reason))); // the test may be over
        });
        Ok(WebSocket { received, writer, reader: AbortOnDropHandle::new(reader) })
    }

    /// The next message, ping or the end, with the time when it came; none if nothing comes until
    /// then, or after the end. Cancel-safe.
    pub async fn next(&mut self, until: Instant) -> Option<(Instant, Received)> {
        timeout_at(until, self.received.recv()).await.ok().flatten()
    }

    /// Sends a text message.
    pub async fn text(&self, text: &str) -> Result<(), String> {
        write(&self.writer, TEXT, text.as_bytes()).await
    }

    /// Sends a binary message.
    pub async fn binary(&self, bytes: &[u8]) -> Result<(), String> {
        write(&self.writer, BINARY, bytes).await
    }

    /// Sends a close frame; 0 for one without a code.
    pub async fn close(&self, code: u16) -> Result<(), String> {
        let code = code.to_be_bytes();
        write(&self.writer, CLOSE, if code == [0, 0] { &[] } else { &code }).await
    }

    /// Vanishes with a TCP reset and nothing else.
    pub async fn reset(self) -> Result<(), String> {
        self.reader.abort();
        let _ = self.reader.await; // says that it was aborted
        let writer = Arc::into_inner(self.writer).expect("the reader, the only other owner, is gone").into_inner();
        writer.as_ref().set_zero_linger().map_err(|error| error.to_string())?;
        writer.forget(); // dropping it would say goodbye first
        Ok(())
    }
}

type Frames = BufReader<tokio::io::Chain<std::io::Cursor<Vec<u8>>, OwnedReadHalf>>;

/// Reads until the end, and gives its code and reason.
async fn read(
    frames: &mut Frames,
    received: &mpsc::UnboundedSender<(Instant, Received)>,
    back: &Mutex<OwnedWriteHalf>,
    pongs: bool,
) -> (u16, String) {
    let mut message: Option<(u8, Vec<u8>)> = None;
    loop {
        let (last, opcode, payload) = match frame(frames).await {
            Ok(frame) => frame,
            Err(_) => return (DROPPED, String::new()),
        };
        let whole = match (opcode, message.take()) {
            (TEXT | BINARY, None) => (opcode, payload),
            (CONTINUATION, Some((kind, mut begun))) => {
                begun.extend(payload);
                (kind, begun)
            }
            (PING, begun) => {
                message = begun;
                let _ = received.send((Instant::now(), Received::Ping)); // the test may be over
                if pongs && write(back, PONG, &payload).await.is_err() {
                    return (DROPPED, "no pong could be sent".into());
                }
                continue;
            }
            (PONG, begun) => {
                message = begun;
                continue;
            }
            (CLOSE, _) => {
                let _ = write(back, CLOSE, &payload).await; // the server may be gone, or have had ours
                let code = payload.first_chunk().map_or(NO_CODE, |code| u16::from_be_bytes(*code));
                return (code, String::from_utf8_lossy(payload.get(2..).unwrap_or(&[])).into_owned());
            }
            (opcode, _) => return (DROPPED, format!("opcode {opcode} out of place")),
        };
        if !last {
            message = Some(whole);
            continue;
        }
        let whole = match whole {
            (TEXT, bytes) => match String::from_utf8(bytes) {
                Ok(text) => Received::Text(text),
                Err(_) => return (DROPPED, "a text that is not UTF-8".into()),
            },
            (_, bytes) => Received::Binary(bytes),
        };
        let _ = received.send((Instant::now(), whole)); // the test may be over
    }
}

/// Reads one frame: whether it is a message's last, opcode, payload.
async fn frame(frames: &mut Frames) -> Result<(bool, u8, Vec<u8>), String> {
    let mut head = [0; 2];
    match frames.read_exact(&mut head).await {
        Ok(_) => {}
        Err(_) => return Err(String::new()), // the connection ended, which is all there is to say
    }
    if head[0] & 0x70 != 0 || head[1] & 0x80 != 0 {
        return Err(format!("a server does not send such a frame: {head:02x?}"));
    }
    let length = match head[1] {
        126 => u64::from(frames.read_u16().await.map_err(|error| error.to_string())?),
        127 => frames.read_u64().await.map_err(|error| error.to_string())?,
        short => u64::from(short),
    };
    let mut payload = Vec::new();
    let read = frames.take(length).read_to_end(&mut payload).await.map_err(|error| error.to_string())?;
    if read as u64 != length {
        return Err("the connection ended within a frame".into());
    }
    Ok((head[0] & 0x80 != 0, head[0] & 0x0f, payload))
}

async fn write(writer: &Mutex<OwnedWriteHalf>, opcode: u8, payload: &[u8]) -> Result<(), String> {
    const MASK: [u8; 4] = [0x5a, 0xc3, 0x0f, 0x96]; // any will do: masks are for the sake of proxies
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    writer.lock().await.write_all(&frame).await.map_err(|error| format!("could not send: {error}"))
}
