//! A room's log: what was said, rendered once, kept until everybody concerned has read past it.

use std::collections::VecDeque;

use super::PeerId;
use super::message::{Message, Messages};

/// A place in a log: the number of the next entry to read, counted from the log's beginning.
pub type Cursor = u64;

/// Whom an entry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Every member.
    All,
    /// Every member but this one.
    AllBut(PeerId),
    /// This one alone.
    Only(PeerId),
}

impl Audience {
    /// Whether it is for this peer.
    pub fn includes(self, peer: PeerId) -> bool {
        match self {
            Self::All => true,
            Self::AllBut(other) => other != peer,
            Self::Only(one) => one == peer,
        }
    }
}

#[derive(Debug)]
struct Entry {
    audience: Audience,
    message: Message,
    /// How many readers have not passed it yet.
    unread: usize,
}

/// The entries that somebody has still to read, the oldest first.
#[derive(Debug, Default)]
pub struct Log {
    first: Cursor,
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Log {
    /// Where the next entry will stand.
    pub fn end(&self) -> Cursor {
        self.first + self.entries.len() as Cursor
    }

    /// Bytes of message text kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends an entry that `readers` cursors have still to pass. Its message is one of `messages`, as those of all entries are.
    pub fn append(&mut self, audience: Audience, message: Message, readers: usize, messages: &mut Messages) {
        self.bytes += message.bytes();
        self.entries.push_back(Entry { audience, message, unread: readers });
        self.trim(messages);
    }

    /// Drops the oldest entries until at most `limit` bytes are kept. Readers whose cursor is then
    /// before [`Log::first`] have fallen behind and must be told.
    pub fn shorten(&mut self, limit: usize, messages: &mut Messages) {
        while self.bytes > limit && self.pop(messages) {}
    }

    /// Where the oldest kept entry stands.
    pub fn first(&self) -> Cursor {
        self.first
    }

    /// Bytes of message text that a reader at this cursor has still to pass.
    pub fn bytes_from(&self, cursor: Cursor) -> usize {
        let passed = usize::try_from(cursor.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.entries.iter().skip(passed).map(|entry| entry.message.bytes()).sum()
    }

    /// The message at a cursor, if it and all that [`Log::read`] hands over with it, by the same bound, is for `peer`: all of
    /// whom that holds are handed the same there, those who come later perhaps more.
    pub fn common(&self, cursor: Cursor, peer: PeerId, most: usize) -> Option<&Message> {
        let at = usize::try_from(cursor - self.first).expect("a reader's cursor is in the log");
        let (mut next, mut taken) = (at, 0);
        while taken < most
            && let Some(entry) = self.entries.get(next)
        {
            if !entry.audience.includes(peer) {
                return None;
            }
            taken += entry.message.bytes();
            next += 1;
        }
        self.entries.get(at).map(|entry| &entry.message)
    }

    /// Moves a cursor on, until at least `most` bytes were handed over of what is for `peer` on the way, or all was. Answers
    /// how many were.
    pub fn read(
        &mut self,
        cursor: &mut Cursor,
        peer: PeerId,
        most: usize,
        messages: &mut Messages,
        mut take: impl FnMut(&mut Messages, &Message),
    ) -> usize {
        let mut taken = 0;
        while taken < most && *cursor < self.end() {
            let at = usize::try_from(*cursor - self.first).expect("a reader's cursor is in the log");
            let entry = &mut self.entries[at];
            entry.unread -= 1;
            if entry.audience.includes(peer) {
                taken += entry.message.bytes();
                take(messages, &entry.message);
            }
            *cursor += 1;
        }
        self.trim(messages);
        taken
    }

    fn trim(&mut self, messages: &mut Messages) {
        while self.entries.front().is_some_and(|entry| entry.unread == 0) {
            self.pop(messages);
        }
        // A burst's room is given back once it is over: most sessions are idle most of the time.
        if self.entries.is_empty() && self.entries.capacity() > 64 {
            self.entries = VecDeque::new();
        }
    }

    /// Whether there was one.
    fn pop(&mut self, messages: &mut Messages) -> bool {
        let Some(Entry { message, .. }) = self.entries.pop_front() else { return false };
        self.bytes -= message.bytes();
        messages.give_back(message);
        self.first += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Text;

    fn read(log: &mut Log, cursor: &mut Cursor, peer: PeerId, messages: &mut Messages) -> Vec<String> {
        let mut got = Vec::new();
        log.read(cursor, peer, usize::MAX, messages, |_, message| got.push(message.text().as_str().to_owned()));
        got
    }

    #[test]
    fn entries_reach_their_audience_and_are_freed_when_all_have_passed() {
        let (mut log, mut messages) = (Log::default(), Messages::default());
        let (mut one, mut two) = (log.end(), log.end());
        for (audience, text) in [(Audience::All, "a"), (Audience::AllBut(1), "b"), (Audience::Only(1), "c")] {
            let message = messages.keep(Text::from(text));
            log.append(audience, message, 2, &mut messages);
        }
        assert_eq!(read(&mut log, &mut one, 1, &mut messages), ["a", "c"]);
        assert_eq!(log.bytes(), 3);
        assert_eq!(read(&mut log, &mut two, 2, &mut messages), ["a", "b"]);
        assert_eq!((log.bytes(), log.first(), log.end()), (0, 3, 3));
        assert_eq!(messages.bytes(), 0);
    }

    #[test]
    fn reading_stops_after_a_batch() {
        let (mut log, mut messages) = (Log::default(), Messages::default());
        let mut cursor = log.end();
        for _ in 0..5 {
            let message = messages.keep("xxxx".into());
            log.append(Audience::All, message, 1, &mut messages);
        }
        let mut count = 0;
        log.read(&mut cursor, 1, 6, &mut messages, |_, _| count += 1);
        assert_eq!((count, cursor), (2, 2));
    }

    #[test]
    fn a_log_keeps_no_more_than_its_limit() {
        let (mut log, mut messages) = (Log::default(), Messages::default());
        for _ in 0..10 {
            let message = messages.keep("xxxx".into());
            log.append(Audience::All, message, 1, &mut messages);
            log.shorten(10, &mut messages);
        }
        assert_eq!((log.bytes(), log.first(), messages.bytes()), (8, 8, 8));
    }
}
