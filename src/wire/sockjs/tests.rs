use proptest::prelude::*;

use super::*;
use crate::wire::Text;

#[test]
fn literal_bytes() {
    assert_eq!(array(&[quote("x"), quote("y\"")]).as_str(), r#"a["x","y\""]"#);
    assert_eq!(close(3000, "Go away!"), r#"c[3000,"Go away!"]"#);
    assert_eq!(event(r#"a["100% %41"]"#), "data: a[\"100%25 %2541\"]\r\n\r\n");
    assert_eq!(jsonp("cb", r#"a["x"]"#), "/**/cb(\"a[\\\"x\\\"]\");\r\n");
    assert_eq!(html_script("a[\"</script>\"]"), "<script>\np(\"a[\\\"\\u003c/script>\\\"]\");\n</script>\r\n");
    let head = html_head("cb");
    assert!(head.len() > 1024 && head.ends_with("  \r\n\r\n") && head.contains("var c = parent.cb;"));
}

/// What browsers mangle is escaped, with short forms where JSON has them.
#[test]
fn escapes() {
    assert_eq!(quote("\u{0}\u{1f}\n\t\u{8}/é").as_str(), r#""\u0000\u001f\n\t\b/é""#);
    assert_eq!(quote("\u{200c}\u{2028}\u{206f}\u{fff0}\u{ffff}").as_str(), r#""\u200c\u2028\u206f\ufff0\uffff""#);
    assert_eq!(quote("\u{200b}\u{2010}😀").as_str(), "\"\u{200b}\u{2010}😀\"");
}

#[test]
fn arrays_of_strings_are_read_and_nothing_else() {
    assert_eq!(decode_array(br#"["a","\u00e9",""]"#), Ok(vec!["a".into(), "é".into(), String::new()]));
    assert_eq!(decode_array(b"[]"), Ok(vec![]));
    // Recording 57: lone surrogates, alone and beside a pair.
    assert_eq!(decode_array(br#"["\ud800","\udc00x\ud83d\ude00"]"#), Ok(vec!["\u{fffd}".into(), "\u{fffd}x😀".into()]));
    for broken in [&b"[\"x"[..], b"", b"[1]", b"[null]", b"[[\"x\"]]", b"[\"\xff\"]", b"x", b"[\"a\",]"] {
        assert_eq!(decode_array(broken), Err(DecodeError::Broken), "{broken:?}");
    }
    for other in [&b"{\"a\":1}"[..], b"\"x\"", b"null", b"0"] {
        assert_eq!(decode_array(other), Err(DecodeError::NoArray), "{other:?}");
    }
    assert_eq!(decode_frame(""), Ok(vec![]));
    assert_eq!(decode_frame(r#""lone""#), Ok(vec!["lone".into()]));
    let many = |count: usize| decode_frame(&format!("[{}]", vec!["\"\""; count].join(",")));
    assert_eq!(many(1000).unwrap().len(), 1000);
    assert_eq!(many(1001), Err(DecodeError::TooMany));
    assert!(decode_frame("{}").is_err() && decode_frame("[\"a\"").is_err());
}

#[test]
fn addresses() {
    assert_eq!(Route::parse(""), Some(Route::Greeting));
    assert_eq!(Route::parse("/"), Some(Route::Greeting));
    assert_eq!(Route::parse("/info/"), Some(Route::Info));
    assert_eq!(Route::parse("/iframe-1.6.1.html"), Some(Route::Iframe));
    assert_eq!(Route::parse("/websocket"), Some(Route::RawWebSocket));
    assert_eq!(Route::parse("/000/%41/websocket"), Some(Route::WebSocket));
    assert_eq!(Route::parse("/000/abc/xhr_send/"), Some(Route::Session("abc", Polled::XhrSend)));
    for none in [
        "//",
        "/a",
        "/a.html",
        "/a/a",
        "/a/a/",
        "/a./a/xhr",
        "//s/xhr",
        "/a/a./xhr",
        "/a/a/xhr/x",
        "/iframe.htm",
        "/IFRAME.HTML",
        "/iframe-/.html",
        "/x/y/nothing",
        "x",
    ] {
        assert_eq!(Route::parse(none), None, "{none}");
    }
}

#[test]
fn callbacks() {
    assert_eq!(callback(Some("_jp.abc-1")), Ok("_jp.abc-1"));
    assert_eq!(callback(None), Err(CallbackError::Missing));
    for bad in ["abc(", "a b", "é", &"x".repeat(33)] {
        assert_eq!(callback(Some(bad)), Err(CallbackError::Invalid));
    }
}

proptest! {
    #[test]
    fn what_is_quoted_is_read_back(messages in prop::collection::vec(any::<String>(), 0..5)) {
        let quoted: Vec<Text> = messages.iter().map(|message| quote(message)).collect();
        let frame = array(&quoted);
        prop_assert_eq!(decode_array(&frame.bytes()[1..]), Ok(messages));
    }

    #[test]
    fn mangled_input_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64), text in ".{0,40}") {
        let _ = decode_array(&bytes);
        let _ = decode_frame(&text);
        let _ = Route::parse(&text);
        let _ = callback(Some(&text));
    }
}
