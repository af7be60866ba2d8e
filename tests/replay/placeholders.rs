//! The names in angle brackets that stand in recordings for what differs from run to run.
//!
//! What a client chooses (`<SESSION>`, `<NNN>`, `<T>`, `<SDP-…>`, `<CANDIDATE-n>`) and `<REPEAT:c:n>`
//! are filled in, alike on both sides of a comparison. What the server chooses (`<ENTROPY>`,
//! `<ETAG>`, `<SOCKJS_URL>`, `<HTTP-DATE …>`) is checked when it comes; a tag or an address is the
//! same whenever it comes again, and can then be sent.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};

use super::outcome::{differ, shown};

/// What the placeholders of one replay stand for.
#[derive(Default)]
pub struct Names {
    meant: HashMap<String, String>,
    entropies: HashSet<u32>,
}

impl Names {
    /// The text with everything filled in that is known: all but what the server has still to choose.
    pub fn fill(&mut self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, name, after)) = next(rest) {
            filled.push_str(before);
            match self.meaning(name) {
                Some(meaning) => filled.push_str(&meaning),
                None => filled.extend(["<", name, ">"]),
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    /// Compares a text with one that may hold placeholders of the server's choice.
    pub fn agree(&mut self, expected: &str, actual: &str) -> Result<(), String> {
        let expected = self.fill(expected);
        let differ = || differ(&expected, actual);
        let Some((before, mut name, mut after)) = next(&expected) else {
            return if expected == actual { Ok(()) } else { Err(differ()) };
        };
        let mut rest = actual.strip_prefix(before).ok_or_else(differ)?;
        loop {
            // The placeholder ends where the text up to the next one begins.
            let following = next(after);
            let literal = following.map_or(after, |(literal, ..)| literal);
            let end = match (literal, following) {
                ("", None) => Some(rest.len()),
                (literal, None) => rest.strip_suffix(literal).map(str::len),
                (literal, Some(_)) => rest.find(literal),
            };
            let end = end.ok_or_else(differ)?;
            self.accept(name, &rest[..end])?;
            rest = &rest[end + literal.len()..];
            match following {
                None => return Ok(()),
                Some((_, next_name, next_after)) => (name, after) = (next_name, next_after),
            }
        }
    }

    /// Whether a text is nothing but one placeholder, and which.
    pub fn alone(text: &str) -> Option<&str> {
        match next(text) {
            Some(("", name, "")) => Some(name),
            _ => None,
        }
    }

    /// Checks what the server put in place of a placeholder, and remembers it.
    pub fn accept(&mut self, name: &str, actual: &str) -> Result<(), String> {
        let refuse = |what: &str| Err(format!("expected {what} for <{name}>, got {}", shown(actual)));
        match name {
            "ENTROPY" => match actual.parse() {
                Err(_) => return refuse("an integer of 32 bits"),
                Ok(entropy) if !self.entropies.insert(entropy) => return refuse("a fresh number"),
                Ok(_) => return Ok(()),
            },
            "HTTP-DATE one year ahead" if a_year_ahead(actual) => return Ok(()),
            "HTTP-DATE one year ahead" => return refuse("a date one year ahead"),
            "ETAG" if !(actual.trim_start_matches("W/").starts_with('"') && actual.ends_with('"')) => {
                return refuse("an entity tag");
            }
            "SOCKJS_URL" if !(actual.starts_with('/') || actual.starts_with("http")) => {
                return refuse("an address");
            }
            _ => {}
        }
        match self.meant.get(name) {
            Some(meant) if meant != actual => Err(format!("<{name}> was {}, is {}", shown(meant), shown(actual))),
            Some(_) => Ok(()),
            None => {
                self.meant.insert(name.into(), actual.into());
                Ok(())
            }
        }
    }

    /// What a name means, where it is not for the server to say.
    fn meaning(&mut self, name: &str) -> Option<String> {
        if let Some(repeat) = name.strip_prefix("REPEAT:") {
            let (what, times) = repeat.split_once(':')?;
            return Some(what.repeat(times.parse().ok()?));
        }
        if let Some(meant) = self.meant.get(name) {
            return Some(meant.clone());
        }
        let chosen = match name.split('-').next()? {
            "SESSION" => format!("{:08x}", chance() as u32),
            "NNN" => format!("{:03}", chance() % 1000),
            "T" => Timestamp::now().as_millisecond().to_string(),
            "SDP" => format!("v=0 {name} {}", "a=candidate ".repeat(400)), // about 5 KB
            "CANDIDATE" => format!("candidate:{name} 1 udp 2113937151 127.0.0.1 50000 typ host"),
            _ => return None,
        };
        self.meant.insert(name.into(), chosen.clone());
        Some(chosen)
    }
}

/// The first placeholder of a text: what precedes it, its name, what follows. Names begin with a
/// capital letter and a capital or an underscore or end at once, which no tag of a page here does.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let start = from + text[from..].find('<')?;
        let rest = &text[start + 1..];
        let capitals = rest.bytes().take_while(|byte| byte.is_ascii_uppercase() || *byte == b'_').count();
        let end = rest.find('>')?;
        if capitals > 0 && matches!(rest.as_bytes()[capitals], b'>' | b'-' | b':') {
            return Some((&text[..start], &rest[..end], &rest[end + 1..]));
        }
        from = start + 1;
    }
}

