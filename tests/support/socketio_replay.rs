//! Replays what was recorded between clients and the original's transport. The application behind ours
//! is a tester: what it sends is what the recording has the server send, and of an acknowledgement only
//! the id is compared.
//!
//! Treated: a foreign origin and JSONP are refused; answers are not compressed; binary events
//! close the connection, so those of recording 08 are left out; the 404s are not ours to word.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};
use viderehab::transport::socketio::Settings;
use viderehab::wire::Text;
use viderehab::wire::socketio::{Version, packets, render_body};

use crate::http::{Exchange, Head, Part, Request};
use crate::socketio_service::{self, Hosted, PATH};
use crate::websocket::{Received, WebSocket};

/// How long a sign of the server may take beyond the recorded time.
const PATIENCE: Duration = Duration::from_secs(5);
/// By how much recorded times may be missed.
const TOLERANCE_MS: u64 = 1500;
/// How long nothing must come for it to count as nothing.
const QUIET: Duration = Duration::from_millis(300);

type Checked = Result<(), String>;

struct Replay {
    hosted: Hosted,
    host: String,
    /// The clients' applications, by the order of their handshakes.
    order: HashMap<String, usize>,
    opened: usize,
    sids: HashMap<String, String>,
    sockets: HashMap<String, (WebSocket, Instant)>,
    pending: Vec<(u64, Value, Exchange)>,
}

pub async fn replay(recording: &Value, settings: Settings) -> Checked {
    let hosted = socketio_service::host(0, settings, Duration::ZERO).await;
    let host = hosted.host();
    let mut replay = Replay {
        hosted,
        host,
        order: HashMap::new(),
        opened: 0,
        sids: HashMap::new(),
        sockets: HashMap::new(),
        pending: Vec::new(),
    };
    let entries = recording.as_array().ok_or("no array")?;
    for (at, entry) in entries.iter().enumerate() {
        replay.answered_before(entry["t"].as_u64().unwrap_or(0)).await?;
        let next = entries.get(at + 1);
        replay.entry(entry, next).await.map_err(|reason| format!("t {}: {reason}", entry["t"]))?;
    }
    replay.answered_before(u64::MAX).await
}

impl Replay {
    async fn entry(&mut self, entry: &Value, next: Option<&Value>) -> Checked {
        let client = if entry["from"] == "server" { &entry["to"] } else { &entry["from"] };
        let client = client.as_str().unwrap_or_default().to_owned();
        let by_server = entry["from"] == "server";
        match (entry["event"].as_str().unwrap_or_default(), by_server) {
            ("http", false) => self.http(entry, &client).await,
            ("ws.open", false) => self.ws_open(entry, &client).await,
            ("ws.text", false) => {
                let text = entry["payload"].as_str().unwrap_or_default();
                if let Some(offset) = entry["offsetMs"].as_u64() {
                    let (_, opened) = self.sockets.get(&client).ok_or("no such socket")?;
                    tokio::time::sleep_until(*opened + Duration::from_millis(offset)).await;
                }
                if text.starts_with("451-") { Ok(()) } else { self.socket(&client)?.text(text).await }
            }
            ("ws.text", true) => self.ws_text(entry, &client).await,
            ("ws.binary", _) => Ok(()),
            // The original's client was a moment later to see what the server had closed.
            ("ws.close", false) if !self.sockets.contains_key(&client) => Ok(()),
            ("ws.close", false) => self.socket(&client)?.close(0).await,
            ("ws.close", true) => self.ws_close(entry, &client).await,
            ("note", _) => self.note(entry, next).await,
            _ => Ok(()),
        }
    }

    /// Large messages are told of in notes only.
    async fn note(&mut self, entry: &Value, next: Option<&Value>) -> Checked {
        let note = entry["payload"].as_str().unwrap_or_default();
        let Some(rest) = note.strip_prefix("Text message of ") else { return Ok(()) };
        let length = rest.split(' ').next().and_then(|digits| digits.parse().ok()).ok_or("no length")?;
        let client = next.and_then(|next| next["to"].as_str()).unwrap_or("client A").to_owned();
        self.socket(&client)?.text(&event_of(length)).await
    }

