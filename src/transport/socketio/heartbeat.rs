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
    /// Whether a ping of ours is unanswered.
    asked: bool,
    at: Instant,
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
        let mut heartbeat = Self { version, interval, timeout, asked: false, at: Instant::now() };
        heartbeat.restart();
        heartbeat
    }

    fn restart(&mut self) {
        self.asked = false;
        let patience = match self.version {
            Version::V3 => self.interval + self.timeout,
            Version::V4 => self.interval,
        };
        self.at = Instant::now() + patience;
    }

    pub(super) fn deadline(&self) -> Instant {
        self.at
    }

    /// The client's ping, or its answer to ours. An answer to none is no reason to ask later.
    pub(super) fn heard(&mut self) {
        if self.asked || self.version == Version::V3 {
            self.restart();
        }
    }

    /// The client is not read until then, so its sign of life may be among what it has sent.
    pub(super) fn excuse(&mut self, until: Instant) {
        if self.asked || self.version == Version::V3 {
            self.at = self.at.max(until + self.timeout);
        }
    }

    pub(super) fn beat(&mut self) -> Beat {
        if Instant::now() < self.at {
            return Beat::None;
        }
        if self.asked || self.version == Version::V3 {
            return Beat::Silence;
        }
        self.asked = true;
        self.at = Instant::now() + self.timeout;
        Beat::Ask
    }
}
