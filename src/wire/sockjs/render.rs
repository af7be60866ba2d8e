//! What the server sends: frames, and what each transport clothes them in.

use std::fmt::Write;

use crate::wire::Text;
use crate::wire::sixteen::find_escaped_or_wide;

/// The first frame of every session.
pub const OPEN: &str = "o";

/// The sign of life.
pub const HEARTBEAT: &str = "h";

/// How many `h` a streaming answer begins with, so that old browsers do not wait for more.
pub const PRELUDE_BYTES: usize = 2048;

/// The spaces after the head of an htmlfile answer: with them it has more than the 1,024 characters
/// that old browsers wait for, whatever the callback's name.
const HEAD_SPACES: usize = 653;

/// A JSON string with the escapes that SockJS asks for: besides JSON's own, the characters that some
/// browsers mangle on their way.
pub fn quote(text: &str) -> Text {
    let mut quoted = String::with_capacity(text.len() + text.len() / 8 + 2);
    quoted.push('"');
    let (mut plain_from, mut at) = (0, 0);
    while let Some(place) = find_escaped_or_wide(text.as_bytes(), at) {
        let character = text[place..].chars().next().expect("something is there");
        at = place + character.len_utf8();
        let short = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\u{0}'..='\u{1f}'
            | '\u{200c}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff0}'..='\u{ffff}' => "",
            _ => continue,
        };
        quoted.push_str(&text[plain_from..place]);
        match short {
            "" => write!(quoted, "\\u{:04x}", u32::from(character)).expect("writing to a String cannot fail"),
            short => quoted.push_str(short),
        }
        plain_from = at;
    }
    quoted.push_str(&text[plain_from..]);
    quoted.push('"');
    quoted.into()
}

/// What stands around the messages of an `a` frame.
pub const ARRAY: (&str, &str) = ("a[", "]");

/// An `a` frame of messages that have been quoted.
pub fn array(quoted: &[Text]) -> Text {
    let length = quoted.iter().map(|message| message.len() + 1).sum::<usize>();
    let mut frame = String::with_capacity(length + 3);
    frame.push_str(ARRAY.0);
    for (at, message) in quoted.iter().enumerate() {
        if at > 0 {
            frame.push(',');
        }
        frame.push_str(message.as_str());
    }
    frame.push_str(ARRAY.1);
    frame.into()
}

/// A `c` frame.
pub fn close(code: u16, reason: &str) -> String {
    format!("c[{code},{}]", quote(reason).as_str())
}

/// A frame as an event of an event stream. The client applies URI decoding to it.
pub fn event(frame: &str) -> String {
    let escaped = frame.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A").replace('\0', "%00");
    format!("data: {escaped}\r\n\r\n")
}

/// The head of an htmlfile answer; `callback` has passed [`super::callback`].
pub fn html_head(callback: &str) -> String {
    let head = format!(
        r#"<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.{callback};
    c.start();
    function p(d) {{c.message(d);}};
    window.onload = function() {{c.stop();}};
  </script>"#
    );
    format!("{head}{:HEAD_SPACES$}\r\n\r\n", "")
}

/// A frame as a script of an htmlfile answer. `<` is written as an escape, or a message could end
/// the script element and begin another.
pub fn html_script(frame: &str) -> String {
    let argument = quote(frame).as_str().replace('<', "\\u003c");
    format!("<script>\np({argument});\n</script>\r\n")
}

/// A frame as a JSONP answer.
pub fn jsonp(callback: &str, frame: &str) -> String {
    format!("/**/{callback}({});\r\n", quote(frame).as_str())
}
