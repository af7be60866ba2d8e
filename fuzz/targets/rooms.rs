//! The videre rooms of a session, step by step; see `tests/support/model`.
#![no_main]

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use viderehab_fuzz::Chosen;
use viderehab_fuzz::model::rooms::Session;

fuzz_target!(|data: &[u8]| {
    let mut choices = Chosen(Unstructured::new(data));
    let mut session = Session::new(&mut choices);
    while !choices.0.is_empty() {
        session.step(&mut choices);
    }
    session.finish();
});
