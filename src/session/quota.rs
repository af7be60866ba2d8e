//! All the rates that a connection's packets count against.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::gate::Place;
use super::keyless;
use super::pace::{Pace, Rates};
use crate::config::Limits;
use crate::metrics::{Limited, Metrics};

/// What a connection may send: at its own rates, with the others of its address at theirs, and, once it is admitted,
/// with the others of its session: who has shown no key takes nothing from those who have. Holds the connection's place at
/// its address, and among those without a key.
#[derive(Debug)]
pub struct Quota {
    is_off: bool,
    own: Mutex<Pace>,
    session: Arc<Mutex<Pace>>,
    place: Place,
    is_admitted: AtomicBool,
    keyless: Mutex<Option<Box<keyless::Place>>>,
}

impl Quota {
    /// A new connection's. `keyless`: its place, if it has shown no key yet.
    pub fn new(limits: &Limits, session: Arc<Mutex<Pace>>, place: Place, keyless: Option<keyless::Place>) -> Self {
        let rates = Rates::of(limits);
        Self {
            is_off: rates.are_off(),
            own: Mutex::new(Pace::new(rates, Instant::now())),
            session,
            place,
            is_admitted: AtomicBool::new(keyless.is_none()),
            keyless: Mutex::new(keyless.map(Box::new)),
        }
    }

    /// Whether it has shown a key, or named the session.
    pub fn is_admitted(&self) -> bool {
        self.is_admitted.load(Ordering::Relaxed)
    }

    /// It has: it is one of the session's now.
    pub fn admit(&self) {
        self.is_admitted.store(true, Ordering::Relaxed);
        drop(self.keyless.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Counts one packet; answers how long not to read the next, for whichever rate takes longest to be kept.
    pub fn spend(&self, bytes: usize, metrics: &Metrics) -> Duration {
        if self.is_off {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let spend = |pace: &Mutex<Pace>| pace.lock().unwrap_or_else(PoisonError::into_inner).spend(bytes, now);
        let of_session = if self.is_admitted() { spend(&self.session) } else { Duration::ZERO };
        let waits = [
            (spend(&self.own), Limited::ConnectionRate),
            (of_session, Limited::SessionRate),
            (spend(&self.place.pace), Limited::AddressRate),
        ];
        let (wait, limit) = waits.into_iter().max_by_key(|(wait, _)| *wait).expect("there are three");
        if !wait.is_zero() {
            metrics.limited(limit);
        }
        wait
    }
}
