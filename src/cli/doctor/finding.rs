//! One line of the report, and the line that says what to do.

use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, but not for everybody or not for long; or it cannot be told.
    Warning,
    /// It does not work, or is not safe.
    Error,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at: a key of the configuration, where there is one.
    pub what: String,
    /// What was found.
    pub found: String,
    /// What to do; empty where all is well.
    pub fix: String,
}

impl Finding {
    pub(super) fn ok(what: &str, found: impl Into<String>) -> Self {
        Self { level: Level::Ok, what: what.to_owned(), found: found.into(), fix: String::new() }
    }

    pub(super) fn warning(what: &str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Warning, what: what.to_owned(), found: found.into(), fix: fix.into() }
    }

    pub(super) fn error(what: &str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Error, what: what.to_owned(), found: found.into(), fix: fix.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(formatter, "{level}  {}: {}", one_line(&self.what), one_line(&self.found))?;
        if self.fix.is_empty() { Ok(()) } else { write!(formatter, "\n    fix: {}", one_line(&self.fix)) }
    }
}

/// Whatever another program said, a finding is one line.
fn one_line(text: &str) -> String {
    text.split(char::is_control).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_and_its_fix_another() {
        assert_eq!(Finding::ok("a", "b\nc").to_string(), "ok  a: b c");
        assert_eq!(Finding::error("a", "b", "c\u{1b}[d").to_string(), "error  a: b\n    fix: c [d");
    }
}
