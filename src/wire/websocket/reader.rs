//! Reading frames, in place.

use simdutf8::basic::from_utf8;
use wide::u8x16;

use super::{CONTROL_BYTES, FIN, MASKED, Opcode};

/// What has come, unmasked.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A whole text message, in one frame or the last of several.
    Text(&'a str),
    /// A whole message of anything, likewise.
    Binary(&'a [u8]),
    /// A frame of a message that goes on, of so many bytes.
    Fragment(usize),
    /// To be answered by the same payload.
    Ping(&'a [u8]),
    /// A sign of life.
    Pong,
    /// The client closes, with this code.
    Close {
        /// Absent if it gave none.
        code: Option<u16>,
        /// The whole payload, by which it is answered.
        payload: &'a [u8],
    },
}

/// Why no more can be read of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Reserved bits or opcodes, no mask, fragments that make no message, a control frame that is none.
    #[error("protocol error")]
    Protocol,
    /// The message is longer than the limit, or says that it will be.
    #[error("message too big")]
    TooLong,
    /// A text message, or the reason of a close, is not UTF-8. Told as soon as it is certain.
    #[error("text is not UTF-8")]
    NotUtf8,
}

/// Reads the frames of one client; keeps the beginning of a message that comes in several.
#[derive(Debug)]
pub struct Reader {
    limit: usize,
    /// Apart, since most have nothing begun most of the time.
    begun: Option<Box<Begun>>,
}

/// What has come of a message, or is known of a frame, that is not whole.
#[derive(Debug, Default)]
struct Begun {
    /// What is being put together, if anything is, and whether it is text.
    message: Vec<u8>,
    is_text: Option<bool>,
    /// How much of the text is known to be UTF-8, and of the payload of a frame that is not whole yet.
    checked: usize,
    checked_ahead: usize,
}

/// What stands before a payload.
struct Header {
    is_final: bool,
    opcode: Opcode,
    key: [u8; 4],
    /// Its own length.
    length: usize,
    payload: usize,
}

impl Reader {
    /// For messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, begun: None }
    }

    /// Messages are of at most `limit` bytes from now on: as many as before, or more.
    pub fn raise_limit(&mut self, limit: usize) {
        self.limit = self.limit.max(limit);
    }

    /// Reads the frame at the beginning of `input`, which it unmasks in place; answers what has come, and how long the
    /// frame was. `None`: there is more of it to come. What is wrong with a frame is said as soon as its first bytes are
    /// there; after that nothing more can be read.
    ///
    /// # Errors
    /// See [`Violation`].
    pub fn read<'a>(&'a mut self, input: &'a mut [u8]) -> Result<Option<(Incoming<'a>, usize)>, Violation> {
        if self.begun.as_ref().is_some_and(|begun| begun.is_over()) {
            // With the message that was handed over the last time.
            self.begun = None;
        }
        let Some(header) = self.header(input)? else { return Ok(None) };
        let length = header.length + header.payload;
        if input.len() < length {
            if self.is_text(&header) {
                let begun = self.begun.get_or_insert_default();
                begun.check_ahead(header.key, &input[header.length..])?;
            }
            return Ok(None);
        }
        if let Some(begun) = &mut self.begun {
            begun.checked_ahead = 0;
        }
        let payload = &mut input[header.length..length];
        unmask(payload, header.key);
        let incoming =
            if header.opcode.is_control() { control(header.opcode, payload)? } else { self.data(&header, payload)? };
        Ok(Some((incoming, length)))
    }

    fn header(&self, input: &[u8]) -> Result<Option<Header>, Violation> {
        let [first, rest @ ..] = input else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(Violation::Protocol);
        }
        let (is_final, opcode) = (first & FIN != 0, Opcode::of(first & 0x0f).ok_or(Violation::Protocol)?);
        let message = self.begun.as_ref().filter(|begun| begun.is_text.is_some());
        let is_expected = match opcode {
            Opcode::Continuation => message.is_some(),
            Opcode::Text | Opcode::Binary => message.is_none(),
            Opcode::Close | Opcode::Ping | Opcode::Pong => is_final,
        };
        let [second, rest @ ..] = rest else { return if is_expected { Ok(None) } else { Err(Violation::Protocol) } };
        let short = usize::from(second & !MASKED);
        if !is_expected || second & MASKED == 0 || opcode.is_control() && short > CONTROL_BYTES {
            return Err(Violation::Protocol);
        }
        let (payload, rest) = match short {
            126 => match rest.split_first_chunk::<2>() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            _ => (short as u64, rest),
        };
        let left = self.limit - message.map_or(0, |begun| begun.message.len());
        let payload = usize::try_from(payload).ok().filter(|length| *length <= left);
        let payload = payload.or_else(|| opcode.is_control().then_some(short)).ok_or(Violation::TooLong)?;
        let Some((key, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        Ok(Some(Header { is_final, opcode, key: *key, length: input.len() - rest.len(), payload }))
    }

    /// Whether a frame is of a text.
    fn is_text(&self, header: &Header) -> bool {
        let begun = self.begun.as_ref().and_then(|begun| begun.is_text);
        !header.opcode.is_control() && begun.unwrap_or(header.opcode == Opcode::Text)
    }

    fn data<'a>(&'a mut self, header: &Header, payload: &'a [u8]) -> Result<Incoming<'a>, Violation> {
        if header.is_final && header.opcode != Opcode::Continuation {
            return whole(header.opcode == Opcode::Text, payload);
        }
        let is_text = self.is_text(header);
        let begun = self.begun.get_or_insert_default();
        begun.message.extend_from_slice(payload);
        if is_text {
            begun.check(header.is_final)?;
        }
        if !header.is_final {
            begun.is_text = Some(is_text);
            return Ok(Incoming::Fragment(payload.len()));
        }
        (begun.is_text, begun.checked) = (None, 0);
        whole(is_text, &begun.message)
    }
}

