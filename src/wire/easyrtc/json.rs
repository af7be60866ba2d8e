//! JSON as slices of a text that is known to be JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON value, as it was written.
#[derive(Clone, Copy)]
pub(super) struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    pub fn new(raw: &'a RawValue) -> Self {
        Self(raw.get())
    }

    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// An object or an array (13.1).
    pub fn is_object(self) -> bool {
        self.0.starts_with(['{', '['])
    }

    /// Whether it is an object, an array or a text with nothing in it.
    pub fn is_empty(self) -> bool {
        let inside = |opening| self.0.strip_prefix(opening).map(str::trim_start);
        inside('{').is_some_and(|rest| rest.starts_with('}'))
            || inside('[').is_some_and(|rest| rest.starts_with(']'))
            || self.0 == "\"\""
    }

    pub fn is_text(self) -> bool {
        self.0.starts_with('"')
    }

    /// The text that it is. A text with a lone surrogate, which is no Unicode, counts as none: it
    /// fits none of the rules for texts.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let quoted = self.0.strip_prefix('"')?.strip_suffix('"')?;
        match quoted.contains('\\') {
            false => Some(Cow::Borrowed(quoted)),
            true => serde_json::from_str(self.0).ok().map(Cow::Owned),
        }
    }

    /// The members of these names. One pass over the text, with a stack that does not grow with its
    /// depth.
    pub fn pick<const N: usize>(self, names: [&str; N]) -> [Option<Self>; N] {
        let mut picked = [None; N];
        self.each(|name, value| {
            if let Some(place) = names.iter().position(|wanted| wanted.as_bytes() == name) {
                picked[place] = Some(value);
            }
        });
        picked
    }

    /// All members in order, those of an array by their index. A name that stands twice comes twice.
    pub fn members(self) -> Vec<(String, Self)> {
        let mut members = Vec::new();
        self.each(|name, value| members.push((String::from_utf8_lossy(name).into_owned(), value)));
        members
    }

    fn each(self, mut member: impl FnMut(&[u8], Self)) {
        if self.is_object() {
            let visitor = Each(&mut member);
            let mut reader = serde_json::Deserializer::from_str(self.0);
            // It is JSON and an object or array, so this does not fail.
            let _ = reader.deserialize_any(visitor);
        }
    }

    /// The value without white space around its parts, and with no more escapes than need be: as
    /// JavaScript would write it, but for numbers, which stay as they are.
    pub fn compact(self) -> String {
        let mut compact = String::with_capacity(self.0.len());
        let mut rest = self.0;
        while let Some(start) = rest.find(['"', ' ', '\t', '\n', '\r']) {
            compact.push_str(&rest[..start]);
            rest = &rest[start..];
            let end = string_end(rest).unwrap_or(1);
            match Json(&rest[..end]).text() {
                Some(Cow::Borrowed(_)) => compact.push_str(&rest[..end]),
                Some(Cow::Owned(text)) => compact.push_str(&quoted(&text)),
                // White space, or a text that is no Unicode: its escapes are all it has.
                None if rest.starts_with('"') => compact.push_str(&rest[..end]),
                None => {}
            }
            rest = &rest[end..];
        }
        compact.push_str(rest);
        compact
    }
}

/// Where the string that a text begins with ends; `None` if it begins with none.
fn string_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    (bytes.first() == Some(&b'"')).then_some(())?;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is always JSON")
}

/// The length that JavaScript gives a text.
pub(super) fn utf16_units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Hands every member to the closure.
struct Each<F>(F);

impl<'de, F: FnMut(&[u8], Json<'de>)> Visitor<'de> for Each<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object or an array")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<(), M::Error> {
        while let Some(KeyBytes(name)) = map.next_key()? {
            let value: &'de RawValue = map.next_value()?;
            (self.0)(&name, Json::new(value));
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(mut self, mut sequence: S) -> Result<(), S::Error> {
        let mut index = 0_usize;
        while let Some(value) = sequence.next_element::<&'de RawValue>()? {
            (self.0)(index.to_string().as_bytes(), Json::new(value));
            index += 1;
        }
        Ok(())
    }
}

/// A name as bytes, since JSON allows names that are no Unicode and reading must not stop at one.
struct KeyBytes<'de>(Cow<'de, [u8]>);

impl<'de> Deserialize<'de> for KeyBytes<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = KeyBytes<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_bytes<E>(self, name: &'de [u8]) -> Result<Self::Value, E> {
                Ok(KeyBytes(Cow::Borrowed(name)))
            }

            fn visit_bytes<E>(self, name: &[u8]) -> Result<Self::Value, E> {
                Ok(KeyBytes(Cow::Owned(name.to_vec())))
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(KeyBytes(Cow::Borrowed(name.as_bytes())))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(KeyBytes(Cow::Owned(name.as_bytes().to_vec())))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
