//! Presence: what a client says of its availability.

use std::fmt;

use super::json::{Json, quoted, utf16_units};
use super::name::is_status;
use super::{ErrorCode, KEPT_UNITS};

/// A connection's presence (5). Its `Display` is its JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    show: &'static str,
    /// As JSON.
    status: Option<Box<str>>,
    /// Any JSON value, under the name `type`.
    kind: Option<Box<str>>,
}

/// What of a presence is to change: what a `setPresence` holds, here and at authentication.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PresenceChange {
    show: Option<&'static str>,
    status: Option<Box<str>>,
    kind: Option<Box<str>>,
}

impl Presence {
    /// Replaces what the change gives, keeps the rest (8.5).
    pub fn merge(&mut self, change: PresenceChange) {
        self.show = change.show.unwrap_or(self.show);
        self.status = change.status.or(self.status.take());
        self.kind = change.kind.or(self.kind.take());
    }
}

impl Default for Presence {
    fn default() -> Self {
        Self { show: "chat", status: None, kind: None }
    }
}

impl fmt::Display for Presence {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let status = self.status.as_deref().unwrap_or("null");
        write!(formatter, r#"{{"show":"{}","status":{status}"#, self.show)?;
        if let Some(kind) = &self.kind {
            write!(formatter, r#","type":{kind}"#)?;
        }
        formatter.write_str("}")
    }
}

impl PresenceChange {
    /// Reads a `setPresence`: an object with something in it, of which other members are dropped.
    pub(super) fn read(json: Json) -> Result<Self, ErrorCode> {
        if !json.is_object() || json.is_empty() {
            return Err(ErrorCode::BadStructure);
        }
        let [show, status, kind] = json.pick(["show", "status", "type"]);
        let kind = kind.map(Json::compact);
        if kind.as_deref().is_some_and(|kind| utf16_units(kind) > KEPT_UNITS) {
            return Err(ErrorCode::BadSize);
        }
        Ok(Self {
            show: show.map(|show| shown(show).ok_or(ErrorCode::BadStructure)).transpose()?,
            status: status.map(|status| status_text(status).ok_or(ErrorCode::BadStructure)).transpose()?,
            kind: kind.map(Box::from),
        })
    }
}

fn shown(json: Json) -> Option<&'static str> {
    let show = json.text()?;
    ["away", "chat", "dnd", "xa"].into_iter().find(|known| *known == show)
}

fn status_text(json: Json) -> Option<Box<str>> {
    let status = json.text().filter(|status| is_status(status))?;
    Some(quoted(&status).into())
}
