//! What an address may do in all sessions together: how many connections, how much they may send, how many
//! wrong keys.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;

use super::pace::{Pace, Rates};
use crate::config::Limits;

/// The first wait that the brake imposes; each further wrong key doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait. Longer would lock out a whole clinic behind one address for one bad bookmark.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Wrong keys are forgotten when this long has passed without one.
const FORGET: Duration = Duration::from_secs(600);

/// How long between two looks for those that may be forgotten, when there are as many as are remembered.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// How many addresses are remembered before those long silent are dropped.
const REMEMBERED: usize = 10_000;

/// How many connections at their full rate an address's may add up to. A clinic is one address.
const ADDRESS_SHARE: u32 = 20;

/// Counts by address. One for the whole server.
#[derive(Debug)]
pub struct Gate {
    connections_per_address: usize,
    rates: Rates,
    failed_keys: u32,
    connections: DashMap<IpAddr, Connections>,
    /// With so many addresses, those without a connection are looked through.
    crowded: AtomicUsize,
    failures: DashMap<IpAddr, Failures>,
    /// When those who failed long ago were looked for last.
    swept: Mutex<Option<Instant>>,
}

/// Of an address; kept also without a connection while its pace tells of what was sent, or whoever
/// connects anew with each burst would have no limit.
#[derive(Debug)]
struct Connections {
    count: usize,
    pace: Arc<Mutex<Pace>>,
}

impl Connections {
    fn is_forgettable(&self, now: Instant) -> bool {
        self.count == 0 && self.pace.lock().unwrap_or_else(PoisonError::into_inner).is_full(now)
    }
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
    /// What the address counts as: of version 6, its network.
    pub address: IpAddr,
    /// What the address's connections together may send.
    pub pace: Arc<Mutex<Pace>>,
}

impl Gate {
    /// The limits, of which 0 switches one off; the rates are a connection's.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            connections_per_address: limits.connections_per_address,
            rates: Rates::of(limits),
            failed_keys: limits.failed_keys,
            connections: DashMap::new(),
            crowded: REMEMBERED.into(),
            failures: DashMap::new(),
            swept: Mutex::default(),
        })
    }

    /// What an address counts as. Whoever has one address of version 6 has its network's 2^64.
    fn counted(address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
            address => address,
        }
    }

    /// A place for one more connection, unless the address has its number.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        self.forget_the_silent();
        let address = Self::counted(address);
        let new = || Connections { count: 0, pace: Pace::shared(self.rates, ADDRESS_SHARE) };
        let mut connections = self.connections.entry(address).or_insert_with(new);
        if self.connections_per_address > 0 && connections.count >= self.connections_per_address {
            return None;
        }
        connections.count += 1;
        Some(Place { gate: self.clone(), address, pace: connections.pace.clone() })
    }

    fn forget_the_silent(&self) {
        if self.connections.len() < self.crowded.load(Ordering::Relaxed) {
            return;
        }
        let now = Instant::now();
        self.connections.retain(|_, connections| !connections.is_forgettable(now));
        self.crowded.store(REMEMBERED.max(2 * self.connections.len()), Ordering::Relaxed);
    }

    /// How long an address has to wait before another key of its is looked at.
    pub fn brake(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        if self.failed_keys == 0 {
            return None;
        }
        let failures = self.failures.get(&Self::counted(address))?;
        let over = failures.count.checked_sub(self.failed_keys)?;
        let wait = FIRST_WAIT.saturating_mul(1 << over.min(16)).min(LONGEST_WAIT);
        wait.checked_sub(now.saturating_duration_since(failures.last)).filter(|left| !left.is_zero())
    }

    /// Forgets those who failed long ago. All are looked at, so once a second at most.
    fn sweep(&self, now: Instant) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_PAUSE) {
            *swept = Some(now);
            self.failures.retain(|_, failures| now.saturating_duration_since(failures.last) < LONGEST_WAIT);
        }
    }

    /// Counts a wrong key.
    pub fn failed(&self, address: IpAddr, now: Instant) {
        if self.failures.len() >= REMEMBERED {
            self.sweep(now);
        }
        let address = Self::counted(address);
        if self.failures.len() >= REMEMBERED && !self.failures.contains_key(&address) {
            return;
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
        let now = Instant::now();
        self.gate.connections.remove_if_mut(&self.address, |_, connections| {
            connections.count -= 1;
            connections.is_forgettable(now)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn places_are_counted_and_given_back() {
        let gate = Gate::new(&Limits { connections_per_address: 2, ..Limits::default() });
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
    fn what_was_sent_is_remembered_beyond_the_connection() {
        let gate = Gate::new(&Limits { bytes_per_second: 1, ..Limits::default() });
        let sent = |bytes| gate.enter(HERE).unwrap().pace.lock().unwrap().spend(bytes, Instant::now());
        assert!(sent(100).is_zero());
        assert!(!sent(1).is_zero(), "a new connection is no new burst");
    }

    #[test]
    fn addresses_that_sent_long_ago_are_forgotten() {
        let gate = Gate::new(&Limits { packets_per_second: 1_000_000, ..Limits::default() });
        for number in 0..REMEMBERED {
            let place = gate.enter(std::net::Ipv4Addr::from_bits(number as u32).into()).unwrap();
            place.pace.lock().unwrap().spend(1, Instant::now());
        }
        assert!(gate.enter(HERE).is_some());
        assert!(gate.connections.len() < REMEMBERED);
    }

    #[test]
    fn those_who_failed_long_ago_make_room() {
        let gate = Gate::new(&Limits { failed_keys: 1, ..Limits::default() });
        let start = Instant::now();
        let late = start + LONGEST_WAIT + SWEEP_PAUSE;
        for number in 0..REMEMBERED as u32 {
            gate.failed(IpAddr::from(number.to_be_bytes()), start);
        }
        gate.failed(HERE, start);
        assert!(gate.brake(HERE, start).is_none(), "there is no room for it");
        gate.failed(HERE, late);
        assert!(gate.brake(HERE, late).is_some());
        assert_eq!(gate.failures.len(), 1);
    }

    #[test]
    fn a_network_of_version_6_is_one_address() {
        let gate = Gate::new(&Limits { connections_per_address: 1, ..Limits::default() });
        let enter = |address: &str| gate.enter(address.parse().unwrap());
        let _place = enter("2001:db8::1").unwrap();
        assert!(enter("2001:db8::2").is_none() && enter("2001:db8:0:1::1").is_some());
        let _mapped = enter("::ffff:192.0.2.1").unwrap();
        assert!(enter("192.0.2.1").is_none() && enter("::ffff:192.0.2.2").is_some());
    }

    #[test]
    fn the_brake_grows_and_is_forgotten() {
        let gate = Gate::new(&Limits { failed_keys: 3, ..Limits::default() });
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
