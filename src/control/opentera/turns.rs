//! Turns: what concerns one session is done one after the other, in order of arrival; what
//! concerns different sessions goes on side by side.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The last in each session's queue.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<Queues>>);

#[derive(Default)]
struct Queues {
    last: HashMap<i64, (u64, oneshot::Receiver<()>)>,
    next: u64,
}

/// A place in a session's queue. Dropping it lets the next one go on.
pub struct Turn {
    turns: Turns,
    session: i64,
    number: u64,
    before: Option<oneshot::Receiver<()>>,
    _done: oneshot::Sender<()>,
}

impl Turns {
    /// Takes the last place in a session's queue.
    pub fn take(&self, session: i64) -> Turn {
        let (done, over) = oneshot::channel();
        let mut queues = self.queues();
        let number = queues.next;
        queues.next += 1;
        let before = queues.last.insert(session, (number, over)).map(|(_, over)| over);
        drop(queues);
        Turn { turns: self.clone(), session, number, before, _done: done }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Waits until all who came before are done.
    pub async fn come(&mut self) {
        if let Some(before) = self.before.take() {
            // It ends when the one before drops its end; nothing is ever sent.
            let _ = before.await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queues = self.turns.queues();
        if queues.last.get(&self.session).is_some_and(|(number, _)| *number == self.number) {
            queues.last.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_of_a_session_come_in_order_and_leave_nothing() {
        let turns = Turns::default();
        let done = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for number in 0..50 {
            let (mut turn, done) = (turns.take(7), done.clone());
            tasks.push(tokio::spawn(async move {
                turn.come().await;
                tokio::task::yield_now().await;
                done.lock().unwrap().push(number);
            }));
        }
        // Another session does not wait for these.
        turns.take(8).come().await;
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*done.lock().unwrap(), (0..50).collect::<Vec<_>>());
        assert!(turns.queues().last.is_empty());
    }
}
