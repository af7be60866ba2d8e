//! What goes into OpenTera's lists of logs, and what does not: the log of the process is handed on, so each test has it alone.

#[path = "support/server.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod server;
#[path = "support/opentera_site.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod site;
#[path = "support/tera.rs"]
#[allow(dead_code, reason = "each test binary uses what it needs of it")]
mod tera;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use server::QUIET;
use site::Site;
use tokio::sync::{Mutex, MutexGuard};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use viderehab::control::opentera::log::Forward;

const WARNINGS: &str = "log.warning";
const ERRORS: &str = "log.error";

/// A service that is alone in the process.
struct Alone {
    site: Site,
    _place: MutexGuard<'static, ()>,
}

impl Alone {
    async fn start() -> Self {
        static PLACE: Mutex<()> = Mutex::const_new(());
        let place = PLACE.lock().await;
        Self { site: Site::start().await, _place: place }
    }

    /// How many lines Redis was given, taken or not, once no more come.
    async fn pushed(&self) -> usize {
        let mut before = None;
        for _ in 0..20 {
            let text: String = self.site.redis.ask(&["INFO", "commandstats"]).await;
            let pushed =
                text.split_once("cmdstat_rpush:calls=").map_or("0", |(_, rest)| rest.split_once(',').unwrap().0);
            let now = pushed.parse().unwrap();
            if before.replace(now) == Some(now) {
                return now;
            }
            tokio::time::sleep(QUIET).await;
        }
        panic!("lines go out and out");
    }

    async fn length(&self, list: &str) -> usize {
        self.site.redis.ask(&["LLEN", list]).await
    }
}

/// Counts what the process's log tells of Redis.
#[derive(Clone, Default)]
struct Told(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Told {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == Level::WARN && event.metadata().target().contains("opentera::redis") {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A Redis without memory, or that is read only: it answers, and takes no line.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn that_redis_takes_no_line_is_told_once_and_not_to_redis() {
    let told = Told::default();
    let _log = tracing_subscriber::registry().with(Forward).with(told.clone()).set_default();
    let alone = Alone::start().await;
    let begin = alone.pushed().await;
    for outage in 1..=2 {
        alone.site.redis.ask::<()>(&["SET", WARNINGS, "no list"]).await;
        let before = alone.pushed().await;
        for _ in 0..3 {
            tracing::warn!("we degraded");
            // Other lines are taken meanwhile, and are no end of the outage.
            tracing::error!("somebody must act");
        }
        assert_eq!(alone.pushed().await, before + 6, "nothing but what was said, {begin} before");
        assert_eq!(told.0.load(Ordering::Relaxed), outage);
        alone.site.redis.ask::<()>(&["DEL", WARNINGS]).await;
        tracing::warn!("and go on");
        alone.pushed().await;
        assert_eq!(alone.length(WARNINGS).await, 1);
    }
    alone.site.server.app.stop().await;
}

/// Whoever asks for pages without a token, again and again, does not fill the server's memory.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn refused_requests_of_pages_are_noted_a_few_a_minute() {
    let alone = Alone::start().await;
    let before = alone.length(ERRORS).await;
    for _ in 0..100 {
        assert_eq!(alone.site.server.get("/participant").await.status, 403);
    }
    alone.pushed().await;
    assert_eq!(alone.length(ERRORS).await - before, 20);
    alone.site.server.app.stop().await;
}

/// The server's proxy may look for the pages at the port of its own record.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn another_port_than_that_of_the_record_is_warned_of() {
    let _log = tracing_subscriber::registry().with(Forward).set_default();
    let alone = Alone::start().await;
    alone.pushed().await;
    let lines: Vec<Vec<u8>> = alone.site.redis.ask(&["LRANGE", WARNINGS, "0", "-1"]).await;
    let told: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
    assert!(told.iter().any(|line| line.contains("service_port=4070")), "{told:?}");
    alone.site.server.app.stop().await;
}
