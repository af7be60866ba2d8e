//! Connections that have shown no key yet: a client of Engine.IO 4 may bring it with its CONNECT, and one of the videre
//! protocol may name the session with its first packet.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// How many a session has at once. They are not among its peers, or whoever has no key could keep
/// those out who have one.
pub(super) const MOST: usize = 128;

/// How many of them may be of one address.
const MOST_OF_ADDRESS: usize = 32;

/// Those of one session.
#[derive(Debug, Default)]
pub(super) struct Keyless {
    addresses: Mutex<Vec<IpAddr>>,
}

/// One of them; dropped when its key has come, or it is gone.
#[derive(Debug)]
pub(super) struct Place {
    keyless: Arc<Keyless>,
    address: IpAddr,
}

impl Keyless {
    /// A place for one more of an address, unless there are as many as there may be.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = addresses.iter().filter(|other| **other == address).count();
        if addresses.len() >= MOST || of_address >= MOST_OF_ADDRESS {
            return None;
        }
        addresses.push(address);
        Some(Place { keyless: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut addresses = self.keyless.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = addresses.iter().position(|other| *other == self.address) {
            addresses.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_session_have_their_number() {
        let keyless = Arc::new(Keyless::default());
        let address = |last| IpAddr::from([192, 0, 2, last]);
        let mut of_one: Vec<_> = std::iter::from_fn(|| keyless.enter(address(1))).collect();
        assert_eq!(of_one.len(), MOST_OF_ADDRESS);
        of_one.pop();
        assert!(keyless.enter(address(1)).is_some(), "a place is given back");
        let all: Vec<_> = (2..200).map_while(|last| keyless.enter(address(last))).collect();
        assert_eq!(all.len() + of_one.len(), MOST);
        drop((all, of_one));
        assert!(keyless.addresses.lock().unwrap().is_empty());
    }
}
