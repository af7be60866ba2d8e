//! EasyRTC's messages: what is kept and passed on is JSON, from its true sender, with the payload as it
//! was written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;
use viderehab_fuzz::json;
use viderehab_fuzz::wire::easyrtc::{self, Auth, Client, Command, KEPT_UNITS, Letter, Name, Notice, Presence};

fuzz_target!(|data: &[u8]| {
    let Ok(argument) = serde_json::from_slice::<&RawValue>(data) else { return };
    let whole = serde_json::from_slice::<Value>(data).ok();
    let me = Name::new("me").expect("a name");
    if let Ok(auth) = Auth::read(Some(argument)) {
        let mut presence = Presence::default();
        presence.merge(auth.presence);
        client(&presence, auth.username.as_deref(), None);
        assert!(!auth.rooms.is_empty());
        if let Some(sid) = auth.easyrtcsid {
            assert_eq!(json(&format!("\"{sid}\"")), *sid);
        }
    }
    match Command::read(Some(argument)) {
        Ok(Command::Relay(relay)) => {
            passed_on(&Notice::relay(&me, &relay, 1), whole.as_ref());
        }
        Ok(Command::SetRoomApiField(room, Some(field))) => {
            assert!(field.encode_utf16().count() <= KEPT_UNITS);
            if let Some(whole) = &whole {
                let given = &whole["msgData"]["setRoomApiField"];
                assert_eq!((&given["roomName"], &given["field"]), (&Value::from(&*room), &json(&field)));
            }
            client(&Presence::default(), None, Some(&field));
        }
        Ok(Command::SetPresence(change)) => {
            let mut presence = Presence::default();
            presence.merge(change);
            client(&presence, None, None);
        }
        Ok(Command::RoomJoin(rooms)) => assert!(!rooms.is_empty()),
        _ => {}
    }
    if let Ok(letter) = Letter::read(Some(argument)) {
        passed_on(&Notice::letter(&me, &letter, 1), whole.as_ref());
    }
});

/// As others see a client that said these things of itself.
fn client(presence: &Presence, username: Option<&str>, api_field: Option<&str>) {
    let (room, easyrtcid) = (Name::new("room").expect("a name"), Name::new("id").expect("a name"));
    let client = Client { easyrtcid: &easyrtcid, room_join_time: 1, presence, api_field, username };
    let entry = format!("{{{}}}", easyrtc::updated(&room, client));
    serde_json::from_str::<IgnoredAny>(&entry).expect("JSON");
    if let Ok(entry) = serde_json::from_str::<Value>(&entry) {
        let client = &entry["room"]["clientListDelta"]["updateClient"]["id"];
        assert_eq!(client["easyrtcid"], "id");
        assert!(["away", "chat", "dnd", "xa"].contains(&client["presence"]["show"].as_str().expect("a text")));
    }
}

/// What a recipient gets names the sender, and holds the payload.
fn passed_on(notice: &Notice, whole: Option<&Value>) {
    let recipient = Name::new("you").expect("a name");
    let mut written = String::new();
    notice.write(&recipient, &mut written);
    assert_eq!(written.len(), notice.len(&recipient));
    serde_json::from_str::<IgnoredAny>(&written).expect("JSON");
    let (Some(whole), Ok(got)) = (whole, serde_json::from_str::<Value>(&written)) else { return };
    assert_eq!(
        (&got["easyrtcid"], &got["senderEasyrtcid"], &got["serverTime"]),
        (&"you".into(), &"me".into(), &1.into())
    );
    assert_eq!(got.get("msgData"), whole.get("msgData"));
    assert_eq!(got["msgType"], whole["msgType"]);
}
