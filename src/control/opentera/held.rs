//! A session as the OpenTera server gave it, and what the service makes of it.

use serde_json::{Map, Value, json};

use crate::manager::Record;
use crate::wire::manage::{Role, Session, Start};

/// The record of a session that is about to start, from the server's answer. `None`: the answer is
/// no session.
pub(super) fn record(answer: Value, start: &Start) -> Option<Record> {
    let Value::Object(mut received) = answer else { return None };
    received.entry("session_events").or_insert_with(|| json!([]));
    let integer = |name: &str| received.get(name).and_then(Value::as_i64);
    let text = |name: &str| received.get(name).and_then(Value::as_str).map(str::to_owned);
    let session = Session {
        id_creator_device: integer("id_creator_device"),
        id_creator_participant: integer("id_creator_participant"),
        id_creator_service: integer("id_creator_service"),
        id_creator_user: integer("id_creator_user"),
        id_session: integer("id_session")?,
        id_session_type: integer("id_session_type"),
        session_comments: text("session_comments"),
        session_duration: integer("session_duration").unwrap_or(0),
        session_name: text("session_name").unwrap_or_default(),
        session_parameters: received.get("session_parameters").cloned().unwrap_or(Value::Null),
        session_start_datetime: text("session_start_datetime").unwrap_or_default(),
        session_status: integer("session_status").unwrap_or(0),
        session_uuid: text("session_uuid")?,
        session_participants: start.lists.of(Role::Participant).unwrap_or_default().to_vec(),
        session_users: start.lists.of(Role::User).unwrap_or_default().to_vec(),
        session_devices: start.lists.of(Role::Device).unwrap_or_default().to_vec(),
        session_events: Vec::new(),
        session_key: None,
        session_creator_uuid: ["user", "participant", "device", "service"]
            .into_iter()
            .find_map(|kind| text(&format!("session_creator_{kind}_uuid"))),
        session_url_users: None,
        session_url_participants: None,
        session_url_devices: None,
        session_invitees: None,
    };
    Some(Record { session, run: None, received: Some(Box::new(received)) })
}

/// Adds an event that the server has noted.
pub(super) fn add_event(record: &mut Record, event: Value) {
    let events = record.received.as_mut().and_then(|received| received.get_mut("session_events"));
    if let Some(Value::Array(events)) = events {
        events.push(event);
    }
}

/// The session as replies show it: what the server gave, with the people as uuids, the key and the
/// URLs. `invitees`: with the personal URLs too.
pub(super) fn shown(record: &Record, base: &str, invitees: bool) -> Value {
    let mut shown: Map<String, Value> = record.received.as_deref().cloned().unwrap_or_default();
    for role in Role::ALL {
        shown.insert(role.list_field().to_owned(), json!(people(record, role)));
    }
    shown.insert("session_creator_uuid".to_owned(), json!(record.session.session_creator_uuid));
    if let Some(run) = &record.run {
        shown.insert("session_key".to_owned(), json!(run.session_key));
        for role in Role::ALL {
            shown.insert(format!("session_url_{}", role.page()), json!(run.url(base, role, None)));
        }
        if invitees {
            shown.insert("session_invitees".to_owned(), json!(run.invitees(base)));
        }
    }
    Value::Object(shown)
}

/// The people of a role.
pub(super) fn people(record: &Record, role: Role) -> &[String] {
    record.session.members(role)
}

/// The uuid of the creator, if it is one of this role.
pub(super) fn creator(record: &Record, role: Role) -> Option<&str> {
    received(record, &format!("session_creator_{}_uuid", role.name()))?.as_str()
}

