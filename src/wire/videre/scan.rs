//! Walking over a JSON text: what is where, and that it is JSON (RFC 8259). Nothing is built, and nothing recursed into:
//! a payload of a quarter of a megabyte of brackets costs no stack. With a general reader this was most of what a packet
//! cost the core.

use std::borrow::Cow;

use crate::wire::sixteen::{find_escaped, find_no_digit};

/// A JSON text, and how far it has been read.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// One that has been read so far already.
    pub fn from(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    /// Reads the end of an object, with the blanks after it; answers where that is.
    pub fn close(&mut self) -> Option<usize> {
        let bytes = self.text.as_bytes();
        self.at = blanks(bytes, past(bytes, self.at, b'}')?);
        Some(self.at)
    }

    /// Reads an object: hands over the name of each member, for `each` to read the value behind it. `None`: here is no
    /// object, or `each` found no value.
    pub fn members(&mut self, mut each: impl FnMut(&str, &mut Self) -> Option<()>) -> Option<()> {
        let bytes = self.text.as_bytes();
        self.at = past(bytes, self.at, b'{')?;
        if let Some(end) = past(bytes, self.at, b'}') {
            self.at = end;
            return Some(());
        }
        loop {
            let begin = blanks(bytes, self.at);
            let (end, is_escaped) = string(bytes, begin)?;
            self.at = past(bytes, end, b':')?;
            each(&plain(&self.text[begin..end], is_escaped), self)?;
            if let Some(end) = past(bytes, self.at, b'}') {
                self.at = end;
                return Some(());
            }
            self.at = past(bytes, self.at, b',')?;
        }
    }

    /// Reads any value; answers its text.
    pub fn value(&mut self) -> Option<&'a str> {
        let begin = blanks(self.text.as_bytes(), self.at);
        self.at = value(self.text.as_bytes(), begin)?;
        Some(&self.text[begin..self.at])
    }

    /// Whether nothing but blanks is left.
    pub fn is_over(&self) -> bool {
        blanks(self.text.as_bytes(), self.at) == self.text.len()
    }

    /// The first byte of what comes next.
    pub fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(blanks(self.text.as_bytes(), self.at)).copied()
    }
}

// Each of these reads from a place in a text and answers where it ends; nothing if that is not there.

/// All that may stand between values.
fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Blanks and this byte.
fn past(bytes: &[u8], at: usize, byte: u8) -> Option<usize> {
    // Mostly there are none.
    if *bytes.get(at)? == byte {
        return Some(at + 1);
    }
    let at = blanks(bytes, at);
    (*bytes.get(at)? == byte).then_some(at + 1)
}

/// A value that begins here.
fn value(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut open = Open::default();
    // Of the innermost that is open.
    let mut closing = None;
    loop {
        at = match *bytes.get(at)? {
            b'"' => string(bytes, at)?.0,
            opening @ (b'{' | b'[') => {
                // Both are two before the bracket that closes them.
                let closes = opening + 2;
                match past(bytes, at + 1, closes) {
                    Some(end) => end,
                    None => {
                        open.push(closes);
                        closing = Some(closes);
                        at = inside(bytes, at + 1, closes)?;
                        continue;
                    }
                }
            }
            b'-' | b'0'..=b'9' => number(bytes, at)?,
            _ => word(bytes, at)?,
        };
        // A value has ended, and perhaps what it was in.
        loop {
            let Some(closes) = closing else { return Some(at) };
            at = blanks(bytes, at);
            match *bytes.get(at)? {
                b',' => {
                    at = inside(bytes, at + 1, closes)?;
                    break;
                }
                byte if byte == closes => closing = open.pop(),
                _ => return None,
            }
            at += 1;
        }
    }
}

/// The brackets that are open, the innermost last: a bit each, and those that are very deep a byte each.
#[derive(Default)]
struct Open {
    depth: usize,
    /// Set: an array.
    bits: u64,
    deep: Vec<u8>,
}

impl Open {
    fn push(&mut self, closing: u8) {
        match self.depth < 64 {
            true => self.bits = self.bits << 1 | u64::from(closing == b']'),
            false => self.deep.push(closing),
        }
        self.depth += 1;
    }

    /// The bracket that closes the innermost.
    fn last(&self) -> Option<u8> {
        match self.depth {
            0 => None,
            1..=64 => Some(if self.bits & 1 == 1 { b']' } else { b'}' }),
            _ => self.deep.last().copied(),
        }
    }

    /// Answers what closes the one around it.
    fn pop(&mut self) -> Option<u8> {
        match self.depth <= 64 {
            true => self.bits >>= 1,
            false => _ = self.deep.pop(),
        }
        self.depth -= 1;
        self.last()
    }
}

