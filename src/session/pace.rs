//! How fast a connection may send, and a session's and an address's together: two buckets each that fill at their rates.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::config::Limits;

/// How many seconds' worth of its rate a connection may send at once: a call begins with a burst
/// of candidates.
const BURST_SECS: f64 = 5.0;

/// How many seconds' worth connections together may owe: whoever owes more has its own pace to pay it, and the others
/// need not wait for it.
const SHARED_DEBT_SECS: f64 = 1.0;

/// Rates; 0 switches one off.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Packets a second.
    pub packets: u32,
    /// Bytes of packets a second.
    pub bytes: u32,
}

impl Rates {
    /// A connection's, by the configuration.
    pub fn of(limits: &Limits) -> Self {
        Self { packets: limits.packets_per_second, bytes: limits.bytes_per_second }
    }

    /// Whether there are none.
    pub fn are_off(self) -> bool {
        self.packets == 0 && self.bytes == 0
    }
}

/// What a connection has left of its rates.
#[derive(Debug)]
pub struct Pace {
    packets: Bucket,
    bytes: Bucket,
    filled: Instant,
}

#[derive(Debug)]
struct Bucket {
    rate: f64,
    left: f64,
    /// The least that is left.
    least: f64,
}

impl Bucket {
    fn new(rate: u32, debt_secs: f64) -> Self {
        let rate = f64::from(rate);
        Self { rate, left: rate * BURST_SECS, least: -rate * debt_secs }
    }

    /// Fills for the time gone by, takes `amount`, answers the seconds until nothing is owed.
    fn spend(&mut self, elapsed: f64, amount: f64) -> f64 {
        if self.rate == 0.0 {
            return 0.0;
        }
        self.left = ((self.left + self.rate * elapsed).min(self.rate * BURST_SECS) - amount).max(self.least);
        (-self.left / self.rate).max(0.0)
    }

    fn is_full(&self, elapsed: f64) -> bool {
        self.left + self.rate * elapsed >= self.rate * BURST_SECS
    }
}

impl Pace {
    /// For connections together, so many of which may send at their full rates.
    pub fn shared(rates: Rates, connections: u32) -> Arc<Mutex<Self>> {
        let times = |rate: u32| rate.saturating_mul(connections);
        let rates = Rates { packets: times(rates.packets), bytes: times(rates.bytes) };
        Arc::new(Mutex::new(Self::owing(rates, SHARED_DEBT_SECS, Instant::now())))
    }

    /// Full buckets.
    pub fn new(rates: Rates, now: Instant) -> Self {
        Self::owing(rates, f64::MAX, now)
    }

    fn owing(rates: Rates, debt_secs: f64, now: Instant) -> Self {
        let bucket = |rate| Bucket::new(rate, debt_secs);
        Self { packets: bucket(rates.packets), bytes: bucket(rates.bytes), filled: now }
    }

    /// Whether nothing is left to remember: a new one would be the same.
    pub fn is_full(&self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.packets.is_full(elapsed) && self.bytes.is_full(elapsed)
    }

    /// Counts one packet; answers how long not to read the next.
    pub fn spend(&mut self, bytes: usize, now: Instant) -> Duration {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        let packets = self.packets.spend(elapsed, 1.0);
        let bytes = self.bytes.spend(elapsed, bytes as f64);
        Duration::from_secs_f64(packets.max(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut pace = Pace::new(Rates { packets: 10, bytes: 0 }, start);
        assert!((0..50).all(|_| pace.spend(1, start).is_zero()));
        assert_eq!(pace.spend(1, start), Duration::from_millis(100));
        let later = start + Duration::from_millis(200);
        assert!(pace.spend(1, later).is_zero());
        assert!(!pace.spend(1, later).is_zero());
    }

    #[test]
    fn those_together_owe_no_more_than_a_second() {
        let shared = Pace::shared(Rates { packets: 0, bytes: 100 }, 10);
        let mut shared = shared.lock().unwrap();
        let now = Instant::now();
        for _ in 0..10 {
            assert!(shared.spend(1_000_000, now) <= Duration::from_secs(1));
        }
        assert!(shared.spend(1, now + Duration::from_secs(2)).is_zero());
        assert!(!shared.is_full(now + Duration::from_secs(6)) && shared.is_full(now + Duration::from_secs(7)));
    }

    #[test]
    fn bytes_count_too_and_zero_is_no_limit() {
        let start = Instant::now();
        let mut pace = Pace::new(Rates { packets: 0, bytes: 100 }, start);
        assert!(pace.spend(500, start).is_zero());
        assert_eq!(pace.spend(100, start), Duration::from_secs(1));
        let mut free = Pace::new(Rates { packets: 0, bytes: 0 }, start);
        assert!((0..10_000).all(|_| free.spend(1 << 20, start).is_zero()));
    }
}
