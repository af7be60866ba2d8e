//! Who is ended when the session keeps too much, and who is not.

use super::*;

const LIMITS: Limits = Limits { rooms: 100, log_bytes: 4096, session_bytes: 7000 };

impl Bench {
    fn broadcast(&mut self, who: PeerId, room: &str, bytes: usize) {
        self.send(who, "broadcast", &format!("U{who}"), room, json!("x".repeat(bytes)));
    }

    fn ended(&self) -> Vec<PeerId> {
        let mut all: Vec<PeerId> = self.rooms.peers().map(|(who, _)| who).collect();
        all.retain(|who| self.rooms.end_of(*who).is_some());
        all.sort_unstable();
        all
    }
}

/// That one is too slow makes the session's limit felt, which ends somebody in another room, of which the others are told:
/// it makes one of them too slow.
#[test]
fn bounded_across_rooms() {
    let mut bench = Bench::with(6, LIMITS);
    for (who, room) in [(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "b"), (6, "b")] {
        bench.join(who, room);
        (1..=who).for_each(|who| drop(bench.taken(who)));
    }
    bench.broadcast(1, "a", 2000);
    drop(bench.taken(3));
    bench.broadcast(4, "b", 1960);
    bench.broadcast(4, "b", 1960);
    bench.broadcast(1, "a", 3700);
    assert_eq!(bench.ended(), [2, 5, 6]);
    assert!(bench.rooms.held_bytes() <= LIMITS.session_bytes);
    assert_eq!(bench.heard(4), ["disconnect U6 ", "disconnect U5 "]);
    assert_eq!(bench.heard(3).len(), 2, "what was said, and that one has gone");
}

/// What was kept for one who goes counts no more when the others are told.
#[test]
fn nobody_is_ended_for_what_another_took_along() {
    let mut bench = Bench::with(4, LIMITS);
    bench.rooms.keep_seat(2, "1".into(), &mut |_| {});
    for (who, room) in [(1, "a"), (2, "a"), (3, "b"), (4, "b")] {
        bench.join(who, room);
        (1..=who).for_each(|who| drop(bench.taken(who)));
    }
    bench.broadcast(1, "a", 3700);
    drop(bench.taken(2));
    bench.broadcast(3, "b", LIMITS.session_bytes - bench.rooms.held_bytes() - 100);
    assert!(bench.ended().is_empty());
    bench.rooms.exit(2, &mut |_| {});
    assert!(bench.ended().is_empty());
}

/// What is kept in a second form counts from when it is made.
#[test]
fn bounded_in_both_forms() {
    let mut bench = Bench::with(3, LIMITS);
    for who in 1..=3 {
        bench.join(who, "a");
        (1..=who).for_each(|who| drop(bench.taken(who)));
    }
    bench.broadcast(1, "a", 3700);
    assert!(bench.ended().is_empty());
    bench.rooms.take(2, Form::Quoted, &mut |_: &str| {}, &mut |_| {});
    assert!(bench.rooms.held_bytes() <= LIMITS.session_bytes, "{}", bench.rooms.held_bytes());
    assert_eq!(bench.ended(), [3], "who has not read it");
}

/// What several had in common they have in common after a restart.
#[test]
fn bounded_over_a_restart() {
    let mut bench = Bench::with(4, LIMITS);
    for who in 1..=4 {
        bench.rooms.keep_seat(who, "1".into(), &mut |_| {});
        bench.join(who, "main");
        (1..=who).for_each(|who| drop(bench.taken(who)));
    }
    bench.broadcast(1, "main", 3000);
    let kept = bench.rooms.keep();
    let mut bench = Bench::with(0, LIMITS);
    bench.rooms.restore(kept.into_iter().map(|peer| (peer, 0)));
    assert!(bench.rooms.held_bytes() <= LIMITS.session_bytes, "{}", bench.rooms.held_bytes());
}
