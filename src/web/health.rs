//! Whether the server is there, and whether it is ready.

use std::sync::atomic::{AtomicU8, Ordering};

use hyper::StatusCode;

use crate::http::{self, Response};

/// Where the server is in its life.
#[derive(Debug, Default)]
pub struct Health(AtomicU8);

const STARTING: u8 = 0;
const READY: u8 = 1;
const DRAINING: u8 = 2;

impl Health {
    /// All sessions are back; requests are welcome.
    pub fn ready(&self) {
        self.0.store(READY, Ordering::Release);
    }

    /// The server is going away.
    pub fn draining(&self) {
        self.0.store(DRAINING, Ordering::Release);
    }

    /// `/readyz`: 200, or 503 and the reason. `others`: whether what the server needs is there.
    pub(super) fn readiness(&self, others: Result<(), String>) -> Response {
        let unavailable = |why: String| http::text(StatusCode::SERVICE_UNAVAILABLE, why + "\n");
        match (self.0.load(Ordering::Acquire), others) {
            (READY, Ok(())) => http::text(StatusCode::OK, "ok\n"),
            (READY, Err(why)) => unavailable(why),
            (STARTING, _) => unavailable("starting".to_owned()),
            _ => unavailable("draining".to_owned()),
        }
    }
}

/// `/healthz`: the process answers.
pub(super) fn liveness() -> Response {
    http::text(StatusCode::OK, "ok\n")
}
