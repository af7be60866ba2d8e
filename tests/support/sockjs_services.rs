//! The four services of the SockJS protocol's test suite, on the very transport code that carries
//! videre packets: `/echo`, `/disabled_websocket_echo`, `/cookie_needed_echo` and `/close`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use viderehab::http::origin::Origins;
use viderehab::http::serve::{Terms, serve};
use viderehab::http::{Request, Response, text};
use viderehab::tasks::Tasks;
use viderehab::transport::sockjs::{Service, Settings};
use viderehab::transport::{Batch, Close, Endpoint, Form, Rest};
use viderehab::wire::sockjs;

const HANDSHAKE: Duration = Duration::from_secs(10);

/// Returns every message, or closes at once.
struct Tester {
    close: Option<Close>,
    messages: Mutex<VecDeque<String>>,
    changed: Notify,
}

impl Tester {
    fn new(close: Option<Close>) -> Self {
        Self { close, messages: Mutex::default(), changed: Notify::new() }
    }
}

impl Endpoint for Tester {
    type Ear<'a> = ();

    fn receive(&self, message: &str, (): &mut ()) -> Duration {
        self.messages.lock().unwrap().push_back(message.to_owned());
        self.changed.notify_one();
        Duration::ZERO
    }

    fn receive_binary(&self, message: &[u8], ear: &mut ()) -> Duration {
        self.receive(&String::from_utf8_lossy(message), ear)
    }

    fn take(&self, form: Form, batch: &mut dyn Batch) -> Rest {
        for message in self.messages.lock().unwrap().drain(..) {
            match form {
                Form::Plain => batch.add(&message),
                Form::Quoted => batch.add(sockjs::quote(&message).as_str()),
            }
        }
        self.close.map_or(Rest::Nothing, Rest::End)
    }

    fn ended(&self) -> bool {
        self.close.is_some()
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// The services, until dropped.
pub struct Services {
    address: SocketAddr,
    stop: CancellationToken,
}

impl Services {
    /// Where they are, as `host:port`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Hosts the services with the default byte limit, with which most recordings were made.
pub async fn start() -> Services {
    host(0, Settings::default().response_bytes).await
}

/// Hosts the services on a port, 0 for any.
pub async fn host(port: u16, response_bytes: usize) -> Services {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let address = listener.local_addr().expect("it is bound");
    let (tasks, stop) = (Tasks::here(), CancellationToken::new());
    let usual = Settings { response_bytes, client_url: "/lib/sockjs.js".into(), ..Settings::default() };
    let go_away = Close::new(3000, "Go away!");
    let services = [
        ("/echo", usual.clone(), None),
        ("/disabled_websocket_echo", Settings { websocket: false, ..usual.clone() }, None),
        ("/cookie_needed_echo", Settings { cookie_needed: true, ..usual.clone() }, None),
        ("/close", usual, Some(go_away)),
    ];
    let services = services.map(|(prefix, settings, close)| {
        let any = Origins::new(["*".to_owned()]);
        (prefix, Service::new(settings, any, tasks.clone(), stop.clone()), close)
    });
    let services = Arc::new(services);
    let (stopping, connections) = (stop.clone(), tasks.clone());
    tokio::spawn(async move {
        let handle = move |request: Request, _: SocketAddr| {
            let services = services.clone();
            async move { answer(&*services, request).await }
        };
        let terms = Terms { tls: None, handshake: HANDSHAKE, broken: Default::default() };
        serve(listener.into(), terms, &stopping, &connections, handle).await;
    });
    Services { address, stop }
}

type Hosted = (&'static str, Arc<Service<Tester>>, Option<Close>);

async fn answer(services: &[Hosted], request: Request) -> Response {
    let path = request.uri().path().to_owned();
    for (prefix, service, close) in services {
        if let Some(rest) = path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            return service.handle(request, rest, 0, |_| Ok(Tester::new(*close))).await;
        }
    }
    text(StatusCode::NOT_FOUND, "404 Error: Page not found\n")
}