    async fn http(&mut self, entry: &Value, client: &str) -> Checked {
        let payload = &entry["payload"];
        let url = self.fill(payload["url"].as_str().unwrap_or_default());
        let version = version_of(&url);
        let body = match &payload["body"] {
            Value::String(body) if body.ends_with(" bytes>") => {
                let length = body[1..].split(' ').next().and_then(|digits| digits.parse().ok()).ok_or("no length")?;
                Some(event_of(length))
            }
            Value::String(body) => Some(self.fill(body)),
            Value::Object(body) => Some(render_body(version, &texts(&body["packets"]))),
            _ => None,
        };
        let ack = &entry["ack"];
        self.emit_due(client, ack, version);
        let headers = payload["headers"].as_object().into_iter().flatten();
        let headers: Vec<_> = headers.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or(""))).collect();
        let method = payload["method"].as_str().unwrap_or("GET");
        let request = Request { host: &self.host, method, path: &url, headers, body: body.as_deref() };
        let exchange = Exchange::begin(request).await?;
        let (at, answered) = (entry["t"].as_u64().unwrap_or(0), entry["ackAt"].as_u64());
        if answered == Some(at + 1) {
            return self.answer(entry, client, exchange).await;
        }
        // It is to be there before what follows.
        sleep(QUIET / 5).await;
        let mut entry = entry.clone();
        entry["client"] = client.into();
        self.pending.push((answered.unwrap_or(u64::MAX), entry, exchange));
        Ok(())
    }

    /// What the recording has the server say by itself, the tester is told to say.
    fn emit_due(&self, client: &str, ack: &Value, version: Version) {
        let told = match &ack["body"] {
            Value::String(body) => packets(version, body.as_bytes()).map(|one| one.unwrap_or("").to_owned()).collect(),
            Value::Object(body) => texts(&body["packets"]).iter().map(|text| text.as_str().to_owned()).collect(),
            _ => Vec::new(),
        };
        told.iter().for_each(|packet| self.emit(client, packet));
    }

    fn emit(&self, client: &str, packet: &str) {
        let Some(arguments) = without_id(packet) else { return };
        let (name, argument) = arguments.strip_prefix("[\"").and_then(|rest| rest.split_once("\",")).unwrap();
        let name = if name == "easyrtcCmd" { "easyrtcCmd" } else { "easyrtcMsg" };
        self.hosted.tester(self.order[client]).emit(name, argument.strip_suffix(']').unwrap());
    }

    async fn answered_before(&mut self, time: u64) -> Checked {
        let due: Vec<_> = self.pending.extract_if(.., |(at, ..)| *at < time || time == u64::MAX).collect();
        for (_, entry, exchange) in due {
            let client = entry["client"].as_str().unwrap_or_default().to_owned();
            self.answer(&entry, &client, exchange).await.map_err(|reason| format!("t {}: {reason}", entry["t"]))?;
        }
        Ok(())
    }

    async fn answer(&mut self, entry: &Value, client: &str, mut exchange: Exchange) -> Checked {
        let (ack, url) = (&entry["ack"], entry["payload"]["url"].as_str().unwrap_or_default());
        if ack.is_null() {
            return match exchange.next(Instant::now() + QUIET).await {
                None => Ok(()),
                Some((_, part)) => Err(format!("nothing was expected, not {part:?}")),
            };
        }
        let (head, body) = whole(exchange).await?;
        let foreign = entry["payload"]["headers"]["origin"] == "https://example.org";
        let expected = match ack["status"].as_u64().unwrap_or(0) {
            _ if foreign => 403,
            _ if url.contains("&j=0") => 400,
            status => status as u16,
        };
        if head.status != expected {
            return Err(format!("expected status {expected}, not {} {body}", head.status));
        }
        if foreign || url.contains("&j=0") || expected == 404 {
            return Ok(());
        }
        for (name, value) in ack["headers"].as_object().into_iter().flatten() {
            let came = head.header(name);
            if name != "content-encoding" && came.as_deref() != value.as_str() {
                return Err(format!("{name}: expected {value}, not {came:?}"));
            }
        }
        let version = version_of(url);
        if url.contains("sid=") && expected == 200 && entry["payload"]["method"] == "GET" || !url.contains("sid=") {
            let expected: Vec<String> = match &ack["body"] {
                Value::String(text) if text.starts_with("<gzip") => return Ok(()),
                Value::String(text) => packets(version, text.as_bytes()).map(|one| one.unwrap().to_owned()).collect(),
                body => texts(&body["packets"]).iter().map(|text| text.as_str().to_owned()).collect(),
            };
            let came: Vec<_> = packets(version, body.as_bytes()).collect();
            if came.len() != expected.len() {
                return Err(format!("expected {expected:?}, not {came:?}"));
            }
            for (expected, came) in expected.iter().zip(came) {
                self.packet(client, expected, came.map_err(|error| error.to_string())?)?;
            }
            return Ok(());
        }
        if ack["body"].as_str() != Some(&body) {
            Err(format!("expected {}, not {body:?}", ack["body"]))
        } else {
            Ok(())
        }
    }

    fn packet(&mut self, client: &str, expected: &str, came: &str) -> Checked {
        let differ = || Err(format!("expected {expected}, not {came}"));
        if let Some(told) = expected.strip_prefix("0{") {
            let sid = came.strip_prefix(r#"0{"sid":""#).and_then(|rest| rest.split('"').next()).ok_or("no sid")?;
            let name = told.split('<').nth(1).and_then(|rest| rest.split('>').next()).ok_or("no placeholder")?;
            self.sids.insert(format!("<{name}>"), sid.to_owned());
            self.order.insert(client.to_owned(), self.opened);
            self.opened += 1;
            return if self.fill(expected) == came { Ok(()) } else { differ() };
        }
        let same = match (without_id(expected), without_id(came)) {
            (Some(expected), Some(came)) => expected == came,
            (None, None) if expected.starts_with("43") => expected.split('[').next() == came.split('[').next(),
            (None, None) if expected.starts_with("40{") => came.starts_with(r#"40{"sid":""#) && came.len() > 20,
            _ => expected == came,
        };
        if same { Ok(()) } else { differ() }
    }

    async fn ws_open(&mut self, entry: &Value, client: &str) -> Checked {
        let url = self.fill(entry["payload"]["url"].as_str().unwrap_or_default());
        let until = Instant::now() + PATIENCE;
        if entry["ack"]["status"] == 101 {
            let open = WebSocket::open(&self.host, &url, true, until).await?;
            self.sockets.insert(client.to_owned(), (open, Instant::now()));
            return Ok(());
        }
        let headers = vec![
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let request = Request { host: &self.host, method: "GET", path: &url, headers, body: None };
        let (head, body) = whole(Exchange::begin(request).await?).await?;
        let expected = entry["ack"]["status"].as_u64().unwrap_or(404) as u16;
        match head.status == expected && (!url.starts_with(PATH) || entry["ack"]["body"] == body) {
            true => Ok(()),
            false => Err(format!("expected {}, not {} {body}", entry["ack"], head.status)),
        }
    }

    async fn ws_text(&mut self, entry: &Value, client: &str) -> Checked {
        let expected = entry["payload"].as_str().unwrap_or_default();
        if expected.starts_with("451-") || expected == r#"431[{"msgType":"ack"}]"# {
            return Ok(());
        }
        if self.order.contains_key(client) {
            self.emit(client, expected);
        }
        match self.heard(entry, client).await? {
            Received::Text(text) => self.packet(client, expected, &text),
            other => Err(format!("expected {expected}, not {other:?}")),
        }
    }

    async fn ws_close(&mut self, entry: &Value, client: &str) -> Checked {
        let code = entry["payload"]["code"].as_u64().unwrap_or(0) as u16;
        if !self.sockets.contains_key(client) {
            return Ok(());
        }
        match self.heard(entry, client).await? {
            Received::Closed(came, _) if came == code => {
                self.sockets.remove(client);
                Ok(())
            }
            other => Err(format!("expected a close with {code}, not {other:?}")),
        }
    }

    async fn heard(&mut self, entry: &Value, client: &str) -> Result<Received, String> {
        let (socket, opened) = self.sockets.get_mut(client).ok_or("no such socket")?;
        let offset = entry["offsetMs"].as_u64().map(Duration::from_millis);
        let until = offset.map_or(Instant::now(), |offset| *opened + offset) + PATIENCE.max(Duration::from_secs(30));
        let (at, received) = socket.next(until).await.ok_or("nothing came")?;
        let took = at - *opened;
        match offset {
            Some(offset) if took.abs_diff(offset) > Duration::from_millis(TOLERANCE_MS) => {
                Err(format!("expected after {offset:?}, came after {took:?}: {received:?}"))
            }
            _ => Ok(received),
        }
    }

    fn socket(&self, client: &str) -> Result<&WebSocket, String> {
        Ok(&self.sockets.get(client).ok_or("no such socket")?.0)
    }

    fn fill(&self, text: &str) -> String {
        self.sids.iter().fold(text.to_owned(), |text, (name, sid)| text.replace(name, sid))
    }
}

/// An event's array, if the packet is an event; with its id, which clients do not need.
fn without_id(packet: &str) -> Option<&str> {
    Some(packet.strip_prefix("42")?.trim_start_matches(|character: char| character.is_ascii_digit()))
}

fn version_of(url: &str) -> Version {
    Version::of_query(url.contains("EIO=4").then_some("4"))
}

fn texts(packets: &Value) -> Vec<Text> {
    packets.as_array().into_iter().flatten().map(|text| text.as_str().unwrap_or_default().into()).collect()
}

/// An event nobody knows, of so many bytes.
fn event_of(length: usize) -> String {
    format!("42[\"nothing\",\"{}\"]", "x".repeat(length - 16))
}

async fn whole(mut exchange: Exchange) -> Result<(Head, String), String> {
    let until = Instant::now() + PATIENCE;
    let (mut head, mut body) = (None, Vec::new());
    loop {
        match exchange.next(until).await {
            Some((_, Part::Head(came))) => head = Some(came),
            Some((_, Part::Body(bytes))) => body.extend(bytes),
            Some((_, Part::End)) => break,
            Some((_, Part::Broken(reason))) => return Err(reason),
            None => return Err("no answer".into()),
        }
    }
    Ok((head.ok_or("no head")?, String::from_utf8_lossy(&body).into_owned()))
}
