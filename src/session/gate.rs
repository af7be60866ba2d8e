//! What an address may do in all sessions together: how many connections, how many wrong keys.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;

/// The first wait that the brake imposes; each further wrong key doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait. Longer would lock out a whole clinic behind one address for one bad bookmark.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Wrong keys are forgotten when this long has passed without one.
const FORGET: Duration = Duration::from_secs(600);

/// How many addresses are remembered before those long silent are dropped.
const REMEMBERED: usize = 10_000;

/// Counts by address. One for the whole server.
#[derive(Debug)]
pub struct Gate {
    connections_per_address: usize,
    failed_keys: u32,
    connections: DashMap<IpAddr, usize>,
    failures: DashMap<IpAddr, Failures>,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

/// A connection's place in its address's count; given back on drop.
#[derive(Debug)]
pub struct Place {
    gate: Arc<Gate>,
    address: IpAddr,
}

impl Gate {
    /// The limits; 0 switches one off.
    pub fn new(connections_per_address: usize, failed_keys: u32) -> Arc<Self> {
        Arc::new(Self { connections_per_address, failed_keys, connections: DashMap::new(), failures: DashMap::new() })
    }

    /// A place for one more connection, unless the address has its number.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut count = self.connections.entry(address).or_insert(0);
        if self.connections_per_address > 0 && *count >= self.connections_per_address {
            return None;
        }
        *count += 1;
        Some(Place { gate: self.clone(), address })
    }

    /// How long an address has to wait before another key of its is looked at.
    pub fn brake(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        if self.failed_keys == 0 {
            return None;
        }
        let failures = self.failures.get(&address)?;
        let over = failures.count.checked_sub(self.failed_keys)?;
        let wait = FIRST_WAIT.saturating_mul(1 << over.min(16)).min(LONGEST_WAIT);
        wait.checked_sub(now.saturating_duration_since(failures.last)).filter(|left| !left.is_zero())
    }

    /// Counts a wrong key.
    pub fn failed(&self, address: IpAddr, now: Instant) {
        if self.failures.len() >= REMEMBERED {
            self.failures.retain(|_, failures| now.saturating_duration_since(failures.last) < LONGEST_WAIT);
        }
        let mut failures = self.failures.entry(address).or_insert(Failures { count: 0, last: now });
        if now.saturating_duration_since(failures.last) > FORGET {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.connections.remove_if_mut(&self.address, |_, count| {
            *count -= 1;
            *count == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn places_are_counted_and_given_back() {
        let gate = Gate::new(2, 0);
        let first = gate.enter(HERE);
        let second = gate.enter(HERE);
        assert!(first.is_some() && second.is_some() && gate.enter(HERE).is_none());
        assert!(gate.enter("192.0.2.1".parse().unwrap()).is_some());
        drop(first);
        assert!(gate.enter(HERE).is_some());
        drop(second);
        assert!(gate.connections.is_empty());
    }

    #[test]
    fn the_brake_grows_and_is_forgotten() {
        let gate = Gate::new(0, 3);
        let start = Instant::now();
        gate.failed(HERE, start);
        gate.failed(HERE, start);
        assert_eq!(gate.brake(HERE, start), None);
        gate.failed(HERE, start);
        assert_eq!(gate.brake(HERE, start), Some(Duration::from_secs(1)));
        gate.failed(HERE, start);
        assert_eq!(gate.brake(HERE, start), Some(Duration::from_secs(2)));
        assert_eq!(gate.brake(HERE, start + Duration::from_secs(2)), None);
        (0..20).for_each(|_| gate.failed(HERE, start));
        assert_eq!(gate.brake(HERE, start), Some(LONGEST_WAIT));
        let later = start + FORGET + Duration::from_secs(1);
        gate.failed(HERE, later);
        assert_eq!(gate.brake(HERE, later), None);
    }
}
