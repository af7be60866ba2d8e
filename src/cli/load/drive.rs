//! What a crowd says, and how that is heard.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::crowd::{Crowd, Peer};
use super::packet::{Figures, Template};
use super::process::cpu_time;

/// How long the last packets may take to arrive.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// How many events are taken from the system at once.
const EVENTS: usize = 1024;

/// That packets of [`Pace::Rate`] are due; peers are numbered from 0.
const TICK: Token = Token(usize::MAX);

/// How many of them are said at once at most: mostly it is one, since the poller wakes for what is heard, too. A tick for each
/// took the load half as much again, and on a machine of two processors the server felt that.
const PACKETS_A_TICK: f64 = 3.0;

/// So as not to do nothing else.
const SHORTEST_TICK: Duration = Duration::from_micros(50);

/// When a peer speaks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// So many packets of each speaker are under way: the next is said when the member after it in its room has heard
    /// one. The server is as busy as it can be.
    Window(usize),
    /// So many packets a second, all speakers together, whatever has been heard; evenly, as those are said who do not wait
    /// for each other.
    Rate(f64),
}

/// What a crowd is to do.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Bytes of a packet's Payload.
    pub bytes: usize,
    /// When it is said.
    pub pace: Pace,
    /// How many members of a room speak; 0: all. They are spread evenly over those who joined it: a relay serves members in
    /// some order, by which the first or the last of them are heard from sooner than others.
    pub speakers: usize,
    /// For how long. What is said in the first tenth of it is not measured.
    pub time: Duration,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Packets that were heard: each once and each sender's in order, or there is no outcome.
    pub heard: u64,
    /// From the first packet that was measured to the last that was heard.
    pub took: Duration,
    /// The processor time of the crowd itself meanwhile.
    pub own_cpu: Duration,
    /// Nanoseconds from saying to hearing, sorted; those over four seconds count as such.
    latencies: Vec<u32>,
}

impl Outcome {
    /// How long that share of the packets took at most; 0.5 is the median.
    pub fn latency(&self, share: f64) -> Duration {
        let at = (self.latencies.len().saturating_sub(1) as f64 * share) as usize;
        Duration::from_nanos(self.latencies.get(at).copied().unwrap_or(0).into())
    }
}

impl Crowd {
    /// Does the work, and waits until all has been heard. `measured` is called when what is measured begins.
    ///
    /// # Errors
    /// A connection that ends, or a packet that is lost, doubled or out of order.
    pub fn drive(&mut self, work: &Work, measured: impl FnOnce()) -> io::Result<Outcome> {
        let mut drive = Drive::new(self, work);
        drive.run(measured)
    }
}

/// A crowd at work.
struct Drive<'a> {
    crowd: &'a mut Crowd,
    templates: Vec<Template>,
    work: Work,
    begin: Instant,
    /// The peers that speak; and who is to do so next, for [`Pace::Rate`].
    speakers: Vec<usize>,
    next: usize,
    /// Who may say one more packet, for [`Pace::Window`].
    due: Vec<usize>,
    unheard: u64,
    heard: u64,
    latencies: Vec<u32>,
}

impl<'a> Drive<'a> {
    fn new(crowd: &'a mut Crowd, work: &Work) -> Self {
        let speaks = |peer: &Peer| speaks(peer.member, crowd.rooms[peer.room].members.len(), work.speakers);
        let speakers: Vec<usize> = (0..crowd.len()).filter(|place| speaks(&crowd.peers[*place])).collect();
        let due = match work.pace {
            Pace::Window(window) => speakers.iter().flat_map(|place| std::iter::repeat_n(*place, window)).collect(),
            Pace::Rate(_) => Vec::new(),
        };
        let (templates, begin) = (crowd.templates(work.bytes), Instant::now());
        let work = *work;
        Self { crowd, templates, work, begin, speakers, next: 0, due, unheard: 0, heard: 0, latencies: Vec::new() }
    }

    fn run(&mut self, measured: impl FnOnce()) -> io::Result<Outcome> {
        let warm = self.work.time / 10;
        let mut measured = Some(measured);
        let (mut since, mut own_cpu) = (Duration::ZERO, Duration::ZERO);
        let mut events = Events::with_capacity(EVENTS);
        let ticks = self.ticks()?;
        loop {
            let now = self.begin.elapsed();
            if now >= warm
                && let Some(measured) = measured.take()
            {
                (since, own_cpu) = (now, own_cpu_time());
                self.heard = 0;
                self.latencies.clear();
                measured();
            }
            let over = now >= self.work.time;
            if over && self.unheard == 0 {
                break;
            }
            if now > self.work.time + DRAIN_TIME {
                return Err(io::Error::other(format!("{} packets were never heard", self.unheard)));
            }
            if !over {
                self.speak(now)?;
            }
            self.crowd.poll.poll(&mut events, Some(Duration::from_millis(1)))?;
            for event in &events {
                match event.token() {
                    // The next one comes when this one is taken.
                    TICK => ticks.iter().try_for_each(TimerFd::wait)?,
                    Token(place) => self.hear(place)?,
                }
            }
        }
        self.latencies.sort_unstable();
        Ok(Outcome {
            heard: self.heard,
            took: self.begin.elapsed() - since,
            own_cpu: own_cpu_time() - own_cpu,
            latencies: std::mem::take(&mut self.latencies),
        })
    }

