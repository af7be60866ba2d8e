//! One message, shared by all who are to get it, and the count of what all messages hold.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::wire::{Form, Text, sockjs};

/// What the messages that were made by it hold together, wherever they are kept. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<AtomicUsize>);

impl Tally {
    /// A message that counts until its last copy is gone.
    pub fn message(&self, text: Text) -> Message {
        self.0.fetch_add(text.len(), Ordering::Relaxed);
        Message(Arc::new(Held { text, quoted: OnceLock::new(), tally: self.clone() }))
    }

    /// Bytes of messages that somebody keeps, each counted once.
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A message in both of the forms that clients read; the second is made when first asked for. A copy is a
/// reference.
#[derive(Debug, Clone)]
pub struct Message(Arc<Held>);

#[derive(Debug)]
struct Held {
    text: Text,
    quoted: OnceLock<Text>,
    tally: Tally,
}

impl Message {
    /// The message in a form; rendered once, however often it is asked for.
    pub fn form(&self, form: Form) -> &Text {
        match form {
            Form::Plain => &self.0.text,
            Form::Quoted => self.0.quoted.get_or_init(|| self.0.quote()),
        }
    }

    /// The length of the plain form.
    pub fn bytes(&self) -> usize {
        self.0.text.len()
    }
}

impl Held {
    fn quote(&self) -> Text {
        let quoted = sockjs::quote(self.text.as_str());
        self.tally.0.fetch_add(quoted.len(), Ordering::Relaxed);
        quoted
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let bytes = self.text.len() + self.quoted.get().map_or(0, Text::len);
        self.tally.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_rendering_serves_all() {
        let message = Tally::default().message(Text::from("x\"y"));
        let first = message.form(Form::Quoted);
        assert_eq!(first.as_str(), r#""x\"y""#);
        assert_eq!(message.clone().form(Form::Quoted).bytes().as_ptr(), first.bytes().as_ptr());
    }

    #[test]
    fn each_counts_once_until_its_last_copy_is_gone() {
        let tally = Tally::default();
        let one = tally.message("12345".into());
        let (copy, other) = (one.clone(), tally.clone().message("123".into()));
        assert_eq!(tally.bytes(), 8);
        drop(one);
        assert_eq!(tally.bytes(), 8);
        copy.form(Form::Quoted);
        assert_eq!(tally.bytes(), 8 + 7, "both forms are kept");
        drop((copy, other));
        assert_eq!(tally.bytes(), 0);
    }
}
