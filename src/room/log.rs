//! A room's log: what was said, rendered once, kept until everybody concerned has read past it.

use std::collections::VecDeque;

use super::PeerId;
use super::message::{Message, Messages};
use crate::wire::{Form, Text};

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

/// How much memory a log takes at first: enough for a word, and as much as is quickly had and given back.
const FIRST_BYTES: usize = 1024;

/// How much more it takes at least: enough for what a client says at once.
const MORE_BYTES: usize = 4096;

/// Where an entry's text stands among all that was ever said in its room, in bytes.
type Place = usize;

#[derive(Debug)]
struct Entry {
    audience: Audience,
    begin: Place,
    length: usize,
    /// How many readers have not passed it yet.
    unread: usize,
    /// The text again, once something other than the log keeps it, or somebody has it in another form.
    shared: Option<Message>,
}

/// The entries that somebody has still to read, the oldest first. Their texts stand one after the other, since most are
/// copied from there to those who read and then are over: a text with memory of its own costs more than what is done with it.
#[derive(Debug, Default)]
pub struct Log {
    first: Cursor,
    entries: VecDeque<Entry>,
    texts: String,
    /// Nothing from here on is for one alone.
    apart_until: Cursor,
    /// Where `texts` begins, before which nothing is kept. Behind it there may be some of which nothing is any more.
    begin: Place,
}

/// An entry that is being read.
pub struct Said<'a> {
    text: &'a str,
    shared: &'a mut Option<Message>,
}

impl Said<'_> {
    /// The text, as it was given.
    pub fn text(&self) -> &str {
        self.text
    }

    /// It in a form.
    #[inline]
    pub fn form(&mut self, form: Form, messages: &mut Messages) -> &str {
        match form {
            Form::Plain => self.text,
            Form::Quoted => {
                let message = share(self.text, self.shared, messages);
                messages.form(message, form).as_str()
            }
        }
    }

    /// For one more who keeps it.
    pub fn message(&mut self, messages: &mut Messages) -> Message {
        let message = share(self.text, self.shared, messages);
        messages.share(message)
    }
}

/// What an entry is kept as by others than the log, which counts it no more itself.
fn share<'a>(text: &str, shared: &'a mut Option<Message>, messages: &mut Messages) -> &'a Message {
    shared.get_or_insert_with(|| {
        messages.uncount(text.len());
        messages.keep(text.into())
    })
}

impl Log {
    /// Where the next entry will stand.
    pub fn end(&self) -> Cursor {
        self.first + self.entries.len() as Cursor
    }

    /// Bytes of message text kept.
    pub fn bytes(&self) -> usize {
        self.entries.front().map_or(0, |oldest| self.end_place() - oldest.begin)
    }

    fn end_place(&self) -> Place {
        self.begin + self.texts.len()
    }

    /// Appends an entry that `readers` cursors have still to pass. It counts among `messages`, as all entries do.
    pub fn append(&mut self, audience: Audience, text: &str, readers: usize, messages: &mut Messages) {
        messages.count(text.len());
        self.make_room(text.len());
        self.entries.push_back(Entry {
            audience,
            begin: self.end_place(),
            length: text.len(),
            unread: readers,
            shared: None,
        });
        self.texts.push_str(text);
        if matches!(audience, Audience::Only(_)) {
            self.apart_until = self.end();
        }
        if readers == 0 {
            self.trim(messages);
        }
    }

    /// For a text of so many bytes: first that of texts which are over, so that a log takes not much more memory than it counts.
    fn make_room(&mut self, bytes: usize) {
        if self.texts.capacity() - self.texts.len() >= bytes {
            return;
        }
        let kept = self.bytes();
        let over = self.texts.len() - kept;
        if over > kept / 4 {
            self.texts.drain(..over);
            self.begin += over;
        }
        let least = if kept == 0 { FIRST_BYTES } else { MORE_BYTES };
        self.texts.reserve_exact(bytes.max(kept / 4).max(least));
    }

    /// Drops the oldest entries until at most `limit` bytes are kept. Readers whose cursor is then
    /// before [`Log::first`] have fallen behind and must be told.
    pub fn shorten(&mut self, limit: usize, messages: &mut Messages) {
        while self.bytes() > limit && self.pop(messages) {}
    }

    /// Where the oldest kept entry stands.
    pub fn first(&self) -> Cursor {
        self.first
    }

    /// Bytes kept from a cursor on.
    pub fn bytes_from(&self, cursor: Cursor) -> usize {
        let entry = self.entries.get(self.at(cursor.max(self.first)));
        entry.map_or(0, |entry| self.end_place() - entry.begin)
    }

    /// Where in `entries` a cursor is that has not fallen off.
    fn at(&self, cursor: Cursor) -> usize {
        usize::try_from(cursor - self.first).expect("a reader's cursor is in the log")
    }

