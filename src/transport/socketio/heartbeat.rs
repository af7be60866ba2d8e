//! Signs of life. Engine.IO 4: the server asks, the client answers. Engine.IO 3: the client comes by
//! itself.

use std::time::Duration;

use tokio::time::Instant;

use super::Settings;
use crate::wire::socketio::Version;

/// When a client's next sign of life is due.
#[derive(Debug)]
pub(super) struct Heartbeat {
    version: Version,
    interval: Duration,
    timeout: Duration,
    /// When the next ping of ours is due. Clients count on it, whether or not we have heard of them.
    ping: Option<Instant>,
    /// When the client counts as gone; none while nothing is expected of it.
    silence: Option<Instant>,
}

/// What is to be done at a [`Heartbeat::deadline`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing: something was heard meanwhile.
    None,
    /// The client is to be sent a ping.
    Ask,
    /// The client is gone.
    Silence,
}

impl Heartbeat {
    pub(super) fn new(version: Version, settings: &Settings) -> Self {
        let (interval, timeout) = (settings.ping_interval, settings.ping_timeout);
        let mut heartbeat = Self { version, interval, timeout, ping: None, silence: None };
        heartbeat.heard();
        heartbeat
    }

    pub(super) fn deadline(&self) -> Instant {
        let both = [self.ping, self.silence].into_iter().flatten().min();
        both.expect("a client of 4 is always due a ping, one of 3 always expected to")
    }

    /// The client's ping, or its answer to ours.
    pub(super) fn heard(&mut self) {
        let now = Instant::now();
        match self.version {
            Version::V3 => self.silence = Some(now + self.interval + self.timeout),
            // An answer to none is no reason to ask later.
            Version::V4 if self.silence.is_none() && self.ping.is_some() => {}
            Version::V4 => (self.ping, self.silence) = (Some(now + self.interval), None),
        }
    }

    /// The client is not read until then, so its sign of life may be among what it has sent.
    pub(super) fn excuse(&mut self, until: Instant) {
        self.silence = self.silence.map(|silence| silence.max(until + self.timeout));
    }

    pub(super) fn beat(&mut self) -> Beat {
        let now = Instant::now();
        if self.silence.is_some_and(|silence| silence <= now) {
            return Beat::Silence;
        }
        if self.ping.is_none_or(|ping| now < ping) {
            return Beat::None;
        }
        self.ping = Some(now + self.interval);
        self.silence.get_or_insert(now + self.timeout);
        Beat::Ask
    }
}
