//! The packets of the load, and their frames: written and read as cheaply as can be, since the server is to be the
//! one that is busy.

use crate::wire::websocket::Opcode;

/// What stands before a packet's figures, after its Header.
const MARK: &[u8] = br#","Payload":{"member":""#;
/// How wide each figure is, so that all packets of a room have them at the same place.
const MEMBER: usize = 4;
const NUMBER: usize = 8;
const AT: usize = 15;
/// What stands between the figures.
const NUMBER_MARK: &[u8] = br#"","number":""#;
const AT_MARK: &[u8] = br#"","at":""#;
const FILL_MARK: &[u8] = br#"","fill":""#;
const END: &[u8] = br#""}}"#;

const FIN: u8 = 0x80;
const TEXT: u8 = FIN | Opcode::Text as u8;
const MASKED: u8 = 0x80;

/// What a packet says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figures {
    /// Who says it, by place in the room.
    pub member: usize,
    /// The how manieth of its sender's it is.
    pub number: u64,
    /// When it was said, in nanoseconds since the load began.
    pub at: u64,
}

/// The packets of one room, which differ in their figures alone.
pub(super) struct Template {
    frame: Vec<u8>,
    /// Where the text begins in the frame, and the figures in the text.
    text: usize,
    figures: usize,
}

/// The member's UserId.
pub(super) fn user_id(member: usize) -> String {
    format!("u{member:0MEMBER$}")
}

impl Template {
    /// Packets for a room, whose Payload has so many bytes, though no fewer than the figures need.
    pub fn new(room_id: &str, payload_bytes: usize) -> Self {
        let header = format!(r#"{{"Header":{{"Event":"broadcast","UserId":"{}","RoomId":"{room_id}"}}"#, user_id(0));
        let figures = header.len() + MARK.len();
        let mut text = header.into_bytes();
        let blank = |width: usize| vec![b'0'; width];
        for part in [MARK, &blank(MEMBER), NUMBER_MARK, &blank(NUMBER), AT_MARK, &blank(AT), FILL_MARK] {
            text.extend_from_slice(part);
        }
        let payload = text.len() + END.len() - figures + r#"{"member":""#.len() - 1;
        text.resize(text.len() + payload_bytes.saturating_sub(payload), b'x');
        text.extend_from_slice(END);
        let mut frame = Vec::new();
        let begin = masked(TEXT, text.len(), &mut frame);
        frame.extend_from_slice(&text);
        Self { frame, text: begin, figures }
    }

    /// Appends a packet's frame.
    pub fn write(&self, figures: Figures, into: &mut Vec<u8>) {
        let text = into.len() + self.text;
        into.extend_from_slice(&self.frame);
        let user = text + br#"{"Header":{"Event":"broadcast","UserId":"u"#.len();
        put(&mut into[user..user + MEMBER], figures.member as u64);
        let mut at = text + self.figures;
        for (width, value, mark) in [
            (MEMBER, figures.member as u64, NUMBER_MARK),
            (NUMBER, figures.number, AT_MARK),
            (AT, figures.at, FILL_MARK),
        ] {
            put(&mut into[at..at + width], value);
            at += width + mark.len();
        }
    }

    /// The figures of a packet of this room; `None` if it is another, such as a notice.
    pub fn read(&self, text: &[u8]) -> Option<Figures> {
        let mut rest = text.get(self.figures - MARK.len()..)?.strip_prefix(MARK)?;
        let mut next = |width: usize, mark: &[u8]| {
            let (digits, after) = rest.split_at_checked(width)?;
            rest = after.strip_prefix(mark)?;
            digits.iter().try_fold(0, |value: u64, digit| Some(value * 10 + u64::from(digit.checked_sub(b'0')?)))
        };
        let member = usize::try_from(next(MEMBER, NUMBER_MARK)?).ok()?;
        Some(Figures { member, number: next(NUMBER, AT_MARK)?, at: next(AT, FILL_MARK)? })
    }
}

fn put(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Appends a client's frame.
pub(super) fn frame(opcode: Opcode, payload: &[u8], into: &mut Vec<u8>) {
    masked(FIN | opcode as u8, payload.len(), into);
    into.extend_from_slice(payload);
}

/// Appends what comes before a payload, with a mask that changes nothing. Answers where the payload begins.
fn masked(opcode: u8, length: usize, into: &mut Vec<u8>) -> usize {
    let begin = into.len();
    match u16::try_from(length) {
        Ok(short @ ..=125) => into.extend_from_slice(&[opcode, MASKED | short as u8]),
        Ok(medium) => {
            let [high, low] = medium.to_be_bytes();
            into.extend_from_slice(&[opcode, MASKED | 126, high, low]);
        }
        Err(_) => {
            into.extend_from_slice(&[opcode, MASKED | 127]);
            into.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    into.extend_from_slice(&[0; 4]);
    into.len() - begin
}

/// A server's frame at the beginning of these bytes: its opcode, its payload, and its whole length. `None`: it has
/// not come whole.
pub(super) fn next_frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (first, short) = (*bytes.first()?, *bytes.get(1)?);
    let (head, length) = match short {
        126 => (4, u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
        127 => (10, u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)),
        _ => (2, u64::from(short)),
    };
    let whole = usize::try_from(length).ok()?.checked_add(head)?;
    Some((first & !FIN, bytes.get(head..whole)?, whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::videre::{Event, Packet};
    use crate::wire::websocket::{Incoming, Reader};

    #[test]
    fn a_packet_is_one_and_its_figures_are_read_back() {
        for payload_bytes in [0, 200, 3000, 70_000] {
            let template = Template::new("main", payload_bytes);
            let figures = Figures { member: 12, number: 345_678, at: 987_654_321_012 };
            let mut written = vec![b'?'];
            template.write(figures, &mut written);
            let mut reader = Reader::new(100_000);
            let Ok(Some((Incoming::Text(text), length))) = reader.read(&mut written[1..]) else { panic!("a frame") };
            assert_eq!(length, 1 + template.frame.len() - 1);
            assert_eq!(template.read(text.as_bytes()), Some(figures));
            let packet = Packet::parse(text).unwrap();
            assert_eq!((packet.event, packet.user_id), (Event::Broadcast, Some(r#""u0012""#)));
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            assert!(payload_bytes == 0 || value["Payload"].to_string().len() == payload_bytes);
        }
    }

    #[test]
    fn what_is_no_packet_of_the_load_is_passed_over() {
        let template = Template::new("main", 0);
        let notice = r#"{"Header":{"Event":"connect","UserId":"u0001","RoomId":"main"},"Payload":"true"}"#;
        assert_eq!(template.read(notice.as_bytes()), None);
        assert_eq!(template.read(b""), None);
    }

    #[test]
    fn frames_come_when_they_are_whole() {
        let mut bytes = Vec::new();
        crate::wire::websocket::frame(Opcode::Text, &[b'x'; 300], &mut bytes);
        assert_eq!(next_frame(&bytes), Some((Opcode::Text as u8, &[b'x'; 300][..], 304)));
        assert!((0..bytes.len()).all(|length| next_frame(&bytes[..length]).is_none()));
    }
}
