//! Sixteen bytes of a text at a time, for what looks for the few that do not stand for themselves.

use wide::u8x16;

/// The place of the first byte from `at` on that must be escaped in a JSON string: a quote, a backslash or a control
/// character.
#[inline]
pub fn find_escaped(bytes: &[u8], at: usize) -> Option<usize> {
    find(bytes, at, escaped)
}

/// Likewise, or that is no ASCII.
#[inline]
pub fn find_escaped_or_wide(bytes: &[u8], at: usize) -> Option<usize> {
    find(bytes, at, |bytes| escaped(bytes) | !bytes.min(u8x16::splat(0x7f)).simd_eq(bytes))
}

/// The place of the first byte from `at` on that is no digit.
#[inline]
pub fn find_no_digit(bytes: &[u8], at: usize) -> Option<usize> {
    find(bytes, at, |bytes| {
        let from_zero = bytes - u8x16::splat(b'0');
        !from_zero.min(u8x16::splat(9)).simd_eq(from_zero)
    })
}

fn escaped(bytes: u8x16) -> u8x16 {
    let is = |byte: u8| bytes.simd_eq(u8x16::splat(byte));
    is(b'"') | is(b'\\') | bytes.min(u8x16::splat(b' ' - 1)).simd_eq(bytes)
}

/// How many times sixteen bytes are looked at before four times as many are at once: what has been plain for long mostly is for
/// longer.
const NEAR: usize = 4;

/// `is` sets all bits of the bytes that are looked for. Names and numbers are short: what is near is found without a call.
#[inline]
fn find(bytes: &[u8], at: usize, is: impl Fn(u8x16) -> u8x16) -> Option<usize> {
    match bytes.get(at..)?.first_chunk() {
        Some(sixteen) => match is(u8x16::new(*sixteen)).to_bitmask() {
            0 => find_beyond(bytes, at + 16, &is),
            found => Some(at + found.trailing_zeros() as usize),
        },
        None => last(bytes, at, &is),
    }
}

#[inline(never)]
fn find_beyond(bytes: &[u8], at: usize, is: &impl Fn(u8x16) -> u8x16) -> Option<usize> {
    let mut rest = bytes.get(at..)?;
    let mut near = 1;
    while let Some((sixteen, after)) = rest.split_first_chunk() {
        let found = is(u8x16::new(*sixteen)).to_bitmask();
        if found != 0 {
            return Some(bytes.len() - rest.len() + found.trailing_zeros() as usize);
        }
        rest = after;
        near += 1;
        if near == NEAR {
            rest = far(rest, is);
        }
    }
    last(bytes, bytes.len() - rest.len(), is)
}

/// In the last of all bytes, which are fewer: looked at with those before them, since to move them is dear.
#[inline(never)]
fn last(bytes: &[u8], at: usize, is: &impl Fn(u8x16) -> u8x16) -> Option<usize> {
    let (sixteen, begin) = match bytes.last_chunk() {
        Some(sixteen) => (*sixteen, bytes.len() - 16),
        None => (std::array::from_fn(|place| bytes.get(place).copied().unwrap_or_default()), 0),
    };
    let found = is(u8x16::new(sixteen)).to_bitmask() >> (at - begin);
    let place = at + found.trailing_zeros() as usize;
    (found != 0 && place < bytes.len()).then_some(place)
}

/// What is left after all of which nothing is.
fn far<'a>(mut rest: &'a [u8], is: &impl Fn(u8x16) -> u8x16) -> &'a [u8] {
    while let Some((many, after)) = rest.split_first_chunk::<64>()
        && let [a, b, c, d] = many.as_chunks().0
        && (is(u8x16::new(*a)) | is(u8x16::new(*b)) | is(u8x16::new(*c)) | is(u8x16::new(*d))).to_bitmask() == 0
    {
        rest = after;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_escaped(byte: u8) -> bool {
        byte < b' ' || byte == b'"' || byte == b'\\'
    }

    /// Whatever the length, whatever stands before it.
    #[test]
    fn each_byte_is_seen_in_each_place() {
        for byte in 0..=u8::MAX {
            for place in 0..200 {
                let mut text = [b'7'; 201];
                text[place] = byte;
                let found = |is_found: bool| is_found.then_some(place);
                for length in [place + 1, 201] {
                    let text = &text[..length];
                    assert_eq!(find_escaped(text, place / 2), found(is_escaped(byte)), "{byte} at {place} of {length}");
                    assert_eq!(find_escaped_or_wide(text, place / 2), found(is_escaped(byte) || byte > 127));
                    assert_eq!(find_no_digit(text, place / 2), found(!byte.is_ascii_digit()));
                }
            }
        }
    }

    #[test]
    fn the_first_of_several_is_found_from_where_it_is_looked() {
        let text = b"\"\\0123456789abcdef\n0123456789abcdef";
        assert_eq!([0, 1, 2, 19].map(|at| find_escaped(text, at)), [Some(0), Some(1), Some(18), None]);
        assert_eq!(find_escaped(text, text.len()), None);
        assert_eq!(find_escaped(text, text.len() + 1), None);
    }
}