impl Begun {
    fn is_over(&self) -> bool {
        self.is_text.is_none() && self.checked_ahead == 0
    }

    /// Whether what there is of a text can be UTF-8; a character may be cut at its end, unless it is the last.
    fn check(&mut self, is_whole: bool) -> Result<(), Violation> {
        self.checked += certain(&self.message[self.checked..])?;
        if is_whole && self.checked < self.message.len() { Err(Violation::NotUtf8) } else { Ok(()) }
    }

    /// Likewise, with so much of the next frame's payload, which stays masked.
    fn check_ahead(&mut self, mut key: [u8; 4], payload: &[u8]) -> Result<(), Violation> {
        // A character that the frames before this one have begun.
        let begun = if self.checked_ahead == 0 { &self.message[self.checked..] } else { &[] };
        let mut text = [begun, &payload[self.checked_ahead..]].concat();
        key.rotate_left(self.checked_ahead % 4);
        unmask(&mut text[begun.len()..], key);
        self.checked_ahead += certain(&text)?.saturating_sub(begun.len());
        Ok(())
    }
}

/// How much is certainly UTF-8: all but a character that is cut at the end.
fn certain(text: &[u8]) -> Result<usize, Violation> {
    match std::str::from_utf8(text) {
        Ok(text) => Ok(text.len()),
        Err(error) if error.error_len().is_some() => Err(Violation::NotUtf8),
        Err(error) => Ok(error.valid_up_to()),
    }
}

fn whole(is_text: bool, message: &[u8]) -> Result<Incoming<'_>, Violation> {
    match is_text {
        true => from_utf8(message).map(Incoming::Text).map_err(|_| Violation::NotUtf8),
        false => Ok(Incoming::Binary(message)),
    }
}

fn control(opcode: Opcode, payload: &[u8]) -> Result<Incoming<'_>, Violation> {
    match opcode {
        Opcode::Ping => return Ok(Incoming::Ping(payload)),
        Opcode::Pong => return Ok(Incoming::Pong),
        _ => {}
    }
    let code = match payload {
        [] => None,
        [_] => return Err(Violation::Protocol),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !may_be_sent(code) {
                return Err(Violation::Protocol);
            }
            from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
            Some(code)
        }
    };
    Ok(Incoming::Close { code, payload })
}

/// Whether a close frame may have this code (7.4, with what was registered since).
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

fn unmask(payload: &mut [u8], key: [u8; 4]) {
    let mask = u8x16::new(std::array::from_fn(|at| key[at % 4]));
    let (sixteens, rest) = payload.as_chunks_mut::<16>();
    for sixteen in sixteens {
        *sixteen = (u8x16::new(*sixteen) ^ mask).to_array();
    }
    for (byte, key) in rest.iter_mut().zip(mask.to_array()) {
        *byte ^= key;
    }
}
