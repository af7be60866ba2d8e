//! Polled sessions with a small application behind them. Time is paused; nothing waits.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::http::Body;
use crate::transport::{Batch, Close, Form, Rest};
use crate::wire::{Text, sockjs};

const GO_AWAY: Close = Close::new(3000, "Go away!");

/// What the test holds of an application.
#[derive(Default)]
struct App {
    due: Mutex<Vec<Text>>,
    close: Mutex<Option<Close>>,
    changed: Notify,
    opened: AtomicUsize,
    dropped: AtomicUsize,
}

impl App {
    fn say(&self, message: &str) {
        self.due.lock().unwrap().push(sockjs::quote(message));
        self.changed.notify_one();
    }

    fn end(&self) {
        *self.close.lock().unwrap() = Some(GO_AWAY);
        self.changed.notify_one();
    }

    fn is_let_go(&self) -> bool {
        self.dropped.load(Ordering::Relaxed) == self.opened.load(Ordering::Relaxed)
    }
}

struct End(Arc<App>);

impl Endpoint for End {
    type Ear<'a> = ();

    fn receive(&self, message: &str, (): &mut ()) -> Duration {
        self.0.say(message);
        Duration::ZERO
    }

    fn receive_binary(&self, _message: &[u8], (): &mut ()) -> Duration {
        Duration::ZERO
    }

    fn take(&self, _form: Form, batch: &mut dyn Batch) -> Rest {
        self.0.due.lock().unwrap().drain(..).for_each(|text| batch.add(text.as_str()));
        self.0.close.lock().unwrap().map_or(Rest::Nothing, Rest::End)
    }

    fn ended(&self) -> bool {
        self.0.close.lock().unwrap().is_some()
    }

