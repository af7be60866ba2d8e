//! A service of an OpenTera server, and what it runs on.

use std::time::Duration;

use super::server::{self, Server, config};
use super::tera::{Redis, Rest, with_opentera};

/// Everything a service needs, and the service.
pub struct Site {
    pub redis: Redis,
    pub rest: Rest,
    pub server: Server,
}

impl Site {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut viderehab::config::Config)) -> Self {
        let (redis, rest) = (Redis::start().await, Rest::start().await);
        redis.server_starts("the first key of the server 1234").await;
        let mut config = with_opentera(config(), &redis, &rest);
        change(&mut config);
        let site = Self { redis, rest, server: server::start(config).await };
        site.ready().await;
        site
    }

    /// Waits until calls come in.
    pub async fn ready(&self) {
        self.readyz(200).await;
    }

    pub async fn readyz(&self, status: u16) -> String {
        for _ in 0..1000 {
            let answer = self.server.get("/readyz").await;
            if answer.status.as_u16() == status {
                return answer.text();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("readyz does not become {status}: {}", self.server.get("/readyz").await.text());
    }
}
