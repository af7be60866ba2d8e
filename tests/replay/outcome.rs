//! What is told of each recording, in one line.

use std::fmt;

/// The result of one recording.
#[derive(Debug)]
pub struct Outcome {
    /// The recording's file name without `.json`.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a recording.
#[derive(Debug)]
pub enum Verdict {
    /// As recorded.
    Ok,
    /// As decided by us, for the reason given.
    Treated(&'static str),
    /// Neither: what was expected and what came.
    Failed(String),
    /// Not replayed, for the reason given.
    Skipped(&'static str),
}

impl Outcome {
    /// Whether the server did not do what it should.
    pub fn failed(&self) -> bool {
        matches!(self.verdict, Verdict::Failed(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, line: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.verdict {
            Verdict::Ok => write!(line, "ok {name}"),
            Verdict::Treated(reason) => write!(line, "treated {name}: {reason}"),
            Verdict::Failed(reason) => write!(line, "FAILED {name}: {reason}"),
            Verdict::Skipped(reason) => write!(line, "skipped {name}: {reason}"),
        }
    }
}

/// Longest text that a report shows whole, in characters: a packet or a frame, not a megabyte of them.
const LONGEST: usize = 300;
/// How much of what is alike is shown before the place where two long texts differ.
const BEFORE: usize = 60;

/// A text as a report shows it: quoted, and cut when long.
pub fn shown(text: &str) -> String {
    let all = text.chars().count();
    if all <= LONGEST {
        return format!("{text:?}");
    }
    let head: String = text.chars().take(LONGEST).collect();
    format!("{head:?}… ({all} characters)")
}

/// Two texts that differ, as a report shows them: of long ones, from about where they do.
pub fn differ(expected: &str, actual: &str) -> String {
    let alike = expected.chars().zip(actual.chars()).take_while(|(one, other)| one == other).count();
    let skipped = if expected.len().max(actual.len()) > LONGEST { alike.saturating_sub(BEFORE) } else { 0 };
    let tail = |text: &str| shown(&text.chars().skip(skipped).collect::<String>());
    let place = if skipped > 0 { format!(" (from character {skipped} on)") } else { String::new() };
    format!("expected {}, got {}{place}", tail(expected), tail(actual))
}
