//! A core with peers that have entered, and what they hear.

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::super::*;
use crate::room::PeerId;
use crate::wire::easyrtc::{ErrorCode, Event};

/// The bounds most tests do with.
pub const TEN_ROOMS: Limits = Limits { members: 100, rooms: 10 };

pub struct Bench {
    pub easyrtc: EasyRtc,
    now: u64,
    /// What is handed in as fresh ids before `id` and the peer's number is.
    pub ids: Vec<&'static str>,
}

impl Bench {
    /// So many peers, none of them authenticated.
    pub fn new(peers: PeerId) -> Self {
        Self::with(TEN_ROOMS, peers)
    }

    pub fn with(limits: Limits, peers: PeerId) -> Self {
        let mut easyrtc = EasyRtc::new(limits);
        (1..=peers).for_each(|who| easyrtc.enter(who));
        Self { easyrtc, now: 1000, ids: Vec::new() }
    }

    /// Two more than so many, which are in the default room.
    pub fn logged_in(peers: PeerId) -> Self {
        let mut bench = Self::new(peers + 2);
        (1..=peers).for_each(|who| drop(bench.log_in(who, json!({}))));
        bench
    }

    /// Authenticates with some msgData besides the version. Returns the token.
    pub fn log_in(&mut self, who: PeerId, mut data: Value) -> Value {
        data["apiVersion"] = json!("1");
        let ack = self.send(who, Event::Auth, json!({"msgType": "authenticate", "msgData": data})).ack();
        assert_eq!(ack["msgType"], "token", "{ack}");
        ack
    }

    pub fn cmd(&mut self, who: PeerId, message: Value) -> Heard {
        self.send(who, Event::Cmd, message)
    }

    pub fn msg(&mut self, who: PeerId, message: Value) -> Heard {
        self.send(who, Event::Msg, message)
    }

    pub fn send(&mut self, who: PeerId, event: Event, message: Value) -> Heard {
        let argument = to_raw_value(&message).unwrap();
        self.apply(who, Request { event, argument: Some(&argument), ack: true })
    }

    pub fn without_ack(&mut self, who: PeerId, event: Event, message: Value) -> Heard {
        let argument = to_raw_value(&message).unwrap();
        self.apply(who, Request { event, argument: Some(&argument), ack: false })
    }

    pub fn raw(&mut self, who: PeerId, event: Event, argument: &RawValue) -> Heard {
        self.apply(who, Request { event, argument: Some(argument), ack: true })
    }

    fn apply(&mut self, who: PeerId, request: Request) -> Heard {
        self.now += 1;
        self.ids.reverse();
        let ids = &mut self.ids;
        let mut given = Given {
            now: self.now,
            new_id: &mut || ids.pop().map_or_else(|| format!("id{who}"), str::to_owned),
            ice_servers: &mut || r#"[{"urls":"stun:1"}]"#.to_owned(),
        };
        Heard(self.easyrtc.apply(who, request, &mut given))
    }

    pub fn remove(&mut self, who: PeerId) -> Heard {
        self.now += 1;
        Heard(self.easyrtc.remove(who, self.now))
    }
}

/// What one event put out.
pub struct Heard(Vec<Output>);

impl Heard {
    pub fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    pub fn ended(&self) -> bool {
        self.0.iter().any(|output| matches!(output, Output::End))
    }

    fn all_acks(&self) -> impl Iterator<Item = (usize, &Ack)> {
        self.0.iter().enumerate().filter_map(|(at, output)| match output {
            Output::Ack(ack) => Some((at, ack)),
            _ => None,
        })
    }

    pub fn acks(&self) -> usize {
        self.all_acks().count()
    }

    pub fn ack(&self) -> Value {
        let (_, ack) = self.all_acks().next().expect("it was acknowledged");
        serde_json::from_str(ack.text.as_str()).unwrap()
    }

    pub fn ack_position(&self) -> usize {
        self.all_acks().next().expect("it was acknowledged").0
    }

    pub fn error(&self) -> Option<ErrorCode> {
        self.all_acks().next().and_then(|(_, ack)| ack.error)
    }

    /// What was emitted, in order: to whom, which event, its argument.
    pub fn emits(&self) -> impl Iterator<Item = (PeerId, &'static str, Value)> {
        self.0.iter().filter_map(|output| match output {
            Output::Emit(emit) => {
                let mut argument = String::new();
                emit.write_argument(&mut argument);
                let value: Value = serde_json::from_str(&argument).expect("what is written is JSON");
                assert_eq!(value["easyrtcid"], emit.easyrtcid.as_str());
                Some((emit.to, emit.event().name(), value))
            }
            _ => None,
        })
    }

    fn to(&self, who: PeerId) -> Vec<Value> {
        self.emits().filter(|(to, ..)| *to == who).map(|(.., argument)| argument).collect()
    }

    pub fn one(&self, who: PeerId) -> Value {
        let mut all = self.to(who);
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    pub fn last(&self, who: PeerId) -> Value {
        self.to(who).pop().expect("it was told")
    }

    pub fn events(&self, who: PeerId) -> Vec<String> {
        let theirs = self.emits().filter(|(to, ..)| *to == who);
        theirs.map(|(_, event, argument)| format!("{event} {}", argument["msgType"].as_str().unwrap())).collect()
    }

    /// Each recipient of something, in order.
    pub fn recipients(&self) -> Vec<PeerId> {
        self.emits().map(|(to, ..)| to).collect()
    }

    /// Where among the outputs a peer's first, second … emit stands.
    pub fn position(&self, who: PeerId, which: usize) -> usize {
        let theirs =
            self.0.iter().enumerate().filter(|(_, output)| matches!(output, Output::Emit(emit) if emit.to == who));
        theirs.map(|(at, _)| at).nth(which).expect("it was told as often")
    }
}
