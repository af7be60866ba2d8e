//! What several are due the same.

use super::*;
use crate::wire::{Batch, videre};

/// What a peer is handed: of its own, or in common with those who were handed the same first.
struct Handed<'a> {
    own: Vec<String>,
    common: &'a mut (Option<Text>, Vec<String>),
    here: Option<usize>,
}

impl Batch for Handed<'_> {
    fn add(&mut self, text: &str) {
        let texts = if self.here.is_some() { &mut self.common.1 } else { &mut self.own };
        texts.push(text.into());
    }

    fn begin_common(&mut self, first: &Text) -> usize {
        if !self.common.0.as_ref().is_some_and(|text| text.is(first)) {
            *self.common = (Some(first.clone()), Vec::new());
        }
        *self.here.insert(self.common.1.len())
    }
}

#[test]
fn what_is_common_is_handed_over_once() {
    let mut bench = Bench::new(4);
    (1..=4).for_each(|who| bench.join(who, "main"));
    (1..=4).for_each(|who| drop(bench.taken(who)));
    let mut common = (None, Vec::new());
    let say = |bench: &mut Bench, who: PeerId, word: &str| {
        bench.send(who, "broadcast", &format!("U{who}"), "main", json!(format!("{word:2000}")));
    };
    let mut hears = |bench: &mut Bench, who: PeerId| {
        let mut handed = Handed { own: Vec::new(), common: &mut common, here: None };
        assert!(!bench.rooms.take(who, Form::Plain, &mut handed, &mut |_| {}));
        let texts = if handed.here.is_some() { &handed.common.1 } else { &handed.own };
        let words = texts.iter().map(|text| {
            let packet: Value = serde_json::from_str(text).unwrap();
            packet["Payload"].as_str().unwrap().trim().to_owned()
        });
        (handed.here, words.collect::<Vec<_>>().join(" "))
    };
    say(&mut bench, 1, "one");
    say(&mut bench, 2, "two");
    assert_eq!(hears(&mut bench, 3), (Some(0), "one two".into()));
    say(&mut bench, 1, "three");
    assert_eq!(hears(&mut bench, 4), (Some(2), "one two three".into()));
    assert_eq!(hears(&mut bench, 2), (None, "one three".into()), "not what it said itself");
    assert_eq!(hears(&mut bench, 1), (None, "two".into()));
    assert_eq!(hears(&mut bench, 3), (Some(0), "three".into()), "from another place");

    say(&mut bench, 1, "four");
    bench.send(4, "ping", "U4", "main", json!("{}"));
    assert_eq!(hears(&mut bench, 3), (None, "four".into()), "not what is for one alone");
    (2..=4).for_each(|who| drop(bench.taken(who)));
    say(&mut bench, 1, "five");
    assert_eq!(hears(&mut bench, 2), (Some(0), "five".into()));
    assert_eq!(hears(&mut bench, 4), (Some(1), "five".into()), "nor is that for ever");
}

#[test]
fn what_is_common_is_kept_for_those_who_may_come_back() {
    let mut bench = Bench::new(4);
    bench.rooms.keep_seat(4, videre::seated("token", None), &mut |_| {});
    (1..=4).for_each(|who| bench.join(who, "main"));
    (1..=4).for_each(|who| drop(bench.taken(who)));
    let before = bench.rooms.kept_bytes();
    for word in ["one", "two"] {
        bench.send(1, "broadcast", "U1", "main", json!(format!("{word:2000}")));
    }
    let mut common = (None, Vec::new());
    for who in [2, 3, 4, 1] {
        let mut handed = Handed { own: Vec::new(), common: &mut common, here: None };
        assert!(!bench.rooms.take(who, Form::Plain, &mut handed, &mut |_| {}));
        assert_eq!(handed.here.is_some(), who != 1);
    }
    let bytes: usize = common.1.iter().map(String::len).sum();
    assert_eq!((common.1.len(), bench.rooms.kept_bytes() - before), (2, bytes), "once, and for nobody else");
    assert!(bench.rooms.resume(4, 1).is_some(), "it has had its own connect");
    assert_eq!(bench.taken(4).len(), 2);
}
