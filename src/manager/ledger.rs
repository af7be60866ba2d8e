//! What is written of sessions: before it holds, or, of what holds already, as soon as the disk takes it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::blocking;
use super::record::Record;
use super::store::{Store, StoreError};
use crate::session::seats::KeptSeat;

/// How long until what the disk did not take is tried again, if nothing else is written before.
const RETRY: Duration = Duration::from_secs(5);

/// The store, and what it is owed.
pub(super) struct Ledger {
    store: Store,
    /// What the disk did not take and holds all the same, so that nobody who was put out is let in after a restart: a
    /// session's record, or that it has none any more.
    owed: BTreeMap<i64, Option<Arc<Record>>>,
    retry: Instant,
    /// Whether the last write failed, which the log has said then.
    failed: bool,
}

impl Ledger {
    pub(super) fn new(store: Store) -> Self {
        Self { store, owed: BTreeMap::new(), retry: Instant::now(), failed: false }
    }

    /// Writes a record of what is to hold only when it is written; durably before it returns.
    pub(super) async fn put(&mut self, record: Arc<Record>) -> Result<(), StoreError> {
        self.write(record.session.id_session, Some(record)).await
    }

    /// Likewise, of what holds already: if the disk does not take it now, it gets it later.
    pub(super) async fn keep(&mut self, record: Arc<Record>) -> Result<(), StoreError> {
        let id = record.session.id_session;
        let written = self.write(id, Some(record.clone())).await;
        self.owe(id, Some(record), written)
    }

    /// Removes a record; likewise.
    pub(super) async fn remove(&mut self, id: i64) -> Result<(), StoreError> {
        let written = self.write(id, None).await;
        self.owe(id, None, written)
    }

    /// When the store is to be asked again for what it is owed.
    pub(super) fn retry(&self) -> Option<Instant> {
        (!self.owed.is_empty()).then_some(self.retry)
    }

    /// Writes what is owed.
    pub(super) async fn settle(&mut self) {
        // What fails is in the log, and owed as before.
        if let Some((id, record)) = self.owed.pop_first() {
            let written = self.write(id, record.clone()).await;
            let _ = self.owe(id, record, written);
        }
    }

    /// One session's record.
    pub(super) async fn get(&self, id: i64) -> Result<Option<Record>, StoreError> {
        if let Some(record) = self.owed.get(&id) {
            return Ok(record.as_deref().cloned());
        }
        let store = self.store.clone();
        blocking(move || store.get(id)).await
    }

    /// The last that is written: the seats of those who may come back.
    pub(super) async fn close(mut self, seats: Vec<(i64, Vec<KeptSeat>)>) {
        self.settle().await;
        let store = self.store;
        if let Err(error) = blocking(move || store.keep_seats(&seats)).await {
            tracing::error!(%error, "clients that come back will have to join anew");
        }
    }

    /// Writes something, and with it all that is owed.
    async fn write(&mut self, id: i64, record: Option<Arc<Record>>) -> Result<(), StoreError> {
        let mut all = self.owed.clone();
        all.insert(id, record);
        let store = self.store.clone();
        let written = blocking(move || store.put(&all)).await;
        match &written {
            Ok(()) => self.owed.clear(),
            Err(_) => self.retry = Instant::now() + RETRY,
        }
        match (&written, self.failed) {
            (Err(error), false) => tracing::error!(session = id, %error, "the store failed, and is tried again"),
            (Ok(()), true) => tracing::info!("the store takes what it is given again"),
            _ => {}
        }
        self.failed = written.is_err();
        written
    }

    fn owe(&mut self, id: i64, record: Option<Arc<Record>>, written: Result<(), StoreError>) -> Result<(), StoreError> {
        if written.is_err() {
            self.owed.insert(id, record);
        }
        written
    }
}
