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

    /// `/readyz`: 200, or 503 and the reason.
    pub(super) fn readiness(&self) -> Response {
        match self.0.load(Ordering::Acquire) {
            READY => http::text(StatusCode::OK, "ok\n"),
            STARTING => http::text(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
            _ => http::text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        }
    }
}

/// `/healthz`: the process answers.
pub(super) fn liveness() -> Response {
    http::text(StatusCode::OK, "ok\n")
}