/// The creator's name: of the first kind that has an id.
pub(super) fn creator_name(record: &Record) -> &str {
    let session = &record.session;
    let kinds = [
        ("session_creator_user", session.id_creator_user),
        ("session_creator_participant", session.id_creator_participant),
        ("session_creator_device", session.id_creator_device),
        ("session_creator_service", session.id_creator_service),
    ];
    let first = kinds.into_iter().find(|(_, id)| id.is_some_and(|id| id != 0));
    first.and_then(|(name, _)| received(record, name)?.as_str()).unwrap_or_default()
}

/// The parameters as a text: as they are if they are one, else their JSON; `{}` if there are none.
pub(super) fn parameters(record: &Record) -> String {
    match &record.session.session_parameters {
        Value::String(text) if !text.is_empty() => text.clone(),
        Value::Object(object) if !object.is_empty() => in_python(&record.session.session_parameters),
        Value::Array(array) if !array.is_empty() => in_python(&record.session.session_parameters),
        Value::Number(_) | Value::Bool(true) => record.session.session_parameters.to_string(),
        _ => "{}".to_owned(),
    }
}

fn received<'a>(record: &'a Record, name: &str) -> Option<&'a Value> {
    record.received.as_ref()?.get(name)
}

/// JSON as Python writes it: a space after each colon and comma, and nothing but ASCII.
fn in_python(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let members = object.iter().map(|(name, value)| format!("{}: {}", in_ascii(name), in_python(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(array) => {
            format!("[{}]", array.iter().map(in_python).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => in_ascii(text),
        other => other.to_string(),
    }
}

fn in_ascii(text: &str) -> String {
    let mut ascii = String::new();
    for character in json!(text).to_string().chars() {
        match character {
            ' '..='~' => ascii.push(character),
            _ => character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| ascii += &format!("\\u{unit:04x}")),
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(session: Value) -> Record {
        let mut whole = json!({"id_session": 3, "session_uuid": "s"});
        whole.as_object_mut().unwrap().extend(session.as_object().unwrap().clone());
        record(whole, &Start::default()).unwrap()
    }

    #[test]
    fn the_first_creator_owns_and_the_first_with_an_id_is_named() {
        let both = with(json!({
            "id_creator_user": null, "id_creator_participant": 4, "id_creator_service": 6,
            "session_creator_participant": "Paul", "session_creator_participant_uuid": "p",
            "session_creator_service": "S", "session_creator_service_uuid": "v",
        }));
        assert_eq!(both.session.session_creator_uuid.as_deref(), Some("p"));
        assert_eq!(creator_name(&both), "Paul");
        assert_eq!((creator(&both, Role::Participant), creator(&both, Role::User)), (Some("p"), None));
        assert_eq!(creator_name(&with(json!({}))), "");
    }

    #[test]
    fn parameters_are_a_text() {
        for (parameters_are, text) in [
            (json!(null), "{}"),
            (json!(""), "{}"),
            (json!({}), "{}"),
            (json!("a text"), "a text"),
            (json!({"a": [1, {"b": "c: d"}]}), r#"{"a": [1, {"b": "c: d"}]}"#),
            (json!({"\u{e9}": "\u{1f600} \"x\""}), r#"{"\u00e9": "\ud83d\ude00 \"x\""}"#),
        ] {
            assert_eq!(parameters(&with(json!({ "session_parameters": parameters_are }))), text);
        }
    }

    #[test]
    fn what_the_server_gave_is_passed_on_as_it_came() {
        let mut record = with(json!({"unknown": {"z": 1, "a": 2}, "session_users": [{"user_uuid": "u"}]}));
        add_event(&mut record, json!({"id_session_event": 9}));
        let shown = shown(&record, "https://h:1", true);
        assert_eq!(shown["unknown"].to_string(), r#"{"z":1,"a":2}"#);
        assert_eq!(
            (&shown["session_users"], &shown["session_events"]),
            (&json!([]), &json!([{"id_session_event": 9}]))
        );
        assert!(super::record(json!([1]), &Start::default()).is_none());
        assert!(super::record(json!({"id_session": "3"}), &Start::default()).is_none());
    }
}
