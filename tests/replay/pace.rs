//! When to act and how long to wait: by the server's signs where there are some, by the clock where
//! the recording is about time.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::recording::Entry;

/// How long a sign of the server may take beyond the recorded time. Seen only when it never comes.
const PATIENCE: Duration = Duration::from_secs(5);
/// By how much a timer of the server may go off too early; recorded times are rounded.
const EARLY: Duration = Duration::from_millis(500);
/// By how much it may be late, on a busy machine.
const LATE: Duration = Duration::from_secs(3);
/// A gap as long as this was a timer of the server's.
const TIMER: u64 = 1_000;
/// The longest pause after an act whose arrival the server does not show.
const UNSEEN: u64 = 100;

/// The quiet time after the last entry, in which nothing may arrive any more. Long enough for a
/// megabyte on a machine that does much else: what comes later goes unnoticed.
pub const QUIET: Duration = Duration::from_secs(1);

/// The clock of one replay.
pub struct Pace {
    timed: bool,
    done: Instant,
    time: u64,
    unseen: bool,
}

/// When something may arrive.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    earliest: Option<Instant>,
    /// From here on it is overdue.
    pub latest: Instant,
}

impl Pace {
    /// A clock that starts now; `timed` if the recorded gaps are to be kept.
    pub fn new(timed: bool) -> Self {
        Self { timed, done: Instant::now(), time: 0, unseen: false }
    }

    /// Waits until a client's entry is due. A request that is not answered yet and a connection that
    /// was cut show no sign of having arrived, so what follows them keeps (most of) its distance.
    pub async fn before(&self, entry: &Entry) {
        let gap = entry.time.saturating_sub(self.time);
        if self.timed {
            sleep_until(self.done + Duration::from_millis(gap)).await;
        } else if self.unseen {
            sleep(Duration::from_millis(gap.min(UNSEEN))).await;
        }
    }

    /// When an entry of the server's may be seen.
    pub fn window(&self, entry: &Entry) -> Window {
        let gap = entry.time.saturating_sub(self.time);
        if !self.timed || gap < TIMER {
            return Window { earliest: None, latest: Instant::now() + PATIENCE };
        }
        let due = self.done + Duration::from_millis(gap);
        Window { earliest: Some(due - EARLY), latest: due + LATE }
    }

    /// Notes that an entry is done with.
    pub fn after(&mut self, entry: &Entry) {
        self.done = Instant::now();
        self.time = entry.time;
        self.unseen = matches!(entry.event(), "http-request" | "http-abort");
    }
}

impl Window {
    /// Refuses what came before its time.
    pub fn check(&self, arrived: Instant) -> Result<(), String> {
        match self.earliest {
            Some(earliest) if arrived < earliest => Err(format!("came {:?} too early", earliest - arrived)),
            _ => Ok(()),
        }
    }
}
