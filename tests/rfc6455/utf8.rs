//! Group 6: what is UTF-8, and what is not.

use super::cases::{Cases, ends_within, fails_at_once, text_of, zero};

pub fn cases(cases: &mut Cases) {
    for (name, text) in VALID {
        text_of(cases, name, text.as_bytes());
    }
    for (name, bytes) in INVALID {
        text_of(cases, name, bytes);
    }
    zero(cases);
    for incomplete in INCOMPLETE {
        text_of(cases, &format!("{incomplete:x?} without its last byte"), incomplete);
    }
    text_of(cases, "all that lack their last byte, one after the other", &INCOMPLETE.concat());
    // 6.22: the last two of each plane.
    for plane in 0..=16 {
        for last in [0xfffe, 0xffff] {
            let code = plane << 16 | last;
            let character = char::from_u32(code).expect("it is no surrogate");
            text_of(cases, &format!("the non-character {code:x}"), character.to_string().as_bytes());
        }
    }
    for half in [0xd800_u32, 0xdb7f, 0xdb80, 0xdbff, 0xdc00, 0xdf80, 0xdfff] {
        text_of(cases, &format!("the surrogate {half:x}"), &three_bytes(half));
        for other in [0xdc00, 0xdfff] {
            text_of(cases, &format!("{half:x} and {other:x}"), &[three_bytes(half), three_bytes(other)].concat());
        }
    }
    let continuations: Vec<u8> = (0x80..=0xbf).collect();
    text_of(cases, "all continuations", &continuations);
    for starters in [0xc0..=0xdf, 0xe0..=0xef, 0xf0..=0xf7, 0xf8..=0xfd] {
        let alone: Vec<u8> = starters.clone().flat_map(|byte| [byte, b' ']).collect();
        text_of(cases, &format!("{:x} to {:x}, each alone", starters.start(), starters.end()), &alone);
    }
    for (name, bytes) in ENDS_EARLY {
        ends_within(cases, name, bytes);
    }
    for (name, bytes) in [("a surrogate", &[0xed, 0xa0, 0x80][..]), ("a byte that never occurs", &[0xff])] {
        fails_at_once(cases, name, bytes);
    }
}

/// As if it were a character.
fn three_bytes(code: u32) -> Vec<u8> {
    vec![0xe0 | (code >> 12) as u8, 0x80 | (code >> 6 & 0x3f) as u8, 0x80 | (code & 0x3f) as u8]
}

/// Texts that end within a character.
const ENDS_EARLY: &[(&str, &[u8])] = &[
    ("Greek without its last byte", &[0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xcf, 0x83, 0xce]),
    ("one of two", &[0xc3]),
    ("one of three", &[0xe1]),
    ("two of three", &[0xe1, 0xbd]),
    ("one of four", &[0xf0]),
    ("two of four", &[0xf0, 0x90]),
    ("three of four", &[0xf0, 0x90, 0x80]),
];

/// 6.14: each lacks its last byte, the first and the last of each length, also of those that are none.
const INCOMPLETE: &[&[u8]] = &[
    &[0xc0],
    &[0xe0, 0x80],
    &[0xf0, 0x80, 0x80],
    &[0xf8, 0x80, 0x80, 0x80],
    &[0xfc, 0x80, 0x80, 0x80, 0x80],
    &[0xdf],
    &[0xef, 0xbf],
    &[0xf7, 0xbf, 0xbf],
    &[0xfb, 0xbf, 0xbf, 0xbf],
    &[0xfd, 0xbf, 0xbf, 0xbf, 0xbf],
];

const VALID: &[(&str, &str)] = &[
    ("words", "Hello-\u{b5}@\u{df}\u{f6}\u{e4}\u{fc}\u{e0}\u{e1}-UTF-8!!"),
    ("Greek", "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}"),
    ("the last of one byte", "\u{7f}"),
    ("the first of two bytes", "\u{80}"),
    ("the last of two bytes", "\u{7ff}"),
    ("the first of three bytes", "\u{800}"),
    ("the last before the surrogates", "\u{d7ff}"),
    ("the first after the surrogates", "\u{e000}"),
    ("the replacement character", "\u{fffd}"),
    ("the last of three bytes", "\u{ffff}"),
    ("a non-character in the middle of its plane", "\u{fdd0}"),
    ("the first of four bytes", "\u{10000}"),
    ("the last of all", "\u{10ffff}"),
    ("a byte order mark", "\u{feff}text"),
];

const INVALID: &[(&str, &[u8])] = &[
    ("a continuation alone", &[0x80]),
    ("the last continuation alone", &[0xbf]),
    ("two continuations", &[0x80, 0xbf]),
    ("two bytes that lack one", &[0xc3, b'x']),
    ("three bytes that lack one", &[0xe0, 0xa0, b'x']),
    ("four bytes that lack one", &[0xf0, 0x90, 0x80, b'x']),
    ("a slash in two bytes", &[0xc0, 0xaf]),
    ("a slash in three bytes", &[0xe0, 0x80, 0xaf]),
    ("a slash in four bytes", &[0xf0, 0x80, 0x80, 0xaf]),
    ("a slash in five bytes", &[0xf8, 0x80, 0x80, 0x80, 0xaf]),
    ("a slash in six bytes", &[0xfc, 0x80, 0x80, 0x80, 0x80, 0xaf]),
    ("zero in two bytes", &[0xc0, 0x80]),
    ("zero in three bytes", &[0xe0, 0x80, 0x80]),
    ("zero in four bytes", &[0xf0, 0x80, 0x80, 0x80]),
    ("zero in five bytes", &[0xf8, 0x80, 0x80, 0x80, 0x80]),
    ("zero in six bytes", &[0xfc, 0x80, 0x80, 0x80, 0x80, 0x80]),
    ("the last overlong of two bytes", &[0xc1, 0xbf]),
    ("the last overlong of three bytes", &[0xe0, 0x9f, 0xbf]),
    ("the last overlong of four bytes", &[0xf0, 0x8f, 0xbf, 0xbf]),
    ("the last overlong of five bytes", &[0xf8, 0x87, 0xbf, 0xbf, 0xbf]),
    ("the last overlong of six bytes", &[0xfc, 0x83, 0xbf, 0xbf, 0xbf, 0xbf]),
    ("the first surrogate", &[0xed, 0xa0, 0x80]),
    ("the last surrogate", &[0xed, 0xbf, 0xbf]),
    ("a pair of surrogates", &[0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80]),
    ("beyond the last", &[0xf4, 0x90, 0x80, 0x80]),
    ("five bytes", &[0xf8, 0x88, 0x80, 0x80, 0x80]),
    ("six bytes", &[0xfc, 0x84, 0x80, 0x80, 0x80, 0x80]),
    ("a byte that never occurs", &[0xfe]),
    ("the other one", &[0xff]),
    ("both of them twice", &[0xfe, 0xfe, 0xff, 0xff]),
    ("one that began six bytes", &[0xfd]),
    ("four bytes beyond all planes", &[0xf7, 0xbf, 0xbf, 0xbf]),
    ("five bytes, the last", &[0xfb, 0xbf, 0xbf, 0xbf, 0xbf]),
    ("six bytes, the last", &[0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf]),
    ("Greek, then a surrogate", &[0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xed, 0xa0, 0x80, b'e']),
];
