//! The list of sessions that the manager's task writes and everybody else reads.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::net::TcpListener;

use super::record::Record;
use crate::session::Session;

/// The sessions that the manager holds.
#[derive(Clone, Default)]
pub struct Registry {
    held: Arc<DashMap<i64, Listed>>,
    by_port: Arc<DashMap<u16, Arc<Session>>>,
}

/// A session in the list.
#[derive(Clone)]
pub struct Listed {
    /// What is kept of it. Holds its keys.
    pub record: Arc<Record>,
    /// The session itself, where it is served in this process.
    pub session: Option<Arc<Session>>,
}

impl Registry {
    /// The session that is served in this process on a port.
    pub fn on_port(&self, port: u16) -> Option<Arc<Session>> {
        self.by_port.get(&port).map(|session| session.clone())
    }

    /// The sockets of the sessions' own ports.
    pub fn listeners(&self) -> Vec<Arc<TcpListener>> {
        self.by_port.iter().filter_map(|session| session.listener()).collect()
    }

    /// What is kept of a session.
    pub fn get(&self, id: i64) -> Option<Arc<Record>> {
        self.held.get(&id).map(|listed| listed.record.clone())
    }

    /// A session.
    pub fn find(&self, id: i64) -> Option<Listed> {
        self.held.get(&id).map(|listed| listed.clone())
    }

    /// All sessions, by id.
    pub fn all(&self) -> Vec<Listed> {
        let mut all: Vec<Listed> = self.held.iter().map(|listed| listed.clone()).collect();
        all.sort_unstable_by_key(|listed| listed.record.session.id_session);
        all
    }

    pub(super) fn put(&self, record: Arc<Record>, session: Option<Arc<Session>>) {
        let id = record.session.id_session;
        if let Some(session) = &session {
            self.by_port.insert(session.port, session.clone());
        }
        self.held.insert(id, Listed { record, session });
    }

    /// A session has ended. It is found until its port is free: whoever polls it has still to be told.
    pub(super) fn forget(&self, session: &Arc<Session>) {
        let by_port = self.by_port.clone();
        session.when_released(move |session| {
            by_port.remove_if(&session.port, |_, listed| Arc::ptr_eq(listed, session));
        });
    }

    pub(super) fn remove(&self, id: i64) {
        self.held.remove(&id);
    }
}
