//! The EasyRTC clients of a session, by what waits for each of them.

use std::collections::{HashMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::Limits;
use crate::room::easyrtc::{EasyRtc, Emit, Given, Limits as RoomLimits, Output, Request};
use crate::room::{DisconnectReason, Message, Messages, PeerId};
use crate::session::connection::Attached;
use crate::transport::Rest;
use crate::transport::socketio::Outgoing;

/// How much is taken from an outbox at one go.
const BATCH_BYTES: usize = 64 * 1024;

/// The EasyRTC clients of a session. Made when the first one comes.
pub struct Clients {
    rules: EasyRtc,
    members: HashMap<PeerId, Member>,
    /// What waits for all of them.
    messages: Messages,
    /// The most that waits for one client, and for all; 0: no limit.
    outbox_bytes: usize,
    session_bytes: usize,
}

/// A client whose namespace is open.
struct Member {
    attached: Attached,
    outbox: VecDeque<Due>,
    bytes: usize,
    end: Option<DisconnectReason>,
}

/// What waits for a client. An event's argument is written when it is fetched: most of it all recipients share.
enum Due {
    Acknowledgement { id: u64, argument: Message },
    Event { emit: Emit, shared: Message },
}

impl Due {
    /// The length of the argument.
    fn bytes(&self) -> usize {
        match self {
            Self::Acknowledgement { argument, .. } => argument.bytes(),
            Self::Event { emit, .. } => emit.argument_len(),
        }
    }

    fn outgoing(&self) -> Outgoing {
        match self {
            Self::Acknowledgement { id, argument } => {
                Outgoing::Acknowledgement { id: *id, argument: argument.text().clone() }
            }
            Self::Event { emit, .. } => {
                let mut argument = String::with_capacity(emit.argument_len());
                emit.write_argument(&mut argument);
                Outgoing::Event { name: emit.event().name(), argument: argument.into() }
            }
        }
    }

    /// What it keeps of [`Clients::messages`].
    fn message(self) -> Message {
        match self {
            Self::Acknowledgement { argument, .. } => argument,
            Self::Event { shared, .. } => shared,
        }
    }
}

impl Clients {
    pub fn new(limits: &Limits) -> Self {
        Self {
            rules: EasyRtc::new(RoomLimits { members: limits.room_peers, rooms: limits.rooms }),
            members: HashMap::new(),
            messages: Messages::default(),
            outbox_bytes: limits.log_bytes.max(limits.easyrtc_bytes + 4096),
            session_bytes: limits.session_bytes,
        }
    }

    /// A client's namespace is open.
    pub fn enter(&mut self, peer: PeerId, attached: Attached) {
        self.members.insert(peer, Member { attached, outbox: VecDeque::new(), bytes: 0, end: None });
        self.rules.enter(peer);
    }

    /// Applies an event of a client, whose acknowledgement has this id. Whether it was refused.
    pub fn apply(&mut self, peer: PeerId, id: Option<u64>, request: Request, given: &mut Given) -> bool {
        let outputs = self.rules.apply(peer, request, given);
        let is_refused = outputs.iter().any(|output| matches!(output, Output::Ack(ack) if ack.error.is_some()));
        self.deliver(peer, id, outputs);
        is_refused
    }

    /// Moves what is due to a client, at most a batch, and answers what is left: in the end, why it has ended.
    pub fn take(&mut self, peer: PeerId, into: &mut Vec<Outgoing>) -> Rest<DisconnectReason> {
        let Some(member) = self.members.get_mut(&peer) else { return Rest::Nothing };
        let mut taken = 0;
        while taken < BATCH_BYTES
            && let Some(due) = member.outbox.pop_front()
        {
            taken += due.bytes();
            member.bytes -= due.bytes();
            into.push(due.outgoing());
            self.messages.give_back(due.message());
        }
        match member.outbox.is_empty() {
            true => member.end.map_or(Rest::Nothing, Rest::End),
            false => Rest::More,
        }
    }

    /// Whether a client has been ended.
    pub fn has_ended(&self, peer: PeerId) -> bool {
        self.members.get(&peer).is_some_and(|member| member.end.is_some())
    }

    /// What a client is attached by, to change it.
    pub fn attached_mut(&mut self, peer: PeerId) -> Option<&mut Attached> {
        self.members.get_mut(&peer).map(|member| &mut member.attached)
    }

    /// A client's connection is gone. What it was attached by, and why it was ended, if it was.
    pub fn leave(&mut self, peer: PeerId) -> Option<(Attached, Option<DisconnectReason>)> {
        let Member { attached, end, outbox, .. } = self.members.remove(&peer)?;
        self.messages.give_all_back(outbox.into_iter().map(Due::message));
        let told = self.rules.remove(peer, now());
        self.deliver(peer, None, told);
        Some((attached, end))
    }

    /// Bytes that wait for clients.
    pub fn held_bytes(&self) -> usize {
        self.messages.bytes()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// Each with what it is attached by, its first room and its easyrtcid.
    pub fn views(&self) -> impl Iterator<Item = (PeerId, &Attached, Option<String>, Option<String>)> {
        self.members.iter().map(|(peer, member)| {
            let view = self.rules.view(*peer);
            let room = view.as_ref().and_then(|view| view.rooms.first().map(ToString::to_string));
            (*peer, &member.attached, room, view.map(|view| view.easyrtcid.to_string()))
        })
    }

    /// Ends those whom `of_them` names; the others are told at once.
    pub fn end_where(&mut self, of_them: impl Fn(&Attached) -> bool, reason: DisconnectReason) {
        let theirs = self.members.iter().filter(|(_, member)| of_them(&member.attached)).map(|(peer, _)| *peer);
        let ends = theirs.map(|peer| (peer, reason)).collect();
        self.end_all(ends);
    }

    /// Ends members, one after the other; telling the others may end further ones.
    fn end_all(&mut self, mut ends: VecDeque<(PeerId, DisconnectReason)>) {
        while let Some((peer, reason)) = ends.pop_front() {
            let Some(member) = self.members.get_mut(&peer).filter(|member| member.end.is_none()) else { continue };
            member.end = Some(reason);
            // What it did not read before, it need not read: it is told that it is over.
            self.messages.give_all_back(std::mem::take(&mut member.outbox).into_iter().map(Due::message));
            member.bytes = 0;
            member.attached.wake();
            let told = self.rules.remove(peer, now());
            ends.extend(self.put_out(peer, None, told));
        }
    }

    /// Sends out what the rules put out on an event of `sender`, whose acknowledgement has this id. Those
    /// for whom it is too much are ended after all of it, or what is still to be said of them would follow
    /// the news that they are gone.
    fn deliver(&mut self, sender: PeerId, id: Option<u64>, outputs: Vec<Output>) {
        let ends = self.put_out(sender, id, outputs);
        self.end_all(ends);
    }

    /// Likewise, and answers who is to be ended.
    fn put_out(
        &mut self,
        sender: PeerId,
        id: Option<u64>,
        outputs: Vec<Output>,
    ) -> VecDeque<(PeerId, DisconnectReason)> {
        let (mut too_slow, mut shared) = (VecDeque::new(), None::<Message>);
        for output in outputs {
            let (to, due) = match output {
                Output::Ack(ack) => match id {
                    Some(id) => (sender, Due::Acknowledgement { id, argument: self.messages.keep(ack.text) }),
                    None => continue,
                },
                Output::Emit(emit) => {
                    let text = emit.notice.shared();
                    // Those who are told the same are told it one after the other.
                    let same = shared.take_if(|shared| shared.text().is(text));
                    let same = same.unwrap_or_else(|| self.messages.keep(text.clone()));
                    let before = shared.replace(self.messages.share(&same));
                    self.messages.give_all_back(before);
                    (emit.to, Due::Event { emit, shared: same })
                }
                Output::End => {
                    if let Some(member) = self.members.get_mut(&sender) {
                        member.end.get_or_insert(DisconnectReason::NotAdmitted);
                        member.attached.wake();
                    }
                    continue;
                }
            };
            too_slow.extend(self.push(to, due).map(|peer| (peer, DisconnectReason::TooSlow)));
        }
        self.messages.give_all_back(shared);
        too_slow
    }

    /// Puts something into an outbox; answers who has too much waiting now. One message alone is never
    /// too much: a newcomer's token tells of all who are there.
    fn push(&mut self, to: PeerId, due: Due) -> Option<PeerId> {
        let Some(member) = self.members.get_mut(&to).filter(|member| member.end.is_none()) else {
            self.messages.give_back(due.message());
            return None;
        };
        member.bytes += due.bytes();
        member.outbox.push_back(due);
        member.attached.wake();
        if member.bytes > self.outbox_bytes && member.outbox.len() > 1 {
            return Some(to);
        }
        let is_over = self.session_bytes > 0 && self.messages.bytes() > self.session_bytes;
        let still_there = self.members.iter().filter(|(_, member)| member.end.is_none());
        let greatest = is_over.then(|| still_there.max_by_key(|(peer, member)| (member.bytes, **peer)));
        greatest.flatten().map(|(peer, _)| *peer)
    }
}

pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
