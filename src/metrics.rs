//! What is counted, in Prometheus's text format.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::room::{DisconnectReason, Verdict};

/// All metrics. Cheap to update: each is an atomic number.
pub struct Metrics {
    registry: Registry,
    sessions: Gauge,
    connections: Gauge,
    starts: Counter,
    packets: Family<VerdictLabel, Counter>,
    applied: Counter,
    refused: Counter,
    disconnects: Family<ReasonLabel, Counter>,
    resumes: Family<OutcomeLabel, Counter>,
    failed_keys: Counter,
    limited: Family<LimitLabel, Counter>,
    held: Gauge,
    broken: Counter,
    refusals: Family<StatusLabel, Counter>,
    rpc: Family<StatusLabel, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabel {
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

/// A limit that somebody ran into. Who reads too slowly is among the disconnects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the limit of its name")]
pub enum Limited {
    Peers,
    ConnectionsPerAddress,
    ConnectionRate,
    SessionRate,
    AddressRate,
    FailedKeys,
    Keyless,
}

impl Limited {
    fn name(self) -> &'static str {
        match self {
            Self::Peers => "peers",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::ConnectionRate => "connection_rate",
            Self::SessionRate => "session_rate",
            Self::AddressRate => "address_rate",
            Self::FailedKeys => "failed_keys",
            Self::Keyless => "keyless",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: u16,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let packets = Family::<VerdictLabel, Counter>::default();
        let of = |verdict| packets.get_or_create(&VerdictLabel { verdict }).clone();
        let (applied, refused) = (of("applied"), of("refused"));
        let mut metrics = Self {
            registry: Registry::with_prefix("viderehab"),
            sessions: Gauge::default(),
            connections: Gauge::default(),
            starts: Counter::default(),
            packets,
            applied,
            refused,
            disconnects: Family::default(),
            resumes: Family::default(),
            failed_keys: Counter::default(),
            limited: Family::default(),
            held: Gauge::default(),
            broken: Counter::default(),
            refusals: Family::default(),
            rpc: Family::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("sessions", "Running sessions", metrics.sessions.clone());
        registry.register("connections", "Open connections to sessions", metrics.connections.clone());
        registry.register("session_starts", "Sessions started", metrics.starts.clone());
        registry.register("packets", "Packets from clients, by what became of them", metrics.packets.clone());
        registry.register("disconnects", "Connections that ended, by reason", metrics.disconnects.clone());
        registry.register(
            "resumes",
            "Clients that came back, by whether their seat was there",
            metrics.resumes.clone(),
        );
        registry.register("failed_keys", "Wrong keys and admin tokens presented", metrics.failed_keys.clone());
        registry.register(
            "limited",
            "What a limit refused (connections, keys) or slowed down (packets), by limit",
            metrics.limited.clone(),
        );
        registry.register("held_bytes", "Messages kept for those who read late or may come back", metrics.held.clone());
        registry.register(
            "broken_connections",
            "TCP connections that ended by what is no HTTP, or in the middle of a request",
            metrics.broken.clone(),
        );
        registry.register(
            "refusals",
            "Requests that were refused (a key or the admin token, an origin, a body, a limit), by status",
            metrics.refusals.clone(),
        );
        registry.register("rpc", "RPC calls over HTTP, by status", metrics.rpc.clone());
        metrics
    }

    /// A session runs.
    pub fn session_started(&self) {
        self.starts.inc();
        self.sessions.inc();
    }

    /// A session was found in the store and runs again.
    pub fn session_restored(&self) {
        self.sessions.inc();
    }

    /// A session ended.
    pub fn session_ended(&self) {
        self.sessions.dec();
    }

    /// A connection opened.
    pub fn connected(&self) {
        self.connections.inc();
    }

    /// A connection ended.
    pub fn disconnected(&self, reason: DisconnectReason) {
        self.connections.dec();
        self.disconnects.get_or_create(&ReasonLabel { reason: reason.name() }).inc();
    }

    /// So many packets were dealt with.
    pub fn packets(&self, verdict: Verdict, count: u64) {
        match verdict {
            Verdict::Applied => self.applied.inc_by(count),
            Verdict::Refused | Verdict::NotAdmitted => self.refused.inc_by(count),
        };
    }

    /// A client came back to its seat, or too late.
    pub fn resumed(&self, in_time: bool) {
        let outcome = if in_time { "resumed" } else { "anew" };
        self.resumes.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// A wrong key, or admin token, was presented.
    pub fn failed_key(&self) {
        self.failed_keys.inc();
    }

    /// A limit was reached.
    pub fn limited(&self, limit: Limited) {
        self.limited.get_or_create(&LimitLabel { limit: limit.name() }).inc();
    }

    /// What all sessions keep, in bytes, now.
    pub fn held(&self, bytes: usize) {
        self.held.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The counter of connections that broke.
    pub fn broken(&self) -> Counter {
        self.broken.clone()
    }

    /// A request was refused: by a session, or for a wrong admin token.
    pub fn refused(&self, status: u16) {
        self.refusals.get_or_create(&StatusLabel { status }).inc();
    }

    /// An RPC call over HTTP was answered.
    pub fn rpc(&self, status: u16) {
        self.rpc.get_or_create(&StatusLabel { status }).inc();
    }

    /// All of them as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String cannot fail");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
