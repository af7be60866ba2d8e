//! Replays recordings of the wire, request by request and frame by frame, against a running session:
//! Engine.IO, Socket.IO and what EasyRTC's rules have the server say.
//!
//! Clients come with the session's key in their query, which the recorded server knew nothing of. What
//! else differs from the recordings is in `treatments`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};
use viderehab::wire::Text;
use viderehab::wire::socketio::{packets, render_body};

use super::names::Names;
use super::neighbour::Neighbour;
use super::packets::{event_of, kind_of, packets_of, split, texts, version_of};
use super::recording::Recording;
use super::session::{SOON, Session};
use crate::http::{Exchange, Head, Part, Request};
use crate::websocket::{Received, WebSocket};

/// By how much recorded times may be missed.
const TOLERANCE_MS: u64 = 1500;

/// How long a sign of the server that tells no time may take; some follow upon one that does.
const PATIENCE: Duration = Duration::from_secs(35);

/// How long nothing must come for it to count as nothing.
const QUIET: Duration = Duration::from_millis(300);

/// The path of the recorded server.
const RECORDED_PATH: &str = "/websocket/8080";

type Checked = Result<(), String>;

struct Replay<'a> {
    session: &'a Session,
    names: Names,
    sids: HashMap<String, String>,
    sockets: HashMap<String, Socket>,
    pending: Vec<(u64, Value, Exchange)>,
    neighbour: Option<Neighbour>,
    /// Whether each client's acknowledgements and its events are compared each in their own order.
    page_by_page: bool,
    /// Acknowledgements of what was not sent: client and number.
    left_out: HashSet<(String, String)>,
}

struct Socket {
    socket: WebSocket,
    opened: Instant,
    /// What came, and was not what was waited for.
    ahead: VecDeque<String>,
}

/// Replays a recording of the wire.
///
/// # Errors
/// Where the server does otherwise than was recorded, as words.
pub fn replay(recording: &Recording, session: &Session) -> Checked {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let replayed = runtime.block_on(async {
        let mut replay = Replay {
            session,
            names: Names::default(),
            sids: HashMap::new(),
            sockets: HashMap::new(),
            pending: Vec::new(),
            neighbour: Neighbour::of(recording),
            page_by_page: recording.is_page_by_page,
            left_out: HashSet::new(),
        };
        match replay.page_by_page {
            true => replay.pages(&recording.entries).await,
            false => replay.in_order(&recording.entries).await,
        }
    });
    replayed.map_err(|wrong| format!("{}: {wrong}", recording.name))
}

