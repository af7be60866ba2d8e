//! What a packet may not do.

use crate::wire::videre::PacketError;

/// Why a packet is answered by an error packet. Its `Display` is that packet's Payload.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0}")]
    Packet(PacketError),
    #[error("connect first: this connection is in no room")]
    NotConnected,
    #[error("Header.UserId is not the one this connection gave in its connect")]
    ForeignUser,
    #[error("Header.RoomId is not the room this connection is in")]
    ForeignRoom,
    #[error("the session has {0} rooms, its limit")]
    TooManyRooms(usize),
    #[error("resume is the first packet of a connection that has a key, or none")]
    LateResume,
    #[error("Payload of ack is not the number of packets that have arrived")]
    Ack,
}

/// Whether two JSON texts mean the same value; no text is equal to no text only.
pub(super) fn same_json(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            let value = |text| serde_json::from_str::<serde_json::Value>(text).ok();
            one == other || value(one).is_some_and(|one| Some(one) == value(other))
        }
        (None, None) => true,
        _ => false,
    }
}