    /// The text at a cursor, if there is one and nothing from there on is for one alone.
    pub fn common(&mut self, cursor: Cursor, messages: &mut Messages) -> Option<&Text> {
        let at = self.at(cursor);
        let Entry { begin, length, shared, .. } = self.entries.get_mut(at).filter(|_| cursor >= self.apart_until)?;
        let text = &self.texts[*begin - self.begin..][..*length];
        Some(share(text, shared, messages).text())
    }

    /// Moves a cursor on by so many entries, of which its reader has the texts already. Answers how many bytes they are. What nobody
    /// has still to read goes with the next [`Log::read`].
    pub fn pass(&mut self, cursor: &mut Cursor, count: usize) -> usize {
        let at = self.at(*cursor);
        *cursor += count as Cursor;
        let mut bytes = 0;
        for entry in self.entries.range_mut(at..at + count) {
            entry.unread -= 1;
            bytes += entry.length;
        }
        bytes
    }

    /// Moves a cursor on, until at least `most` bytes were handed over of what is for `peer` on the way, or all was. Answers
    /// how many were.
    pub fn read(
        &mut self,
        cursor: &mut Cursor,
        peer: PeerId,
        most: usize,
        messages: &mut Messages,
        mut take: impl FnMut(&mut Messages, Said<'_>),
    ) -> usize {
        let (mut next, mut taken) = (self.at(*cursor), 0);
        while taken < most
            && let Some(Entry { audience, begin, length, unread, shared }) = self.entries.get_mut(next)
        {
            *unread -= 1;
            if audience.includes(peer) {
                taken += *length;
                let text = &self.texts[*begin - self.begin..][..*length];
                take(messages, Said { text, shared });
            }
            next += 1;
        }
        *cursor = self.first + next as Cursor;
        self.trim(messages);
        taken
    }

    fn trim(&mut self, messages: &mut Messages) {
        while self.entries.front().is_some_and(|entry| entry.unread == 0) {
            self.pop(messages);
        }
        // Room is given back once a burst is over: most sessions are idle most of the time.
        if self.entries.is_empty() {
            self.begin = self.end_place();
            self.texts = String::new();
            match self.entries.capacity() > 64 {
                true => self.entries = VecDeque::new(),
                // The next ones stand where these stood, which the processor still has at hand.
                false => self.entries.clear(),
            }
        }
    }

    /// Whether there was one.
    fn pop(&mut self, messages: &mut Messages) -> bool {
        let Some(Entry { shared, length, .. }) = self.entries.pop_front() else { return false };
        match shared {
            Some(message) => messages.give_back(message),
            None => messages.uncount(length),
        }
        self.first += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &mut Log, cursor: &mut Cursor, peer: PeerId, messages: &mut Messages) -> Vec<String> {
        let mut got = Vec::new();
        log.read(cursor, peer, usize::MAX, messages, |_, said| got.push(said.text().to_owned()));
        got
    }

    #[test]
    fn entries_reach_their_audience_and_are_freed_when_all_have_passed() {
        let (mut log, mut messages) = (Log::default(), Messages::default());
        let (mut one, mut two) = (log.end(), log.end());
        for (audience, text) in [(Audience::All, "a"), (Audience::AllBut(1), "b"), (Audience::Only(1), "c")] {
            log.append(audience, text, 2, &mut messages);
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
            log.append(Audience::All, "xxxx", 1, &mut messages);
        }
        let mut count = 0;
        log.read(&mut cursor, 1, 6, &mut messages, |_, _| count += 1);
        assert_eq!((count, cursor), (2, 2));
    }

    /// However long somebody is behind, and is never quite done.
    #[test]
    fn a_log_takes_little_more_memory_than_it_keeps() {
        let (mut log, mut messages) = (Log::default(), Messages::default());
        let mut cursor = log.end();
        for count in 0..5_000 {
            let text = format!("{count:300}");
            log.append(Audience::All, &text, 1, &mut messages);
            if count >= 100 {
                let mut read = String::new();
                log.read(&mut cursor, 1, 1, &mut messages, |_, said| read.push_str(said.text()));
                assert_eq!(read, format!("{:300}", count - 100));
            }
        }
        assert_eq!((log.bytes(), messages.bytes()), (30_000, 30_000));
        assert!(log.texts.capacity() < 2 * 30_000, "{}", log.texts.capacity());
        while log.read(&mut cursor, 1, 1, &mut messages, |_, _| ()) > 0 {}
        assert_eq!((log.texts.capacity(), messages.bytes()), (0, 0));
    }

    #[test]
    fn a_log_keeps_no_more_than_its_limit() {
        let (mut log, mut messages) = (Log::default(), Messages::default());
        for _ in 0..10 {
            log.append(Audience::All, "xxxx", 1, &mut messages);
            log.shorten(10, &mut messages);
        }
        assert_eq!((log.bytes(), log.first(), messages.bytes()), (8, 8, 8));
    }
}
