//! Coming back, without a server.

use super::*;
use crate::wire::videre;

/// Peer 2 opted in; what it is handed goes through a pipe that may be cut.
struct Cuts {
    bench: Bench,
    /// Handed to the connection, not yet arrived.
    pipe: Vec<Value>,
    arrived: Vec<Value>,
}

impl Cuts {
    fn new(log_bytes: usize) -> Self {
        let mut bench = Bench::with(2, Limits { rooms: 100, log_bytes, session_bytes: 0 });
        bench.rooms.keep_seat(2, videre::seated("token", None), &mut |_| {});
        assert_eq!(bench.taken(2).len(), 1, "the answer, which counts as none");
        bench.join(1, "main");
        bench.join(2, "main");
        Self { bench, pipe: Vec::new(), arrived: Vec::new() }
    }

    fn counts(packet: &Value) -> bool {
        !["resume", "ack"].contains(&packet["Header"]["Event"].as_str().unwrap())
    }

    fn take(&mut self) {
        let taken = self.bench.taken(2);
        self.pipe.extend(taken.into_iter().filter(Self::counts));
    }

    /// So many packets arrive.
    fn arrive(&mut self, count: usize) {
        let count = count.min(self.pipe.len());
        self.arrived.extend(self.pipe.drain(..count));
    }

    fn ack(&mut self) {
        let ack = json!({"Header": {"Event": "ack"}, "Payload": self.arrived.len()});
        assert_eq!(self.bench.raw(2, &ack.to_string()), Verdict::Applied);
    }

    /// The connection is lost, and another takes the seat. Whether it could.
    fn cut(&mut self) -> bool {
        self.pipe.clear();
        self.bench.rooms.resume(2, self.arrived.len() as u64).is_some()
    }
}

#[test]
fn a_seat_is_bounded() {
    let mut cuts = Cuts::new(4096);
    for number in 0..100 {
        cuts.bench.send(1, "broadcast", "U1", "main", json!("x".repeat(100)));
        cuts.bench.taken(1);
        cuts.take();
        assert!(cuts.bench.rooms.kept_bytes() <= 4096, "{number}");
    }
    assert!(!cuts.cut(), "the first are not kept any more");
}

/// A client that acknowledges and does not read had an answer kept for each.
#[test]
fn an_acknowledgement_stands_for_those_before_it() {
    let mut cuts = Cuts::new(4096);
    cuts.take();
    (0..1000).for_each(|_| cuts.ack());
    let answers = cuts.bench.taken(2);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0], json!({"Header": {"Event": "ack"}, "Payload": 1}));
}

/// It was refused where the seat had not kept as much.
#[test]
fn a_late_acknowledgement_is_none_the_less_true() {
    let mut cuts = Cuts::new(4096);
    for _ in 0..100 {
        cuts.bench.send(1, "broadcast", "U1", "main", json!("x".repeat(100)));
        cuts.bench.taken(1);
        cuts.take();
    }
    cuts.arrive(1);
    cuts.ack();
    cuts.arrive(usize::MAX);
    cuts.ack();
    assert_eq!(cuts.bench.rooms.kept_bytes(), 0);
}

/// Each restart moved what was unread to where the next restart found room for more.
#[test]
fn a_seat_is_bounded_over_restarts() {
    let limits = Limits { rooms: 100, log_bytes: 4096, session_bytes: 0 };
    let mut cuts = Cuts::new(limits.log_bytes);
    for restart in 0..4 {
        cuts.bench.send(2, "broadcast", "U2", "main", json!("x".repeat(10)));
        cuts.bench.send(1, "broadcast", "U1", "main", json!("x".repeat(2500)));
        let kept = cuts.bench.rooms.keep();
        let mut bench = Bench::with(0, limits);
        bench.rooms.restore(kept.into_iter().map(|peer| (peer, 2)));
        assert!(bench.rooms.kept_bytes() <= limits.log_bytes, "after restart {restart}");
        bench.rooms.enter(1, Admission::Keyed, 1);
        bench.join(1, "main");
        cuts.bench = bench;
    }
    assert_eq!(cuts.bench.rooms.peers().count(), 1, "its seat was given up");
}

#[test]
fn a_peer_that_was_ended_has_no_seat() {
    let mut cuts = Cuts::new(4096);
    cuts.bench.rooms.end(2, DisconnectReason::Removed, &mut |_| {});
    assert!(!cuts.cut());
}

proptest! {
    /// Wherever the connection is cut, each packet arrives once and in order.
    #[test]
    fn once_in_order(steps in prop::collection::vec((0..6u8, 0..9usize), 1..120)) {
        let mut cuts = Cuts::new(1 << 20);
        let mut said = 0_u64;
        for (action, count) in steps {
            match action {
                0 | 1 => for _ in 0..count {
                    cuts.bench.send(1, "broadcast", "U1", "main", json!(said));
                    said += 1;
                },
                2 => cuts.take(),
                3 => cuts.arrive(count),
                4 => cuts.ack(),
                _ => prop_assert!(cuts.cut()),
            }
        }
        prop_assert!(cuts.cut());
        cuts.take();
        cuts.arrive(usize::MAX);
        cuts.ack();
        cuts.bench.taken(1);
        cuts.take();
        let numbers: Vec<_> = cuts.arrived.iter().filter_map(|packet| packet["Payload"].as_u64()).collect();
        prop_assert_eq!(numbers, (0..said).collect::<Vec<_>>());
        let rooms = &cuts.bench.rooms;
        prop_assert_eq!((rooms.kept_bytes(), rooms.held_bytes()), (0, 0), "what has arrived is not kept");
    }
}
