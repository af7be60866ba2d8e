//! SockJS: arrays of strings, addresses, callbacks, and what frames are clothed in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use viderehab_fuzz::wire::Text;
use viderehab_fuzz::wire::sockjs::{self, DecodeError, Route, callback, decode_array, decode_frame};
use viderehab_fuzz::{json, within};

fuzz_target!(|data: &[u8]| {
    let read = decode_array(data);
    if let Ok(Value::Array(array)) = serde_json::from_slice::<Value>(data)
        && array.iter().all(Value::is_string)
    {
        let expected: Vec<_> = array.iter().filter_map(Value::as_str).collect();
        match &read {
            Err(DecodeError::TooMany) => assert!(expected.len() > 1000),
            read => assert_eq!(read.as_deref().expect("an array of strings"), expected),
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return assert!(read.is_err()) };
    let framed = decode_frame(text);
    if let Ok(messages) = &read {
        assert_eq!(framed.as_ref(), Ok(messages));
        let quoted: Vec<Text> = messages.iter().map(|message| sockjs::quote(message)).collect();
        let frame = sockjs::array(&quoted);
        assert_eq!(decode_frame(&frame.as_str()[1..]).as_ref(), Ok(messages));
    }
    if let Some(Route::Session(session, _)) = Route::parse(text) {
        assert!(within(session.as_bytes(), data) && !session.is_empty() && !session.contains(['.', '/']));
    }
    if let Ok(name) = callback(Some(text)) {
        assert!(name == text && name.len() <= 32 && !name.contains(['(', '<', '"', '\'', ';', ' ']));
    }
    rendered(text);
});

/// Whatever is said, it stays inside the clothes.
fn rendered(said: &str) {
    let quoted = sockjs::quote(said);
    assert_eq!(json(quoted.as_str()), said);
    let mangled = |character: &char| matches!(character, '\0'..='\u{1f}' | '\u{200c}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{fff0}'..='\u{ffff}');
    assert_eq!(quoted.as_str().chars().find(mangled), None);
    assert_eq!(json(&sockjs::close(3000, said)[1..]), serde_json::json!([3000, said]));

    let event = sockjs::event(said);
    let line = event.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\r\n\r\n")).expect("an event");
    assert!(!line.contains(['\r', '\n', '\0']));
    let back = line.replace("%00", "\0").replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%");
    assert_eq!(back, said);

    let script = sockjs::html_script(said);
    let argument = script.strip_prefix("<script>\np(").and_then(|rest| rest.strip_suffix(");\n</script>\r\n"));
    let argument = argument.expect("a script");
    assert!(json(argument) == *said && !argument.contains('<'));
    let call = sockjs::jsonp("name", said);
    assert_eq!(
        json(call.strip_prefix("/**/name(").and_then(|rest| rest.strip_suffix(");\r\n")).expect("a call")),
        said
    );
}
