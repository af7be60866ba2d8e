//! The argument of `session_manage`, as the RPC over HTTP reads it and as the one over Redis does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use viderehab_fuzz::json;
use viderehab_fuzz::wire::manage::{self, Action, ManageError, Session};
use viderehab_fuzz::wire::opentera::{self, Asked};

fuzz_target!(|data: &[u8]| {
    let read = manage::parse(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let asked = opentera::session_manage(text);
        match &read {
            // The one that names the field must not let pass what the recorded one fails on.
            Ok(action @ Action::Stop { .. }) => assert_eq!(asked, Asked::Action(action.clone())),
            Ok(Action::InviteReply { .. } | Action::Invite { .. } | Action::Remove { .. } | Action::Start(_)) => {
                assert_ne!(asked, Asked::Nothing);
            }
            Err(ManageError::NotJson(_)) => assert_eq!(asked, Asked::Nothing),
            Err(error) => assert!(!error.to_string().contains('\n')),
        }
    }
    if let Ok(session) = serde_json::from_slice::<Session>(data) {
        let written = serde_json::to_string(&session).expect("JSON");
        assert_eq!(serde_json::from_value::<Session>(json(&written)).expect("the same"), session);
    }
});
