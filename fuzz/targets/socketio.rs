//! Engine.IO bodies of both versions, and the Socket.IO packets inside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use viderehab_fuzz::wire::Text;
use viderehab_fuzz::wire::socketio::{self, EnginePacket, Event, Packet, Version, packets, render_body};
use viderehab_fuzz::{json, within};

fuzz_target!(|data: &[u8]| {
    for version in [Version::V3, Version::V4] {
        let mut told_apart = Vec::new();
        let mut broken = false;
        for packet in packets(version, data) {
            assert!(!broken, "an error is the last");
            match packet {
                Ok(packet) => {
                    assert!(within(packet.as_bytes(), data) && told_apart.len() <= data.len());
                    told_apart.push(packet);
                }
                Err(_) => broken = true,
            }
        }
        let written: Vec<Text> = told_apart.iter().map(|packet| Text::from(*packet)).collect();
        if !written.is_empty() {
            let body = render_body(version, &written);
            assert!(packets(version, body.as_bytes()).eq(told_apart.iter().map(|packet| Ok(*packet))));
        }
        told_apart.into_iter().for_each(|packet| engine(packet, version));
    }
});

fn engine(text: &str, version: Version) {
    let Ok(EnginePacket::Message(message)) = EnginePacket::parse(text) else { return };
    match Packet::parse(message) {
        Ok(Packet::Event(event)) => application(message, event),
        Ok(Packet::Connect { namespace, auth }) => {
            if let Some(auth) = auth {
                assert!(within(auth.as_bytes(), message.as_bytes()) && auth.starts_with('{'));
                valid(auth);
            }
            // A namespace is repeated in the refusal, so it must not reach past it.
            let refused = socketio::refused(version, namespace, message);
            let rest = refused.as_str().strip_prefix("44").expect("a refusal");
            let reason = match namespace {
                "/" => rest,
                _ => rest.strip_prefix(namespace).and_then(|rest| rest.strip_prefix(',')).expect("the namespace"),
            };
            assert!(!namespace.contains(','));
            valid(reason);
        }
        _ => {}
    }
}

fn application(message: &str, event: Event) {
    if let Some(argument) = event.argument {
        assert!(within(argument.as_bytes(), message.as_bytes()));
        valid(argument);
        let text = socketio::event(&event.name, argument);
        let again = text.as_str().strip_prefix('4').map(Packet::parse);
        let same = Event { id: None, name: event.name.clone(), argument: Some(argument) };
        assert_eq!(again, Some(Ok(Packet::Event(same))));
        let answer = socketio::acknowledgement(event.id.unwrap_or_default(), argument);
        assert!(matches!(Packet::parse(&answer.as_str()[1..]), Ok(Packet::Acknowledgement)));
    }
    // What another reader makes of it, where it can.
    let list = &message[message.find('[').expect("an event is a list")..];
    if let Ok(list) = serde_json::from_str::<Value>(list) {
        assert_eq!(list[0], *event.name);
        assert_eq!(list.get(1), event.argument.map(json).as_ref());
    }
}

fn valid(text: &str) {
    serde_json::from_str::<serde::de::IgnoredAny>(text).expect("JSON");
}
