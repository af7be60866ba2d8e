//! Values that have the right type and still make no sense.

use std::path::Path;

use super::{Config, ConfigError, OpenTera};

/// The shortest admin token: 16 characters, so that it cannot be guessed over the network.
const TOKEN_CHARACTERS: usize = 16;

/// The least `message_bytes`: below it not even a candidate passes.
const LEAST_MESSAGE_BYTES: usize = 1024;

/// The most that any `_secs` may be: a year, which the clocks can count on from now.
const MOST_SECS: u64 = 365 * 24 * 60 * 60;

pub(super) fn validate(config: &Config) -> Result<(), ConfigError> {
    let (server, webrtc, limits) = (&config.server, &config.webrtc, &config.limits);
    let url = &server.public_url;
    let token = server.admin_token.len();
    let ports_end = usize::from(webrtc.local_base_port) + usize::from(webrtc.max_sessions);
    let checks = [
        (
            url.is_empty() || url.starts_with("http://") || url.starts_with("https://"),
            "server.public_url",
            "must begin with http:// or https://".to_owned(),
        ),
        (
            server.tls.is_none() || !url.starts_with("http://"),
            "server.public_url",
            "must begin with https:// where there is [server.tls]".to_owned(),
        ),
        (
            server.tls.as_ref().is_none_or(|tls| !tls.cert.is_empty()),
            "server.tls.cert",
            "must name a PEM file".to_owned(),
        ),
        (
            server.tls.as_ref().is_none_or(|tls| !tls.key.is_empty()),
            "server.tls.key",
            "must name a PEM file".to_owned(),
        ),
        (
            token == 0 || token >= TOKEN_CHARACTERS,
            "server.admin_token",
            format!("has {token} characters, needs {TOKEN_CHARACTERS} or none"),
        ),
        (!webrtc.hostname.is_empty(), "webrtc.hostname", "must not be empty".to_owned()),
        (webrtc.max_sessions > 0, "webrtc.max_sessions", "must be at least 1".to_owned()),
        (webrtc.local_base_port > 0, "webrtc.local_base_port", "must be at least 1".to_owned()),
        (
            ports_end <= 65536,
            "webrtc.local_base_port",
            format!("with max_sessions the pool would end at port {}", ports_end.saturating_sub(1)),
        ),
        (
            webrtc.working_directory.is_empty() || Path::new(&webrtc.working_directory).is_dir(),
            "webrtc.working_directory",
            format!("{} is no directory", webrtc.working_directory),
        ),
        (
            webrtc.turn.as_ref().is_none_or(|turn| !turn.urls.is_empty()),
            "webrtc.turn.urls",
            "must name a server".to_owned(),
        ),
        (
            webrtc.turn.as_ref().is_none_or(|turn| !turn.secret.is_empty()),
            "webrtc.turn.secret",
            "must not be empty".to_owned(),
        ),
        (
            webrtc.turn.as_ref().is_none_or(|turn| turn.ttl_secs > 0),
            "webrtc.turn.ttl_secs",
            "must be at least 1".to_owned(),
        ),
        (
            limits.easyrtc_bytes >= LEAST_MESSAGE_BYTES,
            "limits.easyrtc_bytes",
            format!("must be at least {LEAST_MESSAGE_BYTES}; an offer is about 6 KB"),
        ),
        (
            webrtc.script.is_empty() || !webrtc.executable.is_empty(),
            "webrtc.script",
            "needs webrtc.executable".to_owned(),
        ),
        (
            limits.message_bytes >= LEAST_MESSAGE_BYTES,
            "limits.message_bytes",
            format!("must be at least {LEAST_MESSAGE_BYTES}; an offer is about 6 KB"),
        ),
        (limits.handshake_secs > 0, "limits.handshake_secs", "must be at least 1".to_owned()),
    ];
    let wrong = checks.into_iter().find(|(fine, ..)| !fine);
    wrong.map_or(Ok(()), |(_, key, problem)| Err(ConfigError::Value { key, problem }))?;
    seconds(config)?;
    config.opentera.as_ref().map_or(Ok(()), opentera)
}

fn seconds(config: &Config) -> Result<(), ConfigError> {
    let (sessions, limits) = (&config.sessions, &config.limits);
    let all = [
        (config.webrtc.turn.as_ref().map_or(0, |turn| turn.ttl_secs), "webrtc.turn.ttl_secs"),
        (sessions.creator_grace_secs, "sessions.creator_grace_secs"),
        (sessions.resume_grace_secs, "sessions.resume_grace_secs"),
        (limits.handshake_secs, "limits.handshake_secs"),
        (limits.keyless_secs, "limits.keyless_secs"),
        (limits.heartbeat_secs, "limits.heartbeat_secs"),
    ];
    let wrong = all.into_iter().find(|(secs, _)| *secs > MOST_SECS);
    wrong.map_or(Ok(()), |(_, key)| {
        Err(ConfigError::Value { key, problem: format!("must be at most {MOST_SECS}, which is a year") })
    })
}

fn opentera(opentera: &OpenTera) -> Result<(), ConfigError> {
    let wrong = |key, problem: String| Err(ConfigError::Value { key, problem });
    let OpenTera { service_name, backend, redis } = opentera;
    let empty = [
        (service_name, "opentera.service_name"),
        (&backend.hostname, "opentera.backend.hostname"),
        (&redis.hostname, "opentera.redis.hostname"),
    ];
    if let Some((_, key)) = empty.into_iter().find(|(value, _)| value.is_empty()) {
        return wrong(key, "must not be empty".to_owned());
    }
    match std::fs::metadata(&backend.ca_file) {
        Err(error) if !backend.ca_file.is_empty() => {
            wrong("opentera.backend.ca_file", format!("{}: {error}", backend.ca_file))
        }
        _ => Ok(()),
    }
}
