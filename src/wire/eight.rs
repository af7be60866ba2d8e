//! Eight bytes of a text at a time, for what looks for the few that do not stand for themselves.

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGHEST: u64 = 0x80 * EACH;

/// The place of the first of eight bytes that must be escaped in a JSON string: a quote, a backslash or a control
/// character.
pub fn first_escaped(eight: [u8; 8]) -> Option<usize> {
    first(escaped(u64::from_le_bytes(eight)))
}

/// Likewise, or that is no ASCII.
pub fn first_escaped_or_wide(eight: [u8; 8]) -> Option<usize> {
    let eight = u64::from_le_bytes(eight);
    first(escaped(eight) | (eight & HIGHEST))
}

/// The highest bit of the first of those, and perhaps of later ones.
fn escaped(eight: u64) -> u64 {
    let below = |bytes: u64, limit: u8| bytes.wrapping_sub(EACH * u64::from(limit)) & !bytes & HIGHEST;
    let is = |byte: u8| below(eight ^ (EACH * u64::from(byte)), 1);
    is(b'"') | is(b'\\') | below(eight, b' ')
}

fn first(bits: u64) -> Option<usize> {
    (bits != 0).then(|| bits.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_seen_in_each_place() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                let mut eight = *b"abcdefgh";
                eight[place] = byte;
                let is_escaped = byte < b' ' || byte == b'"' || byte == b'\\';
                assert_eq!(first_escaped(eight), is_escaped.then_some(place), "{byte} at {place}");
                assert_eq!(first_escaped_or_wide(eight), (is_escaped || byte > 127).then_some(place));
            }
        }
    }
}
