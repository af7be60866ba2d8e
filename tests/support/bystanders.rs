//! Two people in a session of their own, who can tell whether they still reach each other, and how fast.

use std::time::{Duration, Instant};

use serde_json::json;

use super::server::{Peer, Started, packet};

pub struct Bystanders {
    pub ann: Peer,
    pub bob: Peer,
    said: u32,
}

impl Bystanders {
    pub async fn meet(session: &Started) -> Self {
        let mut ann = session.open(&session.key("ann")).await;
        let mut bob = session.open(&session.key("bob")).await;
        ann.join("A", "main").await;
        bob.join("B", "main").await;
        assert_eq!(ann.heard().await, "connect B false");
        Self { ann, bob, said: 0 }
    }

    /// One says something and the other hears it; how long that took.
    pub async fn speak(&mut self) -> Duration {
        self.said += 1;
        let since = Instant::now();
        self.ann.say(packet("broadcast", "A", "main", json!(self.said.to_string()))).await;
        assert_eq!(self.bob.heard().await, format!("broadcast A {}", self.said));
        since.elapsed()
    }

    /// Their words still come, and soon.
    pub async fn go_on(&mut self) {
        let took = self.speak().await;
        assert!(took < Duration::from_secs(1), "their words took {took:?}");
    }

    /// The 99th of a hundred times that their words take, at so many a second.
    pub async fn p99(&mut self, per_second: u64) -> Duration {
        let mut took = Vec::new();
        let mut beat = tokio::time::interval(Duration::from_millis(1000 / per_second));
        for _ in 0..100 {
            beat.tick().await;
            took.push(self.speak().await);
        }
        took.sort_unstable();
        took[98]
    }
}