impl Replay<'_> {
    async fn in_order(&mut self, entries: &[Value]) -> Checked {
        for (at, entry) in entries.iter().enumerate() {
            self.answered_before(entry["t"].as_u64().unwrap_or(0)).await?;
            self.entry(entry, entries.get(at + 1)).await.map_err(|wrong| format!("t={}: {wrong}", entry["t"]))?;
        }
        self.answered_before(u64::MAX).await?;
        for (client, socket) in &mut self.sockets {
            if let Some((_, more)) = socket.socket.next(Instant::now() + QUIET).await {
                return Err(format!("{client} also gets {more:?}"));
            }
        }
        Ok(())
    }

    /// Entries that are listed one client's after the other's: each goes on as far as it can, in turns.
    async fn pages(&mut self, entries: &[Value]) -> Checked {
        let mut pages: Vec<VecDeque<&Value>> = Vec::new();
        for entry in entries.iter().filter(|entry| entry["from"] != "note") {
            match pages.last_mut() {
                Some(page) if client_of(page[0]) == client_of(entry) => page.push_back(entry),
                _ => pages.push(VecDeque::from([entry])),
            }
        }
        let until = Instant::now() + SOON;
        while let Some(next) = pages.iter().find_map(|page| page.front()) {
            if Instant::now() > until {
                return Err(format!("t={}: {} does not come", next["t"], next["payload"]));
            }
            for page in &mut pages {
                while let Some(entry) = page.front()
                    && self.has_come(entry).await
                {
                    self.entry(entry, None).await.map_err(|wrong| format!("t={}: {wrong}", entry["t"]))?;
                    page.pop_front();
                }
            }
        }
        self.answered_before(u64::MAX).await
    }

    /// Whether an entry can be replayed without waiting for what another client does first.
    async fn has_come(&mut self, entry: &Value) -> bool {
        let (client, kind) = (client_of(entry), kind_of(entry["payload"].as_str().unwrap_or_default()));
        if entry["from"] != "server" {
            return true;
        }
        let Some(socket) = self.sockets.get_mut(client) else { return true };
        while !socket.ahead.iter().any(|text| kind_of(text) == kind) {
            match socket.socket.next(Instant::now() + QUIET).await {
                Some((_, Received::Text(text))) => socket.ahead.push_back(text),
                _ => return false,
            }
        }
        true
    }

    async fn entry(&mut self, entry: &Value, next: Option<&Value>) -> Checked {
        let (client, text) = (client_of(entry).to_owned(), entry["payload"].as_str().unwrap_or_default());
        let by_server = entry["from"] == "server";
        match (entry["event"].as_str().unwrap_or_default(), by_server) {
            ("http", false) => self.http(entry, &client).await,
            ("ws.open", false) => self.ws_open(entry, &client).await,
            ("ws.text", false) if text.starts_with("451-") => {
                let id = text[4..].split('[').next().unwrap_or_default();
                self.left_out.insert((client, format!("43{id}")));
                Ok(())
            }
            ("ws.text", true) if text.starts_with("451-") => Ok(()),
            ("ws.text", false) => {
                if let Some(offset) = entry["offsetMs"].as_u64() {
                    sleep_until(self.socket(&client)?.opened + Duration::from_millis(offset)).await;
                }
                let text = self.fill(text);
                self.socket(&client)?.socket.text(&text).await
            }
            ("ws.text", true) => self.ws_text(entry, &client).await,
            ("ws.binary", _) => Ok(()),
            // The original's client was a moment later to see what the server had closed.
            ("ws.close", false) if !self.sockets.contains_key(&client) => Ok(()),
            ("ws.close", false) => self.socket(&client)?.socket.close(0).await,
            ("ws.close", true) => self.ws_close(entry, &client).await,
            _ if entry["from"] == "note" => self.note(text, next).await,
            (event, _) => Err(format!("{event} cannot be replayed")),
        }
    }

    /// Large messages are told of in notes only.
    async fn note(&mut self, note: &str, next: Option<&Value>) -> Checked {
        let Some(rest) = note.strip_prefix("Text message of ") else { return Ok(()) };
        let length = rest.split(' ').next().and_then(|digits| digits.parse().ok()).ok_or("no length")?;
        let client = next.and_then(|next| next["to"].as_str()).unwrap_or("client A");
        self.socket(client)?.socket.text(&event_of(length)).await
    }

    async fn http(&mut self, entry: &Value, client: &str) -> Checked {
        let payload = &entry["payload"];
        let url = self.url(payload["url"].as_str().unwrap_or_default());
        let version = version_of(&url);
        let body = match &payload["body"] {
            Value::String(body) if body.ends_with(" bytes>") => {
                let length = body[1..].split(' ').next().and_then(|digits| digits.parse().ok()).ok_or("no length")?;
                Some(event_of(length))
            }
            Value::String(body) => Some(self.fill(body)),
            Value::Object(body) => {
                let filled: Vec<Text> =
                    texts(&body["packets"]).iter().map(|text| self.fill(text).as_str().into()).collect();
                Some(render_body(version, &filled))
            }
            _ => None,
        };
        let expected = packets_of(&entry["ack"]["body"], version);
        if let Some(neighbour) = &mut self.neighbour {
            neighbour.join_for(&expected, self.session).await?;
        }
        let headers = payload["headers"].as_object().into_iter().flatten();
        let headers: Vec<_> = headers.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or(""))).collect();
        let method = payload["method"].as_str().unwrap_or("GET");
        let request = Request { host: &self.session.host, method, path: &url, headers, body: body.as_deref() };
        let exchange = Exchange::begin(request).await?;
        if let Some(neighbour) = &mut self.neighbour {
            neighbour.say_for(&expected, &self.names).await?;
        }
        let (at, answered) = (entry["t"].as_u64().unwrap_or(0), entry["ackAt"].as_u64());
        // Without a time, nothing but the id of the connection has to be known before what follows.
        let is_awaited = answered.map_or(self.page_by_page && !url.contains("sid="), |answered| answered == at + 1);
        if is_awaited {
            return self.answer(entry, client, exchange).await;
        }
        // It is to be there before what follows.
        sleep(QUIET / 5).await;
        self.pending.push((answered.unwrap_or(u64::MAX), entry.clone(), exchange));
        Ok(())
    }

    async fn answered_before(&mut self, time: u64) -> Checked {
        let due: Vec<_> = self.pending.extract_if(.., |(at, ..)| *at < time || time == u64::MAX).collect();
        for (_, entry, exchange) in due {
            let client = client_of(&entry).to_owned();
            self.answer(&entry, &client, exchange).await.map_err(|wrong| format!("t={}: {wrong}", entry["t"]))?;
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
        let refused = match entry["payload"]["headers"]["origin"] == "https://example.org" {
            true => Some(403),
            false => url.contains("&j=0").then_some(400),
        };
        let expected = refused.unwrap_or(ack["status"].as_u64().unwrap_or(0) as u16);
        if head.status != expected {
            return Err(format!("expected status {expected}, not {} {body}", head.status));
        }
        if refused.is_some() || expected == 404 {
            return Ok(());
        }
        for (name, value) in ack["headers"].as_object().into_iter().flatten() {
            let came = head.header(name);
            if name != "content-encoding" && came.as_deref() != value.as_str() {
                return Err(format!("{name}: expected {value}, not {came:?}"));
            }
        }
        let version = version_of(url);
        if ack["body"].as_str().is_some_and(|text| text.starts_with("<gzip")) {
            return Ok(());
        }
        if expected != 200 || entry["payload"]["method"] != "GET" {
            return if ack["body"] == body { Ok(()) } else { Err(format!("expected {}, not {body:?}", ack["body"])) };
        }
        let expected = packets_of(&ack["body"], version);
        let came: Vec<_> = packets(version, body.as_bytes()).collect();
        if came.len() != expected.len() {
            return Err(format!("expected {expected:?}, not {came:?}"));
        }
        for (expected, came) in expected.iter().zip(came) {
            self.packet(client, expected, came.map_err(|error| error.to_string())?)?;
        }
        Ok(())
    }

    fn packet(&mut self, client: &str, expected: &str, came: &str) -> Checked {
        let differ = || Err(format!("{client}: expected {expected}, not {came}"));
        if let Some(told) = expected.strip_prefix("0{") {
            let sid = came.strip_prefix(r#"0{"sid":""#).and_then(|rest| rest.split('"').next()).ok_or("no sid")?;
            let name = told.split('<').nth(1).and_then(|rest| rest.split('>').next()).ok_or("no placeholder")?;
            self.sids.insert(format!("<{name}>"), sid.to_owned());
            return if self.fill(expected) == came { Ok(()) } else { differ() };
        }
        if expected.starts_with("40{") {
            return if came.starts_with(r#"40{"sid":""#) && came.len() > 20 { Ok(()) } else { differ() };
        }
        let ((kind, expected), (came_kind, came)) = (split(expected), split(came));
        match (kind == came_kind, serde_json::from_str(expected), serde_json::from_str(came)) {
            (true, Ok(expected), Ok(came)) => {
                self.names.same(&expected, &came).map_err(|wrong| format!("{client}: {kind}: {wrong}"))
            }
            (true, ..) if expected == came => Ok(()),
            _ => Err(format!("{client}: expected {kind}{expected}, not {came_kind}{came}")),
        }
    }

    async fn ws_open(&mut self, entry: &Value, client: &str) -> Checked {
        let url = self.url(entry["payload"]["url"].as_str().unwrap_or_default());
        if matches!(entry["ack"]["status"].as_u64(), Some(101)) || entry["ack"].is_null() {
            let socket = WebSocket::open(&self.session.host, &url, true, Instant::now() + SOON).await?;
            self.sockets.insert(client.to_owned(), Socket { socket, opened: Instant::now(), ahead: VecDeque::new() });
            return Ok(());
        }
        let headers = vec![
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let request = Request { host: &self.session.host, method: "GET", path: &url, headers, body: None };
        let (head, body) = whole(Exchange::begin(request).await?).await?;
        let expected = entry["ack"]["status"].as_u64().unwrap_or(404) as u16;
        match head.status == expected && (expected == 404 || entry["ack"]["body"] == body) {
            true => Ok(()),
            false => Err(format!("expected {}, not {} {body}", entry["ack"], head.status)),
        }
    }

    async fn ws_text(&mut self, entry: &Value, client: &str) -> Checked {
        let expected = entry["payload"].as_str().unwrap_or_default();
        if self.left_out.remove(&(client.to_owned(), split(expected).0.to_owned())) {
            return Ok(());
        }
        let kind = kind_of(expected);
        let ahead = &mut self.socket(client)?.ahead;
        let known = ahead.iter().position(|text| kind_of(text) == kind).and_then(|at| ahead.remove(at));
        let text = match known {
            Some(text) => text,
            None => match self.heard(entry, client).await? {
                Received::Text(text) => text,
                other => return Err(format!("expected {expected}, not {other:?}")),
            },
        };
        self.packet(client, expected, &text)
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
        let Socket { socket, opened, .. } = self.socket(client)?;
        let offset = entry["offsetMs"].as_u64().map(Duration::from_millis);
        let until = offset.map_or(Instant::now(), |offset| *opened + offset) + PATIENCE;
        let (at, received) = socket.next(until).await.ok_or("nothing came")?;
        let took = at - *opened;
        match offset {
            Some(offset) if took.abs_diff(offset) > Duration::from_millis(TOLERANCE_MS) => {
                Err(format!("expected after {offset:?}, came after {took:?}: {received:?}"))
            }
            _ => Ok(received),
        }
    }

    fn socket(&mut self, client: &str) -> Result<&mut Socket, String> {
        self.sockets.get_mut(client).ok_or_else(|| format!("{client} has no socket"))
    }

    fn fill(&self, text: &str) -> String {
        let text = self.names.fill_text(text);
        self.sids.iter().fold(text, |text, (name, sid)| text.replace(name, sid))
    }

    /// A recorded address at the session, with the key that the recorded server knew nothing of.
    fn url(&self, recorded: &str) -> String {
        let url = recorded.replace(RECORDED_PATH, &format!("/websocket/{}", self.session.port));
        format!("{}&key={}", self.fill(&url).replace("<cache-buster>", "x"), self.session.key)
    }
}

fn client_of(entry: &Value) -> &str {
    let client = if entry["from"] == "server" { &entry["to"] } else { &entry["from"] };
    client.as_str().unwrap_or_default()
}

async fn whole(mut exchange: Exchange) -> Result<(Head, String), String> {
    let until = Instant::now() + SOON;
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
