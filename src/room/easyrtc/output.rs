//! What the rules put out.

use crate::room::PeerId;
use crate::wire::Text;
use crate::wire::easyrtc::{ErrorCode, Event, Name, Notice};

/// What is to be sent. The order matters for each recipient by itself.
#[derive(Debug)]
pub enum Output {
    /// The acknowledgement of the request, for its sender.
    Ack(Ack),
    /// An event for a peer. No acknowledgement need be asked for: nothing would come of it (6).
    Emit(Emit),
    /// The sender is ended: Socket.IO's disconnect packet (`41`), after what was put out before. It
    /// is still to be removed when its connection is gone.
    End,
}

/// The one argument of an acknowledgement.
#[derive(Debug)]
pub struct Ack {
    /// A JSON object.
    pub text: Text,
    /// Why the request was refused, if it was.
    pub error: Option<ErrorCode>,
}

/// An event for one peer.
#[derive(Debug, Clone)]
pub struct Emit {
    /// Whom it is for.
    pub to: PeerId,
    /// The easyrtcid of that peer, which stands in the argument.
    pub easyrtcid: Name,
    /// All else, shared with the other recipients.
    pub notice: Notice,
}

impl Emit {
    /// The event's name.
    pub fn event(&self) -> Event {
        self.notice.event()
    }

    /// Writes the event's one argument, a JSON object.
    pub fn write_argument(&self, into: &mut String) {
        self.notice.write(&self.easyrtcid, into);
    }

    /// The length of the argument in bytes.
    pub fn argument_len(&self) -> usize {
        self.notice.len(&self.easyrtcid)
    }
}
