//! What the targets share.
//!
//! `wire` and `room` know no runtime and `config` is a leaf, so they are compiled here as they stand
//! (and the import, which knows nothing of the server), and all else is left out: the whole is built
//! in half a minute, and a round fits into the time that a test may take.

// As the files that tests and examples share know the server.
extern crate self as viderehab;

#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/cli/import.rs"]
pub mod import;
#[path = "../../tests/support/model/mod.rs"]
#[allow(dead_code, reason = "shared with the simulation")]
pub mod model;
#[path = "../../src/room/mod.rs"]
pub mod room;
#[path = "../../src/wire/mod.rs"]
pub mod wire;

/// Whether a slice lies within a text, rather than in a copy or beside it.
pub fn within(slice: &[u8], text: &[u8]) -> bool {
    let (slice, text) = (slice.as_ptr_range(), text.as_ptr_range());
    text.start <= slice.start && slice.end <= text.end
}

/// What must be JSON.
///
/// # Panics
/// It is none.
pub fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What the fuzzer chooses.
pub struct Chosen<'a>(pub libfuzzer_sys::arbitrary::Unstructured<'a>);

impl model::Choices for Chosen<'_> {
    fn below(&mut self, count: usize) -> usize {
        self.0.int_in_range(0..=count - 1).unwrap_or(0)
    }
}
