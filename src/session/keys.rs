//! The keys of a session: one for each role, a personal one for each invitee.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::random;
use crate::wire::manage::Role;

/// 22 letters and digits hold 131 random bits.
const KEY_CHARACTERS: usize = 22;

/// How many of the keys that were taken are remembered.
const TAKEN_KEYS: usize = 16;

/// A secret that lets its holder into a session. URL-safe; shown by nothing.
#[derive(Clone, Serialize, Deserialize)]
pub struct Key(String);

impl Key {
    /// A fresh one from the system's random source.
    pub fn random() -> Self {
        Self(random::alphanumeric(KEY_CHARACTERS))
    }

    /// The secret itself, for a URL.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether this is the key, in a time that tells nothing of where they differ.
    pub fn is(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Key(…)")
    }
}

/// What a key gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What its holder is.
    pub role: Role,
    /// Who its holder is, if the key is personal: the invitee's uuid.
    pub identity: Option<String>,
    /// The key's number in its session, so that what one key opened can be told from another's.
    pub key: u64,
}

/// The number that stands for no key: a keyless client.
pub const NO_KEY: u64 = 0;

impl Grant {
    /// What a keyless client has once it has named the session.
    pub fn keyless() -> Self {
        Self { role: Role::Participant, identity: None, key: NO_KEY }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    number: u64,
    role: Role,
    uuid: Option<String>,
    key: Key,
}

impl Entry {
    fn grant(&self) -> Grant {
        Grant { role: self.role, identity: self.uuid.clone(), key: self.number }
    }
}

/// All keys of a session. Written to the store as it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyRing {
    entries: Vec<Entry>,
    next: u64,
    /// All roles have one key, and nobody one of their own.
    #[serde(default)]
    shared: bool,
    /// Keys that were taken a while ago: whoever comes with one is told why.
    #[serde(skip)]
    taken: VecDeque<(u64, Key)>,
}

impl KeyRing {
    /// A key for each role.
    pub fn new() -> Self {
        let mut ring = Self { entries: Vec::new(), next: NO_KEY + 1, shared: false, taken: VecDeque::new() };
        for role in Role::ALL {
            ring.add(role, None);
        }
        ring
    }

    /// One key, a version 4 uuid, for all roles: for an engine of its own, which knows no other.
    pub fn shared(key: &str) -> Self {
        let mut ring = Self::new();
        ring.entries.iter_mut().for_each(|entry| entry.key = Key(key.to_owned()));
        ring.shared = true;
        ring
    }

    fn add(&mut self, role: Role, uuid: Option<String>) {
        // Sessions are many and their keys few.
        self.entries.reserve_exact(1);
        self.entries.push(Entry { number: self.next, role, uuid, key: Key::random() });
        self.next += 1;
    }

    /// Gives an invitee a key; whoever has one keeps it.
    pub fn invite(&mut self, role: Role, uuid: &str) {
        if !self.shared && self.personal(role, uuid).is_none() {
            self.add(role, Some(uuid.to_owned()));
        }
    }

    /// Takes an invitee's key, if there is one.
    pub fn revoke(&mut self, role: Role, uuid: &str) {
        let is_it = |entry: &Entry| entry.role == role && entry.uuid.as_deref() == Some(uuid);
        let Some(at) = self.entries.iter().position(is_it) else { return };
        let Entry { number, key, .. } = self.entries.remove(at);
        if self.taken.len() == TAKEN_KEYS {
            self.taken.pop_front();
        }
        self.taken.push_back((number, key));
    }

    /// The number of a key that was taken not long ago.
    pub fn taken(&self, presented: &str) -> Option<u64> {
        self.taken.iter().find(|(_, key)| key.is(presented)).map(|(number, _)| *number)
    }

    /// What the key of this number gives, if it has not been taken.
    pub fn grant(&self, number: u64) -> Option<Grant> {
        self.entries.iter().find(|entry| entry.number == number).map(Entry::grant)
    }

    /// Whether the key of this number has not been taken.
    pub fn holds(&self, number: u64) -> bool {
        self.entries.iter().any(|entry| entry.number == number)
    }

    /// The numbers of all keys.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.entries.iter().map(|entry| entry.number)
    }

    /// The key of a role.
    pub fn role(&self, role: Role) -> &Key {
        let found = self.entries.iter().find(|entry| entry.role == role && entry.uuid.is_none());
        &found.expect("role keys are made first and never revoked").key
    }

    /// The key of an invitee.
    pub fn personal(&self, role: Role, uuid: &str) -> Option<&Key> {
        let found = self.entries.iter().find(|entry| entry.role == role && entry.uuid.as_deref() == Some(uuid));
        found.map(|entry| &entry.key)
    }

    /// Each invitee with the key, in the order of their invitations.
    pub fn invitees(&self) -> impl Iterator<Item = (Role, &str, &Key)> {
        self.entries.iter().filter_map(|entry| Some((entry.role, entry.uuid.as_deref()?, &entry.key)))
    }

    /// What a presented key gives. Every entry is compared, whichever fits.
    pub fn check(&self, presented: &str) -> Option<Grant> {
        let mut grant = None;
        for entry in &self.entries {
            if entry.key.is(presented) {
                grant = Some(entry.grant());
            }
        }
        grant
    }
}

impl Default for KeyRing {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_give_role_and_identity() {
        let mut ring = KeyRing::new();
        ring.invite(Role::User, "ann");
        let key = ring.personal(Role::User, "ann").unwrap().reveal().to_owned();
        let grant = ring.check(&key).unwrap();
        assert_eq!((grant.role, grant.identity.as_deref()), (Role::User, Some("ann")));
        let role = ring.check(ring.role(Role::Device).reveal()).unwrap();
        assert_eq!((role.role, role.identity), (Role::Device, None));
        assert_eq!(ring.check(""), None);
        assert_eq!(ring.check("x"), None);
    }

    #[test]
    fn a_uuid_named_twice_has_one_key_and_a_new_invitation_gives_a_new_one() {
        let mut ring = KeyRing::new();
        ring.invite(Role::Participant, "bob");
        let first = ring.personal(Role::Participant, "bob").unwrap().reveal().to_owned();
        ring.invite(Role::Participant, "bob");
        assert_eq!(ring.invitees().count(), 1);
        ring.revoke(Role::User, "bob");
        assert!(ring.check(&first).is_some(), "it is the participant's");
        ring.revoke(Role::Participant, "bob");
        ring.invite(Role::Participant, "bob");
        assert!(ring.check(&first).is_none() && ring.taken(&first).is_some());
        (0..TAKEN_KEYS).for_each(|_| {
            ring.revoke(Role::Participant, "bob");
            ring.invite(Role::Participant, "bob");
        });
        assert!(ring.taken(&first).is_none(), "not for ever");
    }

    #[test]
    fn keys_are_long_random_and_hidden() {
        let keys: std::collections::HashSet<String> = (0..1000).map(|_| Key::random().0).collect();
        assert_eq!(keys.len(), 1000);
        assert!(
            keys.iter().all(|key| key.len() == KEY_CHARACTERS && key.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        );
        let used: std::collections::HashSet<char> = keys.iter().flat_map(|key| key.chars()).collect();
        assert_eq!(used.len(), 62);
        assert_eq!(format!("{:?}", Key::random()), "Key(…)");
    }
}
