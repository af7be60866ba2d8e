//! A whole server's worth of sessions, run by a seed.

use crate::model::{Choices, Seeded, easyrtc, rooms};

/// One session, with its two kinds of rooms.
struct Session {
    rooms: rooms::Session,
    easyrtc: easyrtc::Session,
}

/// Sessions of a server.
pub struct Server {
    choices: Seeded,
    sessions: Vec<Session>,
    /// How many sessions there were.
    pub started: usize,
}

impl Server {
    /// So many sessions at one time.
    pub fn new(seed: u64, sessions: usize) -> Self {
        let mut choices = Seeded(seed);
        let first = (0..sessions).map(|_| Session::new(&mut choices)).collect();
        Self { choices, sessions: first, started: sessions }
    }

    /// So many steps, each in a session of its own choice.
    ///
    /// # Panics
    /// The core did not do what it must.
    pub fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            let at = self.choices.below(self.sessions.len());
            let session = &mut self.sessions[at];
            match self.choices.one_in(4) {
                true => session.easyrtc.step(&mut self.choices),
                false => session.rooms.step(&mut self.choices),
            }
            // Now and then one ends and another, with other limits, begins.
            if self.choices.one_in(5_000) {
                self.sessions[at].finish();
                self.sessions[at] = Session::new(&mut self.choices);
                self.started += 1;
            }
        }
    }

    /// Everybody goes.
    ///
    /// # Panics
    /// Something was left.
    pub fn finish(&mut self) {
        self.sessions.iter_mut().for_each(Session::finish);
    }
}

impl Session {
    fn new(choices: &mut Seeded) -> Self {
        Self { rooms: rooms::Session::new(choices), easyrtc: easyrtc::Session::new(choices) }
    }

    fn finish(&mut self) {
        self.rooms.finish();
        self.easyrtc.finish();
    }
}
