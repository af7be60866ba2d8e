//! The whole server, put together.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::control::admin::Admin;
use crate::control::opentera::OpenTera;
use crate::http::inherited::Inherited;
use crate::http::origin::Origins;
use crate::http::serve::{Terms, serve};
use crate::manager::{Manager, StoreError};
use crate::metrics::Metrics;
use crate::session::Shared;
use crate::session::gate::Gate;
use crate::session::line::tell_each_turn;
use crate::tasks::{Tasks, Threads};
use crate::tls::{Certificate, PairError, Tls};
use crate::web::{Front, Health};

/// How long all tasks together may take to end.
const SHUTDOWN_TIME: Duration = Duration::from_secs(5);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or not ours.
    #[error("server.listen: cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The admin token can be neither read nor made.
    #[error("{0}")]
    Token(io::Error),
    /// The threads that sessions live on cannot be started.
    #[error("cannot start threads: {0}")]
    Threads(io::Error),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] PairError),
    /// What OpenTera's server is reached with cannot be used.
    #[error("{0}")]
    OpenTera(io::Error),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A running server.
pub struct App {
    front: Arc<Front>,
    address: SocketAddr,
    url: String,
    dashboard: String,
    certificate: Option<Arc<Certificate>>,
    listening: Weak<TcpListener>,
    inherited: Inherited,
    stop: CancellationToken,
    sessions_stop: CancellationToken,
    tasks: Tasks,
}

impl App {
    /// Starts the server; all sessions of the store are back when it returns.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_on(config, Inherited::default()).await
    }

    /// As [`App::start`], by sockets that listen already where there are any.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_on(config: Config, inherited: Inherited) -> Result<Self, StartError> {
        let address = config.server.listen;
        let failed = |error| StartError::Listen { address, error };
        let certificate = config.server.tls.as_ref().map(Certificate::open).transpose()?.map(Arc::new);
        let listener = Arc::new(inherited.bind(address).map_err(failed)?);
        let local = listener.local_addr().map_err(failed)?;
        let base = config.public_base(local.port());

        let own = own_origins(&config, &base);
        let admin = Admin::load(&config, Origins::new(own.clone())).map_err(StartError::Token)?;
        let limits = &config.limits;
        let shared = Arc::new(Shared {
            origins: Origins::new(own.into_iter().chain(config.server.allowed_origins.iter().cloned())),
            gate: Gate::new(limits),
            metrics: Metrics::new(),
            threads: Threads::start(tell_each_turn).map_err(StartError::Threads)?,
            config,
        });
        let (stop, sessions_stop, tasks) = (CancellationToken::new(), CancellationToken::new(), Tasks::here());
        let manager =
            Manager::start(shared.clone(), base.clone(), sessions_stop.clone(), &tasks, inherited.clone()).await?;
        let opentera = match shared.config.opentera {
            Some(_) => Some(
                OpenTera::start(&shared.config, local.port(), base, manager.clone(), stop.clone(), &tasks)
                    .map_err(StartError::OpenTera)?,
            ),
            None => None,
        };

        let url = format!("{}://{local}", if certificate.is_some() { "https" } else { "http" });
        let dashboard_path = if shared.config.opentera.is_some() { "dashboard" } else { "rehab" };
        let dashboard = format!("{url}/{dashboard_path}/?token={}", admin.encoded());
        let handshake = shared.config.limits.handshake();
        let front = Arc::new(Front { shared, admin, manager, opentera, health: Health::default() });
        let tls = certificate.clone().map(Tls::new);
        let terms = Terms { tls, handshake, broken: front.shared.metrics.broken() };
        if let Some(certificate) = certificate.clone() {
            tasks.spawn(certificate.watch(stop.clone()));
        }
        let listening = Arc::downgrade(&listener);
        let (stop_listening, connections, answering) = (stop.clone(), tasks.clone(), front.clone());
        tasks.spawn(async move {
            let handle = move |request, peer| answering.clone().handle(request, peer);
            serve(listener, terms, &stop_listening, &connections, handle).await;
        });
        front.health.ready();
        Ok(Self {
            front,
            address: local,
            url,
            dashboard,
            certificate,
            listening,
            inherited,
            stop,
            sessions_stop,
            tasks,
        })
    }

    /// The address that it listens on, where the configuration left the port to the system.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The dashboard's address with the admin token in it: for the operator's eyes alone.
    pub fn dashboard_url(&self) -> &str {
        &self.dashboard
    }

    /// Reads the certificate's files now, where there is TLS.
    ///
    /// # Errors
    /// They cannot be used; the certificate in use stays.
    pub fn reload_certificate(&self) -> Result<(), PairError> {
        self.certificate.as_ref().map_or(Ok(()), |certificate| certificate.reload())
    }

    /// Stops: not ready any more, sessions told to come back, then everything else. Until the sessions have
    /// ended the manager's address answers, so that whoever asks for readiness hears of it. Returns when all
    /// tasks have ended, or their time is over.
    pub async fn stop(self) {
        self.front.health.draining();
        self.sessions_stop.cancel();
        if tokio::time::timeout(SHUTDOWN_TIME, self.front.manager.ended()).await.is_err() {
            tracing::warn!("the sessions did not end in time");
        }
        self.stop.cancel();
        self.tasks.close();
        // What is to be published goes out until nobody is left who could add to it.
        drop(self.front);
        if tokio::time::timeout(SHUTDOWN_TIME, self.tasks.wait()).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
    }

    /// Stops, and gives the sockets that listened, which go on listening: for the run that comes next. Whoever
    /// connects meanwhile waits. With how many of them, the first, are systemd's.
    pub async fn hand_over(self) -> (Vec<std::net::TcpListener>, usize) {
        let mut listeners: Vec<Arc<TcpListener>> = self.front.manager.registry().listeners();
        listeners.extend(self.listening.upgrade());
        let inherited = self.inherited.clone();
        self.stop().await;
        let given = listeners.into_iter().filter_map(Arc::into_inner).map(TcpListener::into_std);
        let given = given.filter_map(|listener| {
            listener.inspect_err(|error| tracing::warn!(%error, "a socket is not handed over")).ok()
        });
        inherited.hand_over(given.collect())
    }
}

/// The origins of our own pages, besides that of each request's Host.
fn own_origins(config: &Config, base: &str) -> Vec<String> {
    let scheme_end = base.find("://").map_or(0, |at| at + 3);
    let host_end = base[scheme_end..].find('/').map_or(base.len(), |at| scheme_end + at);
    let webrtc = &config.webrtc;
    let mut own = vec![base[..host_end].to_owned()];
    if webrtc.external_port != 0 {
        own.push(format!("https://{}:{}", webrtc.hostname, webrtc.external_port));
    }
    own
}
