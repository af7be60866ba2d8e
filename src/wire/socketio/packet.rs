//! Socket.IO packets from clients: a digit, a namespace, an id, JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::ParseError;

/// Names of events that a client library raises by itself, so nobody may send them.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// A packet from a client. JSON stays the text that it was.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// `0`, with the `auth` of Socket.IO 3 and later, a JSON object.
    Connect {
        /// `/` if none is written.
        namespace: &'a str,
        /// As it came.
        auth: Option<&'a str>,
    },
    /// `1` of namespace `/`.
    Disconnect,
    /// `2` of namespace `/`.
    Event(Event<'a>),
    /// `3` of namespace `/`: the answer to an event of ours. We ask for none.
    Acknowledgement,
    /// Anything but a connect, of a namespace that there is not.
    Elsewhere,
}

/// An event from a client.
#[derive(Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// By what it is to be answered; none: no answer is asked for.
    pub id: Option<u64>,
    /// Its name.
    pub name: Cow<'a, str>,
    /// The JSON text of its first argument; further ones are dropped.
    pub argument: Option<&'a str>,
}

impl<'a> Packet<'a> {
    /// Reads what an Engine.IO message carries.
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        let mut rest = text.chars();
        let kind = rest.next().ok_or(ParseError::Type)?;
        let (namespace, rest) = split_namespace(rest.as_str());
        match kind {
            '0' => Ok(Self::Connect { namespace, auth: auth(rest)? }),
            '1' | '2' | '3' if namespace != "/" => Ok(Self::Elsewhere),
            '1' if rest.is_empty() => Ok(Self::Disconnect),
            '1' => Err(ParseError::Payload),
            '2' => event(rest).map(Self::Event),
            '3' => {
                let (_, arguments) = split_id(rest)?;
                serde_json::from_str::<Vec<IgnoredAny>>(arguments).map_err(|_| ParseError::Payload)?;
                Ok(Self::Acknowledgement)
            }
            '5' | '6' => Err(ParseError::Binary),
            _ => Err(ParseError::Type),
        }
    }
}

fn split_namespace(text: &str) -> (&str, &str) {
    match text.starts_with('/') {
        true => text.split_once(',').unwrap_or((text, "")),
        false => ("/", text),
    }
}

fn split_id(text: &str) -> Result<(Option<u64>, &str), ParseError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (id, rest) = text.split_at(digits);
    let id = (digits > 0).then(|| id.parse().map_err(|_| ParseError::Id)).transpose()?;
    Ok((id, rest))
}

fn auth(text: &str) -> Result<Option<&str>, ParseError> {
    if text.is_empty() {
        return Ok(None);
    }
    let value: &RawValue = serde_json::from_str(text).map_err(|_| ParseError::Payload)?;
    match value.get() {
        "null" => Ok(None),
        object if object.starts_with('{') => Ok(Some(object)),
        _ => Err(ParseError::Payload),
    }
}

fn event(text: &str) -> Result<Event<'_>, ParseError> {
    let (id, arguments) = split_id(text)?;
    let Arguments { name, first } = serde_json::from_str(arguments).map_err(|_| ParseError::Payload)?;
    if RESERVED.contains(&name.as_ref()) {
        return Err(ParseError::Reserved);
    }
    Ok(Event { id, name, argument: first.map(RawValue::get) })
}

/// `["name", first, …]`
struct Arguments<'a> {
    name: Cow<'a, str>,
    first: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Arguments<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = Arguments<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an array that begins with a name")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let Name(name) = array.next_element()?.ok_or_else(|| A::Error::custom("no name"))?;
                let first = array.next_element()?;
                while array.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Arguments { name, first })
            }
        }
        deserializer.deserialize_seq(Array)
    }
}

/// Borrowed from the packet unless it has escapes: serde borrows no plain `Cow`.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
