//! `viderehab serve`: runs the server until a signal, and through upgrades.

use std::hint::black_box;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::App;
use crate::config::{self, Config};
use crate::control::upgrade::{Hello, Upgrades};
use crate::http::inherited::{Inherited, LASTING};

/// Where a process is told how many upgrades it has been through, and why the last one failed.
const UPGRADES: &str = "UPGRADES_OF_VIDEREHAB";
const FAILURE: &str = "UPGRADE_FAILURE_OF_VIDEREHAB";

/// What runs now, also when its file has been replaced.
const OURSELVES: &str = "/proc/self/exe";

/// How long what the runtime still does may take.
const SHUTDOWN_TIME: Duration = Duration::from_secs(1);

/// How much memory may go back to the system and come again with each burst: as much again twice over is kept.
const BURST_BYTES: usize = 8 * 1024 * 1024;

/// The first descriptor that is handed over, as systemd has it.
const FIRST_DESCRIPTOR: i32 = 3;

/// Runs the server. `file`: where the configuration was read from.
pub fn run(runtime: Runtime, config: Config, file: Option<&Path>) -> ExitCode {
    match runtime.block_on(serve(config, file)) {
        Outcome::Exit(code) => {
            // What still waits for a disk or a name server would else be waited for, without end.
            runtime.shutdown_background();
            code
        }
        Outcome::Upgrade(successor) => {
            // Its threads must not be there when descriptors change hands under them.
            runtime.shutdown_timeout(SHUTDOWN_TIME);
            let error = successor.take_over();
            tracing::error!(%error, "neither the new binary nor the old one can be started");
            ExitCode::FAILURE
        }
    }
}

enum Outcome {
    Exit(ExitCode),
    Upgrade(Successor),
}

async fn serve(config: Config, file: Option<&Path>) -> Outcome {
    raise_descriptor_limit();
    keep_memory();
    let hello = hello();
    let mut signals = Signals::new();
    let app = match App::start_on(config.clone(), Inherited::from_environment()).await {
        Ok(app) => app,
        Err(error) => {
            eprintln!("viderehab: {error}");
            return Outcome::Exit(ExitCode::FAILURE);
        }
    };
    let upgrades = upgrades_of(&config, file, &hello);
    // Whoever started us may have closed our output; that is no reason not to serve.
    let _ = writeln!(std::io::stdout(), "viderehab ready on {}\n{}", app.url(), app.dashboard_url());
    match until_over(&app, &config, file, upgrades, &mut signals).await {
        Over::Stop(signal) => {
            tracing::info!(signal, "stopping");
            stopped(app.stop(), &mut signals).await
        }
        Over::Upgrade(binary) => {
            tracing::info!(binary = %binary.display(), "upgrading");
            // Where the system chose the port, the next run is to have the same.
            let address = (config.server.listen.port() == 0).then(|| app.address());
            let mut handing_over = std::pin::pin!(app.hand_over());
            let signal = tokio::select! {
                (listeners, lasting) = &mut handing_over => {
                    let upgrades = hello.upgrades + 1;
                    return Outcome::Upgrade(Successor { binary, address, listeners, lasting, upgrades });
                }
                signal = signals.stop() => signal,
            };
            tracing::info!(signal, "stopping, and not upgrading");
            stopped(async { drop(handing_over.await) }, &mut signals).await
        }
    }
}

/// Waits until all has stopped, or for a second signal.
async fn stopped(stopping: impl Future<Output = ()>, signals: &mut Signals) -> Outcome {
    tokio::select! {
        () = stopping => {}
        second = signals.stop() => tracing::warn!(signal = second, "stopping at once"),
    }
    Outcome::Exit(ExitCode::SUCCESS)
}

/// Has the C library keep what bursts take and give back: by default it returns all but 128 KiB to the system at once, and
/// has each page anew from there for the next burst. Once a block has been given back that the system gave, it keeps twice as
/// much as that (mallopt(3), M_MMAP_THRESHOLD); other C libraries do as they do.
fn keep_memory() {
    drop(black_box(Vec::<u8>::with_capacity(BURST_BYTES)));
}

/// Takes as many descriptors as the system would give: each connection needs one, and the usual limit is meant for
/// programs that wait by `select`.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "the limit of open files (LimitNOFILE) stays as it is");
    }
}

