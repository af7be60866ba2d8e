//! What one may see of a session from outside.

use std::time::Instant;

use serde::Serialize;

use super::Session;
use super::connection::Attached;
use crate::room::PeerId;
use crate::wire::manage::Role;

/// A connection, as `/api/sessions` shows it.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the names say what they hold")]
pub struct PeerInfo {
    pub id: PeerId,
    pub role: Role,
    pub identity: Option<String>,
    pub user_id: Option<serde_json::Value>,
    pub room: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub easyrtcid: Option<String>,
    pub carrier: &'static str,
    pub connected_secs: u64,
    /// Its connection is lost, and its seat held.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_lost: bool,
}

impl Session {
    /// Bytes of messages that it keeps for its clients.
    pub fn held_bytes(&self) -> usize {
        let state = self.state();
        state.rooms.held_bytes() + state.easyrtc.as_ref().map_or(0, |clients| clients.held_bytes())
    }

    /// Who is connected now, in order of connecting.
    pub fn peers(&self) -> Vec<PeerInfo> {
        let state = self.state();
        let now = Instant::now();
        let info = |id, attached: &Attached| PeerInfo {
            id,
            role: attached.grant.role,
            identity: attached.grant.identity.clone(),
            user_id: None,
            room: None,
            easyrtcid: None,
            carrier: attached.carrier.name(),
            is_lost: attached.is_lost,
            connected_secs: now.saturating_duration_since(attached.since).as_secs(),
        };
        let videre = state.rooms.peers().map(|(id, view)| PeerInfo {
            user_id: view.user_id.and_then(|text| serde_json::from_str(text).ok()),
            room: view.room.map(str::to_owned),
            ..info(id, view.attached)
        });
        let easyrtc = state.easyrtc.iter().flat_map(|clients| clients.views());
        let easyrtc = easyrtc.map(|(id, attached, room, easyrtcid)| PeerInfo { room, easyrtcid, ..info(id, attached) });
        let mut peers: Vec<PeerInfo> = videre.chain(easyrtc).collect();
        peers.sort_unstable_by_key(|peer| peer.id);
        peers
    }
}
