//! A Socket.IO service on the very transport code of the sessions, with a small application behind it:
//!
//! | event | is answered |
//! | --- | --- |
//! | `echo` | by the same event, and acknowledged with its argument if asked for |
//! | `easyrtcAuth`, `easyrtcCmd`, `easyrtcMsg` | by a plain acknowledgement, if asked for |
//! | `burst` with n | by n events `echo` with 0 to n-1 |
//! | `end` with true or false | by the end of the connection, for good or for now |
//!
//! A connect with `{"key":"wrong"}` is refused.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
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
use viderehab::transport::Rest;
use viderehab::transport::socketio::{End, Endpoint, Outgoing, Service, Settings};
use viderehab::wire::Text;
use viderehab::wire::socketio::Event;

/// Below which the service is, whatever port it listens on: the one of the recordings.
pub const PATH: &str = "/websocket/8080/";

const HANDSHAKE: Duration = Duration::from_secs(10);

/// What may wait for a client before it counts as too slow.
const QUEUE_BYTES: usize = 8 << 20;

/// How many packets are handed over at one go.
const BATCH: usize = 256;

/// One client's application.
#[derive(Default)]
pub struct Tester {
    due: Mutex<Due>,
    changed: Notify,
    /// How long the client is not read after each packet.
    pause: Duration,
    open: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Due {
    packets: std::collections::VecDeque<Outgoing>,
    bytes: usize,
    end: Option<End>,
    received: usize,
}

impl Tester {
    /// Sends an event.
    pub fn emit(&self, name: &'static str, argument: &str) {
        self.push(Outgoing::Event { name, argument: argument.into() });
    }

    /// Ends the connection.
    pub fn end(&self, end: End) {
        self.due.lock().unwrap().end.get_or_insert(end);
        self.changed.notify_one();
    }

    /// How many events have come.
    pub fn received(&self) -> usize {
        self.due.lock().unwrap().received
    }

    fn push(&self, packet: Outgoing) {
        let mut due = self.due.lock().unwrap();
        due.bytes += length(&packet);
        due.packets.push_back(packet);
        if due.bytes > QUEUE_BYTES {
            due.packets.clear();
            due.end = Some(End::ForNow);
        }
        drop(due);
        self.changed.notify_one();
    }
}

fn length(packet: &Outgoing) -> usize {
    let (Outgoing::Event { argument, .. } | Outgoing::Acknowledgement { argument, .. }) = packet;
    argument.len()
}

/// The transport's hold on a tester; dropped when the connection is gone.
pub struct Connected(Arc<Tester>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Endpoint for Connected {
    fn connect(&self, auth: Option<&str>) -> Result<(), &'static str> {
        match auth {
            Some(r#"{"key":"wrong"}"#) => Err("not with this key"),
            _ => Ok(()),
        }
    }

    fn event(&self, event: Event<'_>) {
        self.0.due.lock().unwrap().received += 1;
        let argument = event.argument.unwrap_or("null");
        let answer = match (&*event.name, argument) {
            ("echo", argument) => {
                self.0.emit("echo", argument);
                argument
            }
            ("burst", count) => {
                (0..count.parse::<u32>().unwrap_or(0)).for_each(|number| self.0.emit("echo", &number.to_string()));
                "null"
            }
            ("end", "true") => return self.0.end(End::ForGood),
            ("end", _) => return self.0.end(End::ForNow),
            ("easyrtcAuth" | "easyrtcCmd" | "easyrtcMsg", _) => r#"{"msgType":"ack"}"#,
            _ => return,
        };
        if let Some(id) = event.id {
            self.0.push(Outgoing::Acknowledgement { id, argument: Text::from(answer) });
        }
    }

    fn spend(&self, _bytes: usize) -> Duration {
        self.0.pause
    }

    fn take(&self, into: &mut Vec<Outgoing>) -> Rest<End> {
        let mut due = self.0.due.lock().unwrap();
        let batch = due.packets.len().min(BATCH);
        into.extend(due.packets.drain(..batch));
        due.bytes -= into.iter().map(length).sum::<usize>().min(due.bytes);
        match due.packets.is_empty() {
            true => due.end.map_or(Rest::Nothing, Rest::End),
            false => Rest::More,
        }
    }

    fn ended(&self) -> bool {
        self.0.due.lock().unwrap().end.is_some()
    }

    async fn changed(&self) {
        self.0.changed.notified().await;
    }
}

/// The service, until dropped.
pub struct Hosted {
    address: SocketAddr,
    pub service: Arc<Service<Connected>>,
    testers: Arc<Mutex<Vec<Arc<Tester>>>>,
    open: Arc<AtomicUsize>,
    pub tasks: Tasks,
    pub stop: CancellationToken,
}

impl Hosted {
    /// Where it is, as `host:port`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// A client's application, in the order of handshakes.
    pub fn tester(&self, at: usize) -> Arc<Tester> {
        self.testers.lock().unwrap()[at].clone()
    }

    /// How many applications the transport holds on to.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Hosts the service on a port, 0 for any. `pause`: how long a client is not read after each packet.
pub async fn host(port: u16, settings: Settings, pause: Duration) -> Hosted {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let address = listener.local_addr().expect("it is bound");
    let (tasks, stop) = (Tasks::here(), CancellationToken::new());
    let service = Service::new(settings, Origins::default(), tasks.clone(), stop.clone());
    let (testers, open) = (Arc::<Mutex<Vec<Arc<Tester>>>>::default(), Arc::<AtomicUsize>::default());
    let (served, stopping, connections) = (service.clone(), stop.clone(), tasks.clone());
    let (known, counted) = (testers.clone(), open.clone());
    tokio::spawn(async move {
        let handle = move |request: Request, _: SocketAddr| {
            let (service, testers, open) = (served.clone(), known.clone(), counted.clone());
            async move { answer(&service, request, &testers, &open, pause).await }
        };
        let terms = Terms { tls: None, handshake: HANDSHAKE, broken: Default::default() };
        serve(listener.into(), terms, &stopping, &connections, handle).await;
    });
    Hosted { address, service, testers, open, tasks, stop }
}

async fn answer(
    service: &Arc<Service<Connected>>,
    request: Request,
    testers: &Mutex<Vec<Arc<Tester>>>,
    open: &Arc<AtomicUsize>,
    pause: Duration,
) -> Response {
    if !request.uri().path().starts_with(PATH) {
        return text(StatusCode::NOT_FOUND, "404 not found\n");
    }
    let begin = |_, _| {
        open.fetch_add(1, Ordering::SeqCst);
        let tester = Arc::new(Tester { pause, open: open.clone(), ..Tester::default() });
        testers.lock().unwrap().push(tester.clone());
        Ok(Connected(tester))
    };
    service.handle(request, begin).await
}
