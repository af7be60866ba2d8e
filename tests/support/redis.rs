//! A real Redis for a test, on a port of its own.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::net::TcpListener;

/// A `redis-server` of our own, gone when dropped.
pub struct Redis {
    pub port: u16,
    child: Child,
}

impl Redis {
    /// On a free port.
    pub async fn start() -> Self {
        loop {
            let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
            // Another program may have taken the port meanwhile: then with another one.
            if let Some(redis) = Self::on(port).await {
                return redis;
            }
        }
    }

    async fn on(port: u16) -> Option<Self> {
        let command = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = command.expect("redis-server is installed");
        let mut redis = Self { port, child };
        for _ in 0..200 {
            if redis.child.try_wait().unwrap().is_some() {
                return None;
            }
            let ping = async { redis::cmd("PING").query_async::<String>(&mut redis.connected().await?).await };
            if ping.await.is_ok() {
                return Some(redis);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("redis-server does not answer on port {port}");
    }

    /// Killed without a warning.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Back on the same port, empty.
    pub async fn restart(&mut self) {
        for _ in 0..100 {
            if let Some(redis) = Self::on(self.port).await {
                *self = redis;
                return;
            }
        }
        panic!("redis-server does not come back");
    }

    /// Stopped and continued by a signal: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    async fn connected(&self) -> Result<MultiplexedConnection, redis::RedisError> {
        redis::Client::open(("127.0.0.1", self.port))?.get_multiplexed_async_connection().await
    }

    pub async fn ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let mut whole = redis::cmd(command[0]);
        whole.arg(&command[1..]);
        whole.query_async(&mut self.connected().await.unwrap()).await.unwrap()
    }

    pub async fn publish(&self, topic: &str, payload: &[u8]) {
        let mut command = redis::cmd("PUBLISH");
        command.arg(topic).arg(payload);
        command.query_async::<()>(&mut self.connected().await.unwrap()).await.unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
