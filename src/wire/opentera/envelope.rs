//! The two wrappers: [`TeraEvent`] for people and logs, [`TeraModuleMessage`] for the server's modules.
//!
//! `time` must be the real time: the server reads a payload as text first, and it is the bytes of a
//! real time that keep it from succeeding.

use prost::Message;

use super::messages::{Any, EventHeader, ModuleHeader, Named, TeraEvent, TeraModuleMessage};

const TYPE_PREFIX: &str = "type.googleapis.com/opentera.protobuf.";

fn wrapped<E: Named>(event: &E) -> Vec<Any> {
    vec![Any { type_url: format!("{TYPE_PREFIX}{}", E::NAME), value: event.encode_to_vec() }]
}

/// One event, to be published to `topic`; `now` in seconds since 1970.
pub fn tera_event<E: Named>(topic: &str, now: f64, event: &E) -> Vec<u8> {
    let header = EventHeader { version: 1, time: now, topic: topic.to_owned() };
    TeraEvent { header: Some(header), events: wrapped(event) }.encode_to_vec()
}

/// One event for a module of the server, whose topic is `topic`; `service_key` names the sender.
pub fn module_message<E: Named>(topic: &str, service_key: &str, now: f64, event: &E) -> Vec<u8> {
    let source = format!("service{service_key}");
    let head = ModuleHeader { version: 1, time: now, seq: 0, source, dest: topic.to_owned() };
    TeraModuleMessage { head: Some(head), data: wrapped(event) }.encode_to_vec()
}

impl Any {
    /// The message inside, if it is of this type and can be read.
    pub fn unwrap_as<E: Named>(&self) -> Option<E> {
        if self.type_url.strip_prefix(TYPE_PREFIX) != Some(E::NAME) {
            return None;
        }
        E::decode(self.value.as_slice()).ok()
    }
}
