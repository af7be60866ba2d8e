//! One rendered message, shared by all who are to receive it.

use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use triomphe::ThinArc;

use super::sockjs;

/// How a message is written for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it is: raw WebSocket.
    Plain,
    /// As a JSON string with SockJS's escapes ([`sockjs::quote`]), ready to stand in an `a[…]` frame.
    Quoted,
}

/// UTF-8 text that costs a reference count to copy: rendered once, in one allocation, sent to many.
#[derive(Clone)]
pub struct Text(ThinArc<Side, u8>);

/// What goes along with a text.
#[derive(Default)]
struct Side {
    /// Made when it is first asked for.
    quoted: OnceLock<Text>,
    /// Counted by whoever keeps texts, who sees to it that nobody else does meanwhile.
    keepers: AtomicUsize,
}

impl Text {
    /// The bytes, always valid UTF-8.
    pub fn bytes(&self) -> &[u8] {
        &self.0.slice
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes()).expect("made from a str")
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Whether both are copies of one text, which is kept once.
    pub fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self.side(), other.side())
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// It in a form; rendered once, however often it is asked for.
    pub fn form(&self, form: Form) -> &Self {
        match form {
            Form::Plain => self,
            Form::Quoted => self.side().quoted.get_or_init(|| sockjs::quote(self.as_str())),
        }
    }

    /// How many bytes it takes, in all forms that there are.
    pub fn held_bytes(&self) -> usize {
        self.len() + self.side().quoted.get().map_or(0, Self::len)
    }

    /// One more keeps it. Answers how many there were. Not to be called by two at once for one text.
    pub fn keep(&self) -> usize {
        let keepers = self.side().keepers.load(Relaxed);
        self.side().keepers.store(keepers + 1, Relaxed);
        keepers
    }

    /// One does no longer. Answers how many are left. Likewise.
    pub fn give_up(&self) -> usize {
        let keepers = self.side().keepers.load(Relaxed) - 1;
        self.side().keepers.store(keepers, Relaxed);
        keepers
    }

    fn side(&self) -> &Side {
        &self.0.header.header
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(ThinArc::from_header_and_slice(Side::default(), text.as_bytes()))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Text {}

/// Only the length: payloads hold session descriptions and must not reach a log.
impl std::fmt::Debug for Text {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Text({} bytes)", self.len())
    }
}