/// What comes before the next value of an object or array: in an object, its name.
fn inside(bytes: &[u8], at: usize, closing: u8) -> Option<usize> {
    let at = blanks(bytes, at);
    match closing {
        b'}' => Some(blanks(bytes, past(bytes, string(bytes, at)?.0, b':')?)),
        _ => Some(at),
    }
}

/// A string, and whether there are escapes in it.
fn string(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    if *bytes.get(at)? != b'"' {
        return None;
    }
    let mut at = find_escaped(bytes, at + 1)?;
    let mut is_escaped = false;
    loop {
        match bytes[at] {
            b'"' => return Some((at + 1, is_escaped)),
            b'\\' => at = find_escaped(bytes, escape(bytes, at)?)?,
            // A control character must be escaped.
            _ => return None,
        }
        is_escaped = true;
    }
}

fn escape(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => Some(at + 6),
        _ => None,
    }
}

fn number(bytes: &[u8], mut at: usize) -> Option<usize> {
    at += usize::from(bytes[at] == b'-');
    at = if *bytes.get(at)? == b'0' { at + 1 } else { digits(bytes, at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        at = digits(bytes, at)?;
    }
    Some(at)
}

/// At least one.
fn digits(bytes: &[u8], begin: usize) -> Option<usize> {
    let end = find_no_digit(bytes, begin).unwrap_or(bytes.len());
    (end > begin).then_some(end)
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let words: [&[u8]; 3] = [b"true", b"false", b"null"];
    words.into_iter().find(|word| rest.starts_with(word)).map(|word| at + word.len())
}

/// What a string means: without its quotes and escapes. One that is no Unicode, a lone surrogate, stays as it is.
pub(super) fn plain(string: &str, is_escaped: bool) -> Cow<'_, str> {
    match is_escaped {
        false => Cow::Borrowed(string.get(1..string.len() - 1).unwrap_or(string)),
        true => serde_json::from_str(string).map_or(Cow::Borrowed(string), Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::value::RawValue;

    use super::*;

    fn scanned(text: &str) -> Option<&str> {
        let mut scanner = Scanner::new(text);
        let value = scanner.value()?;
        scanner.is_over().then_some(value)
    }

    fn read(text: &str) -> Option<&str> {
        serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get)
    }

    #[test]
    fn what_is_json_and_what_is_not() {
        for text in [
            "0",
            "-0",
            "-0.0e-0",
            "12.50E+3",
            "01",
            "1.",
            ".5",
            "-",
            "1e",
            "+1",
            "1e400",
            "true",
            "tru",
            "truely",
            "nul",
            "\"\"",
            "\"a\\u00e9\\\"\\/b\"",
            "\"\\u12g4\"",
            "\"\\x\"",
            "\"\\",
            "\"a\nb\"",
            "\"\u{7f}\u{e9}\"",
            "[]",
            "[ ]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{}",
            "{\"a\":1,}",
            "{\"a\" : [ { } , null ] }",
            "{a:1}",
            "{\"a\"}",
            "{\"a\":}",
            "[}",
            "{]",
            "[[[",
            "]]",
            " \t\r\n1 \t\r\n",
            "\u{a0}1",
            "1 1",
            "",
            " ",
            "NaN",
            "\"\\ud800\"",
            "{\"0123456789abcdef\":\"0123456789abcdef0123456789abcde\\\\\"}",
        ] {
            assert_eq!(scanned(text), read(text), "{text:?}");
        }
    }

    #[test]
    fn each_member_comes_with_its_value() {
        let (text, mut all) = (r#" { "a" : 1 , "b\n":{"c":[2]}, "a":"x" } "#, Vec::new());
        let mut scanner = Scanner::new(text);
        scanner.members(|name, values| {
            all.push((name.to_owned(), values.value()?));
            Some(())
        });
        let expected = [("a", "1"), ("b\n", r#"{"c":[2]}"#), ("a", "\"x\"")];
        assert_eq!(all, expected.map(|(name, value)| (name.to_owned(), value)));
        assert!(scanner.is_over());
        assert_eq!(Scanner::new("[1]").members(|_, _| Some(())), None);
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 30, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(".{0,20}", inner, 0..5)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        /// What a general reader takes for JSON is, and nothing else, also when it has been spoiled.
        #[test]
        fn agrees_with_a_general_reader(value in json(), pretty in any::<bool>(), at in any::<prop::sample::Index>(), byte in "[\\x00-\\x7f]", spoils in any::<bool>()) {
            let mut text = if pretty { format!("{value:#}") } else { value.to_string() };
            if spoils {
                let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
                let place = places[at.index(places.len())];
                let end = text[place..].chars().next().map_or(place, |first| place + first.len_utf8());
                text.replace_range(place..end, &byte);
            }
            prop_assert_eq!(scanned(&text), read(&text));
        }
    }
}
