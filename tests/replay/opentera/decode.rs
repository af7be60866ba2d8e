//! Bytes as JSON: the messages by the names of their protobuf fields, defaults left out.

use prost::Message;
use serde_json::{Map, Value, json};
use viderehab::wire::opentera::messages::*;

/// What a payload on a topic or list says; a payload that cannot be read says so.
pub fn decoded(topic: &str, payload: &[u8]) -> Value {
    if let Ok(value) = serde_json::from_slice::<Value>(payload) {
        return value;
    }
    if payload == b"Ready!" {
        return json!("Ready!");
    }
    let read = match topic.ends_with("UserManagerModule.messages") {
        true => TeraModuleMessage::decode(payload).ok().map(|message| {
            let head = message.head.unwrap_or_default();
            let head = members(&[
                ("version", json!(head.version)),
                ("time", json!(head.time)),
                ("seq", json!(head.seq)),
                ("source", json!(head.source)),
                ("dest", json!(head.dest)),
            ]);
            json!({"head": head, "data": message.data.iter().map(any).collect::<Vec<_>>()})
        }),
        false => TeraEvent::decode(payload).ok().map(|event| {
            let header = event.header.unwrap_or_default();
            let header = members(&[
                ("version", json!(header.version)),
                ("time", json!(header.time)),
                ("topic", json!(header.topic)),
            ]);
            json!({"header": header, "events": event.events.iter().map(any).collect::<Vec<_>>()})
        }),
    };
    read.unwrap_or_else(|| json!({"unreadable": payload}))
}

/// An object without the members that are at their default.
fn members(all: &[(&str, Value)]) -> Value {
    let empty = |value: &Value| match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Null => true,
        _ => false,
    };
    let present = all.iter().filter(|(_, value)| !empty(value));
    Value::Object(present.map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>())
}

fn any(any: &Any) -> Value {
    let mut fields = if let Some(event) = any.unwrap_as::<JoinSessionEvent>() {
        members(&[
            ("session_url", json!(event.session_url)),
            ("session_creator_name", json!(event.session_creator_name)),
            ("session_uuid", json!(event.session_uuid)),
            ("session_participants", json!(event.session_participants)),
            ("session_users", json!(event.session_users)),
            ("session_devices", json!(event.session_devices)),
            ("join_msg", json!(event.join_msg)),
            ("session_parameters", json!(event.session_parameters)),
            ("service_uuid", json!(event.service_uuid)),
        ])
    } else if let Some(event) = any.unwrap_as::<StopSessionEvent>() {
        members(&[("session_uuid", json!(event.session_uuid)), ("service_uuid", json!(event.service_uuid))])
    } else if let Some(event) = any.unwrap_as::<LeaveSessionEvent>() {
        members(&[
            ("session_uuid", json!(event.session_uuid)),
            ("service_uuid", json!(event.service_uuid)),
            ("leaving_participants", json!(event.leaving_participants)),
            ("leaving_users", json!(event.leaving_users)),
            ("leaving_devices", json!(event.leaving_devices)),
        ])
    } else if let Some(event) = any.unwrap_as::<JoinSessionReplyEvent>() {
        let replies =
            [json!(null), json!("REPLY_ACCEPTED"), json!("REPLY_DENIED"), json!("REPLY_BUSY"), json!("REPLY_TIMEOUT")];
        let reply = usize::try_from(event.join_reply).ok().and_then(|reply| replies.get(reply).cloned());
        members(&[
            ("session_uuid", json!(event.session_uuid)),
            ("user_uuid", json!(event.user_uuid)),
            ("participant_uuid", json!(event.participant_uuid)),
            ("device_uuid", json!(event.device_uuid)),
            ("join_reply", reply.unwrap_or(json!(event.join_reply))),
            ("reply_msg", json!(event.reply_msg)),
        ])
    } else if let Some(event) = any.unwrap_as::<LogEvent>() {
        log_event(&event)
    } else if let Some(event) = any.unwrap_as::<LoginEvent>() {
        members(&[
            ("log_header", event.log_header.as_ref().map(log_event).unwrap_or_default()),
            ("login_type", json!("LOGIN_TYPE_TOKEN")),
            ("login_status", json!("LOGIN_STATUS_FAILED_WITH_INVALID_TOKEN")),
            ("client_name", json!(event.client_name)),
            ("client_version", json!(event.client_version)),
            ("client_ip", json!(event.client_ip)),
            ("os_name", json!(event.os_name)),
            ("service_uuid", json!(event.service_uuid)),
            ("server_endpoint", json!(event.server_endpoint)),
        ])
    } else {
        json!({"unknown": any.value})
    };
    fields["@type"] = json!(any.type_url);
    fields
}

fn log_event(event: &LogEvent) -> Value {
    let level = match event.level {
        2 => json!("LOGLEVEL_ERROR"),
        4 => json!("LOGLEVEL_WARNING"),
        5 => json!("LOGLEVEL_INFO"),
        other => json!(other),
    };
    members(&[
        ("level", level),
        ("timestamp", json!(event.timestamp)),
        ("sender", json!(event.sender)),
        ("message", json!(event.message)),
    ])
}
