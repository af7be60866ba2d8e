//! What the server emits (9.3, 10).

use std::fmt::Write;

use super::render::entries;
use super::{Event, Letter, Name, Relay};
use crate::wire::Text;

/// The argument of an event to clients. It differs from one recipient to the next in the recipient's
/// own id alone; all else is written once and shared.
#[derive(Debug, Clone)]
pub struct Notice {
    event: Event,
    /// The object but for its first member, with the brace that ends it.
    rest: Text,
}

impl Notice {
    /// A step of a call, for its target (8.1).
    pub fn relay(sender: &Name, relay: &Relay, now: u64) -> Self {
        let mut rest = with_room_for(relay.data);
        push(&mut rest, format_args!(r#""senderEasyrtcid":"{sender}","msgType":"{}""#, relay.kind));
        finish(&mut rest, relay.data, now);
        Self { event: Event::Cmd, rest: rest.into() }
    }

    /// A message of the application. Whom it was for is repeated as it was used.
    pub fn letter(sender: &Name, letter: &Letter, now: u64) -> Self {
        let mut rest = with_room_for(letter.data);
        push(&mut rest, format_args!(r#""senderEasyrtcid":"{sender}""#));
        for (name, target) in [("targetEasyrtcid", &letter.target.easyrtcid), ("targetRoom", &letter.target.room)] {
            if let Some(target) = target {
                push(&mut rest, format_args!(r#","{name}":"{target}""#));
            }
        }
        push(&mut rest, format_args!(r#","msgType":{}"#, letter.kind));
        finish(&mut rest, letter.data, now);
        Self { event: Event::Msg, rest: rest.into() }
    }

    /// Changes of rooms, made by [`updated`](super::updated) and [`removed`](super::removed) (10.1).
    pub fn room_data<'e>(changes: impl IntoIterator<Item = &'e str>, now: u64) -> Self {
        let data = format!(r#"{{"roomData":{}}}"#, entries(changes));
        let mut rest = String::from(r#""msgType":"roomData""#);
        finish(&mut rest, Some(&data), now);
        Self { event: Event::Cmd, rest: rest.into() }
    }

    /// The event it is the argument of.
    pub fn event(&self) -> Event {
        self.event
    }

    /// What all recipients have in common.
    pub fn shared(&self) -> &Text {
        &self.rest
    }

    /// Writes the argument for one recipient.
    pub fn write(&self, recipient: &Name, into: &mut String) {
        into.reserve(self.len(recipient));
        into.push_str(r#"{"easyrtcid":""#);
        into.push_str(recipient);
        into.push_str(r#"","#);
        into.push_str(self.rest.as_str());
    }

    /// How many bytes [`Notice::write`] writes.
    pub fn len(&self, recipient: &Name) -> usize {
        r#"{"easyrtcid":"","#.len() + recipient.len() + self.rest.len()
    }
}

/// So that what is around the data seldom makes it move.
fn with_room_for(data: Option<&str>) -> String {
    String::with_capacity(data.map_or(0, str::len) + 200)
}

fn finish(rest: &mut String, data: Option<&str>, now: u64) {
    if let Some(data) = data {
        push(rest, format_args!(r#","msgData":{data}"#));
    }
    push(rest, format_args!(r#","serverTime":{now}}}"#));
}

fn push(text: &mut String, what: std::fmt::Arguments) {
    text.write_fmt(what).expect("a String takes all that is written");
}