/// Who we are, and what the process was before.
fn hello() -> Hello {
    Hello {
        process: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        upgrades: std::env::var(UPGRADES).ok().and_then(|count| count.parse().ok()).unwrap_or(0),
        failure: std::env::var(FAILURE).ok(),
    }
}

enum Over {
    Stop(&'static str),
    Upgrade(PathBuf),
}

/// Where upgrades are asked for, if there is a place for it.
fn upgrades_of(config: &Config, file: Option<&Path>, hello: &Hello) -> Option<Upgrades> {
    match config.server.data_dir.as_str() {
        "" => None,
        data_dir => Upgrades::open(data_dir, file, hello.clone())
            .inspect_err(
                |error| tracing::warn!(%error, "no upgrades: the control socket cannot be opened in server.data_dir"),
            )
            .ok(),
    }
}

async fn until_over(
    app: &App,
    config: &Config,
    file: Option<&Path>,
    upgrades: Option<Upgrades>,
    signals: &mut Signals,
) -> Over {
    let wanted = async {
        match &upgrades {
            Some(upgrades) => upgrades.wanted().await,
            None => std::future::pending().await,
        }
    };
    let mut wanted = std::pin::pin!(wanted);
    loop {
        tokio::select! {
            binary = &mut wanted => return Over::Upgrade(binary),
            signal = signals.stop_or_reload() => match signal {
                Some(signal) => return Over::Stop(signal),
                None => reload(app, config, file),
            },
        }
    }
}

/// Takes what can be taken while the server runs, and names what cannot.
fn reload(app: &App, config: &Config, file: Option<&Path>) {
    match app.reload_certificate() {
        Ok(()) => tracing::info!("SIGHUP: the certificate, if there is one, has been read again"),
        Err(error) => tracing::error!(%error, "SIGHUP: the certificate in use stays"),
    }
    match config::load(file, std::env::vars_os()) {
        Ok(new) => match config.changes(&new).as_slice() {
            [] => tracing::info!("SIGHUP: the configuration has not changed"),
            keys => tracing::warn!(keys = keys.join(", "), "SIGHUP: not taken before a restart or `viderehab upgrade`"),
        },
        Err(error) => tracing::error!(%error, "SIGHUP: the configuration cannot be used"),
    }
}

/// What this process becomes.
struct Successor {
    binary: PathBuf,
    address: Option<SocketAddr>,
    listeners: Vec<TcpListener>,
    /// How many of them are systemd's.
    lasting: usize,
    upgrades: u32,
}

impl Successor {
    /// Replaces this process by the binary with the same arguments, which finds the sockets as systemd would
    /// give them. If that fails, by the present one, since the sockets are in their places by then, and what was
    /// open there is gone. Returns only if that fails, too.
    fn take_over(self) -> io::Error {
        let (mut new, mut old) = (self.command(&self.binary), self.command(Path::new(OURSELVES)));
        let name = self.binary.display().to_string();
        let mappings = (FIRST_DESCRIPTOR..).zip(self.listeners);
        let mappings = mappings.map(|(child_fd, listener)| FdMapping { parent_fd: OwnedFd::from(listener), child_fd });
        let problem = match new.fd_mappings(mappings.collect()) {
            Ok(new) => new.exec(),
            Err(error) => io::Error::other(error),
        };
        tracing::error!(binary = name, %problem, "the upgrade failed; going on as before");
        old.env(FAILURE, format!("{name}: {problem}")).exec()
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .args(std::env::args_os().skip(1))
            .envs(self.address.map(|address| ("VIDEREHAB_SERVER__LISTEN", address.to_string())))
            .env(LASTING, self.lasting.to_string())
            .env("LISTEN_FDS", self.listeners.len().to_string())
            .env("LISTEN_PID", std::process::id().to_string())
            .env(UPGRADES, self.upgrades.to_string())
            .env_remove(FAILURE);
        command
    }
}

/// The signals that we listen for.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Self {
        let listen = |kind| signal(kind).expect("signal handlers can be installed");
        Self {
            interrupt: listen(SignalKind::interrupt()),
            terminate: listen(SignalKind::terminate()),
            hang_up: listen(SignalKind::hangup()),
        }
    }

    async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// `None`: what can be reloaded is to be.
    async fn stop_or_reload(&mut self) -> Option<&'static str> {
        tokio::select! {
            _ = self.interrupt.recv() => Some("SIGINT"),
            _ = self.terminate.recv() => Some("SIGTERM"),
            _ = self.hang_up.recv() => None,
        }
    }
}
