//! Where tasks run, and when they have all ended.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerWaitFuture;

use crate::seconds::Seconds;

/// Tasks that end together, and the runtime that they run on, whoever spawns them. Clones are the same tasks.
#[derive(Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    home: Home,
}

/// A runtime, and the seconds that those wait for together who run on it.
#[derive(Clone)]
struct Home {
    handle: Handle,
    seconds: Arc<Seconds>,
}

impl Home {
    fn of(handle: Handle) -> Self {
        Self { handle, seconds: Arc::default() }
    }
}

impl Tasks {
    /// Tasks of the runtime that the caller runs on.
    pub fn here() -> Self {
        Self::on(Home::of(Handle::current()))
    }

    fn on(home: Home) -> Self {
        Self { tracker: TaskTracker::new(), home }
    }

    /// Runs a task.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.tracker.spawn_on(task, &self.home.handle)
    }

    /// Whether the caller runs on the tasks' own runtime.
    pub fn are_here(&self) -> bool {
        Handle::current().id() == self.home.handle.id()
    }

    /// Has the tasks' own runtime poll a socket that another one has polled until now.
    ///
    /// # Errors
    /// The system's.
    pub fn adopt(&self, stream: TcpStream) -> io::Result<TcpStream> {
        let stream = stream.into_std()?;
        let _at_home = self.home.handle.enter();
        TcpStream::from_std(stream)
    }

    /// As [`Tasks::adopt`], a listening one.
    ///
    /// # Errors
    /// The system's.
    pub fn adopt_listener(&self, listener: TcpListener) -> io::Result<TcpListener> {
        let listener = listener.into_std()?;
        let _at_home = self.home.handle.enter();
        TcpListener::from_std(listener)
    }

    /// What those of the tasks set alarms by that have no need of more than seconds.
    pub fn seconds(&self) -> &Arc<Seconds> {
        &self.home.seconds
    }

    /// No task is to come: from now on [`Tasks::wait`] may complete.
    pub fn close(&self) {
        self.tracker.close();
    }

    /// Completes when the tasks are closed and have ended.
    pub fn wait(&self) -> TaskTrackerWaitFuture<'_> {
        self.tracker.wait()
    }
}

/// How many tasks have their turn at most before it is looked what has come meanwhile. With all that are ready between two
/// looks, a room that is told of a message is told of those, too, that came at the same time, and each member by one write:
/// with tokio's 61 a large room's members took a third more of them.
const TURNS_AT_MOST: u32 = 512;

/// A thread for every other processor, each with a runtime of its own. A session lives on one of them: its
/// connections wake each other without waking another thread, which costs more than all else that is
/// done for a packet. The other half of the processors is left to what is done beside: TLS, HTTP, the store, the
/// system's network. Dropping it ends the threads and what still runs there.
pub struct Threads {
    homes: Vec<Home>,
    next: AtomicUsize,
    _running: DropGuard,
}

impl Threads {
    /// Starts them, each with what is to run `beside` its sessions.
    ///
    /// # Errors
    /// The system has no thread or no poller left.
    pub fn start<F: Future<Output = ()> + Send + 'static>(beside: impl Fn() -> F) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let count = thread::available_parallelism().map_or(1, usize::from).div_ceil(2);
        let mut homes = Vec::with_capacity(count);
        for number in 0..count {
            let runtime = Builder::new_current_thread().event_interval(TURNS_AT_MOST).enable_all().build()?;
            homes.push(Home::of(runtime.handle().clone()));
            runtime.spawn(beside());
            let stop = stop.clone();
            thread::Builder::new()
                .name(format!("sessions-{number}"))
                .spawn(move || runtime.block_on(stop.cancelled_owned()))?;
        }
        Ok(Self { homes, next: AtomicUsize::new(0), _running: stop.drop_guard() })
    }

    /// Tasks on the thread whose turn it is.
    pub fn tasks(&self) -> Tasks {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        Tasks::on(self.homes[turn % self.homes.len()].clone())
    }
}
