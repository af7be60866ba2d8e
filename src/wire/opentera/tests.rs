use prost::Message;
use serde_json::{Value, json};

use super::messages::*;
use super::*;
use crate::wire::manage::{Action, Role};

/// The recorded messages: `{vectors: [{name, message, hex, decoded}]}`.
fn recorded() -> Vec<Value> {
    let text = include_str!("../../../tests/vectors/opentera/wire_formats.json");
    serde_json::from_str::<Value>(text).unwrap()["vectors"].as_array().unwrap().clone()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Encodes again what was decoded, wrappers opened and closed too.
fn round<M: Message + Default>(bytes: &[u8]) -> Vec<u8> {
    M::decode(bytes).unwrap().encode_to_vec()
}

fn any_round(any: &mut Any) {
    fn again<E: Named>(any: &mut Any) -> bool {
        let Some(event) = any.unwrap_as::<E>() else { return false };
        any.value = event.encode_to_vec();
        true
    }
    let known = again::<JoinSessionEvent>(any)
        || again::<LeaveSessionEvent>(any)
        || again::<StopSessionEvent>(any)
        || again::<JoinSessionReplyEvent>(any)
        || again::<UserEvent>(any)
        || again::<ParticipantEvent>(any)
        || again::<DeviceEvent>(any)
        || again::<LogEvent>(any)
        || again::<LoginEvent>(any);
    assert!(known || any.type_url.contains("Database"), "{} is not known", any.type_url);
}

#[test]
fn recorded_messages_are_read_and_written_byte_for_byte() {
    let mut count = 0;
    for vector in recorded() {
        let (name, hex) = (vector["name"].as_str().unwrap(), vector["hex"].as_str().unwrap());
        let wire = bytes(hex);
        let again = match vector["message"].as_str().unwrap().rsplit('.').next().unwrap() {
            "RPCMessage" => round::<RpcMessage>(&wire),
            "TeraEvent" => {
                let mut event = TeraEvent::decode(wire.as_slice()).unwrap();
                event.events.iter_mut().for_each(any_round);
                event.encode_to_vec()
            }
            "TeraModuleMessage" => {
                let mut message = TeraModuleMessage::decode(wire.as_slice()).unwrap();
                message.data.iter_mut().for_each(any_round);
                message.encode_to_vec()
            }
            "JoinSessionEvent" => round::<JoinSessionEvent>(&wire),
            "LeaveSessionEvent" => round::<LeaveSessionEvent>(&wire),
            "StopSessionEvent" => round::<StopSessionEvent>(&wire),
            "JoinSessionReplyEvent" => round::<JoinSessionReplyEvent>(&wire),
            "UserEvent" => round::<UserEvent>(&wire),
            "ParticipantEvent" => round::<ParticipantEvent>(&wire),
            "DeviceEvent" => round::<DeviceEvent>(&wire),
            "LogEvent" => round::<LogEvent>(&wire),
            "LoginEvent" => round::<LoginEvent>(&wire),
            other => {
                assert!(["DatabaseEvent", "ServerCommand", "TeraMessage"].contains(&other), "{other} is not known");
                continue;
            }
        };
        assert_eq!(again, wire, "{name}");
        count += 1;
    }
    assert!(count > 20, "{count} were compared");
}

#[test]
fn a_wrapped_event_says_who_sent_it_and_when() {
    let stop = StopSessionEvent { session_uuid: "s".into(), service_uuid: "v".into() };
    let event = TeraEvent::decode(tera_event("a.topic", 5.5, &stop).as_slice()).unwrap();
    let header = event.header.unwrap();
    assert_eq!((header.version, header.time, header.topic.as_str()), (1, 5.5, "a.topic"));
    assert_eq!(event.events[0].unwrap_as::<StopSessionEvent>(), Some(stop.clone()));
    assert_eq!(event.events[0].unwrap_as::<LeaveSessionEvent>(), None);
    let message = TeraModuleMessage::decode(module_message("m", "Key", 5.5, &stop).as_slice()).unwrap();
    let head = message.head.unwrap();
    assert_eq!((head.source.as_str(), head.dest.as_str(), head.seq), ("serviceKey", "m", 0));
}

#[test]
fn only_coming_and_going_is_seen() {
    let user = |kind| UserEvent { user_uuid: "u".into(), r#type: kind, user_fullname: "U".into() };
    let any = |event: &UserEvent| TeraEvent::decode(tera_event("t", 1.0, event).as_slice()).unwrap().events.remove(0);
    let events = vec![
        any(&user(1)),
        any(&user(6)),
        Any { type_url: "type.googleapis.com/opentera.protobuf.Unknown".into(), value: vec![1] },
        any(&user(2)),
    ];
    let payload = TeraEvent { header: None, events }.encode_to_vec();
    let seen = |connected| Seen { role: Role::User, uuid: "u".into(), connected };
    assert_eq!(presences(&payload), [seen(true), seen(false)]);
    assert_eq!(presences(b"\xff\xff"), []);
}

#[test]
fn arguments_are_judged_as_the_original_did() {
    let manage = |arguments: Value| session_manage(&json!({ "session_manage": arguments }).to_string());
    for nothing in ["{nope", "{\"a\":1}", "", "\u{e9}"] {
        assert_eq!(session_manage(nothing), Asked::Nothing, "{nothing}");
    }
    for failure in ["5", "[]", "{\"session_manage\":[]}", "{\"session_manage\":null}"] {
        assert_eq!(session_manage(failure), Asked::Failure, "{failure}");
    }
    for nothing in [json!({"action": "dance"}), json!({"action": 5})] {
        assert_eq!(manage(nothing), Asked::Nothing);
    }
    for failure in [
        json!({"id_session": 0}),
        json!({"action": "stop"}),
        json!({"action": "start", "id_session": 0, "id_session_type": 1}),
        json!({"action": "start", "id_service": 6, "id_session_type": 1}),
        json!({"action": "start", "id_service": 6, "id_session": 0}),
        json!({"action": "invite", "id_session": 1, "session_users": "x"}),
        json!({"action": "invite_reply", "id_session": 1}),
        json!({"action": "invite_reply", "id_session": 1, "parameters": {"reply_code": "accept"}}),
        json!({"action": "invite_reply", "id_session": 1, "parameters": {"reply_code": 1.0}}),
        json!({"action": "invite_reply", "id_session": 1, "parameters": {"reply_code": 1, "reply_msg": null}}),
    ] {
        assert_eq!(manage(failure.clone()), Asked::Failure, "{failure}");
    }
    assert_eq!(manage(json!({"action": "stop", "id_session": "42"})), Asked::Action(Action::Stop { id_session: -1 }));
    let odd = manage(json!({"action": "start", "id_service": 6, "id_session_type": 1, "id_session": null}));
    assert!(matches!(odd, Asked::StartOf(id, _) if id == "None"));
    let accepted = manage(json!({"action": "invite_reply", "id_session": 1, "parameters": {"reply_code": true}}));
    assert!(matches!(accepted, Asked::Action(Action::InviteReply { reply, .. }) if reply.code == 1));
}

#[test]
fn replies_have_the_recorded_shape() {
    let message = RpcMessage {
        method: "m".into(),
        reply_to: "r".into(),
        id: 3,
        timestamp: 1.0,
        args: vec![messages::Value { arg_value: Some(ArgValue::String("x".into())) }],
    };
    let call = read_call(&message.encode_to_vec()).unwrap();
    assert_eq!(call.argument, Given::Text("x".into()));
    let shown = |value: Option<&Value>| String::from_utf8(reply(&call, "t", value)).unwrap();
    assert_eq!(shown(Some(&Value::Null)), r#"{"method":"m","id":3,"pattern":"t","status":"OK","return_value":null}"#);
    assert_eq!(shown(None), r#"{"method":"m","id":3,"pattern":"t","status":"Error","return_value":null}"#);
    let twice = RpcMessage { args: vec![messages::Value::default(); 2], ..message.clone() };
    assert_eq!(read_call(&twice.encode_to_vec()).unwrap().argument, Given::Wrong);
    let unset = RpcMessage { args: vec![messages::Value::default()], ..message.clone() };
    assert_eq!(read_call(&unset.encode_to_vec()).unwrap().argument, Given::Wrong);
    let nowhere = RpcMessage { reply_to: String::new(), ..message };
    assert_eq!(read_call(&nowhere.encode_to_vec()), None);
    assert_eq!(read_call(b"\xff"), None);
}
