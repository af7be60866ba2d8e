//! How a session ends.

use std::sync::Arc;
use std::time::Duration;

use super::Session;
use crate::room::DisconnectReason;

/// How long the end of a session waits for those who are between two polls, and how often it looks.
const FAREWELL: Duration = Duration::from_secs(2);
const FAREWELL_STEP: Duration = Duration::from_millis(10);

impl Session {
    /// Ends the session: every connection is told why, nothing is let in any more. Returns at once;
    /// [`Session::gone`] waits. For whoever is between two polls the port stays open a little.
    pub fn end(self: &Arc<Self>, reason: DisconnectReason) {
        let mut state = self.state();
        state.ended = true;
        state.end_where(|_| true, reason);
        drop(state);
        match self.has_untold() {
            true => drop(self.tasks.spawn(self.clone().say_farewell())),
            false => self.close(),
        }
    }

    /// Closes when all have fetched their end, or have had the time to.
    async fn say_farewell(self: Arc<Self>) {
        let all_are_told = async {
            while self.has_untold() {
                tokio::time::sleep(FAREWELL_STEP).await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, all_are_told).await;
        self.close();
    }

    fn has_untold(&self) -> bool {
        self.sockjs.get().is_some_and(|sockjs| sockjs.has_untold())
            || self.socketio.get().is_some_and(|socketio| socketio.has_untold())
    }

    /// Lets the tasks of a session that has ended end.
    pub(super) fn close(&self) {
        if let Some(sockjs) = self.sockjs.get() {
            sockjs.end_unattended();
        }
        self.stop.cancel();
        self.tasks.close();
    }

    /// Completes when an ended session's port is free again: within two seconds, mostly at once.
    pub async fn port_released(&self) {
        self.released.cancelled().await;
    }

    /// Whether it is.
    pub fn is_released(&self) -> bool {
        self.released.is_cancelled()
    }

    /// Does something once the port of an ended session is free again, at once if it is.
    pub fn when_released(self: &Arc<Self>, then: impl FnOnce(&Arc<Self>) + Send + 'static) {
        if self.is_released() {
            return then(self);
        }
        let session = self.clone();
        self.tasks.spawn(async move {
            session.port_released().await;
            then(&session);
        });
    }

    /// Completes when all tasks of an ended session have ended.
    pub async fn gone(&self) {
        self.tasks.wait().await;
    }
}
