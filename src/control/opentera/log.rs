//! The service's log in OpenTera's lists: what its own lines tell, and every warning and error.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::{OpenTera, now};
use crate::wire::opentera::messages::{LogEvent, LoginEvent};
use crate::wire::opentera::tera_event;

/// A level of OpenTera's: its number, and its list.
pub(super) type LogLevel = (i32, &'static str);

/// Errors.
pub const ERROR: LogLevel = (2, "log.error");
/// Warnings.
pub const WARNING: LogLevel = (4, "log.warning");
/// What goes on.
pub const INFO: LogLevel = (5, "log.info");

/// How many refused visitors are noted of a minute.
const REFUSALS: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);

/// The refused visitors of a minute.
#[derive(Default)]
pub(super) struct Refusals {
    since: Option<Instant>,
    noted: u32,
    left_out: u64,
}

impl Refusals {
    /// Whether one more is noted, and how many were not in the minute that is over.
    fn one_more(&mut self, now: Instant) -> (bool, u64) {
        let mut left_out = 0;
        if self.since.is_none_or(|since| now.duration_since(since) >= MINUTE) {
            left_out = self.left_out;
            *self = Self { since: Some(now), ..Self::default() };
        }
        let is_noted = self.noted < REFUSALS;
        match is_noted {
            true => self.noted += 1,
            false => self.left_out += 1,
        }
        (is_noted, left_out)
    }
}

/// The service that warnings and errors go to; the log is the process's, and so is this.
static SERVICE: Mutex<Weak<OpenTera>> = Mutex::new(Weak::new());

pub(super) fn forward_to(service: &Arc<OpenTera>) {
    *SERVICE.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(service);
}

impl OpenTera {
    /// Appends a line to the log of its level.
    pub(super) fn log(&self, (level, list): LogLevel, message: String) {
        let timestamp = now();
        let event = LogEvent { level, timestamp, sender: self.settings.service_name.clone(), message };
        self.redis.push(list, tera_event(list, timestamp, &event));
    }
}

impl OpenTera {
    /// Notes that a visitor of the pages was refused, unless many were within a minute: they need no token for it. The time is filled in here.
    pub fn log_refused(&self, mut refused: LoginEvent) {
        let (is_noted, left_out) =
            self.refusals.lock().unwrap_or_else(PoisonError::into_inner).one_more(Instant::now());
        if left_out > 0 {
            self.log(ERROR, format!("{left_out} more refused requests of pages are not noted"));
        }
        if !is_noted {
            return;
        }
        let timestamp = now();
        let sender = "ServiceAccessManager.token_required".to_owned();
        refused.log_header = Some(LogEvent { level: ERROR.0, timestamp, sender, message: String::new() });
        self.redis.push(ERROR.1, tera_event(ERROR.1, timestamp, &refused));
    }
}

/// Hands warnings and errors of the process's log on to OpenTera's.
pub struct Forward;

impl<S: Subscriber> Layer<S> for Forward {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => ERROR,
            Level::WARN => WARNING,
            _ => return,
        };
        // What the server itself refused is in its own log; that Redis takes no line would be one more.
        if [super::server::TOLD, super::redis::REFUSED].contains(&event.metadata().target()) {
            return;
        }
        let service = SERVICE.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(service) = service {
            let mut line = Line::default();
            event.record(&mut line);
            service.log(level, line.message + &line.fields);
        }
    }
}

/// An event as a line: the message, then the fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a String does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_were_left_out_is_told_when_their_minute_is_over() {
        let (mut refusals, begin) = (Refusals::default(), Instant::now());
        let noted = (0..100).filter(|_| refusals.one_more(begin) == (true, 0)).count();
        assert_eq!(noted, REFUSALS as usize);
        assert_eq!(refusals.one_more(begin + MINUTE), (true, 80));
        assert_eq!(refusals.one_more(begin + MINUTE * 2), (true, 0));
    }
}
