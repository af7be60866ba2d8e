//! The environment that the program finds: variables that are no text.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output};

fn check(name: &[u8], value: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viderehab"));
    command.arg("check").env(OsStr::from_bytes(name), OsStr::from_bytes(value));
    command.output().unwrap()
}

#[test]
fn a_variable_of_another_program_may_be_anything() {
    for (name, value) in [(&b"OTHER"[..], &b"caf\xe9"[..]), (b"OTHER\xff", b"x")] {
        let output = check(name, value);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn one_of_ours_that_is_no_text_is_named() {
    for (name, value) in
        [(&b"VIDEREHAB_WEBRTC__HOSTNAME"[..], &b"caf\xe9"[..]), (b"VIDEREHAB_WEBRTC__HOSTNAM\xff", b"x")]
    {
        let output = check(name, value);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("VIDEREHAB_WEBRTC__HOSTNAM") && said.contains("UTF-8") && !said.contains("panicked"),
            "{said}"
        );
    }
}
