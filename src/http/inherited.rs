//! Sockets that listen already when the program begins: systemd's, or those of the run before this
//! one, which this one replaces.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use listenfd::ListenFd;
use tokio::net::TcpListener;

use super::serve::bind;

/// The sockets that nobody has asked for yet.
#[derive(Clone, Debug, Default)]
pub struct Inherited(Arc<Mutex<Vec<std::net::TcpListener>>>);

impl Inherited {
    /// Those that the environment tells of (`LISTEN_FDS`, `LISTEN_PID`), which it then tells of no more.
    /// Whatever is no listening TCP socket is left alone, and warned about.
    pub fn from_environment() -> Self {
        let mut given = ListenFd::from_env();
        let mut listeners = Vec::new();
        for number in 0..given.len() {
            match given.take_tcp_listener(number) {
                Ok(listener) => listeners.extend(listener),
                Err(error) => tracing::warn!(number, %error, "LISTEN_FDS: not a listening socket"),
            }
        }
        Self(Arc::new(Mutex::new(listeners)))
    }

    /// Listens on an address: by the socket that is there already, or a new one.
    ///
    /// # Errors
    /// The system's: the address is taken, or not ours.
    pub fn bind(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let found = {
            let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let is_it = |listener: &std::net::TcpListener| listener.local_addr().is_ok_and(|own| own == address);
            listeners.iter().position(is_it).map(|at| listeners.swap_remove(at))
        };
        let Some(listener) = found else { return bind(address) };
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    }

    /// Closes those that are left: nobody will ask for them.
    pub fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