    async fn changed(&self) {
        self.0.changed.notified().await;
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

struct Fixture {
    service: Arc<Service<End>>,
    app: Arc<App>,
    stop: CancellationToken,
    tasks: Tasks,
}

fn fixture() -> Fixture {
    let (stop, tasks) = (CancellationToken::new(), Tasks::here());
    let settings = Settings { response_bytes: 20, sessions: 2, ..Settings::default() };
    let service = Service::new(settings, Origins::default(), tasks.clone(), stop.clone());
    Fixture { service, app: Arc::default(), stop, tasks }
}

impl Fixture {
    async fn receive(&self, id: &str, clothes: Clothes) -> Response {
        let open = || {
            self.app.opened.fetch_add(1, Ordering::Relaxed);
            Ok(End(self.app.clone()))
        };
        self.service.receive((0, id.to_owned()), clothes, &HeaderMap::new(), open).await
    }

    async fn poll(&self) -> String {
        text(self.receive("s", Clothes::Xhr).await).await
    }

    /// A poll that waits, in a task of its own.
    async fn parked(&self) -> JoinHandle<String> {
        let (service, app) = (self.service.clone(), self.app.clone());
        let parked = tokio::spawn(async move {
            let open = || Ok(End(app));
            text(service.receive((0, "s".to_owned()), Clothes::Xhr, &HeaderMap::new(), open).await).await
        });
        settle().await;
        parked
    }

    async fn stream(&self) -> Body {
        let mut body = self.receive("s", Clothes::XhrStreaming).await.into_body();
        assert_eq!(chunk(&mut body).await.unwrap().len(), 2049);
        body
    }

    fn count(&self) -> usize {
        self.service.sessions().len()
    }
}

async fn text(response: Response) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn chunk(body: &mut Body) -> Option<Bytes> {
    body.frame().await.map(|frame| frame.unwrap().into_data().unwrap())
}

/// Lets the tasks do what they can do now.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_gets_o_then_what_is_due_in_one_frame() {
    let fixture = fixture();
    assert_eq!(fixture.poll().await, "o\n");
    fixture.app.say("a");
    fixture.app.say("b");
    assert_eq!(fixture.poll().await, "a[\"a\",\"b\"]\n");
    let parked = fixture.parked().await;
    fixture.app.say("late");
    assert_eq!(parked.await.unwrap(), "a[\"late\"]\n");
    assert_eq!(fixture.app.opened.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_poll_ends_with_a_heartbeat() {
    let fixture = fixture();
    fixture.poll().await;
    let parked = fixture.parked().await;
    // Changes that leave nothing to send are no sign of life.
    for _ in 0..24 {
        tokio::time::advance(Duration::from_secs(1)).await;
        fixture.app.changed.notify_one();
        settle().await;
        assert!(!parked.is_finished());
    }
    assert_eq!(parked.await.unwrap(), "h\n");
}

#[tokio::test(start_paused = true)]
async fn a_second_receiver_is_refused_and_the_first_goes_on() {
    let fixture = fixture();
    let mut first = fixture.stream().await;
    assert_eq!(chunk(&mut first).await.unwrap(), "o\n");
    let mut second = fixture.stream().await;
    assert_eq!(chunk(&mut second).await.unwrap(), "c[2010,\"Another connection still open\"]\n");
    assert!(chunk(&mut second).await.is_none());
    fixture.app.say("x");
    assert_eq!(chunk(&mut first).await.unwrap(), "a[\"x\"]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_first_receivers_one_opens() {
    for _ in 0..200 {
        let fixture = fixture();
        let (one, two) = (fixture.parked(), fixture.parked());
        let (one, two) = tokio::join!(one, two);
        // Whoever comes later, at once or after the other's `o`, must not get one of its own.
        fixture.app.say("x");
        let answers = [one.await.unwrap(), two.await.unwrap()];
        assert_eq!(answers.iter().filter(|answer| *answer == "o\n").count(), 1, "{answers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_cut_off_ends_the_session() {
    let fixture = fixture();
    let mut body = fixture.stream().await;
    chunk(&mut body).await;
    drop(body);
    settle().await;
    assert!(fixture.app.is_let_go());
    assert_eq!(fixture.poll().await, "o\n");
    let parked = fixture.parked().await;
    parked.abort();
    // The next one is here before the cut is seen.
    assert_eq!(fixture.poll().await, "o\n");
}

#[tokio::test(start_paused = true)]
async fn a_session_without_receiver_is_dropped_after_the_delay() {
    let fixture = fixture();
    fixture.poll().await;
    tokio::time::sleep(Duration::from_millis(4900)).await;
    assert!(!fixture.app.is_let_go());
    fixture.app.say("x");
    assert_eq!(fixture.poll().await, "a[\"x\"]\n");
    tokio::time::sleep(Duration::from_millis(4900)).await;
    assert!(!fixture.app.is_let_go());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(fixture.app.is_let_go());
    assert_eq!(fixture.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_close_is_told_after_what_was_due_and_again_until_forgotten() {
    let fixture = fixture();
    fixture.poll().await;
    fixture.app.say("last words");
    fixture.app.end();
    settle().await;
    assert!(fixture.app.is_let_go());
    assert_eq!(fixture.poll().await, "a[\"last words\"]\n");
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(fixture.poll().await, "c[3000,\"Go away!\"]\n");
    }
    *fixture.app.close.lock().unwrap() = None;
    tokio::time::sleep(Duration::from_millis(5100)).await;
    assert_eq!(fixture.poll().await, "o\n");
}

#[tokio::test(start_paused = true)]
async fn a_session_closed_at_once_is_opened_first() {
    let fixture = fixture();
    fixture.app.end();
    let mut body = fixture.stream().await;
    settle().await;
    assert_eq!(chunk(&mut body).await.unwrap(), "o\n");
    assert_eq!(chunk(&mut body).await.unwrap(), "c[3000,\"Go away!\"]\n");
    assert!(chunk(&mut body).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_end_is_noticed_though_nobody_reads() {
    let fixture = fixture();
    let mut body = fixture.stream().await;
    chunk(&mut body).await;
    fixture.app.say("unread");
    settle().await;
    fixture.app.end();
    settle().await;
    assert!(fixture.app.is_let_go());
    assert_eq!(chunk(&mut body).await.unwrap(), "a[\"unread\"]\n");
    assert_eq!(chunk(&mut body).await.unwrap(), "c[3000,\"Go away!\"]\n");
    assert!(chunk(&mut body).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_at_its_limit_and_the_session_goes_on() {
    let fixture = fixture();
    let mut body = fixture.stream().await;
    assert_eq!(chunk(&mut body).await.unwrap(), "o\n");
    fixture.app.say("0123456789");
    assert_eq!(chunk(&mut body).await.unwrap(), "a[\"0123456789\"]\n");
    fixture.app.say("more");
    assert_eq!(chunk(&mut body).await.unwrap(), "a[\"more\"]\n");
    fixture.app.say("queued");
    assert!(chunk(&mut body).await.is_none());
    let mut body = fixture.stream().await;
    assert_eq!(chunk(&mut body).await.unwrap(), "a[\"queued\"]\n");
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_parked_polls_and_every_task() {
    let fixture = fixture();
    fixture.poll().await;
    let parked = fixture.parked().await;
    fixture.stop.cancel();
    fixture.tasks.close();
    assert_eq!(parked.await.unwrap(), "c[1012,\"service restart\"]\n");
    fixture.tasks.wait().await;
    assert!(fixture.app.is_let_go());
    assert_eq!(fixture.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn sessions_are_counted() {
    let fixture = fixture();
    for (id, status) in [("1", 200), ("2", 200), ("3", 503), ("1", 200)] {
        fixture.app.say("x");
        let response = fixture.receive(id, Clothes::Xhr).await;
        assert_eq!(response.status(), status, "{id}");
        text(response).await;
    }
    tokio::time::sleep(Duration::from_millis(5100)).await;
    assert_eq!(fixture.receive("3", Clothes::Xhr).await.status(), 200);
}
