//! After a restart: the sessions that were running run again, on their ports, with their keys.

use std::time::Duration;

use tokio::net::TcpListener;

use super::lifecycle::{Lifecycle, Port};
use super::record::Record;

/// The least time that creators have to come back after a restart, whatever the grace: it was not
/// they who left. Longer than pages wait between two tries.
const RETURN_TIME: Duration = Duration::from_secs(60);

impl Lifecycle {
    /// Launches what the store says was running. A creator who had been there and does not come
    /// back has a grace from now on.
    pub(super) async fn restore(&mut self, records: Vec<Record>) {
        let grace = Duration::from_secs(self.shared.config.sessions.creator_grace_secs).max(RETURN_TIME);
        for record in records {
            let Some(run) = &record.run else { continue };
            let (id, came) = (record.session.id_session, run.creator_came);
            let lease = self.pool.take_port(run.port);
            let port = match TcpListener::bind(self.pool.address(run.port)).await {
                Ok(listener) => Port::Bound(lease, listener),
                Err(error) => {
                    tracing::warn!(session = id, port = lease.port, %error, "the session's port cannot be bound; tried again until it is free");
                    Port::Waiting(lease)
                }
            };
            self.launch(record, port);
            self.shared.metrics.session_restored();
            if came {
                self.begin_grace(id, grace);
            }
            tracing::info!(session = id, "session restored");
        }
    }
}
