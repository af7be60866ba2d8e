//! After a restart: the sessions that were running run again, on their ports, with their keys.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::held::Held;
use super::lifecycle::Lifecycle;
use super::media::Port;
use super::record::Record;
use crate::session::seats::KeptSeat;

/// The least time that creators have to come back after a restart, whatever the grace: it was not
/// they who left. Longer than pages wait between two tries.
const RETURN_TIME: Duration = Duration::from_secs(60);

impl Lifecycle {
    /// Launches what the store says was running. A creator who had been there and does not come
    /// back has a grace from now on. What was started under an OpenTera server, or without one,
    /// waits in the store while the configuration says otherwise.
    pub(super) async fn restore(&mut self, records: Vec<Record>, mut seats: HashMap<i64, Vec<KeptSeat>>) {
        let opentera = self.shared.config.opentera.is_some();
        for record in records {
            let id = record.session.id_session;
            match record.received.is_some() == opentera {
                true => self.restore_one(Arc::new(record), seats.remove(&id).unwrap_or_default()).await,
                false => tracing::warn!(session = id, "not restored: it is a session of the other mode of [opentera]"),
            }
        }
    }

    async fn restore_one(&mut self, record: Arc<Record>, seats: Vec<KeptSeat>) {
        let grace = Duration::from_secs(self.shared.config.sessions.creator_grace_secs).max(RETURN_TIME);
        let Some(run) = &record.run else { return };
        let (id, number, came) = (record.session.id_session, run.port, run.creator_came);
        if run.unserved {
            self.held.insert(id, Held { record, media: None });
            return self.list(id);
        }
        let lease = self.pool.take_port(number);
        let port = match self.pool.bind(number) {
            Ok(listener) => Port::Bound(lease, listener),
            Err(error) => {
                tracing::warn!(session = id, port = number, %error, "the session's port cannot be bound; tried again until it is free");
                Port::Waiting(lease)
            }
        };
        if self.serve(record.clone(), port, seats).await.is_err() {
            self.held.insert(id, Held { record, media: None });
            return self.list(id);
        }
        self.shared.metrics.session_restored();
        if came {
            self.begin_grace(id, grace);
        }
        tracing::info!(session = id, "session restored");
    }
}
