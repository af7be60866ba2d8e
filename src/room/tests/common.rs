//! What several are due the same.

use super::*;
use crate::wire::Batch;

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
}