    /// What wakes the poller when packets are due: what it waits for by itself are milliseconds, after each of which many would be
    /// said at once, which then cost the server less.
    fn ticks(&self) -> io::Result<Option<TimerFd>> {
        let Pace::Rate(rate) = self.work.pace else { return Ok(None) };
        let ticks = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?;
        let period =
            TimeSpec::from_duration(Duration::from_secs_f64((PACKETS_A_TICK / rate).min(1.0)).max(SHORTEST_TICK));
        ticks.set(Expiration::Interval(period), TimerSetTimeFlags::empty())?;
        let descriptor = ticks.as_fd().as_raw_fd();
        self.crowd.poll.registry().register(&mut SourceFd(&descriptor), TICK, Interest::READABLE)?;
        Ok(Some(ticks))
    }

    /// Says what is due by now.
    fn speak(&mut self, now: Duration) -> io::Result<()> {
        if let Pace::Rate(rate) = self.work.pace {
            let due = (now.as_secs_f64() * rate) as usize;
            while self.next < due {
                self.due.push(self.speakers[self.next % self.speakers.len()]);
                self.next += 1;
            }
        }
        let mut due = std::mem::take(&mut self.due);
        for place in &due {
            let peer = &mut self.crowd.peers[*place];
            let at = self.begin.elapsed().as_nanos() as u64;
            let figures = Figures { member: peer.member, number: peer.said, at };
            self.templates[peer.room].write(figures, &mut peer.unsent);
            peer.said += 1;
            self.unheard += self.crowd.rooms[peer.room].members.len() as u64 - 1;
        }
        for place in due.drain(..) {
            self.crowd.peers[place].flush()?;
        }
        self.due = due;
        Ok(())
    }

    /// Hears what has come to a peer.
    fn hear(&mut self, place: usize) -> io::Result<()> {
        let Self { crowd, templates, work, due, unheard, heard, latencies, begin, .. } = self;
        let Crowd { peers, rooms, buffer, .. } = &mut **crowd;
        let now = begin.elapsed().as_nanos() as u64;
        let is_closed_loop = matches!(work.pace, Pace::Window(_));
        peers[place].receive(buffer, |peer, text| {
            let Some(Figures { member, number, at }) = templates[peer.room].read(text) else { return Ok(()) };
            let expected = peer.heard.get_mut(member).ok_or_else(|| io::Error::other("a packet of nobody"))?;
            if number != *expected {
                let problem = format!("packet {number} of member {member} came where {expected} was due");
                return Err(io::Error::other(problem));
            }
            *expected += 1;
            *unheard = unheard.checked_sub(1).ok_or_else(|| io::Error::other("more was heard than said"))?;
            *heard += 1;
            latencies.push(u32::try_from(now.saturating_sub(at)).unwrap_or(u32::MAX));
            let members = &rooms[peer.room].members;
            if is_closed_loop && peer.member == (member + 1) % members.len() {
                due.push(members[member]);
            }
            Ok(())
        })?;
        peers[place].flush()
    }
}

/// Whether a member of a room with so many is one of its speakers.
fn speaks(member: usize, members: usize, speakers: usize) -> bool {
    speakers == 0 || member * speakers % members < speakers
}

fn own_cpu_time() -> Duration {
    cpu_time(std::process::id()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use mio::Poll;

    use super::*;

    #[test]
    fn speakers_are_spread_over_their_room() {
        let speakers = |members, speakers| -> Vec<usize> {
            (0..members).filter(|member| speaks(*member, members, speakers)).collect()
        };
        assert_eq!(speakers(50, 4), [0, 13, 25, 38]);
        assert_eq!((speakers(2, 0), speakers(2, 1), speakers(3, 9)), (vec![0, 1], vec![0], vec![0, 1, 2]));
        for members in 2..40 {
            assert!((1..=members).all(|count| speakers(members, count).len() == count), "{members} members");
        }
    }

    #[test]
    fn a_rate_ticks_on_and_on() {
        let poll = Poll::new().unwrap();
        let mut crowd = Crowd { poll, peers: Vec::new(), rooms: Vec::new(), buffer: Box::default() };
        let work = Work { bytes: 0, pace: Pace::Rate(10_000.0), speakers: 0, time: Duration::ZERO };
        let mut drive = Drive::new(&mut crowd, &work);
        let (ticks, begin) = (drive.ticks().unwrap(), Instant::now());
        let mut events = Events::with_capacity(1);
        for _ in 0..5 {
            drive.crowd.poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
            assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [TICK]);
            ticks.as_ref().unwrap().wait().unwrap();
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
        drop(ticks);
        drive.work.pace = Pace::Rate(f64::MIN_POSITIVE);
        drop(drive.ticks().unwrap());
        drive.crowd.poll.poll(&mut events, Some(Duration::from_millis(1))).unwrap();
        assert!(events.is_empty());
    }
}
