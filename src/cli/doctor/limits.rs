//! How many descriptors the system gives, against what full sessions take.

use rustix::process::{Resource, getrlimit};

use super::Finding;
use crate::config::Config;

/// What the program needs for itself: its runtime, store, log, Redis, and requests that come and go.
const OWN: u64 = 100;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    // Absent: without a limit.
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    vec![judged(limit, u64::from(config.webrtc.max_sessions), config.limits.peers as u64)]
}

/// `peers` of a session; 0: as many as come.
fn judged(limit: u64, sessions: u64, peers: u64) -> Finding {
    let what = "open files";
    let listeners = sessions + OWN;
    let full = listeners.saturating_add(sessions.saturating_mul(peers));
    let fix = |wanted: u64| {
        format!(
            "LimitNOFILE={wanted} in the systemd unit, or `ulimit -n {wanted}` before the start; this is the limit of this shell"
        )
    };
    if limit < listeners + 2 * sessions {
        let found = format!("{limit} are allowed, {sessions} sessions of two need {}", listeners + 2 * sessions);
        return Finding::error(what, found, fix(full.max(listeners + 2 * sessions)));
    }
    if peers == 0 {
        let found = format!("{limit} are allowed; with limits.peers = 0 no number is enough for certain");
        return Finding::warning(what, found, "set limits.peers to what a session may have");
    }
    let found = format!("{limit} are allowed, {sessions} sessions of limits.peers = {peers} need {full}");
    if limit < full { Finding::warning(what, found, fix(full)) } else { Finding::ok(what, found) }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn the_limit_is_held_against_full_sessions() {
        let level = |limit, sessions, peers| judged(limit, sessions, peers).level;
        assert_eq!(level(5150, 50, 100), Level::Ok);
        assert_eq!(level(5149, 50, 100), Level::Warning);
        assert_eq!(level(249, 50, 100), Level::Error);
        assert_eq!(level(1 << 20, 50, 0), Level::Warning);
        assert_eq!(level(u64::MAX, 65535, u64::MAX), Level::Ok);
        assert!(judged(5149, 50, 100).fix.contains("LimitNOFILE=5150"));
    }
}
