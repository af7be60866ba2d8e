//! Connections with a small application behind them. Time is paused; nothing waits.

use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{advance, sleep};

mod polling;
mod rules;
mod upgrade;

use super::*;
use crate::transport::{self, Form, Rest};
use crate::wire::socketio::Event;

/// What the test holds of an application.
#[derive(Default)]
struct App {
    due: Mutex<Vec<Outgoing>>,
    end: Mutex<Option<End>>,
    heard: Mutex<Vec<String>>,
    changed: Notify,
    waiters: AtomicUsize,
    held: AtomicUsize,
    pause: Mutex<Duration>,
    refuses: bool,
}

impl App {
    fn say(&self, argument: &str) {
        self.due.lock().unwrap().push(Outgoing::Event { name: "x", argument: argument.into() });
        self.changed.notify_one();
    }

    fn end(&self, end: End) {
        *self.end.lock().unwrap() = Some(end);
        self.changed.notify_one();
    }

    fn is_let_go(&self) -> bool {
        self.held.load(Ordering::Relaxed) == 0
    }
}

struct Held(Arc<App>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Endpoint for Held {
    fn connect(&self, auth: Option<&str>) -> Result<(), &'static str> {
        self.0.heard.lock().unwrap().push(format!("connect {}", auth.unwrap_or("-")));
        if self.0.refuses { Err("no") } else { Ok(()) }
    }

    fn event(&self, event: Event<'_>) {
        self.0.heard.lock().unwrap().push(event.name.into_owned());
    }

    fn spend(&self, _bytes: usize) -> Duration {
        *self.0.pause.lock().unwrap()
    }

    fn take(&self, into: &mut Vec<Outgoing>) -> Rest<End> {
        into.append(&mut self.0.due.lock().unwrap());
        self.0.end.lock().unwrap().map_or(Rest::Nothing, Rest::End)
    }

    fn ended(&self) -> bool {
        self.0.end.lock().unwrap().is_some()
    }

    async fn changed(&self) {
        struct Waiter<'a>(&'a AtomicUsize);
        impl Drop for Waiter<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        assert_eq!(self.0.waiters.fetch_add(1, Ordering::Relaxed), 0, "one waiter at a time");
        let _waiter = Waiter(&self.0.waiters);
        self.0.changed.notified().await;
    }
}

struct Fixture {
    service: Arc<Service<Held>>,
    app: Arc<App>,
    client: Arc<Client<Held>>,
    stop: CancellationToken,
    tasks: Tasks,
}

fn service(app: App) -> (Arc<Service<Held>>, Arc<App>, CancellationToken, Tasks) {
    let (stop, tasks) = (CancellationToken::new(), Tasks::here());
    let settings = Settings { connections: 2, ..Settings::default() };
    (Service::new(settings, Origins::default(), tasks.clone(), stop.clone()), Arc::new(app), stop, tasks)
}

fn begin(service: &Arc<Service<Held>>, app: &Arc<App>, version: Version) -> Result<Arc<Client<Held>>, Response> {
    let open = |_, _| {
        app.held.fetch_add(1, Ordering::Relaxed);
        Ok(Held(app.clone()))
    };
    service.start_polling(version, open).map(|(client, _)| client)
}

/// A polling client whose namespace is open, and which knows it.
async fn fixture(version: Version) -> Fixture {
    let (service, app, stop, tasks) = service(App::default());
    let client = begin(&service, &app, version).unwrap();
    let fixture = Fixture { service, app, client, stop, tasks };
    if version == Version::V4 {
        fixture.client.receive("40");
    }
    assert!(fixture.poll().await.starts_with(if version == Version::V3 { "2:40" } else { "40{\"sid\":\"" }));
    fixture
}

impl Fixture {
    async fn poll(&self) -> String {
        text(self.service.poll(&self.client).await).await
    }

    /// A poll that waits, in a task of its own.
    async fn parked(&self) -> JoinHandle<String> {
        let (service, client) = (self.service.clone(), self.client.clone());
        let parked = tokio::spawn(async move { text(service.poll(&client).await).await });
        settle().await;
        parked
    }

    fn socket(&self) -> SocketEnd<Held> {
        assert!(self.client.begin_upgrade());
        SocketEnd::probing(self.service.clone(), self.client.clone())
    }
}

async fn text(response: Response) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// What a WebSocket would send now, and what is left then.
fn sent(socket: &SocketEnd<Held>) -> (Vec<String>, Rest) {
    let mut texts = Vec::new();
    let rest = transport::Endpoint::take(socket, Form::Plain, &mut |text: &str| texts.push(Text::from(text)));
    (texts.iter().map(|text| text.as_str().to_owned()).collect(), rest)
}

fn receive(socket: &SocketEnd<Held>, packet: &str) {
    transport::Endpoint::receive(socket, packet, &mut ());
}

/// Lets the tasks do what they can do now.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}
