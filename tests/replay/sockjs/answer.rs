//! The answer to one recorded request: what came of it, against what is expected so far.

use serde_json::Value;
use tokio::time::Instant;

use super::frames::{Clothing, Cover, cover};
use super::head;
use crate::replay::http::{Exchange, Head, Part};
use crate::replay::json;
use crate::replay::outcome::{differ, shown};
use crate::replay::pace::Window;
use crate::replay::placeholders::Names;

/// An answer under way or complete.
pub struct Answer {
    exchange: Exchange,
    method: String,
    clothing: Clothing,
    head: Option<Head>,
    body: Vec<u8>,
    ended: bool,
    expected: String,
    head_expected: bool,
    end_expected: bool,
}

impl Answer {
    /// The answer to a request that has just been sent.
    pub fn new(exchange: Exchange, method: &str, path: &str) -> Answer {
        let clothing = Clothing::of(path);
        Answer {
            exchange,
            method: method.to_owned(),
            clothing,
            head: None,
            body: Vec::new(),
            ended: false,
            expected: String::new(),
            head_expected: false,
            end_expected: false,
        }
    }

    /// Waits for status and headers and compares them.
    pub async fn head(&mut self, recorded: &Value, window: Window, names: &mut Names) -> Result<(), String> {
        self.head_expected = true;
        if recorded["status"] != 200 {
            self.clothing = Clothing::Plain; // an error is told in a plain body
        }
        while self.head.is_none() {
            self.receive(window).await?.ok_or("no answer")?;
        }
        let head = self.head.as_ref().expect("waited for just now");
        head::compare(recorded, &self.method, head, names)
    }

    /// Waits for a piece of the body. A plain body is compared when it is complete.
    pub async fn body(&mut self, text: &str, window: Window) -> Result<(), String> {
        self.expected.push_str(text);
        loop {
            match self.cover() {
                _ if self.clothing == Clothing::Plain => return Ok(()),
                Cover::Exact | Cover::Ahead => return Ok(()),
                Cover::Differs(expected, came) => {
                    return Err(differ(&expected, &came));
                }
                Cover::Short if self.receive(window).await?.is_some() => {}
                Cover::Short => return Err(format!("expected {}, got nothing more", shown(text))),
            }
        }
    }

    /// Waits for the end, and compares the whole body.
    pub async fn end(&mut self, window: Window, names: &mut Names) -> Result<(), String> {
        self.end_expected = true;
        if !self.head_expected {
            return Err("an end without a head".into());
        }
        while !self.ended {
            self.receive(window).await?.ok_or("the answer does not end")?;
        }
        match (self.clothing, json::read(&self.expected)) {
            (Clothing::Plain, Some(expected)) if expected.is_object() => {
                let came =
                    serde_json::from_str(&self.text()).map_err(|_| format!("not JSON: {}", shown(&self.text())))?;
                json::same(&expected, &came, names)
            }
            (Clothing::Plain, _) => names.agree(&self.expected, &self.text()),
            _ => self.nothing_more(),
        }
    }

    /// Fails if anything came, or comes within the given time, that was not expected.
    pub async fn quiet(&mut self, until: Instant) -> Result<(), String> {
        while let Some((_, part)) = self.exchange.next(until).await {
            self.take(part)?;
        }
        if self.head.is_some() && !self.head_expected {
            return Err("an answer that was not expected".into());
        }
        if self.ended && !self.end_expected {
            return Err("an end that was not expected".into());
        }
        if self.clothing == Clothing::Plain { Ok(()) } else { self.nothing_more() }
    }

    fn nothing_more(&self) -> Result<(), String> {
        match self.cover() {
            Cover::Exact => Ok(()),
            _ => Err(differ(&self.expected, &self.text())),
        }
    }

    fn cover(&self) -> Cover {
        let expected = self.clothing.frames(&self.expected, true);
        let came = self.clothing.frames(&self.text(), self.ended);
        cover(&expected, &came, self.clothing.joins())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Takes in what comes next; none if nothing does before it is overdue.
    async fn receive(&mut self, window: Window) -> Result<Option<()>, String> {
        let Some((arrived, part)) = self.exchange.next(window.latest).await else { return Ok(None) };
        window.check(arrived)?;
        self.take(part).map(Some)
    }

    fn take(&mut self, part: Part) -> Result<(), String> {
        match part {
            Part::Head(head) => self.head = Some(head),
            Part::Body(bytes) => self.body.extend(bytes),
            Part::End => self.ended = true,
            Part::Broken(reason) => return Err(format!("the answer broke off: {reason}")),
        }
        Ok(())
    }
}
