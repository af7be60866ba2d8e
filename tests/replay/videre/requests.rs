//! The requests of a peer: about the service, and those that carry its packets.

use std::collections::HashMap;
use std::mem;

use serde_json::Value;
use tokio::time::Instant;

use crate::replay::http::{Exchange, Part, Request};
use crate::replay::json;
use crate::replay::outcome::shown;
use crate::replay::pace::Window;
use crate::replay::placeholders::Names;

/// The requests of a peer, by their numbers.
pub struct Requests {
    host: String,
    open: HashMap<u64, Exchange>,
    polled: String,
}

impl Requests {
    /// Nothing asked yet.
    pub fn new(host: &str) -> Requests {
        Requests { host: host.to_owned(), open: HashMap::new(), polled: String::new() }
    }

    /// Sends a request. Whether it polls for packets.
    pub async fn ask(&mut self, id: u64, method: &str, path: &str, body: Option<&str>) -> Result<bool, String> {
        let polls = path.split('?').next().is_some_and(|path| path.ends_with("/xhr"));
        if polls {
            self.polled = path.to_owned();
        }
        let request = Request { host: &self.host, method, path, headers: Vec::new(), body };
        self.open.insert(id, Exchange::begin(request).await?);
        Ok(polls)
    }

    /// Waits for the answer to a request, and compares its status.
    pub async fn answer(&mut self, id: u64, status: &Value, window: Window) -> Result<(Instant, String), String> {
        let exchange = self.open.remove(&id).ok_or("no such request")?;
        let (arrived, came, body) = whole(exchange, window.latest).await?.ok_or("no answer")?;
        window.check(arrived)?;
        if *status != came {
            return Err(format!("expected status {status}, got {came} and {}", shown(&body)));
        }
        Ok((arrived, body))
    }

    /// Polls once more: what was recorded in one answer may come in several.
    pub async fn again(&mut self, until: Instant) -> Result<Option<(Instant, String)>, String> {
        let request = Request { host: &self.host, method: "POST", path: &self.polled, headers: Vec::new(), body: None };
        match whole(Exchange::begin(request).await?, until).await? {
            Some((_, status, _)) if status != 200 => Err(format!("a poll was answered with status {status}")),
            answer => Ok(answer.map(|(arrived, _, body)| (arrived, body))),
        }
    }

    /// Fails if anything comes within the given time.
    pub async fn unexpected(&mut self, until: Instant) -> Result<(), String> {
        for (id, mut exchange) in mem::take(&mut self.open) {
            if exchange.next(until).await.is_some() {
                return Err(format!("request {id} is answered, which was not expected"));
            }
        }
        Ok(())
    }
}

/// Compares an answer that holds no frames.
pub fn compare(recorded: &str, body: &str, names: &mut Names) -> Result<(), String> {
    match (json::read(recorded), json::read(body)) {
        (Some(recorded), Some(body)) => json::same(&recorded, &body, names),
        _ => names.agree(recorded, body),
    }
}

async fn whole(mut exchange: Exchange, until: Instant) -> Result<Option<(Instant, u16, String)>, String> {
    let (mut status, mut body) = (0, Vec::new());
    while let Some((arrived, part)) = exchange.next(until).await {
        match part {
            Part::Head(head) => status = head.status,
            Part::Body(bytes) => body.extend(bytes),
            Part::End => return Ok(Some((arrived, status, String::from_utf8_lossy(&body).into_owned()))),
            Part::Broken(reason) => return Err(format!("the answer broke off: {reason}")),
        }
    }
    Ok(None)
}
