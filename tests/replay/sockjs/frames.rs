//! The frames in what a server sent, and whether they are those recorded.

use std::borrow::Cow;

/// How frames are dressed in the body of an answer, or on a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clothing {
    /// No frames: a body that is compared when it is complete.
    Plain,
    /// A line each, one to an answer.
    Line,
    /// A line each, many to an answer.
    Lines,
    /// `data:` and two line ends.
    EventSource,
    /// A script block each.
    HtmlFile,
}

/// How far what came covers what is expected so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Cover {
    /// All of it is there, and nothing else.
    Exact,
    /// All of it is there, and more.
    Ahead,
    /// What came fits; the rest may follow.
    Short,
    /// The recorded and the received frame that differ.
    Differs(String, String),
}

impl Clothing {
    /// The clothing of the answer to a request.
    pub fn of(path: &str) -> Clothing {
        let path = path.split('?').next().unwrap_or(path);
        match path.rsplit('/').next() {
            Some("xhr" | "jsonp") => Clothing::Line,
            Some("xhr_streaming") => Clothing::Lines,
            Some("eventsource") => Clothing::EventSource,
            Some("htmlfile") => Clothing::HtmlFile,
            _ => Clothing::Plain,
        }
    }

    /// Whether messages recorded in several frames may come in one: an `a` frame holds one or more.
    /// An answer to a poll is one frame, which this says nothing of.
    pub fn joins(self) -> bool {
        !matches!(self, Clothing::Plain | Clothing::Line)
    }

    /// Cuts a body into dressed frames, in a form in which equal frames are equal texts. The first
    /// holds the prelude. What is left over counts only once the body is `whole`.
    pub fn frames(self, body: &str, whole: bool) -> Vec<String> {
        let end = match self {
            Clothing::Plain => return vec![body.to_owned()],
            Clothing::Line | Clothing::Lines => "\n",
            Clothing::EventSource => "\r\n\r\n",
            Clothing::HtmlFile => "</script>\r\n",
        };
        let mut frames: Vec<String> =
            body.split_inclusive(end).filter(|frame| whole || frame.ends_with(end)).map(plain_pairs).collect();
        if self == Clothing::HtmlFile {
            frames.iter_mut().for_each(read_argument);
        }
        frames
    }
}

/// Whether the frames that came are those expected, in order; with `joins`, several expected `a`
/// frames may have come as one.
pub fn cover(expected: &[String], actual: &[String], joins: bool) -> Cover {
    let mut wanted = expected.iter();
    for came in actual {
        let Some(first) = wanted.next() else { return Cover::Ahead };
        let mut first = Cow::Borrowed(first);
        while *first != *came {
            let Some(begun) = opened(&first).filter(|begun| joins && came.starts_with(begun)) else {
                return Cover::Differs(first.into_owned(), came.clone());
            };
            match wanted.next().map(|next| (next, rest_of_array(next, &first))) {
                None => return Cover::Ahead,
                Some((_, Some(rest))) => first = Cow::Owned(format!("{begun}{rest}")),
                Some((next, None)) => return Cover::Differs(next.clone(), came.clone()),
            }
        }
    }
    if wanted.next().is_some() { Cover::Short } else { Cover::Exact }
}

/// An `a` frame as it would begin if more messages followed in it.
fn opened(frame: &str) -> Option<String> {
    frame.find("a[")?;
    Some(format!("{},", &frame[..frame.rfind(']')?]))
}

/// What follows `a[` in a frame, if it is dressed like the one before it, whose prelude is left out.
fn rest_of_array<'a>(frame: &'a str, before: &str) -> Option<&'a str> {
    let (dress, rest) = frame.split_at(frame.find("a[")?);
    before[..before.find("a[")?].ends_with(dress).then(|| &rest[2..])
}

/// Writes what a server may write in two ways in one: escapes of both halves of a character above
/// U+FFFF as that character, that of a half alone as U+FFFD's.
pub fn plain_pairs(text: &str) -> String {
    let half = |text: &str| text.strip_prefix("\\u").and_then(|hex| u16::from_str_radix(hex.get(..4)?, 16).ok());
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\\') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let first = half(rest).filter(|first| (0xd800..0xe000).contains(first));
        let pair = first.zip(rest.get(6..).and_then(half));
        let character = pair.and_then(|(high, low)| char::decode_utf16([high, low]).next()?.ok());
        let taken = match (first, character) {
            (Some(_), Some(character)) => {
                plain.push(character);
                12
            }
            (Some(_), None) => {
                plain.push_str("\\ufffd");
                6
            }
            // Two characters at a time, so that an escaped backslash begins no escape.
            (None, _) => {
                let taken = rest.char_indices().nth(2).map_or(rest.len(), |(place, _)| place);
                plain.push_str(&rest[..taken]);
                taken
            }
        };
        rest = &rest[taken..];
    }
    plain + rest
}

/// Writes the text given to `p(…)` in one way, so that `<` equals `\u003c` in it.
fn read_argument(frame: &mut String) {
    let Some(start) = frame.find("\np(\"").map(|place| place + 3) else { return };
    let Some(end) = frame.rfind(");\n") else { return };
    if let Ok(argument) = serde_json::from_str::<String>(&frame[start..end]) {
        let argument = serde_json::Value::from(argument).to_string();
        frame.replace_range(start..end, &argument);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(frames: &[&str]) -> Vec<String> {
        frames.iter().map(|frame| (*frame).to_owned()).collect()
    }

    #[test]
    fn joined_messages_cover_several_frames() {
        let expected = frames(&["hhh\n", "a[\"x\"]\n", "a[\"y\"]\n", "a[\"z\"]\n"]);
        let joined = frames(&["hhh\n", "a[\"x\",\"y\",\"z\"]\n"]);
        assert_eq!(cover(&expected, &joined, true), Cover::Exact);
        assert_eq!(cover(&expected[..3], &joined, true), Cover::Ahead);
        assert_eq!(cover(&expected, &joined[..1], true), Cover::Short);
        assert!(matches!(cover(&expected, &joined, false), Cover::Differs(..)));
    }

    #[test]
    fn split_messages_do_not_cover_one_frame() {
        let expected = frames(&["a[\"x\",\"y\"]\n"]);
        let split = frames(&["a[\"x\"]\n", "a[\"y\"]\n"]);
        assert!(matches!(cover(&expected, &split, true), Cover::Differs(..)));
    }

    #[test]
    fn frames_that_only_begin_alike_differ() {
        let expected = frames(&["a[\"x\"]", "a[\"y\"]"]);
        assert!(matches!(cover(&expected, &frames(&["a[\"x\",\"z\"]"]), true), Cover::Differs(..)));
        assert!(matches!(cover(&expected, &frames(&["a[\"x\",\"y\",\"z\"]"]), true), Cover::Ahead));
    }

    #[test]
    fn pairs_are_read_and_other_escapes_kept() {
        assert_eq!(plain_pairs(r#"a["\ud83d\ude00 \ufff0 \\ud83d"]"#), r#"a["😀 \ufff0 \\ud83d"]"#);
        assert_eq!(plain_pairs(r#"a["a\ud800b","\udfff"]"#), r#"a["a\ufffdb","\ufffd"]"#);
    }

    #[test]
    fn an_escaped_tag_in_a_script_is_a_tag() {
        let recorded = Clothing::HtmlFile.frames("<script>\np(\"a[\\\"</script>\\\"]\");\n</script>\r\n", true);
        let escaped = Clothing::HtmlFile.frames("<script>\np(\"a[\\\"\\u003c/script>\\\"]\");\n</script>\r\n", true);
        assert_eq!(recorded, escaped);
    }
}
