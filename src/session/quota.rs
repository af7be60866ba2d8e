//! All the rates that a connection's packets count against.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::gate::Place;
use super::pace::{Pace, Rates};
use crate::config::Limits;
use crate::metrics::{Limited, Metrics};

/// What a connection may send: at its own rates, and with the others of its session, and of its address, at
/// theirs. Holds the connection's place at its address.
#[derive(Debug)]
pub struct Quota {
    is_off: bool,
    own: Mutex<Pace>,
    session: Arc<Mutex<Pace>>,
    place: Place,
}

impl Quota {
    /// A new connection's.
    pub fn new(limits: &Limits, session: Arc<Mutex<Pace>>, place: Place) -> Self {
        let rates = Rates::of(limits);
        Self { is_off: rates.are_off(), own: Mutex::new(Pace::new(rates, Instant::now())), session, place }
    }

    /// Counts one packet; answers how long not to read the next, for whichever rate takes longest to be kept.
    pub fn spend(&self, bytes: usize, metrics: &Metrics) -> Duration {
        if self.is_off {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let all = [
            (Limited::ConnectionRate, &self.own),
            (Limited::SessionRate, &*self.session),
            (Limited::AddressRate, &*self.place.pace),
        ];
        let waits =
            all.map(|(limit, pace)| (pace.lock().unwrap_or_else(PoisonError::into_inner).spend(bytes, now), limit));
        let (wait, limit) = waits.into_iter().max_by_key(|(wait, _)| *wait).expect("there are three");
        if !wait.is_zero() {
            metrics.limited(limit);
        }
        wait
    }
}
