//! The rules for names and texts (13.2). Letters are ASCII only; names that JavaScript gives a
//! meaning, such as `__proto__`, are ordinary.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::json::utf16_units;

/// The name of an application, a room or a group, or an easyrtcid: one to 32 of `A-Za-z0-9_.-`. It
/// can stand between quotation marks as it is, and costs a reference count to copy.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// The text, if it is a name.
    pub fn new(text: &str) -> Option<Self> {
        fits(text, 32, b"_.-").then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

pub(super) fn is_version(text: &str) -> bool {
    fits(text, 32, b"_.+-")
}

pub(super) fn is_easyrtcsid(text: &str) -> bool {
    fits(text, 100, b"_.%-")
}

pub(super) fn is_username(text: &str) -> bool {
    !text.is_empty() && is_line(text, 64)
}

pub(super) fn is_status(text: &str) -> bool {
    is_line(text, 255)
}

/// One to `most` ASCII letters, digits and some others.
fn fits(text: &str, most: usize, others: &[u8]) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

/// What JavaScript takes for one line of at most so many UTF-16 code units.
fn is_line(text: &str, most: usize) -> bool {
    utf16_units(text) <= most && !text.contains(['\n', '\r', '\u{2028}', '\u{2029}'])
}
