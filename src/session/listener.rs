//! A session's own port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::Session;
use crate::http::Request;
use crate::http::serve::{Terms, bind, serve};

/// How often a port that another program holds is tried again after a restart.
const RETRY: Duration = Duration::from_secs(1);

impl Session {
    /// Serves the session on a bound listener until the session ends. `lease` is dropped once the
    /// port is closed.
    pub fn listen(self: &Arc<Self>, listener: TcpListener, lease: impl Send + 'static) {
        let session = self.clone();
        let listener = self.tasks.adopt_listener(listener).map(|listener| self.remember(listener));
        self.tasks.spawn(async move {
            let _released = session.released.clone().drop_guard();
            let _lease = lease;
            match listener {
                Ok(listener) => session.serve(listener).await,
                Err(error) => tracing::error!(session = session.id, port = session.port, %error, "cannot listen"),
            }
        });
    }

    /// As [`Session::listen`], once the address can be bound: after a restart another program may
    /// hold the port. The front door reaches the session meanwhile.
    pub fn listen_when_free(self: &Arc<Self>, address: SocketAddr, lease: impl Send + 'static) {
        let session = self.clone();
        self.tasks.spawn(async move {
            let _released = session.released.clone().drop_guard();
            let _lease = lease;
            while !session.stop.is_cancelled() {
                if let Ok(listener) = bind(address) {
                    tracing::info!(session = session.id, port = session.port, "the port is free again");
                    let listener = session.remember(listener);
                    return session.serve(listener).await;
                }
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => {}
                    () = session.stop.cancelled() => {}
                }
            }
        });
    }

    fn remember(&self, listener: TcpListener) -> Arc<TcpListener> {
        let listener = Arc::new(listener);
        let _ = self.listener.set(Arc::downgrade(&listener));
        listener
    }

    /// The socket of the session's own port, while it is open.
    pub fn listener(&self) -> Option<Arc<TcpListener>> {
        self.listener.get()?.upgrade()
    }

    async fn serve(self: &Arc<Self>, listener: Arc<TcpListener>) {
        let handshake = self.shared.config.limits.handshake();
        let session = self.clone();
        let handle = move |request: Request, peer: SocketAddr| {
            let session = session.clone();
            async move {
                let path = request.uri().path().to_owned();
                session.handle(request, &path, peer.ip()).await
            }
        };
        // Plain: whoever comes from elsewhere comes through the front door or a proxy.
        let terms = Terms { tls: None, handshake, broken: self.shared.metrics.broken() };
        serve(listener, terms, &self.stop, &self.tasks, handle).await;
    }
}
