//! Signs of life: a client that is silent is asked for one.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::seconds::{Alarm, Seconds};

/// How long a client may leave a ping unanswered, as SockJS's original server has it.
pub(super) const PONG_TIME: Duration = Duration::from_secs(10);

/// What to do about a client that has been silent.
pub(super) enum Beat {
    /// To ask it.
    Ask,
    /// To end it: it was asked in vain.
    End,
}

/// One client's.
pub(super) struct Heartbeat {
    /// Silence after which it is asked; zero: never.
    interval: Duration,
    alarm: Alarm,
    is_asked: bool,
}

impl Heartbeat {
    /// One that has just been heard.
    pub fn new(interval: Duration, seconds: &Arc<Seconds>) -> Self {
        let mut heartbeat = Self { interval, alarm: Alarm::new(seconds.clone()), is_asked: false };
        heartbeat.heard();
        heartbeat
    }

    /// Something has come.
    pub fn heard(&mut self) {
        self.is_asked = false;
        self.alarm.set(self.interval);
    }

    /// Something has come that may have been sent long ago, since no more is read of it than its rate allows: a sign of life only
    /// if it was asked for one.
    pub fn heard_late(&mut self) {
        if self.is_asked {
            self.heard();
        }
    }

    /// How long a client may not read what it is sent, which is a sign of life, too.
    pub fn patience(&self) -> Duration {
        if self.interval.is_zero() { Duration::MAX } else { self.interval + PONG_TIME }
    }

    /// Ready when it has been silent for too long. Always for the same task.
    pub fn poll(&mut self, context: &Context<'_>) -> Poll<Beat> {
        self.alarm.poll(context).map(|()| {
            if std::mem::replace(&mut self.is_asked, true) {
                return Beat::End;
            }
            self.alarm.set(PONG_TIME);
            Beat::Ask
        })
    }

    /// Likewise, while it is not read: ready when it is to be asked. Its answer stands behind all that it has sent, and is not
    /// waited for; but whoever is gone refuses the question, and the next one cannot be sent.
    pub fn poll_unread(&mut self, context: &Context<'_>) -> Poll<()> {
        self.alarm.poll(context).map(|()| self.heard())
    }
}
