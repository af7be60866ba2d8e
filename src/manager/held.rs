//! The sessions that the manager holds, found by their id and by whose next session replaces them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::media::Media;
use super::record::{Owner, Record};

/// A session that the manager holds.
pub(super) struct Held {
    pub(super) record: Arc<Record>,
    /// What serves it. An OpenTera server's session is held without, too.
    pub(super) media: Option<Media>,
}

/// What sessions have in common of which one ends the other: standalone their owner, with an OpenTera server their
/// creator, and there nobody is a creator too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Tie {
    Owner(Owner),
    Creator(Option<String>),
}

impl Tie {
    fn all_of(record: &Record) -> impl Iterator<Item = Self> {
        let creator = Self::Creator(record.session.session_creator_uuid.clone());
        record.owner().map(Self::Owner).into_iter().chain([creator])
    }
}

/// All of them. What one start costs does not grow with how many there are.
#[derive(Default)]
pub(super) struct HeldSessions {
    sessions: HashMap<i64, Held>,
    by_tie: HashMap<Tie, BTreeSet<i64>>,
}

impl HeldSessions {
    pub(super) fn get(&self, id: i64) -> Option<&Held> {
        self.sessions.get(&id)
    }

    /// What serves a session, which may be changed.
    pub(super) fn media(&mut self, id: i64) -> Option<&mut Media> {
        self.sessions.get_mut(&id)?.media.as_mut()
    }

    /// The sessions with a tie, by id.
    pub(super) fn tied(&self, tie: &Tie) -> impl Iterator<Item = i64> {
        self.by_tie.get(tie).into_iter().flatten().copied()
    }

    pub(super) fn insert(&mut self, id: i64, held: Held) {
        self.remove(id);
        for tie in Tie::all_of(&held.record) {
            self.by_tie.entry(tie).or_default().insert(id);
        }
        self.sessions.insert(id, held);
    }

    pub(super) fn remove(&mut self, id: i64) -> Option<Held> {
        let held = self.sessions.remove(&id)?;
        for tie in Tie::all_of(&held.record) {
            if let Some(tied) = self.by_tie.get_mut(&tie) {
                tied.remove(&id);
                if tied.is_empty() {
                    self.by_tie.remove(&tie);
                }
            }
        }
        Some(held)
    }

    /// Puts a session's record in the place of the one that it had.
    pub(super) fn replace_record(&mut self, id: i64, record: Arc<Record>) {
        if let Some(Held { media, .. }) = self.remove(id) {
            self.insert(id, Held { record, media });
        }
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = (i64, Held)> {
        self.by_tie.clear();
        self.sessions.drain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::manage::Start;

    fn held(owner: i64) -> Held {
        let start = Start { id_creator_user: Some(owner), ..Start::default() };
        Held { record: Arc::new(Record::new(1, &start)), media: None }
    }

    fn tied(held: &HeldSessions, record: &Record) -> Vec<i64> {
        held.tied(&Tie::Owner(record.owner().unwrap())).collect()
    }

    #[test]
    fn sessions_are_found_by_their_owner_as_long_as_they_are_held() {
        let mut all = HeldSessions::default();
        let (sixes, sevens) = (held(6).record, held(7).record);
        all.insert(1, held(6));
        all.insert(2, held(6));
        all.insert(3, held(7));
        assert_eq!((tied(&all, &sixes), tied(&all, &sevens)), (vec![1, 2], vec![3]));
        all.replace_record(2, sevens.clone());
        assert_eq!((tied(&all, &sixes), tied(&all, &sevens)), (vec![1], vec![2, 3]));
        assert!(all.remove(1).is_some() && all.remove(1).is_none());
        assert_eq!((tied(&all, &sixes), all.tied(&Tie::Creator(None)).count()), (vec![], 2));
        assert_eq!(all.drain().count(), 2);
        assert!(all.by_tie.is_empty() && all.get(2).is_none());
    }
}
