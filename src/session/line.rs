//! A line: what a connection and the peer that it serves know each other by. A peer that opted in can
//! outlive its line and get another.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use futures_util::task::AtomicWaker;
use tokio::task::yield_now;

use crate::room::DisconnectReason;

/// There is something new, and nobody has looked yet.
const NEWS: u8 = 1;
/// Whoever waits for news is to be told at the end of the turn.
const QUEUED: u8 = 2;
/// It has been told, and has not heard it yet.
const TOLD: u8 = 4;

thread_local! {
    static TURN: RefCell<Turn> = RefCell::default();
}

/// How many are told before it is looked what has come meanwhile. Those after them in a large room are then told of that, too, and
/// write it with what they are told for; and other rooms do not have to wait for all of them.
const TOLD_AT_ONCE: usize = 32;

/// Who on this thread is to be told at the end of its turn, when all that has come has been read: whoever is told at once has
/// to be told again of what its neighbour's message brings.
#[derive(Default)]
struct Turn {
    lines: VecDeque<Arc<Line>>,
    teller: Option<Waker>,
}

impl Turn {
    /// Hands over who is to be told first, once there is anybody. Whether there are others.
    fn poll(&mut self, first: &mut Vec<Arc<Line>>, context: &Context<'_>) -> Poll<bool> {
        if self.lines.is_empty() {
            self.teller = Some(context.waker().clone());
            return Poll::Pending;
        }
        first.extend(self.lines.drain(..self.lines.len().min(TOLD_AT_ONCE)));
        Poll::Ready(!self.lines.is_empty())
    }

    /// Adds one. `None`: nobody tells on this thread.
    fn add(&mut self, line: &Arc<Line>) -> Option<()> {
        let teller = self.teller.as_ref()?;
        if self.lines.is_empty() {
            teller.wake_by_ref();
        }
        self.lines.push_back(line.clone());
        Some(())
    }
}

/// Tells at the end of each turn, as long as its thread runs: one for each thread that sessions live on.
pub async fn tell_each_turn() {
    let mut first = Vec::with_capacity(TOLD_AT_ONCE);
    loop {
        let are_others = poll_fn(|context| TURN.with_borrow_mut(|turn| turn.poll(&mut first, context))).await;
        first.drain(..).for_each(|line: Arc<Line>| line.tell());
        if are_others {
            yield_now().await;
        }
    }
}

/// One connection's end of it.
#[derive(Default)]
pub struct Line {
    news: AtomicU8,
    waiter: AtomicWaker,
    /// Why the connection ends although its peer may not.
    pub end: OnceLock<DisconnectReason>,
}

impl Line {
    /// There is something new.
    pub fn wake(self: &Arc<Self>) {
        if self.news.fetch_or(NEWS | QUEUED, Ordering::AcqRel) & QUEUED == 0 {
            // From other threads, as those of the manager, it is told at once.
            let added = TURN.try_with(|turn| turn.borrow_mut().add(self));
            added.ok().flatten().unwrap_or_else(|| self.tell());
        }
    }

    fn tell(&self) {
        // In this order, so that whoever wakes meanwhile queues it anew.
        self.news.fetch_and(!QUEUED, Ordering::AcqRel);
        self.news.fetch_or(TOLD, Ordering::AcqRel);
        self.waiter.wake();
    }

    /// Completes when it has been told that there is something new, since it last did. One waiter at a time.
    pub fn changed(&self) -> impl Future<Output = ()> {
        poll_fn(|context| {
            // In a busy room there mostly is something, and then nobody has to be registered.
            if self.is_told() {
                return Poll::Ready(());
            }
            self.waiter.register(context.waker());
            if self.is_told() { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    /// Whether it has been told, and has not heard it yet, which it then has.
    fn is_told(&self) -> bool {
        // Looked at first: mostly it has not, and to take it is dear.
        self.news.load(Ordering::Acquire) & TOLD != 0 && self.news.fetch_and(!TOLD, Ordering::AcqRel) & TOLD != 0
    }

    /// Whether there is a reason to look, which there then is no longer.
    pub fn look(&self) -> bool {
        self.news.fetch_and(!NEWS, Ordering::AcqRel) & NEWS != 0
    }

    /// Not all was looked at.
    pub fn look_again(&self) {
        self.news.fetch_or(NEWS, Ordering::AcqRel);
    }

    /// The connection is to end. The first reason counts.
    pub fn cut(self: &Arc<Self>, reason: DisconnectReason) {
        let _ = self.end.set(reason);
        self.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};

    use super::*;

    fn is_told(changed: Pin<&mut impl Future<Output = ()>>) -> bool {
        changed.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// As many turns as those of a thread that sessions live on.
    async fn a_turn_goes_by() {
        for _ in 0..3 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_comes_meanwhile_is_heard_before_many_are_told() {
        tokio::spawn(tell_each_turn());
        a_turn_goes_by().await;
        let lines: Vec<Arc<Line>> = (0..3 * TOLD_AT_ONCE + 1).map(|_| Arc::default()).collect();
        let told = || lines.iter().filter(|line| line.news.load(Ordering::Relaxed) & TOLD != 0).count();
        lines.iter().for_each(|line| line.wake());
        for turn in 1..=3 {
            while told() == (turn - 1) * TOLD_AT_ONCE {
                yield_now().await;
            }
            assert_eq!(told(), turn * TOLD_AT_ONCE);
            // One that is still to be told is told once, one that was told is told anew behind all others.
            lines[0].wake();
            lines[3 * TOLD_AT_ONCE].wake();
        }
        assert!(is_told(pin!(lines[0].changed())));
        a_turn_goes_by().await;
        assert_eq!(told(), 3 * TOLD_AT_ONCE + 1);
        assert!(is_told(pin!(lines[0].changed())));
    }

    #[tokio::test]
    async fn all_of_a_turn_is_told_at_its_end() {
        tokio::spawn(tell_each_turn());
        a_turn_goes_by().await;
        for count in [1, 16] {
            let lines: Vec<Arc<Line>> = (0..count).map(|_| Arc::default()).collect();
            for _ in 0..3 {
                lines.iter().for_each(|line| line.wake());
                assert!(
                    lines.iter().all(|line| !is_told(pin!(line.changed())) && line.look()),
                    "looked at, and not told"
                );
            }
            a_turn_goes_by().await;
            assert!(lines.iter().all(|line| is_told(pin!(line.changed()))));
            a_turn_goes_by().await;
            assert!(lines.iter().all(|line| !is_told(pin!(line.changed())) && !line.look()), "told once");
        }
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_by_another_thread() {
        let line = Arc::<Line>::default();
        let other = line.clone();
        std::thread::spawn(move || other.wake());
        line.changed().await;
        assert!(line.look() && !is_told(pin!(line.changed())));
    }
}
