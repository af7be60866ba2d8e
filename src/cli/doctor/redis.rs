//! The OpenTera server's Redis: whether it lets us in, and whether the server has written into it
//! what the service needs.

use ::redis::{Cmd, ErrorKind, RedisError};

use super::Finding;
use crate::config::{Config, OpenTera, Redis as Settings};
use crate::control::opentera::identity::{Identity, IdentityError};
use crate::control::opentera::redis::Redis;

/// The keys that visitors' tokens are checked with.
const TOKEN_KEYS: [&str; 5] = [
    "UserTokenAPIKey",
    "ParticipantTokenAPIKey",
    "DeviceTokenAPIKey",
    "ParticipantStaticTokenAPIKey",
    "DeviceStaticTokenAPIKey",
];

/// What to do where Redis lets us in, and then will not be read.
const READING: &str = "let opentera.redis.username GET service.* and *TokenAPIKey (`ACL GETUSER` says what it may), and see that \
     opentera.redis.db is the server's";

/// The findings, and who the service is, if Redis says so.
pub(super) async fn check(config: &Config, opentera: &OpenTera) -> (Vec<Finding>, Option<Identity>) {
    let settings = &opentera.redis;
    let (what, place) = ("opentera.redis", format!("{}:{}", settings.hostname, settings.port));
    let redis = match connected(settings).await {
        Ok(redis) => redis,
        Err(error) => return (vec![Finding::error(what, format!("{place}: {error}"), way_in(&error))], None),
    };
    let mut findings = vec![Finding::ok(what, format!("{place} lets us in"))];
    let record = format!("service.{}", opentera.service_name);
    let identity = match Identity::read(&redis, &opentera.service_name).await {
        Ok(identity) => identity,
        Err(error) => {
            findings.push(Finding::error(&record, error.to_string(), mended(&error)));
            return (findings, None);
        }
    };
    findings.push(port(&record, &identity, config.server.listen.port()));
    findings.push(token_keys(&redis).await);
    (findings, Some(identity))
}

/// A connection on which Redis has answered.
async fn connected(settings: &Settings) -> Result<Redis, RedisError> {
    let (redis, _) = Redis::new(settings)?;
    redis.ask::<String>(&::redis::cmd("PING")).await?;
    Ok(redis)
}

fn way_in(error: &RedisError) -> &'static str {
    // The name has no address, nobody answers, or what answers is no Redis.
    if matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse) {
        "start Redis, open the way to it, or set opentera.redis.hostname and port: the ones of the server's own configuration"
    } else {
        "set opentera.redis.username, password and db to those of the server's own configuration"
    }
}

fn mended(error: &IdentityError) -> &'static str {
    match error {
        IdentityError::Redis(_) => READING,
        IdentityError::Absent(_) => {
            "start the OpenTera server, see that opentera.service_name is a service that it has and has enabled, and that \
             opentera.redis.db is the server's"
        }
        IdentityError::Unreadable(..) => "restart the OpenTera server; it writes the record anew",
    }
}

/// The server's proxy looks for the pages where the record says.
fn port(record: &str, identity: &Identity, listen: u16) -> Finding {
    match identity.port.filter(|named| *named != listen && listen != 0) {
        None => Finding::ok(record, "is there, and the key of the service's token with it"),
        Some(named) => Finding::warning(
            record,
            format!("names port {named}, and server.listen has {listen}"),
            format!("set server.listen to port {named}, or the port in the server's record of the service to {listen}"),
        ),
    }
}

async fn token_keys(redis: &Redis) -> Finding {
    let what = "keys of tokens";
    let mut missing = Vec::new();
    for key in TOKEN_KEYS {
        // As the pages read them.
        match redis.ask::<Option<Vec<u8>>>(&Cmd::get(key)).await {
            Ok(Some(_)) => {}
            Ok(None) => missing.push(key),
            Err(error) => return Finding::error(what, format!("{key}: {error}"), READING),
        }
    }
    if missing.is_empty() {
        return Finding::ok(what, "all are there");
    }
    let found = format!("{} not in Redis: whoever has such a token gets no page", missing.join(", "));
    Finding::warning(what, found, "restart the OpenTera server; it writes them when it starts")
}
