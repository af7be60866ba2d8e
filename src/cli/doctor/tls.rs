//! `[server.tls]`: whether the two files belong together, to this host, and to this year.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::ParsedCertificate;

use super::Finding;
use super::validity::validity;
use crate::config::{Config, Tls};
use crate::tls::{Pair, PairError};

/// A certificate that ends within this many days is to be renewed: those that renew themselves do
/// so 30 days ahead.
const DAYS_AHEAD: i64 = 30;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    match &config.server.tls {
        None => vec![without(config)],
        Some(files) => with(config, files),
    }
}

fn without(config: &Config) -> Finding {
    let what = "server.tls";
    let base = config.public_base(config.server.listen.port());
    let host = host(&base);
    let here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    match (config.is_secure(), here) {
        (true, _) => Finding::ok(what, format!("is not set; a proxy is to serve {base}")),
        (false, true) => Finding::ok(what, format!("is not set; {base} is for browsers on this machine alone")),
        (false, false) => Finding::warning(
            what,
            format!("is not set, and browsers give no camera to pages of {base}"),
            "set [server.tls] cert and key, or server.public_url to the https address of a proxy",
        ),
    }
}

fn with(config: &Config, files: &Tls) -> Vec<Finding> {
    let (mut findings, is_there) = (vec![readers(files)], Path::new(&files.key).exists());
    let pair = match Pair::read(files) {
        Ok(pair) => pair,
        // Said of its readers.
        Err(PairError::File { key: "server.tls.key", .. }) if !is_there => return findings,
        Err(PairError::File { key, path, problem }) => {
            let fix = format!("put a PEM file there that the service's user can read, or set another {key}");
            findings.push(Finding::error(key, format!("{path}: {problem}"), fix));
            return findings;
        }
        Err(error @ PairError::Mismatch { .. }) => {
            let fix = "name the key that the certificate was made with; its first certificate must be the server's own";
            findings.push(Finding::error("server.tls.key", in_files(&error), fix));
            return findings;
        }
    };
    findings.push(Finding::ok("server.tls.key", format!("{} is the key of {}", files.key, files.cert)));
    let base = config.public_base(config.server.listen.port());
    findings.push(names(&pair, host(&base)));
    findings.push(times(&pair, &files.cert, Timestamp::now()));
    findings
}

/// The error without the key that its finding names.
fn in_files(error: &PairError) -> String {
    let text = error.to_string();
    text.split_once(": ").map_or(text.clone(), |(_, rest)| rest.to_owned())
}

/// Who can read the key.
fn readers(files: &Tls) -> Finding {
    let what = "server.tls.key";
    match std::fs::metadata(&files.key) {
        Err(error) => Finding::error(
            what,
            format!("{}: {error}", files.key),
            "put the key there, readable by the service's user, or set another server.tls.key",
        ),
        Ok(about) if about.mode() & 0o007 != 0 => Finding::error(
            what,
            format!("{} has mode {:04o}: everybody on this machine can use it", files.key, about.mode() & 0o777),
            format!("chmod o= {}, and have a new pair made if somebody may have read it", files.key),
        ),
        Ok(about) => Finding::ok(what, format!("{} has mode {:04o}", files.key, about.mode() & 0o777)),
    }
}

fn names(pair: &Pair, host: &str) -> Finding {
    let what = "server.tls.cert";
    let verified = ServerName::try_from(host).map_err(|error| error.to_string()).and_then(|name| {
        let certificate = ParsedCertificate::try_from(pair.end_entity()).map_err(|error| error.to_string())?;
        verify_server_name(&certificate, &name).map_err(|error| error.to_string())
    });
    match verified {
        Ok(()) => Finding::ok(what, format!("names {host}")),
        Err(problem) => Finding::error(
            what,
            format!("is not for {host}: {problem}"),
            "have a certificate made for that name, or set webrtc.hostname or server.public_url to the name it has",
        ),
    }
}

fn times(pair: &Pair, path: &str, now: Timestamp) -> Finding {
    let what = "server.tls.cert";
    let renew = "renew it; a running server takes the new files by itself";
    let Some((from, until)) = validity(pair.end_entity()) else {
        let fix = format!("see `openssl x509 -noout -dates -in {path}`, and have the certificate made anew");
        return Finding::warning(what, format!("the dates of {path} cannot be read"), fix);
    };
    let days = until.duration_since(now).as_hours() / 24;
    if now < from {
        return Finding::error(what, format!("is good from {from} on only"), "set this machine's clock, or wait");
    }
    if until < now {
        return Finding::error(what, format!("has ended on {until}"), renew);
    }
    let found = format!("is good until {until}, {days} more days");
    if days < DAYS_AHEAD { Finding::warning(what, found, renew) } else { Finding::ok(what, found) }
}

/// The host of `scheme://host:port/…`.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_url() {
        assert_eq!(host("https://clinic.example:443/x"), "clinic.example");
        assert_eq!(host("http://[::1]:80"), "::1");
        assert_eq!(host("https://a.example"), "a.example");
    }
}
