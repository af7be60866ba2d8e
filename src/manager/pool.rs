//! The pool of ports: first in, first out; a port on loan comes back whatever way its session ends.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;

use crate::http::inherited::Inherited;

/// The ports that no session has, in the order in which they will be given.
#[derive(Debug, Clone)]
pub struct Pool {
    bind: IpAddr,
    inherited: Inherited,
    free: Arc<Mutex<VecDeque<u16>>>,
}

/// A port on loan. Dropping it gives the port back, last in the queue.
#[derive(Debug)]
pub struct Lease {
    /// The port.
    pub port: u16,
    pool: Pool,
    /// A restored session's port may lie outside the pool as now configured; it goes nowhere.
    returns: bool,
}

impl Pool {
    /// All ports from `first`, `count` of them, to be bound on `bind`, where no socket is there already.
    pub fn new(bind: IpAddr, first: u16, count: u16, inherited: Inherited) -> Self {
        let ports = (0..count).map(|offset| first + offset).collect();
        Self { bind, inherited, free: Arc::new(Mutex::new(ports)) }
    }

    fn free(&self) -> MutexGuard<'_, VecDeque<u16>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of a port.
    pub fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.bind, port)
    }

    /// Takes the next port that can be bound, bound. One that another program holds is passed over
    /// and goes to the end of the queue. `None`: there is none.
    pub fn take(&self) -> Option<(Lease, TcpListener)> {
        let tries = self.free().len();
        for _ in 0..tries {
            let port = self.free().pop_front()?;
            let lease = Lease { port, pool: self.clone(), returns: true };
            match self.bind(port) {
                Ok(listener) => return Some((lease, listener)),
                Err(error) => tracing::warn!(port, %error, "a port of the pool cannot be bound; passed over"),
            }
        }
        None
    }

    /// Listens on a port.
    ///
    /// # Errors
    /// The system's.
    pub fn bind(&self, port: u16) -> io::Result<TcpListener> {
        self.inherited.bind(self.address(port))
    }

    /// Takes a certain port, for a session that had it before the restart.
    pub fn take_port(&self, port: u16) -> Lease {
        let mut free = self.free();
        let at = free.iter().position(|free| *free == port);
        let returns = at.and_then(|at| free.remove(at)).is_some();
        Lease { port, pool: self.clone(), returns }
    }

    /// How many ports are free.
    pub fn free_count(&self) -> usize {
        self.free().len()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.returns {
            self.pool.free().push_back(self.port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// A pool of ports that were free a moment ago, and the first of them. `part`: each test seeks
    /// in a part of its own, since they run side by side.
    async fn pool(count: u16, part: u16) -> (Pool, u16) {
        for first in (20_000 + part..60_000).step_by(97) {
            let mut free = true;
            for port in first..first + count {
                free &= TcpListener::bind((HERE, port)).await.is_ok();
            }
            if free {
                return (Pool::new(HERE, first, count, Inherited::default()), first);
            }
        }
        panic!("no {count} free ports in a row")
    }

    #[tokio::test]
    async fn ports_are_given_in_turn_and_come_back_last() {
        let (pool, first) = pool(3, 0).await;
        let (one, _) = pool.take().unwrap();
        assert_eq!(one.port, first);
        drop(one);
        let (two, _) = pool.take().unwrap();
        let (three, _) = pool.take().unwrap();
        let (again, _) = pool.take().unwrap();
        assert_eq!((two.port, three.port, again.port), (first + 1, first + 2, first));
        assert!(pool.take().is_none());
        drop(three);
        assert_eq!(pool.free_count(), 1);
    }

    #[tokio::test]
    async fn a_port_of_another_program_is_passed_over() {
        let (pool, first) = pool(2, 10).await;
        let other = TcpListener::bind((HERE, first)).await.unwrap();
        let (lease, _listener) = pool.take().unwrap();
        assert_eq!(lease.port, first + 1);
        assert!(pool.take().is_none());
        assert_eq!(pool.free_count(), 1, "the port that could not be bound stays in the pool");
        drop(other);
        assert_eq!(pool.take().unwrap().0.port, first);
    }

    #[tokio::test]
    async fn a_restored_port_outside_the_pool_does_not_enter_it() {
        let (pool, first) = pool(2, 20).await;
        drop(pool.take_port(1));
        assert_eq!(pool.free_count(), 2);
        drop(pool.take_port(first));
        let (lease, _listener) = pool.take().unwrap();
        assert_eq!(lease.port, first + 1);
    }
}
