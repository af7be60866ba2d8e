//! OpenTera's protobuf messages and calls.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use serde_json::Value;
use viderehab_fuzz::wire::manage::Role;
use viderehab_fuzz::wire::opentera::messages::*;
use viderehab_fuzz::wire::opentera::{presences, read_call, reply, session_manage, tera_event};

fuzz_target!(|data: &[u8]| {
    same_again::<RpcMessage>(data);
    same_again::<TeraEvent>(data);
    same_again::<TeraModuleMessage>(data);
    same_again::<JoinSessionEvent>(data);
    same_again::<JoinSessionReplyEvent>(data);
    same_again::<LeaveSessionEvent>(data);
    same_again::<StopSessionEvent>(data);
    same_again::<LogEvent>(data);
    same_again::<LoginEvent>(data);
    let events = TeraEvent::decode(data).map_or(0, |event| event.events.len());
    assert!(presences(data).len() <= events);

    if let Some(call) = read_call(data) {
        assert!(!call.reply_to.is_empty());
        let answer: Value = serde_json::from_slice(&reply(&call, "topic", None)).expect("JSON");
        assert_eq!((&answer["method"], &answer["id"]), (&Value::from(call.method), &Value::from(call.id)));
        assert_eq!((&answer["status"], &answer["return_value"]), (&"Error".into(), &Value::Null));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    session_manage(text);
    let event = UserEvent { user_uuid: text.to_owned(), r#type: 2, user_fullname: String::new() };
    let seen = presences(&tera_event("topic", 1.0, &event));
    assert_eq!(seen.len(), 1);
    assert!(seen[0].role == Role::User && seen[0].uuid == text && !seen[0].connected);
});

/// What was read and written again is read as the same. By its bytes, since a NaN equals nothing.
fn same_again<M: Message + Default>(data: &[u8]) {
    if let Ok(message) = M::decode(data) {
        let bytes = message.encode_to_vec();
        assert_eq!(M::decode(bytes.as_slice()).expect("it was written here").encode_to_vec(), bytes);
    }
}
