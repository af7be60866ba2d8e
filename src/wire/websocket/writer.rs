//! Writing frames.

use super::{CONTROL_BYTES, FIN, Opcode};

/// Appends a whole frame.
pub fn frame(opcode: Opcode, payload: &[u8], into: &mut Vec<u8>) {
    begin(opcode, payload.len(), into);
    into.extend_from_slice(payload);
}

/// Appends what comes before a payload of so many bytes.
pub fn begin(opcode: Opcode, length: usize, into: &mut Vec<u8>) {
    let first = FIN | opcode as u8;
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..=125), _) => into.extend_from_slice(&[first, short]),
        (_, Ok(medium)) => {
            let [high, low] = medium.to_be_bytes();
            into.extend_from_slice(&[first, 126, high, low]);
        }
        _ => {
            into.extend_from_slice(&[first, 127]);
            into.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Appends a close frame. A reason longer than a control frame holds is cut.
pub fn close(code: u16, reason: &str, into: &mut Vec<u8>) {
    let fits = |end: &usize| *end <= CONTROL_BYTES - 2 && reason.is_char_boundary(*end);
    let reason = &reason[..(0..=reason.len()).rev().find(fits).unwrap_or(0)];
    begin(Opcode::Close, 2 + reason.len(), into);
    into.extend_from_slice(&code.to_be_bytes());
    into.extend_from_slice(reason.as_bytes());
}
