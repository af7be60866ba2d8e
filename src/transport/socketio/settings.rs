//! Limits and times.

use std::time::Duration;

use crate::http::Budget;

/// How much a service takes, and how long it waits.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The longest packet or polling body in bytes; a longer one is answered by 413, or closes a
    /// WebSocket with 1009.
    pub message_bytes: usize,
    /// What bodies may take together while they are read.
    pub bodies: Budget,
    /// How many bytes a second are read of a WebSocket; 0: as many as come.
    pub bytes_per_second: usize,
    /// How often a sign of life is exchanged. It cannot be switched off: clients are told it.
    pub ping_interval: Duration,
    /// How long a sign of life may be overdue.
    pub ping_timeout: Duration,
    /// How long a client may leave namespace `/` unopened, or keep its connection after leaving it.
    pub connect_time: Duration,
    /// How long going over to WebSocket may take.
    pub upgrade_time: Duration,
    /// How long the last words wait for a client that is between two polls.
    pub linger: Duration,
    /// How many connections there may be, those that are closing included.
    pub connections: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            message_bytes: 1_000_000,
            bodies: Budget::default(),
            bytes_per_second: 0,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            connect_time: Duration::from_secs(45),
            upgrade_time: Duration::from_secs(10),
            linger: Duration::from_secs(5),
            connections: 1000,
        }
    }
}
