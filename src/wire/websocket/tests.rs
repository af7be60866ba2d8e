use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use super::*;

/// What a client's library makes of messages.
fn masked(messages: &[Message]) -> Vec<u8> {
    let mut client = WebSocket::from_raw_socket(std::io::Cursor::new(Vec::new()), Role::Client, None);
    for message in messages {
        client.send(message.clone()).unwrap();
    }
    client.get_ref().get_ref().clone()
}

/// All that is read, in pieces of these lengths, over and over.
fn read_all(reader: &mut Reader, bytes: &[u8], pieces: &[usize]) -> Result<Vec<String>, Violation> {
    let (mut all, mut kept, mut rest) = (Vec::new(), Vec::new(), bytes);
    for length in pieces.iter().cycle() {
        let (piece, later) = rest.split_at((*length).clamp(1, rest.len().max(1)).min(rest.len()));
        kept.extend_from_slice(piece);
        let mut from = 0;
        while let Some((incoming, used)) = reader.read(&mut kept[from..])? {
            if !matches!(incoming, Incoming::Fragment(_)) {
                all.push(format!("{incoming:?}"));
            }
            from += used;
        }
        kept.drain(..from);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    Ok(all)
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        ".{0,200}".prop_map(Message::text),
        proptest::collection::vec(any::<u8>(), 0..70_000).prop_map(Message::binary),
        proptest::collection::vec(any::<u8>(), 0..125).prop_map(|bytes| Message::Ping(bytes.into())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However a client's bytes are divided, the same messages are read.
    #[test]
    fn pieces_do_not_matter(messages in proptest::collection::vec(message(), 1..6), pieces in proptest::collection::vec(1..5000_usize, 1..5)) {
        let expected: Vec<_> = messages.iter().map(|message| match message {
            Message::Text(text) => format!("{:?}", Incoming::Text(text)),
            Message::Binary(bytes) => format!("{:?}", Incoming::Binary(bytes)),
            Message::Ping(bytes) => format!("{:?}", Incoming::Ping(bytes)),
            other => panic!("{other}"),
        }).collect();
        let bytes = masked(&messages);
        prop_assert_eq!(read_all(&mut Reader::new(70_000), &bytes, &pieces).unwrap(), expected);
    }

    /// Whatever comes, nothing panics, and a violation is one however it is divided.
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), pieces in proptest::collection::vec(1..20_usize, 1..5)) {
        let at_once = read_all(&mut Reader::new(1000), &bytes, &[bytes.len()]);
        let in_pieces = read_all(&mut Reader::new(1000), &bytes, &pieces);
        prop_assert_eq!(at_once.is_err(), in_pieces.is_err());
    }

    /// What is no text is told with the byte that makes it certain, and not before, within a frame as at its end.
    #[test]
    fn bad_text_is_told_at_once(text in "[aé→😀]{0,6}", bad in proptest::collection::vec(any::<u8>(), 0..6), cut in any::<prop::sample::Index>(), key in any::<[u8; 4]>()) {
        let payload = [text.as_bytes(), &bad, b"tail"].concat();
        let (one, two) = payload.split_at(cut.index(payload.len()));
        let masked = |first: u8, payload: &[u8]| {
            let head = [&[first, MASKED | payload.len() as u8][..], &key].concat();
            head.into_iter().chain(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key)).collect::<Vec<u8>>()
        };
        let heads = 6 + if one.is_empty() { 0 } else { 6 };
        let frames = if one.is_empty() { masked(0x81, two) } else { [masked(0x01, one), masked(0x80, two)].concat() };
        let is_certain = |came: &[u8]| std::str::from_utf8(came).is_err_and(|error| error.error_len().is_some());
        let good = (0..=payload.len()).rev().find(|came| !is_certain(&payload[..*came])).expect("nothing at all is good");
        let ends_well = std::str::from_utf8(&payload).is_ok();
        let mut reader = Reader::new(1000);
        let (mut kept, mut told) = (Vec::new(), None);
        for (at, byte) in frames.iter().enumerate() {
            kept.push(*byte);
            match reader.read(&mut kept) {
                Ok(None) => {}
                Ok(Some(_)) => kept.clear(),
                Err(violation) => { told = Some((at + 1, violation)); break; }
            }
        }
        let of_frames = |came: usize| came + if came > one.len() { heads } else { 6 };
        prop_assert_eq!(told, (!ends_well).then(|| (of_frames(good + 1), Violation::NotUtf8)));
    }

    /// A client's library reads what is written.
    #[test]
    fn what_is_written_is_read(text in ".{0,300}", bytes in proptest::collection::vec(any::<u8>(), 0..70_000), code in 3000..5000_u16, reason in ".{0,60}") {
        let mut written = Vec::new();
        frame(Opcode::Text, text.as_bytes(), &mut written);
        frame(Opcode::Binary, &bytes, &mut written);
        close(code, &reason, &mut written);
        let mut client = WebSocket::from_raw_socket(std::io::Cursor::new(written), Role::Client, None);
        prop_assert_eq!(client.read().unwrap(), Message::text(text));
        prop_assert_eq!(client.read().unwrap(), Message::binary(bytes));
        let Message::Close(Some(end)) = client.read().unwrap() else { panic!("a close frame with a code") };
        prop_assert_eq!(u16::from(end.code), code);
        prop_assert!(reason.starts_with(end.reason.as_str()));
    }
}

#[test]
fn the_limit_holds_for_the_whole_message_before_it_has_come() {
    let announced = [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 101];
    assert_eq!(Reader::new(100).read(&mut announced.clone()), Err(Violation::TooLong));
    assert_eq!(Reader::new(101).read(&mut announced.clone()), Ok(None));
    let huge = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(Reader::new(100).read(&mut huge.clone()), Err(Violation::TooLong));
    let mut reader = Reader::new(100);
    let mut first = [&[0x02, 0x80 | 60, 0, 0, 0, 0][..], &[b'x'; 60]].concat();
    assert_eq!(reader.read(&mut first), Ok(Some((Incoming::Fragment(60), 66))));
    assert_eq!(reader.read(&mut [0x80, 0x80 | 41]), Err(Violation::TooLong));
}

/// RFC 6455, 5.7, as a client would mask it, and as it stands there for a server.
#[test]
fn literal_bytes() {
    let mut hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(Reader::new(5).read(&mut hello), Ok(Some((Incoming::Text("Hello"), 11))));
    let mut written = Vec::new();
    frame(Opcode::Text, b"Hello", &mut written);
    assert_eq!(written, [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    written.clear();
    begin(Opcode::Binary, 256, &mut written);
    begin(Opcode::Binary, 65_536, &mut written);
    assert_eq!(written, [0x82, 0x7e, 0x01, 0x00, 0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    written.clear();
    close(1000, &"é".repeat(100), &mut written);
    assert_eq!(written.len(), 2 + 124, "cut between characters");
}