/// Sixty-four bits that differ from call to call; they keep replays apart, and hide nothing.
fn chance() -> u64 {
    RandomState::new().hash_one(())
}

fn a_year_ahead(date: &str) -> bool {
    // HTTP's own form of a date is one of those of mail, with the zone always written as GMT.
    let Ok(date) = rfc2822::DateTimeParser::new().parse_timestamp(date.strip_suffix("GMT").map_or("", |_| date)) else {
        return false;
    };
    let year = SignedDuration::from_hours(365 * 24);
    let off = date.duration_since(Timestamp::now()) - year;
    off.abs() < SignedDuration::from_hours(48)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_choices_are_filled_in_alike() {
        let mut names = Names::default();
        let path = names.fill("/echo/<NNN>/<SESSION-1>/xhr");
        assert_eq!(path, names.fill("/echo/<NNN>/<SESSION-1>/xhr"));
        assert_ne!(names.fill("<SESSION-1>"), names.fill("<SESSION-2>"));
        assert_eq!(names.fill("a<REPEAT: :3>b<REPEAT:x:2>"), "a   bxx");
        assert_eq!(names.fill("<!DOCTYPE html><script>"), "<!DOCTYPE html><script>");
    }

    #[test]
    fn a_tag_is_the_same_whenever_it_comes() {
        let mut names = Names::default();
        assert_eq!(names.fill("<ETAG>"), "<ETAG>");
        assert!(names.agree("<ETAG>", "not a tag").is_err());
        assert!(names.agree("<ETAG>", "\"1\"").is_ok());
        assert!(names.agree("<ETAG>", "\"2\"").is_err());
        assert_eq!(names.fill("<ETAG>"), "\"1\"");
    }

    #[test]
    fn the_servers_choices_are_found_between_texts() {
        let mut names = Names::default();
        assert!(names.agree("src=\"<SOCKJS_URL>\"></script>", "src=\"/sockjs.js\"></script>").is_ok());
        assert!(names.agree("src=\"<SOCKJS_URL>\"></script>", "src=\"/other.js\"></script>").is_err());
        assert!(names.agree("{<ENTROPY>,<ENTROPY>}", "{1,2}").is_ok());
        assert!(names.agree("<ENTROPY>", "2").is_err(), "not fresh");
        assert!(names.agree("<ENTROPY>", "4294967296").is_err(), "more than 32 bits");
    }

    #[test]
    fn dates_are_compared_with_the_clock() {
        let date = |hours: i64| {
            let then = Timestamp::now() + SignedDuration::from_hours(hours);
            then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
        };
        assert!(a_year_ahead(&date(365 * 24)));
        assert!(!a_year_ahead(&date(360 * 24)));
        assert!(!a_year_ahead("tomorrow GMT"));
    }
}
