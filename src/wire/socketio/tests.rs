use proptest::prelude::*;

use super::*;
use crate::wire::Text;

fn body(version: Version, packets: &[&str]) -> String {
    let packets: Vec<Text> = packets.iter().map(|packet| Text::from(*packet)).collect();
    render_body(version, &packets)
}

fn read(version: Version, body: &str) -> Result<Vec<&str>, ParseError> {
    packets(version, body.as_bytes()).collect()
}

#[test]
fn literal_bytes() {
    let handshake = Handshake {
        sid: "s",
        upgrades: true,
        ping_interval_ms: 25_000,
        ping_timeout_ms: 20_000,
        max_payload: 1_000_000,
    };
    let told = r#"0{"sid":"s","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    assert_eq!(open(handshake).as_str(), told);
    assert!(open(Handshake { upgrades: false, ..handshake }).as_str().contains(r#""upgrades":[],"#));
    assert_eq!(connected(Version::V3, "s").as_str(), "40");
    assert_eq!(connected(Version::V4, "s").as_str(), r#"40{"sid":"s"}"#);
    assert_eq!(refused(Version::V4, "/chat", "no").as_str(), r#"44/chat,{"message":"no"}"#);
    assert_eq!(refused(Version::V4, "/", "no").as_str(), r#"44{"message":"no"}"#);
    assert_eq!(refused(Version::V3, "/", "no").as_str(), r#"44"no""#);
    assert_eq!(event("easyrtcCmd", r#"{"a":1}"#).as_str(), r#"42["easyrtcCmd",{"a":1}]"#);
    assert_eq!(acknowledgement(7, r#"{"a":1}"#).as_str(), r#"437[{"a":1}]"#);
}

/// From recordings transport-01 and transport-04.
#[test]
fn bodies_as_recorded() {
    let four = "430[{\"msgType\":\"ack\"}]\u{1e}431[{\"msgType\":\"ack\"}]\u{1e}421[\"easyrtcCmd\",{\"msgType\":\"getRoomList\"}]";
    let split = read(Version::V4, four).unwrap();
    assert_eq!((split.len(), split[2]), (3, r#"421["easyrtcCmd",{"msgType":"getRoomList"}]"#));
    assert_eq!(body(Version::V4, &split), four);
    let three =
        r#"22:430[{"msgType":"ack"}]22:431[{"msgType":"ack"}]1:243:421["easyrtcCmd",{"msgType":"getRoomList"}]"#;
    let split = read(Version::V3, three).unwrap();
    assert_eq!((split.len(), split[2]), (4, "2"));
    assert_eq!(body(Version::V3, &split), three);
    // An accented letter is one UTF-16 unit, the emoji two.
    let told = r#"91:422["easyrtcMsg",{"msgType":"x","msgData":"héllo 😀","targetEasyrtcid":"S6VNMoy5IG5RTmSH"}]"#;
    let split = read(Version::V3, told).unwrap();
    assert_eq!(body(Version::V3, &split), told);
}

#[test]
fn mangled_bodies_are_errors_after_what_was_whole() {
    for broken in ["", "x", ":", "2:4", "1:4x", "-1:4", "+1:4", "1:😀", "99999999999999999999:4", "1:4 1:4"] {
        assert!(read(Version::V3, broken).is_err(), "{broken:?}");
    }
    let some: Vec<_> = packets(Version::V3, b"1:22:41x").collect();
    assert_eq!(some, [Ok("2"), Ok("41"), Err(ParseError::Framing)]);
    let some: Vec<_> = packets(Version::V4, b"2\x1e\xff").collect();
    assert_eq!(some, [Err(ParseError::Framing)]);
    assert_eq!(read(Version::V4, "2\u{1e}"), Ok(vec!["2", ""]));
    assert_eq!(EnginePacket::parse(""), Err(ParseError::Type));
}

#[test]
fn engine_packets() {
    assert_eq!(EnginePacket::parse("42[]"), Ok(EnginePacket::Message("2[]")));
    assert_eq!(EnginePacket::parse("2probe"), Ok(EnginePacket::Ping(PROBE)));
    assert_eq!(EnginePacket::parse("5"), Ok(EnginePacket::Upgrade));
    assert_eq!(EnginePacket::parse("bAQ=="), Err(ParseError::Binary));
    for unknown in ["0{}", "9", "zzz", "é", "\0"] {
        assert_eq!(EnginePacket::parse(unknown), Err(ParseError::Type), "{unknown:?}");
    }
}

#[test]
fn events_keep_their_argument_as_it_came() {
    let whole = Packet::parse(r#"2421["easyrtcMsg", {"b":1.0, "a":"\u00e9"} ,2,[3]]"#).unwrap();
    let argument = Some(r#"{"b":1.0, "a":"\u00e9"}"#);
    assert_eq!(whole, Packet::Event(Event { id: Some(421), name: "easyrtcMsg".into(), argument }));
    let bare = Packet::Event(Event { id: None, name: "a\"".into(), argument: None });
    assert_eq!(Packet::parse(r#"2["a\""]"#), Ok(bare));
    assert_eq!(
        Packet::parse(r#"2/,1["x"]"#),
        Ok(Packet::Event(Event { id: Some(1), name: "x".into(), argument: None }))
    );
}

#[test]
fn connects_and_ends() {
    assert_eq!(Packet::parse("0"), Ok(Packet::Connect { namespace: "/", auth: None }));
    assert_eq!(
        Packet::parse(r#"0{"token":"x"}"#),
        Ok(Packet::Connect { namespace: "/", auth: Some(r#"{"token":"x"}"#) })
    );
    assert_eq!(Packet::parse("0/chat,{}"), Ok(Packet::Connect { namespace: "/chat", auth: Some("{}") }));
    assert_eq!(Packet::parse("0/chat?a=b"), Ok(Packet::Connect { namespace: "/chat?a=b", auth: None }));
    assert_eq!(Packet::parse("1"), Ok(Packet::Disconnect));
    assert_eq!(Packet::parse("1/chat,"), Ok(Packet::Elsewhere));
    assert_eq!(Packet::parse("3999[1]"), Ok(Packet::Acknowledgement));
}

#[test]
fn what_is_no_packet() {
    let cases = [
        ("", ParseError::Type),
        ("4{}", ParseError::Type),
        ("x", ParseError::Type),
        (r#"51-1["x",{"_placeholder":true,"num":0}]"#, ParseError::Binary),
        ("61-1[]", ParseError::Binary),
        ("2", ParseError::Payload),
        ("2[]", ParseError::Payload),
        ("2[1]", ParseError::Payload),
        (r#"2{"0":"x"}"#, ParseError::Payload),
        (r#"2["x",{]"#, ParseError::Payload),
        (r#"2["x"]x"#, ParseError::Payload),
        (r#"2["disconnect"]"#, ParseError::Reserved),
        (r#"2["newListener",{}]"#, ParseError::Reserved),
        (r#"299999999999999999999["x"]"#, ParseError::Id),
        ("1{}", ParseError::Payload),
        ("0[]", ParseError::Payload),
        (r#"0"x""#, ParseError::Payload),
        ("31{}", ParseError::Payload),
    ];
    for (text, error) in cases {
        assert_eq!(Packet::parse(text), Err(error), "{text}");
    }
    let deep = format!("2[\"x\",{}", "[".repeat(500_000));
    assert_eq!(Packet::parse(&deep), Err(ParseError::Payload));
}

proptest! {
    #[test]
    fn bodies_come_back(texts in proptest::collection::vec("[^\u{1e}]{0,12}", 1..6)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for version in [Version::V3, Version::V4] {
            let body = body(version, &texts);
            prop_assert_eq!(read(version, &body), Ok(texts.clone()));
        }
    }

    #[test]
    fn no_bytes_panic_or_spin(bytes: Vec<u8>, text: String) {
        for version in [Version::V3, Version::V4] {
            prop_assert!(packets(version, &bytes).count() <= bytes.len() + 1);
        }
        let _ = EnginePacket::parse(&text);
        let _ = Packet::parse(&text);
    }

    #[test]
    fn near_packets_do_not_panic(text in "[0-6](/[a-z]?,?)?[0-9]{0,22}[\\[\\{\\]\\}\",a0]{0,8}") {
        let _ = Packet::parse(&text);
    }
}
