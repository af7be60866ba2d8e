//! Who the service is, as OpenTera's Redis says, and its token.

use redis::{Cmd, RedisError};
use serde::Deserialize;

use super::redis::Redis;
use super::token;

/// Who the service is.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// In events.
    pub service_uuid: String,
    /// In topics and as the events' context.
    pub service_key: String,
    /// The port that the server's records name for the pages.
    pub port: Option<u16>,
    /// What REST calls carry.
    pub token: String,
}

/// `service.<name>` in Redis; what else is in it is not needed.
#[derive(Deserialize)]
struct Information {
    service_uuid: String,
    service_key: String,
    service_port: Option<u16>,
}

/// Why the service does not know who it is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Redis is away, or says no.
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    /// The server has not written the key yet, or has disabled the service.
    #[error("Redis has no key {0}: the OpenTera server is not up, or the service is disabled")]
    Absent(String),
    /// The key does not hold what it should.
    #[error("the key {0} in Redis cannot be read: {1}")]
    Unreadable(String, serde_json::Error),
}

impl Identity {
    /// Reads it from Redis, with a fresh token.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub async fn read(redis: &Redis, name: &str) -> Result<Self, IdentityError> {
        let key = format!("service.{name}");
        let information = get(redis, &key).await?;
        let information: Information =
            serde_json::from_slice(&information).map_err(|error| IdentityError::Unreadable(key, error))?;
        let secret = get(redis, "ServiceTokenAPIKey").await?;
        let now = jiff::Timestamp::now().as_second().unsigned_abs();
        Ok(Self {
            token: token::of_service(&secret, &information.service_uuid, now),
            service_uuid: information.service_uuid,
            service_key: information.service_key,
            port: information.service_port,
        })
    }

    /// The two topics on which calls come in.
    pub fn call_topics(&self) -> [String; 2] {
        [&self.service_key, &self.service_uuid].map(|name| format!("service.{name}.rpc"))
    }
}

async fn get(redis: &Redis, key: &str) -> Result<Vec<u8>, IdentityError> {
    let value: Option<Vec<u8>> = redis.ask(&Cmd::get(key)).await?;
    value.ok_or_else(|| IdentityError::Absent(key.to_owned()))
}
