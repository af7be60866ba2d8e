//! Sockets that listen already when the program begins: systemd's, or those of the run before this
//! one, which this one replaces.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use listenfd::ListenFd;
use tokio::net::TcpListener;

use super::serve::bind;

/// Where a run is told how many of its sockets, the first of them, are systemd's.
pub const LASTING: &str = "LASTING_SOCKETS_OF_VIDEREHAB";

/// The sockets that are there already.
#[derive(Clone, Debug, Default)]
pub struct Inherited(Arc<Mutex<Sockets>>);

#[derive(Debug, Default)]
struct Sockets {
    /// systemd's, which listens by them as long as it runs: nobody else can listen there, so they are kept, and
    /// whoever asks gets a copy.
    lasting: Vec<std::net::TcpListener>,
    /// The last run's, which nobody has asked for yet.
    left: Vec<std::net::TcpListener>,
}

impl Inherited {
    /// Those that the environment tells of (`LISTEN_FDS`, `LISTEN_PID`), which it then tells of no more.
    /// Whatever is no listening TCP socket is left alone, and warned about.
    pub fn from_environment() -> Self {
        // Told by a run that this one replaces; otherwise they are all systemd's.
        let lasting = std::env::var(LASTING).ok().and_then(|count| count.parse().ok()).unwrap_or(usize::MAX);
        let mut given = ListenFd::from_env();
        let mut sockets = Sockets::default();
        for number in 0..given.len() {
            let into = if number < lasting { &mut sockets.lasting } else { &mut sockets.left };
            match given.take_tcp_listener(number) {
                Ok(listener) => into.extend(listener),
                Err(error) => tracing::warn!(number, %error, "LISTEN_FDS: not a listening socket"),
            }
        }
        Self(Arc::new(Mutex::new(sockets)))
    }

    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens on an address: by the socket that is there already, or a new one.
    ///
    /// # Errors
    /// The system's: the address is taken, or not ours.
    pub fn bind(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let is_it = |listener: &std::net::TcpListener| listener.local_addr().is_ok_and(|own| own == address);
        let mut sockets = self.sockets();
        let found = match sockets.lasting.iter().find(|listener| is_it(listener)) {
            Some(listener) => Some(listener.try_clone()?),
            None => sockets.left.iter().position(is_it).map(|at| sockets.left.swap_remove(at)),
        };
        drop(sockets);
        let Some(listener) = found else { return bind(address) };
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    }

    /// Closes those of the last run that are left: nobody will ask for them.
    pub fn close(&self) {
        self.sockets().left.clear();
    }

    /// The sockets that the next run is to find: systemd's, and those of `ours` that are no copies of them. With
    /// how many are systemd's; they come first.
    pub fn hand_over(&self, ours: Vec<std::net::TcpListener>) -> (Vec<std::net::TcpListener>, usize) {
        let mut all = std::mem::take(&mut self.sockets().lasting);
        let lasting = all.len();
        let address = |listener: &std::net::TcpListener| listener.local_addr().ok();
        let theirs: Vec<_> = all.iter().map(address).collect();
        all.extend(ours.into_iter().filter(|listener| !theirs.contains(&address(listener))));
        (all, lasting)
    }
}
