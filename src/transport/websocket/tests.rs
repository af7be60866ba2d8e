//! A connection with a small application behind it, over a pipe. Time is paused; nothing waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::*;
use crate::transport::{Batch, Rest};

const HEARTBEAT: Duration = Duration::from_secs(25);

/// What the test holds of an application.
#[derive(Default)]
struct App {
    /// Each makes a batch.
    due: Mutex<VecDeque<String>>,
    heard: Mutex<Vec<String>>,
    changed: Notify,
    /// How long its client is not read after each message.
    pause: Duration,
}

impl App {
    fn say(&self, text: &str) {
        self.due.lock().unwrap().push_back(text.to_owned());
        self.changed.notify_one();
    }
}

struct Behind(Arc<App>);

impl Endpoint for Behind {
    const ANSWERS_AT_ONCE: bool = false;

    type Ear<'a> = ();

    fn receive(&self, message: &str, (): &mut ()) -> Duration {
        self.0.heard.lock().unwrap().push(message.to_owned());
        self.0.pause
    }

    fn receive_binary(&self, _message: &[u8], (): &mut ()) -> Duration {
        Duration::ZERO
    }

    fn take(&self, _form: Form, batch: &mut dyn Batch) -> Rest {
        let mut due = self.0.due.lock().unwrap();
        due.pop_front().iter().for_each(|text| batch.add(text));
        if due.is_empty() { Rest::Nothing } else { Rest::More }
    }

    fn ended(&self) -> bool {
        false
    }

    /// Once it has heard something: until then there is nothing to wait for.
    async fn changed(&self) {
        if self.0.heard.lock().unwrap().is_empty() {
            std::future::pending::<()>().await;
        }
        self.0.changed.notified().await;
    }
}

/// A connection that runs, and its client's end.
fn connect(app: &Arc<App>) -> DuplexStream {
    let (client, server) = duplex(1 << 16);
    let settings = Settings { message_bytes: 1 << 16, bytes_per_second: 0, heartbeat: HEARTBEAT };
    let heartbeat = Heartbeat::new(HEARTBEAT, Tasks::here().seconds());
    tokio::spawn(run(server, Vec::new(), Behind(app.clone()), Framing::Raw, &settings, heartbeat));
    client
}

/// A client's frame, with a mask that changes nothing.
fn from_client(opcode: Opcode, payload: &str) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0x80 | opcode as u8, 0x80 | length, 0, 0, 0, 0], payload.as_bytes()].concat()
}

async fn expect(client: &mut DuplexStream, frame: &[u8]) {
    let mut came = vec![0; frame.len()];
    client.read_exact(&mut came).await.unwrap();
    assert_eq!(came, frame);
}

/// Most of what an idle connection takes, and of what each packet has to touch.
#[tokio::test]
async fn a_connection_takes_little_beside_what_is_its_endpoints() {
    let behind = Behind(Arc::default());
    let of_endpoint = size_of_val(&behind) + size_of_val(&behind.changed());
    let settings = Settings { message_bytes: 1 << 16, bytes_per_second: 0, heartbeat: HEARTBEAT };
    let heartbeat = Heartbeat::new(HEARTBEAT, Tasks::here().seconds());
    let (_, server) = duplex(1);
    let connection = run(server, Vec::new(), behind, Framing::Raw, &settings, heartbeat);
    let bytes = size_of_val(&connection) - of_endpoint;
    assert!(bytes <= 320, "{bytes}");
}

#[tokio::test(start_paused = true)]
async fn the_others_have_their_turn_between_two_batches() {
    let app = Arc::new(App::default());
    (0..5).for_each(|number| app.say(&number.to_string()));
    let mut client = connect(&app);
    let mut seen = Vec::new();
    while seen.last() != Some(&0) {
        seen.push(app.due.lock().unwrap().len());
        yield_now().await;
    }
    assert_eq!(seen, [5, 4, 3, 2, 1, 0]);
    for number in 0..5_u8 {
        expect(&mut client, &[0x81, 1, b'0' + number]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_come_may_change_what_there_is_to_wait_for() {
    let app = Arc::new(App::default());
    let mut client = connect(&app);
    yield_now().await;
    client.write_all(&from_client(Opcode::Text, "hello")).await.unwrap();
    while app.heard.lock().unwrap().is_empty() {
        yield_now().await;
    }
    yield_now().await;
    let begin = Instant::now();
    app.say("a");
    expect(&mut client, &[0x81, 1, b'a']).await;
    assert!(begin.elapsed() < HEARTBEAT / 2, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_is_asked_and_then_ended() {
    let (mut client, begin) = (connect(&Arc::default()), Instant::now());
    for _ in 0..3 {
        expect(&mut client, &[0x89, 0]).await;
        client.write_all(&from_client(Opcode::Pong, "")).await.unwrap();
    }
    assert!((3 * 25..3 * 27).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    expect(&mut client, &[0x89, 0]).await;
    let asked = Instant::now();
    expect(&mut client, b"\x88\x11\x0f\xa5no sign of life").await;
    assert!((10..12).contains(&asked.elapsed().as_secs()), "{:?}", asked.elapsed());
}

/// Of an application that hears a message a second, with so many that it has not heard yet.
async fn connect_with_more_than_is_read(messages: usize) -> (Arc<App>, DuplexStream) {
    let app = Arc::new(App { pause: Duration::from_secs(1), ..App::default() });
    let mut client = connect(&app);
    client.write_all(&from_client(Opcode::Text, "a").repeat(messages)).await.unwrap();
    (app, client)
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_is_missed_while_it_is_read_slowly() {
    let (app, client) = connect_with_more_than_is_read(1_000).await;
    drop(client);
    let begin = Instant::now();
    while Arc::strong_count(&app) > 1 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(begin.elapsed() < 2 * HEARTBEAT, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_is_read_slowly_need_not_answer_before_it_is_read() {
    let (app, mut client) = connect_with_more_than_is_read(60).await;
    let begin = Instant::now();
    for seconds in [25, 50, 75] {
        expect(&mut client, &[0x89, 0]).await;
        assert!((seconds..seconds + 5).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    }
    assert_eq!(app.heard.lock().unwrap().len(), 60);
    expect(&mut client, b"\x88\x11\x0f\xa5no sign of life").await;
    assert!((85..90).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
}
