//! Seconds that many wait for together: to look how late it is is to read a number, and who waits has no timer of its own.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::yield_now;

const SECOND: Duration = Duration::from_secs(1);

/// So many are woken at once, then what has come meanwhile has its turn: thousands may have come in the same second.
const WAKES_AT_ONCE: usize = 64;

/// The seconds of a runtime, on which all are polled who wait for them. They pass as long as anybody does.
#[derive(Default)]
pub struct Seconds {
    passed: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// By the second that they wait for, and by number.
    wakers: BTreeMap<(u64, u64), Waker>,
    next: u64,
    is_passing: bool,
}

impl Seconds {
    fn passed(&self) -> u64 {
        self.passed.load(Ordering::Acquire)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SECOND).await;
            let Some(due) = self.next() else { return };
            for some in due.chunks(WAKES_AT_ONCE) {
                some.iter().for_each(Waker::wake_by_ref);
                yield_now().await;
            }
        }
    }

    /// One more has passed: those who waited for it. `None`: nobody waits any more, for any.
    fn next(&self) -> Option<Vec<Waker>> {
        let mut waiting = self.waiting();
        waiting.is_passing = !waiting.wakers.is_empty();
        let passed = self.passed.fetch_add(1, Ordering::AcqRel) + 1;
        let mut due = Vec::new();
        while let Some(first) = waiting.wakers.first_entry()
            && first.key().0 <= passed
        {
            due.push(first.remove());
        }
        waiting.is_passing.then_some(due)
    }
}

/// What one waits with.
pub struct Alarm {
    seconds: Arc<Seconds>,
    /// The second that it is set to; `None`: none.
    due: Option<NonZeroU64>,
    /// Where it stands among those who wait, until that second.
    place: Option<(u64, u64)>,
}

impl Alarm {
    /// Set to no time.
    pub fn new(seconds: Arc<Seconds>) -> Self {
        Self { seconds, due: None, place: None }
    }

    /// Sets it anew: to when so much time is over, or up to a second more. Zero: to no time.
    pub fn set(&mut self, after: Duration) {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.due = if seconds > 0 { NonZeroU64::new(self.seconds.passed() + seconds + 1) } else { None };
    }

    /// Ready when it is time, until it is set anew. Always for the same task: whoever is set to a later time than before stays
    /// where it waits, and finds there that it is too early.
    pub fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        let Some(due) = self.due.map(NonZeroU64::get) else { return Poll::Pending };
        let passed = self.seconds.passed();
        if passed >= due {
            return Poll::Ready(());
        }
        match self.place {
            Some((second, _)) if passed < second && second <= due => Poll::Pending,
            _ => self.wait(due, context.waker()),
        }
    }

    fn wait(&mut self, due: u64, waker: &Waker) -> Poll<()> {
        let mut waiting = self.seconds.waiting();
        if let Some(place) = self.place.take() {
            waiting.wakers.remove(&place);
        }
        // Looked at again: where they are looked for no second passes.
        if self.seconds.passed() >= due {
            return Poll::Ready(());
        }
        let place = (due, waiting.next);
        waiting.next += 1;
        waiting.wakers.insert(place, waker.clone());
        self.place = Some(place);
        if !waiting.is_passing {
            waiting.is_passing = true;
            tokio::spawn(self.seconds.clone().pass());
        }
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.seconds.waiting().wakers.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::Instant;

    use super::*;

    async fn ring(alarm: &mut Alarm) {
        poll_fn(|context| alarm.poll(context)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_rings_within_a_second_of_its_time_and_not_before() {
        let seconds = Arc::<Seconds>::default();
        for millis in [1, 1_000, 1_001, 25_000] {
            let (mut alarm, begin) = (Alarm::new(seconds.clone()), Instant::now());
            let after = Duration::from_millis(millis);
            alarm.set(after);
            ring(&mut alarm).await;
            let (elapsed, late) = (begin.elapsed(), Duration::from_secs(2));
            assert!(elapsed >= after && elapsed < after + late, "{millis} ms: {elapsed:?}");
            ring(&mut alarm).await;
            assert_eq!(begin.elapsed(), elapsed, "it rings until it is set anew");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_set_anew_rings_by_its_new_time() {
        let mut alarm = Alarm::new(Arc::default());
        for (at_first, then) in [(5, 60), (60, 5)] {
            alarm.set(Duration::from_secs(at_first));
            let early = tokio::time::timeout(Duration::from_secs(3), ring(&mut alarm)).await;
            assert!(early.is_err());
            let begin = Instant::now();
            alarm.set(Duration::from_secs(then));
            ring(&mut alarm).await;
            assert!((then..then + 2).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
        }
        alarm.set(Duration::ZERO);
        assert!(tokio::time::timeout(Duration::from_secs(1_000), ring(&mut alarm)).await.is_err(), "set to no time");
    }

    #[tokio::test(start_paused = true)]
    async fn seconds_pass_only_while_somebody_waits() {
        let seconds = Arc::<Seconds>::default();
        let mut alarms: Vec<Alarm> = (0..1_000).map(|_| Alarm::new(seconds.clone())).collect();
        for alarm in &mut alarms {
            alarm.set(Duration::from_secs(10));
            assert!(tokio::time::timeout(Duration::ZERO, ring(alarm)).await.is_err());
        }
        assert_eq!(seconds.waiting().wakers.len(), 1_000);
        for mut alarm in alarms.drain(500..) {
            ring(&mut alarm).await;
        }
        drop(alarms);
        tokio::time::sleep(2 * SECOND).await;
        let passed = seconds.passed();
        assert!(seconds.waiting().wakers.is_empty() && !seconds.waiting().is_passing);
        tokio::time::sleep(10 * SECOND).await;
        assert_eq!(seconds.passed(), passed);
        let mut again = Alarm::new(seconds);
        again.set(SECOND);
        ring(&mut again).await;
    }
}
